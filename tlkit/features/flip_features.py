"""Features of training images and of their horizontal flips."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from tlkit.config import Config
from tlkit.dataset.example import Example
from tlkit.dataset.manifest import Manifest
from tlkit.features.engines.base import FrozenNetwork
from tlkit.features.extractor import FeatureExtractor, view_maker
from tlkit.features.vectors import as_input
from tlkit.inputs.batches import plain_batches
from tlkit.inputs.views import HFLIP, PLAIN, ViewMaker
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
        IMAGES or fewer, in the order of the manifest; at least two per class where
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
        progress: Receives what is computed.

    Returns:
        float32 [N, C] each, the mean over the map at the cut.

    Raises:
        RunError: They fit neither into the cache nor into memory.
    """
    if config.model.weights == "none":
        maker = view_maker(config, manifest.source)
        return _thumbnails(maker, examples, config.inputs.workers)
    network = FrozenNetwork(reference.base_model)
    extractor = FeatureExtractor.of(config, manifest.source, network, progress)
    (found,) = extractor.require(
        examples,
        [PLAIN, HFLIP],
        "Computing features of horizontal flips",
        "Decide whether images may be flipped: --hflip or --no-hflip.",
    )
    plain, flipped = (as_input(found.view(number), GAP) for number in (0, 1))
    return plain, flipped


def _thumbnails(
    maker: ViewMaker, examples: Sequence[Example], workers: int | None
) -> tuple[np.ndarray, np.ndarray]:
    size, box = (THUMBNAIL, THUMBNAIL), Image.Resampling.BOX
    batches = plain_batches(maker, examples, 32, workers=workers)
    images = (Image.fromarray(pixels) for batch in batches for pixels in batch)
    small = np.stack([np.array(one.resize(size, box), np.float32) for one in images])
    flipped = small[:, :, ::-1]
    return small.reshape(len(small), -1), flipped.reshape(len(small), -1)
