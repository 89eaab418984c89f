"""Files of the VGG Image Annotator in, their entries out, one an image.

VIA 2 has a project (entries in "_via_img_metadata") and an export of the annotations
alone, an object of entries; VIA 1 the latter, its regions numbered rather than listed.
Both export a CSV, one line a region, whose attributes are JSON.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tlkit.dataset.annotations.shapes import Shape
from tlkit.dataset.records import Rejected, natural_key
from tlkit.imaging.safe_read import (
    MAX_JSON_BYTES,
    Unusable,
    read_bytes,
    read_json,
)

METADATA = "_via_img_metadata"
COLUMNS = (
    "filename",
    "file_attributes",
    "region_count",
    "region_id",
    "region_shape_attributes",
    "region_attributes",
)


@dataclass(frozen=True)
class Region:
    """Something drawn, as it stands in the file.

    Attributes:
        number: From 1, as VIA shows it.
        shape: Its shape_attributes.
        attributes: What is written of it.
    """

    number: int
    shape: Any
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Entry:
    """What a file says of one image.

    Attributes:
        file: The annotation file.
        name: What it calls the image.
        folder: Where the project says that its images are; "" for nowhere.
        regions: What was drawn.
        attributes: What is written of the image.
    """

    file: str
    name: str
    folder: str = ""
    regions: tuple[Region, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)


Found = Iterator[Entry | Rejected]


def count_csv_images(path: Path) -> int:
    """Count the images that a CSV of VIA is about, without parsing it."""
    try:
        with path.open("rb") as file:
            return len({line.split(b",", 1)[0].strip() for line in file}) - 1
    except OSError:
        return 0


def read_entries(root: Path, file: str) -> Found:
    """Read a file."""
    try:
        if file.lower().endswith(".csv"):
            yield from _table(_text(root / file), file)
        else:
            yield from _entries(read_json(root / file), file)
    except Unusable as error:
        yield Rejected(file, error.reason, error.detail)


def _entries(content: Any, file: str) -> Found:
    folder = ""
    if isinstance(content, dict) and METADATA in content:
        folder = _folder(content)
        content = content[METADATA]
    ours = isinstance(content, dict) and any(
        isinstance(entry, dict) and "filename" in entry and "regions" in entry
        for entry in content.values()
    )
    if not ours:
        detail = "JSON, but not as the VGG Image Annotator writes it."
        yield Rejected(file, "not-via", detail)
        return
    for key, entry in content.items():
        yield _entry(key, entry, file, folder)


def _entry(key: str, content: Any, file: str, folder: str) -> Entry | Rejected:
    name = content.get("filename") if isinstance(content, dict) else None
    if not isinstance(name, str) or not name:
        detail = f"Entry {key[:80]!r}: it names no image."
        return Rejected(file, "bad-entry", detail)
    regions = content.get("regions") or []
    if isinstance(regions, dict):
        regions = [regions[number] for number in sorted(regions, key=natural_key)]
    if not isinstance(regions, list):
        detail = f"Entry {key[:80]!r}: its regions are no list."
        return Rejected(file, "bad-entry", detail)
    return Entry(
        file=file,
        name=name,
        folder=folder,
        regions=tuple(_region(i, region) for i, region in enumerate(regions, 1)),
        attributes=_attributes(content.get("file_attributes")),
    )


def _folder(content: Mapping[str, Any]) -> str:
    settings = content.get("_via_settings")
    core = settings.get("core") if isinstance(settings, dict) else None
    folder = core.get("default_filepath") if isinstance(core, dict) else None
    return folder if isinstance(folder, str) else ""


def _region(number: int, content: Any) -> Region:
    if not isinstance(content, dict):
        return Region(number, content)
    attributes = _attributes(content.get("region_attributes"))
    return Region(number, content.get("shape_attributes"), attributes)


def _attributes(content: Any) -> Mapping[str, Any]:
    return content if isinstance(content, dict) else {}


def _text(path: Path) -> str:
    data = read_bytes(path, embedded=False)
    if len(data) > MAX_JSON_BYTES:
        detail = f"{len(data):,} bytes, of which {MAX_JSON_BYTES:,} are allowed."
        raise Unusable("too-big", detail, file=str(path))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        detail = f"Not UTF-8: {error}."
        raise Unusable("broken-csv", detail, file=str(path)) from error


def _is_header(line: str) -> bool:
    names = line.strip().lstrip("#").replace('"', "").split(",")
    return set(COLUMNS) <= {name.strip() for name in names}


def _table(text: str, file: str) -> Found:
    lines = io.StringIO(text, newline="")
    header = lines.readline()
    if not _is_header(header):
        detail = "A table, but not as the VGG Image Annotator writes it."
        yield Rejected(file, "not-via", detail)
        return
    names = [name.strip(' "#\r\n') for name in header.split(",")]
    found: dict[tuple[str, str], tuple[Mapping[str, Any], list[Region]]] = {}
    for number, row in _rows(lines):
        if isinstance(row, str) or len(row) != len(names):
            fault = row if isinstance(row, str) else f"{len(row)} of {len(names)} cells"
            yield Rejected(file, "bad-entry", f"Line {number}: {fault}.")
            continue
        cells = dict(zip(names, row, strict=True))
        key = cells["filename"], cells.get("file_size", "")
        try:
            attributes, region = _cells(cells)
        except (ValueError, RecursionError) as error:
            yield Rejected(file, "broken-json", f"Line {number}: {error}.")
            continue
        _, regions = found.setdefault(key, (attributes, []))
        if region is not None:
            regions.append(region)
    for (name, _), (attributes, regions) in found.items():
        yield Entry(file, name, regions=tuple(regions), attributes=attributes)


def _rows(lines: Iterable[str]) -> Iterator[tuple[int, list[str] | str]]:
    rows = csv.reader(lines)
    while True:
        try:
            row: list[str] | str = next(rows)
        except StopIteration:
            return
        except csv.Error as error:  # the next line may be good again
            row = str(error)
        if row:
            yield rows.line_num + 1, row


def _cells(cells: Mapping[str, str]) -> tuple[Mapping[str, Any], Region | None]:
    of_file, shape, of_region = (
        json.loads(cells[name] or "{}")
        for name in ("file_attributes", "region_shape_attributes", "region_attributes")
    )
    if not shape and cells["region_count"].strip() in {"", "0"}:
        return _attributes(of_file), None
    number = int(cells["region_id"]) + 1
    return _attributes(of_file), Region(number, shape, _attributes(of_region))


def read_region(content: Any) -> Shape:
    """Read the shape of one region."""
    if not isinstance(content, Mapping):
        raise Unusable("bad-shape", "its shape is not an object")
    kind = content.get("name")
    if kind in ("polygon", "polyline"):
        return _joined(content, "polygon" if kind == "polygon" else "linestrip")
    if kind == "rect":
        x, y, width, height = _numbers(content, "x", "y", "width", "height")
        return Shape("rectangle", ((x, y), (x + width, y + height)))
    if kind == "point":
        return Shape("point", (_numbers(content, "cx", "cy"),))  # type: ignore[arg-type]
    if kind == "circle":
        x, y, r = _numbers(content, "cx", "cy", "r")
        return Shape("circle", ((x, y), (x + r, y)))
    if kind == "ellipse":
        return _ellipse(content)
    raise Unusable("unknown-shape", f"a {kind!r} is not known")


def _joined(content: Mapping[str, Any], kind: str) -> Shape:
    xs, ys = (content.get(f"all_points_{axis}") for axis in "xy")
    if not isinstance(xs, list) or not isinstance(ys, list) or len(xs) != len(ys):
        raise Unusable("bad-points", "all_points_x and all_points_y are no two lists")
    if not all(_is_number(value) for value in (*xs, *ys)):
        raise Unusable("bad-points", "some of its points are not numbers")
    return Shape.make(kind, list(zip(xs, ys, strict=True)))


def _ellipse(content: Mapping[str, Any]) -> Shape:
    x, y, rx, ry = _numbers(content, "cx", "cy", "rx", "ry")
    (theta,) = _numbers({"theta": 0, **content}, "theta")
    if not math.isfinite(theta):
        raise Unusable("bad-points", f"its theta is {theta}")
    cos, sin = math.cos(theta), math.sin(theta)
    ends = (x + rx * cos, y + rx * sin), (x - ry * sin, y + ry * cos)
    return Shape("ellipse", ((x, y), *ends))


def _numbers(content: Mapping[str, Any], *names: str) -> tuple[float, ...]:
    values = [content.get(name) for name in names]
    for name, value in zip(names, values, strict=True):
        if not _is_number(value):
            raise Unusable("bad-points", f"its {name} is {value!r}, no number")
    try:
        return tuple(float(value) for value in values)  # type: ignore[arg-type]
    except OverflowError as error:
        raise Unusable("bad-points", "its points are not finite") from error


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
