"""Pairs of copies in, decisions out: what stays, what goes, and who shares a group.

    same image, same label, same side   kept once, the first in natural order
    same image, two labels              a conflict: all go, unless asked not to
    same, near or turned,                 a leak: test stays before val before train
        across settled sides
    near, turned, similar, or             all stay and share a group
        to be kept together
    similar, across settled sides         all stay; told of

Sides are settled where the source gives a split, or an earlier data set had one. What
has none goes where its copies are; a new image like two that are settled on different
sides is left out, rather than one of them.

For boxes, "same" asks for the same place in the image as well; what leaks is the
whole image with all of its boxes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tlkit.dataset.duplicates.find import Components, Pair
from tlkit.dataset.duplicates.precedence import between, join, worth_of
from tlkit.dataset.duplicates.rotated import inverse
from tlkit.dataset.inspection.image_info import ImageInfo
from tlkit.dataset.records import Rejected
from tlkit.dataset.splitting.examples import Candidate, overlap

# Two boxes that share this much of their union are drawn around the same thing.
SAME_PLACE = 0.8
GROUP_DIGITS = 12


@dataclass(frozen=True)
class DuplicateRow:
    """A line of duplicates.csv.

    Attributes:
        group: As in the manifest, where anything of it is kept.
        file: The image.
        label: Its label.
        kind: "exact", "near", "turned", "similar", "conflict" or "leak".
        distance: Bits in which its hash and that of the twin differ, of similar ones
            1 - cosine; None where they are related through a third only.
        action: What was done.
        twin: The other image.
        turn: What was done to the twin to get this image, one of turned.TURNS; ""
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
class DedupResult:
    """What came of the copies.

    Attributes:
        kept: Candidates with the group of each.
        rejected: What goes, with the reason "duplicate", "conflict" or "leak".
        copies: Everything that is a copy of something, whatever was done.
    """

    kept: list[tuple[Candidate, str]] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    copies: list[DuplicateRow] = field(default_factory=list)


class Decisions:
    """Takes candidates out step by step; `alive` are those left."""

    def __init__(
        self,
        candidates: Iterable[Candidate],
        info: Sequence[ImageInfo],
        pairs: Sequence[Pair],
    ) -> None:
        self.info = info
        self.alive = sorted(candidates, key=lambda candidate: candidate.key)
        self.outcome = DedupResult()
        self.index = {fact.path: i for i, fact in enumerate(info)}
        self.exact = Components(pair for pair in pairs if pair.kind == "exact")
        self.same = Components(pair for pair in pairs if pair.same)
        self.near = [pair for pair in pairs if pair.kind in {"near", "turned"}]
        self.similar = [pair for pair in pairs if pair.kind == "similar"]
        self.pairs = {
            frozenset((pair.first, pair.second)): pair
            for pair in (*self.near, *self.similar)
        }

    def classes(self, components: Components) -> dict[int, list[Candidate]]:
        """Sort the candidates that are left by the image they show."""
        table = defaultdict(list)
        for candidate in self.alive:
            table[components[self.index[candidate.path]]].append(candidate)
        return table

    def conflicts(self, keep: bool) -> None:
        """Take out what is there under two labels."""
        action = "kept" if keep else "left out"
        found = {}
        for members in self.classes(self.same).values():
            if len({member.labels for member in members}) < 2:
                continue
            for one in members:
                for other in members:
                    differ = one.labels != other.labels
                    if differ and overlap(one, other) >= SAME_PLACE:
                        found[id(one)] = other
                        self._note(one, other, "conflict", action)
                        break
        if not keep:
            self._take_out(found, "conflict", "also here as {label}: {file}")

    def leaks(self) -> None:
        """Take out what has a copy on a higher side than its own."""
        classes = self.classes(self.same)
        worth = {root: max(map(worth_of, own)) for root, own in classes.items()}
        best = {root: max(own, key=worth_of) for root, own in classes.items()}
        found = {
            id(member): best[root]
            for root, members in classes.items()
            for member in members
            if 0 < worth_of(member) < worth[root]
        }
        links = self._links(classes) | self._asked_together(classes)
        joined = join(worth, links)
        gone: set[int] = set()
        # From the highest side down: what has gone itself takes nothing with it.
        for link in sorted(
            links, key=lambda link: (-max(worth[r] for r in link), link)
        ):
            low, high = sorted(link, key=worth.__getitem__)
            if worth[low] == worth[high] or {low, high} & gone:
                continue
            if high in joined and low not in joined:
                low, high = high, low
            gone.add(low)
            found |= {id(member): best[high] for member in classes[low]}
        for candidate in self.alive:
            other = found.get(id(candidate), candidate)
            if other is not candidate:
                side = candidate.side
                done = f"removed from {side}" if side else "removed, as new"
                self._note(candidate, other, "leak", done)
                kept = f"kept in {other.side}" if other.side else "kept"
                self._note(other, candidate, "leak", kept)
        self._take_out(found, "leak", "a copy is in {split}: {file}")

    def duplicates(self) -> None:
        """Take out what is there twice, with the same label, on the same side."""
        found: dict[int, Candidate] = {}
        copied: set[int] = set()
        for members in self.classes(self.exact).values():
            kept: list[Candidate] = []
            # What an earlier data set had comes before what is new.
            for one in sorted(members, key=lambda member: member.earlier is None):
                twins = [k for k in kept if k.labels == one.labels]
                twin = next((k for k in twins if overlap(one, k) >= SAME_PLACE), None)
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
        copies, together = Components(), Components()
        for link in self._links(classes):
            copies.join(*link)
            together.join(*link)
        for link in self._asked_together(classes):
            together.join(*link)
        self._join_similar(classes, copies, together)
        leads = {
            root: self.info[self.index[members[0].path]].sha256[:GROUP_DIGITS]
            for root, members in classes.items()
        }
        images: dict[str, dict[str, Candidate]] = defaultdict(dict)
        for root, members in classes.items():
            group, alike = leads[together[root]], leads[copies[root]]
            for member in members:
                self.outcome.kept.append((member, group))
                images[alike].setdefault(member.path, member)
        self._note_near(images)
        named = {c.path: group for c, group in self.outcome.kept}
        self.outcome.copies = [
            replace(
                copy, group=named.get(copy.file) or named.get(copy.twin, copy.group)
            )
            for copy in dict.fromkeys(self.outcome.copies)
        ]

    def _join_similar(
        self,
        classes: Mapping[int, Sequence[Candidate]],
        copies: Components,
        together: Components,
    ) -> None:
        # the most similar first, as far as no group comes to lie on two sides
        sides: dict[int, str | None] = defaultdict(lambda: None)
        for root, members in classes.items():
            sides[together[root]] = (
                sides[together[root]] or max(members, key=worth_of).side
            )
        for pair in sorted(self.similar, key=_closeness):
            roots = self.same[pair.first], self.same[pair.second]
            if not classes.keys() >= set(roots):
                continue
            settled = {sides[together[root]] for root in roots} - {None}
            if len(settled) < 2:
                copies.join(*roots)
                together.join(*roots)
                sides[together[roots[0]]] = next(iter(settled), None)
            else:
                one, other = (classes[root][0] for root in roots)
                self._note(one, other, "similar", "left apart")
                self._note(other, one, "similar", "left apart")

    def _links(self, classes: Mapping[int, object]) -> set[tuple[int, int]]:
        # near pairs between images that are left, by their representatives
        roots = [(self.same[p.first], self.same[p.second]) for p in self.near]
        return between(classes, roots)

    def _asked_together(self, classes: Mapping[int, object]) -> set[tuple[int, int]]:
        # each image with the one of its group that is worth most, likewise
        together: dict[str, list[Candidate]] = defaultdict(list)
        for candidate in self.alive:
            if candidate.group:
                together[candidate.group].append(candidate)
        roots = [
            (self._root(max(members, key=worth_of)), self._root(member))
            for members in together.values()
            for member in members
        ]
        return between(classes, roots)

    def _root(self, candidate: Candidate) -> int:
        return self.same[self.index[candidate.path]]

    def _note_near(self, images: Mapping[str, Mapping[str, Candidate]]) -> None:
        # each image of a group with the nearest other one, as far as that is known
        group = {path: name for name, members in images.items() for path in members}
        nearest: dict[str, tuple[str, str]] = {}
        for pair in sorted(self.pairs.values(), key=_closeness):
            one, other = self.info[pair.first].path, self.info[pair.second].path
            if group.get(one) == group.get(other):
                nearest.setdefault(one, (other, pair.kind))
                nearest.setdefault(other, (one, pair.kind))
        for members in images.values():
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
        line = DuplicateRow(
            group=self.info[self._root(one)].sha256[:GROUP_DIGITS],
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
                    file=other.shown,
                    label=other.label,
                    split=other.side or "another side",
                )
                if candidate.box is None:
                    detail = f"{detail[0].upper()}{detail[1:]}"
                else:
                    detail = f"{candidate.label} at {candidate.box}: {detail}"
                rejection = Rejected(candidate.shown, reason, f"{detail}.")
                self.outcome.rejected.append(rejection)
        self.alive = [c for c in self.alive if id(c) not in found]


def decide(
    candidates: Iterable[Candidate],
    info: Sequence[ImageInfo],
    pairs: Sequence[Pair],
    *,
    keep_conflicts: bool,
) -> DedupResult:
    """Decide what becomes of copies."""
    decisions = Decisions(candidates, info, pairs)
    decisions.conflicts(keep_conflicts)
    decisions.leaks()
    decisions.duplicates()
    decisions.groups()
    return decisions.outcome


def _closeness(pair: Pair) -> tuple[bool, bool, float]:
    return pair.kind == "similar", pair.kind == "turned", pair.distance
