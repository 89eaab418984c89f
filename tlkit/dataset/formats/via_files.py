"""Entries of VGG Image Annotator (VIA) files, one per image, and shapes of regions.

VIA 2 has a project (entries in "_via_img_metadata") and an export of the annotations
alone, an object of entries; VIA 1 the latter, its regions numbered rather than listed.
Both export a CSV, one line per region, whose attributes are JSON.
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
from tlkit.imaging.safe_read import MAX_JSON_BYTES, Unusable, read_json, read_text

METADATA = "_via_img_metadata"
COLUMNS = (
    *("filename", "file_attributes", "region_count", "region_id"),
    *("region_shape_attributes", "region_attributes"),
)


@dataclass(frozen=True)
class Region:
    """One region of an image, as it stands in the file."""

    number: int  # from 1, as VIA shows it
    shape: Any  # its shape_attributes
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ViaEntry:
    """The regions and attributes of one image in one file."""

    file: str
    name: str  # of the image, as written
    folder: str = ""  # of the images, by the project's settings
    regions: tuple[Region, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)


def count_csv_images(path: Path) -> int:
    """Count the images that a CSV of VIA is about, without parsing it."""
    try:
        with path.open("rb") as file:
            return len({line.split(b",", 1)[0].strip() for line in file}) - 1
    except OSError:
        return 0


def read_entries(root: Path, file: str) -> Iterator[ViaEntry | Rejected]:
    """Read a file."""
    try:
        if file.lower().endswith(".csv"):
            yield from _csv_entries(read_text(root / file, MAX_JSON_BYTES), file)
        else:
            yield from _json_entries(read_json(root / file), file)
    except Unusable as error:
        yield Rejected(file, error.reason, error.detail)


def _json_entries(content: Any, file: str) -> Iterator[ViaEntry | Rejected]:
    folder: Any = ""
    if isinstance(content, dict) and METADATA in content:
        core = _object(_object(content.get("_via_settings")).get("core"))
        folder = core.get("default_filepath")
        content = content[METADATA]
    entries = _object(content)
    if not any(
        isinstance(entry, dict) and "filename" in entry and "regions" in entry
        for entry in entries.values()
    ):
        detail = "JSON, but not as the VGG Image Annotator writes it."
        raise Unusable("not-via", detail)
    for key, entry in entries.items():
        try:
            yield _entry(entry, file, folder if isinstance(folder, str) else "")
        except Unusable as error:
            detail = f"Entry {key[:80]!r}: {error.detail}."
            yield Rejected(file, error.reason, detail)


def _entry(content: Any, file: str, folder: str) -> ViaEntry:
    name = _object(content).get("filename")
    if not isinstance(name, str) or not name:
        raise Unusable("bad-entry", "it names no image")
    regions = content.get("regions") or []
    if isinstance(regions, dict):
        regions = [regions[number] for number in sorted(regions, key=natural_key)]
    if not isinstance(regions, list):
        raise Unusable("bad-entry", "its regions are not a list")
    found = tuple(_region(i, region) for i, region in enumerate(regions, 1))
    return ViaEntry(file, name, folder, found, _object(content.get("file_attributes")))


def _region(number: int, content: Any) -> Region:
    if not isinstance(content, dict):
        return Region(number, content)
    attributes = _object(content.get("region_attributes"))
    return Region(number, content.get("shape_attributes"), attributes)


def _object(content: Any) -> Mapping[str, Any]:
    return content if isinstance(content, dict) else {}


def _csv_entries(text: str, file: str) -> Iterator[ViaEntry | Rejected]:
    lines = io.StringIO(text, newline="")
    names = [name.strip(' "#\r\n') for name in lines.readline().split(",")]
    if not set(COLUMNS) <= set(names):
        detail = "A table, but not as the VGG Image Annotator writes it."
        raise Unusable("not-via", detail)
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
        yield ViaEntry(file, name, regions=tuple(regions), attributes=attributes)


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
        return _object(of_file), None
    number = int(cells["region_id"]) + 1
    return _object(of_file), Region(number, shape, _object(of_region))


def read_shape(content: Any) -> Shape:
    """Read the shape of one region."""
    if not isinstance(content, Mapping):
        raise Unusable("bad-shape", "its shape is not an object")
    match content.get("name"):
        case "polygon":
            return _joined(content, "polygon")
        case "polyline":
            return _joined(content, "linestrip")
        case "rect":
            x, y, width, height = _numbers(content, "x", "y", "width", "height")
            return Shape("rectangle", ((x, y), (x + width, y + height)))
        case "point":
            x, y = _numbers(content, "cx", "cy")
            return Shape("point", ((x, y),))
        case "circle":
            x, y, r = _numbers(content, "cx", "cy", "r")
            return Shape("circle", ((x, y), (x + r, y)))
        case "ellipse":
            return _ellipse({"theta": 0, **content})
        case kind:
            raise Unusable("unknown-shape", f"unknown kind of shape {kind!r}")


def _joined(content: Mapping[str, Any], kind: str) -> Shape:
    xs, ys = (content.get(f"all_points_{axis}") for axis in "xy")
    if not isinstance(xs, list) or not isinstance(ys, list) or len(xs) != len(ys):
        detail = "all_points_x and all_points_y are not two lists of one length"
        raise Unusable("bad-points", detail)
    if not all(_is_number(value) for value in (*xs, *ys)):
        raise Unusable("bad-points", "some of its points are not numbers")
    return Shape.make(kind, list(zip(xs, ys, strict=True)))


def _ellipse(content: Mapping[str, Any]) -> Shape:
    x, y, rx, ry, theta = _numbers(content, "cx", "cy", "rx", "ry", "theta")
    if not math.isfinite(theta):
        raise Unusable("bad-points", f"its theta is {theta}")
    cos, sin = math.cos(theta), math.sin(theta)
    ends = (x + rx * cos, y + rx * sin), (x - ry * sin, y + ry * cos)
    return Shape("ellipse", ((x, y), *ends))


def _numbers(content: Mapping[str, Any], *names: str) -> tuple[float, ...]:
    for name in names:
        if not _is_number(content.get(name)):
            detail = f"its {name} is {content.get(name)!r}, not a number"
            raise Unusable("bad-points", detail)
    try:
        return tuple(float(content[name]) for name in names)
    except OverflowError as error:
        raise Unusable("bad-points", "its points are not finite") from error


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
