"""The annotation folder of `tlkit annotate`: images with labelme JSON files.

    FOLDER/0001 photo.jpg   a link to the image, or a copy where labelme or the system
                            needs one
    FOLDER/0001 photo.json  its annotation, to be corrected in labelme
    FOLDER/flags.txt        the labels of whole images, for labelme's --flags
    FOLDER/labels.txt       the classes, for labelme's --labels
    FOLDER/annotate.json    the image of the source and the written state of each JSON

labelme lists the images of a folder, not its JSON files, so the images must be there.
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

from tlkit.dataset.convert import labelme
from tlkit.dataset.convert.records import OutputImage
from tlkit.dataset.records import ImageRecord, Rejected
from tlkit.errors import UsageError
from tlkit.files import write_json, write_text
from tlkit.imaging.decode import DecodedImage, decode
from tlkit.imaging.safe_read import Unusable, read_bytes, read_json

INDEX = "annotate.json"
FLAGS, LABELS = "flags.txt", "labels.txt"
IGNORE = "__ignore__"
FORMAT = 1
# Suffixes under which labelme opens an image as it is.
PLAIN = {"JPEG": (".jpg", ".jpeg"), "PNG": (".png",), "BMP": (".bmp",)}
LONGEST = 80
# Characters quoted of an invalid value.
BRIEF = 30


@dataclass(frozen=True)
class FileState:
    """The part of a labelme JSON that a correction may change."""

    flags: tuple[str, ...]  # Those that are true.
    shapes: str  # A checksum of the shapes.


@dataclass(frozen=True)
class FolderEntry:
    """An image of an annotation folder.

    Attributes:
        name: Name of its JSON.
        path: Path of the image, relative to the source root.
        state: The state that was written.
        label_by: "image" or "shapes": which of them have labels and may be corrected;
            "" if that was not recorded.
    """

    name: str
    path: str
    state: FileState
    label_by: str = ""


def state_of(content: Any) -> FileState:
    """Read the part of a labelme JSON that a correction may change."""
    content = content if isinstance(content, Mapping) else {}
    shapes = content.get("shapes")
    shapes = shapes if isinstance(shapes, list) else []
    drawn = sorted(json.dumps(_drawn(shape)) for shape in shapes)
    checksum = hashlib.sha256("\n".join(drawn).encode()).hexdigest()
    return FileState(_true(content.get("flags")), checksum)


def changed(content: Mapping[str, Any], entry: FolderEntry) -> tuple[bool, bool]:
    """Return whether flags and shapes were corrected."""
    now = state_of(content)
    flags = now.flags != entry.state.flags and bool(now.flags)
    shapes = now.shapes != entry.state.shapes and isinstance(
        content.get("shapes"), list
    )
    counts = entry.label_by != "shapes" or IGNORE in now.flags
    return flags and counts, shapes and entry.label_by != "image"


def faults_of(content: Mapping[str, Any], entry: FolderEntry) -> Iterator[str]:
    """Describe changes that look like corrections but are not applied."""
    flags, shapes = content.get("flags"), content.get("shapes")
    now, before = state_of(content), entry.state
    if not isinstance(flags, Mapping):
        what = json.dumps(flags)[:BRIEF]
        yield f"Its flags are {what}, not a labelme mapping; the label stays."
    elif others := [
        name for name, value in flags.items() if not isinstance(value, bool)
    ]:
        yield f"Its flag {others[0]!r} is neither true nor false; it counts as not set."
    elif before.flags and not now.flags:
        yield f"No flag is set any more; the label stays. Set {IGNORE} to leave it out."
    if entry.label_by == "shapes" and set(now.flags) - {*before.flags, IGNORE}:
        yield f"Shapes have the labels here; of flags only {IGNORE} counts."
    if not isinstance(shapes, list):
        what = json.dumps(shapes)[:BRIEF]
        yield f"Its shapes are {what}, not a labelme list; the shapes stay."
    elif entry.label_by == "image" and now.shapes != before.shapes:
        yield "Images have the labels here; shapes change nothing. Set flags instead."


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
    names = [shape.get(name) for name in ("label", "shape_type", "group_id")]
    return [*names, _true(shape.get("flags")), points]


def write_images(
    folder: Path, root: Path, records: Iterable[ImageRecord], *, flags: Sequence[str]
) -> tuple[list[FolderEntry], list[Rejected]]:
    """Write images and their JSON."""
    entries: list[FolderEntry] = []
    unreadable = []
    for record in records:
        try:
            data = read_bytes(root / record.path)
            image = decode(data)
        except Unusable as error:
            unreadable.append(Rejected(record.path, error.reason, error.detail))
            continue
        stem = f"{len(entries) + 1:04d} {_safe_stem(record.path)}"
        name = _show(folder, stem, root / record.path, data, image)
        chosen = dict.fromkeys((*flags, *record.labels), False)
        chosen |= dict.fromkeys(record.labels, True)
        height, width = image.pixels.shape[:2]
        output = OutputImage(
            ImageRecord(
                record.path, objects=record.objects, attributes={"flags": chosen}
            ),
            name,
            width,
            height,
        )
        labelme.write(folder, [output], ())
        state = state_of(read_json(folder / f"{stem}.json"))
        entries.append(FolderEntry(f"{stem}.json", record.path, state))
    return entries, unreadable


def _safe_stem(path: str) -> str:
    stem = posixpath.splitext(posixpath.basename(path))[0]
    plain = "".join(
        c if c.isprintable() and c not in '<>:"\\|?*' else "_" for c in stem
    )
    # Windows drops a dot or a space at the end of a name.
    return plain[:LONGEST].rstrip(". ") or "_"


def _show(folder: Path, stem: str, path: Path, data: bytes, image: DecodedImage) -> str:
    suffixes = PLAIN.get(image.format, ())
    notes = [note for note in image.notes if not note.startswith("exif-orientation")]
    embedded = path.suffix.lower() == ".json"
    if notes or not (embedded or path.suffix.lower() in suffixes) or not suffixes:
        # labelme would show another image than tlkit reads, or none.
        buffer = io.BytesIO()
        Image.fromarray(image.pixels).save(buffer, "PNG")
        (folder / f"{stem}.png").write_bytes(buffer.getvalue())
        return f"{stem}.png"
    place = folder / (stem + suffixes[0])
    try:
        if embedded:
            place.write_bytes(data)
        else:
            place.symlink_to(path.resolve())
    except OSError:  # not every system allows links
        place.write_bytes(data)
    return place.name


def write_index(
    folder: Path,
    entries: Iterable[FolderEntry],
    *,
    labels: Sequence[str],
    flags: Sequence[str],
    **about: str,
) -> None:
    """Write the files for labelme, and annotate.json."""
    write_text(folder / LABELS, "".join(f"{name}\n" for name in labels))
    write_text(folder / FLAGS, "".join(f"{name}\n" for name in flags))
    images = {
        entry.name: {
            "path": entry.path,
            "flags": list(entry.state.flags),
            "shapes": entry.state.shapes,
        }
        for entry in entries
    }
    write_json(folder / INDEX, {"format": FORMAT, **about, "images": images})


def read_index(folder: Path) -> list[FolderEntry]:
    """Read annotate.json."""
    try:
        content = read_json(folder / INDEX)
        entries = [
            FolderEntry(
                name,
                row["path"],
                FileState(tuple(row["flags"]), row["shapes"]),
                str(content.get("label_by", "")),
            )
            for name, row in content["images"].items()
        ]
        # Only files of the folder itself are ever read.
        names = [e.name for e in entries if Path(e.name).name != e.name]
        fault = f"it names {names[0]!r}" if names else ""
    except (Unusable, KeyError, TypeError, AttributeError) as error:
        fault = error.detail if isinstance(error, Unusable) else repr(error)
    if fault:
        raise UsageError(
            f"{folder} is not an annotation folder; {INDEX}: {fault}",
            hint="Make one with tlkit annotate.",
        )
    return entries
