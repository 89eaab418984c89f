"""What every source yields: annotations, and the files that give none, with reasons."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import natsort

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Annotation:
    """Something in a source that has a label.

    Attributes:
        path: Of the picture, POSIX, relative to the source root; of a JSON where the
            picture is inside it.
        label: As it was given.
        split: The side it was given, one of "train", "val", "test"; None for none.
        box: x0, y0, x1, y1 in pixels, may reach out of the picture; None for the whole.
        shape: What was drawn, as JSON; "" where nothing was.
        annotation: Path of the annotation file; "" where folders tell the label.
        size: Width and height of the picture that the box was drawn on, where told.
    """

    path: str
    label: str
    split: str | None = None
    box: Box | None = None
    shape: str = ""
    annotation: str = ""
    size: tuple[int, int] | None = None

    @property
    def file(self) -> str:
        """The file that the user would look at: the annotation, else the picture."""
        return self.annotation or self.path


@dataclass(frozen=True)
class Rejection:
    """A file, or a part of it, that is not used.

    Attributes:
        file: POSIX, relative to the source root.
        reason: A short word for tables, as in "truncated".
        detail: What was found, for a person.
        sha256: Of the encoded picture, where it could be read but not decoded.
    """

    file: str
    reason: str
    detail: str
    sha256: str = ""


@dataclass(frozen=True)
class Scan:
    """What a source holds.

    Attributes:
        files: Every file found, junk aside.
        annotations: What can be used, as far as one can tell without decoding.
        rejected: What cannot.
        note: How the source was understood, for a person.
        warnings: What the user should act on.
        named: For each picture that an annotation file leads to, that file.
        hint: What to do where its labels turn out too few.
    """

    files: tuple[str, ...]
    annotations: tuple[Annotation, ...]
    rejected: tuple[Rejection, ...]
    note: str
    warnings: tuple[str, ...]
    named: dict[str, str]
    hint: str


_natural = natsort.natsort_keygen()


def natural_key(text: str) -> tuple[object, str]:
    """Sort key: 2 before 10; total, so that no two texts compare equal.

    Args:
        text: A label or a path.

    Returns:
        The key.
    """
    return _natural(text), text


def in_natural_order(texts: Iterable[str]) -> list[str]:
    """Sort labels or paths the way a person counts, 2 before 10.

    Args:
        texts: What to sort.

    Returns:
        The same, sorted; the order they came in has no influence.
    """
    return sorted(texts, key=natural_key)


def is_label(text: str) -> bool:
    """Whether a text can be a line of labels.txt.

    Args:
        text: What came as a label.

    Returns:
        Whether it holds more than space, and no control characters.
    """
    return bool(text.strip()) and all(c >= " " and c != "\x7f" for c in text)
