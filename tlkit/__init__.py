"""tlkit: from a folder of photos to a classifier you can trust and ship.

    manifest = tlkit.prepare("photos", "data")
    run = tlkit.finetune("data", "runs/first", backbone="inception", cut="mixed7")
    metrics = tlkit.evaluate(run)
    answers = tlkit.predict(run, ["new/photo.jpg"])
    artefact = tlkit.export(run)

Names are loaded when they are first used, so that importing tlkit is instant.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

_HOMES = {
    "Comparison": "tlkit.run.comparison",
    "Config": "tlkit.config",
    "Converted": "tlkit.dataset.converted",
    "Curve": "tlkit.run.curve",
    "Doubts": "tlkit.run.doubtful",
    "Exported": "tlkit.run.export",
    "Folds": "tlkit.run.folds_record",
    "Manifest": "tlkit.dataset.manifest",
    "Prediction": "tlkit.run.predict",
    "Progress": "tlkit.progress",
    "Run": "tlkit.run.record",
    "TlkitError": "tlkit.errors",
    "Tuned": "tlkit.run.tune",
    "annotate": "tlkit.run.annotate",
    "check": "tlkit.dataset.check",
    "compare": "tlkit.run.compare",
    "convert": "tlkit.dataset.convert",
    "cross_validate": "tlkit.run.cross",
    "curve": "tlkit.run.curve",
    "doubts": "tlkit.run.doubts",
    "embedder": "tlkit.run.embedding",
    "evaluate": "tlkit.run.evaluate",
    "export": "tlkit.run.export",
    "finetune": "tlkit.run.train",
    "lr_find": "tlkit.run.lr_find",
    "predict": "tlkit.run.predict",
    "prepare": "tlkit.dataset.prepare",
    "resume": "tlkit.run.train",
    "tune": "tlkit.run.tune",
}

__all__ = [
    "Comparison",
    "Config",
    "Converted",
    "Curve",
    "Doubts",
    "Exported",
    "Folds",
    "Manifest",
    "Prediction",
    "Progress",
    "Run",
    "TlkitError",
    "Tuned",
    "annotate",
    "check",
    "compare",
    "convert",
    "cross_validate",
    "curve",
    "doubts",
    "embedder",
    "evaluate",
    "export",
    "finetune",
    "lr_find",
    "predict",
    "prepare",
    "resume",
    "tune",
]

if TYPE_CHECKING:
    from tlkit.config import Config
    from tlkit.dataset.check import check
    from tlkit.dataset.convert import convert
    from tlkit.dataset.converted import Converted
    from tlkit.dataset.manifest import Manifest
    from tlkit.dataset.prepare import prepare
    from tlkit.errors import TlkitError
    from tlkit.progress import Progress
    from tlkit.run.annotate import annotate
    from tlkit.run.compare import compare
    from tlkit.run.comparison import Comparison
    from tlkit.run.cross import cross_validate
    from tlkit.run.curve import Curve, curve
    from tlkit.run.doubtful import Doubts
    from tlkit.run.doubts import doubts
    from tlkit.run.embedding import embedder
    from tlkit.run.evaluate import evaluate
    from tlkit.run.export import Exported, export
    from tlkit.run.folds_record import Folds
    from tlkit.run.lr_find import lr_find
    from tlkit.run.predict import Prediction, predict
    from tlkit.run.record import Run
    from tlkit.run.train import finetune, resume
    from tlkit.run.tune import Tuned, tune


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'tlkit' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
