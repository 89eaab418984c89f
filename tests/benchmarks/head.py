"""The large head: seconds a step, compiled by XLA or not, against memory bandwidth.

    python -m tests.benchmarks.head [--json FILE]

Flatten + Dense N + Dropout on mixed7 at 150 px (7x7x768), RMSprop, batch 20, for
several N. A step must at least read the weights twice, write them once, and read and
write RMSprop's mean of squares: five passes over as many floats. "Bandwidth" is that
of a numpy addition in place, two passes; "share" is the time of the five passes over
the time of the step.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tests.benchmarks import common

UNITS = (8, 32, 64, 128, 256, 1024)
FEATURES = (7, 7, 768)
BATCH, STEPS, ROUNDS = 20, 12, 3
PASSES = 5


def model(units: int, *, compiled: bool) -> keras.Model:
    """The head on a map, ready to train."""
    image = keras.Input(FEATURES)
    x = keras.layers.Flatten()(image)
    x = keras.layers.Dense(units, activation="relu")(x)
    x = keras.layers.Dropout(0.2)(x)
    made = keras.Model(image, keras.layers.Dense(1, activation="sigmoid")(x))
    made.compile(
        keras.optimizers.RMSprop(1e-4), "binary_crossentropy", jit_compile=compiled
    )
    return made


def steps(trained: keras.Model, x: np.ndarray, y: np.ndarray) -> float:
    """Milliseconds a step, the first left out."""
    trained.train_on_batch(x[0], y[0])
    began = time.perf_counter()
    for i in range(1, STEPS + 1):
        trained.train_on_batch(x[i], y[i])
    return 1000 * (time.perf_counter() - began) / STEPS


def bandwidth() -> float:
    """Bytes a second of reading and writing an array that no cache holds."""
    array = np.ones(64 << 20, np.float32)
    array += 1
    best = min(_addition(array) for _ in range(5))
    return 2 * array.nbytes / best


def _addition(array: np.ndarray) -> float:
    began = time.perf_counter()
    np.add(array, 1, out=array)
    return time.perf_counter() - began


def main() -> None:
    """Time every size both ways, by turns, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    x = rng.random((STEPS + 1, BATCH, *FEATURES), dtype=np.float32)
    y = rng.integers(0, 2, (STEPS + 1, BATCH, 1)).astype(np.float32)
    rows: list[dict[str, Any]] = []
    for units in UNITS:
        pair = {flag: model(units, compiled=flag) for flag in (False, True)}
        first = {}
        for flag, made in pair.items():
            began = time.perf_counter()
            made.train_on_batch(x[0], y[0])
            first[flag] = time.perf_counter() - began
        seen: dict[bool, list[float]] = {False: [], True: []}
        for _ in range(ROUNDS):
            for flag, made in pair.items():
                seen[flag].append(steps(made, x, y))
        plain, compiled = (statistics.median(seen[flag]) for flag in (False, True))
        least = 1000 * PASSES * 4 * pair[True].count_params() / bandwidth()
        rows.append(
            {
                "units": units,
                "weights": pair[True].count_params(),
                "ms a step": plain,
                "by XLA": compiled,
                "times faster": plain / compiled,
                "first step, s": f"{first[False]:.2f}, {first[True]:.2f}",
                "five passes, ms": least,
                "share": least / compiled,
            }
        )
        common.print_table(rows[-1:], None)
    common.print_table(rows, options.json)


if __name__ == "__main__":
    main()
