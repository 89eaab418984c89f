"""Bounded reading of files that may be anything, with a named reason where it fails.

Nothing larger is read than can be meant, and nothing is waited for.
"""

from __future__ import annotations

import base64
import functools
import json
import math
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tlkit.errors import DatasetError

# An image of MAX_PIXELS, uncompressed with four channels of 16 bit, fits.
MAX_BYTES = 1 << 30
# Holds the annotations of 5,000 images, or an image of 190 MB inside.
MAX_JSON_BYTES = 256 << 20
# Counted by the characters between values. Python takes up to 80 bytes for each.
MAX_JSON_VALUES = 30_000_000
# Deeper than any annotation; what is deeper still could not be handed on or written.
MAX_JSON_DEPTH = 100
# A list of a hundred thousand names, or outlines of thousands of corners.
MAX_TEXT_BYTES = 32 << 20
# So much of each end; the keys of a JSON stand there, an image inside, which may be
# large, between them.
GLANCE = 1 << 16


class Unusable(DatasetError):
    """An image, an annotation file, or one part of it that cannot be used.

    Args:
        reason: A short word for tables, such as "truncated".
        detail: What was found: a sentence for a file, without period for a part of it.
        file: The file, where it is known.
        hint: One thing to do about it.
    """

    def __init__(
        self, reason: str, detail: str, *, file: str = "", hint: str = ""
    ) -> None:
        super().__init__(f"{file}: {detail}" if file else detail, hint=hint)
        self.reason = reason
        self.detail = detail
        self.file = file

    def __reduce__(self) -> tuple[Callable[..., Unusable], tuple[str, ...]]:
        # Without it the error could not come back from a worker process.
        whole = functools.partial(type(self), file=self.file, hint=self.hint)
        return whole, (self.reason, self.detail)


def read_bytes(path: Path, *, embedded: bool | None = None) -> bytes:
    """Read an image file, or the image inside a labelme JSON.

    Args:
        path: The file. Pipes and devices are refused rather than waited for.
        embedded: Whether the image is inside a JSON; None decides by the suffix.

    Returns:
        The encoded image.

    Raises:
        Unusable: No such file, no permission, no ordinary file, or no image
            in the JSON.
    """
    inside = path.suffix.lower() == ".json" if embedded is None else embedded
    if inside:
        return embedded_image(read_json(path), str(path))
    return read_limited(path, MAX_BYTES)


def read_json(path: Path) -> Any:
    """Read a JSON file that may be anything.

    Args:
        path: The file.

    Returns:
        Its content; NaN and infinity, which JSON has no words for, as None.

    Raises:
        Unusable: It cannot be read, or is not JSON.
    """
    data = read_limited(path, MAX_JSON_BYTES)
    number = sum(data.count(mark) for mark in b"[{:,")
    if number > MAX_JSON_VALUES:
        detail = f"About {number:,} values, of which {MAX_JSON_VALUES:,} are allowed."
        raise Unusable("too-big", detail, file=str(path))
    try:
        content = json.loads(data, parse_float=_finite, parse_constant=_finite)
        _check_depth(content)
    except (ValueError, RecursionError) as error:
        deep = isinstance(error, RecursionError)
        fault = f"nested deeper than {MAX_JSON_DEPTH} levels" if deep else str(error)
        fault = fault.split(";")[0]  # after it comes advice to programmers
        detail = f"Not JSON: {fault}."
        raise Unusable("broken-json", detail, file=str(path)) from error
    return content


def _finite(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None


def _check_depth(content: Any) -> None:
    level = [content]
    for _ in range(MAX_JSON_DEPTH):
        # Most values of a large JSON are numbers: each container is visited once.
        level = [
            part
            for whole in level
            if isinstance(whole, (dict, list))
            for part in (whole.values() if isinstance(whole, dict) else whole)
            if isinstance(part, (dict, list))
        ]
        if not level:
            return
    raise ValueError(f"nested deeper than {MAX_JSON_DEPTH} levels")


def read_limited(path: Path, limit: int) -> bytes:
    """Read a file that may be anything.

    Args:
        path: The file. Pipes and devices are refused rather than waited for.
        limit: Bytes; a larger one is refused before it is read.

    Returns:
        Its content.

    Raises:
        Unusable: It cannot be read.
    """
    try:
        info = path.stat()
        if not stat.S_ISREG(info.st_mode):
            raise Unusable("not-a-file", "Not an ordinary file.", file=str(path))
        if info.st_size > limit:
            detail = f"{info.st_size:,} bytes, of which {limit:,} are allowed."
            raise Unusable("too-big", detail, file=str(path))
        return path.read_bytes()
    except OSError as error:
        reason, detail = "unreadable", f"It cannot be read: {error.strerror}."
        if isinstance(error, PermissionError):
            reason, detail = "no-permission", "There is no permission to read it."
        if isinstance(error, (FileNotFoundError, NotADirectoryError)):
            reason, detail = "missing", "There is no such file."
        raise Unusable(reason, detail, file=str(path)) from error


def embedded_image(content: Any, file: str) -> bytes:
    """Return the encoded image in a parsed labelme JSON."""
    text = content.get("imageData") if isinstance(content, dict) else None
    if not isinstance(text, str) or not text:
        raise Unusable("no-image", "It holds no imageData.", file=file)
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except ValueError as error:
        detail = "imageData is not base64."
        raise Unusable("damaged", detail, file=file) from error


def read_text(path: Path, limit: int = MAX_TEXT_BYTES) -> str:
    """Read a text file.

    Args:
        path: The file.
        limit: Bytes; a larger one is refused.

    Returns:
        Its text, without a byte order mark.

    Raises:
        Unusable: It cannot be read, or is not UTF-8.
    """
    try:
        return read_limited(path, limit).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        detail = f"Not UTF-8: {error.reason} at byte {error.start}."
        raise Unusable("not-utf8", detail, file=str(path)) from error


def read_lines(path: Path) -> list[str]:
    """Read the lines of a text file.

    Args:
        path: The file.

    Returns:
        The lines without space around them, and without empty ones at the end.

    Raises:
        Unusable: It cannot be read, or is not UTF-8.
    """
    # Not `splitlines`: names may hold what it takes for a line break, such as U+2028.
    text = read_text(path).replace("\r\n", "\n").replace("\r", "\n")
    lines = [line.strip() for line in text.split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def glance(path: Path) -> bytes:
    """Read both ends of a file.

    Args:
        path: A file; pipes and devices are not opened.

    Returns:
        The ends, one after the other; all of a small file; nothing where it cannot be
        read.
    """
    try:
        if not path.is_file():
            return b""
        with path.open("rb") as file:
            start = file.read(GLANCE)
            file.seek(max(path.stat().st_size - GLANCE, len(start)))
            return start + file.read(GLANCE)
    except OSError:
        return b""


def count_lines(path: Path) -> int:
    """Count the lines of a file, whatever it holds; 0 where it cannot be read."""
    lines, last = 0, b"\n"
    if not path.is_file():
        return 0
    try:
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                lines += chunk.count(b"\n")
                last = chunk
    except OSError:
        return 0
    return lines + (not last.endswith(b"\n"))
