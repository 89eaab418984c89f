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
    "Exported": "tlkit.exporting.export",
    "LabelIssues": "tlkit.experiments.label_issues",
    "LearningCurve": "tlkit.experiments.learning_curve",
    "Manifest": "tlkit.dataset.manifest",
    "Prediction": "tlkit.tasks.prediction",
    "Progress": "tlkit.progress",
    "Run": "tlkit.runs.run",
    "SearchResult": "tlkit.experiments.search",
    "TlkitError": "tlkit.errors",
    "annotate": "tlkit.experiments.annotate",
    "check": "tlkit.dataset.check.check",
    "compare": "tlkit.experiments.compare",
    "convert": "tlkit.dataset.convert.convert",
    "cross_validate": "tlkit.experiments.cross_validate",
    "embedder": "tlkit.features.embedding",
    "evaluate": "tlkit.evaluation.evaluate",
    "export": "tlkit.exporting.export",
    "finetune": "tlkit.training.finetune",
    "label_issues": "tlkit.experiments.label_issues",
    "learning_curve": "tlkit.experiments.learning_curve",
    "lr_find": "tlkit.experiments.lr_find",
    "predict": "tlkit.evaluation.predict",
    "prepare": "tlkit.dataset.prepare",
    "resume": "tlkit.training.finetune",
    "search": "tlkit.experiments.search",
}

__all__ = list(_HOMES)

if TYPE_CHECKING:
    from tlkit.config import Config as Config
    from tlkit.dataset.check.check import check as check
    from tlkit.dataset.convert.convert import convert as convert
    from tlkit.dataset.convert.converted import Converted as Converted
    from tlkit.dataset.manifest import Manifest as Manifest
    from tlkit.dataset.prepare import prepare as prepare
    from tlkit.errors import TlkitError as TlkitError
    from tlkit.evaluation.evaluate import evaluate as evaluate
    from tlkit.evaluation.predict import predict as predict
    from tlkit.experiments.annotate import annotate as annotate
    from tlkit.experiments.compare import compare as compare
    from tlkit.experiments.comparison import Comparison as Comparison
    from tlkit.experiments.cross_validate import cross_validate as cross_validate
    from tlkit.experiments.cv_result import CVResult as CVResult
    from tlkit.experiments.label_issues import LabelIssues as LabelIssues
    from tlkit.experiments.label_issues import label_issues as label_issues
    from tlkit.experiments.learning_curve import LearningCurve as LearningCurve
    from tlkit.experiments.learning_curve import learning_curve as learning_curve
    from tlkit.experiments.lr_find import lr_find as lr_find
    from tlkit.experiments.search import SearchResult as SearchResult
    from tlkit.experiments.search import search as search
    from tlkit.exporting.export import Exported as Exported
    from tlkit.exporting.export import export as export
    from tlkit.features.embedding import embedder as embedder
    from tlkit.progress import Progress as Progress
    from tlkit.runs.run import Run as Run
    from tlkit.tasks.prediction import Prediction as Prediction
    from tlkit.training.finetune import finetune as finetune
    from tlkit.training.finetune import resume as resume


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'tlkit' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
