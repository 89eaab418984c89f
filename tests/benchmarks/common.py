"""What the benchmarks share: places, commands timed as whole processes, tables."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from scipy.stats import t as student

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("TLKIT_SHARED", ROOT.parent / "shared"))
MOBILENET = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"
INCEPTION = "inception_v3_to_mixed8_notop.weights.h5"
ANTS = SHARED / "data" / "hymenoptera"


def weights(name: str) -> str:
    """The path of a shared weights file."""
    return str(SHARED / "weights" / name)


def tlkit(*arguments: str | Path, cache: Path) -> float:
    """Run one command as a process of its own; returns its seconds, imports included.

    What it says goes to standard error; a failure ends the benchmark.
    """
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "tlkit", *map(str, arguments)],
        check=True,
        stdout=sys.stderr,
        env={**os.environ, "TLKIT_CACHE": str(cache)},
    )
    return time.perf_counter() - began


def run_info(run: Path) -> dict[str, Any]:
    """The content of run.json."""
    found: dict[str, Any] = json.loads((run / "run.json").read_text())
    return found


def accuracy(run: Path) -> float:
    """The validation accuracy of the epoch that was kept."""
    return float(json.loads((run / "metrics.json").read_text())["accuracy"])


def mean_of(values: Sequence[float]) -> str:
    """The mean with half its 95 % interval, by Student's t, where there are several."""
    mean = f"{statistics.mean(values):.3f}"
    if len(values) < 2:
        return mean
    spread = statistics.stdev(values) / len(values) ** 0.5
    return f"{mean} ± {student.ppf(0.975, len(values) - 1) * spread:.3f}"


def going_on(about: str | None, only: str) -> argparse.ArgumentParser:
    """The options of a benchmark that goes on from what it has kept.

    Args:
        about: Its docstring.
        only: Of what --only chooses the names.

    Returns:
        --work, --seeds, --only and --json.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument(
        "--work",
        type=Path,
        default=None,
        help="kept there, and not computed again; a new folder if not given",
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", default="", help=f"{only} with this in their name")
    parser.add_argument("--json", type=Path, default=None)
    return parser


def kept_in(work: Path | None) -> Path:
    """Returns the folder asked for, or a new one; it is there."""
    folder = work or Path(tempfile.mkdtemp(prefix="tlkit-bench-"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def complete(
    file: Path,
    wanted: Iterable[tuple[Any, ...]],
    measure: Callable[..., dict[str, float]],
) -> dict[str, dict[str, float]]:
    """Measure what a file does not hold yet; each is written down as it comes.

    Args:
        file: JSON, made where it is not there.
        wanted: What to measure; its parts joined by slashes are the keys.
        measure: Takes the parts of one.

    Returns:
        All that the file holds then.
    """
    found = json.loads(file.read_text()) if file.is_file() else {}
    for one in wanted:
        key = "/".join(map(str, one))
        if key not in found:
            found[key] = measure(*one)
            file.write_text(json.dumps(found, indent=1))
            print(key, found[key], flush=True)
    return dict(found)


def print_table(rows: Sequence[dict[str, Any]], json_file: Path | None) -> None:
    """Print rows as a Markdown table, and write them as JSON where asked for."""
    columns = list(rows[0])
    print("| " + " | ".join(columns) + " |")
    print("|" + "---|" * len(columns))
    for row in rows:
        print("| " + " | ".join(_cell(row[column]) for column in columns) + " |")
    sys.stdout.flush()
    if json_file:
        json_file.write_text(json.dumps(list(rows), indent=2) + "\n")


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"
    return str(value)
