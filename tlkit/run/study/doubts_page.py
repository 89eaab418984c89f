"""Examples whose label is probably wrong in, a page of their pictures out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element

from tlkit.dataset.manifest import Example, Manifest
from tlkit.dataset.report.album import Album
from tlkit.dataset.report.markup import name, node, number
from tlkit.dataset.report.page import page
from tlkit.dataset.report.tiles import grid, tile
from tlkit.progress import Progress

MOST = 480
# What removing, rather than mending, such pictures of a test does to its score.
ABOUT_THE_TEST = (
    "are of the test side. Correct their labels, and leave none of them out: without "
    "the pictures that a network finds hard, the score would be too good. Labels that "
    "are wrong and that the network agrees with are not listed here."
)


@dataclass(frozen=True)
class Doubt:
    """An example whose label is probably wrong.

    Attributes:
        example: Which one.
        suggested: The label that others speak for.
        given_share: Probability of the label it has, 0 to 1.
        suggested_share: That of the suggested one.
        quality: From `find_suspects`.
    """

    example: Example
    suggested: str
    given_share: float
    suggested_share: float
    quality: float


def doubts_page(
    manifest: Manifest,
    found: Sequence[Doubt],
    info: dict[str, Any],
    *,
    workers: int | None,
    progress: Progress,
) -> str:
    """Draw the page.

    Args:
        manifest: The data set.
        found: The most doubtful first.
        info: The content of doubts.json.
        workers: Processes that draw the pictures; None decides by the amount.
        progress: Where to report.

    Returns:
        HTML, which holds its pictures.
    """
    album = Album()
    shown = found[:MOST]
    by_label: dict[str, list[Doubt]] = defaultdict(list)
    for doubt in shown:
        by_label[doubt.example.label].append(doubt)
    sections = [
        _section(place, label, by_label[label], album)
        for place, label in enumerate(manifest.labels)
        if label in by_label
    ]
    title = f"{manifest.source.name}: doubtful labels"
    top = _top(manifest, len(found), len(found) - len(shown), info)
    album.draw(manifest.source, workers, progress)
    return page(title, top, sections, ("doubts.csv", "doubts.json"))


def _top(manifest: Manifest, found: int, hidden: int, info: dict[str, Any]) -> Element:
    network = info["network"]
    of = number(len(manifest.examples), "example")
    in_test = info["doubtful"]["test"]
    warning = node("strong", "Test"), node("span", f"{in_test:,} {ABOUT_THE_TEST}")
    return node(
        "header",
        node("p", "Doubtful labels", class_="kicker"),
        node("h1", name(manifest.source.name or str(manifest.source))),
        node(
            "p",
            f"{found:,} of {of} probably have a wrong label, or are hard to tell. "
            "Each was judged by a linear probe that had not seen it, nor any picture "
            f"of its group, on features of {network['backbone']}; such probes agree "
            f"with {info['agreement']:.1%} of the labels. Those who know the pictures "
            "have the last word.",
            class_="lede",
        ),
        node("ul", node("li", warning, class_="warning"), class_="noticed")
        if in_test
        else None,
        node("p", f"The worst are shown; {hidden:,} more are in doubts.csv.")
        if hidden
        else None,
    )


def _section(place: int, label: str, found: Sequence[Doubt], album: Album) -> Element:
    return node(
        "section",
        node("h2", f"Labelled {label}"),
        grid(_tile(doubt, album) for doubt in found),
        id=f"label-{place}",
    )


def _tile(doubt: Doubt, album: Album) -> Element:
    example = doubt.example
    alt = f"labelled {example.label}, looks like {doubt.suggested}: {example.path}"
    return tile(
        album.picture(example.path, example.box, alt),
        example.path,
        node("span", "looks like ", name(doubt.suggested), class_="label"),
        f"{doubt.suggested_share:.0%}, {example.label} {doubt.given_share:.0%}",
        badge=example.split if example.split != "train" else None,
    )
