"""The roles of a table's columns, such as path and label, by their names."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from tlkit.dataset.sources.image_paths import SUFFIXES
from tlkit.errors import DatasetError, unknown_name

# Usual names of columns, without regard to case, spaces, "_" and "-".
NAMES: dict[str, tuple[str, ...]] = {
    "path": (
        *("path", "imagepath", "imgpath", "filepath", "filename", "file"),
        *("imagefile", "imagename", "imgname", "image", "img", "imageid"),
    ),
    "label": (
        *("label", "labels", "labelname", "class", "classname", "category"),
        *("categoryname", "target", "y"),
    ),
    "split": ("split", "set", "subset"),
    "group": ("group",),
    "xmin": ("xmin", "x1"),
    "ymin": ("ymin", "y1"),
    "xmax": ("xmax", "x2"),
    "ymax": ("ymax", "y2"),
    "width": ("width",),
    "height": ("height",),
}
ROLES = tuple(NAMES)
CORNERS = ("xmin", "ymin", "xmax", "ymax")
# Roles without a meaning where a corner is missing.
BOX_ROLES = (*CORNERS, "width", "height")
# VIA's own tables have a reader of their own.
OTHERS = {"region_shape_attributes"}
# The name of a DataFrame in messages.
FRAME = "The DataFrame"
# Names that a message lists.
MANY = 30


class UnknownColumns(DatasetError):
    """A table whose columns are not known by their names."""


@dataclass(frozen=True)
class Columns:
    """The columns of a table, and where in a row each role stands."""

    header: tuple[str, ...]
    places: dict[str, int]

    @functools.cached_property
    def boxed(self) -> bool:
        """True if its rows are boxes."""
        return all(role in self.places for role in CORNERS)

    @functools.cached_property
    def others(self) -> dict[str, int]:
        """The columns without a role, by name."""
        taken = set(self.places.values())
        pairs = enumerate(self.header)
        return {name: i for i, name in pairs if i not in taken and name}

    def __str__(self) -> str:
        known = [f"{role} = {self.header[i]}" for role, i in self.places.items()]
        others = list(self.others)
        more = ", ..." if len(others) > 10 else ""
        rest = f"; other columns: {', '.join(others[:10])}{more}" if others else ""
        return ", ".join(known) + rest


def find_columns(
    header: Sequence[str], asked: Sequence[tuple[str, str]], what: str
) -> Columns:
    """Find the column of each role, as asked or by the usual names."""
    plain = [_plain(name) for name in header]
    if OTHERS & {name.strip() for name in header}:
        raise UnknownColumns(f"{what} is a table of the VGG Image Annotator.")
    places = {role: _place(role, name, header, plain, what) for role, name in asked}
    chosen = set(places)
    for role in ROLES:
        found = [i for name in NAMES[role] for i, p in enumerate(plain) if p == name]
        found = [i for i in found if i not in places.values()]
        if role in places or not found:
            continue
        if role == "label" and plain[found[-1]] == "y" and (found[1:] or "x" in plain):
            found.pop()  # more likely half of a place
        if role == "label" and len(found) > 1:
            names = " and ".join(header[i] for i in found)
            raise UnknownColumns(
                f"{what} has several columns that may be the label: {names}.",
                hint=f"Choose one: {_option(what, label=header[found[0]])}",
            )
        if found:
            places[role] = found[0]
    boxed = all(role in places for role in CORNERS)
    roles = [r for r in ROLES if boxed or r not in BOX_ROLES or r in chosen]
    columns = Columns(tuple(header), {r: places[r] for r in roles if r in places})
    _check(columns, what)
    return columns


def _place(
    role: str, name: str, header: Sequence[str], plain: Sequence[str], what: str
) -> int:
    if role not in NAMES:
        error = unknown_name("role of a column", role, ROLES)
        raise error
    if name in header:
        return header.index(name)
    if _plain(name) in plain:
        return plain.index(_plain(name))
    raise UnknownColumns(f"{what} has no column {name!r}. It has: {_listed(header)}.")


def _check(columns: Columns, what: str) -> None:
    missing = [role for role in ("path", "label") if role not in columns.places]
    if not missing:
        return
    header = columns.header
    if what != FRAME and any(name.lower().endswith(SUFFIXES) for name in header):
        hint = "Its first line seems to be a row already: put the names of the columns "
        hint += "above it, such as path,label."
    else:
        hint = f"Name them: {_option(what, **dict.fromkeys(missing, 'NAME'))}"
    raise UnknownColumns(
        f"{what}: none of its columns is known as the {' or the '.join(missing)}. "
        + (f"It has: {_listed(header)}." if any(header) else "They have no names."),
        hint=hint,
    )


def _option(what: str, **roles: str) -> str:
    if what == FRAME:
        pairs = ", ".join(f'"{role}": "{name}"' for role, name in roles.items())
        return f"columns={{{pairs}}}"
    return " ".join(f"--column {role}={name}" for role, name in roles.items())


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]", "", name).lower()


def _listed(header: Sequence[str]) -> str:
    listed = ", ".join(name[:60] for name in header[:MANY])
    return listed + ", ..." * (len(header) > MANY)
