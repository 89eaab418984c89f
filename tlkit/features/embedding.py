"""Images in, what a pretrained network says of each out, a row of numbers apiece."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tlkit.cache_root import cache_root
from tlkit.config import AUTO_CUT, Config, Scope, build_config, options_of, resolve
from tlkit.dataset.inspection.image_info import sha256_of
from tlkit.dataset.manifest import Example
from tlkit.device import choose_device, dtype_policy
from tlkit.errors import RunError, UsageError, WeightsError, unknown_name
from tlkit.features.engines.choose import choose_engine
from tlkit.features.engines.traced import Traced
from tlkit.features.extractor import FeatureExtractor
from tlkit.features.frozen import Frozen, as_input, frozen_part
from tlkit.features.machine import Memory
from tlkit.inputs.views import PLAIN, ViewMaker
from tlkit.model.classifier import build_classifier, split_at_freeze
from tlkit.model.head import parse_head
from tlkit.progress import Progress, Silent
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
SILENT = Silent()


def embedder(
    backbone: str = "mobilenetv2",
    *,
    progress: Progress = SILENT,
    **options: Any,
) -> Embedder:
    """Make images comparable by what a pretrained network sees in them.

    Args:
        backbone: Which network; `tlkit backbones` lists them.
        progress: Told of what is computed.
        **options: Of the configuration: those of Scope.FEATURES.

    Returns:
        What `prepare` takes as `similar`; nothing was loaded yet.

    Raises:
        UsageError: A wrong name or option.

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
        raise UsageError(_named(error.message), hint=HINT) from error
    return Embedder(config, progress)


@dataclass(frozen=True)
class Embedder:
    """The mean over the map at the cut, for any images.

    What was computed before, for training too, comes from the cache.

    Attributes:
        config: Resolved; its model, inputs and some of its train section count.
        progress: Told of what is computed.
    """

    config: Config
    progress: Progress = field(default=SILENT, compare=False, repr=False)

    @property
    def name(self) -> str:
        """What the rows are of, for records."""
        model = self.config.model
        return f"{model.backbone} to {model.cut}, {model.size} px, {model.weights}"

    def __call__(self, root: Path, paths: Sequence[str]) -> np.ndarray:
        """Compute the rows of images."""
        workers = self.config.inputs.workers
        digests = in_order(functools.partial(sha256_of, root), paths, workers=workers)
        examples = [_example(p, d) for p, d in zip(paths, digests, strict=True)]
        task = "Computing features to compare by"
        try:
            return features_of(self.config, root, examples, task, self.progress)
        except WeightsError as error:
            raise WeightsError(_named(error.message), hint=HINT) from error


def embedding_config(**options: Any) -> Config:
    """The configuration of a network that is only asked what it sees.

    Args:
        **options: Of the configuration: those of Scope.FEATURES.

    Returns:
        It, resolved: plain images, pooled at the cut.

    Raises:
        UsageError: A wrong name, or a value that cannot be meant.
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
            "cut auto is found out by training a probe; here a layer is needed.",
            hint="Name a layer of tlkit backbones show.",
        )
    return config


def network_of(config: Config) -> dict[str, Any]:
    """What the features are of, for records.

    Args:
        config: From `embedding_config`.

    Returns:
        The options that decide them.
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
    """What a frozen network says of images, or of boxes of them.

    Args:
        config: From `embedding_config`.
        root: What the paths of the examples are relative to.
        examples: Which ones.
        task: What to call the work.
        progress: Told of it.

    Returns:
        float32 [N, C], the mean over the map at the cut, in the order of the examples;
        from the cache where it has them.

    Raises:
        RunError: They fit neither into the cache nor into memory.
        WeightsError: The network has none that can be used.
    """
    inputs, train = config.inputs, config.train
    frozen = _frozen(config, progress)
    store = cache_root() if train.cache else None
    maker = ViewMaker(root, config.model.size or 0, inputs.resize)
    extractor = FeatureExtractor(maker, frozen, store, inputs.workers, progress)
    rows = extractor.collect(examples, [PLAIN], task)
    if rows is None:
        raise RunError(
            f"The features of {len(examples):,} images fit neither into the cache "
            "nor into memory.",
            hint="Give the cache more room (TLKIT_CACHE_GB).",
        )
    return as_input(rows.take(np.arange(len(examples)), 0), POOLING)


def _frozen(config: Config, progress: Progress) -> Frozen:
    model, train = config.model, config.train
    backbone = model.row
    size = model.size or backbone.native
    device = choose_device(train.device)
    with keras.device(device), dtype_policy("float32"):
        classifier = build_classifier(
            backbone,
            size=size,
            cut=model.cut,
            freeze_to=model.cut,
            head=parse_head(model.head),
            n_classes=2,
            weights=str(model.weights),
            seed=train.seed,
        )
        prefix = split_at_freeze(classifier).prefix
    return frozen_part(
        Traced(prefix) if prefix else None,
        choose_engine(train.engine, device, progress),
        pooling=POOLING,
        size=size,
        backbone=backbone.identity,
        memory=Memory(cache_root()),
        device=device,
    )


def _example(path: str, sha256: str) -> Example:
    return Example(
        id=path, path=path, sha256=sha256,
        width=0, height=0, label="", split="", group="",
    )  # fmt: skip


def _named(message: str) -> str:
    # what finetune calls --weights goes by another name here
    return message.replace("--weights", "--similar-weights")
