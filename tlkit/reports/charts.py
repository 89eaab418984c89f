"""Numbers in, bars out, drawn as SVG in the page."""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Iterable, Sequence
from xml.etree.ElementTree import Element

from tlkit.reports.html import node

# In units of the drawing, of which a phone shows one a pixel.
WIDTH, ROW, LEFT, RIGHT = 340, 22, 92, 52


def bars(title: str, rows: Sequence[tuple[str, int]]) -> Element:
    """Lying bars with a number each.

    Args:
        title: What is counted.
        rows: The name of each bar, and its number.

    Returns:
        A figure.
    """
    most = max((number for _, number in rows), default=0) or 1
    room = WIDTH - LEFT - RIGHT
    drawn = []
    for i, (label, count) in enumerate(rows):
        y = i * ROW
        length = round(room * count / most, 1)
        middle = y + ROW / 2 + 4
        drawn += [
            node("text", label, x=LEFT - 8, y=middle, text_anchor="end"),
            node("rect", x=LEFT, y=y + 4, width=length, height=ROW - 8, rx=2),
            node("text", f"{count:,}", x=LEFT + length + 6, y=middle, class_="count"),
        ]
    said = "; ".join(f"{label}: {count}" for label, count in rows)
    height = max(len(rows), 1) * ROW
    drawing = node(
        "svg",
        drawn,
        viewBox=f"0 0 {WIDTH} {height}",
        role="img",
        aria_label=f"{title}. {said}",
    )
    return node("figure", node("figcaption", title), drawing, class_="chart")


def histogram(
    values: Iterable[float], edges: Sequence[float], names: Sequence[str]
) -> list[tuple[str, int]]:
    """Count values by where they lie.

    Args:
        values: What to count.
        edges: Ascending; what equals one belongs above it.
        names: One more than edges.

    Returns:
        Names and numbers, without empty ones at the ends.
    """
    number = Counter(bisect.bisect_right(edges, value) for value in values)
    taken = sorted(number)
    within = range(taken[0], taken[-1] + 1) if taken else range(0)
    return [(names[i], number[i]) for i in within]
