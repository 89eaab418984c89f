"""report.html of a data set directory."""

from __future__ import annotations

import sys
from pathlib import Path

from tlkit.dataset.dataset_files import REPORT
from tlkit.dataset.output.write import Prepared
from tlkit.dataset.report import context
from tlkit.progress import SILENT, Progress
from tlkit.reports.html import render
from tlkit.reports.thumbnails import PageImages

TEMPLATE = Path(__file__).with_name("report.html.j2")
HEADINGS = {
    "warnings": "Warnings and remarks",
    "classes": "Classes",
    "examples": "Contact sheets",
    "outliers": "Outliers",
    "duplicates": "Duplicates and conflicts",
    "rejected": "Not used",
    "sizes": "Sizes",
}


def write_report(
    draft: Path,
    prepared: Prepared,
    *,
    workers: int | None = None,
    progress: Progress = SILENT,
) -> None:
    """Write report.html."""
    thumbnails = PageImages()
    parts = {
        "warnings": context.warnings(prepared),
        "classes": context.classes(prepared),
        "examples": context.examples(prepared, thumbnails),
        "outliers": context.outliers(prepared, thumbnails),
        "duplicates": context.duplicates(prepared, thumbnails),
        "rejected": context.rejected(prepared, thumbnails),
        "sizes": context.sizes(prepared),
    }
    version = str(getattr(sys.modules["tlkit"], "__version__", ""))
    page = {
        **parts,
        "title": f"{prepared.root.name}: data set",
        "header": context.header(prepared, version),
        "sections": [(k, HEADINGS[k]) for k, part in parts.items() if part is not None],
        "files": sorted(path.name for path in draft.iterdir()),
    }
    thumbnails.draw(prepared.root, workers, progress)
    text = render(TEMPLATE, page)
    (draft / REPORT).write_text(text, encoding="utf-8", newline="\n")
