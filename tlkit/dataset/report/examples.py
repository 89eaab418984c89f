"""Examples in, some images of each class side by side out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from xml.etree.ElementTree import Element

from tlkit.dataset.manifest import Example
from tlkit.dataset.output.write import Prepared
from tlkit.dataset.quality.outliers import size_of
from tlkit.dataset.splitting.examples import BETWEEN
from tlkit.reports.html import name, node, number
from tlkit.reports.thumbnails import Thumbnails
from tlkit.reports.tiles import grid, spread, tile

# Images on a sheet, and on all of them: with more than 20 classes each has fewer.
SHEET, SHEETS, LEAST = 24, 480, 4
# With more classes their sheets are folded up, but for the first few.
OPEN, FIRST = 12, 4


def sheets(prepared: Prepared, album: Thumbnails) -> Element:
    """Some images of each class."""
    multi = prepared.options.labeling.multi_label
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
        node("p", f"Up to {each} images of each class, taken evenly from all of it."),
        parts,
        node("p", f"... and {hidden:,} more classes without a sheet")
        if hidden
        else None,
        id="sheets",
    )


def _sheet(
    label: str,
    examples: Sequence[Example],
    each: int,
    album: Thumbnails,
    *,
    unfolded: bool,
) -> Element:
    chosen = spread(examples, each)
    tiles = []
    for example in chosen:
        side = example.split
        alt = f"{example.label}, {side}: {example.path}"
        image = album.image(example.path, example.box, alt)
        width, height = size_of(example)
        size = f"{width} x {height}" if example.box else None
        labels = None if example.label == label else example.label.split(BETWEEN)
        badge = side if side != "train" else None
        tiles.append(
            tile(image, example.path, labels and ", ".join(labels), size, badge=badge)
        )
    of = number(len(examples), "crop" if examples[0].box else "image")
    told = of if len(chosen) == len(examples) else f"{len(chosen)} of {of}"
    return node(
        "details",
        node("summary", node("h3", name(label)), node("span", told)),
        grid(tiles),
        open=unfolded,
        class_="sheet",
    )
