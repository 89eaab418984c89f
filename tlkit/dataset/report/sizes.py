"""Examples in, how large they are and of what course out."""

from __future__ import annotations

import itertools
from xml.etree.ElementTree import Element

from tlkit.dataset.output.write import Prepared
from tlkit.dataset.quality.outliers import size_of
from tlkit.reports.charts import bars, histogram
from tlkit.reports.html import node

SIDES = (32, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096)
SIDE_NAMES = (
    "below 32",
    *(f"{a} to {b - 1}" for a, b in itertools.pairwise(SIDES)),
    "4096 and more",
)
RATIOS = (1 / 4, 1 / 2, 2 / 3, 4 / 5, 5 / 4, 3 / 2, 2, 4)
RATIO_NAMES = (
    "below 1:4",
    "1:4 to 1:2",
    "1:2 to 2:3",
    "2:3 to 4:5",
    "about 1:1",
    "5:4 to 3:2",
    "3:2 to 2:1",
    "2:1 to 4:1",
    "4:1 and more",
)


def sizes(prepared: Prepared) -> Element:
    """The histograms of short side and aspect ratio."""
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
