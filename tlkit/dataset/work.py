"""The work folder of `tlkit annotate`: pictures and their labelme JSON, and back.

    WORK/0001 photo.jpg     a link to the picture, or a copy where labelme or the system
                            could not do with one
    WORK/0001 photo.json    what is known of it, to be corrected in labelme
    WORK/flags.txt          what a picture may be, for labelme's --flags
    WORK/labels.txt         the classes, for labelme's --labels
    WORK/work.json          which picture of the source each JSON is about, and as what
                            it was written, so that what was changed can be told

labelme lists the pictures of a folder, not its JSON, so that they have to be there.
"""

from __future__ import annotations

import hashlib
import io
import json
import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from tlkit.dataset import contents, images
from tlkit.dataset.contents import UnreadableImage
from tlkit.dataset.images import Picture
from tlkit.dataset.sources.page import Page, Rejection
from tlkit.dataset.writers import labelme
from tlkit.dataset.writers.sheet import Sheet
from tlkit.errors import UsageError
from tlkit.files import write_json, write_text

WORK = "work.json"
FLAGS, LABELS = "flags.txt", "labels.txt"
IGNORE = "__ignore__"
FORMAT = 1
# What labelme opens under which suffix, where nothing else is odd about a picture.
PLAIN = {"JPEG": (".jpg", ".jpeg"), "PNG": (".png",), "BMP": (".bmp",)}
LONGEST = 80
# So much is quoted of what makes no sense.
BRIEF = 30


@dataclass(frozen=True)
class State:
    """What a JSON says, as far as a correction may change it.

    Attributes:
        flags: Those that are true.
        shapes: A digest of what is drawn.
    """

    flags: tuple[str, ...]
    shapes: str


@dataclass(frozen=True)
class Entry:
    """A picture of a work folder.

    Attributes:
        name: Of its JSON.
        path: Of the picture, relative to the source root.
        state: As it was written.
        label_by: What has the labels, "image" or "shapes", and is alone shown to be
            corrected; "" where that was not written down.
    """

    name: str
    path: str
    state: State
    label_by: str = ""


def state_of(content: Any) -> State:
    """Take from a labelme JSON what a correction may change.

    Args:
        content: What it holds, which may be anything.

    Returns:
        The state; points to a tenth of a pixel, since labelme may write them anew.
    """
    content = content if isinstance(content, Mapping) else {}
    shapes = content.get("shapes")
    shapes = shapes if isinstance(shapes, list) else []
    drawn = sorted(json.dumps(_drawn(shape)) for shape in shapes)
    digest = hashlib.sha256("\n".join(drawn).encode()).hexdigest()
    return State(_true(content.get("flags")), digest)


def changed(content: Mapping[str, Any], entry: Entry) -> tuple[bool, bool]:
    """Find out what was corrected.

    Args:
        content: What a JSON holds now.
        entry: As what it was written.

    Returns:
        Whether the labels of the picture were, and whether what is drawn was.
    """
    now = state_of(content)
    flags = now.flags != entry.state.flags and bool(now.flags)
    shapes = now.shapes != entry.state.shapes and isinstance(
        content.get("shapes"), list
    )
    counts = entry.label_by != "shapes" or IGNORE in now.flags
    return flags and counts, shapes and entry.label_by != "image"


def faults_of(content: Mapping[str, Any], entry: Entry) -> Iterator[str]:
    """Find what a person may have meant as a correction, and is none.

    Args:
        content: What a JSON holds now.
        entry: As what it was written.

    Yields:
        A sentence for each.
    """
    flags, shapes = content.get("flags"), content.get("shapes")
    now, before = state_of(content), entry.state
    if not isinstance(flags, Mapping):
        what = json.dumps(flags)[:BRIEF]
        yield f"Its flags are {what}, as labelme writes none; the label stays."
    elif odd := [name for name, value in flags.items() if not isinstance(value, bool)]:
        yield f"Its flag {odd[0]!r} is neither true nor false; it counts as not set."
    elif before.flags and not now.flags:
        yield f"No flag is set any more; the label stays. Set {IGNORE} to leave it out."
    if entry.label_by == "shapes" and set(now.flags) - {*before.flags, IGNORE}:
        yield f"Shapes have the labels here; of flags, {IGNORE} alone says anything."
    if not isinstance(shapes, list):
        what = json.dumps(shapes)[:BRIEF]
        yield f"Its shapes are {what}, as labelme writes none; what was drawn stays."
    elif entry.label_by == "image" and now.shapes != before.shapes:
        yield "Pictures have the labels here; what is drawn changes nothing: set flags."


def _true(flags: Any) -> tuple[str, ...]:
    flags = flags if isinstance(flags, Mapping) else {}
    return tuple(sorted(name for name, value in flags.items() if value is True))


def _drawn(shape: Any) -> Any:
    if not isinstance(shape, Mapping):
        return shape
    try:
        points: Any = [[round(x, 1) + 0.0 for x in point] for point in shape["points"]]
    except (KeyError, TypeError, ValueError, OverflowError):
        points = repr(shape.get("points"))
    told = [shape.get(name) for name in ("label", "shape_type", "group_id")]
    return [*told, _true(shape.get("flags")), points]


def write_pictures(
    folder: Path, root: Path, pages: Iterable[Page], *, flags: Sequence[str]
) -> tuple[list[Entry], list[Rejection]]:
    """Write pictures and their JSON.

    Args:
        folder: Where to; it exists.
        root: The source root.
        pages: Upright, one a picture.
        flags: The names to choose from.

    Returns:
        What is there now, and the pictures that cannot be shown.
    """
    entries: list[Entry] = []
    unseen = []
    for page in pages:
        try:
            data = contents.read_bytes(root / page.path)
            picture = images.decode(data)
        except UnreadableImage as error:
            unseen.append(Rejection(page.path, error.reason, error.detail))
            continue
        stem = f"{len(entries) + 1:04d} {_tame(page.path)}"
        name = _show(folder, stem, root / page.path, data, picture)
        chosen = dict.fromkeys((*flags, *page.labels), False)
        chosen |= dict.fromkeys(page.labels, True)
        height, width = picture.pixels.shape[:2]
        sheet = Sheet(
            Page(page.path, things=page.things, attributes={"flags": chosen}),
            name,
            width,
            height,
        )
        labelme.write(folder, [sheet], ())
        state = state_of(contents.read_json(folder / f"{stem}.json"))
        entries.append(Entry(f"{stem}.json", page.path, state))
    return entries, unseen


def _tame(path: str) -> str:
    stem = posixpath.splitext(posixpath.basename(path))[0]
    plain = "".join(
        c if c.isprintable() and c not in '<>:"\\|?*' else "_" for c in stem
    )
    # A dot or a space at the end of a name does not last on Windows.
    return plain[:LONGEST].rstrip(". ") or "_"


def _show(folder: Path, stem: str, path: Path, data: bytes, picture: Picture) -> str:
    suffixes = PLAIN.get(picture.format, ())
    odd = [note for note in picture.notes if not note.startswith("exif-orientation")]
    embedded = path.suffix.lower() == ".json"
    if odd or not (embedded or path.suffix.lower() in suffixes) or not suffixes:
        # labelme would show it otherwise than it is read here, or not at all.
        buffer = io.BytesIO()
        Image.fromarray(picture.pixels).save(buffer, "PNG")
        (folder / f"{stem}.png").write_bytes(buffer.getvalue())
        return f"{stem}.png"
    place = folder / (stem + suffixes[0])
    try:
        if embedded:
            place.write_bytes(data)
        else:
            place.symlink_to(path.resolve())
    except OSError:  # not every system lets everybody make links
        place.write_bytes(data)
    return place.name


def write_index(
    folder: Path,
    entries: Iterable[Entry],
    *,
    labels: Sequence[str],
    flags: Sequence[str],
    **about: str,
) -> None:
    """Write what labelme is started with, and work.json.

    Args:
        folder: Where to; it exists.
        entries: What is there.
        labels: To choose from for what is drawn.
        flags: To choose from for a picture.
        **about: What else to remember.
    """
    write_text(folder / LABELS, "".join(f"{name}\n" for name in labels))
    write_text(folder / FLAGS, "".join(f"{name}\n" for name in flags))
    pictures = {
        entry.name: {
            "path": entry.path,
            "flags": list(entry.state.flags),
            "shapes": entry.state.shapes,
        }
        for entry in entries
    }
    write_json(folder / WORK, {"format": FORMAT, **about, "pictures": pictures})


def read_index(folder: Path) -> list[Entry]:
    """Read work.json.

    Args:
        folder: A work folder.

    Returns:
        What it was made of.

    Raises:
        UsageError: It is no work folder.
    """
    try:
        content = contents.read_json(folder / WORK)
        entries = [
            Entry(
                name,
                told["path"],
                State(tuple(told["flags"]), told["shapes"]),
                str(content.get("label_by", "")),
            )
            for name, told in content["pictures"].items()
        ]
        # Only what lies in the folder itself is ever read.
        names = [e.name for e in entries if Path(e.name).name != e.name]
        fault = f"it names {names[0]!r}" if names else ""
    except (UnreadableImage, KeyError, TypeError, AttributeError) as error:
        fault = error.detail if isinstance(error, UnreadableImage) else repr(error)
    if fault:
        raise UsageError(
            f"{folder} is not a work folder, for its {WORK}: {fault}",
            hint="Make one with tlkit annotate.",
        )
    return entries
