"""A small text file in, its text or lines out; it may be anything, so it is bounded."""

from __future__ import annotations

from pathlib import Path

from tlkit.dataset.contents import UnreadableImage, read_limited

# A list of a hundred thousand names, or outlines of thousands of corners.
MAX_TEXT_BYTES = 32 << 20


def read_text(path: Path, limit: int = MAX_TEXT_BYTES) -> str:
    """Read a text file.

    Args:
        path: The file.
        limit: Bytes; a larger one is refused.

    Returns:
        Its text, without a byte order mark.

    Raises:
        UnreadableImage: It cannot be read, or is no UTF-8.
    """
    try:
        return read_limited(path, limit).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        detail = f"Not UTF-8: {error.reason} at byte {error.start}."
        raise UnreadableImage("not-utf8", detail, file=str(path)) from error


def read_lines(path: Path) -> list[str]:
    """Read the lines of a text file.

    Args:
        path: The file.

    Returns:
        Without space around them; those at the end that hold nothing are left out.

    Raises:
        UnreadableImage: It cannot be read, or is no UTF-8.
    """
    # Not `splitlines`: names may hold what it takes for the end of a line, as U+2028.
    text = read_text(path).replace("\r\n", "\n").replace("\r", "\n")
    lines = [line.strip() for line in text.split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    return lines
