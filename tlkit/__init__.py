"""tlkit: from a folder of photos to a classifier you can trust and ship.

    manifest = tlkit.prepare("photos", "data")
    run = tlkit.finetune("data", "runs/first", backbone="inception", cut="mixed7")
    metrics = tlkit.evaluate(run)
    predictions = tlkit.predict(run, ["new/photo.jpg"])
    exported = tlkit.export(run)

Names are loaded when first used, so that importing tlkit is instant.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

_HOMES = {
    "CVResult": "tlkit.experiments.cv_result",
    "Comparison": "tlkit.experiments.comparison",
    "Config": "tlkit.config",
    "Converted": "tlkit.dataset.convert.converted",
    "Exported": "tlkit.exporting.savedmodel",
    "LabelIssues": "tlkit.experiments.label_issues",
    "LearningCurve": "tlkit.experiments.learning_curve",
    "Manifest": "tlkit.dataset.manifest",
    "Prediction": "tlkit.tasks.prediction",
    "Progress": "tlkit.progress",
    "Run": "tlkit.runs.result_dir",
    "SearchResult": "tlkit.experiments.search",
    "TlkitError": "tlkit.errors",
    "annotate": "tlkit.experiments.annotate",
    "check": "tlkit.dataset.check.check",
    "compare": "tlkit.experiments.compare",
    "convert": "tlkit.dataset.convert.convert",
    "cross_validate": "tlkit.experiments.cross_validate",
    "embedder": "tlkit.features.embedding",
    "evaluate": "tlkit.evaluation.evaluate",
    "export": "tlkit.exporting.savedmodel",
    "finetune": "tlkit.training.finetune",
    "label_issues": "tlkit.experiments.label_issues",
    "learning_curve": "tlkit.experiments.learning_curve",
    "lr_find": "tlkit.experiments.lr_find",
    "predict": "tlkit.evaluation.predict",
    "prepare": "tlkit.dataset.prepare",
    "resume": "tlkit.training.finetune",
    "search": "tlkit.experiments.search",
}

__all__ = [
    "CVResult",
    "Comparison",
    "Config",
    "Converted",
    "Exported",
    "LabelIssues",
    "LearningCurve",
    "Manifest",
    "Prediction",
    "Progress",
    "Run",
    "SearchResult",
    "TlkitError",
    "annotate",
    "check",
    "compare",
    "convert",
    "cross_validate",
    "embedder",
    "evaluate",
    "export",
    "finetune",
    "label_issues",
    "learning_curve",
    "lr_find",
    "predict",
    "prepare",
    "resume",
    "search",
]

if TYPE_CHECKING:
    from tlkit.config import Config
    from tlkit.dataset.check.check import check
    from tlkit.dataset.convert.convert import convert
    from tlkit.dataset.convert.converted import Converted
    from tlkit.dataset.manifest import Manifest
    from tlkit.dataset.prepare import prepare
    from tlkit.errors import TlkitError
    from tlkit.evaluation.evaluate import evaluate
    from tlkit.evaluation.predict import predict
    from tlkit.experiments.annotate import annotate
    from tlkit.experiments.compare import compare
    from tlkit.experiments.comparison import Comparison
    from tlkit.experiments.cross_validate import cross_validate
    from tlkit.experiments.cv_result import CVResult
    from tlkit.experiments.label_issues import LabelIssues, label_issues
    from tlkit.experiments.learning_curve import LearningCurve, learning_curve
    from tlkit.experiments.lr_find import lr_find
    from tlkit.experiments.search import SearchResult, search
    from tlkit.exporting.savedmodel import Exported, export
    from tlkit.features.embedding import embedder
    from tlkit.progress import Progress
    from tlkit.runs.result_dir import Run
    from tlkit.tasks.prediction import Prediction
    from tlkit.training.finetune import finetune, resume


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'tlkit' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
