"""Leakage from an earlier run: images that a custom backbone was trained on.

Predictions of such images are too good, even if only a new head is trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tlkit.dataset.example import Example
from tlkit.dataset.manifest import Manifest
from tlkit.errors import TlkitError, UsageError
from tlkit.progress import Progress
from tlkit.runs.run import Run

TRAINED, USED = ("train",), ("train", "val")


def check_splits(manifest: Manifest, backbone: str, progress: Progress) -> None:
    """Refuse splits that a backbone was trained or selected on.

    Args:
        manifest: A data set with splits.
        backbone: As in the configuration.
        progress: Receives a warning if training images are known, or if the earlier
            data set cannot be read.

    Raises:
        UsageError: The backbone was trained on validation images, or trained or
            selected on test images.
    """
    earlier = _earlier(backbone, progress)
    if earlier is None:
        return
    _refuse(manifest.of("val"), earlier, TRAINED, backbone)
    _refuse(manifest.of("test"), earlier, USED, backbone)
    if known := _known(manifest.of("train"), earlier, USED):
        progress.warn(
            f"{backbone} was trained or selected on {known} images of the training "
            "split before: cross-validation here is too optimistic"
        )


def check_folds(examples: Sequence[Example], backbone: str, progress: Progress) -> None:
    """Refuse images to be held out that a backbone was trained or selected on.

    Args:
        examples: All that folds will hold out.
        backbone: As in the configuration.
        progress: Receives a warning if the earlier data set cannot be read.

    Raises:
        UsageError: Some of the images are known.
    """
    earlier = _earlier(backbone, progress)
    if earlier is not None:
        _refuse(examples, earlier, USED, backbone)


def _earlier(backbone: str, progress: Progress) -> Manifest | None:
    """Read the data set of the run that a backbone file belongs to, if any."""
    place = Path(backbone).parent
    if not (backbone.endswith(".keras") and (place / Run.MARKER).is_file()):
        return None
    try:
        return Run.read(place, finished=False).manifest()
    except TlkitError as error:
        progress.warn(
            f"{backbone} is from an earlier run, and whether that used images that are "
            f"scored here cannot be determined: {error.message}"
        )
        return None


def _known(
    examples: Sequence[Example], earlier: Manifest, splits: tuple[str, ...]
) -> int:
    known = {one.sha256 for split in splits for one in earlier.of(split)}
    return sum(one.sha256 in known for one in examples)


def _refuse(
    examples: Sequence[Example],
    earlier: Manifest,
    splits: tuple[str, ...],
    backbone: str,
) -> None:
    if known := _known(examples, earlier, splits):
        raise UsageError(
            f"The backbone {backbone} was trained or selected on {known} of the "
            f"{len(examples)} images to be scored: the score would be optimistic.",
            hint="Use the backbone that run began with, or images it has not used.",
        )
