"""Training images in, features of them and of their mirror images out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from tlkit.cache_root import cache_root
from tlkit.config import Config, size_of
from tlkit.dataset.manifest import Example, Manifest
from tlkit.errors import RunError
from tlkit.features.engines.choose import choose_engine
from tlkit.features.engines.traced import Traced
from tlkit.features.extractor import FeatureExtractor
from tlkit.features.frozen import as_input, frozen_part
from tlkit.features.machine import Memory
from tlkit.inputs.batches import plain_batches
from tlkit.inputs.views import HFLIP, PLAIN, ViewMaker
from tlkit.model.classifier import Classifier
from tlkit.progress import Progress

# Images that are looked at, at most: enough to see one answer in fifty change.
IMAGES = 400
# Side of the images in pixels that are compared where no network knows anything.
THUMBNAIL = 12


def sample(manifest: Manifest, seed: int) -> list[Example]:
    """Some of the training images, of each class as many as of the others.

    Args:
        manifest: The data set.
        seed: Of the draw.

    Returns:
        IMAGES or fewer, in the order of the manifest; at least two a class where
        there are two.
    """
    examples = manifest.of("train")
    targets = manifest.targets(examples)
    most = max(IMAGES // len(manifest.labels), 2)
    rng = np.random.default_rng(seed)
    chosen = [
        rng.permutation(np.flatnonzero(targets == target))[:most]
        for target in range(len(manifest.labels))
    ]
    return [examples[i] for i in sorted(np.concatenate(chosen))]


def flip_features(
    config: Config,
    manifest: Manifest,
    examples: Sequence[Example],
    reference: Classifier,
    device: str,
    progress: Progress,
) -> tuple[np.ndarray, np.ndarray]:
    """What the pretrained network sees in images and in their mirror images.

    A network that knows nothing yet sees nothing either: then these are small copies
    of the images themselves.

    Args:
        config: Resolved.
        manifest: The data set.
        examples: Of it.
        reference: The network in float32.
        device: From `device.choose_device`.
        progress: Told of what is computed.

    Returns:
        float32 [N, C] each, the mean over the map at the cut.

    Raises:
        RunError: They fit neither into the cache nor into memory.
    """
    maker = ViewMaker(manifest.source, size_of(config), config.inputs.resize)
    workers = config.inputs.workers
    if config.model.weights == "none":
        return _thumbnails(maker, examples, workers)
    frozen = frozen_part(
        Traced(reference.base_model),
        choose_engine(config.train.engine, device, progress),
        pooling="gap",
        size=size_of(config),
        backbone=config.model.row.identity,
        memory=Memory(cache_root()),
        device=device,
    )
    store = cache_root() if config.train.cache else None
    extractor = FeatureExtractor(maker, frozen, store, workers, progress)
    rows = extractor.collect(examples, [PLAIN, HFLIP], "Looking at mirror images")
    if rows is None:
        raise RunError(
            f"The features of {len(examples)} images and their mirror images fit "
            "neither into the cache nor into memory.",
            hint="Say whether images may be mirrored: --hflip or --no-hflip.",
        )
    every = np.arange(len(examples))
    plain, mirrored = (as_input(rows.take(every, view), "gap") for view in (0, 1))
    return plain, mirrored


def _thumbnails(
    maker: ViewMaker, examples: Sequence[Example], workers: int | None
) -> tuple[np.ndarray, np.ndarray]:
    side = (THUMBNAIL, THUMBNAIL)
    small = np.stack(
        [
            np.asarray(Image.fromarray(pixels).resize(side, Image.Resampling.BOX))
            for batch in plain_batches(maker, examples, 32, workers=workers)
            for pixels in batch
        ]
    ).astype(np.float32)
    mirrored = small[:, :, ::-1]
    return small.reshape(len(small), -1), mirrored.reshape(len(small), -1)
