"""Examples in, a table of how many each class has on each side out."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from tlkit.dataset.manifest import SPLITS
from tlkit.dataset.output.write import Prepared
from tlkit.reports.html import name, node

MOST_ROWS = 200


def classes(prepared: Prepared) -> Element:
    """The table of classes and sides."""
    sides = [s for s in SPLITS if any(e.split == s for e in prepared.examples)]
    rows = {
        label: [prepared.numbers[label, side] for side in sides]
        for label in prepared.labels
    }
    most = max(sum(row) for row in rows.values())
    shown = list(rows.items())[:MOST_ROWS]
    head = [_column(text, *sides) for text in ("Class", *sides, "all")]
    body = [_row(label, row, sides, most) for label, row in shown]
    totals = [sum(e.split == side for e in prepared.examples) for side in sides]
    total = [node("td", f"{n:,}") for n in (*totals, len(prepared.examples))]
    hidden = len(rows) - len(shown)
    return node(
        "section",
        node("h2", "Classes"),
        node(
            "table",
            node("thead", node("tr", head)),
            node("tbody", body),
            node("tfoot", node("tr", node("th", "all", scope="row"), total)),
        ),
        node("p", f"... and {hidden:,} more classes in labels.txt") if hidden else None,
        node("p", "An image of several classes counts for each of them.")
        if prepared.options.labeling.multi_label
        else None,
        id="classes",
    )


def _column(text: str, *sides: str) -> Element:
    key = node("span", class_=f"dot {text}", aria_hidden="true")
    return node("th", key if text in sides else None, text, scope="col")


def _row(label: str, row: Sequence[int], sides: Sequence[str], most: int) -> Element:
    parts = [
        node("span", class_=side, style=f"width:{100 * count / most:.2f}%")
        for side, count in zip(sides, row, strict=True)
        if count
    ]
    bar = node("div", parts, class_="bar", aria_hidden="true")
    cells = [node("td", f"{count:,}") for count in (*row, sum(row))]
    return node("tr", node("th", name(label), bar, scope="row"), cells)
