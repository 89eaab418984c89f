"""Decisions about duplicates: what stays, what goes, and who shares a group.

    same image, same label, same split     kept once, the first in natural order
    same image, two labels                 a conflict: all go, unless asked not to
    same, near or rotated,                 a leak: test stays before val before train
        across settled splits
    near, rotated, similar, or             all stay and share a group
        to be kept together
    similar, across settled splits         all stay; reported

Splits are settled where the source gives one, or an existing data set has one. A new
image goes where its duplicates are; one that matches two in different settled splits is
left out, rather than one of them.

For boxes, "same" asks for the same place in the image as well; what leaks is the
whole image with all of its boxes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from tlkit.dataset.annotations.shapes import iou_matrix
from tlkit.dataset.duplicates.pairs import Components, DuplicateIndex, Pair
from tlkit.dataset.duplicates.precedence import between, join, precedence
from tlkit.dataset.example import Example
from tlkit.dataset.records import Action, DuplicateRow, ImageInfo, Kind, Rejected

# Two boxes that share this much of their union are drawn around the same object.
SAME_PLACE = 0.8
GROUP_DIGITS = 12


@dataclass
class DedupResult:
    """The examples that stay, with their groups, and what was done about the others."""

    examples: list[Example] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    rows: list[DuplicateRow] = field(default_factory=list)


def resolve(
    examples: Iterable[Example],
    info: Sequence[ImageInfo],
    pairs: Sequence[Pair],
    *,
    keep_conflicts: bool,
) -> DedupResult:
    """Decide about the duplicates among examples; `pairs` number the images of info."""
    resolver = Resolver(examples, info, pairs)
    resolver.conflicts(keep=keep_conflicts)
    resolver.leaks()
    resolver.duplicates()
    resolver.groups()
    return resolver.result


class Resolver:
    """Takes examples out step by step; `left` are those that are left."""

    def __init__(
        self,
        examples: Iterable[Example],
        info: Sequence[ImageInfo],
        pairs: Sequence[Pair],
    ) -> None:
        self.left = sorted(examples, key=lambda example: example.key)
        self.result = DedupResult()
        self.index = DuplicateIndex(pairs)
        self.number = {one.path: i for i, one in enumerate(info)}
        self.names = [one.sha256[:GROUP_DIGITS] for one in info]
        self.paths = [one.path for one in info]

    def images(self, components: Components) -> dict[int, list[Example]]:
        """Sort the examples that are left by the image they show."""
        table = defaultdict(list)
        for example in self.left:
            table[components[self.number[example.path]]].append(example)
        return table

    def conflicts(self, *, keep: bool) -> None:
        """Take out what is there under two labels."""
        action = Action.KEPT if keep else Action.LEFT_OUT
        found = {}
        for own in self.images(self.index.same).values():
            if len({example.labels for example in own}) < 2:
                continue
            labels = _codes(own)
            for i, same in enumerate(_same_places(own)):
                others = np.flatnonzero(same & (labels != labels[i]))
                if others.size:
                    found[id(own[i])] = other = own[others[0]]
                    self._note(own[i], other, Kind.CONFLICT, action)
        if not keep:
            self._take_out(found, "conflict", "also here as {label}: {file}")

    def leaks(self) -> None:
        """Take out what has a duplicate in a split that precedes its own."""
        images = self.images(self.index.same)
        best = {root: max(own, key=precedence) for root, own in images.items()}
        ranks = {root: precedence(example) for root, example in best.items()}
        found = {
            id(example): best[root]
            for root, own in images.items()
            for example in own
            if 0 < precedence(example) < ranks[root]
        }
        links = self._links(images) | self._asked_together(images)
        joined = join(ranks, links)
        gone: set[int] = set()
        # From the highest rank down: what has gone itself takes nothing with it.
        for link in sorted(
            links, key=lambda link: (-max(ranks[r] for r in link), link)
        ):
            low, high = sorted(link, key=ranks.__getitem__)
            if ranks[low] == ranks[high] or {low, high} & gone:
                continue
            if high in joined and low not in joined:
                low, high = high, low
            gone.add(low)
            found |= {id(example): best[high] for example in images[low]}
        for example in self.left:
            other = found.get(id(example), example)
            if other is not example:
                self._note(example, other, Kind.LEAK, Action.REMOVED)
                self._note(other, example, Kind.LEAK, Action.KEPT)
        self._take_out(found, "leak", "a duplicate is in {split}: {file}")

    def duplicates(self) -> None:
        """Take out what is there twice, with the same label, in the same split."""
        found: dict[int, Example] = {}
        matched: set[int] = set()
        for own in self.images(self.index.exact).values():
            # What the existing data set has comes before what is new.
            if len(own) < 2:
                continue
            own.sort(key=lambda example: not example.existing)
            labels = _codes(own)
            kept = np.zeros(len(own), bool)
            for i, same in enumerate(_same_places(own)):
                earlier = np.flatnonzero(same & kept & (labels == labels[i]))
                if not earlier.size:
                    kept[i] = True
                    continue
                first, one = own[earlier[0]], own[i]
                if id(first) not in matched:
                    matched.add(id(first))
                    self._note(first, one, Kind.EXACT, Action.KEPT)
                found[id(one)] = first
                self._note(one, first, Kind.EXACT, Action.DROPPED)
        self._take_out(found, "duplicate", "an exact duplicate of {file}")

    def groups(self) -> None:
        """Give every example that is left the group of its duplicates."""
        images = self.images(self.index.same)
        alike = Components()  # by what they show
        together = Components()  # and by what was asked for
        for link in self._links(images):
            alike.join(*link)
            together.join(*link)
        for link in self._asked_together(images):
            together.join(*link)
        self._join_similar(images, alike, together)
        names = {
            root: self.names[self.number[own[0].path]] for root, own in images.items()
        }
        shown: dict[str, dict[str, Example]] = defaultdict(dict)
        for root, own in images.items():
            group = names[together[root]]
            self.result.examples += [replace(example, group=group) for example in own]
            for example in own:
                shown[names[alike[root]]].setdefault(example.path, example)
        self._note_grouped(shown)
        group_of = {example.path: example.group for example in self.result.examples}
        self.result.rows = [
            replace(
                row, group=group_of.get(row.file) or group_of.get(row.match, row.group)
            )
            for row in dict.fromkeys(self.result.rows)
        ]

    def _join_similar(
        self,
        images: Mapping[int, Sequence[Example]],
        alike: Components,
        together: Components,
    ) -> None:
        # The most similar first, as far as no group comes to lie in two splits.
        splits: dict[int, str] = defaultdict(str)
        for root, own in images.items():
            best = max(own, key=precedence)
            splits[together[root]] = splits[together[root]] or best.split
        for pair in self.index.found:
            roots = self.index.same[pair.first], self.index.same[pair.second]
            if pair.kind != Kind.SIMILAR or not images.keys() >= set(roots):
                continue
            settled = {splits[together[root]] for root in roots} - {""}
            if len(settled) < 2:
                alike.join(*roots)
                together.join(*roots)
                splits[together[roots[0]]] = next(iter(settled), "")
            else:
                one, other = (images[root][0] for root in roots)
                self._note(one, other, Kind.SIMILAR, Action.LEFT_APART)
                self._note(other, one, Kind.SIMILAR, Action.LEFT_APART)

    def _links(self, images: Mapping[int, object]) -> set[tuple[int, int]]:
        """Return the near pairs between images that are left."""
        same = self.index.same
        near = (pair for pair in self.index.found if pair.kind != Kind.SIMILAR)
        return between(images, ((same[p.first], same[p.second]) for p in near))

    def _asked_together(self, images: Mapping[int, object]) -> set[tuple[int, int]]:
        """Pair each image with the one of its requested group that precedes all."""
        together: dict[str, list[Example]] = defaultdict(list)
        for example in self.left:
            if example.group:
                together[example.group].append(example)
        roots = (
            (self._root(max(own, key=precedence)), self._root(example))
            for own in together.values()
            for example in own
        )
        return between(images, roots)

    def _root(self, example: Example) -> int:
        return self.index.same[self.number[example.path]]

    def _note_grouped(self, shown: Mapping[str, Mapping[str, Example]]) -> None:
        """Note each image of a group with the nearest other one that is known."""
        name = {path: group for group, own in shown.items() for path in own}
        nearest: dict[str, tuple[str, str]] = {}
        for pair in self.index.found:
            one, other = self.paths[pair.first], self.paths[pair.second]
            if name.get(one) == name.get(other):
                nearest.setdefault(one, (other, pair.kind))
                nearest.setdefault(other, (one, pair.kind))
        exact = self.index.exact
        for own in shown.values():
            first, *others = own
            for path, example in own.items() if others else ():
                default = others[0] if path == first else first
                closest, kind = nearest.get(path, (default, Kind.NEAR))
                if exact[self.number[path]] == exact[self.number[closest]]:
                    kind = Kind.EXACT
                self._note(example, own[closest], kind, Action.GROUPED)

    def _note(self, one: Example, match: Example, kind: str, action: str) -> None:
        numbers = self.number[one.path], self.number[match.path]
        distance, transform = self.index.relation(*numbers)
        row = DuplicateRow(
            kind=kind,
            file=one.path,
            split=one.split,
            label=one.label,
            match=match.path,
            match_split=match.split,
            match_label=match.label,
            distance=distance,
            transform=transform,
            group=self.names[self._root(one)],
            action=action,
        )
        self.result.rows.append(row)

    def _take_out(self, found: dict[int, Example], reason: str, wording: str) -> None:
        for example in self.left:
            if (other := found.get(id(example))) is None:
                continue
            split = other.split or "another split"
            text = wording.format(file=other.shown, label=other.label, split=split)
            if example.box is None:
                text = f"{text[0].upper()}{text[1:]}"
            else:
                text = f"{example.label} at {example.box}: {text}"
            self.result.rejected.append(Rejected(example.shown, reason, f"{text}."))
        self.left = [example for example in self.left if id(example) not in found]


def _codes(examples: Sequence[Example]) -> np.ndarray:
    """Number the labels of examples, int [N]."""
    numbers: dict[tuple[str, ...], int] = {}
    codes = [numbers.setdefault(e.labels, len(numbers)) for e in examples]
    return np.array(codes)


def _same_places(examples: Sequence[Example]) -> Iterator[np.ndarray]:
    """Yield for each example a mask of those at the same place in the image."""
    boxes = np.array([e.box or (0, 0, e.width, e.height) for e in examples], float)
    boxes /= np.array([(e.width, e.height) * 2 for e in examples])
    # A row at a time: a matrix of ten thousand objects would take 800 MB.
    for box in boxes:
        yield iou_matrix(box, boxes)[0] >= SAME_PLACE
