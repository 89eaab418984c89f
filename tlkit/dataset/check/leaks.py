"""Leaks between splits: duplicates, groups and conflicts of labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tlkit.dataset.check.read_split import UNSPLIT, SplitImage
from tlkit.dataset.duplicates.pairs import Components, Pair, inverse
from tlkit.dataset.example import SPLITS

DUPLICATES = ("exact", "near", "rotated")
# Images to train on come before images to evaluate on.
ORDER = (UNSPLIT, *SPLITS)


@dataclass(frozen=True)
class Finding:
    """A line of the report.

    Attributes:
        kind: One of DUPLICATES for a duplicate in another split; "group", "conflict",
            "missing", "unreadable" or "changed".
        file: The image, with its `split` and `label`.
        match: The other image, with its split and label; "" for none.
        distance: Bits in which their hashes differ; None where none were compared.
        detail: How the match was rotated or flipped to get this image, or the fault.
    """

    kind: str
    file: str
    split: str = ""
    label: str = ""
    match: str = ""
    match_split: str = ""
    match_label: str = ""
    distance: float | None = None
    detail: str = ""


def rank(split: str) -> int:
    """Return the place of a split in ORDER; the later one of two is reported."""
    return ORDER.index(split) if split in ORDER else len(ORDER)


class DuplicateIndex:
    """The duplicates of each image.

    Args:
        images: Images, each with the number of its content in `pairs`.
        pairs: The duplicates among these contents.
    """

    def __init__(
        self, images: Sequence[tuple[SplitImage, int]], pairs: Sequence[Pair]
    ) -> None:
        self.images = images
        self.exact = Components(pair for pair in pairs if pair.kind == "exact")
        self.same = Components(pair for pair in pairs if pair.same)
        # A search leaves out pairs that follow from others.
        self.chains = (
            (self.same, "near"),
            (Components(p for p in pairs if p.same or p.kind == "rotated"), "rotated"),
        )
        self.links: dict[int, list[Pair]] = defaultdict(list)
        for pair in sorted(pairs, key=lambda p: (DUPLICATES.index(p.kind), p.distance)):
            if pair.kind != "exact":
                self.links[pair.first].append(pair)
                self.links[pair.second].append(pair)
        self.by_content = self._by_split(self.exact)
        self.by_chain = [self._by_split(chain) for chain, _ in self.chains]

    def across(self) -> Iterator[Finding]:
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

    def conflicts(self) -> Iterator[Finding]:
        """Find each image that is there under another label too."""
        labeled: dict[int, dict[str, SplitImage]] = defaultdict(dict)
        for image, index in self.images:
            if image.label:
                labeled[self.same[index]].setdefault(image.label, image)
        for image, index in self.images:
            others = labeled[self.same[index]] if image.label else {}
            match = next((m for name, m in others.items() if name != image.label), None)
            if match is not None:
                yield _finding("conflict", image, match)

    def _by_split(
        self, components: Components
    ) -> Mapping[int, Mapping[str, SplitImage]]:
        table: dict[int, dict[str, SplitImage]] = defaultdict(dict)
        for image, index in self.images:
            table[components[index]].setdefault(image.split, image)
        return table

    def _match(self, image: SplitImage, index: int, split: str) -> Finding | None:
        own = self.exact[index]
        if match := self.by_content[own].get(split):
            return _finding("exact", image, match, 0)
        for pair in self.links.get(own, ()):
            forward = pair.second == own
            other = pair.first if forward else pair.second
            if match := self.by_content[other].get(split):
                turn = pair.transform if forward else inverse(pair.transform)
                return _finding(pair.kind, image, match, pair.distance, turn)
        for (chain, kind), table in zip(self.chains, self.by_chain, strict=True):
            if match := table[chain[index]].get(split):
                return _finding(kind, image, match)
        return None


def straddling_groups(images: Iterable[SplitImage]) -> Iterator[Finding]:
    """Find groups in several splits."""
    groups: dict[str, dict[str, SplitImage]] = defaultdict(dict)
    for image in images:
        if image.group:
            groups[image.group].setdefault(image.split, image)
    for group, splits in groups.items():
        first, *others = sorted(splits.values(), key=lambda image: rank(image.split))
        for other in others:
            yield _finding("group", other, first, detail=f"group {group}")


def _finding(
    kind: str,
    image: SplitImage,
    match: SplitImage,
    distance: float | None = None,
    detail: str = "",
) -> Finding:
    own, other = ((i.file, i.split, i.label) for i in (image, match))
    return Finding(kind, *own, *other, distance, detail)
