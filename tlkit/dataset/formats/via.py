"""VGG Image Annotator in, pages out: projects and annotations, JSON and CSV, 1 and 2.

One attribute is the label, of regions, of whole images or of both (`via_labels`); the
others are kept beside. A region has one label: one with several is rejected.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from tlkit.dataset.formats.folders import is_split
from tlkit.dataset.formats.via_files import (
    Entry,
    Region,
    read_entries,
    read_region,
)
from tlkit.dataset.records import (
    SPLIT_NAMES,
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


def read(source: Source) -> ParsedSource:
    """List what VIA's files in a folder say."""
    by_split = is_split(source.root, of_classes=False)
    rejected = list(source.rejected)
    entries: list[Entry] = []
    names = source.ending(".json", ".csv")
    for name in track(names, source.progress, "Reading annotations", len(names)):
        for each in read_entries(source.root, name):
            if isinstance(each, Entry):
                entries.append(each)
            else:
                rejected.append(each)
    label = choose(entries, source.reading.attribute)
    reader = _Reader(label, source.images())
    records = [record for entry in entries if (record := reader.record(entry))]
    if by_split:
        records, astray = _sided(records)
        rejected += astray
    records, empty = _telling(records)
    which = f"the label is the attribute {label!r}" if label else "without labels"
    return ParsedSource(
        files=source.files,
        records=tuple(records),
        rejected=(*rejected, *reader.rejected, *empty),
        note=f"Read as VGG Image Annotator files, {len(records)} images; {which}.",
        warnings=tuple(_unlabeled(records, label)),
        named=reader.index.named,
        consumed=frozenset(entry.file for entry in entries),
    )


class _Reader:
    """Makes pages of entries; nothing is said twice of an image."""

    def __init__(self, label: str, index: Images) -> None:
        self.label = label
        self.index = index
        self.rejected: list[Rejected] = []
        self.said: dict[str, list[Entry]] = defaultdict(list)
        self.drawn: dict[str, set[tuple[object, ...]]] = defaultdict(set)

    def record(self, entry: Entry) -> ImageRecord | None:
        """What an entry says that no entry before it did."""
        path = _find(entry, self.index)
        if isinstance(path, Rejected):
            self.rejected.append(path)
            return None
        for other in self.said[path]:
            if (entry.regions, entry.attributes) == (other.regions, other.attributes):
                detail = f"{entry.name}: {other.file} says the same of it."
                self._reject(entry, "duplicate-entry", detail)
                return None
        self.said[path].append(entry)
        labels = told(entry.attributes.get(self.label))
        for name in labels:
            if not is_label(name):
                detail = f"{entry.name}: {name!r} cannot be a label."
                self._reject(entry, "bad-label", detail)
        others = {k: v for k, v in entry.attributes.items() if k != self.label}
        return ImageRecord(
            path=path,
            file=entry.file,
            labels=tuple(name for name in labels if is_label(name)),
            objects=tuple(self._things(entry, self.drawn[path])),
            attributes=others,
            shared=True,
        )

    def _things(
        self, entry: Entry, drawn: set[tuple[object, ...]]
    ) -> Iterator[Annotation]:
        for region in entry.regions:
            try:
                obj = _thing(region, self.label)
                others = json.dumps(obj.attributes, sort_keys=True)
                same = obj.label, obj.shapes, others
                if same in drawn:
                    raise Unusable("duplicate-region", "the same was drawn before")
            except Unusable as error:
                reason, detail = error.reason, error.detail
                detail = f"{entry.name}, region {region.number}: {detail}."
                self._reject(entry, reason, detail)
            else:
                drawn.add(same)
                yield obj

    def _reject(self, entry: Entry, reason: str, detail: str) -> None:
        self.rejected.append(Rejected(entry.file, reason, detail))


def _find(entry: Entry, index: Images) -> str | Rejected:
    name, folder = entry.name, entry.folder
    if REMOTE.match(name):
        detail = f"{name[:200]!r} is no file: save it beside and name that."
        return Rejected(entry.file, "remote-image", detail)
    if folder and not REMOTE.match(folder):
        whole = folder.rstrip("/\\") + "/" + name
        path = index.find(whole, entry.file, shared=True)
        if isinstance(path, str):
            return path
    return index.find(name, entry.file, shared=True)


def _thing(region: Region, label: str) -> Annotation:
    shape = read_region(region.shape)
    labels = told(region.attributes.get(label))
    if len(labels) > 1:
        several = ", ".join(map(repr, labels))
        raise Unusable("several-labels", f"labeled as {several}, one is possible")
    if labels and not is_label(labels[0]):
        raise Unusable("bad-label", f"its label is {labels[0]!r}")
    others = {name: v for name, v in region.attributes.items() if name != label}
    return Annotation("".join(labels), (shape,), attributes=others)


def _sided(records: Iterable[ImageRecord]) -> tuple[list[ImageRecord], list[Rejected]]:
    """Give pages the side of the split that their images lie in."""
    kept = []
    astray = []
    for record in records:
        above, _, name = record.path.partition("/")
        if name and above.lower() in SPLIT_NAMES:
            kept.append(replace(record, split=SPLIT_NAMES[above.lower()]))
        else:
            detail = "Beside the folders of the split, not in them."
            astray.append(Rejected(record.path, "no-split", detail))
    return kept, astray


def _telling(
    records: Iterable[ImageRecord],
) -> tuple[list[ImageRecord], list[Rejected]]:
    """Leave out pages that say nothing of an image of which others do."""
    records = list(records)
    told_by = {
        record.path: record.file
        for record in records
        if record.labels or record.objects
    }
    kept = []
    empty = []
    for record in records:
        if record.labels or record.objects or record.path not in told_by:
            kept.append(record)
        else:
            detail = (
                f"{record.path}: it says nothing of it, {told_by[record.path]} does."
            )
            empty.append(Rejected(record.file, "duplicate-entry", detail))
    return kept, empty


def _unlabeled(records: Iterable[ImageRecord], label: str) -> Iterable[str]:
    labels = [obj.label for record in records for obj in record.objects]
    if label and any(labels) and (number := labels.count("")):
        yield f"{number} of {len(labels)} regions have no {label!r}."


# So many values of an attribute are shown, and so much of each.
EXAMPLES = 3
LONGEST = 30


def told(value: Any) -> tuple[str, ...]:
    """What an attribute says."""
    if isinstance(value, Mapping):
        return tuple(key.strip() for key, chosen in value.items() if chosen is True)
    if value is None or isinstance(value, str):
        text = (value or "").strip()
        return (text,) if text else ()
    return (json.dumps(value),)


def choose(entries: Iterable[Entry], asked: str | None) -> str:
    """Find the attribute that is the label."""
    said = [
        {name: values for name, value in each.items() if (values := told(value))}
        for entry in entries
        for each in (entry.attributes, *(r.attributes for r in entry.regions))
    ]
    examples: dict[str, dict[str, None]] = defaultdict(dict)
    for attributes in said:
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
        if all(_agree(attributes, name) for attributes in said):
            return name
    lines = [f"  {name}: {', '.join(map(repr, examples[name]))}, ..." for name in known]
    raise DatasetError(
        "\n".join(["Several attributes have values, and they differ:", *lines]),
        hint=f"Say which one is the label, as in --attribute {known[0]!r}.",
    )


def _agree(values: Mapping[str, tuple[str, ...]], name: str) -> bool:
    return not values or (name in values and set(values.values()) == {values[name]})
