"""Reader of Quick, Draw! drawings (.ndjson, simplified or raw), which it draws as PNGs.

Google's rule for its simplified drawings holds for all: moved to 0, and scaled so that
the longer side is 255. They are then drawn as black strokes on white, antialiased:

    SIDE x SIDE pixels, one gray channel; the longer side of the drawing fills all but
    MARGIN on both sides, counted to the middle of the strokes; the shorter one is
    centered; strokes end round and are OpenCV's antialiased lines of thickness STROKE,
    which come out a little more than 7 pixels wide
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
from typing import Any

import numpy as np

from tlkit.dataset.records import ImageRecord, ParsedSource, Rejected, is_label
from tlkit.dataset.sources.open import DRAWINGS, Source
from tlkit.errors import DatasetError
from tlkit.imaging.safe_read import Unusable, count_lines
from tlkit.progress import track

# The longest raw drawings have some hundred kilobytes.
MAX_LINE = 4 << 20
KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")
# The word of a line, read without parsing the rest of it.
WORD = re.compile(rb'"word"\s*:\s*("(?:[^"\\]|\\.)*")')
ATTRIBUTES = ("key_id", "recognized", "countrycode", "timestamp")
SIDE, MARGIN, STROKE = 256, 16, 6
# Bits for fractions of a pixel in OpenCV's fixed-point coordinates.
BITS = 6
FARTHEST = 1e9

Strokes = list[np.ndarray]


def read(source: Source) -> ParsedSource:
    """Draw the drawings of .ndjson files."""
    if source.made is None:
        raise DatasetError("Drawings need a folder to be drawn to.")
    files = source.ending(DRAWINGS)
    limit = source.options.limit or math.inf
    # A drawing that several files have in common is drawn once.
    taken: set[str] = set()
    found: Counter[str] = Counter()
    records: list[ImageRecord] = []
    rejected = list(source.rejected)
    expected = None
    if not source.options.limit:
        expected = sum(count_lines(source.root / file) for file in files)
    results = itertools.chain.from_iterable(
        _draw_file(source.root, file, source.made, limit, taken, found)
        for file in files
    )
    for one in track(results, source.progress, "Drawing images", expected):
        if isinstance(one, ImageRecord):
            records.append(one)
        else:
            rejected.append(one)
    beyond = sum(max(number - limit, 0) for number in found.values())
    more = f" {beyond:,} beyond the limit are left out." if beyond else ""
    return ParsedSource(
        files=source.files,
        records=tuple(records),
        rejected=tuple(rejected),
        note=f"Read as Quick, Draw! drawings, {len(records)} of them drawn.{more}",
        annotation_files=frozenset(files),
        root=source.made,
    )


def _draw_file(
    root: Path,
    file: str,
    made: Path,
    limit: float,
    taken: set[str],
    found: Counter[str],
) -> Iterator[ImageRecord | Rejected]:
    """Draw the drawings of a file in order, up to the limit of each word."""
    path = root / file
    if not (path.is_file() and os.access(path, os.R_OK)):
        yield Rejected(file, "unreadable", "Not an ordinary file that may be read.")
        return
    for number, line in _lines(path):
        word = _word(line)
        if word and found[word] >= limit:
            found[word] += 1
            continue
        try:
            record, strokes = parse(line, f"{posixpath.splitext(file)[0]}-{number}")
            if record.path in taken:
                raise Unusable("id-twice", "its key_id was there before")
            _write_image(made / record.path, strokes)
        except Unusable as error:
            yield Rejected(file, error.reason, f"Line {number}: {error.detail}.")
            continue
        taken.add(record.path)
        found[record.labels[0]] += 1
        yield record


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


def parse(line: bytes, name: str) -> tuple[ImageRecord, Strokes]:
    """Read a line; its image is named by its key_id, else by `name`."""
    if len(line) > MAX_LINE:
        raise Unusable("too-long", f"more than {MAX_LINE:,} bytes")
    try:
        content = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Unusable("broken-json", f"not JSON, {error}") from error
    if not isinstance(content, dict):
        raise Unusable("not-a-drawing", "not an object")
    word = content.get("word")
    if not isinstance(word, str) or not is_label(word):
        raise Unusable("bad-label", f"its word is {word!r:.80}")
    word = word.strip()
    key = str(content.get("key_id", re.sub(r"[^A-Za-z0-9_-]", "_", name)[-64:]))
    if not KEY.fullmatch(key):
        raise Unusable("bad-id", f"its key_id is {key!r:.80}")
    folder = re.sub(r'[\\/:*?"<>|]|^\.', "_", word)[:100].rstrip(". ")
    attributes = {name: content[name] for name in ATTRIBUTES if name in content}
    record = ImageRecord(f"{folder}/{key}.png", labels=(word,), attributes=attributes)
    return record, scale(content.get("drawing"))


def scale(drawing: Any) -> Strokes:
    """Scale the strokes of a drawing to int32 [points, 1, 2], in 1/64 pixel."""
    try:
        strokes = [np.array([s[0], s[1]], np.float64).T for s in drawing]
        points = np.concatenate(strokes)
    except (TypeError, ValueError, IndexError, KeyError, OverflowError) as error:
        detail = "its drawing is not a list of strokes [[x, ...], [y, ...]]"
        raise Unusable("not-a-drawing", detail) from error
    if (
        points.shape[1:] != (2,)
        or not len(points)
        or not (abs(points) < FARTHEST).all()
    ):
        raise Unusable("not-a-drawing", "its strokes have no points, or no finite ones")
    low, high = points.min(0), points.max(0)
    longer = float((high - low).max())
    # A single dot stays a dot.
    factor = (SIDE - 2 * MARGIN) / longer if longer > 0 else 0.0
    # The center of the image, counted from the middle of its first pixel.
    center = (SIDE - 1) / 2
    return [
        np.round(((stroke - (low + high) / 2) * factor + center) * (1 << BITS))
        .astype(np.int32)
        .reshape(-1, 1, 2)
        for stroke in strokes
        if len(stroke)
    ]


def render(strokes: Strokes) -> np.ndarray:
    """Draw strokes; uint8 [SIDE, SIDE]."""
    import cv2

    image = np.full((SIDE, SIDE), 255, np.uint8)
    for stroke in strokes:
        # A lone point is drawn as a line to itself.
        line = stroke if len(stroke) > 1 else stroke.repeat(2, axis=0)
        cv2.polylines(image, [line], False, 0, STROKE, cv2.LINE_AA, BITS)
    return image


def _write_image(path: Path, strokes: Strokes) -> None:
    import cv2

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.write(cv2.imencode(".png", render(strokes))[1].tobytes())
    except FileExistsError as error:
        raise Unusable("id-twice", "something of its name is there") from error
    except OSError as error:
        raise DatasetError(f"{path} cannot be written: {error.strerror}.") from error
