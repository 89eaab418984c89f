"""A title and sections in, a page that needs nothing but itself out."""

from __future__ import annotations

import importlib.resources
from collections.abc import Sequence
from xml.etree.ElementTree import Element

from tlkit.dataset.report.markup import Child, document, node

# Even a page that was tampered with runs and fetches nothing.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def page(
    title: str, top: Element, sections: Sequence[Element], files: Sequence[str]
) -> str:
    """Put a page together.

    Args:
        title: Of its window.
        top: What stands above the links to the sections.
        sections: Each with an id and a heading.
        files: Names of what lies beside it.

    Returns:
        HTML.
    """
    body = node("body", top, _links(sections), node("main", sections), _foot(files))
    return document(node("html", _head(title), body, lang="en"))


def _head(title: str) -> Element:
    style = importlib.resources.files("tlkit.dataset.report").joinpath("style.css")
    css = node("style")
    css.text = style.read_text(encoding="utf-8")
    return node(
        "head",
        node("meta", charset="utf-8"),
        node("meta", http_equiv="Content-Security-Policy", content=POLICY),
        node("meta", name="viewport", content="width=device-width, initial-scale=1"),
        node("meta", name="color-scheme", content="light dark"),
        node("meta", name="referrer", content="no-referrer"),
        node("title", title),
        css,
    )


def _links(sections: Sequence[Element]) -> Element:
    links = [
        node("a", section.findtext("h2", ""), href=f"#{section.get('id')}")
        for section in sections
    ]
    return node("nav", links, aria_label="On this page")


def _foot(files: Sequence[str]) -> Element:
    links: list[Child] = [[node("a", file, href=file), " "] for file in files]
    return node("footer", node("p", "Beside this page: ", links))
