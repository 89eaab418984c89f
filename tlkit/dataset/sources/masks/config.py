"""PixelAnnotationTool's config.json in, the names of ids out.

{"labels": {"car": {"id": 26, "name": "car", "categorie": "vehicle",
                    "id_categorie": 7, "color": [0, 0, 142]}}}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tlkit.dataset.contents import UnreadableImage, read_json
from tlkit.dataset.sources.page import Rejection, is_label
from tlkit.dataset.sources.source import Source
from tlkit.errors import DatasetError

# Names by which an id says that nothing is there.
NOTHING = {"undefined", "unlabeled", "unlabelled", "background", "_background_"}
NOTHING |= {"void", "__ignore__"}
CONFIG_HINT = "Put the config.json of PixelAnnotationTool among the masks to name them."


@dataclass(frozen=True)
class Config:
    """The names of ids.

    Attributes:
        names: By id; "" for ids where nothing is. Empty without a config.
        files: The configs.
        rejected: Parts of them that cannot be used.
    """

    names: Mapping[int, str]
    files: frozenset[str]
    rejected: tuple[Rejection, ...] = ()


def read_config(source: Source) -> Config:
    """Read the configs of a source, mostly one.

    Args:
        source: What was walked.

    Returns:
        The names of the ids.

    Raises:
        DatasetError: An id has two names.
    """
    names: dict[int, str] = {}
    told_by: dict[int, str] = {}
    files = set()
    rejected = []
    for file in source.files:
        if not file.lower().endswith(".json"):
            continue
        try:
            content = read_json(source.root / file)
        except UnreadableImage as error:
            rejected.append(Rejection(file, error.reason, error.detail))
            continue
        labels = content.get("labels") if isinstance(content, dict) else None
        if not isinstance(labels, dict) or not any(map(_has_id, labels.values())):
            continue
        files.add(file)
        for key, label in labels.items():
            name = _name(key, label)
            if name is None:
                detail = (
                    f"Label {key[:80]!r} has no id, or no name that can be a label."
                )
                rejected.append(Rejection(file, "bad-entry", detail))
            elif names.setdefault(label["id"], name) != name:
                number = label["id"]
                raise DatasetError(
                    f"Id {number} has two names: {names[number]!r} in "
                    f"{told_by[number]}, {name!r} in {file}.",
                    hint="Keep the config that the masks were drawn with.",
                )
            else:
                told_by.setdefault(label["id"], file)
    return Config(names, frozenset(files), tuple(rejected))


def _has_id(label: Any) -> bool:
    number = label.get("id") if isinstance(label, dict) else None
    return isinstance(number, int) and not isinstance(number, bool)


def _name(key: str, label: Any) -> str | None:
    if not _has_id(label):
        return None
    name = label.get("name", key)
    if not isinstance(name, str) or not is_label(name):
        return None
    name = name.strip()
    return "" if label["id"] == 0 or name.lower() in NOTHING else name
