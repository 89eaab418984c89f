"""A second run on a filled store: what it takes besides imports and training the head.

    python -m tests.benchmarks.second_run [--rounds 5] [--json FILE]

Whole processes on hymenoptera. The first fills the cache, the others change the head.
"Imports" is a process that imports what finetune imports and ends. "To the first epoch"
is when the first epoch began, as its line came less the seconds it tells.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.benchmarks import common

WAYS = {
    "MobileNetV2, 224 px": [
        *("--backbone", "mobilenet_v2"),
        *("--weights", common.weights(common.MOBILENET)),
    ],
    "InceptionV3 to mixed7, 150 px": [
        *("--backbone", "inception", "--cut", "mixed7", "--size", "150"),
        *("--weights", common.weights(common.INCEPTION)),
    ],
}
OTHER_HEAD = ("--head", "gmp,dense:64,dropout:0.5", "--epochs", "10")
IMPORTS = "import tlkit.cli, tensorflow, keras, tlkit.training.finetune"
FIRST = re.compile(r"epoch +1/.* ([0-9.]+) s")


def imports() -> float:
    """Seconds of a process that only imports."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", IMPORTS], check=True, capture_output=True)
    return time.perf_counter() - began


def finetune(words: list[str], run: Path, cache: Path) -> dict[str, float]:
    """Run the command; seconds in all, until its first epoch, and of training."""
    began, first = time.perf_counter(), 0.0
    with subprocess.Popen(
        [sys.executable, "-m", "tlkit", "finetune", *words, "--out", str(run)],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TLKIT_CACHE": str(cache)},
    ) as process:
        for line in process.stderr or ():
            sys.stderr.write(line)
            if found := FIRST.match(line):
                first = time.perf_counter() - began - float(found[1])
    if process.returncode:
        raise RuntimeError("tlkit finetune failed.")
    laps = common.run_info(run)["seconds"]
    return {"all": time.perf_counter() - began, "first": first, **laps}


def main() -> None:
    """Fill, run again by turns with a process that only imports, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="tlkit-bench-") as folder:
        work = Path(folder)
        cache = work / "cache"
        common.tlkit("prepare", common.ANTS, "--out", work / "ants", cache=cache)
        for name, way in WAYS.items():
            words = [str(work / "ants"), *way]
            filling = finetune(words, work / f"{len(rows)}", cache)
            seen = []
            for number in range(options.rounds):
                alone = imports()
                run = work / f"{len(rows)}-{number}"
                seen.append(
                    {**finetune([*words, *OTHER_HEAD], run, cache), "imports": alone}
                )
            middle = {k: statistics.median(one[k] for one in seen) for k in seen[0]}
            rest = [one["all"] - one["imports"] - one["train"] for one in seen]
            first = [one["first"] - one["imports"] for one in seen]
            rows.append(
                {
                    "network": name,
                    "first run": filling["all"],
                    "second run": middle["all"],
                    "imports": middle["imports"],
                    "head training": middle["train"],
                    "besides": statistics.median(rest),
                    "goal": 1.0,
                    "build, features, evaluate, save": ", ".join(
                        f"{middle[lap]:.2f}"
                        for lap in ("build", "features", "evaluate", "save")
                    ),
                    "to the first epoch, beyond imports": statistics.median(first),
                    "its goal": 2.0,
                }
            )
    common.print_table(rows, options.json)


if __name__ == "__main__":
    main()
