"""What a writer is given, and what it tells of what its format cannot hold."""

from __future__ import annotations

from dataclasses import dataclass

from tlkit.dataset.sources.page import Page


@dataclass(frozen=True)
class Sheet:
    """One picture to be written.

    Attributes:
        page: What is said of it, upright; there is one page a picture.
        name: The name that its copy gets, unique, POSIX, with suffix; it may hold
            folders.
        width: Of the upright picture, pixels.
        height: Likewise.
    """

    page: Page
    name: str
    width: int
    height: int


@dataclass(frozen=True)
class Loss:
    """Something that a format cannot hold.

    Attributes:
        name: Of the picture's copy.
        thing: Which of its things, from 1; 0 for the picture itself.
        field: What is lost, as in "shape", "attributes", "labels".
        detail: What was done instead, for a person.
    """

    name: str
    thing: int
    field: str
    detail: str
