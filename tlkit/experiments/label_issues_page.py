"""The HTML page with the images of label issues."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tlkit.dataset.example import Example
from tlkit.dataset.manifest import Manifest
from tlkit.progress import Progress
from tlkit.reports.html import render
from tlkit.reports.thumbnails import PageImages

MOST = 480
# Removing such images from a test, rather than correcting them, changes its score.
ABOUT_THE_TEST = (
    "are in the test split. Correct their labels, but remove none of them: without "
    "the images that are hard for a network, the score would be too good. Incorrect "
    "labels that the network agrees with are not listed here."
)
TEMPLATE = Path(__file__).with_name("label_issues.html.j2")


@dataclass(frozen=True)
class LabelIssue:
    """An example whose label is probably incorrect."""

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
    thumbnails = PageImages()
    shown = issues[:MOST]
    tiles: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for issue in shown:
        one = issue.example
        alt = f"labeled {one.label}, looks like {issue.suggested}: {one.path}"
        tiles[one.label].append(
            {
                "image": thumbnails.add(one.path, one.box, alt),
                "path": one.path,
                "badge": one.split if one.split != "train" else None,
                "suggested": issue.suggested,
                "line": f"{issue.p_suggested:.0%}, {one.label} {issue.p_label:.0%}",
            }
        )
    labels = [(i, label) for i, label in enumerate(manifest.labels) if tiles.get(label)]
    thumbnails.draw(manifest.source, workers, progress)
    context = {
        "title": f"{manifest.source.name}: label issues",
        "name_of_set": manifest.source.name or str(manifest.source),
        "found": len(issues),
        "hidden": len(issues) - len(shown),
        "total": len(manifest.examples),
        "backbone": info["network"]["backbone"],
        "agreement": info["agreement"],
        "about_the_test": ABOUT_THE_TEST,
        "in_test": info["label_issues"]["test"],
        "sections": [(f"label-{i}", f"Labeled {label}") for i, label in labels],
        "tiles": {f"label-{i}": tiles[label] for i, label in labels},
        "files": ("label_issues.csv", "label_issues.json"),
    }
    return render(TEMPLATE, context)
