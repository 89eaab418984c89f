"""Validation accuracy on hymenoptera, seeds 0 to 2, as a user gets it.

    python -m tests.benchmarks.hymenoptera [--work FOLDER] [--seeds 0 1 2]

Needs the shared data and weights (TLKIT_SHARED, by default ../shared). Prints a
Markdown table; the epoch is chosen on the same pictures, so the figures are on the
bright side, as published ones for this set are.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("TLKIT_SHARED", ROOT.parent / "shared"))
MOBILENET = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"
INCEPTION = "inception_v3_to_mixed8_notop.weights.h5"

WAYS = {
    "MobileNetV2, 224 px, defaults": [
        *("--backbone", "mobilenet_v2"),
        *("--weights", str(SHARED / "weights" / MOBILENET)),
    ],
    "MobileNetV2, recipe mobilenetv2-quick": [
        *("--recipe", "mobilenetv2-quick"),
        *("--weights", str(SHARED / "weights" / MOBILENET)),
    ],
    "InceptionV3 to mixed7, 150 px, recipe course-mixed7": [
        *("--recipe", "course-mixed7"),
        *("--weights", str(SHARED / "weights" / INCEPTION)),
    ],
}


def tlkit(*arguments: str) -> None:
    """Run one command; its output goes to standard error."""
    command = [sys.executable, "-m", "tlkit", *arguments]
    subprocess.run(command, check=True, stdout=sys.stderr)


def main() -> None:
    """Train every way with every seed and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=None)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", default="", help="ways with this in their name")
    options = parser.parse_args()
    work = options.work or Path(tempfile.mkdtemp(prefix="tlkit-bench-"))
    data = work / "ants"
    tlkit("prepare", str(SHARED / "data" / "hymenoptera"), "--out", str(data))
    print("| way | " + " | ".join(f"seed {s}" for s in options.seeds) + " | mean | s |")
    print("|---|" + "---|" * (len(options.seeds) + 2))
    for way, (name, arguments) in enumerate(WAYS.items()):
        if options.only not in name:
            continue
        scores, seconds = [], []
        for seed in options.seeds:
            run = work / f"way-{way}-seed-{seed}"
            extra = ("--seed", str(seed), "--out", str(run))
            began = time.perf_counter()
            tlkit("finetune", str(data), *arguments, *extra)
            seconds.append(time.perf_counter() - began)
            scores.append(json.loads((run / "metrics.json").read_text())["accuracy"])
        shown = " | ".join(f"{score:.3f}" for score in scores)
        mean, median = statistics.mean(scores), statistics.median(seconds)
        print(f"| {name} | {shown} | {mean:.3f} | {median:.0f} |", flush=True)


if __name__ == "__main__":
    main()
