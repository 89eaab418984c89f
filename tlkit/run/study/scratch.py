"""Small networks and pictures in, what they learn from these alone, out.

The honest comparison: what a data set yields without any pretraining.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tlkit.cache_root import cache_root
from tlkit.config import Config, build_config, resolve, size_of
from tlkit.model import backbones
from tlkit.model.cost import flops
from tlkit.model.task import Task
from tlkit.progress import Progress, Quiet
from tlkit.run.device import choose_device, choose_precision
from tlkit.run.features.latency import milliseconds
from tlkit.run.features.machine import Memory
from tlkit.run.features.traced import Traced
from tlkit.run.study.cross import held_out
from tlkit.run.study.rounds import Round
from tlkit.run.training.network import build_network

# As long as the time allows, unless nothing gets better.
EPOCHS = 200


@dataclass(frozen=True)
class Schooled:
    """A network that was trained from random weights.

    Attributes:
        config: Resolved.
        scores: float32 [N, n], class probabilities of what the fold held out.
        flops: Operations a picture.
        parameters: Of the network without its head.
        channels: Features that the head takes.
        ms: How long one picture takes.
    """

    config: Config
    scores: np.ndarray
    flops: int
    parameters: int
    channels: int
    ms: float


def nets() -> list[str]:
    """The networks without published weights: small ones, made to be trained."""
    return [row.name for row in backbones.from_scratch()]


def from_scratch(
    one: Round,
    work: Path,
    options: Mapping[str, Any],
    *,
    minutes: float,
    progress: Progress,
) -> Iterator[Schooled]:
    """Train every small network as `finetune --weights none` would.

    Args:
        one: A fold; its validation side chooses the epoch, its test side nothing.
        work: Gets a run directory for as long as it takes.
        options: Of the configuration, what they share.
        minutes: How long each may train.
        progress: Told of the work.

    Yields:
        The networks, in the order of the table.
    """
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
