"""What was prepared in, report.html out: one page that shows all of it.

The page needs nothing but itself: pictures are in it as small JPEGs, there is no
script, and nothing is fetched. However much there is, it stays below 10 MB: pictures
are chosen (`album`, `sheets`), lists are cut and say so. The same data set and options
give the same bytes.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from xml.etree.ElementTree import Element

from tlkit.dataset.copies import Copy
from tlkit.dataset.manifest import REPORT
from tlkit.dataset.output import Prepared, copies_of
from tlkit.dataset.report.album import Album
from tlkit.dataset.report.classes import classes
from tlkit.dataset.report.copies import copies
from tlkit.dataset.report.masthead import masthead
from tlkit.dataset.report.odd import odd
from tlkit.dataset.report.page import page
from tlkit.dataset.report.rejected import rejected
from tlkit.dataset.report.sheets import sheets
from tlkit.dataset.report.sizes import sizes
from tlkit.dataset.report.warnings import warnings
from tlkit.progress import Progress, Silent

SILENT = Silent()


def write_report(
    draft: Path,
    prepared: Prepared,
    *,
    workers: int | None = None,
    progress: Progress = SILENT,
) -> None:
    """Write report.html.

    Args:
        draft: The directory to write to; what else prepare writes is there.
        prepared: What was prepared.
        workers: Processes that draw the pictures; None decides by the amount.
        progress: Where to report.
    """
    album = Album()
    sections = _sections(prepared, album, copies_of(prepared))
    album.draw(prepared.root, workers, progress)
    version = str(getattr(sys.modules["tlkit"], "__version__", ""))
    files = sorted(path.name for path in draft.iterdir())
    title = f"{prepared.root.name}: data set"
    text = page(title, masthead(prepared, version), sections, files)
    (draft / REPORT).write_text(text, encoding="utf-8", newline="\n")


def _sections(prepared: Prepared, album: Album, rows: Sequence[Copy]) -> list[Element]:
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
