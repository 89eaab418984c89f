"""Findings in, their images side by side out."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from tlkit.dataset.output.write import Prepared
from tlkit.dataset.quality.outliers import Finding
from tlkit.reports.html import node, number
from tlkit.reports.thumbnails import Thumbnails
from tlkit.reports.tiles import grid, tile

TITLES = {
    "dark": "Very dark",
    "bright": "Very bright or washed out",
    "flat": "Almost one plain gray",
    "blurred": "Blurred",
    "tiny": "Too small to show much",
    "narrow": "More than four times as long as wide",
}
MOST = 12


def odd(prepared: Prepared, album: Thumbnails) -> Element | None:
    """The images that stand out."""
    parts = [_kind(finding, album) for finding in prepared.findings if finding.odd]
    if not parts:
        return None
    return node(
        "section",
        node("h2", "Images that stand out"),
        node(
            "p",
            "They are used; whether they should be, only a person can tell. The most "
            "striking come first.",
        ),
        parts,
        id="odd",
    )


def _kind(finding: Finding, album: Thumbnails) -> list[Element | None]:
    chosen = finding.odd[:MOST]
    tiles = [
        tile(
            album.image(one.path, one.box, f"{one.path}: {one.detail}"),
            one.path,
            one.detail,
        )
        for one in chosen
    ]
    hidden = len(finding.odd) - len(chosen)
    return [
        node("h3", TITLES[finding.kind], id=f"odd-{finding.kind}"),
        grid(tiles),
        node("p", f"... and {number(hidden, 'image')} more") if hidden else None,
    ]
