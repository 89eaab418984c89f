"""VGG Image Annotator in, pages out: projects and annotations, JSON and CSV, 1 and 2.

One attribute is the label, of regions, of whole pictures or of both (`via_labels`); the
others are kept beside. A region has one label: one with several is rejected.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace

from tlkit.dataset.geometry import BadShape
from tlkit.dataset.sources.folders import is_split
from tlkit.dataset.sources.page import (
    SPLIT_NAMES,
    Page,
    Rejection,
    Scan,
    Thing,
    is_label,
)
from tlkit.dataset.sources.pictures import Pictures
from tlkit.dataset.sources.source import Source
from tlkit.dataset.sources.via.entries import (
    Entry,
    Region,
    count_entries,
    read_entries,
)
from tlkit.dataset.sources.via.labels import choose, told
from tlkit.dataset.sources.via.regions import read_region
from tlkit.progress import track

REMOTE = re.compile("data:|[A-Za-z][A-Za-z0-9+.-]*://")


def claims(source: Source) -> int:
    """How many pictures files that look like VIA's are about.

    Args:
        source: What was walked.

    Returns:
        About the number of entries in them.
    """
    return sum(count_entries(source.root / f) for f in source.ending(".json", ".csv"))


def read(source: Source) -> Scan:
    """List what VIA's files in a folder say.

    Args:
        source: What was walked.

    Returns:
        A page for each picture of each file; what another file or entry has said of
        the picture before is rejected.

    Raises:
        DatasetError: One cannot tell which attribute is the label.
        UsageError: There is no attribute of the name that was asked for.
    """
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
    reader = _Reader(label, source.pictures())
    pages = [page for entry in entries if (page := reader.page(entry))]
    if by_split:
        pages, astray = _sided(pages)
        rejected += astray
    pages, empty = _telling(pages)
    which = f"the label is the attribute {label!r}" if label else "without labels"
    return Scan(
        files=source.files,
        pages=tuple(pages),
        rejected=(*rejected, *reader.rejected, *empty),
        note=f"Read as VGG Image Annotator files, {len(pages)} pictures; {which}.",
        warnings=tuple(_unlabelled(pages, label)),
        named=reader.index.named,
        consumed=frozenset(entry.file for entry in entries),
    )


class _Reader:
    """Makes pages of entries; nothing is said twice of a picture."""

    def __init__(self, label: str, index: Pictures) -> None:
        self.label = label
        self.index = index
        self.rejected: list[Rejection] = []
        self.said: dict[str, list[Entry]] = defaultdict(list)
        self.drawn: dict[str, set[tuple[object, ...]]] = defaultdict(set)

    def page(self, entry: Entry) -> Page | None:
        """What an entry says that no entry before it did."""
        path = _find(entry, self.index)
        if isinstance(path, Rejection):
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
        return Page(
            path=path,
            file=entry.file,
            labels=tuple(name for name in labels if is_label(name)),
            things=tuple(self._things(entry, self.drawn[path])),
            attributes=others,
            shared=True,
        )

    def _things(self, entry: Entry, drawn: set[tuple[object, ...]]) -> Iterator[Thing]:
        for region in entry.regions:
            try:
                thing = _thing(region, self.label)
                others = json.dumps(thing.attributes, sort_keys=True)
                same = thing.label, thing.shapes, others
                if same in drawn:
                    raise BadShape("duplicate-region", "the same was drawn before")
            except BadShape as error:
                reason, detail = error.args
                detail = f"{entry.name}, region {region.number}: {detail}."
                self._reject(entry, reason, detail)
            else:
                drawn.add(same)
                yield thing

    def _reject(self, entry: Entry, reason: str, detail: str) -> None:
        self.rejected.append(Rejection(entry.file, reason, detail))


def _find(entry: Entry, index: Pictures) -> str | Rejection:
    name, folder = entry.name, entry.folder
    if REMOTE.match(name):
        detail = f"{name[:200]!r} is no file: save it beside and name that."
        return Rejection(entry.file, "remote-picture", detail)
    if folder and not REMOTE.match(folder):
        whole = folder.rstrip("/\\") + "/" + name
        path = index.find(whole, entry.file, shared=True)
        if isinstance(path, str):
            return path
    return index.find(name, entry.file, shared=True)


def _thing(region: Region, label: str) -> Thing:
    shape = read_region(region.shape)
    labels = told(region.attributes.get(label))
    if len(labels) > 1:
        several = ", ".join(map(repr, labels))
        raise BadShape("several-labels", f"labelled as {several}, one is possible")
    if labels and not is_label(labels[0]):
        raise BadShape("bad-label", f"its label is {labels[0]!r}")
    others = {name: v for name, v in region.attributes.items() if name != label}
    return Thing("".join(labels), (shape,), attributes=others)


def _sided(pages: Iterable[Page]) -> tuple[list[Page], list[Rejection]]:
    """Give pages the side of the split that their pictures lie in."""
    kept = []
    astray = []
    for page in pages:
        above, _, name = page.path.partition("/")
        if name and above.lower() in SPLIT_NAMES:
            kept.append(replace(page, split=SPLIT_NAMES[above.lower()]))
        else:
            detail = "Beside the folders of the split, not in them."
            astray.append(Rejection(page.path, "no-split", detail))
    return kept, astray


def _telling(pages: Iterable[Page]) -> tuple[list[Page], list[Rejection]]:
    """Leave out pages that say nothing of a picture of which others do."""
    pages = list(pages)
    told_by = {page.path: page.file for page in pages if page.labels or page.things}
    kept = []
    empty = []
    for page in pages:
        if page.labels or page.things or page.path not in told_by:
            kept.append(page)
        else:
            detail = f"{page.path}: it says nothing of it, {told_by[page.path]} does."
            empty.append(Rejection(page.file, "duplicate-entry", detail))
    return kept, empty


def _unlabelled(pages: Iterable[Page], label: str) -> Iterable[str]:
    labels = [thing.label for page in pages for thing in page.things]
    if label and any(labels) and (number := labels.count("")):
        yield f"{number} of {len(labels)} regions have no {label!r}."
