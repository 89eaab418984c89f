"""A backbone that an earlier run has trained in, the images it must not judge by out.

A network answers images that it was trained on too well, also when only a new head is
trained on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tlkit.dataset.manifest import Example, Manifest
from tlkit.errors import TlkitError, UsageError
from tlkit.progress import Progress
from tlkit.runs.result_dir import Run

TRAINED, DECIDED = ("train",), ("train", "val")


def check_sides(manifest: Manifest, backbone: str, progress: Progress) -> None:
    """Refuse sides that a backbone has been trained on elsewhere.

    Args:
        manifest: A data set with sides.
        backbone: As in the configuration.
        progress: Told if images of the training side are known, or nothing can be
            told.

    Raises:
        UsageError: Images of the validation side have trained it, or images of the
            test side trained it or chose anything of it.
    """
    earlier = _earlier(backbone, progress)
    if earlier is None:
        return
    _refuse(manifest.of("val"), earlier, TRAINED, backbone)
    _refuse(manifest.of("test"), earlier, DECIDED, backbone)
    if known := _known(manifest.of("train"), earlier, DECIDED):
        progress.warn(
            f"{known} images of the training side have trained or chosen {backbone} "
            "before: what cross-validation says of them here is too good"
        )


def check_folds(examples: Sequence[Example], backbone: str, progress: Progress) -> None:
    """Refuse images to be held out that a backbone knows.

    Args:
        examples: All that folds will hold out.
        backbone: As in the configuration.
        progress: Told if nothing can be told.

    Raises:
        UsageError: Some have trained it or chosen anything of it.
    """
    earlier = _earlier(backbone, progress)
    if earlier is not None:
        _refuse(examples, earlier, DECIDED, backbone)


def _earlier(backbone: str, progress: Progress) -> Manifest | None:
    """What the run has learned from that a backbone's file lies in, if it does."""
    place = Path(backbone).parent
    if not (backbone.endswith(".keras") and (place / "run.json").is_file()):
        return None
    try:
        return Run.read(place, finished=False).manifest()
    except TlkitError as error:
        progress.warn(
            f"{backbone} is of an earlier run, and whether that has seen images that "
            f"are scored here cannot be told: {error.message}"
        )
        return None


def _known(
    examples: Sequence[Example], earlier: Manifest, sides: tuple[str, ...]
) -> int:
    seen = {one.sha256 for side in sides for one in earlier.of(side)}
    return sum(one.sha256 in seen for one in examples)


def _refuse(
    examples: Sequence[Example],
    earlier: Manifest,
    sides: tuple[str, ...],
    backbone: str,
) -> None:
    known = _known(examples, earlier, sides)
    if known:
        raise UsageError(
            f"{known} of {len(examples)} images that would be scored have trained or "
            f"chosen the backbone {backbone}: the score would be far too good.",
            hint="Use the backbone that run began with, or images that it has not "
            "seen.",
        )
