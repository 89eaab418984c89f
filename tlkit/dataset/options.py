"""What prepare was asked for in, checked; and what that means for the split, out."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tlkit.dataset import formats as sources
from tlkit.dataset.duplicates.similar import ABOVE
from tlkit.dataset.formats import ImageRecord, ReaderOptions
from tlkit.dataset.splitting.examples import Labeling
from tlkit.errors import DatasetError, UsageError, unknown_name

VAL = 0.15
TEST = 0.15


@dataclass(frozen=True)
class Options:
    """What was asked for, as `prepare` takes it."""

    source: str = "auto"
    labeling: Labeling = field(default_factory=Labeling)
    reading: ReaderOptions = field(default_factory=ReaderOptions)
    val: float | None = None
    test: float | None = None
    seed: int = 0
    group_by: str | None = None
    keep_conflicts: bool = False
    near: bool = True
    turned: bool = False
    similar: str = ""
    similar_above: float = ABOVE
    corrections: str | None = None

    def check(self, workers: int | None) -> None:
        """Refuse what cannot be meant, before anything slow starts."""
        known = ("auto", *sources.FORMATS)
        if self.source not in known:
            error = unknown_name("source", self.source, known)
            raise error
        self.labeling.check()
        for side, share in (("val", self.val), ("test", self.test)):
            if share is not None and not 0 <= share < 1:
                raise UsageError(
                    f"{side} is a share of the images, at least 0 and below 1. "
                    f"Received: {share}."
                )
        val = VAL if self.val is None else self.val
        test = TEST if self.test is None else self.test
        if val + test >= 1:
            raise UsageError(
                f"val and test leave nothing for train: {val} + {test} is not below 1."
            )
        if self.seed < 0:
            raise UsageError(f"seed is at least 0. Received: {self.seed}.")
        if self.turned and not self.near:
            raise UsageError(
                "Turned copies are near copies: --rotated and --no-near exclude each "
                "other."
            )
        if not 0 < self.similar_above <= 1:
            raise UsageError(
                "similar_above is a cosine above 0, 1 at most. Received: "
                f"{self.similar_above}."
            )
        if workers is not None and workers < 0:
            raise UsageError(f"workers is at least 0. Received: {workers}.")


def fractions(
    place: Path, records: Iterable[ImageRecord], options: Options
) -> dict[str, float]:
    """Decide what to draw."""
    given = {record.split for record in records} - {None}
    for side, share in (("val", options.val), ("test", options.test)):
        if share is not None and side in given:
            raise UsageError(
                f"{place} gives the {side} side itself, so no share can be given.",
                hint=f"Leave --{side} away, or make those images train ones.",
            )
    if given and "train" not in given:
        sides = " and ".join(sorted(map(str, given)))
        raise DatasetError(f"{place} holds {sides}, but no train folder.")
    usual = usual_shares(given)
    asked = {"val": options.val, "test": options.test}
    return {
        side: usual[side] if share is None else share
        for side, share in asked.items()
        if side not in given
    }


def usual_shares(given: Container[str | None]) -> dict[str, float]:
    """The shares that are drawn where none were asked for."""
    return {"val": VAL, "test": 0.0 if "val" in given else TEST}
