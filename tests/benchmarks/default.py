"""`tlkit finetune` in this process, on splits drawn again."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tlkit.config import build_config, resolve
from tlkit.dataset.manifest import Manifest
from tlkit.evaluation.predict import predict_pixels
from tlkit.inputs.batches import plain_batches
from tlkit.inputs.views import ViewMaker
from tlkit.progress import Silent
from tlkit.runs.run import Run
from tlkit.runs.timing import Clock
from tlkit.tasks.task import Task
from tlkit.training.callbacks import Budget
from tlkit.training.network import build_network
from tlkit.training.train import train as train_network


def train(
    manifest: Manifest, size: int, seed: int, work: Path, *, weights: str, **more: Any
) -> dict[str, Any]:
    """Train, and answer the test side.

    Args:
        manifest: With sides.
        size: Of the images, pixels.
        seed: Of the run.
        work: Its cache is in there.
        weights: File of MobileNetV2's.
        **more: Options beside these, none for the default.

    Returns:
        scores [T, n], the candidate that was `selected`, all `candidates`, and those
        `held_out` by folds if these selected.
    """
    os.environ["TLKIT_CACHE"] = str(work / "cache")
    options = {
        "data": str(manifest.directory), "backbone": "mobilenetv2", "weights": weights,
        "size": size, "seed": seed, **more,
    }  # fmt: skip
    config = resolve(build_config(options=options))
    task = Task(len(manifest.labels), manifest.multi_label)
    network = build_network(config, task, "cpu:0", "float32")
    with tempfile.TemporaryDirectory(dir=work) as place, keras.device("cpu:0"):
        _, trainer, selected = train_network(
            Run.begin(Path(place), config, manifest),
            manifest,
            network,
            budget=Budget(config.train.minutes),
            clock=Clock(),
            progress=Silent(),
        )
        maker = ViewMaker(manifest.source, size, config.inputs.resize)
        held = list(plain_batches(maker, manifest.of("test"), 64, workers=0))
        scores = predict_pixels(network.reference.model, np.concatenate(held))
    return {
        "scores": scores,
        "selected": selected.name,
        "candidates": [one.account() for one in trainer.candidates],
        "held_out": [one.account() for one in trainer.held_out],
    }
