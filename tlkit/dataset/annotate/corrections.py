"""Corrections: the changes made in an annotation folder, applied to a source.

A correction replaces the labels of an image by the flags that are true, if they were
changed and any is true; and its shapes, if those were changed. An image flagged
"__ignore__" is left out. Everything else stays as it is.

A data set directory keeps its corrections in corrections.jsonl, so that they hold when
it is prepared again.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tlkit.dataset.annotate.folder import IGNORE, changed, faults_of, read_index
from tlkit.dataset.annotations.annotations_file import record_from_json, record_to_json
from tlkit.dataset.dataset_files import CORRECTIONS
from tlkit.dataset.formats.labelme import parse_file
from tlkit.dataset.records import SPLIT_NAMES, ImageRecord, ParsedSource, Rejected
from tlkit.dataset.splitting.examples import Labeling
from tlkit.errors import DatasetError
from tlkit.imaging.safe_read import Unusable, read_json
from tlkit.progress import Progress


@dataclass(frozen=True)
class Correction:
    """The changes of an image: its record as corrected, and which parts were changed.

    `rejected` are shapes that cannot be used.
    """

    record: ImageRecord
    labels: bool
    shapes: bool
    rejected: tuple[Rejected, ...] = ()

    @property
    def ignored(self) -> bool:
        """True if the image is to be left out."""
        return self.labels and IGNORE in self.record.labels

    def after(self, earlier: Correction | None) -> Correction:
        """Add an earlier correction of the parts that are not corrected again."""
        if earlier is None:
            return self
        flags = self if self.labels else earlier
        drawn = self if self.shapes else earlier
        record = replace(
            drawn.record,
            labels=flags.record.labels,
            attributes={**drawn.record.attributes, **flags.record.attributes},
        )
        return Correction(
            record,
            self.labels or earlier.labels,
            self.shapes or earlier.shapes,
            drawn.rejected,
        )


@dataclass(frozen=True)
class Corrections:
    """The corrections of an annotation folder, by the image's path in the source.

    `broken` are changes that look like corrections but are not applied.
    """

    place: Path
    made: Mapping[str, Correction]
    broken: tuple[Rejected, ...] = ()


def read_corrections(place: Path) -> Corrections:
    """Read an annotation folder."""
    made = {}
    broken: list[Rejected] = []
    for entry in read_index(place):
        shown = f"{entry.name} ({entry.path})"
        parsed = parse_file(place, entry.name)
        if isinstance(parsed, Rejected):
            detail = f"{parsed.detail} It is skipped."
            broken.append(Rejected(shown, parsed.reason, detail))
            continue
        content = read_json(place / entry.name)
        for fault in faults_of(content, entry):
            broken.append(Rejected(shown, "no-correction", fault))
        labels, shapes = changed(content, entry)
        if labels or shapes:
            record = replace(parsed.record, path=entry.path, file="")
            made[entry.path] = Correction(record, labels, shapes, parsed.rejected)
    return Corrections(place, made, tuple(broken))


def write_corrections(directory: Path, made: Mapping[str, Correction]) -> None:
    """Write corrections into a data set directory, if there are any."""
    if not made:
        return
    with (directory / CORRECTIONS).open("w", encoding="utf-8", newline="\n") as file:
        for correction in made.values():
            faults = [(r.file, r.reason, r.detail) for r in correction.rejected]
            content = {
                "labels": correction.labels,
                "shapes": correction.shapes,
                "rejected": faults,
                "record": record_to_json(correction.record),
            }
            file.write(json.dumps(content) + "\n")


def recorded_corrections(directory: Path) -> dict[str, Correction]:
    """Read the corrections of a data set directory."""
    path = directory / CORRECTIONS
    if not path.is_file():
        return {}
    made = {}
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            content = json.loads(line)
            record = record_from_json(content["record"])
            faults = tuple(Rejected(*fault) for fault in content["rejected"])
            made[record.path] = Correction(
                record, bool(content["labels"]), bool(content["shapes"]), faults
            )
    except (OSError, ValueError, KeyError, TypeError, Unusable) as error:
        raise DatasetError(
            f"{path} is damaged: {error!r}.",
            hint="Run tlkit prepare again with --overwrite, and --corrections again.",
        ) from error
    return made


def gather(
    parsed: ParsedSource,
    earlier: Mapping[str, Correction],
    place: Path | None,
    progress: Progress,
) -> tuple[dict[str, Correction], list[str]]:
    """Combine earlier and new corrections, and report them."""
    known = {*parsed.files, *(record.path for record in parsed.records)}
    made = {path: each for path, each in earlier.items() if path in known}
    if made:
        progress.note(f"{len(made)} image(s) stay corrected as they were before.")
    if place is None:
        return made, []
    corrections = read_corrections(place)
    missing = [path for path in corrections.made if path not in known]
    if missing and len(missing) == len(corrections.made):
        raise DatasetError(
            f"None of the {len(missing)} image(s) corrected in {place} is in the "
            f"source, as {missing[0]}.",
            hint="Name the folder of photos that the data set was prepared from.",
        )
    lines = [f"{place / r.file}: {r.detail}" for r in corrections.broken]
    lines += [f"{path}, corrected in {place}, is no longer there." for path in missing]
    for line in lines:
        progress.warn(line)
    new = {path: each for path, each in corrections.made.items() if path in known}
    progress.note(f"{len(new)} image(s) corrected by {place}.")
    made |= {path: each.after(made.get(path)) for path, each in new.items()}
    return made, lines


def apply(
    parsed: ParsedSource, made: Mapping[str, Correction], how: Labeling
) -> ParsedSource:
    """Apply corrections to a source."""
    records = list(parsed.records)
    own = any(record.labels for record in records)
    if how.label_by == "image" and not own and any(c.labels for c in made.values()):
        # From now on images have labels of their own, so all of them get theirs.
        records = [_labeled(record) for record in records]
    about: dict[str, list[ImageRecord]] = defaultdict(list)
    for record in records:
        about[record.path].append(record)
    replaced: set[str] = set()
    rejected: list[Rejected] = []
    kept = [record for record in records if record.path not in made]
    for path, correction in made.items():
        record = _merged(path, about[path], _split(path, records))
        replaced |= {path, record.shown} if correction.shapes else {path}
        if correction.ignored:
            detail = f"Marked as {IGNORE} in the corrections."
            rejected.append(Rejected(record.shown, "ignored", detail))
            continue
        rejected += [
            Rejected(record.shown, fault.reason, f"In the corrections: {fault.detail}")
            for fault in correction.rejected
        ]
        kept.append(_corrected(record, correction))
    left = [each for each in parsed.rejected if each.file not in replaced]
    return replace(parsed, records=tuple(kept), rejected=(*left, *rejected))


def _labeled(record: ImageRecord) -> ImageRecord:
    labels = dict.fromkeys(t.label for t in record.objects if t.label and not t.ignored)
    return replace(record, labels=tuple(labels))


def _split(path: str, records: Iterable[ImageRecord]) -> str | None:
    above, _, name = path.partition("/")
    given = any(record.split for record in records)
    return SPLIT_NAMES.get(above.lower()) if given and name else None


def _merged(
    path: str, records: Sequence[ImageRecord], split: str | None
) -> ImageRecord:
    """Merge all records of an image."""
    if not records:
        return ImageRecord(path, split=split)
    labels = dict.fromkeys(label for record in records for label in record.labels)
    return replace(
        records[0],
        labels=tuple(labels),
        objects=tuple(obj for record in records for obj in record.objects),
        split=next((record.split for record in records if record.split), split),
        group=next((record.group for record in records if record.group), ""),
    )


def _corrected(record: ImageRecord, correction: Correction) -> ImageRecord:
    now = correction.record
    if correction.labels:
        record = replace(record, labels=now.labels)
        if "flags" in record.attributes:
            flags = now.attributes.get("flags", {})
            record = replace(record, attributes={**record.attributes, "flags": flags})
    if correction.shapes:
        record = replace(record, objects=now.objects, size=now.size, relative=False)
    return record
