"""The configs of YOLO labels: names, split, keypoints.

*.yaml        Ultralytics: path, train, val, test, names, kpt_shape
*.data        darknet: train, valid, test, names
*.names       a name a line, and so classes.txt and _darknet.labels
"""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tlkit.dataset.records import SPLIT_NAMES, Rejected
from tlkit.dataset.sources.image_paths import SUFFIXES
from tlkit.dataset.sources.walk import upwards
from tlkit.imaging.safe_read import Unusable, read_lines, read_text

# Parsing YAML takes a second a megabyte; ten thousand names have 200 KB.
MAX_YAML_BYTES = 1 << 20
NAME_LISTS = {"classes.txt", "_darknet.labels"}
# Of several in one folder, the first of these suffixes is preferred.
CONFIG_SUFFIXES = (".yaml", ".yml", ".data", ".names", "")


@dataclass(frozen=True)
class YoloConfig:
    """The content of one file.

    Attributes:
        file: POSIX, relative to the source root.
        names: Of the classes, by number.
        splits: For each split the places of its images, as written.
        base: The folder that these are relative to, as written; "" for its own.
        names_file: Where the names are, as written, if not here.
        keypoints: The number of keypoints of an object, and of numbers for each.
    """

    file: str
    names: Mapping[int, str] = field(default_factory=dict)
    splits: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    base: str = ""
    names_file: str = ""
    keypoints: tuple[int, int] | None = None

    @property
    def folder(self) -> str:
        """Its folder; "" for the root."""
        return posixpath.dirname(self.file)

    @property
    def trains(self) -> bool:
        """True if training programs read it, rather than annotation programs."""
        return self.rank[0] < CONFIG_SUFFIXES.index(".names")

    @property
    def rank(self) -> tuple[int, bool, str]:
        """A key that sorts several in one folder, the one that counts first."""
        stem, suffix = posixpath.splitext(posixpath.basename(self.file).lower())
        usual = stem in {"data", "dataset", "obj", "classes"}
        kind = CONFIG_SUFFIXES.index(suffix if suffix in CONFIG_SUFFIXES else "")
        return kind, not usual, self.file


def is_config(file: str) -> bool:
    """Check a file by its name."""
    name = posixpath.basename(file).lower()
    return name in NAME_LISTS or name.endswith((".yaml", ".yml", ".data", ".names"))


def read_config(root: Path, file: str) -> YoloConfig | Rejected | None:
    """Read a config; None for a file of another kind."""
    try:
        if file.lower().endswith((".yaml", ".yml")):
            return _yaml(file, read_text(root / file, MAX_YAML_BYTES))
        lines = read_lines(root / file)
    except Unusable as error:
        return Rejected(file, error.reason, error.detail)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        return Rejected(
            file, "broken-yaml", f"Not YAML: {' '.join(str(error).split())}."
        )
    if file.lower().endswith(".data"):
        return _data(file, lines)
    return YoloConfig(file, dict(enumerate(lines)))


def _yaml(file: str, text: str) -> YoloConfig | None:
    # The loader that builds nothing but text, lists and mappings of it: a class "no"
    # is not read as False, nor "1e3" into a thousand.
    content = yaml.load(text, Loader=yaml.BaseLoader)
    if not isinstance(content, dict):
        return None
    names = _names(content.get("names"))
    splits = {
        SPLIT_NAMES[key]: places
        for key, value in content.items()
        if isinstance(key, str) and key in SPLIT_NAMES and (places := _places(value))
    }
    if not names and not (splits and "nc" in content):
        return None
    base = content.get("path")
    return YoloConfig(
        file=file,
        names=names,
        splits=splits,
        base=base if isinstance(base, str) else "",
        keypoints=_keypoints(content.get("kpt_shape")),
    )


def _names(value: Any) -> dict[int, str]:
    if isinstance(value, list):
        value = dict(enumerate(value))
    names = {}
    for key, name in value.items() if isinstance(value, dict) else ():
        number = int(key) if str(key).isdecimal() else -1
        if number >= 0 and isinstance(name, str):
            names[number] = name.strip()
    return names


def _places(value: Any) -> tuple[str, ...]:
    places = value if isinstance(value, list) else [value]
    return tuple(
        place
        for place in places
        if isinstance(place, str) and place not in {"", "~", "null"}
    )


def _keypoints(value: Any) -> tuple[int, int] | None:
    if isinstance(value, list) and len(value) == 2:
        count, each = value
        if str(count).isdecimal() and len(count) < 5 and each in {"2", "3"}:
            return int(count), int(each)
    return None


def _data(file: str, lines: list[str]) -> YoloConfig | None:
    pairs = [line.split("=", 1) for line in lines if "=" in line]
    content = {key.strip().lower(): value.strip() for key, value in pairs}
    if not content.keys() & {"names", "train", "valid"}:
        return None
    splits = {
        SPLIT_NAMES[key]: (value,)
        for key, value in content.items()
        if key in SPLIT_NAMES and value
    }
    return YoloConfig(file, splits=splits, names_file=content.get("names", ""))


# Of a longer path only so many of its last folders are looked for.
MAX_PARTS = 32


class Places:
    """An index of the files of a source and of the images in each folder."""

    def __init__(self, files: Iterable[str]) -> None:
        self.files = set(files)
        self.inside: dict[str, list[str]] = defaultdict(list)
        for file in files:
            if file.lower().endswith(SUFFIXES):
                for folder in upwards(posixpath.dirname(file)):
                    self.inside[folder].append(file)

    def find(self, place: str, config: YoloConfig) -> str | None:
        """Find a folder with images, or a file."""
        for path in _possible_paths(place, config):
            if path in self.files or path in self.inside:
                return path
        return None


def _possible_paths(place: str, config: YoloConfig) -> Iterator[str]:
    place = place.replace("\\", "/")
    base = config.base.replace("\\", "/")
    for folder in (posixpath.join(config.folder, base), config.folder):
        path = posixpath.normpath(posixpath.join(folder, place))
        yield "" if path == "." else path
    parts = re.sub("^[A-Za-z]:", "", place).split("/")
    parts = [part for part in parts if part not in {"", ".", ".."}][-MAX_PARTS:]
    for i in range(len(parts)):
        for folder in (config.folder, ""):
            yield posixpath.join(folder, *parts[i:])
