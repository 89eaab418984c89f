"""The options of prepare, and the shares of the split that follow from them."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tlkit.dataset.duplicates.similar import MIN_COSINE
from tlkit.dataset.formats import FORMATS
from tlkit.dataset.records import ImageRecord
from tlkit.dataset.sources.open import ReaderOptions
from tlkit.dataset.splitting.examples import Labeling
from tlkit.errors import DatasetError, UsageError, unknown_name

VAL = 0.15
TEST = 0.15


@dataclass(frozen=True)
class Options:
    """The options of `prepare`, as dataset.json records them."""

    format: str = "auto"
    labeling: Labeling = field(default_factory=Labeling)
    reading: ReaderOptions = field(default_factory=ReaderOptions)
    val: float | None = None
    test: float | None = None
    seed: int = 0
    group_by: str | None = None
    keep_conflicts: bool = False
    near: bool = True
    rotated: bool = False
    # What the features are of, and for `tlkit.embedder` its network and weights.
    similar: str = ""
    similar_backbone: str = ""
    similar_weights: str = ""
    similar_above: float = MIN_COSINE
    corrections: str | None = None

    @property
    def shares(self) -> dict[str, float]:
        """The shares that were given, of "val" and "test"."""
        shares = {"val": self.val, "test": self.test}
        return {split: share for split, share in shares.items() if share is not None}

    def check(self, workers: int | None) -> None:
        """Refuse values that make no sense, before anything slow starts."""
        known = ("auto", *FORMATS)
        if self.format not in known:
            error = unknown_name("format", self.format, known)
            raise error
        self.labeling.check()
        for split, share in self.shares.items():
            if not 0 <= share < 1:
                raise UsageError(f"{split} must be >= 0 and < 1, got {share}.")
        _check_sum(self.shares)
        if self.seed < 0:
            raise UsageError(f"seed must be >= 0, got {self.seed}.")
        if self.rotated and not self.near:
            raise UsageError(
                "Rotated duplicates are near-duplicates: --rotated and --no-near "
                "exclude each other.",
                hint="Remove one of them.",
            )
        if not 0 < self.similar_above <= 1:
            raise UsageError(
                "similar_above is a cosine and must be > 0 and <= 1, got "
                f"{self.similar_above}."
            )
        if workers is not None and workers < 0:
            raise UsageError(f"workers must be >= 0, got {workers}.")


def fractions(
    place: Path, records: Iterable[ImageRecord], options: Options
) -> dict[str, float]:
    """Return the share to draw of each split that the source does not give."""
    given = {record.split for record in records} - {None}
    for split in options.shares:
        if split in given:
            raise UsageError(
                f"{place} gives the {split} split itself, so no share can be drawn.",
                hint=f"Remove --{split}, or make those images train ones.",
            )
    if given and "train" not in given:
        splits = " and ".join(sorted(map(str, given)))
        raise DatasetError(f"{place} holds {splits}, but no train folder.")
    shares = default_shares(given) | options.shares
    shares = {split: share for split, share in shares.items() if split not in given}
    _check_sum(shares)
    return shares


def default_shares(given: Container[str | None]) -> dict[str, float]:
    """Return the shares that are drawn where none were asked for."""
    return {"val": VAL, "test": 0.0 if "val" in given else TEST}


def _check_sum(shares: dict[str, float]) -> None:
    if sum(shares.values()) >= 1:
        terms = " + ".join(map(str, shares.values()))
        raise UsageError(
            f"{' and '.join(shares)} leave nothing for train: {terms} must be < 1.",
            hint="Lower --val or --test.",
        )
