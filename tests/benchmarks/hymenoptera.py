"""Validation accuracy on hymenoptera, seeds 0 to 2, as a user gets it.

    python -m tests.benchmarks.hymenoptera [--work FOLDER] [--seeds 0 1 2]

Needs the shared data and weights (TLKIT_SHARED, by default ../shared). Prints a
Markdown table; the epoch is chosen on the same images, so the figures are on the
bright side, as published ones for this set are.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

from tests.benchmarks import common

WAYS = {
    "MobileNetV2, 224 px, defaults": [
        *("--backbone", "mobilenet_v2"),
        *("--weights", common.weights(common.MOBILENET)),
    ],
    "MobileNetV2, recipe mobilenetv2-quick": [
        *("--recipe", "mobilenetv2-quick"),
        *("--weights", common.weights(common.MOBILENET)),
    ],
    "InceptionV3 to mixed7, 150 px, recipe course-mixed7": [
        *("--recipe", "course-mixed7"),
        *("--weights", common.weights(common.INCEPTION)),
    ],
}


def main() -> None:
    """Train every way with every seed and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=None)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", default="", help="ways with this in their name")
    options = parser.parse_args()
    work = common.kept_in(options.work)
    data = work / "ants"
    cache = work / "cache"
    common.tlkit("prepare", common.ANTS, "--out", data, cache=cache)
    print("| way | " + " | ".join(f"seed {s}" for s in options.seeds) + " | mean | s |")
    print("|---|" + "---|" * (len(options.seeds) + 2))
    for way, (name, arguments) in enumerate(WAYS.items()):
        if options.only not in name:
            continue
        scores, seconds = [], []
        for seed in options.seeds:
            run = work / f"way-{way}-seed-{seed}"
            extra = ("--seed", str(seed), "--out", run)
            seconds.append(
                common.tlkit("finetune", data, *arguments, *extra, cache=cache)
            )
            scores.append(common.accuracy(run))
        shown = " | ".join(f"{score:.3f}" for score in scores)
        mean, median = statistics.mean(scores), statistics.median(seconds)
        print(f"| {name} | {shown} | {mean:.3f} | {median:.0f} |", flush=True)


if __name__ == "__main__":
    main()
