"""Tags and texts in, elements out: whatever a text holds, it stays a text.

File names and labels are anybody's. ElementTree escapes what would be markup; `clean`
shows what would not be seen, or would reorder what stands around it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
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
    """Make a text that shows all it holds, and no more of it than one can read.

    Args:
        text: Anything.

    Returns:
        The same, with escapes as in Python; long ones without their middle.
    """
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
    """Put something into an element, behind what is there.

    Args:
        element: What to add to.
        children: As for `node`.
    """
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
    """A number of things: "1 picture", "1,204 pictures"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def document(html: Element) -> str:
    """Write a page out.

    Args:
        html: Its outermost element.

    Returns:
        HTML, with a line break at the end.
    """
    return f"<!doctype html>\n{tostring(html, encoding='unicode', method='html')}\n"
