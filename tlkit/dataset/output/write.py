"""What was prepared in, the files of a data set directory out."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import importlib.metadata
import json
import os
import platform
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tlkit.dataset.annotate.corrections import KEPT, Correction, keep
from tlkit.dataset.annotations.annotations_file import ANNOTATIONS, write_annotations
from tlkit.dataset.duplicates.resolve import GROUP_DIGITS, DedupResult, DuplicateRow
from tlkit.dataset.formats import ImageRecord, ParsedSource, Rejected
from tlkit.dataset.inspection.image_info import ImageInfo
from tlkit.dataset.manifest import (
    DUPLICATES,
    FORMAT,
    INFO,
    LABELS,
    MANIFEST,
    NOTES,
    REJECTED,
    REPORT,
    SPLITS,
    Example,
    digest_of,
    write_contents,
    write_table,
)
from tlkit.dataset.quality.outliers import Finding
from tlkit.dataset.records import in_natural_order, natural_key
from tlkit.dataset.splitting.examples import Candidate
from tlkit.errors import DatasetError, UsageError

# Images from archives and drawings, which have no other place to stay.
IMAGES = "images"
OURS = {
    *(MANIFEST, LABELS, INFO, REJECTED, NOTES, DUPLICATES, ANNOTATIONS, REPORT, IMAGES),
    KEPT,
}
SPREADSHEETS = (".xlsx", ".xls", ".ods", ".numbers")
# Longer explanations are of no use to anybody; they quote what came.
MAX_DETAIL = 1000
ID_DIGITS = 16


@dataclass
class Prepared:
    """Everything that is written.

    Attributes:
        root: The source root.
        origin: What the user named as the source.
        kind: The layout of the source.
        options: What was asked for, a dataclass; its val and test are the shares drawn,
            None for a side that the source gives.
        parsed: What the source holds.
        records: What it says of images that could be read, upright.
        info: The images that could be read.
        outcome: What became of copies.
        sides: The side of each candidate that is kept.
        rejected: What is not used.
        corrections: What was corrected, by the image's path.
        warnings: What the user should act on.
        remarks: What is worth a look.
        findings: About the quality of the set; warnings or remarks tell them, too.
    """

    root: Path
    origin: Path
    kind: str
    options: Any
    parsed: ParsedSource
    records: list[ImageRecord]
    info: list[ImageInfo]
    outcome: DedupResult
    sides: list[str]
    rejected: list[Rejected]
    corrections: dict[str, Correction] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @functools.cached_property
    def examples(self) -> list[Example]:
        """The examples, in the order of the manifest: natural, by path, then by box."""
        triples = zip(self.outcome.kept, self.sides, strict=True)
        ordered = sorted(triples, key=lambda triple: triple[0][0].key)
        return [
            _example(candidate, group, side) for (candidate, group), side in ordered
        ]

    @functools.cached_property
    def labels(self) -> list[str]:
        """The class order."""
        return in_natural_order({n for c, _ in self.outcome.kept for n in c.labels})

    @functools.cached_property
    def numbers(self) -> Counter[tuple[str, str]]:
        """How many examples a label has on a side."""
        kept = zip(self.outcome.kept, self.sides, strict=True)
        return Counter((label, side) for (c, _), side in kept for label in c.labels)

    @functools.cached_property
    def checksum(self) -> str:
        """The digest of the data set."""
        return digest_of(self.labels, self.examples)

    @functools.cached_property
    def asked(self) -> set[str]:
        """The images that have a label."""
        return {
            record.path
            for record in self.parsed.records
            if record.labels or record.objects
        }


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
            f"{src} is a spreadsheet, which is not read.",
            hint="Save it as CSV (UTF-8).",
        )
    root, place = src.resolve(), out.resolve()
    # Beside an annotation file it is no class, and is passed over.
    if is_folder and (place == root or root in place.parents):
        raise UsageError(
            f"{out} lies within {src}, where it would be taken for a class next time.",
            hint="Choose an --out outside of the photos.",
        )
    if not is_folder and (place == root.parent or place in root.parents):
        raise UsageError(
            f"{src} lies within {out}, which would be replaced.",
            hint="Choose an --out of its own.",
        )
    if (place / INFO).is_file():
        foreign = in_natural_order({entry.name for entry in place.iterdir()} - OURS)
        foreign = [name for name in foreign if not name.startswith(".")]
        if foreign:
            raise UsageError(
                f"{out} holds files that are not of a data set directory: "
                f"{', '.join(foreign[:5])}. It is left alone.",
                hint="Move them away, or choose another --out.",
            )
    return root, place


def write(draft: Path, place: Path, prepared: Prepared) -> None:
    """Write the files of a data set directory."""
    write_contents(draft, prepared.labels, prepared.examples)
    rows = [(r.file, r.reason, r.detail[:MAX_DETAIL]) for r in prepared.rejected]
    write_table(draft / REJECTED, ("file", "reason", "detail"), rows)
    used = {example.path for example in prepared.examples}
    remarks = [(f.path, note) for f in prepared.info for note in f.notes]
    remarks = [row for row in remarks if row[0] in used]
    write_table(draft / NOTES, ("file", "note"), remarks)
    columns = [column.name for column in dataclasses.fields(DuplicateRow)]
    copies = map(dataclasses.astuple, copies_of(prepared))
    write_table(draft / DUPLICATES, columns, copies)
    # Only ASCII, so that a source in a place whose name is not UTF-8 can be written.
    root = prepared.root
    if root.is_relative_to(draft):
        root = place / root.relative_to(draft)
    text = json.dumps(_info(place, root, prepared), indent=2)
    (draft / INFO).write_text(text + "\n", encoding="utf-8")
    write_annotations(draft, prepared.records)
    keep(draft, prepared.corrections)


def _example(candidate: Candidate, group: str, side: str) -> Example:
    fact, box = candidate.info, candidate.box
    # Not the annotation file's name: the same path, box, shape and label are one thing.
    identity = json.dumps([fact.path, box, candidate.shape, candidate.label])
    return Example(
        id=hashlib.sha256(identity.encode()).hexdigest()[:ID_DIGITS],
        path=fact.path,
        sha256=fact.sha256,
        width=fact.width,
        height=fact.height,
        label=candidate.label,
        split=side,
        group=group,
        box=box,
        shape=candidate.shape,
        annotation=candidate.annotation,
    )


def copies_of(prepared: Prepared) -> list[DuplicateRow]:
    """The rows of duplicates.csv, those of files that cannot be read included."""
    alike = defaultdict(list)
    for rejection in prepared.rejected:
        if rejection.sha256:
            alike[rejection.sha256].append(rejection.file)
    copies = list(prepared.outcome.copies)
    for sha256, files in alike.items():
        for file, twin in zip(files, [*files[1:], files[0]], strict=True):
            if file != twin:
                group = sha256[:GROUP_DIGITS]
                copies.append(
                    DuplicateRow(group, file, "", "exact", 0, "unreadable", twin)
                )
    return sorted(copies, key=lambda c: (c.group, natural_key(c.file), c.kind))


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
            "layout": prepared.kind,
            "given": [side for side in SPLITS if side in given],
            "lists": in_natural_order(prepared.parsed.annotation_files),
        },
        "options": dataclasses.asdict(prepared.options),
        "seed": prepared.options.seed,
        "labels": prepared.labels,
        "multi_label": prepared.options.labeling.multi_label,
        "counts": _counts(prepared),
        "classes": _classes(prepared),
        "warnings": [*prepared.parsed.warnings, *prepared.warnings],
        "remarks": prepared.remarks,
        "versions": _versions(),
    }


def _counts(prepared: Prepared) -> dict[str, Any]:
    used = {e.path for e in prepared.examples}
    used |= {e.annotation for e in prepared.examples if e.annotation}
    used |= prepared.parsed.annotation_files
    kinds = Counter((c.kind, c.action.split()[0]) for c in prepared.outcome.copies)
    grouped = [c for c in prepared.outcome.copies if c.action == "grouped"]
    groups = Counter(kind for kind, _ in {(c.kind, c.group) for c in grouped})
    return {
        "found": len({*used, *(r.file for r in prepared.rejected)}),
        "used": len(used),
        "examples": len(prepared.examples),
        "rejected": dict(Counter(r.reason for r in prepared.rejected).most_common()),
        "exact_copies": kinds["exact", "dropped"],
        "near_groups": groups["near"],
        "turned_groups": groups["turned"],
        "similar_groups": groups["similar"],
        "conflicts": kinds["conflict", "left"] + kinds["conflict", "kept"],
        "leaks": kinds["leak", "removed"],
    }


def _classes(prepared: Prepared) -> dict[str, dict[str, int]]:
    return {
        label: {side: prepared.numbers[label, side] for side in SPLITS}
        for label in prepared.labels
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
