"""Quick, Draw! drawings (.ndjson, simplified or raw) in, pictures drawn of them out.

Google's rule for its simplified drawings holds for all: moved to 0, and scaled so that
the longer side is 255. They are then drawn as black strokes on white, antialiased:

    SIDE x SIDE pixels, one grey channel; the longer side of the drawing fills all but
    MARGIN on both sides, counted to the middle of the strokes; the shorter one is
    centred; strokes are STROKE pixels wide and end round
"""

from __future__ import annotations

import functools
import itertools
import json
import math
import os
import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tlkit.dataset.sources.glance import glance
from tlkit.dataset.sources.page import Page, Rejection, Scan, is_label
from tlkit.dataset.sources.rows import count_lines
from tlkit.dataset.sources.source import DRAWINGS, Source
from tlkit.errors import DatasetError
from tlkit.progress import track
from tlkit.workers import in_order

SIDE, MARGIN, STROKE = 256, 16, 6
# Fractions of a pixel are given to the drawing routine as so many bits.
BITS = 6
# The longest raw drawings have some hundred kilobytes.
MAX_LINE = 4 << 20
FARTHEST = 1e9
# Drawings that are handed to a process at once.
BATCH = 64
# Fewer are drawn sooner than processes are started.
FEW = 2000
KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")
# What a line says of its word, read without the rest of it.
WORD = re.compile(rb'"word"\s*:\s*("(?:[^"\\]|\\.)*")')
ATTRIBUTES = ("key_id", "recognized", "countrycode", "timestamp")

Strokes = list[np.ndarray]


class BadDrawing(ValueError):
    """Says why a line cannot be drawn: (reason, detail)."""


@dataclass
class Sketch:
    """A drawing, or why a line is none.

    Attributes:
        page: Of the picture to be drawn; without path where there is none.
        strokes: int32 [points, 1, 2] each, in pixels with BITS binary places.
        rejected: Why it cannot be drawn.
    """

    page: Page = field(default_factory=lambda: Page(""))
    strokes: Strokes = field(default_factory=list)
    rejected: Rejection | None = None


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
    each = (_sketches(source, file, taken, found) for file in files)
    draw = functools.partial(draw_all, source.made)
    workers = 0 if source.workers is None and total < FEW else source.workers
    batches = in_order(
        draw, _batches(itertools.chain.from_iterable(each)), workers=workers
    )
    drawn = itertools.chain.from_iterable(batches)
    pages: list[Page] = []
    rejected = list(source.rejected)
    expected = None if source.reading.limit else total
    for one in track(drawn, source.progress, "Drawing pictures", expected):
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


def _sketches(
    source: Source, file: str, taken: set[str], found: Counter[str]
) -> Iterator[Sketch]:
    """The drawings of a file, in its order, as many of each word as are wanted."""
    limit = source.reading.limit or math.inf
    path = source.root / file
    if not (path.is_file() and os.access(path, os.R_OK)):
        detail = "Not an ordinary file that may be read."
        yield Sketch(rejected=Rejection(file, "unreadable", detail))
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
        except BadDrawing as error:
            reason, detail = error.args
            yield Sketch(rejected=Rejection(file, reason, f"Line {number}: {detail}."))
            continue
        taken.add(page.path)
        found[page.labels[0]] += 1
        yield Sketch(page, strokes)


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    with path.open("rb") as file:
        for number in itertools.count(1):
            line = file.readline(MAX_LINE + 1)
            if not line:
                return
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


def scaled(drawing: Any) -> Strokes:
    """Bring the strokes of a drawing to where they are drawn.

    Args:
        drawing: What the JSON holds: for each stroke the list of x, that of y and, in
            raw drawings, that of times.

    Returns:
        For each stroke int32 [points, 1, 2], in pixels with BITS binary places.

    Raises:
        BadDrawing: It is none.
    """
    try:
        strokes = [np.array([s[0], s[1]], np.float64).T for s in drawing]
        points = np.concatenate(strokes)
    except (TypeError, ValueError, IndexError, KeyError, OverflowError) as error:
        detail = "its drawing is no list of strokes [[x, ...], [y, ...]]"
        raise BadDrawing("not-a-drawing", detail) from error
    if (
        points.shape[1:] != (2,)
        or not len(points)
        or not (abs(points) < FARTHEST).all()
    ):
        raise BadDrawing(
            "not-a-drawing", "its strokes have no points, or no finite ones"
        )
    low, high = points.min(0), points.max(0)
    longer = float((high - low).max())
    # A single dot stays a dot.
    scale = (SIDE - 2 * MARGIN) / longer if longer > 0 else 0.0
    # The centre of the picture, counted from the middle of its first pixel.
    centre = (SIDE - 1) / 2
    return [
        np.round(((stroke - (low + high) / 2) * scale + centre) * (1 << BITS))
        .astype(np.int32)
        .reshape(-1, 1, 2)
        for stroke in strokes
        if len(stroke)
    ]


def render(strokes: Strokes) -> np.ndarray:
    """Draw strokes.

    Args:
        strokes: As `scaled` gives them.

    Returns:
        uint8 [SIDE, SIDE], 0 for ink on 255.
    """
    import cv2

    picture = np.full((SIDE, SIDE), 255, np.uint8)
    for stroke in strokes:
        # A lone point is drawn as a line to itself.
        line = stroke if len(stroke) > 1 else stroke.repeat(2, axis=0)
        cv2.polylines(picture, [line], False, 0, STROKE, cv2.LINE_AA, BITS)
    return picture


def draw_all(place: Path, sketches: Iterable[Sketch]) -> list[Page | Rejection]:
    """Draw pictures; runs in worker processes.

    Args:
        place: Where to.
        sketches: What to draw.

    Returns:
        The page of each picture that was drawn, or why it was not.
    """
    return [one.rejected or _drawn(place, one) for one in sketches]


def _drawn(place: Path, one: Sketch) -> Page | Rejection:
    import cv2

    target = place / one.page.path
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            file.write(cv2.imencode(".png", render(one.strokes))[1].tobytes())
    except FileExistsError:
        return Rejection(one.page.path, "id-twice", "Something of its name is there.")
    return one.page


def _batches(sketches: Iterator[Sketch]) -> Iterator[list[Sketch]]:
    while batch := list(itertools.islice(sketches, BATCH)):
        yield batch
