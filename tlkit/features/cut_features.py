"""A backbone and images in, what it says of them at many cuts out, in one pass.

The rows are those of training at each of these cuts, under the same keys.
"""

from __future__ import annotations

import dataclasses
import functools
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import keras
import numpy as np

from tlkit.backbones.cut_points import backbone_operations, cut_operations, unfinished
from tlkit.backbones.graph import build_backbone, output_of, symbolic
from tlkit.cache_root import cache_root
from tlkit.config import Config, size_of
from tlkit.dataset.manifest import Manifest
from tlkit.device import choose_device, choose_precision
from tlkit.errors import RunError, UsageError, WeightsError, unknown_name
from tlkit.features.engines.choose import choose_engine
from tlkit.features.engines.traced import Traced
from tlkit.features.frozen import as_input
from tlkit.features.latency import milliseconds
from tlkit.features.machine import Memory
from tlkit.features.rows import Rows
from tlkit.inputs.views import PLAIN, ViewMaker
from tlkit.model.head import GAP
from tlkit.progress import Progress
from tlkit.tasks.task import Task
from tlkit.training.data import build_collector
from tlkit.training.network import Network, build_network

GOOD, ALL = "good", "all"


@dataclass(frozen=True)
class AtCut:
    """The pooled features at a cut, and what they cost.

    Attributes:
        cut: Name of the layer.
        channels: Depth of its map, C.
        flops: Operations an image up to there.
        parameters: Of the network up to there.
        ms: How long one image takes up to there; NaN if not measured.
        rows: Of each side, one view an image.
    """

    cut: str
    channels: int
    flops: int
    parameters: int
    ms: float
    rows: tuple[Rows, ...]

    def features(self, pooling: str) -> np.ndarray:
        """Take them out.

        Args:
            pooling: One of head.MAP_POOLINGS.

        Returns:
            float32 [N, C], or [N, 2 C] for both poolings, side after side.
        """
        sides = [rows.take(np.arange(len(rows.places)), 0) for rows in self.rows]
        return as_input(np.concatenate(sides), pooling)


class Cuts(NamedTuple):
    """Features at cuts, from the input up; and why there are none at others."""

    at: list[AtCut]
    failed: dict[str, str]


def features_at_cuts(
    config: Config,
    asked: Sequence[str],
    manifest: Manifest,
    splits: Sequence[str],
    *,
    progress: Progress,
    timed: bool = False,
) -> Cuts:
    """Find or compute the pooled features of plain images at several cuts.

    Args:
        config: Resolved but for the cut, which does not count.
        asked: Names of layers, "good" or "all".
        manifest: The data set.
        splits: Of which sides; "val" is computed by the float32 Keras network, as in
            training, the others by the engine.
        progress: Told of what is computed.
        timed: Whether to measure how long an image takes.

    Returns:
        The features; cuts that the weights file is not valid up to are told apart.

    Raises:
        RunError: The rows fit neither into the cache nor into memory.
        UsageError: No such layer, or paths lead around it.
        WeightsError: There are no weights for any of them.
    """
    device = choose_device(config.train.device)
    policy = choose_precision(config.train.precision, device)
    names, passes = _passes(config, asked)
    failed: dict[str, str] = {}
    with keras.device(device):
        try:
            network = _network(config, names[-1], device, policy)
        except WeightsError as error:
            valid = _up_to(error.valid_to, config) & set(names)
            if not valid:
                raise
            failed = {name: error.message for name in names if name not in valid}
            names = [name for name in names if name in valid]
            network = _network(config, names[-1], device, policy)
        passes = [[n for n in one if n in names] for one in passes]
        found: dict[str, AtCut] = {}
        for one in filter(None, passes):
            found |= _pass(config, network, one, manifest, splits, progress)
        if timed:
            found = _timed(config, network, names, found)
    return Cuts([found[name] for name in names], failed)


def _passes(config: Config, asked: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """The layers meant, from the input up, and which are computed together."""
    backbone = config.model.row
    with symbolic():
        body = build_backbone(backbone, size_of(config))
    points = [point.name for point in cut_operations(body)]
    odd = unfinished(body)
    wanted: set[str] = set()
    for name in asked:
        if name == GOOD:
            wanted.update(backbone.cuts)
        elif name == ALL:
            wanted.update(p for p in points if p not in odd or p in backbone.cuts)
        else:
            wanted.add(_known(name, points, body, backbone.name))
    names = [point for point in points if point in wanted]
    # Having to answer in the middle of a step changes the last bits of all above.
    alone = [[name] for name in names if name in odd]
    return names, [[name for name in names if name not in odd], *alone]


def _known(name: str, points: list[str], body: keras.Model, backbone: str) -> str:
    if name in points:
        return name
    listed_by = shlex.join(("tlkit", "backbones", "show", backbone))
    if name in {operation.name for operation in backbone_operations(body)}:
        raise UsageError(
            f"{backbone} cannot be compared at {name!r}: other paths lead around it.",
            hint=f"Layers at which it comes apart: {listed_by}",
        )
    error = unknown_name("layer", name, points, listed_by=listed_by)
    raise error


def _network(config: Config, cut: str, device: str, policy: str) -> Network:
    model = dataclasses.replace(config.model, cut=cut, freeze_to=cut, head=GAP)
    config = dataclasses.replace(config, model=model)
    return build_network(config, Task(2), device, policy)


def _up_to(name: str, config: Config) -> set[str]:
    """The layers one can cut at, up to one of them."""
    backbone = config.model.row
    with symbolic():
        points = [
            p.name for p in cut_operations(build_backbone(backbone, size_of(config)))
        ]
    return set(points[: points.index(name) + 1]) if name in points else set()


def _prefix(body: keras.Model, names: Sequence[str]) -> Traced:
    operations = {operation.name: operation for operation in backbone_operations(body)}
    outputs = [output_of(operations[name]) for name in names]
    wanted = outputs if len(outputs) > 1 else outputs[0]
    return Traced(keras.Model(body.inputs[0], wanted, name="prefix"))


def _pass(
    config: Config,
    network: Network,
    names: list[str],
    manifest: Manifest,
    splits: Sequence[str],
    progress: Progress,
) -> dict[str, AtCut]:
    """The features at cuts that are computed together."""
    exact = _prefix(network.reference.base_model, names)
    engine = choose_engine(config.train.engine, network.device, progress)
    same = network.trained is network.reference or engine == "openvino"
    computed = exact if same else _prefix(network.trained.base_model, names)
    maker = ViewMaker(manifest.source, size_of(config), config.inputs.resize)
    make = functools.partial(
        build_collector, config, maker, GAP, network.device, progress
    )
    sides = []
    for split in splits:
        extractor = make(exact, "keras") if split == "val" else make(computed, engine)
        task = f"Computing {split} features at {len(names)} cuts"
        rows = extractor.collect_all(manifest.of(split), [PLAIN], task)
        if rows is None:
            raise RunError(
                f"The features of {len(manifest.of(split)):,} images at {len(names)} "
                "cuts fit neither into the cache nor into memory.",
                hint="Give the cache more room (TLKIT_CACHE_GB), or name fewer cuts.",
            )
        extractor.tell()
        sides.append(rows)
    ends = extractor.frozen.ends
    return {
        name: AtCut(
            name,
            ends[i].shape[-1],
            ends[i].flops,
            exact.only([i]).prefix.count_params(),
            float("nan"),
            tuple(side[i] for side in sides),
        )
        for i, name in enumerate(names)
    }


def _timed(
    config: Config, network: Network, names: list[str], found: dict[str, AtCut]
) -> dict[str, AtCut]:
    about = f"{config.model.row.identity} {size_of(config)} {network.device}"
    prefix = _prefix(network.reference.base_model, names)
    ms = milliseconds(prefix, names, about, Memory(cache_root()))
    return {name: dataclasses.replace(one, ms=ms[name]) for name, one in found.items()}
