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

import tlkit
from tests.benchmarks import common
from tlkit.backbones.registry import find
from tlkit.dataset.manifest import Manifest
from tlkit.features.engines.openvino import OpenVinoEngine
from tlkit.features.engines.traced import GROUP, Traced
from tlkit.features.extractor import FeatureExtractor, Spending
from tlkit.features.frozen import frozen_part
from tlkit.features.machine import Memory, matmul_rate
from tlkit.inputs.augment import load_policy
from tlkit.inputs.views import ViewMaker, get_ready
from tlkit.model.classifier import build_classifier, split_at_freeze
from tlkit.model.cost import flops
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


def network(name: str, cut: str | None, size: int) -> Traced:
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
    return Traced(prefix)


def timed(work: Callable[[], object]) -> float:
    """Seconds of a call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def measure(
    traced: Traced, name: str, manifest: Manifest, views: int, rounds: int, folder: Path
) -> dict[str, Any]:
    """Images a second of the three ways, medians over rounds, by turns."""
    size = traced.prefix.input_shape[1]
    count = round(ROUND_FLOPS / flops(traced.prefix) / views)
    examples = list(itertools.islice(itertools.cycle(manifest.examples), count))
    # The same image twice would be computed once.
    examples = examples[: len(manifest.examples)]
    total = views * len(examples)
    maker = ViewMaker(manifest.source, size, "squash", load_policy("standard"))
    frozen = frozen_part(
        traced, "openvino", pooling="gap", size=size, backbone=name,
        memory=Memory(folder),
    )  # fmt: skip
    alone = frozen.engine
    if not isinstance(alone, OpenVinoEngine):
        raise TypeError("The engine is not OpenVINO.")
    rng = np.random.default_rng(0)
    arrays = rng.integers(0, 256, (total, size, size, 3), dtype=np.uint8)
    groups = [arrays[i : i + GROUP] for i in range(0, total, GROUP)]

    def drain(trial: int) -> None:
        for _ in alone.run(groups, trial):
            pass

    # Chooses the plan, which all later rounds use.
    drain(10**9)
    traced.prefix.predict(arrays[:32], verbose=0)
    spent = Spending()
    seconds: dict[str, list[float]] = {"tlkit": [], "openvino": [], "keras": []}
    for number in range(rounds):
        extractor = FeatureExtractor(
            maker, frozen, folder / str(number), None, Silent()
        )
        seconds["openvino"].append(timed(lambda: drain(0)))
        seconds["tlkit"].append(
            timed(lambda: extractor.collect(examples, range(views), ""))  # noqa: B023
        )
        few = max(32, total // 3)
        took = timed(lambda: traced.prefix.predict(arrays[:few], verbose=0))  # noqa: B023
        seconds["keras"].append(took * total / min(few, total))
        spent = extractor.spent
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
            f"{spent.decode:.1f}, {spent.augment:.1f}, {spent.prefix:.1f}"
        ),
        "share of matmul": rate["tlkit"]
        * frozen.end.flops
        / matmul_rate(alone.compute, repeats=9),
        "plan": f"{alone.plan.batch} x {alone.plan.streams} {alone.compute}",
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
