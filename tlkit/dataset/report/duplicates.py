"""Copies in, each group side by side with what was done about it out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from xml.etree.ElementTree import Element

from tlkit.dataset.duplicates.resolve import DuplicateRow
from tlkit.dataset.output.write import Prepared
from tlkit.dataset.records import natural_key
from tlkit.reports.html import name, node, number
from tlkit.reports.thumbnails import Thumbnails
from tlkit.reports.tiles import grid, tile

# The gravest first: a group is shown as what is the gravest in it.
KINDS = {
    "conflict": "The same image under two labels",
    "leak": "A copy on another side of the split",
    "exact": "Exact copies",
    "near": "Near copies",
    "turned": "Turned or mirrored copies",
    "similar": "Similar images",
}
MOST_GROUPS, MOST_IMAGES = 40, 6


def copies(
    prepared: Prepared, album: Thumbnails, rows: Sequence[DuplicateRow]
) -> Element:
    """The groups of copies."""
    groups: dict[str, list[DuplicateRow]] = defaultdict(list)
    for row in rows:
        groups[row.group].append(row)
    order = list(KINDS)
    ordered = sorted(
        groups.values(),
        key=lambda group: (
            order.index(_kind(group)),
            min(natural_key(row.file) for row in group),
        ),
    )
    readable = {fact.path for fact in prepared.info}
    shown = [_group(group, readable, album) for group in ordered[:MOST_GROUPS]]
    hidden = len(ordered) - len(shown)
    text = (
        f"{number(len(ordered), 'group')} of images that are copies of each other."
        if ordered
        else "No copies were found."
    )
    if not prepared.options.near:
        text += " Only exact ones were looked for."
    more = f"... and {number(hidden, 'group')} more in duplicates.csv"
    return node(
        "section",
        node("h2", "Copies and conflicts"),
        node("p", text),
        node("div", shown, class_="groups"),
        node("p", more) if hidden else None,
        id="copies",
    )


def _kind(group: Sequence[DuplicateRow]) -> str:
    kinds = {row.kind for row in group}
    return next(kind for kind in KINDS if kind in kinds)


def _group(
    group: Sequence[DuplicateRow], readable: set[str], album: Thumbnails
) -> Element:
    files: dict[str, list[DuplicateRow]] = defaultdict(list)
    for row in group:
        files[row.file].append(row)
    tiles = []
    for file, rows in list(files.items())[:MOST_IMAGES]:
        labels = dict.fromkeys(row.label for row in rows if row.label)
        done = dict.fromkeys(_done(row) for row in rows)
        alt = f"{file}: {', '.join(done)}"
        image = album.image(file, None, alt) if file in readable else None
        label = node("span", [[name(text), " "] for text in labels], class_="label")
        tiles.append(tile(image, file, label if labels else None, *done))
    kind = _kind(group)
    hidden = len(files) - len(tiles)
    more = node("p", f"... and {number(hidden, 'image')} more") if hidden else None
    title = node("h3", KINDS[kind], node("span", number(len(files), "image")))
    return node("article", title, grid(tiles), more, class_=f"group {kind}")


def _done(row: DuplicateRow) -> str:
    done = f"{row.turn}, {row.action}" if row.turn else row.action
    if row.kind == "similar":
        apart = f" from {row.twin}" if row.action == "left apart" else ""
        return f"{done}{apart}, cosine {1 - (row.distance or 0):.2f}"
    if row.kind in {"near", "turned"} and row.distance:
        bits = "bit" if row.distance == 1 else "bits"
        return f"{done}, {row.distance} {bits} of 64 apart"
    return done
