"""Findings in, their pictures side by side out."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from tlkit.dataset.output import Prepared
from tlkit.dataset.quality import Finding
from tlkit.dataset.report.album import Album
from tlkit.dataset.report.markup import node, number
from tlkit.dataset.report.tiles import grid, tile

TITLES = {
    "dark": "Very dark",
    "bright": "Very bright or washed out",
    "flat": "Almost one plain grey",
    "blurred": "Blurred",
    "tiny": "Too small to show much",
    "narrow": "More than four times as long as wide",
}
MOST = 12


def odd(prepared: Prepared, album: Album) -> Element | None:
    """The pictures that stand out.

    Args:
        prepared: What was prepared.
        album: Where pictures are asked for.

    Returns:
        A section, None where there are none.
    """
    parts = [_kind(finding, album) for finding in prepared.findings if finding.odd]
    if not parts:
        return None
    return node(
        "section",
        node("h2", "Pictures that stand out"),
        node(
            "p",
            "They are used; whether they should be, only a person can tell. The most "
            "striking come first.",
        ),
        parts,
        id="odd",
    )


def _kind(finding: Finding, album: Album) -> list[Element | None]:
    chosen = finding.odd[:MOST]
    tiles = [
        tile(
            album.picture(one.path, one.box, f"{one.path}: {one.detail}"),
            one.path,
            one.detail,
        )
        for one in chosen
    ]
    hidden = len(finding.odd) - len(chosen)
    return [
        node("h3", TITLES[finding.kind], id=f"odd-{finding.kind}"),
        grid(tiles),
        node("p", f"... and {number(hidden, 'picture')} more") if hidden else None,
    ]
