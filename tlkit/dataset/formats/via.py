"""Reader of the VGG Image Annotator: projects and annotations, JSON and CSV, 1 and 2.

One attribute is the label, of regions, of whole images or of both; the others are kept
as attributes. A region has one label: one with several is rejected.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tlkit.dataset.formats.common import split_by_folders
from tlkit.dataset.formats.via_files import Region, ViaEntry, read_entries, read_shape
from tlkit.dataset.records import (
    Annotation,
    ImageRecord,
    ParsedSource,
    Rejected,
    in_natural_order,
    is_label,
)
from tlkit.dataset.sources.image_paths import Images
from tlkit.dataset.sources.open import Source
from tlkit.errors import DatasetError, unknown_name
from tlkit.imaging.safe_read import Unusable
from tlkit.progress import track

REMOTE = re.compile("data:|[A-Za-z][A-Za-z0-9+.-]*://")
# Values of an attribute that a message shows, and the characters of each.
EXAMPLES = 3
LONGEST = 30


def read(source: Source) -> ParsedSource:
    """Read the VIA files of a source."""
    rejected = list(source.rejected)
    entries: list[ViaEntry] = []
    names = source.ending(".json", ".csv")
    for name in track(names, source.progress, "Reading annotations", len(names)):
        for each in read_entries(source.root, name):
            if isinstance(each, ViaEntry):
                entries.append(each)
            else:
                rejected.append(each)
    label = choose(entries, source.options.attribute)
    reader = _Reader(label, source.images())
    records = [record for entry in entries if (record := reader.record(entry))]
    records, outside = split_by_folders(source.root, records)
    records, empty = _without_empty(records)
    which = f"the label is the attribute {label!r}" if label else "without labels"
    return ParsedSource(
        files=source.files,
        records=tuple(records),
        rejected=(*rejected, *outside, *reader.rejected, *empty),
        note=f"Read as VGG Image Annotator files, {len(records)} images; {which}.",
        warnings=tuple(_unlabeled(records, label)),
        annotation_of=reader.index.annotation_of,
        annotation_files=frozenset(entry.file for entry in entries),
    )


class _Reader:
    """Makes records of entries, without repeating what an earlier entry holds."""

    def __init__(self, label: str, index: Images) -> None:
        self.label = label
        self.index = index
        self.rejected: list[Rejected] = []
        self.entries: dict[str, list[ViaEntry]] = defaultdict(list)
        self.drawn: dict[str, set[tuple[object, ...]]] = defaultdict(set)

    def record(self, entry: ViaEntry) -> ImageRecord | None:
        """Return what no earlier entry holds of the image; None for a repeated one."""
        path = _find(entry, self.index)
        if isinstance(path, Rejected):
            self.rejected.append(path)
            return None
        for other in self.entries[path]:
            if (entry.regions, entry.attributes) == (other.regions, other.attributes):
                detail = f"{entry.name}: {other.file} holds the same."
                self._reject(entry, "duplicate-entry", detail)
                return None
        self.entries[path].append(entry)
        labels = texts_of(entry.attributes.get(self.label))
        for name in labels:
            if not is_label(name):
                detail = f"{entry.name}: {name!r} cannot be a label."
                self._reject(entry, "bad-label", detail)
        return ImageRecord(
            path=path,
            file=entry.file,
            labels=tuple(name for name in labels if is_label(name)),
            objects=tuple(self._objects(entry, self.drawn[path])),
            attributes=_without(entry.attributes, self.label),
            shared=True,
        )

    def _objects(
        self, entry: ViaEntry, drawn: set[tuple[object, ...]]
    ) -> Iterator[Annotation]:
        for region in entry.regions:
            try:
                obj = _object(region, self.label)
                others = json.dumps(obj.attributes, sort_keys=True)
                same = obj.label, obj.shapes, others
                if same in drawn:
                    raise Unusable("duplicate-region", "the same was drawn before")
            except Unusable as error:
                detail = f"{entry.name}, region {region.number}: {error.detail}."
                self._reject(entry, error.reason, detail)
            else:
                drawn.add(same)
                yield obj

    def _reject(self, entry: ViaEntry, reason: str, detail: str) -> None:
        self.rejected.append(Rejected(entry.file, reason, detail))


def _find(entry: ViaEntry, index: Images) -> str | Rejected:
    name, folder = entry.name, entry.folder
    if REMOTE.match(name):
        detail = f"{name[:200]!r} is not a file: save it here and name that."
        return Rejected(entry.file, "remote-image", detail)
    if folder and not REMOTE.match(folder):
        whole = folder.rstrip("/\\") + "/" + name
        path = index.find(whole, entry.file, shared=True)
        if isinstance(path, str):
            return path
    return index.find(name, entry.file, shared=True)


def _object(region: Region, label: str) -> Annotation:
    shape = read_shape(region.shape)
    labels = texts_of(region.attributes.get(label))
    if len(labels) > 1:
        several = ", ".join(map(repr, labels))
        raise Unusable("several-labels", f"labeled as {several}, one is possible")
    if labels and not is_label(labels[0]):
        raise Unusable("bad-label", f"its label is {labels[0]!r}")
    others = _without(region.attributes, label)
    return Annotation("".join(labels), (shape,), attributes=others)


def _without(attributes: Mapping[str, Any], label: str) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if name != label}


def _without_empty(
    records: Iterable[ImageRecord],
) -> tuple[list[ImageRecord], list[Rejected]]:
    """Leave out empty records of images of which others are not empty."""
    kept, empty = [], []
    filled = {r.path: r.file for r in records if r.labels or r.objects}
    for record in records:
        if record.labels or record.objects or record.path not in filled:
            kept.append(record)
        else:
            detail = f"{record.path}: empty here, but not in {filled[record.path]}."
            empty.append(Rejected(record.file, "duplicate-entry", detail))
    return kept, empty


def _unlabeled(records: Iterable[ImageRecord], label: str) -> Iterable[str]:
    labels = [obj.label for record in records for obj in record.objects]
    if label and any(labels) and (number := labels.count("")):
        yield f"{number} of {len(labels)} regions have no {label!r}."


def texts_of(value: Any) -> tuple[str, ...]:
    """Return the values of an attribute: a text, a number, or checked options."""
    if isinstance(value, Mapping):
        return tuple(key.strip() for key, checked in value.items() if checked is True)
    if value is None or isinstance(value, str):
        text = (value or "").strip()
        return (text,) if text else ()
    return (json.dumps(value),)


def choose(entries: Iterable[ViaEntry], asked: str | None) -> str:
    """Return the attribute that is the label; "" where none has a value."""
    used = [
        {name: texts for name, value in each.items() if (texts := texts_of(value))}
        for entry in entries
        for each in (entry.attributes, *(r.attributes for r in entry.regions))
    ]
    examples: dict[str, dict[str, None]] = defaultdict(dict)
    for attributes in used:
        for name, texts in attributes.items():
            if len(examples[name]) < EXAMPLES:
                examples[name][" + ".join(texts)[:LONGEST]] = None
    known = in_natural_order(examples)
    if asked is not None:
        if asked not in examples:
            error = unknown_name("attribute", asked, known)
            raise error
        return asked
    if not known:
        return ""
    for name in known:
        if all(_agree(attributes, name) for attributes in used):
            return name
    lines = [f"  {name}: {', '.join(map(repr, examples[name]))}, ..." for name in known]
    raise DatasetError(
        "\n".join(["Several attributes have values, and they differ:", *lines]),
        hint=f"Name the one that is the label, such as --attribute {known[0]!r}.",
    )


def _agree(values: Mapping[str, tuple[str, ...]], name: str) -> bool:
    return not values or (name in values and set(values.values()) == {values[name]})
