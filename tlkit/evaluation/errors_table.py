"""An evaluated run in, the images that it answered wrongly out."""

from __future__ import annotations

import csv
from pathlib import Path

from tlkit.errors import RunError


def mistakes(run: Path) -> list[str]:
    """The images with a wrong answer in any evaluation of a run.

    Args:
        run: The directory of one that was evaluated.

    Returns:
        Paths relative to the source root, each once, the most confident mistakes first.

    Raises:
        RunError: It was never evaluated, or what was written then was changed.
    """
    tables = sorted(run.glob("evaluation/*/predictions.csv"))
    if not tables:
        raise RunError(
            f"{run} has no evaluation.",
            hint=f"Make one: tlkit evaluate {run}",
        )
    wrong = []
    for path in tables:
        try:
            with path.open(encoding="utf-8", newline="") as file:
                wrong += [
                    (-float(row["probability"]), row["path"])
                    for row in csv.DictReader(file)
                    if row["label"] != row["predicted"]
                ]
        except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
            raise RunError(
                f"{path} is not as it was written: {error!r}.",
                hint=f"Make it again: tlkit evaluate {run}",
            ) from error
    return list(dict.fromkeys(path for _, path in sorted(wrong)))
