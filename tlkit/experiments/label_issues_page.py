"""The HTML page with the images of label issues."""

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
# Removing such images from a test, rather than correcting them, changes its score.
ABOUT_THE_TEST = (
    "are in the test split. Correct their labels, but remove none of them: without "
    "the images that are hard for a network, the score would be too good. Wrong labels "
    "that the network agrees with are not listed here."
)


@dataclass(frozen=True)
class LabelIssue:
    """An example whose label is probably wrong."""

    example: Example
    suggested: str  # The most probable other label.
    p_label: float  # Probability of the label it has, 0 to 1.
    p_suggested: float
    quality: float  # As in `Suspects`.


def label_issues_page(
    manifest: Manifest,
    issues: Sequence[LabelIssue],
    info: dict[str, Any],
    *,
    workers: int | None,
    progress: Progress,
) -> str:
    """Return the page as HTML, with at most MOST images."""
    album = Thumbnails()
    shown = issues[:MOST]
    by_label: dict[str, list[LabelIssue]] = defaultdict(list)
    for issue in shown:
        by_label[issue.example.label].append(issue)
    sections = [
        _section(place, label, by_label[label], album)
        for place, label in enumerate(manifest.labels)
        if label in by_label
    ]
    title = f"{manifest.source.name}: label issues"
    top = _top(manifest, len(issues), len(issues) - len(shown), info)
    album.draw(manifest.source, workers, progress)
    return page(title, top, sections, ("label_issues.csv", "label_issues.json"))


def _top(manifest: Manifest, found: int, hidden: int, info: dict[str, Any]) -> Element:
    network = info["network"]
    of = number(len(manifest.examples), "example")
    in_test = info["label_issues"]["test"]
    warning = node("strong", "Test"), node("span", f"{in_test:,} {ABOUT_THE_TEST}")
    return node(
        "header",
        node("p", "Label issues", class_="kicker"),
        node("h1", name(manifest.source.name or str(manifest.source))),
        node(
            "p",
            f"{found:,} of {of} probably have a wrong label, or are hard to classify. "
            "Each was checked by a linear probe that had seen neither it nor any image "
            f"of its group, on features of {network['backbone']}. Such probes agree "
            f"with {info['agreement']:.1%} of the labels. The decision is yours.",
            class_="lede",
        ),
        node("ul", node("li", warning, class_="warning"), class_="noticed")
        if in_test
        else None,
        node(
            "p", f"The most suspect are shown; {hidden:,} more are in label_issues.csv."
        )
        if hidden
        else None,
    )


def _section(
    place: int, label: str, issues: Sequence[LabelIssue], album: Thumbnails
) -> Element:
    return node(
        "section",
        node("h2", f"Labeled {label}"),
        grid(_tile(issue, album) for issue in issues),
        id=f"label-{place}",
    )


def _tile(issue: LabelIssue, album: Thumbnails) -> Element:
    example = issue.example
    alt = f"labeled {example.label}, looks like {issue.suggested}: {example.path}"
    return tile(
        album.image(example.path, example.box, alt),
        example.path,
        node("span", "looks like ", name(issue.suggested), class_="label"),
        f"{issue.p_suggested:.0%}, {example.label} {issue.p_label:.0%}",
        badge=example.split if example.split != "train" else None,
    )
