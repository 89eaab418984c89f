"""Pairs of copies in, decisions out: what stays, what goes, and who shares a group.

    same picture, same label, same side   kept once, the first in natural order
    same picture, two labels              a conflict: all go, unless asked not to
    same, near or turned, across a        a leak: test stays before val before train
    given split
    near or turned, same side             all stay and share a group
    similar by features, same side        all stay and share a group
    similar, across a given split         all stay; told of

For boxes, "same" asks for the same place in the picture as well; what leaks is the
whole picture with all of its boxes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tlkit.dataset.duplicates import Components, Pair
from tlkit.dataset.facts import Facts
from tlkit.dataset.labelling import Candidate
from tlkit.dataset.sources.page import Rejection
from tlkit.dataset.turned import inverse

# Sides by what they are worth: a copy goes from the lower one.
WORTH = {None: 0, "train": 1, "val": 2, "test": 3}
# Two boxes that share this much of their union are drawn around the same thing.
SAME_PLACE = 0.8
GROUP_DIGITS = 12


@dataclass(frozen=True)
class Copy:
    """A line of duplicates.csv.

    Attributes:
        group: As in the manifest, where anything of it is kept.
        file: The picture.
        label: Its label.
        kind: "exact", "near", "turned", "similar", "conflict" or "leak".
        distance: Bits in which its hash and that of the twin differ, of similar ones
            1 - cosine; None where they are related through a third only.
        action: What was done.
        twin: The other picture.
        turn: What was done to the twin to get this picture, one of turned.TURNS; ""
            for nothing.
    """

    group: str
    file: str
    label: str
    kind: str
    distance: float | None
    action: str
    twin: str
    turn: str = ""


@dataclass
class Outcome:
    """What came of the copies.

    Attributes:
        kept: Candidates with the group of each.
        rejected: What goes, with the reason "duplicate", "conflict" or "leak".
        copies: Everything that is a copy of something, whatever was done.
    """

    kept: list[tuple[Candidate, str]] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)
    copies: list[Copy] = field(default_factory=list)


class Decisions:
    """Takes candidates out step by step; `alive` are those left."""

    def __init__(
        self,
        candidates: Iterable[Candidate],
        facts: Sequence[Facts],
        pairs: Sequence[Pair],
    ) -> None:
        self.facts = facts
        self.alive = sorted(candidates, key=lambda candidate: candidate.key)
        self.outcome = Outcome()
        self.index = {fact.path: i for i, fact in enumerate(facts)}
        self.exact = Components(pair for pair in pairs if pair.kind == "exact")
        self.same = Components(pair for pair in pairs if pair.same)
        self.near = [pair for pair in pairs if pair.kind in {"near", "turned"}]
        self.similar = [pair for pair in pairs if pair.kind == "similar"]
        self.pairs = {
            frozenset((pair.first, pair.second)): pair
            for pair in (*self.near, *self.similar)
        }

    def classes(self, components: Components) -> dict[int, list[Candidate]]:
        """Sort the candidates that are left by the picture they show.

        Args:
            components: What counts as the same picture.

        Returns:
            Candidates by the representative of their picture.
        """
        table = defaultdict(list)
        for candidate in self.alive:
            table[components[self.index[candidate.path]]].append(candidate)
        return table

    def conflicts(self, keep: bool) -> None:
        """Take out what is there under two labels.

        Args:
            keep: Report it only.
        """
        action = "kept" if keep else "left out"
        found = {}
        for members in self.classes(self.same).values():
            if len({member.labels for member in members}) < 2:
                continue
            for one in members:
                for other in members:
                    differ = one.labels != other.labels
                    if differ and _overlap(one, other) >= SAME_PLACE:
                        found[id(one)] = other
                        self._note(one, other, "conflict", action)
                        break
        if not keep:
            self._take_out(found, "conflict", "also here as {label}: {file}")

    def leaks(self) -> None:
        """Take from the lower side of a given split what has a copy on a higher one."""
        classes = self.classes(self.same)
        found: dict[int, Candidate] = {}
        worth = {}
        for root, members in classes.items():
            best = max(members, key=_worth)
            worth[root] = _worth(best)
            found |= {id(m): best for m in members if _worth(m) < worth[root]}
        gone: set[int] = set()
        links = self._links(self.near, classes)
        # From the highest side down: what has gone itself takes nothing with it.
        for link in sorted(
            links, key=lambda link: (-max(worth[r] for r in link), link)
        ):
            low, high = sorted(link, key=worth.__getitem__)
            if worth[low] < worth[high] and not {low, high} & gone:
                gone.add(low)
                best = max(classes[high], key=_worth)
                found |= {id(member): best for member in classes[low]}
        for candidate in self.alive:
            best = found.get(id(candidate), candidate)
            if best is not candidate:
                side = candidate.split
                self._note(candidate, best, "leak", f"removed from {side}")
                self._note(best, candidate, "leak", f"kept in {best.split}")
        self._take_out(found, "leak", "a copy is in {split}: {file}")

    def duplicates(self) -> None:
        """Take out what is there twice, with the same label, on the same side."""
        found: dict[int, Candidate] = {}
        copied: set[int] = set()
        for members in self.classes(self.exact).values():
            kept: list[Candidate] = []
            for one in members:
                twins = [k for k in kept if k.labels == one.labels]
                twin = next((k for k in twins if _overlap(one, k) >= SAME_PLACE), None)
                if twin is None:
                    kept.append(one)
                    continue
                if id(twin) not in copied:
                    copied.add(id(twin))
                    self._note(twin, one, "exact", "kept")
                found[id(one)] = twin
                self._note(one, twin, "exact", "dropped")
        self._take_out(found, "duplicate", "a copy of {file}")

    def groups(self) -> None:
        """Give every candidate that is left the group of its copies."""
        classes = self.classes(self.same)
        together = Components()
        for link in self._links(self.near, classes):
            together.join(*link)
        for link in self._links(self.similar, classes):
            one, other = (classes[root][0] for root in link)
            if one.split == other.split:
                together.join(*link)
            else:
                self._note(one, other, "similar", "left apart")
                self._note(other, one, "similar", "left apart")
        leads = {
            root: self.facts[self.index[members[0].path]].sha256[:GROUP_DIGITS]
            for root, members in classes.items()
        }
        pictures: dict[str, dict[str, Candidate]] = defaultdict(dict)
        for root, members in classes.items():
            group = leads[together[root]]
            for member in members:
                self.outcome.kept.append((member, group))
                pictures[group].setdefault(member.path, member)
        self._note_near(pictures)
        named = {c.path: group for c, group in self.outcome.kept}
        self.outcome.copies = [
            replace(
                copy, group=named.get(copy.file) or named.get(copy.twin, copy.group)
            )
            for copy in dict.fromkeys(self.outcome.copies)
        ]

    def _links(
        self, pairs: Iterable[Pair], classes: Mapping[int, object]
    ) -> set[tuple[int, int]]:
        # pairs between pictures that are left, by their representatives
        roots = [(self.same[p.first], self.same[p.second]) for p in pairs]
        return {
            (min(pair), max(pair))
            for pair in roots
            if pair[0] != pair[1] and pair[0] in classes and pair[1] in classes
        }

    def _note_near(self, pictures: Mapping[str, Mapping[str, Candidate]]) -> None:
        # each picture of a group with the nearest other one, as far as that is known
        group = {path: name for name, members in pictures.items() for path in members}
        nearest: dict[str, tuple[str, str]] = {}
        for pair in sorted(self.pairs.values(), key=_closeness):
            one, other = self.facts[pair.first].path, self.facts[pair.second].path
            if group.get(one) == group.get(other):
                nearest.setdefault(one, (other, pair.kind))
                nearest.setdefault(other, (one, pair.kind))
        for members in pictures.values():
            first, *others = members
            for path, member in members.items() if others else ():
                default = others[0] if path == first else first
                closest, kind = nearest.get(path, (default, "near"))
                twin = members[closest]
                exact = self._exact_root(member) == self._exact_root(twin)
                self._note(member, twin, "exact" if exact else kind, "grouped")

    def _exact_root(self, candidate: Candidate) -> int:
        return self.exact[self.index[candidate.path]]

    def _note(self, one: Candidate, twin: Candidate, kind: str, action: str) -> None:
        roots = self._exact_root(one), self._exact_root(twin)
        pair = self.pairs.get(frozenset(roots))
        known = 0 if roots[0] == roots[1] else None
        turn = pair.turn if pair else ""
        lead = self.same[self.index[one.path]]
        line = Copy(
            group=self.facts[lead].sha256[:GROUP_DIGITS],
            file=one.path,
            label=one.label,
            kind=kind,
            distance=pair.distance if pair else known,
            action=action,
            twin=twin.path,
            turn=turn if pair and pair.second == roots[0] else inverse(turn),
        )
        self.outcome.copies.append(line)

    def _take_out(self, found: dict[int, Candidate], reason: str, wording: str) -> None:
        for candidate in self.alive:
            other = found.get(id(candidate))
            if other is not None:
                detail = wording.format(
                    file=other.shown, label=other.label, split=other.split
                )
                if candidate.box is not None:
                    detail = f"{candidate.label} at {candidate.box}: {detail}"
                detail = f"{detail[0].upper()}{detail[1:]}."
                rejection = Rejection(candidate.shown, reason, detail)
                self.outcome.rejected.append(rejection)
        self.alive = [c for c in self.alive if id(c) not in found]


def decide(
    candidates: Iterable[Candidate],
    facts: Sequence[Facts],
    pairs: Sequence[Pair],
    *,
    keep_conflicts: bool,
) -> Outcome:
    """Decide what becomes of copies.

    Args:
        candidates: What is labelled; the order has no influence.
        facts: Their pictures, in natural order of their paths.
        pairs: The copies among the pictures.
        keep_conflicts: Keep pictures with two labels.

    Returns:
        What is kept, with groups, and what is not.
    """
    decisions = Decisions(candidates, facts, pairs)
    decisions.conflicts(keep_conflicts)
    decisions.leaks()
    decisions.duplicates()
    decisions.groups()
    return decisions.outcome


def _closeness(pair: Pair) -> tuple[bool, bool, float]:
    return pair.kind == "similar", pair.kind == "turned", pair.distance


def _worth(candidate: Candidate) -> int:
    return WORTH[candidate.split]


def _overlap(one: Candidate, other: Candidate) -> float:
    # 1 for two whole pictures; boxes are compared as shares of their pictures, which
    # may be of different size
    a, b = _share(one), _share(other)
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    common = max(width, 0) * max(height, 0)
    areas = [(x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in (a, b)]
    return common / (sum(areas) - common)


def _share(candidate: Candidate) -> tuple[float, float, float, float]:
    if candidate.box is None:
        return 0, 0, 1, 1
    width, height = candidate.facts.width, candidate.facts.height
    x0, y0, x1, y1 = candidate.box
    return x0 / width, y0 / height, x1 / width, y1 / height
