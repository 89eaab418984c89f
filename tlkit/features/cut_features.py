"""Pooled features at many cuts of a backbone, computed in one pass.

They are those of training at each of these cuts, under the same keys.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np

from tlkit.backbones.cut_points import backbone_operations, cut_operations, unfinished
from tlkit.backbones.graph import build_backbone, output_of, symbolic
from tlkit.backbones.spec import show_command
from tlkit.cache_root import cache_root
from tlkit.config import Config, size_of
from tlkit.dataset.manifest import Manifest
from tlkit.device import choose_device, choose_precision
from tlkit.errors import UsageError, WeightsError, unknown_name
from tlkit.features.engines.base import FrozenNetwork
from tlkit.features.extractor import FeatureExtractor
from tlkit.features.latency import milliseconds
from tlkit.features.layers import build_frozen
from tlkit.features.machine import Measurements
from tlkit.features.vectors import Features, as_input
from tlkit.inputs.views import PLAIN
from tlkit.progress import Progress

GOOD, ALL = "good", "all"


@dataclass(frozen=True)
class CutFeatures:
    """The pooled features at a cut, and their cost.

    Attributes:
        cut: Name of the layer.
        channels: Depth of its map, C.
        flops: Operations per image up to there.
        parameters: Of the network up to there.
        ms: Milliseconds for one image up to there; NaN if not measured.
        splits: The features of each split, one view per image.
    """

    cut: str
    channels: int
    flops: int
    parameters: int
    ms: float
    splits: tuple[Features, ...]

    def features(self, pooling: str) -> np.ndarray:
        """Return the features of all splits as `as_input`, split after split."""
        return as_input(np.concatenate([one.view(0) for one in self.splits]), pooling)


def features_at_cuts(
    config: Config,
    asked: Sequence[str],
    manifest: Manifest,
    splits: Sequence[str],
    *,
    progress: Progress,
    timed: bool = False,
) -> tuple[list[CutFeatures], dict[str, str]]:
    """Find or compute the pooled features of plain images at several cuts.

    Args:
        config: Resolved but for the cut, which does not count.
        asked: Names of layers, "good" or "all".
        manifest: The data set.
        splits: Of it; "val" is computed by the float32 Keras network, as in training,
            the others by the engine.
        progress: Receives what is computed.
        timed: Whether to measure how long an image takes.

    Returns:
        The features from the input up; and for cuts above the valid part of a damaged
        weights file, the reason why there are none.

    Raises:
        RunError: They fit neither into the cache nor into memory.
        UsageError: No such layer, or paths lead around it.
        WeightsError: There are no weights for any of them.
    """
    device = choose_device(config.train.device)
    policy = choose_precision(config.train.precision, device)
    with symbolic():
        backbone = build_backbone(config.model.row, size_of(config))
    points = [point.name for point in cut_operations(backbone)]
    names = _chosen(config, asked, backbone, points)
    failed: dict[str, str] = {}
    with keras.device(device):
        try:
            reference = build_frozen(config, names[-1], "float32")
        except WeightsError as error:
            valid = [n for n in names if _is_below(points, n, error.valid_to)]
            if not valid:
                raise
            failed = {name: error.message for name in names if name not in valid}
            names = valid
            reference = build_frozen(config, names[-1], "float32")
        trained = reference
        if policy != "float32":
            trained = build_frozen(config, names[-1], policy)
        found: dict[str, CutFeatures] = {}
        for together in _passes(names, unfinished(backbone)):
            exact = _prefix(reference, together)
            fast = exact if trained is reference else _prefix(trained, together)
            found |= _pass(config, together, fast, exact, manifest, splits, progress)
        if timed:
            about = f"{config.model.row.identity} {size_of(config)} {device}"
            network = _prefix(reference, names)
            ms = milliseconds(network, names, about, Measurements(cache_root()))
            found = {n: dataclasses.replace(one, ms=ms[n]) for n, one in found.items()}
    return [found[name] for name in names], failed


def _chosen(
    config: Config, asked: Sequence[str], backbone: keras.Model, points: list[str]
) -> list[str]:
    """Return the cut points asked for, from the input up."""
    row = config.model.row
    chosen: set[str] = set()
    for name in asked:
        if name == GOOD:
            chosen.update(row.cuts)
        elif name == ALL:
            chosen.update(set(points) - unfinished(backbone) | set(row.cuts))
        elif name in points:
            chosen.add(name)
        else:
            raise _not_a_cut(name, points, backbone, row.name)
    return [point for point in points if point in chosen]


def _not_a_cut(
    name: str, points: list[str], backbone: keras.Model, title: str
) -> UsageError:
    listed_by = show_command(title)
    if name in {operation.name for operation in backbone_operations(backbone)}:
        return UsageError(
            f"{title} cannot be compared at {name!r}: other paths lead around it.",
            hint=f"Layers at which it comes apart: {listed_by}",
        )
    return unknown_name("layer", name, points, listed_by=listed_by)


def _is_below(points: list[str], name: str, valid_to: str) -> bool:
    """Return whether a cut point lies in the valid part of a weights file."""
    return valid_to in points and points.index(name) <= points.index(valid_to)


def _passes(names: Sequence[str], unfinished: set[str]) -> list[list[str]]:
    """Return which cuts are computed together."""
    # An output in the middle of a step changes the last bits of all above.
    alone = [[name] for name in names if name in unfinished]
    together = [name for name in names if name not in unfinished]
    return [together, *alone] if together else alone


def _prefix(backbone: keras.Model, names: Sequence[str]) -> FrozenNetwork:
    operations = {one.name: one for one in backbone_operations(backbone)}
    outputs = [output_of(operations[name]) for name in names]
    chosen = outputs if outputs[1:] else outputs[0]
    return FrozenNetwork(keras.Model(backbone.inputs[0], chosen, name="prefix"))


def _pass(
    config: Config,
    names: list[str],
    trained: FrozenNetwork,
    reference: FrozenNetwork,
    manifest: Manifest,
    splits: Sequence[str],
    progress: Progress,
) -> dict[str, CutFeatures]:
    """Compute the features at cuts that are computed together."""
    found = []
    for split in splits:
        extractor = FeatureExtractor.for_split(
            split, config, manifest.source, trained, reference, progress
        )
        found.append(
            extractor.require(
                manifest.of(split),
                [PLAIN],
                f"Computing {split} features at {len(names)} cuts",
                "Give the cache more room (TLKIT_CACHE_GB), or name fewer cuts.",
            )
        )
        extractor.report()
    return {
        name: CutFeatures(
            name,
            extractor.layers[i].shape[-1],
            extractor.layers[i].flops,
            reference.only([i]).model.count_params(),
            float("nan"),
            tuple(split[i] for split in found),
        )
        for i, name in enumerate(names)
    }
