"""What was noticed in, the list of it out; what should be acted on comes first."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from tlkit.dataset.output.write import Prepared
from tlkit.reports.html import node

MOST = 200


def warnings(prepared: Prepared) -> Element:
    """The section of warnings and remarks."""
    shown = {f.text: f"#odd-{f.kind}" for f in prepared.findings if f.odd}
    lines = [("warning", line) for line in prepared.parsed.warnings]
    lines += [("warning", line) for line in prepared.warnings]
    lines += [("remark", line) for line in prepared.remarks]
    items = [_item(kind, line, shown.get(line)) for kind, line in lines[:MOST]]
    if len(lines) > MOST:
        items.append(node("li", f"... and {len(lines) - MOST:,} more in dataset.json"))
    if not items:
        items = [
            node("li", "Nothing that has to be acted on was found.", class_="fine")
        ]
    return node(
        "section",
        node("h2", "Warnings and remarks"),
        node("ul", items, class_="noticed"),
        id="warnings",
    )


def _item(kind: str, line: str, place: str | None) -> Element:
    word = "Warning" if kind == "warning" else "Look"
    link = node("a", "Show", href=place) if place else None
    return node("li", node("strong", word), node("span", line, " ", link), class_=kind)
