"""What was prepared in, report.html out: one page that shows all of it.

The page needs nothing but itself: images are in it as small JPEGs, there is no
script, and nothing is fetched. However much there is, it stays below 10 MB: images
are chosen (`album`, `sheets`), lists are cut and say so. The same data set and options
give the same bytes.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from xml.etree.ElementTree import Element

from tlkit.dataset.duplicates.resolve import DuplicateRow
from tlkit.dataset.manifest import REPORT
from tlkit.dataset.output.write import Prepared, copies_of
from tlkit.dataset.report.classes import classes
from tlkit.dataset.report.duplicates import copies
from tlkit.dataset.report.examples import sheets
from tlkit.dataset.report.header import masthead
from tlkit.dataset.report.outliers import odd
from tlkit.dataset.report.rejected import rejected
from tlkit.dataset.report.sizes import sizes
from tlkit.dataset.report.warnings import warnings
from tlkit.progress import SILENT, Progress
from tlkit.reports.html import page
from tlkit.reports.thumbnails import Thumbnails


def write_report(
    draft: Path,
    prepared: Prepared,
    *,
    workers: int | None = None,
    progress: Progress = SILENT,
) -> None:
    """Write report.html."""
    album = Thumbnails()
    sections = _sections(prepared, album, copies_of(prepared))
    album.draw(prepared.root, workers, progress)
    version = str(getattr(sys.modules["tlkit"], "__version__", ""))
    files = sorted(path.name for path in draft.iterdir())
    title = f"{prepared.root.name}: data set"
    text = page(title, masthead(prepared, version), sections, files)
    (draft / REPORT).write_text(text, encoding="utf-8", newline="\n")


def _sections(
    prepared: Prepared, album: Thumbnails, rows: Sequence[DuplicateRow]
) -> list[Element]:
    sections = (
        warnings(prepared),
        classes(prepared),
        sheets(prepared, album),
        odd(prepared, album),
        copies(prepared, album, rows),
        rejected(prepared, album),
        sizes(prepared),
    )
    return [section for section in sections if section is not None]
