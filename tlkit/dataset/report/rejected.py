"""What is not used in, grouped by why out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from xml.etree.ElementTree import Element

from tlkit.dataset.formats import Rejected
from tlkit.dataset.output.write import Prepared
from tlkit.reports.html import name, node
from tlkit.reports.thumbnails import Thumbnails
from tlkit.reports.tiles import grid, tile

# What the words of rejected.csv mean; those left out say it themselves.
MEANINGS = {
    "duplicate": "A copy of an image that is used",
    "conflict": "The same image under two labels",
    "leak": "A copy is on another side of the split",
    "truncated": "Cut off",
    "not-an-image": "No image",
    "no-label": "Without a label",
    "unlabeled": "No annotation leads to it",
    "several-labels": "Several labels, where one is asked for",
    "ignored": "Marked to be ignored",
    "crowd": "Stands for a crowd of things",
    "no-shape": "Nothing is drawn on it",
    "no-area": "Shapes without area",
    "too-small": "Shapes that are too small",
    "size-mismatch": "Drawn on an image of another size",
    "embedded-copy": "The annotation holds the image itself",
    "no-class-folder": "Not in the folder of a class",
    "too-many-pixels": "Too many pixels",
    "not-a-file": "No ordinary file",
    "no-permission": "No permission to read it",
    "broken-json": "No JSON",
}
# Those of copies stand side by side elsewhere on the page.
ELSEWHERE = {"duplicate", "conflict", "leak"}
MOST_ROWS, ROWS_EACH, MOST_IMAGES = 200, 50, 6
MOST_REASONS_WITH_IMAGES = 10
FEW = 12


def rejected(prepared: Prepared, album: Thumbnails) -> Element:
    """The files that are not used."""
    reasons: dict[str, list[Rejected]] = defaultdict(list)
    for rejection in prepared.rejected:
        reasons[rejection.reason].append(rejection)
    images = {fact.path: fact.path for fact in prepared.info}
    for page in prepared.parsed.records:
        if page.path in images:
            images.setdefault(page.file, page.path)
    ordered = sorted(reasons.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    left = MOST_ROWS
    parts = []
    for i, (reason, rows) in enumerate(ordered):
        shown = rows[: min(left, ROWS_EACH)]
        left -= len(shown)
        seen = {} if i >= MOST_REASONS_WITH_IMAGES else images
        parts.append(_reason(reason, rows, shown, seen, album))
    text = (
        "Every file that is not used, with the reason; rejected.csv has them all. The "
        "files themselves are as they were."
        if parts
        else "All files that were found are used."
    )
    return node(
        "section",
        node("h2", "Not used"),
        node("p", text),
        parts,
        id="rejected",
    )


def _reason(
    reason: str,
    rows: Sequence[Rejected],
    shown: Sequence[Rejected],
    images: dict[str, str],
    album: Thumbnails,
) -> Element:
    title = MEANINGS.get(reason, reason.replace("-", " ").capitalize())
    visible = dict.fromkeys(
        (row.file, images[row.file]) for row in rows if row.file in images
    )
    tiles = [
        tile(album.image(path, None, f"{file}: {reason}"), file)
        for file, path in list(visible)[:MOST_IMAGES]
        if reason not in ELSEWHERE
    ]
    hidden = len(rows) - len(shown)
    lines = [node("li", name(row.file), " ", node("span", row.detail)) for row in shown]
    if hidden:
        lines.append(node("li", f"... and {hidden:,} more in rejected.csv"))
    return node(
        "details",
        node(
            "summary",
            node("h3", title, " ", node("code", reason)),
            node("span", f"{len(rows):,} listed"),
        ),
        grid(tiles) if tiles else None,
        node("ul", lines, class_="files"),
        open=len(rows) <= FEW,
        class_="reason",
    )
