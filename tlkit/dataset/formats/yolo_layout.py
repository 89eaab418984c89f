"""A source in, where YOLO's names and split are told out.

The names that count for a label file are those of the nearest *.yaml or *.data, in its
own folder or one above it; without any, those of the nearest list of names. Where none
is above it, the only one of the source counts.

The split is that of the configs that count; else that of train.txt, valid.txt, ...;
else that of folders so named.
"""

from __future__ import annotations

import posixpath
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from tlkit.dataset.formats.common import lists_of_folders, split_of_folders
from tlkit.dataset.formats.yolo_config import Config, Places, is_config, read_config
from tlkit.dataset.formats.yolo_labels import looks_like_label
from tlkit.dataset.records import SPLIT_NAMES, Rejected
from tlkit.dataset.sources.image_paths import Images
from tlkit.dataset.sources.open import Source
from tlkit.dataset.sources.walk import upwards
from tlkit.imaging.safe_read import Unusable, read_lines

# What stands twice in a list of names is told of so many of them.
MOST_TOLD = 5


@dataclass
class Layout:
    """What a source says beside its labels.

    Attributes:
        source: What was walked.
        index: Of its files.
        places: Likewise.
        configs: Files that tell names or sides.
        lists: For each side a file named like it, that may list its images.
        annotation_files: Files that are no labels.
        rejected: Those of them that cannot be used.
        warnings: What the user should act on.
    """

    source: Source
    index: Images
    places: Places
    configs: list[Config] = field(default_factory=list)
    lists: dict[str, str] = field(default_factory=dict)
    annotation_files: set[str] = field(default_factory=set)
    rejected: list[Rejected] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def config(self, folder: str) -> Config | None:
        """The config whose names count for the labels in a folder."""
        named = [config for config in self.configs if config.names]
        told = [config for config in named if config.trains]
        others = [config for config in named if not config.trains]
        for group in (told, others):
            by_folder = defaultdict(list)
            for config in group:
                by_folder[config.folder].append(config)
            for above in upwards(folder):
                if above in by_folder:
                    return min(by_folder[above], key=lambda config: config.rank)
        anywhere = told or others
        if anywhere and all(c.names == anywhere[0].names for c in anywhere):
            return anywhere[0]
        return None

    def used(self, folders: Iterable[str]) -> list[Config]:
        """The configs that count for the labels in some folders."""
        found = [self.config(folder) for folder in sorted(folders)]
        found += [config for config in self.configs if not config.names]
        return list({config.file: config for config in found if config}.values())

    def sides(self, used: Sequence[Config]) -> tuple[dict[str, set[str]], str]:
        """Read which images are on which side."""
        sides: dict[str, set[str]] = defaultdict(set)
        told_by = []
        for config in used:
            for side, found in self._found(config).items():
                for place in found:
                    sides[side] |= self._held(place)
            told_by += [config.file] * bool(config.sides)
        for side, file in self.lists.items():
            if side not in sides and file not in self.annotation_files:
                sides[side] |= self._listed(file)
                told_by.append(file)
        self.annotation_files.update(self.lists.values())
        if not sides:
            sides = lists_of_folders(self.places.inside[""])
            told_by = ["the names of folders"] if sides else []
        return sides, ", ".join(dict.fromkeys(told_by))

    def _found(self, config: Config) -> dict[str, list[str]]:
        """The places that a config gives for each side."""
        found: dict[str, list[str]] = {}
        for side, named in config.sides.items():
            for place in dict.fromkeys(named):
                path = self.places.find(place, config)
                if path is None:
                    line = f"{config.file}: its {side}, {place!r}, is not in here."
                    self.warnings.append(line)
                else:
                    found.setdefault(side, []).append(path)
        if found.get("train") == found.get("val"):
            # Both keys are required, so that who has one side gives it twice.
            own = [split_of_folders(f"{place}/x") for place in found.get("train", [])]
            if own and own[0] and set(own) == {own[0]}:
                line = f"train and val are both {', '.join(found['train'])}"
                line = f"{config.file}: {line}, which is taken as {own[0]}."
                self.warnings.append(line)
                others = {k: v for k, v in found.items() if v != found["train"]}
                return {own[0]: found["train"], **others}
        return found

    def _held(self, place: str) -> set[str]:
        if place in self.places.files:
            return self._listed(place)
        return set(self.places.inside[place])

    def _listed(self, file: str) -> set[str]:
        self.annotation_files.add(file)
        lines = [line for line in _lines(self.source, file) if line]
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
                else ("there is no list of names (data.yaml, obj.names, classes.txt)")
            )
            line = f"{places[0] or '.'}/: {why}, so that classes are called 0, 1, ..."
            self.warnings.append(line)

    def warn_of_names(self, used: Sequence[Config]) -> None:
        """Add warnings of names that stand twice and of configs that do not count."""
        for config in used:
            number = Counter(name for name in config.names.values() if name)
            twice = [name for name in number if number[name] > 1]
            self.warnings += [
                f"{config.file}: {name!r} stands there {number[name]} times."
                for name in twice[:MOST_TOLD]
            ]
        for config in self.configs:
            if used and config not in used:
                near = [one for one in used if one.folder == config.folder]
                rival = (near or used)[0]
                if config.names != rival.names or config.sides:
                    line = f"{config.file} is not used beside {rival.file}."
                    self.warnings.append(line)


def find_layout(source: Source) -> Layout:
    """Look for what tells names and split."""
    layout = Layout(source, source.images(), Places(source.files))
    alone = [source.only] if is_config(source.only) else None
    for file in alone or source.files:
        if is_config(file) and not layout.index.of_stem(_stem(file)):
            content = read_config(source.root, file)
            if isinstance(content, Rejected):
                layout.rejected.append(content)
            elif content is not None:
                layout.configs.append(_with_names(content, layout))
                layout.annotation_files.add(file)
    for file in source.files:
        if side := _listed_side(file, layout):
            layout.lists.setdefault(side, file)
    return layout


def _with_names(config: Config, layout: Layout) -> Config:
    if not config.names_file:
        return config
    file = layout.places.find(config.names_file, config)
    told = read_config(layout.source.root, file) if file and is_config(file) else None
    if file and isinstance(told, Config):
        layout.annotation_files.add(file)
        return replace(config, names=told.names)
    line = f"{config.file}: its names, {config.names_file!r}, are not in here."
    layout.warnings.append(line)
    return config


def _listed_side(file: str, layout: Layout) -> str | None:
    name, suffix = posixpath.splitext(posixpath.basename(file).lower())
    if suffix != ".txt" or name not in SPLIT_NAMES:
        return None
    if layout.index.of_stem(_stem(file)):
        return None
    first = next((line for line in _lines(layout.source, file) if line), "")
    return SPLIT_NAMES[name] if first and not looks_like_label(first) else None


def _stem(file: str) -> str:
    return posixpath.splitext(file)[0]


def _lines(source: Source, file: str) -> list[str]:
    try:
        return read_lines(source.root / file)
    except Unusable:
        return []  # who takes it for labels says what is wrong with it
