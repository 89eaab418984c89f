"""Members of a split and the copies among them in, what should not be out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tlkit.dataset.check.members import UNSPLIT, Member
from tlkit.dataset.duplicates.find import Components, Pair
from tlkit.dataset.duplicates.rotated import inverse
from tlkit.dataset.manifest import SPLITS

COPIES = ("exact", "near", "turned")
# What is learned from comes before what is judged by.
ORDER = (UNSPLIT, *SPLITS)


@dataclass(frozen=True)
class Finding:
    """Something that should not be, a line of the report.

    Attributes:
        kind: One of COPIES for a copy on another side; "group", "conflict", "missing",
            "unreadable" or "changed".
        file: What it is about.
        side: Where that is.
        label: Its label, where known.
        twin: The other image; "" for none.
        twin_side: Where that is.
        twin_label: Its label, where known.
        distance: Bits in which their hashes differ; None where none were compared.
        detail: What was done to the twin to get this one, or what was found.
    """

    kind: str
    file: str
    side: str = ""
    label: str = ""
    twin: str = ""
    twin_side: str = ""
    twin_label: str = ""
    distance: float | None = None
    detail: str = ""


def rank(side: str) -> int:
    """Where a side stands: a copy is told of the one that stands later."""
    return ORDER.index(side) if side in ORDER else len(ORDER)


class Copies:
    """Who is a copy of whom.

    Args:
        members: With the number of the image of each.
        pairs: The copies among these images.
    """

    def __init__(
        self, members: Sequence[tuple[Member, int]], pairs: Sequence[Pair]
    ) -> None:
        self.members = members
        self.exact = Components(pair for pair in pairs if pair.kind == "exact")
        self.same = Components(pair for pair in pairs if pair.same)
        # A search leaves out pairs that follow from others.
        self.chains = (
            (self.same, "near"),
            (Components(p for p in pairs if p.same or p.kind == "turned"), "turned"),
        )
        self.links: dict[int, list[Pair]] = defaultdict(list)
        for pair in sorted(pairs, key=lambda p: (COPIES.index(p.kind), p.distance)):
            if pair.kind != "exact":
                self.links[pair.first].append(pair)
                self.links[pair.second].append(pair)
        self.by_image = self._by_side(self.exact)
        self.by_chain = [self._by_side(chain) for chain, _ in self.chains]

    def across(self) -> Iterator[Finding]:
        """Each image that has a copy on an earlier side, once for each such side."""
        sides = sorted({member.side for member, _ in self.members}, key=rank)
        for member, index in self.members:
            for side in sides:
                if rank(side) < rank(member.side):
                    found = self._twin(member, index, side)
                    if found is not None:
                        yield found

    def conflicts(self) -> Iterator[Finding]:
        """Each image that is there under another label, too."""
        labeled: dict[int, dict[str, Member]] = defaultdict(dict)
        for member, index in self.members:
            if member.label:
                labeled[self.same[index]].setdefault(member.label, member)
        for member, index in self.members:
            others = labeled[self.same[index]] if member.label else {}
            twin = next(
                (m for label, m in others.items() if label != member.label), None
            )
            if twin is not None:
                yield _finding("conflict", member, twin)

    def _by_side(self, components: Components) -> Mapping[int, Mapping[str, Member]]:
        table: dict[int, dict[str, Member]] = defaultdict(dict)
        for member, index in self.members:
            table[components[index]].setdefault(member.side, member)
        return table

    def _twin(self, member: Member, index: int, side: str) -> Finding | None:
        own = self.exact[index]
        if twin := self.by_image[own].get(side):
            return _finding("exact", member, twin, 0)
        for pair in self.links.get(own, ()):
            forward = pair.second == own
            other = pair.first if forward else pair.second
            if twin := self.by_image[other].get(side):
                turn = pair.turn if forward else inverse(pair.turn)
                return _finding(pair.kind, member, twin, pair.distance, turn)
        for (chain, kind), table in zip(self.chains, self.by_chain, strict=True):
            if twin := table[chain[index]].get(side):
                return _finding(kind, member, twin)
        return None


def parted_groups(members: Iterable[Member]) -> Iterator[Finding]:
    """Groups that are on several sides."""
    groups: dict[str, dict[str, Member]] = defaultdict(dict)
    for member in members:
        if member.group:
            groups[member.group].setdefault(member.side, member)
    for group, sides in groups.items():
        first, *others = sorted(sides.values(), key=lambda member: rank(member.side))
        for other in others:
            yield _finding("group", other, first, detail=f"group {group}")


def _finding(
    kind: str,
    member: Member,
    twin: Member,
    distance: float | None = None,
    detail: str = "",
) -> Finding:
    return Finding(
        kind,
        member.file,
        member.side,
        member.label,
        twin.file,
        twin.side,
        twin.label,
        distance,
        detail,
    )
