"""Something labelled: what may become an example."""

from __future__ import annotations

from dataclasses import dataclass

from tlkit.dataset.facts import Facts
from tlkit.dataset.sources.page import natural_key

# Between the labels of one example in manifest.csv.
BETWEEN = "|"

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Candidate:
    """Something labelled, its picture decoded, its box within the picture.

    Attributes:
        facts: Of its picture.
        labels: One, or several in natural order.
        split: The side it was given, None for none.
        box: The part of the picture; None for the whole.
        shape: What was drawn, as JSON; "" where nothing was.
        annotation: Path of the annotation file; "" where folders tell the label.
        shown: The file that the user would look at.
        group: Pictures of one group are not parted; "" for none.
        earlier: The side it was on when its data set was prepared before, if it was.
    """

    facts: Facts
    labels: tuple[str, ...]
    split: str | None = None
    box: Box | None = None
    shape: str = ""
    annotation: str = ""
    shown: str = ""
    group: str = ""
    earlier: str | None = None

    @property
    def side(self) -> str | None:
        """The side that it should stay on, None for whichever comes."""
        return self.earlier or self.split

    @property
    def path(self) -> str:
        """Of its picture, relative to the source root."""
        return self.facts.path

    @property
    def label(self) -> str:
        """Its labels in one text."""
        return BETWEEN.join(self.labels)

    @property
    def key(self) -> tuple[object, ...]:
        """What candidates are sorted by, whatever order they were found in."""
        return natural_key(self.path), self.box or (), self.labels, self.shape


def overlap(one: Candidate, other: Candidate) -> float:
    """Compare the places of two examples, as shares of their pictures.

    Args:
        one: An example.
        other: An example; its picture may be of another size.

    Returns:
        The area they have in common as a share of that of both, 1 for whole pictures.
    """
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
