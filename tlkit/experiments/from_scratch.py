"""Small networks and images in, what they learn from these alone, out.

The honest comparison: what a data set yields without any pretraining.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tlkit.backbones import registry
from tlkit.cache_root import cache_root
from tlkit.config import Config, build_config, resolve, size_of
from tlkit.device import choose_device, choose_precision
from tlkit.experiments.cross_validate import held_out
from tlkit.features.engines.traced import Traced
from tlkit.features.latency import milliseconds
from tlkit.features.machine import Memory
from tlkit.model.cost import flops
from tlkit.progress import Progress, Quiet
from tlkit.tasks.task import Task
from tlkit.training.network import build_network
from tlkit.training.splits import Round

# As long as the time allows, unless nothing gets better.
EPOCHS = 200


@dataclass(frozen=True)
class Schooled:
    """A network that was trained from random weights.

    Attributes:
        config: Resolved.
        scores: float32 [N, n], class probabilities of what the fold held out.
        flops: Operations an image.
        parameters: Of the network without its head.
        channels: Features that the head takes.
        ms: How long one image takes.
    """

    config: Config
    scores: np.ndarray
    flops: int
    parameters: int
    channels: int
    ms: float


def nets() -> list[str]:
    """The networks without published weights: small ones, made to be trained."""
    return [row.name for row in registry.from_scratch()]


def from_scratch(
    one: Round,
    work: Path,
    options: Mapping[str, Any],
    *,
    minutes: float,
    progress: Progress,
) -> Iterator[Schooled]:
    """Train every small network as `finetune --weights none` would."""
    for name in nets():
        config = resolve(
            build_config(
                options={
                    **options,
                    "backbone": name,
                    "weights": "none",
                    "epochs": EPOCHS,
                    "minutes": minutes,
                }
            )
        )
        yield _train(config, one, work, Quiet(progress, f"{name} from scratch: "))


def _train(config: Config, one: Round, work: Path, progress: Progress) -> Schooled:
    device = choose_device(config.train.device)
    policy = choose_precision(config.train.precision, device)
    with keras.device(device):
        task = Task(len(one.manifest.labels))
        network = build_network(config, task, device, policy)
        scores, _ = held_out(config, one, network, work, progress)
        body = network.reference.body
        about = f"{config.model.backbone} {size_of(config)} {device}"
        cut = network.reference.cut
        ms = milliseconds(Traced(body), [cut], about, Memory(cache_root()))
    return Schooled(
        config, scores, flops(body), body.count_params(), body.output_shape[-1], ms[cut]
    )
