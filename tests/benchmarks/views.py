"""Number of views per image: accuracy and seconds for K kept views and fresh.

    python -m tests.benchmarks.views [--seeds 0 1 2] [--only NAME] [--json FILE]

Hymenoptera, its own split, each way and number of views with every seed and a store of
its own. The epoch is chosen on the images that are scored, as published figures do.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks import common

VIEWS = ("1", "2", "4", "8", "16", "fresh")
WAYS = {
    "MobileNetV2, 224 px, defaults": [
        *("--weights", common.weights(common.MOBILENET)),
        *("--backbone", "mobilenet_v2"),
    ],
    "InceptionV3 to mixed7, 150 px, gap": [
        *("--weights", common.weights(common.INCEPTION)),
        *("--backbone", "inception", "--cut", "mixed7", "--size", "150"),
    ],
    "InceptionV3 to mixed7, 150 px, course-mixed7": [
        *("--weights", common.weights(common.INCEPTION)),
        *("--recipe", "course-mixed7"),
    ],
}


def main() -> None:
    """Train every way with every number of views and seed, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", default="", help="ways with this in their name")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="tlkit-bench-") as folder:
        work = Path(folder)
        cache = work / "cache"
        common.tlkit("prepare", common.ANTS, "--out", work / "ants", cache=cache)
        for name, arguments in WAYS.items():
            if options.only not in name:
                continue
            for views in VIEWS:
                scores, seconds = [], []
                for seed in options.seeds:
                    run = work / f"{len(rows)}-{seed}"
                    extra = ("--views", views, "--seed", str(seed), "--out", run)
                    took = common.tlkit(
                        "finetune", work / "ants", *arguments, *extra, cache=cache
                    )
                    scores.append(common.accuracy(run))
                    seconds.append(took)
                rows.append(
                    {
                        "way": name,
                        "views": views,
                        "accuracy by seed": " ".join(f"{s:.3f}" for s in scores),
                        "mean accuracy": statistics.mean(scores),
                        "seconds, median": statistics.median(seconds),
                    }
                )
                common.print_table(rows[-1:], None)
    common.print_table(rows, options.json)


if __name__ == "__main__":
    main()
