"""The lists of one COCO JSON in, pictures by id and the objects on them out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from tlkit.dataset.geometry import BadShape
from tlkit.dataset.sources.coco.faults import Faults
from tlkit.dataset.sources.coco.thing import Category, Entry, read_thing
from tlkit.dataset.sources.page import Thing, is_label

Id = int | str


def read_images(content: Entry, faults: Faults) -> dict[Id, Entry]:
    """Read the list of pictures.

    Args:
        content: Of the file.
        faults: Told of what cannot be used.

    Returns:
        The entries by id.
    """
    images: dict[Id, Entry] = {}
    for what, entry in _entries(content, "images", faults):
        key = _id(entry.get("id"))
        if key is None:
            faults.add("bad-id", f"{what}: its id is {entry.get('id')!r}"[:200])
        elif key not in images:
            images[key] = entry
        elif named(entry) != named(images[key]):
            both = f"{named(images[key])!r} and {named(entry)!r}"
            faults.add("duplicate-id", f"{what}: {both} have the same id {key!r}")
    return images


def named(entry: Entry) -> str:
    """The name that an entry gives its picture.

    Args:
        entry: Of the list of pictures.

    Returns:
        A name or the end of an address; "" for none.
    """
    for key in ("file_name", "coco_url", "path", "flickr_url"):
        name = entry.get(key)
        if isinstance(name, str) and name:
            return name.split("?")[0] if "://" in name else name
    return ""


def read_categories(content: Entry, faults: Faults) -> dict[Id, Category]:
    """Read the list of classes.

    Args:
        content: Of the file.
        faults: Told of what cannot be used.

    Returns:
        The classes by id.
    """
    categories: dict[Id, Category] = {}
    for what, entry in _entries(content, "categories", faults):
        key, name = _id(entry.get("id")), entry.get("name")
        if key is None:
            faults.add("bad-id", f"{what}: its id is {entry.get('id')!r}"[:200])
        elif not isinstance(name, str) or not is_label(name):
            faults.add("bad-label", f"{what}: its name is {name!r}"[:200])
        elif key not in categories:
            above = entry.get("supercategory")
            if not isinstance(above, str) or above in {"none", name}:
                above = ""
            categories[key] = Category(name.strip(), above)
        elif categories[key].label != name.strip():
            both = f"{categories[key].label!r} and {name!r}"
            faults.add("duplicate-id", f"{what}: {both} have the same id {key!r}")
    return categories


def read_things(
    content: Entry,
    images: Mapping[Id, Entry],
    categories: Mapping[Id, Category],
    faults: Faults,
) -> dict[Id, list[Thing]]:
    """Read the list of objects.

    Args:
        content: Of the file.
        images: By id.
        categories: By id.
        faults: Told of what cannot be used.

    Returns:
        The objects by the id of their picture.
    """
    things: dict[Id, list[Thing]] = defaultdict(list)
    for what, entry in _entries(content, "annotations", faults):
        image, category = _id(entry.get("image_id")), _id(entry.get("category_id"))
        if image is None or image not in images:
            of = entry.get("image_id")
            faults.add("unknown-image", f"{what}: no picture has the id {of!r}"[:200])
        elif category is None or category not in categories:
            of = entry.get("category_id")
            faults.add("unknown-class", f"{what}: no class has the id {of!r}"[:200])
        else:
            try:
                thing = read_thing(
                    entry, images[image], categories[category], what, faults
                )
                things[image].append(thing)
            except BadShape as error:
                faults.add(error.args[0], f"{what}: {error.args[1]}")
    return things


def _entries(content: Entry, name: str, faults: Faults) -> Iterator[tuple[str, Entry]]:
    entries = content.get(name)
    for number, entry in enumerate(entries if isinstance(entries, list) else [], 1):
        what = f"{name}, entry {number}"
        if isinstance(entry, dict):
            yield what, entry
        else:
            faults.add("bad-entry", f"{what}: not an object")


def _id(value: Any) -> Id | None:
    return value if isinstance(value, int | str) else None
