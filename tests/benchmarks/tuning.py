"""Ablation of the default tuning, on few images.

    python -m tests.benchmarks.tuning [--work FOLDER] [--seeds 5]

Cells of the accuracy benchmark. From the same probe, on the same images: the tuning
of the upper two thirds as folds try it, and the same with one thing changed. Test
accuracy, that nothing has been chosen by; all ways are run to the end.

What was computed is kept in FOLDER, and not computed again.
"""

from __future__ import annotations

import itertools
import statistics
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks import common
from tests.benchmarks.accuracy import draw_sides, prepare

CELLS = (("hymenoptera", 80), ("bccd", 20))
STEPS = 60
BATCH = 32
TUNED: dict[str, dict[str, Any]] = {
    "two thirds, 60 steps": {"phases": "deep"},
    "mean of before and after": {"phases": "deep", "average_weights": True},
    "upper third": {"phases": "top"},
    "the whole network": {"phases": "all"},
    "twice the rate": {"phases": "deep@5e-4"},
    "no label smoothing": {"phases": "deep", "label_smoothing": 0.0},
    "no augmented views": {"phases": "deep", "augment": "none"},
    "four times as long": {"phases": "deep", "steps": 4 * STEPS},
}


def measure(name: str, shots: int, seed: int, way: str, work: Path) -> dict[str, float]:
    """Test accuracy and log loss of one way on one cell, and its seconds of tuning."""
    from tests.benchmarks.default import train
    from tlkit.metrics.calibration import scaled_losses

    manifest, size = prepare(name, work)
    drawn = draw_sides(manifest, shots, seed)
    images = len(drawn.of("train"))
    if way == "probe":
        options: dict[str, Any] = {"phases": "probe"}
    else:
        options = {**TUNED[way], "monitor": "last", "batch": BATCH}
        steps = options.pop("steps", STEPS)
        epochs = -(-steps // -(-images // BATCH))
        above, at, rate = options["phases"].partition("@")
        options["phases"] = f"{above}:{epochs}{at}{rate}"
    weights = common.weights(common.MOBILENET)
    found = train(drawn, size, seed, work, weights=weights, **options)
    truth, scores = drawn.targets(drawn.of("test")), found["scores"]
    losses = -np.log(np.maximum(scores[np.arange(len(truth)), truth], 1e-7))
    return {
        "accuracy": float((scores.argmax(axis=1) == truth).mean()),
        "loss": float(losses.mean()),
        "tempered": float(scaled_losses(truth, scores).mean()),
        "seconds": max(one["seconds"] for one in found["candidates"]),
    }


def table(found: dict[str, dict[str, float]]) -> list[dict[str, Any]]:
    """A row a way: mean over seeds with its 95 % interval, and the median time."""
    rows = []
    for way in ("probe", *TUNED):
        row: dict[str, Any] = {"way": way}
        for name, shots in CELLS:
            start, end = f"{name}/{shots}/", f"/{way}"
            those = [
                one
                for key, one in found.items()
                if key.startswith(start) and key.endswith(end)
            ]
            if those:
                cell = f"{name}, {shots} a class"
                row[cell] = common.mean_of([one["accuracy"] for one in those])
                row[f"{cell}, log loss"] = statistics.mean(one["loss"] for one in those)
                row[f"{cell}, tempered"] = statistics.mean(
                    one["tempered"] for one in those
                )
                row[f"{cell}, s"] = statistics.median(one["seconds"] for one in those)
        rows.append(row)
    return rows


def main() -> None:
    """Compute what is missing, and print the table."""
    parser = common.going_on(__doc__, "ways")
    options = parser.parse_args()
    work = common.kept_in(options.work)
    ways = [way for way in ("probe", *TUNED) if options.only in way]
    wanted = itertools.product(range(options.seeds), CELLS, ways)
    found = common.complete(
        work / "tuning.json",
        ((*cell, seed, way) for seed, cell, way in wanted),
        lambda name, shots, seed, way: measure(name, shots, seed, way, work),
    )
    common.print_table(table(found), options.json)


if __name__ == "__main__":
    main()
