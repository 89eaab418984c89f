"""Features of training images and of their horizontal flips."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from tlkit.config import Config
from tlkit.dataset.manifest import Example, Manifest
from tlkit.features.engines.base import FrozenNetwork
from tlkit.features.engines.choose import choose_engine
from tlkit.features.extractor import FeatureExtractor
from tlkit.features.vectors import as_input
from tlkit.inputs.batches import plain_batches
from tlkit.inputs.views import HFLIP, PLAIN
from tlkit.model.classifier import Classifier
from tlkit.model.head import GAP
from tlkit.progress import Progress

# At most so many images: enough to see one prediction in fifty change.
IMAGES = 400
# Side in pixels of the images that are compared where the network knows nothing yet.
THUMBNAIL = 12


def sample(manifest: Manifest, seed: int) -> list[Example]:
    """Draw training images, of each class as many as of the others.

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
    """Compute the features of images and of their horizontal flips.

    A network with random weights gives no useful features. Then they are small versions
    of the images themselves.

    Args:
        config: Resolved.
        manifest: The data set.
        examples: Of it.
        reference: The network in float32.
        device: From `device.choose_device`.
        progress: Receives what is computed.

    Returns:
        float32 [N, C] each, the mean over the map at the cut.

    Raises:
        RunError: They fit neither into the cache nor into memory.
    """
    random = config.model.weights == "none"
    extractor = FeatureExtractor.of(
        config,
        manifest.source,
        None if random else FrozenNetwork(reference.base_model),
        engine="" if random else choose_engine(config.train.engine, device, progress),
        pooling=GAP,
        device=device,
        progress=progress,
    )
    if random:
        return _thumbnails(extractor, examples)
    (found,) = extractor.require(
        examples,
        [PLAIN, HFLIP],
        "Computing features of horizontal flips",
        "Decide whether images may be flipped: --hflip or --no-hflip.",
    )
    plain, flipped = (as_input(found.view(number), GAP) for number in (0, 1))
    return plain, flipped


def _thumbnails(
    extractor: FeatureExtractor, examples: Sequence[Example]
) -> tuple[np.ndarray, np.ndarray]:
    batches = plain_batches(extractor.maker, examples, 32, workers=extractor.workers)
    small = np.stack(
        [
            np.asarray(
                Image.fromarray(pixels).resize(
                    (THUMBNAIL, THUMBNAIL), Image.Resampling.BOX
                )
            )
            for batch in batches
            for pixels in batch
        ]
    ).astype(np.float32)
    flipped = small[:, :, ::-1]
    return small.reshape(len(small), -1), flipped.reshape(len(small), -1)
