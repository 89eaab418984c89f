"""The files of a data set directory."""

from __future__ import annotations

import dataclasses
import functools
import importlib.metadata
import json
import operator
import os
import platform
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tlkit.dataset.annotations.annotations_file import ANNOTATIONS, write_annotations
from tlkit.dataset.dataset_files import (
    CORRECTIONS,
    DUPLICATES,
    FORMAT,
    INFO,
    LABELS,
    MANIFEST,
    NOTES,
    REJECTED,
    REPORT,
    checksum_of,
    write_contents,
    write_table,
)
from tlkit.dataset.duplicates.resolve import GROUP_DIGITS, DedupResult
from tlkit.dataset.example import SPLITS, Example
from tlkit.dataset.options import Options
from tlkit.dataset.records import (
    Action,
    DuplicateRow,
    Finding,
    ImageInfo,
    ImageRecord,
    Kind,
    ParsedSource,
    Rejected,
    in_natural_order,
    natural_key,
)
from tlkit.dataset.splitting.examples import labels_of
from tlkit.errors import DatasetError, UsageError

# Images from archives and drawings, which have no other place to stay.
IMAGES = "images"
OURS = {
    *(MANIFEST, LABELS, INFO, REJECTED, NOTES, DUPLICATES, ANNOTATIONS, CORRECTIONS),
    *(REPORT, IMAGES),
}
SPREADSHEETS = (".xlsx", ".xls", ".ods", ".numbers")
# Longer explanations are of no use to anybody; they quote what came.
MAX_DETAIL = 1000
DUPLICATE_COLUMNS = (
    *("group", "kind", "file", "split", "label", "match", "match_split"),
    *("match_label", "distance", "transform", "action"),
)


@dataclass
class Prepared:
    """Everything that is written, in a data set directory and in its report."""

    root: Path  # of the source
    origin: Path  # what the user named as the source
    format: str  # of the annotations
    options: Options  # all decided; val and test are None where the source gives them
    parsed: ParsedSource
    records: list[ImageRecord]  # those of images that could be read, oriented
    info: list[ImageInfo]  # the images that could be read
    dedup: DedupResult
    examples: list[Example]  # in the order of the manifest, with group and split
    rejected: list[Rejected]
    warnings: list[str] = field(default_factory=list)  # what the user should act on
    remarks: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)  # what these are made of

    @functools.cached_property
    def labels(self) -> list[str]:
        """The class order."""
        return labels_of(self.examples)

    @functools.cached_property
    def counts(self) -> Counter[tuple[str, str]]:
        """The number of examples by label and split."""
        return Counter((name, e.split) for e in self.examples for name in e.labels)

    @functools.cached_property
    def checksum(self) -> str:
        """The checksum of the data set."""
        return checksum_of(self.labels, self.examples)

    @functools.cached_property
    def annotated(self) -> set[str]:
        """The images that have a label or an object."""
        return {r.path for r in self.parsed.records if r.labels or r.objects}

    @functools.cached_property
    def duplicates(self) -> list[DuplicateRow]:
        """The rows of duplicates.csv, those of files that cannot be read included."""
        alike = defaultdict(list)
        for rejection in self.rejected:
            if rejection.sha256:
                alike[rejection.sha256].append(rejection.file)
        rows = list(self.dedup.rows)
        for sha256, files in alike.items():
            for file, match in zip(files, [*files[1:], files[0]], strict=True):
                if file != match:
                    row = DuplicateRow(
                        Kind.EXACT,
                        file,
                        match=match,
                        distance=0,
                        group=sha256[:GROUP_DIGITS],
                        action=Action.UNREADABLE,
                    )
                    rows.append(row)
        return sorted(
            rows, key=lambda row: (row.group, natural_key(row.file), row.kind)
        )


def check_place(src: Path, out: Path) -> tuple[Path, Path]:
    """Refuse places that cannot be read, or must not be written to."""
    is_folder = src.is_dir()
    if not is_folder and not src.is_file():
        what = "is neither a folder nor a file" if src.exists() else "does not exist"
        raise DatasetError(
            f"{src} {what}.",
            hint="Name the folder that holds the photos, or the file of annotations.",
        )
    if not os.access(src, os.R_OK | (os.X_OK if is_folder else 0)):
        raise DatasetError(f"There is no permission to read {src}.")
    if src.suffix.lower() in SPREADSHEETS:
        raise DatasetError(
            f"{src} is a spreadsheet, which cannot be read.",
            hint="Save it as CSV (UTF-8).",
        )
    root, place = src.resolve(), out.resolve()
    # Next to an annotation file it is not taken for a class.
    if is_folder and (place == root or root in place.parents):
        raise UsageError(
            f"{out} is inside {src}, where it would be taken for a class next time.",
            hint="Choose an --out outside of the photos.",
        )
    if not is_folder and (place == root.parent or place in root.parents):
        raise UsageError(
            f"{src} is inside {out}, which would be replaced.",
            hint="Choose an --out of its own.",
        )
    if (place / INFO).is_file():
        foreign = in_natural_order({entry.name for entry in place.iterdir()} - OURS)
        foreign = [name for name in foreign if not name.startswith(".")]
        if foreign:
            raise UsageError(
                f"{out} holds files that are not those of a data set directory: "
                f"{', '.join(foreign[:5])}. It is left alone.",
                hint="Move them away, or choose another --out.",
            )
    return root, place


def write(draft: Path, place: Path, prepared: Prepared) -> None:
    """Write the files of a data set directory."""
    write_contents(draft, prepared.labels, prepared.examples)
    rejected = [
        (r.file, r.reason, r.detail[:MAX_DETAIL], r.annotation)
        for r in prepared.rejected
    ]
    write_table(draft / REJECTED, ("file", "reason", "detail", "annotation"), rejected)
    used = {example.path for example in prepared.examples}
    notes = [
        (i.path, note) for i in prepared.info if i.path in used for note in i.notes
    ]
    write_table(draft / NOTES, ("file", "note"), notes)
    values = operator.attrgetter(*DUPLICATE_COLUMNS)
    write_table(draft / DUPLICATES, DUPLICATE_COLUMNS, map(values, prepared.duplicates))
    # Only ASCII, so that a source in a place whose name is not UTF-8 can be written.
    root = prepared.root
    if root.is_relative_to(draft):
        root = place / root.relative_to(draft)
    text = json.dumps(_info(place, root, prepared), indent=2)
    (draft / INFO).write_text(text + "\n", encoding="utf-8")
    write_annotations(draft, prepared.records)


def _info(place: Path, root: Path, prepared: Prepared) -> dict[str, Any]:
    try:
        relative = Path(os.path.relpath(root, place)).as_posix()
    except ValueError:  # another drive
        relative = ""
    given = {record.split for record in prepared.parsed.records}
    return {
        "format": FORMAT,
        "checksum": prepared.checksum,
        "source": {
            "path": str(root),
            "relative": relative,
            "origin": str(prepared.origin),
            "format": prepared.format,
            "splits": [split for split in SPLITS if split in given],
            "annotation_files": in_natural_order(prepared.parsed.annotation_files),
        },
        "options": dataclasses.asdict(prepared.options),
        "seed": prepared.options.seed,
        "labels": prepared.labels,
        "multi_label": prepared.options.labeling.multi_label,
        "counts": _counts(prepared),
        "classes": {
            label: {split: prepared.counts[label, split] for split in SPLITS}
            for label in prepared.labels
        },
        "warnings": [*prepared.parsed.warnings, *prepared.warnings],
        "remarks": prepared.remarks,
        "versions": _versions(),
    }


def _counts(prepared: Prepared) -> dict[str, Any]:
    used = {e.path for e in prepared.examples}
    used |= {e.annotation for e in prepared.examples if e.annotation}
    used |= prepared.parsed.annotation_files
    rows = prepared.dedup.rows
    done = Counter((row.kind, row.action) for row in rows)
    grouped = {(row.kind, row.group) for row in rows if row.action == Action.GROUPED}
    groups = Counter(kind for kind, _ in grouped)
    return {
        "found": len({*used, *(r.file for r in prepared.rejected)}),
        "used": len(used),
        "examples": len(prepared.examples),
        "rejected": dict(Counter(r.reason for r in prepared.rejected).most_common()),
        "exact_duplicates": done[Kind.EXACT, Action.DROPPED],
        "near_groups": groups[Kind.NEAR],
        "rotated_groups": groups[Kind.ROTATED],
        "similar_groups": groups[Kind.SIMILAR],
        "conflicts": done[Kind.CONFLICT, Action.LEFT_OUT]
        + done[Kind.CONFLICT, Action.KEPT],
        "leaks": done[Kind.LEAK, Action.REMOVED],
    }


def _versions() -> dict[str, str]:
    versions = {
        "python": platform.python_version(),
        # Not an import: the package itself may import anything, this stage may not.
        "tlkit": str(getattr(sys.modules["tlkit"], "__version__", "")),
    }
    for name in ("imagededup", "numpy", "pillow"):
        versions[name] = importlib.metadata.version(name)
    return versions
