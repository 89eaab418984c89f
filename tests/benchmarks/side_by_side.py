"""This checkout and another one in turn: `--help`, and `prepare` on many images.

    python -m tests.benchmarks.side_by_side --other CHECKOUT [--images N] [--runs 5]

CHECKOUT has an environment of its own in .venv. Whole processes are timed, this one and
the other in turn, so that a change of the machine's speed affects both; `prepare` runs
once each on the same generated images, a hundredth of them saved again as duplicates.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from tests.benchmarks.memory import generate
from tests.benchmarks.scale import copy_some

ROOT = Path(__file__).resolve().parents[2]


def seconds(checkout: Path, words: list[str], cache: Path) -> float:
    """Wall-clock seconds of a command."""
    began = time.perf_counter()
    subprocess.run(
        [checkout / ".venv" / "bin" / "tlkit", *words],
        check=True,
        capture_output=True,
        env={**os.environ, "TLKIT_CACHE": str(cache)},
    )
    return time.perf_counter() - began


def main() -> None:
    """Time both and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--other", type=Path, required=True)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    both = {"this": ROOT, "other": options.other.resolve()}
    print("| | this, s | other, s | ratio |")
    print("|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="tlkit-bench-") as folder:
        work = Path(folder)
        took: dict[str, list[float]] = {name: [] for name in both}
        for _ in range(options.runs):
            for name, checkout in both.items():
                took[name].append(seconds(checkout, ["--help"], work / name))
        this, other = (statistics.median(took[name]) for name in both)
        print(f"| `--help` | {this:.2f} | {other:.2f} | {this / other:.2f} |")
        if not options.images:
            return
        generate(work / "images", options.images)
        copy_some(work / "images", options.images, 0.01)
        for what in ("first", "again, nothing changed"):
            one: dict[str, float] = {}
            for name, checkout in both.items():
                words = ["prepare", str(work / "images"), "--out", str(work / name)]
                one[name] = seconds(checkout, words, work / f"cache {name}")
            this, other = one["this"], one["other"]
            label = f"`prepare`, {options.images:,} images, {what}"
            print(f"| {label} | {this:.1f} | {other:.1f} | {this / other:.2f} |")


if __name__ == "__main__":
    main()
