"""Leaks between splits: duplicates, groups and conflicts of labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tlkit.dataset.check.read_split import UNSPLIT, SplitImage
from tlkit.dataset.duplicates.pairs import Components, DuplicateIndex, Pair
from tlkit.dataset.example import SPLITS
from tlkit.dataset.records import DuplicateRow, Kind

DUPLICATES = (Kind.EXACT, Kind.NEAR, Kind.ROTATED)
# Images to train on come before images to evaluate on.
ORDER = (UNSPLIT, *SPLITS)


def rank(split: str) -> int:
    """Return the place of a split in ORDER; the later one of two is reported."""
    return ORDER.index(split) if split in ORDER else len(ORDER)


class Leaks:
    """The duplicates of each image in other splits.

    Args:
        images: Images, each with the number of its content in `pairs`.
        pairs: The duplicates among these contents.
    """

    def __init__(
        self, images: Sequence[tuple[SplitImage, int]], pairs: Sequence[Pair]
    ) -> None:
        self.images = images
        self.index = DuplicateIndex(pairs)
        self.by_content = self._by_split(self.index.exact)
        # A search leaves out pairs that follow from others.
        self.chains = [
            (kind, chain, self._by_split(chain))
            for kind, chain in (
                (Kind.NEAR, self.index.same),
                (Kind.ROTATED, self.index.related),
            )
        ]

    def across(self) -> Iterator[DuplicateRow]:
        """Find each image with a duplicate in an earlier split, once per such split."""
        splits = sorted({image.split for image, _ in self.images}, key=rank)
        reported: set[tuple[str, str]] = set()
        for image, index in self.images:
            if (image.file, image.split) in reported:
                continue
            reported.add((image.file, image.split))
            for split in splits:
                if rank(split) < rank(image.split):
                    found = self._match(image, index, split)
                    if found is not None:
                        yield found

    def conflicts(self) -> Iterator[DuplicateRow]:
        """Yield each image that also has another label."""
        labeled: dict[int, dict[str, SplitImage]] = defaultdict(dict)
        for image, index in self.images:
            if image.label:
                labeled[self.index.same[index]].setdefault(image.label, image)
        for image, index in self.images:
            others = labeled[self.index.same[index]] if image.label else {}
            match = next((m for name, m in others.items() if name != image.label), None)
            if match is not None:
                yield _row(Kind.CONFLICT, image, match)

    def _by_split(
        self, components: Components
    ) -> Mapping[int, Mapping[str, SplitImage]]:
        table: dict[int, dict[str, SplitImage]] = defaultdict(dict)
        for image, index in self.images:
            table[components[index]].setdefault(image.split, image)
        return table

    def _match(self, image: SplitImage, number: int, split: str) -> DuplicateRow | None:
        own = self.index.exact[number]
        if match := self.by_content[own].get(split):
            return _row(Kind.EXACT, image, match, distance=0)
        for pair in self.index.matches.get(own, ()):
            other, way = pair.match_of(own)
            if match := self.by_content[other].get(split):
                distance = pair.distance
                return _row(pair.kind, image, match, distance=distance, transform=way)
        for kind, chain, table in self.chains:
            if match := table[chain[number]].get(split):
                return _row(kind, image, match)
        return None


def straddling_groups(images: Iterable[SplitImage]) -> Iterator[DuplicateRow]:
    """Find groups in several splits."""
    groups: dict[str, dict[str, SplitImage]] = defaultdict(dict)
    for image in images:
        if image.group:
            groups[image.group].setdefault(image.split, image)
    for group, splits in groups.items():
        first, *others = sorted(splits.values(), key=lambda image: rank(image.split))
        for other in others:
            yield _row("group", other, first, group=group)


def _row(kind: str, image: SplitImage, match: SplitImage, **rest: Any) -> DuplicateRow:
    own, other = ((i.file, i.split, i.label) for i in (image, match))
    return DuplicateRow(kind, *own, *other, **rest)
