"""The groups that the user asks for, of images that stay in one split.

folder     images of one folder
burst      images of one camera, each taken soon after the one before
a column   images with the same value in that column of a table, or that attribute
a pattern  images in whose path a regular expression finds the same text: that of
           its first group, or all that it matches
"""

from __future__ import annotations

import datetime
import math
import posixpath
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from tlkit.dataset.records import ImageInfo, ImageRecord, in_natural_order
from tlkit.errors import UsageError
from tlkit.progress import Progress

# Seconds between two images of one burst, at most: enough to take the next image
# of the same scene, too little to walk on to another scene and set it up.
BURST_GAP = 10.0
TAKEN = "%Y:%m:%d %H:%M:%S"


def grouped(
    records: Sequence[ImageRecord],
    info: Sequence[ImageInfo],
    by: str | None,
    progress: Progress,
) -> list[ImageRecord]:
    """Give image records the groups that were asked for."""
    if by is None:
        return list(records)
    found, alone = groups(by, records, info)
    number = len(set(found.values()))
    progress.note(f"{len(found)} images in {number} groups by {by}.")
    if alone:
        progress.warn(
            f"{len(alone)} images have no group by {by}, such as {alone[0]}; each is a "
            "group of its own."
        )
    return [replace(record, group=found.get(record.path, "")) for record in records]


def groups(
    by: str, records: Sequence[ImageRecord], info: Sequence[ImageInfo]
) -> tuple[dict[str, str], list[str]]:
    """Return the group of images by path, and the images without one."""
    if by == "folder":
        found = {one.path: posixpath.dirname(one.path) for one in info}
    elif by == "burst":
        found = _bursts(info)
    elif columns := _column(by, records):
        found = columns
    else:
        found = _matches(by, records, info)
    paths = {one.path for one in info}
    found = {path: group for path, group in found.items() if path in paths}
    return found, in_natural_order(paths - found.keys())


def _column(by: str, records: Iterable[ImageRecord]) -> dict[str, str]:
    found = {}
    for record in records:
        value = record.attributes.get(by)
        if value not in (None, ""):
            found[record.path] = str(value)
        elif by == "group" and record.group:
            found[record.path] = record.group
    return found


def _matches(
    by: str, records: Iterable[ImageRecord], info: Iterable[ImageInfo]
) -> dict[str, str]:
    columns = in_natural_order(
        {name for record in records for name in record.attributes}
    )
    known = f" Columns and attributes: {', '.join(columns)}." if columns else ""
    try:
        pattern = re.compile(by)
    except re.error as error:
        raise UsageError(
            f"group_by {by!r} is not a column, nor a regular expression: {error}."
            f"{known}",
            hint="Use folder, burst, a column, or a pattern such as 'patient(\\d+)'.",
        ) from error
    found = {}
    for one in info:
        if match := pattern.search(one.path):
            found[one.path] = match[1] if pattern.groups else match[0]
    found = {path: group for path, group in found.items() if group}
    if not found:
        raise UsageError(
            f"group_by {by!r} is not a column, and as a regular expression it matches "
            f"no path.{known}",
            hint="Paths are relative to the source, such as class/patient7_3.jpg, for "
            "which 'patient(\\d+)' gives 7.",
        )
    return found


def _bursts(info: Iterable[ImageInfo]) -> dict[str, str]:
    cameras: dict[str, list[tuple[float, str]]] = {}
    for one in info:
        if (seconds := _seconds(one.taken)) is not None:
            cameras.setdefault(one.camera, []).append((seconds, one.path))
    found = {}
    for camera, taken in cameras.items():
        taken.sort()
        before, first = -math.inf, ""
        for now, path in taken:
            first = first if now - before <= BURST_GAP else path
            found[path] = f"{camera} {first}"
            before = now
    return found


def _seconds(taken: str) -> float | None:
    # Since the epoch; all that counts is the difference.
    text, _, part = taken.partition(".")
    try:
        moment = datetime.datetime.strptime(text, TAKEN)
    except ValueError:
        return None
    seconds = (moment - datetime.datetime(1970, 1, 1)).total_seconds()
    return seconds + (float(f"0.{part}") if part.isdigit() else 0.0)
