"""What was asked to stay together in, the group of each image out.

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

from tlkit.dataset.inspection.image_info import ImageInfo
from tlkit.dataset.records import ImageRecord, in_natural_order
from tlkit.errors import UsageError
from tlkit.progress import Progress

# Seconds between two images of one burst, at most: enough to take the next image
# of the same shelf, too little to walk on to another scene and set it up.
BURST_GAP = 10.0
TAKEN = "%Y:%m:%d %H:%M:%S"


def grouped(
    records: Sequence[ImageRecord],
    info: Sequence[ImageInfo],
    by: str | None,
    progress: Progress,
) -> list[ImageRecord]:
    """Give pages the groups that were asked for."""
    if by is None:
        return list(records)
    found, alone = groups(by, records, info)
    number = len(set(found.values()))
    progress.note(f"{len(found)} images in {number} groups by {by}.")
    if alone:
        progress.warn(
            f"{len(alone)} images have no group by {by}, as "
            f"{alone[0]}; each is one of its own."
        )
    return [replace(record, group=found.get(record.path, "")) for record in records]


def groups(
    by: str, records: Sequence[ImageRecord], info: Sequence[ImageInfo]
) -> tuple[dict[str, str], list[str]]:
    """Group images."""
    if by == "folder":
        found = {fact.path: posixpath.dirname(fact.path) for fact in info}
    elif by == "burst":
        found = _bursts(info)
    elif columns := _column(by, records):
        found = columns
    else:
        found = _matches(by, records, info)
    paths = {fact.path for fact in info}
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
            f"group_by {by!r} is no column, and no regular expression: {error}.{known}",
            hint="Expected folder, burst, a column or a pattern as 'patient(\\d+)'.",
        ) from error
    found = {}
    for fact in info:
        match = pattern.search(fact.path)
        if match:
            found[fact.path] = match[1] if pattern.groups else match[0]
    found = {path: group for path, group in found.items() if group}
    if not found:
        raise UsageError(
            f"group_by {by!r} is no column, and as a regular expression it is found in "
            f"no path.{known}",
            hint="Paths are relative to the source, as in class/patient7_3.jpg, for "
            "which 'patient(\\d+)' gives 7.",
        )
    return found


def _bursts(info: Iterable[ImageInfo]) -> dict[str, str]:
    cameras: dict[str, list[tuple[float, str]]] = {}
    for fact in info:
        seconds = _seconds(fact.taken)
        if seconds is not None:
            cameras.setdefault(fact.camera, []).append((seconds, fact.path))
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
