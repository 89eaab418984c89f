"""Examples whose label is probably wrong in, a page of their images out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element

from tlkit.dataset.manifest import Example, Manifest
from tlkit.progress import Progress
from tlkit.reports.html import name, node, number, page
from tlkit.reports.thumbnails import Thumbnails
from tlkit.reports.tiles import grid, tile

MOST = 480
# What removing, rather than mending, such images of a test does to its score.
ABOUT_THE_TEST = (
    "are of the test side. Correct their labels, and leave none of them out: without "
    "the images that a network finds hard, the score would be too good. Labels that "
    "are wrong and that the network agrees with are not listed here."
)


@dataclass(frozen=True)
class LabelIssue:
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


def label_issues_page(
    manifest: Manifest,
    found: Sequence[LabelIssue],
    info: dict[str, Any],
    *,
    workers: int | None,
    progress: Progress,
) -> str:
    """Draw the page."""
    album = Thumbnails()
    shown = found[:MOST]
    by_label: dict[str, list[LabelIssue]] = defaultdict(list)
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
    return page(title, top, sections, ("label_issues.csv", "label_issues.json"))


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
            "Each was judged by a linear probe that had not seen it, nor any image "
            f"of its group, on features of {network['backbone']}; such probes agree "
            f"with {info['agreement']:.1%} of the labels. Those who know the images "
            "have the last word.",
            class_="lede",
        ),
        node("ul", node("li", warning, class_="warning"), class_="noticed")
        if in_test
        else None,
        node("p", f"The worst are shown; {hidden:,} more are in label_issues.csv.")
        if hidden
        else None,
    )


def _section(
    place: int, label: str, found: Sequence[LabelIssue], album: Thumbnails
) -> Element:
    return node(
        "section",
        node("h2", f"Labeled {label}"),
        grid(_tile(doubt, album) for doubt in found),
        id=f"label-{place}",
    )


def _tile(doubt: LabelIssue, album: Thumbnails) -> Element:
    example = doubt.example
    alt = f"labeled {example.label}, looks like {doubt.suggested}: {example.path}"
    return tile(
        album.image(example.path, example.box, alt),
        example.path,
        node("span", "looks like ", name(doubt.suggested), class_="label"),
        f"{doubt.suggested_share:.0%}, {example.label} {doubt.given_share:.0%}",
        badge=example.split if example.split != "train" else None,
    )
