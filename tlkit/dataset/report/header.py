"""What was prepared in, the top of the page out: what it is, and how it was made."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import Element

from tlkit.dataset.manifest import SPLITS
from tlkit.dataset.output.write import Prepared
from tlkit.reports.html import Child, name, node, number

# Said of a side of the split, as in "245 to train on".
PURPOSES = {
    "train": "to train on",
    "val": "to choose by",
    "test": "held back for the test",
}
SPELLED_DIGITS = 12
TOLD_ELSEWHERE = {"source", "label_by", "val", "test", "seed"}


def masthead(prepared: Prepared, version: str) -> Element:
    """The top of the page."""
    examples = prepared.examples
    sides = [
        (sum(e.split == side for e in examples), PURPOSES[side]) for side in SPLITS
    ]
    told = ", ".join(f"{count:,} {purpose}" for count, purpose in sides if count)
    what = "crop" if prepared.options.labeling.label_by == "shapes" else "image"
    return node(
        "header",
        node("p", "Data set", class_="kicker"),
        node("h1", name(prepared.root.name or str(prepared.root))),
        node(
            "p",
            f"{number(len(examples), what)} of {len(prepared.labels):,} classes: "
            f"{told}.",
            class_="lede",
        ),
        _tiles(prepared, what),
        _origin(prepared, version),
    )


def _tiles(prepared: Prepared, what: str) -> Element:
    copies = prepared.outcome.rejected
    warnings = len(prepared.warnings) + len(prepared.parsed.warnings)
    remarks = len(prepared.remarks)
    numbers = (
        (len(prepared.examples), f"{what}s used", "#classes"),
        (warnings, "warnings", "#warnings"),
        (remarks, "worth a look", "#warnings"),
        (len(copies), "copies left out", "#copies"),
        (len(prepared.rejected) - len(copies), "other rejections", "#rejected"),
    )
    return node(
        "ul",
        [
            node(
                "li",
                node(
                    "a",
                    node("strong", f"{count:,}"),
                    " ",
                    node("span", noun),
                    href=place,
                ),
            )
            for count, noun, place in numbers
        ],
        class_="numbers",
    )


def _origin(prepared: Prepared, version: str) -> Element:
    rows: list[tuple[str, Child]] = [
        ("Source", name(str(prepared.root))),
        (
            "Read as",
            f"{prepared.kind}, labels by {prepared.options.labeling.label_by}",
        ),
        ("Options", ", ".join(_options(prepared.options)) or "as usual"),
        ("Split", _split(prepared)),
        ("Digest", node("code", prepared.checksum[:SPELLED_DIGITS])),
        ("Made by", f"tlkit {version}"),
    ]
    return node(
        "dl", [[node("dt", term), node("dd", content)] for term, content in rows]
    )


def _split(prepared: Prepared) -> str:
    options = prepared.options
    parts = []
    for side, share in (("val", options.val), ("test", options.test)):
        if share is None:
            parts.append(f"{side} as the source has it")
        elif share:
            parts.append(f"{side} drawn, {share:.0%} with seed {options.seed}")
    return "; ".join(parts) or "train only"


def _options(options: Any) -> Iterator[str]:
    """What was asked for, but for what `_split` tells and what was left as it is."""
    usual = type(options)()
    for column in dataclasses.fields(options):
        value, default = getattr(options, column.name), getattr(usual, column.name)
        if dataclasses.is_dataclass(value):
            yield from _options(value)
        elif value != default and column.name not in TOLD_ELSEWHERE:
            option = column.name.replace("_", "-")
            if isinstance(value, bool):
                yield f"--{option}" if value else f"--no-{option}"
            else:
                yield f"--{option} {value}"
