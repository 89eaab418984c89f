"""Embeddings: a feature vector of each image, by a pretrained network."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tlkit.config import AUTO_CUT, Config, Scope, build_config, options_of, resolve
from tlkit.dataset.example import Example
from tlkit.dataset.inspection.image_info import sha256_of
from tlkit.device import choose_device
from tlkit.errors import TlkitError, UsageError, WeightsError, unknown_name
from tlkit.features.engines.base import FrozenNetwork
from tlkit.features.extractor import FeatureExtractor
from tlkit.features.layers import build_frozen
from tlkit.features.vectors import as_input
from tlkit.inputs.views import PLAIN
from tlkit.progress import SILENT, Progress
from tlkit.workers import in_order

POOLING = "gap"
PIXELS = (
    "Name a network that begins with a Rescaling layer of its own, or one that tlkit "
    "backbones lists; in Python, tlkit.embedder takes preprocessing."
)
HINT = (
    "Name a file of the whole network with --similar-weights FILE, or leave --similar "
    "away; --similar nano takes a small network that comes with tlkit."
)


def embedder(
    backbone: str = "mobilenetv2",
    *,
    progress: Progress = SILENT,
    **options: Any,
) -> Embedder:
    """Return a function that embeds images by a pretrained network.

    Args:
        backbone: Which network; `tlkit backbones` lists them.
        progress: Receives what is computed.
        **options: Of the configuration: weights, preprocessing, size, cut, resize,
            seed, workers, device, engine and cache.

    Returns:
        The argument `similar` of `prepare`; nothing is loaded yet.

    Raises:
        UsageError: An unknown name, or a value that is not allowed.

    Example:
        >>> tlkit.prepare("photos", "data", similar=tlkit.embedder("mobilenetv2"))
    """
    try:
        config = embedding_config(**{**options, "backbone": backbone})
    except UsageError as error:
        if "--preprocessing" in error.hint:
            raise UsageError(error.message, hint=PIXELS) from error
        if "--weights" not in str(error):
            raise
        raise UsageError(_similar_weights(error), hint=HINT) from error
    return Embedder(config, progress)


@dataclass(frozen=True)
class Embedder:
    """The mean over the feature map at the cut, for any images.

    What was computed before, also for training, comes from the cache.
    """

    config: Config
    progress: Progress = field(default=SILENT, compare=False, repr=False)

    @property
    def name(self) -> str:
        """The network, cut, size and weights in words, for records."""
        model = self.config.model
        return f"{model.backbone} to {model.cut}, {model.size} px, {model.weights}"

    @property
    def backbone(self) -> str:
        """The name of the network."""
        return self.config.model.backbone

    @property
    def weights(self) -> str:
        """The weights of the network: a name or a file, "" for the default."""
        return self.config.model.weights or ""

    def __call__(self, root: Path, paths: Sequence[str]) -> np.ndarray:
        """Compute the feature vectors of images under a root, float32 [N, C]."""
        workers = self.config.inputs.workers
        sums = in_order(functools.partial(sha256_of, root), paths, workers=workers)
        examples = [_example(p, s) for p, s in zip(paths, sums, strict=True)]
        task = "Computing features to compare by"
        try:
            return features_of(self.config, root, examples, task, self.progress)
        except WeightsError as error:
            raise WeightsError(_similar_weights(error), hint=HINT) from error


def embedding_config(**options: Any) -> Config:
    """Build the configuration of a network that only gives features.

    Args:
        **options: Of the configuration: those of Scope.FEATURES.

    Returns:
        The configuration, resolved: plain images, pooled at the cut.

    Raises:
        UsageError: An unknown name, or a value that is not allowed.
    """
    known = options_of(Scope.FEATURES)
    for name in options:
        if name not in known:
            error = unknown_name("option of the network", name, known)
            raise error
    plain = {"augment": "none", "views": 1, "head": POOLING}
    config = resolve(build_config(options={**options, **plain}))
    if config.model.cut == AUTO_CUT:
        raise UsageError(
            "cut auto is chosen by training a probe; here a layer is needed.",
            hint="Name a layer of tlkit backbones show.",
        )
    return config


def network_of(config: Config) -> dict[str, Any]:
    """Return the options that decide the features, for records.

    Args:
        config: From `embedding_config`.

    Returns:
        Option to value.
    """
    model = config.model
    return {
        "backbone": model.backbone,
        "preprocessing": model.preprocessing,
        "weights": model.weights,
        "size": model.size,
        "cut": model.cut,
        "resize": config.inputs.resize,
    }


def features_of(
    config: Config,
    root: Path,
    examples: Sequence[Example],
    task: str,
    progress: Progress,
) -> np.ndarray:
    """Compute the features of images, or of boxes of them, by a frozen network.

    Args:
        config: From `embedding_config`.
        root: What the paths of the examples are relative to.
        examples: Which ones.
        task: What to call the work.
        progress: Receives it.

    Returns:
        float32 [N, C], the mean over the map at the cut, in the order of the examples;
        from the cache where it has them.

    Raises:
        RunError: They fit neither into the cache nor into memory.
        WeightsError: The network has none that can be used.
    """
    with keras.device(choose_device(config.train.device)):
        backbone = build_frozen(config, str(config.model.cut), "float32")
    extractor = FeatureExtractor.of(config, root, FrozenNetwork(backbone), progress)
    hint = "Give the cache more room (TLKIT_CACHE_GB)."
    (found,) = extractor.require(examples, [PLAIN], task, hint)
    return as_input(found.view(0), POOLING)


def _example(path: str, sha256: str) -> Example:
    return Example(
        id=path, path=path, sha256=sha256,
        width=0, height=0, labels=(), split="", group="",
    )  # fmt: skip


def _similar_weights(error: TlkitError) -> str:
    # prepare has another name for what finetune calls --weights.
    return error.message.replace("--weights", "--similar-weights")
