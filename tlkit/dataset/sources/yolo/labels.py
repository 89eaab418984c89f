"""A YOLO label file and its picture in, what its lines draw out; runs in workers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tlkit.dataset.contents import UnreadableImage, read_bytes
from tlkit.dataset.geometry import BadShape
from tlkit.dataset.images import measure
from tlkit.dataset.sources.page import Rejection, Thing, is_label
from tlkit.dataset.sources.text import read_lines
from tlkit.dataset.sources.yolo.config import Config
from tlkit.dataset.sources.yolo.lines import Drawn, parse_line

# Of one file so many lines are rejected one by one.
MOST_FAULTS = 20
# Of a line: its number, the reason, the detail.
Fault = tuple[int, str, str]


@dataclass(frozen=True)
class Task:
    """A label file to be read.

    Attributes:
        file: POSIX, relative to the source root.
        picture: What it is about, likewise.
        keypoints: How many a line may have and how many numbers each.
    """

    file: str
    picture: str
    keypoints: tuple[int, int] | None = None


@dataclass(frozen=True)
class Labels:
    """What one label file says.

    Attributes:
        size: Width and height of its picture, upright.
        drawn: What its lines say, and their numbers.
        faults: Of those that cannot be used.
    """

    size: tuple[int, int]
    drawn: tuple[tuple[int, Drawn], ...]
    faults: tuple[Fault, ...] = ()


def read_labels(root: Path, task: Task) -> Labels | tuple[Rejection, ...]:
    """Read one label file.

    Args:
        root: The source root.
        task: What to read.

    Returns:
        What it says, or why it or its picture cannot be used.
    """
    try:
        lines = read_lines(root / task.file)
    except UnreadableImage as error:
        return (Rejection(task.file, error.reason, error.detail),)
    try:
        size = measure(read_bytes(root / task.picture))
    except UnreadableImage as error:
        detail = f"Its picture {task.picture}: {error.detail}"
        return (
            Rejection(task.picture, error.reason, error.detail),
            Rejection(task.file, error.reason, detail),
        )
    drawn: list[tuple[int, Drawn]] = []
    faults: list[Fault] = []
    for number, line in enumerate(lines, 1):
        try:
            if line:
                drawn.append((number, parse_line(line, size, task.keypoints)))
        except BadShape as error:
            faults.append((number, *error.args))
    return Labels(size, tuple(drawn), tuple(faults))


def named_things(
    labels: Labels, config: Config | None
) -> tuple[tuple[Thing, ...], list[Fault]]:
    """Give what was drawn its class.

    Args:
        labels: What the label file says.
        config: What names the classes; None where they are called by their numbers.

    Returns:
        The things, and all faults of the file, by line.
    """
    things, faults = [], list(labels.faults)
    for line, drawn in labels.drawn:
        number = drawn.number
        label = config.names.get(number, "") if config else str(number)
        if is_label(label):
            things.append(Thing(label, (drawn.shape,), attributes=drawn.attributes))
            continue
        where = config.file if config else ""
        detail = f"{where} has no name for class {number}"
        if label:
            detail = f"{where} calls class {number} {label!r}"
        faults.append((line, "bad-label" if label else "bad-class", detail))
    return tuple(things), sorted(faults)


def told(faults: Sequence[Fault], file: str) -> Iterator[Rejection]:
    """Say what of a label file cannot be used.

    Args:
        faults: By line.
        file: The label file.

    Yields:
        A rejection a line for the first of them, one for all others.
    """
    for line, reason, detail in faults[:MOST_FAULTS]:
        yield Rejection(file, reason, f"Line {line}: {detail}.")
    if len(faults) > MOST_FAULTS:
        detail = f"{len(faults) - MOST_FAULTS} more lines cannot be used."
        yield Rejection(file, faults[MOST_FAULTS][1], detail)
