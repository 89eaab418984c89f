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
    "Comparison": "tlkit.run.study.comparison",
    "Config": "tlkit.config",
    "Converted": "tlkit.dataset.converted",
    "Curve": "tlkit.run.study.curve",
    "Doubts": "tlkit.run.study.doubtful",
    "Exported": "tlkit.run.shipping.export",
    "Folds": "tlkit.run.study.folds_record",
    "Manifest": "tlkit.dataset.manifest",
    "Prediction": "tlkit.run.scoring.predict",
    "Progress": "tlkit.progress",
    "Run": "tlkit.run.record",
    "TlkitError": "tlkit.errors",
    "Tuned": "tlkit.run.study.tune",
    "annotate": "tlkit.run.annotate",
    "check": "tlkit.dataset.check",
    "compare": "tlkit.run.study.compare",
    "convert": "tlkit.dataset.convert",
    "cross_validate": "tlkit.run.study.cross",
    "curve": "tlkit.run.study.curve",
    "doubts": "tlkit.run.study.doubts",
    "embedder": "tlkit.run.features.embedding",
    "evaluate": "tlkit.run.scoring.evaluate",
    "export": "tlkit.run.shipping.export",
    "finetune": "tlkit.run.train",
    "lr_find": "tlkit.run.study.lr_find",
    "predict": "tlkit.run.scoring.predict",
    "prepare": "tlkit.dataset.prepare",
    "resume": "tlkit.run.train",
    "tune": "tlkit.run.study.tune",
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
    from tlkit.run.features.embedding import embedder
    from tlkit.run.record import Run
    from tlkit.run.scoring.evaluate import evaluate
    from tlkit.run.scoring.predict import Prediction, predict
    from tlkit.run.shipping.export import Exported, export
    from tlkit.run.study.compare import compare
    from tlkit.run.study.comparison import Comparison
    from tlkit.run.study.cross import cross_validate
    from tlkit.run.study.curve import Curve, curve
    from tlkit.run.study.doubtful import Doubts
    from tlkit.run.study.doubts import doubts
    from tlkit.run.study.folds_record import Folds
    from tlkit.run.study.lr_find import lr_find
    from tlkit.run.study.tune import Tuned, tune
    from tlkit.run.train import finetune, resume


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'tlkit' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
