"""Tags and texts in, elements out: whatever a text holds, it stays a text.

File names and labels are anybody's. ElementTree escapes what would be markup; `clean`
shows what would not be seen, or would reorder what stands around it.
"""

from __future__ import annotations

import importlib.resources
import re
from collections.abc import Iterable, Sequence
from typing import TypeAlias
from xml.etree.ElementTree import Element, tostring

Child: TypeAlias = "str | Element | Iterable[Child] | None"

# Control characters, line separators, marks that turn the direction of writing, and
# halves of a pair; among these are the bytes of names that are not UTF-8.
UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff"
    "\ud800-\udfff]"
)
LONGEST, LONGEST_NAME = 1000, 160


def clean(text: str) -> str:
    """Make a text that shows all it holds, and no more of it than one can read."""
    return UNSEEN.sub(_escape, _short(text, LONGEST))


def _short(text: str, longest: int) -> str:
    half = longest // 2
    return text if len(text) <= longest else f"{text[:half]} ... {text[-half:]}"


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:  # how Python holds a byte that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return match[0].encode("unicode_escape", "surrogatepass").decode()


def node(tag: str, *children: Child, **attributes: object) -> Element:
    """Make an element.

    Args:
        tag: Its name.
        *children: Texts and elements, also in lists; None stands for nothing.
        **attributes: An underscore stands for a hyphen, one at the end for nothing;
            True is an attribute without value, None and False are none.

    Returns:
        The element.
    """
    element = Element(tag)
    for name, value in attributes.items():
        if value is not None and value is not False:
            text = "" if value is True else clean(str(value))
            element.set(name.rstrip("_").replace("_", "-"), text)
    add(element, children)
    return element


def add(element: Element, children: Child) -> None:
    """Put something into an element, behind what is there."""
    if children is None:
        return
    if isinstance(children, Element):
        element.append(children)
    elif not isinstance(children, str):
        for child in children:
            add(element, child)
    elif len(element):
        element[-1].tail = (element[-1].tail or "") + clean(children)
    else:
        element.text = (element.text or "") + clean(children)


def name(text: str) -> Element:
    """A file name or a label: its direction of writing has no influence outside."""
    return node("bdi", _short(text, LONGEST_NAME), class_="name")


def number(count: int, noun: str) -> str:
    """A number of things: "1 image", "1,204 images"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def document(html: Element) -> str:
    """Write a page out."""
    return f"<!doctype html>\n{tostring(html, encoding='unicode', method='html')}\n"


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
    style = importlib.resources.files("tlkit.reports").joinpath("style.css")
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
