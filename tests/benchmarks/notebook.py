"""Time to the recipe's accuracy: the copied notebook against `tlkit finetune`.

    python -m tests.benchmarks.notebook [--seeds 0 1 2] [--json FILE]

Whole processes, imports included, one after the other for each seed; tlkit with an
empty store each time. "As called" is what a user would type; "identical" has the
notebook's head, optimizer, batch and number of epochs. Accuracy is that of the epoch
with the least validation loss, for all three; for the notebook, which keeps the last
one, that is given, too.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd

from tests.benchmarks import common

WAYS = {
    "tlkit as called": [
        *("--backbone", "inception", "--cut", "mixed7", "--size", "150"),
    ],
    "tlkit identical": [
        *("--recipe", "course-mixed7", "--epochs", "15", "--patience", "0"),
        *("--batch", "20"),
    ],
}


def notebook(work: Path, seed: int) -> dict[str, float]:
    """Run the notebook once."""
    out = work / "notebook.json"
    arguments = {
        "--data": common.ANTS,
        "--weights": common.weights(common.INCEPTION),
        "--seed": seed,
        "--out": out,
    }
    words = [str(word) for pair in arguments.items() for word in pair]
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.plain_notebook", *words],
        check=True,
        stdout=sys.stderr,
        cwd=common.ROOT,
    )
    seconds = time.perf_counter() - began
    history = json.loads(out.read_text())
    best = min(range(len(history["loss"])), key=lambda i: history["val_loss"][i])
    return {
        "seconds": seconds,
        "accuracy": history["val_accuracy"][best],
        "last": history["val_accuracy"][-1],
    }


def tlkit(work: Path, way: str, seed: int) -> dict[str, float]:
    """Run tlkit once, with an empty cache."""
    cache, run = work / "cache", work / "run"
    for folder in (cache, run):
        shutil.rmtree(folder, ignore_errors=True)
    seconds = common.tlkit(
        "finetune",
        work / "ants",
        *WAYS[way],
        *("--weights", common.weights(common.INCEPTION)),
        *("--seed", str(seed), "--out", run),
        cache=cache,
    )
    last = float(pd.read_csv(run / "history.csv")["val_accuracy"].iloc[-1])
    return {"seconds": seconds, "accuracy": common.accuracy(run), "last": last}


def main() -> None:
    """Run all ways with all seeds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    seen: dict[str, list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory(prefix="tlkit-bench-") as folder:
        work = Path(folder)
        prepare = common.tlkit(
            "prepare", common.ANTS, "--out", work / "ants", cache=work / "cache"
        )
        for seed in options.seeds:
            seen.setdefault("notebook", []).append(notebook(work, seed))
            for way in WAYS:
                seen.setdefault(way, []).append(tlkit(work, way, seed))
    rows: list[dict[str, Any]] = []
    for way, runs in seen.items():
        pairs = zip(seen["notebook"], runs, strict=True)
        ratios = [theirs["seconds"] / ours["seconds"] for theirs, ours in pairs]
        scores = [run["accuracy"] for run in runs]
        rows.append(
            {
                "way": way,
                "accuracy by seed": " ".join(f"{score:.3f}" for score in scores),
                "mean accuracy": statistics.mean(scores),
                "mean of the last epoch": statistics.mean(run["last"] for run in runs),
                "seconds, median": statistics.median(run["seconds"] for run in runs),
                "times faster, median": statistics.median(ratios),
            }
        )
    common.print_table(rows, options.json)
    print(f"\ntlkit prepare, once: {prepare:.1f} s")


if __name__ == "__main__":
    main()
