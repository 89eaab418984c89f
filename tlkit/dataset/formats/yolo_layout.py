"""The names and the split of a YOLO source.

The names that count for a label file are those of the nearest *.yaml or *.data, in its
own folder or one above it; without any, those of the nearest list of names. Where none
is above it, the only one of the source counts.

The split is that of the configs that count; else that of train.txt, valid.txt, ...;
else that of folders of such names.
"""

from __future__ import annotations

import posixpath
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from tlkit.dataset.formats.common import lists_of_folders, split_of_folders
from tlkit.dataset.formats.yolo_config import Places, YoloConfig, is_config, read_config
from tlkit.dataset.formats.yolo_labels import looks_like_label
from tlkit.dataset.records import SPLIT_NAMES, Rejected
from tlkit.dataset.sources.open import Source
from tlkit.dataset.sources.walk import upwards
from tlkit.imaging.safe_read import Unusable, read_lines

# Of a list of names, so many that occur twice are reported.
MAX_TWICE = 5


class Layout:
    """The configs and lists of a source; `annotation_files` are not labels."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.index = source.images()
        self.places = Places(source.files)
        self.configs: list[YoloConfig] = []
        self.lists: dict[str, str] = {}
        self.annotation_files: set[str] = set()
        self.rejected: list[Rejected] = []
        self.warnings: list[str] = []
        for file in [source.only] if is_config(source.only) else source.files:
            if is_config(file) and not self._named_as_image(file):
                config = read_config(source.root, file)
                if isinstance(config, Rejected):
                    self.rejected.append(config)
                elif config is not None:
                    self.configs.append(self._with_names(config))
                    self.annotation_files.add(file)
        for file in source.files:
            if split := self._listed_split(file):
                self.lists.setdefault(split, file)

    def config(self, folder: str) -> YoloConfig | None:
        """Return the config whose names count for the labels in a folder."""
        named = [config for config in self.configs if config.names]
        groups = [[c for c in named if c.trains is trains] for trains in (True, False)]
        for group in groups:
            by_folder = defaultdict(list)
            for config in group:
                by_folder[config.folder].append(config)
            for above in upwards(folder):
                if above in by_folder:
                    return min(by_folder[above], key=lambda config: config.rank)
        anywhere = groups[0] or groups[1]
        if anywhere and all(c.names == anywhere[0].names for c in anywhere):
            return anywhere[0]
        return None

    def used(self, folders: Iterable[str]) -> list[YoloConfig]:
        """Return the configs that count for the labels in some folders."""
        found = [self.config(folder) for folder in sorted(folders)]
        found += [config for config in self.configs if not config.names]
        return list({config.file: config for config in found if config}.values())

    def read_split(self, used: Sequence[YoloConfig]) -> tuple[dict[str, set[str]], str]:
        """Return the images of each split, and what names them."""
        splits: dict[str, set[str]] = defaultdict(set)
        named_by = []
        for config in used:
            for split, places in self._found(config).items():
                for place in places:
                    splits[split] |= self._held(place)
            named_by += [config.file] * bool(config.splits)
        for split, file in self.lists.items():
            if split not in splits and file not in self.annotation_files:
                splits[split] |= self._listed(file)
                named_by.append(file)
        self.annotation_files.update(self.lists.values())
        if not splits:
            splits = lists_of_folders(self.places.inside[""])
            named_by = ["the names of folders"] if splits else []
        return splits, ", ".join(dict.fromkeys(named_by))

    def _found(self, config: YoloConfig) -> dict[str, list[str]]:
        """Return the places that a config gives for each split."""
        found: dict[str, list[str]] = {}
        for split, places in config.splits.items():
            for place in dict.fromkeys(places):
                path = self.places.find(place, config)
                if path is None:
                    line = f"{config.file}: its {split}, {place!r}, is not in here."
                    self.warnings.append(line)
                else:
                    found.setdefault(split, []).append(path)
        train = found.get("train", [])
        own = {split_of_folders(f"{place}/x") for place in train}
        # Both keys are required, so that a single split is often given twice.
        if train == found.get("val") and len(own) == 1 and (single := own.pop()):
            self.warnings.append(
                f"{config.file}: train and val are both {', '.join(train)}, which is "
                f"taken as {single}."
            )
            return {single: train} | {k: v for k, v in found.items() if v != train}
        return found

    def _held(self, place: str) -> set[str]:
        if place in self.places.files:
            return self._listed(place)
        return set(self.places.inside[place])

    def _listed(self, file: str) -> set[str]:
        self.annotation_files.add(file)
        lines = [line for line in self._lines(file) if line]
        found = [self.index.find(line, file, shared=True) for line in lines]
        if astray := [one for one in found if isinstance(one, Rejected)]:
            line = f"{file}: {len(astray)} of {len(lines)} lines lead to no image."
            self.warnings.append(f"{line} {astray[0].detail}")
        return {path for path in found if isinstance(path, str)}

    def warn_of_numbers(self, folders: Iterable[str]) -> None:
        """Add a warning of labels that are called by their numbers."""
        if places := sorted(folders):
            several = sum(bool(config.names) for config in self.configs)
            why = (
                f"{several} lists of names elsewhere differ"
                if several
                else "there is no list of names (data.yaml, obj.names, classes.txt)"
            )
            line = f"{places[0] or '.'}/: {why}, so that classes are called 0, 1, ..."
            self.warnings.append(line)

    def warn_of_names(self, used: Sequence[YoloConfig]) -> None:
        """Add warnings of names that occur twice and of configs that do not count."""
        for config in used:
            number = Counter(name for name in config.names.values() if name)
            twice = [name for name in number if number[name] > 1]
            self.warnings += [
                f"{config.file}: {name!r} occurs {number[name]} times."
                for name in twice[:MAX_TWICE]
            ]
        for config in self.configs:
            if used and config not in used:
                near = [one for one in used if one.folder == config.folder]
                rival = (near or used)[0]
                if config.names != rival.names or config.splits:
                    line = f"{config.file} is not used: {rival.file} is."
                    self.warnings.append(line)

    def _with_names(self, config: YoloConfig) -> YoloConfig:
        if not config.names_file:
            return config
        file = self.places.find(config.names_file, config)
        names = (
            read_config(self.source.root, file) if file and is_config(file) else None
        )
        if file and isinstance(names, YoloConfig):
            self.annotation_files.add(file)
            return replace(config, names=names.names)
        line = f"{config.file}: its names, {config.names_file!r}, are not in here."
        self.warnings.append(line)
        return config

    def _listed_split(self, file: str) -> str | None:
        """Return the split that a file is named like, if it may list its images."""
        name, suffix = posixpath.splitext(posixpath.basename(file).lower())
        if suffix != ".txt" or name not in SPLIT_NAMES or self._named_as_image(file):
            return None
        first = next((line for line in self._lines(file) if line), "")
        return SPLIT_NAMES[name] if first and not looks_like_label(first) else None

    def _named_as_image(self, file: str) -> bool:
        return bool(self.index.of_stem(posixpath.splitext(file)[0]))

    def _lines(self, file: str) -> list[str]:
        try:
            return read_lines(self.source.root / file)
        except Unusable:
            return []  # rejected with its reason where it is read as labels
