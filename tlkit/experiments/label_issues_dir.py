"""A folder of doubts in, which images it is about out."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tlkit.dataset.manifest import Manifest
from tlkit.errors import RunError

INFO, TABLE, PAGE = "label_issues.json", "label_issues.csv", "label_issues.html"
COLUMNS = (
    "id", "path", "box", "split", "label", "suggested", "p_label", "p_suggested",
    "quality",
)  # fmt: skip


@dataclass(frozen=True)
class LabelIssues:
    """What `doubts` found, open for reading.

    Attributes:
        directory: Where it lies.
        info: The content of label_issues.json.
        rows: Those of label_issues.csv, the most doubtful first.
    """

    directory: Path
    info: dict[str, Any]
    rows: tuple[dict[str, str], ...]

    @property
    def paths(self) -> list[str]:
        """The images, relative to the source root, each once."""
        return list(dict.fromkeys(row["path"] for row in self.rows))

    @classmethod
    def read(cls, directory: Path | str) -> LabelIssues:
        """Open what `doubts` has written.

        Args:
            directory: Its folder.

        Returns:
            The doubts; rows that were taken out of the table since are gone.

        Raises:
            RunError: There is none, or it is not as it was written.
        """
        directory = Path(directory)
        hint = f"Make it: tlkit label-issues DATASET --out {directory}"
        try:
            info = json.loads((directory / INFO).read_text(encoding="utf-8"))
            with (directory / TABLE).open(encoding="utf-8", newline="") as file:
                reader = csv.DictReader(file)
                rows = tuple(reader)
                columns = reader.fieldnames or ()
        except (OSError, ValueError, csv.Error) as error:
            raise RunError(
                f"{directory} does not hold what tlkit label-issues writes: {error}.",
                hint=hint,
            ) from error
        whole = "path" in columns and all(row["path"] for row in rows)
        if not isinstance(info, dict) or not whole:
            raise RunError(
                f"{directory / TABLE} is not as it was written: its rows need a path.",
                hint=hint,
            )
        return cls(directory, info, rows)

    def manifest(self, data: str | Path) -> Manifest:
        """The data set that was looked at.

        Args:
            data: Where it lies.

        Returns:
            Its manifest.

        Raises:
            RunError: It is another one, or has changed since.
        """
        manifest = Manifest.read(data)
        told = self.info.get("data", {}).get("checksum")
        if manifest.checksum != told:
            raise RunError(
                f"{self.directory} is about a data set of digest {str(told)[:8]}, "
                f"{manifest.directory} has {manifest.checksum[:8]}: it is another one, "
                "or was prepared again since.",
                hint=f"Look again: tlkit label-issues {data} --out {self.directory} "
                "--overwrite",
            )
        return manifest
