"""Quick, Draw! drawings (.ndjson, simplified or raw) in, images drawn of them out.

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

from tlkit.dataset.records import ImageRecord, ParsedSource, Rejected, is_label
from tlkit.dataset.sources.open import DRAWINGS, Source
from tlkit.dataset.sources.strokes import Strokes, scaled, write_image
from tlkit.errors import DatasetError
from tlkit.imaging.safe_read import Unusable, count_lines
from tlkit.progress import track

# The longest raw drawings have some hundred kilobytes.
MAX_LINE = 4 << 20
KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")
# What a line says of its word, read without the rest of it.
WORD = re.compile(rb'"word"\s*:\s*("(?:[^"\\]|\\.)*")')
ATTRIBUTES = ("key_id", "recognized", "countrycode", "timestamp")


def read(source: Source) -> ParsedSource:
    """Draw what .ndjson files hold."""
    if source.made is None:
        raise DatasetError("Drawings need a folder to be drawn to.")
    files = source.ending(DRAWINGS)
    total = sum(count_lines(source.root / file) for file in files)
    # One that several files have in common is drawn once.
    taken: set[str] = set()
    found: Counter[str] = Counter()
    each = (_drawn(source, source.made, file, taken, found) for file in files)
    results = itertools.chain.from_iterable(each)
    records: list[ImageRecord] = []
    rejected = list(source.rejected)
    expected = None if source.reading.limit else total
    for one in track(results, source.progress, "Drawing images", expected):
        if isinstance(one, ImageRecord):
            records.append(one)
        else:
            rejected.append(one)
    limit = source.reading.limit or math.inf
    beyond = sum(max(number - limit, 0) for number in found.values())
    more = f" {beyond:,} beyond the limit are left out." if beyond else ""
    return ParsedSource(
        files=source.files,
        records=tuple(records),
        rejected=tuple(rejected),
        note=f"Read as Quick, Draw! drawings, {len(records)} of them drawn.{more}",
        consumed=frozenset(files),
        root=source.made,
    )


def _drawn(
    source: Source, made: Path, file: str, taken: set[str], found: Counter[str]
) -> Iterator[ImageRecord | Rejected]:
    """Draw the drawings of a file, in its order, as many of each word as are wanted."""
    limit = source.reading.limit or math.inf
    path = source.root / file
    if not (path.is_file() and os.access(path, os.R_OK)):
        detail = "Not an ordinary file that may be read."
        yield Rejected(file, "unreadable", detail)
        return
    for number, line in _lines(path):
        word = _word(line)
        if word and found[word] >= limit:
            found[word] += 1
            continue
        try:
            record, strokes = sketch(line, f"{posixpath.splitext(file)[0]}-{number}")
            if record.path in taken:
                raise Unusable("id-twice", "its key_id was there before")
            write_image(made / record.path, strokes)
        except Unusable as error:
            reason, detail = error.reason, error.detail
            yield Rejected(file, reason, f"Line {number}: {detail}.")
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


def sketch(line: bytes, name: str) -> tuple[ImageRecord, Strokes]:
    """Read a line."""
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
    return record, scaled(content.get("drawing"))
