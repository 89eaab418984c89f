"""The learning curve: accuracy by number of images, extrapolated to more of them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tlkit import files
from tlkit.config import Config
from tlkit.dataset.manifest import Manifest
from tlkit.experiments.label_issues import groups_of, one_label_each
from tlkit.experiments.subsets import FOLDS, SubsetErrors, check_classes, measure
from tlkit.features.embedding import embedding_config, features_of, network_of
from tlkit.progress import SILENT, Progress
from tlkit.reports.plots import draw_learning_curve
from tlkit.runs.leakage import check_folds
from tlkit.runs.result_dir import versions

INFO, PLOT = "learning_curve.json", "learning_curve.png"
# No curve of this kind has earned trust beyond four times the images.
TIMES = (2, 4)
# A smaller gain in accuracy is hardly worth the images.
WORTH = 0.01
PAYS, FLAT, UNCLEAR = "pays", "flat", "unclear"


@dataclass(frozen=True)
class Point:
    """The accuracy at a number of images, with the ends of its 95 % interval."""

    images: int
    accuracy: float
    low: float
    high: float


@dataclass(frozen=True)
class LearningCurve:
    """The result of `tlkit.learning_curve`.

    Attributes:
        directory: Holds learning_curve.json and learning_curve.png.
        measured: Points by ascending number of images; the last has all there are.
        expected: Points at twice and four times as many images.
        gain: In accuracy by four times as many images: expected, low and high.
        verdict: "pays" if even the low gain is worth the images, "flat" if even the
            high gain is not, else "unclear".
    """

    directory: Path
    measured: tuple[Point, ...]
    expected: tuple[Point, ...]
    gain: tuple[float, float, float]
    verdict: str


def learning_curve(
    data: str | Path,
    out: str | Path,
    *,
    overwrite: bool = False,
    progress: Progress = SILENT,
    **options: Any,
) -> LearningCurve:
    """Estimate the accuracy that more images of the same kind would bring.

    Linear probes on frozen features learn from growing subsets of the training and
    validation splits, and are scored on folds that they have not seen. The test split
    is not used. A power law through the scores is extrapolated to four times as many
    images, with the interval of a bootstrap over groups of images.

    Args:
        data: Data set directory.
        out: Folder to make, for learning_curve.json and learning_curve.png.
        overwrite: Replace an earlier one.
        progress: Receives progress and messages.
        **options: Of the network: those of config.Scope.FEATURES.

    Returns:
        The learning curve.

    Raises:
        RunError: Examples have several labels, or a class is too small for a curve.
        UsageError: An invalid option, or `out` must not be written to.

    Example:
        >>> curve = tlkit.learning_curve("data", "curve")
        >>> twice, four_times = curve.expected
    """
    config = embedding_config(**options)
    manifest = one_label_each(Manifest.read(data))
    examples = [example for example in manifest.examples if example.split != "test"]
    targets, groups = manifest.targets(examples), groups_of(examples)
    check_classes(targets, groups)
    check_folds(examples, config.model.backbone, progress)
    with files.replaced_directory(
        Path(out), marker=INFO, overwrite=overwrite, what="learning curve"
    ) as draft:
        features = features_of(
            config, manifest.source, examples, "Computing features", progress
        )
        measured = measure(
            features,
            targets,
            groups,
            classes=len(manifest.labels),
            seed=config.train.seed,
            progress=progress,
        )
        made = extrapolate(measured, Path(out), seed=config.train.seed)
        files.write_json(draft / INFO, _info(manifest, config, measured, made))
        _draw(made, measured, config.train.seed, draft / PLOT)
    return made


def extrapolate(measured: SubsetErrors, directory: Path, *, seed: int) -> LearningCurve:
    """Extend a measured curve by power laws, and rate the gain."""
    laws = measured.laws(seed)
    sizes = measured.sizes[-1] * np.array([1, *TIMES])
    drawn = 1 - laws(sizes)
    gains = drawn[:, -1] - drawn[:, 0]
    low, high = _interval(gains)
    return LearningCurve(
        directory,
        _points(measured.sizes, 1 - measured.errors, 1 - measured.resampled(seed)),
        _points(sizes[1:], np.median(drawn[:, 1:], axis=0), drawn[:, 1:]),
        (float(np.median(gains)), low, high),
        PAYS if low >= WORTH else FLAT if high < WORTH else UNCLEAR,
    )


def _points(
    sizes: np.ndarray, accuracies: np.ndarray, drawn: np.ndarray
) -> tuple[Point, ...]:
    return tuple(
        Point(round(float(size)), float(accuracy), *_interval(column))
        for size, accuracy, column in zip(sizes, accuracies, drawn.T, strict=True)
    )


def _interval(values: np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)


def _info(
    manifest: Manifest, config: Config, measured: SubsetErrors, made: LearningCurve
) -> dict[str, Any]:
    return {
        "data": {
            "directory": str(manifest.directory.resolve()),
            "checksum": manifest.checksum,
            "splits": ["train", "val"],
        },
        "network": network_of(config),
        "seed": config.train.seed,
        "folds": FOLDS,
        "repeats": len(measured.incorrect),
        "measured": [dataclasses.asdict(point) for point in made.measured],
        "expected": [dataclasses.asdict(point) for point in made.expected],
        "gain_by_four_times": dict(
            zip(("expected", "low", "high"), made.gain, strict=True)
        ),
        "verdict": made.verdict,
        "versions": versions(),
    }


def _draw(made: LearningCurve, measured: SubsetErrors, seed: int, path: Path) -> None:
    sizes = np.geomspace(measured.sizes[0], measured.sizes[-1] * TIMES[-1], 60)
    band = np.percentile(1 - measured.laws(seed)(sizes), (2.5, 50, 97.5), axis=0)
    draw_learning_curve(
        [(p.images, p.accuracy, p.low, p.high) for p in made.measured],
        sizes,
        band,
        path,
    )
