"""Images with a line or two beneath, side by side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import TypeVar
from xml.etree.ElementTree import Element

from tlkit.reports.html import Child, name, node

T = TypeVar("T")


def tile(
    image: Element | None, path: str, *lines: Child, badge: str | None = None
) -> Element:
    """An image with its name beneath.

    Args:
        image: An img, None where there is nothing to show.
        path: Of its file; beneath stands the last part alone.
        *lines: More to stand beneath.
        badge: One word in the corner: "val", "test", or nothing.

    Returns:
        A figure.
    """
    frame = node(
        "div",
        node("span", "no image", class_="missing") if image is None else image,
        node("span", badge, class_=f"badge {badge}") if badge else None,
        class_="frame",
    )
    title = node("span", name(PurePosixPath(path).name), class_="file", title=path)
    below = [node("span", line, class_="line") for line in lines if line]
    return node("figure", frame, node("figcaption", title, below), class_="tile")


def grid(tiles: Iterable[Element]) -> Element:
    """Tiles side by side, as many as there is room for."""
    return node("div", tiles, class_="tiles")


def spread(items: Sequence[T], number: int) -> list[T]:
    """Choose some evenly, so that neighbors, as frames of one clip, are few.

    Args:
        items: What to choose from.
        number: At most so many.

    Returns:
        Some of them, in their order.
    """
    number = min(number, len(items))
    return [items[i * len(items) // number] for i in range(number)]
