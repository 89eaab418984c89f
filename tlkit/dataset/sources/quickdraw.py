"""Quick, Draw! drawings (.ndjson, simplified or raw) in, pictures drawn of them out.

`strokes` says how they are drawn.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import posixpath
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tlkit.dataset.sources.glance import glance
from tlkit.dataset.sources.page import Page, Rejection, Scan, is_label
from tlkit.dataset.sources.rows import count_lines
from tlkit.dataset.sources.source import DRAWINGS, Source
from tlkit.dataset.sources.strokes import BadDrawing, Strokes, scaled, write_picture
from tlkit.errors import DatasetError
from tlkit.progress import track

# The longest raw drawings have some hundred kilobytes.
MAX_LINE = 4 << 20
KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")
# What a line says of its word, read without the rest of it.
WORD = re.compile(rb'"word"\s*:\s*("(?:[^"\\]|\\.)*")')
ATTRIBUTES = ("key_id", "recognized", "countrycode", "timestamp")


def claims(source: Source) -> int:
    """How many drawings a source holds.

    Args:
        source: What was walked.

    Returns:
        The number of lines of files that begin with a drawing.
    """
    files = [source.root / file for file in source.ending(DRAWINGS)]
    return sum(count_lines(path) for path in files if _looks_like_it(path))


def _looks_like_it(path: Path) -> bool:
    start = glance(path)
    return b'"drawing"' in start and b'"word"' in start


def read(source: Source) -> Scan:
    """Draw what .ndjson files hold.

    Args:
        source: What was walked, with a place for pictures.

    Returns:
        A page for each picture drawn, relative to that place.

    Raises:
        DatasetError: There is no place to draw them to.
    """
    if source.made is None:
        raise DatasetError("Drawings need a folder to be drawn to.")
    files = source.ending(DRAWINGS)
    total = sum(count_lines(source.root / file) for file in files)
    # One that several files have in common is drawn once.
    taken: set[str] = set()
    found: Counter[str] = Counter()
    each = (_drawn(source, source.made, file, taken, found) for file in files)
    results = itertools.chain.from_iterable(each)
    pages: list[Page] = []
    rejected = list(source.rejected)
    expected = None if source.reading.limit else total
    for one in track(results, source.progress, "Drawing pictures", expected):
        if isinstance(one, Page):
            pages.append(one)
        else:
            rejected.append(one)
    limit = source.reading.limit or math.inf
    beyond = sum(max(number - limit, 0) for number in found.values())
    more = f" {beyond:,} beyond the limit are left out." if beyond else ""
    return Scan(
        files=source.files,
        pages=tuple(pages),
        rejected=tuple(rejected),
        note=f"Read as Quick, Draw! drawings, {len(pages)} of them drawn.{more}",
        consumed=frozenset(files),
        root=source.made,
    )


def _drawn(
    source: Source, made: Path, file: str, taken: set[str], found: Counter[str]
) -> Iterator[Page | Rejection]:
    """Draw the drawings of a file, in its order, as many of each word as are wanted."""
    limit = source.reading.limit or math.inf
    path = source.root / file
    if not (path.is_file() and os.access(path, os.R_OK)):
        detail = "Not an ordinary file that may be read."
        yield Rejection(file, "unreadable", detail)
        return
    for number, line in _lines(path):
        word = _word(line)
        if word and found[word] >= limit:
            found[word] += 1
            continue
        try:
            page, strokes = sketch(line, f"{posixpath.splitext(file)[0]}-{number}")
            if page.path in taken:
                raise BadDrawing("id-twice", "its key_id was there before")
            write_picture(made / page.path, strokes)
        except BadDrawing as error:
            reason, detail = error.args
            yield Rejection(file, reason, f"Line {number}: {detail}.")
            continue
        taken.add(page.path)
        found[page.labels[0]] += 1
        yield page


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    with path.open("rb") as file:
        for number, line in enumerate(
            iter(lambda: file.readline(MAX_LINE + 1), b""), 1
        ):
            rest = line
            while len(rest) > MAX_LINE and not rest.endswith(b"\n"):
                rest = file.readline(MAX_LINE + 1)
            if line.strip():
                yield number, line


def _word(line: bytes) -> str:
    found = WORD.search(line, 0, 1000)
    try:
        return str(json.loads(found[1])).strip() if found else ""
    except ValueError:
        return ""


def sketch(line: bytes, name: str) -> tuple[Page, Strokes]:
    """Read a line.

    Args:
        line: Of a .ndjson file.
        name: For the picture, where the drawing has no key_id.

    Returns:
        The page of its picture, and the strokes to draw.

    Raises:
        BadDrawing: It is no drawing.
    """
    if len(line) > MAX_LINE:
        raise BadDrawing("too-long", f"more than {MAX_LINE:,} bytes")
    try:
        content = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadDrawing("broken-json", f"not JSON, {error}") from error
    if not isinstance(content, dict):
        raise BadDrawing("not-a-drawing", "not an object")
    word = content.get("word")
    if not isinstance(word, str) or not is_label(word):
        raise BadDrawing("bad-label", f"its word is {word!r:.80}")
    word = word.strip()
    key = str(content.get("key_id", re.sub(r"[^A-Za-z0-9_-]", "_", name)[-64:]))
    if not KEY.fullmatch(key):
        raise BadDrawing("bad-id", f"its key_id is {key!r:.80}")
    folder = re.sub(r'[\\/:*?"<>|]|^\.', "_", word)[:100].rstrip(". ")
    attributes = {name: content[name] for name in ATTRIBUTES if name in content}
    page = Page(f"{folder}/{key}.png", labels=(word,), attributes=attributes)
    return page, scaled(content.get("drawing"))
