"""Examples in, what each class has out: numbers, sizes, and a sheet of its pictures."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence
from xml.etree.ElementTree import Element

from tlkit.dataset.labelling import BETWEEN
from tlkit.dataset.manifest import SPLITS, Example
from tlkit.dataset.output import Prepared
from tlkit.dataset.quality import size_of
from tlkit.dataset.report.album import Album
from tlkit.dataset.report.charts import bars, histogram
from tlkit.dataset.report.markup import name, node, number
from tlkit.dataset.report.tiles import grid, spread, tile

MOST_ROWS = 200
# Pictures on a sheet, and on all of them: with more than 20 classes each has fewer.
SHEET, SHEETS, LEAST = 24, 480, 4
# With more classes their sheets are folded up, but for the first few.
OPEN, FIRST = 12, 4
SIDES = (32, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096)
SIDE_NAMES = (
    "below 32",
    *(f"{a} - {b - 1}" for a, b in itertools.pairwise(SIDES)),
    "4096 and more",
)
RATIOS = (1 / 4, 1 / 2, 2 / 3, 0.8, 1.25, 1.5, 2, 4)
RATIO_NAMES = (
    "beyond 1:4",
    "1:4 - 1:2",
    "1:2 - 2:3",
    "2:3 - 4:5",
    "about 1:1",
    "5:4 - 3:2",
    "3:2 - 2:1",
    "2:1 - 4:1",
    "4:1 and more",
)


def numbers(prepared: Prepared) -> Element:
    """The table of classes and sides.

    Args:
        prepared: What was prepared.

    Returns:
        A section.
    """
    sides = [s for s in SPLITS if any(e.split == s for e in prepared.examples)]
    rows = {
        label: [prepared.numbers[label, side] for side in sides]
        for label in prepared.labels
    }
    most = max(sum(row) for row in rows.values())
    shown = list(rows.items())[:MOST_ROWS]
    keys = [
        [node("span", class_=f"dot {side}", aria_hidden="true"), side] for side in sides
    ]
    head = node("tr", [node("th", t, scope="col") for t in ("Class", *keys, "all")])
    body = [_row(label, row, sides, most) for label, row in shown]
    totals = [sum(e.split == side for e in prepared.examples) for side in sides]
    total = [node("td", f"{n:,}") for n in (*totals, len(prepared.examples))]
    hidden = len(rows) - len(shown)
    return node(
        "section",
        node("h2", "Classes"),
        node(
            "table",
            node("thead", head),
            node("tbody", body),
            node("tfoot", node("tr", node("th", "all", scope="row"), total)),
        ),
        node("p", f"... and {hidden:,} more classes in labels.txt") if hidden else None,
        node("p", "A picture of several classes counts for each of them.")
        if prepared.options.labelling.multi_label
        else None,
        id="classes",
    )


def _row(label: str, row: Sequence[int], sides: Sequence[str], most: int) -> Element:
    parts = [
        node("span", class_=side, style=f"width:{100 * count / most:.2f}%")
        for side, count in zip(sides, row, strict=True)
        if count
    ]
    bar = node("div", parts, class_="bar", aria_hidden="true")
    cells = [node("td", f"{count:,}") for count in (*row, sum(row))]
    return node("tr", node("th", name(label), bar, scope="row"), cells)


def sizes(prepared: Prepared) -> Element:
    """How large the examples are, and of what course.

    Args:
        prepared: What was prepared.

    Returns:
        A section.
    """
    all_sizes = [size_of(example) for example in prepared.examples]
    short = sorted(min(size) for size in all_sizes)
    charts = (
        bars("Short side, pixels", histogram(short, SIDES, SIDE_NAMES)),
        bars(
            "Width to height",
            histogram((w / h for w, h in all_sizes), RATIOS, RATIO_NAMES),
        ),
    )
    middle = short[len(short) // 2]
    return node(
        "section",
        node("h2", "Sizes"),
        node(
            "p",
            f"The short side has {short[0]:,} to {short[-1]:,} pixels, {middle:,} in "
            "the middle.",
        ),
        node("div", charts, class_="charts"),
        id="sizes",
    )


def sheets(prepared: Prepared, album: Album) -> Element:
    """Some pictures of each class.

    Args:
        prepared: What was prepared.
        album: Where pictures are asked for.

    Returns:
        A section.
    """
    multi = prepared.options.labelling.multi_label
    table: dict[str, list[Example]] = defaultdict(list)
    for example in prepared.examples:
        for label in example.label.split(BETWEEN) if multi else (example.label,):
            table[label].append(example)
    total = len(prepared.labels)
    each = max(LEAST, min(SHEET, SHEETS // total))
    shown = prepared.labels[: SHEETS // each]
    parts = [
        _sheet(label, table[label], each, album, unfolded=total <= OPEN or i < FIRST)
        for i, label in enumerate(shown)
    ]
    hidden = total - len(shown)
    return node(
        "section",
        node("h2", "Contact sheets"),
        node("p", f"Up to {each} pictures of each class, taken evenly from all of it."),
        parts,
        node("p", f"... and {hidden:,} more classes without a sheet")
        if hidden
        else None,
        id="sheets",
    )


def _sheet(
    label: str, examples: Sequence[Example], each: int, album: Album, *, unfolded: bool
) -> Element:
    chosen = spread(examples, each)
    tiles = []
    for example in chosen:
        side = example.split
        alt = f"{example.label}, {side}: {example.path}"
        picture = album.picture(example.path, example.box, alt)
        width, height = size_of(example)
        size = f"{width} x {height}" if example.box else None
        labels = example.label if example.label != label else None
        badge = side if side != "train" else None
        tiles.append(tile(picture, example.path, labels, size, badge=badge))
    of = number(len(examples), "picture")
    told = of if len(chosen) == len(examples) else f"{len(chosen)} of {of}"
    return node(
        "details",
        node("summary", node("h3", name(label)), node("span", told)),
        grid(tiles),
        open=unfolded,
        class_="sheet",
    )
