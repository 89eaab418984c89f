"""Prefix throughput: from JPEG files to cached features, against what it could be.

    python -m tests.benchmarks.prefix [--views 4] [--rounds 3] [--json FILE]

For each network, by turns: tlkit from files on disk to rows in a store, all views of a
image from one decoding; OpenVINO alone on arrays that lie ready in memory; Keras'
`predict` on the same arrays. Random weights: they cost as much as others.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

import tlkit
from tests.benchmarks import common
from tlkit.backbones.registry import find
from tlkit.dataset.manifest import Manifest
from tlkit.features.engines.base import GROUP, FrozenNetwork
from tlkit.features.engines.openvino import OpenVinoEngine
from tlkit.features.extraction_cost import ExtractionCost
from tlkit.features.extractor import FeatureExtractor
from tlkit.features.layers import layer_specs
from tlkit.features.machine import Measurements
from tlkit.inputs.augment import load_policy
from tlkit.inputs.views import ViewMaker, get_ready
from tlkit.model.classifier import build_classifier
from tlkit.model.cost import flops
from tlkit.model.frozen_split import split_at_freeze
from tlkit.model.head import parse_head
from tlkit.progress import Silent
from tlkit.workers import warm_up

# Name, cut, size, goal.
NETWORKS = (
    ("InceptionV3", "mixed7", 150, 0.7),
    ("ResNet50", None, 224, 0.9),
    ("VGG16", None, 224, 0.9),
    ("MobileNetV2", None, 224, 0.7),
)
# A round of a network takes about as long as any other.
ROUND_FLOPS = 2.0e12


def network(name: str, cut: str | None, size: int) -> FrozenNetwork:
    """The network up to its cut."""
    classifier = build_classifier(
        find(name),
        size=size,
        cut=cut,
        freeze_to=cut or find(name).cuts[-1],
        head=parse_head("gap"),
        n_classes=2,
        weights="none",
        seed=0,
    )
    prefix = split_at_freeze(classifier).prefix
    if prefix is None:
        raise AssertionError(name)
    return FrozenNetwork(prefix)


def timed(work: Callable[[], object]) -> float:
    """Seconds of a call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def matmul_rate(dtype: str, *, side: int = 1024, repeats: int = 9) -> float:
    """Operations a second of multiplying square matrices, at best."""
    a = tf.cast(tf.random.stateless_uniform((side, side), (0, 1)), dtype)
    multiply = tf.function(lambda a: tf.reduce_sum(tf.matmul(a, a)))
    float(multiply(a))
    best = min(timed(lambda: float(multiply(a))) for _ in range(repeats))
    return float(2 * side**3 / best)


def measure(
    traced: FrozenNetwork,
    name: str,
    manifest: Manifest,
    views: int,
    rounds: int,
    folder: Path,
) -> dict[str, Any]:
    """Images a second of the three ways, medians over rounds, by turns."""
    size = traced.model.input_shape[1]
    count = round(ROUND_FLOPS / flops(traced.model) / views)
    examples = list(itertools.islice(itertools.cycle(manifest.examples), count))
    # The same image twice would be computed once.
    examples = examples[: len(manifest.examples)]
    total = views * len(examples)
    maker = ViewMaker(manifest.source, size, "squash", load_policy("standard"))
    alone = OpenVinoEngine(traced, Measurements(folder))
    layers = layer_specs(traced, alone, pooled=True, backbone=name, size=size)
    rng = np.random.default_rng(0)
    arrays = rng.integers(0, 256, (total, size, size, 3), dtype=np.uint8)
    groups = [arrays[i : i + GROUP] for i in range(0, total, GROUP)]

    def drain() -> None:
        for _ in alone.run(groups):
            pass

    drain()  # sets the kernels up
    traced.model.predict(arrays[:32], verbose=0)
    cost = ExtractionCost()
    seconds: dict[str, list[float]] = {"tlkit": [], "openvino": [], "keras": []}
    for number in range(rounds):
        extractor = FeatureExtractor(
            maker, layers, alone, folder / str(number), None, Silent()
        )
        seconds["openvino"].append(timed(drain))
        seconds["tlkit"].append(
            timed(lambda: extractor.extract(examples, range(views), ""))  # noqa: B023
        )
        few = max(32, total // 3)
        took = timed(lambda: traced.model.predict(arrays[:few], verbose=0))  # noqa: B023
        seconds["keras"].append(took * total / min(few, total))
        cost = extractor.cost
    rate = {way: total / statistics.median(took) for way, took in seconds.items()}
    return {
        "network": f"{name} {size} px",
        "views x images": f"{views} x {len(examples)}",
        "tlkit, images/s": rate["tlkit"],
        "OpenVINO alone": rate["openvino"],
        "Keras predict": rate["keras"],
        "share of OpenVINO alone": rate["tlkit"] / rate["openvino"],
        "times Keras": rate["tlkit"] / rate["keras"],
        "decode, augment, prefix: processor s": (
            f"{cost.decode:.1f}, {cost.augment:.1f}, {cost.prefix:.1f}"
        ),
        "share of matmul": rate["tlkit"]
        * layers[-1].flops
        / matmul_rate(alone.compute),
        "plan": f"{alone.batch} x {alone.streams} {alone.compute}",
    }


def main() -> None:
    """Measure every network and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--views", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="networks with this in their name")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = []
    warm_up(get_ready)
    with tempfile.TemporaryDirectory(prefix="tlkit-bench-") as folder:
        manifest = tlkit.prepare(common.ANTS, Path(folder, "ants"), near=False)
        for number, (name, cut, size, goal) in enumerate(NETWORKS):
            if options.only not in name:
                continue
            row = measure(
                network(name, cut, size),
                name,
                manifest,
                options.views,
                options.rounds,
                Path(folder, str(number)),
            )
            rows.append({**row, "goal": goal})
            common.print_table(rows[-1:], None)
    common.print_table(rows, options.json)


if __name__ == "__main__":
    main()
