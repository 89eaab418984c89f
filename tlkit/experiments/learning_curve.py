"""A data set in, what more images would bring out: a learning curve, drawn on."""

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
from tlkit.experiments.subsets import FOLDS, Measured, check_classes, measure
from tlkit.features.embedding import embedding_config, features_of, network_of
from tlkit.files import replaced_directory
from tlkit.progress import Progress, Silent
from tlkit.reports.plots import draw_learning_curve
from tlkit.runs.leakage import check_folds
from tlkit.runs.result_dir import versions

INFO, PLOT = "learning_curve.json", "learning_curve.png"
# Further than that no curve of this kind has earned trust.
TIMES = (2, 4)
# Gains below are hardly worth the images; as a share of right answers.
WORTH = 0.01
PAYS, FLAT, UNCLEAR = "pays", "flat", "unclear"
SILENT = Silent()


@dataclass(frozen=True)
class Point:
    """Accuracy at a size.

    Attributes:
        images: How many are learned from.
        accuracy: Share of right answers.
        low: Of the 95 % interval of the accuracy.
        high: Likewise.
    """

    images: int
    accuracy: float
    low: float
    high: float


@dataclass(frozen=True)
class LearningCurve:
    """A learning curve, and what it tells of more data.

    Attributes:
        directory: Where learning_curve.json and learning_curve.png are.
        seen: What was measured, ascending; the last is all there is to learn from.
        expected: At twice and four times as much.
        gain: By four times as much: expected, low and high, shares of right answers.
        verdict: "pays" if even the low gain is worth it, "flat" if even the high one
            is not, else "unclear".
    """

    directory: Path
    seen: tuple[Point, ...]
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
    """Tell what more images of the same kind would bring.

    Linear probes on frozen features learn from ever larger parts of the training and
    the validation side, and are scored on folds of these that they have not seen; the
    test side is not touched. A power law through the scores is drawn on to four times
    as many images, with the interval of a bootstrap over groups of images.

    Args:
        data: A data set directory.
        out: The folder to make, for learning_curve.json and learning_curve.png.
        overwrite: Replace an earlier one.
        progress: Told of all long work.
        **options: Of the network: those in config.FROZEN_OPTIONS.

    Returns:
        The curve.

    Raises:
        RunError: Examples of several labels, or a class too small for a curve.
        UsageError: A wrong option, or a place that must not be written to.

    Example:
        >>> curve = tlkit.learning_curve("data", "curve")
        >>> twice, four_times = curve.expected
    """
    config = embedding_config(**options)
    manifest = one_label_each(Manifest.read(data))
    examples = [e for e in manifest.examples if e.split != "test"]
    targets, groups = manifest.targets(examples), groups_of(examples)
    check_classes(targets, groups)
    check_folds(examples, config.model.backbone, progress)
    with replaced_directory(
        Path(out), marker=INFO, overwrite=overwrite, what="learning curve"
    ) as draft:
        task = "Computing features"
        features = features_of(config, manifest.source, examples, task, progress)
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


def extrapolate(measured: Measured, directory: Path, *, seed: int) -> LearningCurve:
    """Draw a curve on."""
    laws = measured.laws(seed)
    now = measured.sizes[-1]
    sizes = now * np.array([1, *TIMES])
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
    manifest: Manifest, config: Config, measured: Measured, made: LearningCurve
) -> dict[str, Any]:
    gain = dict(zip(("expected", "low", "high"), made.gain, strict=True))
    return {
        "data": {
            "directory": str(manifest.directory.resolve()),
            "checksum": manifest.checksum,
            "sides": ["train", "val"],
        },
        "network": network_of(config),
        "seed": config.train.seed,
        "folds": FOLDS,
        "rounds": len(measured.wrong),
        "seen": [dataclasses.asdict(point) for point in made.seen],
        "expected": [dataclasses.asdict(point) for point in made.expected],
        "gain_by_four_times": gain,
        "verdict": made.verdict,
        "versions": versions(),
    }


def _draw(made: LearningCurve, measured: Measured, seed: int, path: Path) -> None:
    sizes = np.geomspace(measured.sizes[0], measured.sizes[-1] * TIMES[-1], 60)
    band = np.percentile(1 - measured.laws(seed)(sizes), (2.5, 50, 97.5), axis=0)
    draw_learning_curve(
        [(p.images, p.accuracy, p.low, p.high) for p in made.seen], sizes, band, path
    )
