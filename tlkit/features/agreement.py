"""The agreement of the engine of the training split with the float32 network."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import numpy as np

from tlkit.cache_root import cache_root
from tlkit.dataset.example import Example
from tlkit.errors import RunError
from tlkit.features.extractor import FeatureExtractor
from tlkit.features.machine import Measurements
from tlkit.features.vectors import Features
from tlkit.inputs.batches import plain_batches

# Images that two engines are compared on, and a cosine that rounding does not explain:
# MobileNetV2 in bfloat16 has 0.94 for its worst image, and loses no accuracy.
COMPARED = 8
LEAST_COSINE = 0.8


def check_agreement(
    training: FeatureExtractor,
    val: FeatureExtractor,
    features: Features | None,
    examples: Sequence[Example],
) -> float | None:
    """Compare two engines on a few images, once for each network and machine.

    Args:
        training: Gives what the network is trained on.
        val: Gives what it is scored on, from the float32 network.
        features: The plain images of `examples`, by `val`.
        examples: The validation split.

    Returns:
        The cosine of the image for which it is the least; None where both are the same
        or there are no features to compare with.

    Raises:
        RunError: The engines disagree.
    """
    one, other = training.layers[-1].about, val.layers[-1].about
    if one == other or features is None:
        return None
    measurements = Measurements(cache_root())
    about = json.dumps([one, other], sort_keys=True)
    key = f"cosine {hashlib.sha256(about.encode()).hexdigest()[:32]}"
    known = measurements.get(key)
    if known is not None:
        return float(known)
    few = examples[:COMPARED]
    batches = plain_batches(training.maker, few, COMPARED, workers=training.workers)
    ((computed,),) = training.stream(batches)
    cosine = round(worst_cosine(computed, features.take(np.arange(len(few)), 0)), 5)
    if cosine < LEAST_COSINE:
        raise RunError(
            f"{one['engine']} and {other['engine']} disagree about this network: "
            f"cosine {cosine:.3f} of one image.",
            hint="Use --engine keras, and please report it.",
        )
    measurements.put(key, cosine)
    return cosine


def worst_cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Return the least cosine between the vectors of two engines; 1 if they agree."""
    flat = [one.reshape(len(one), -1).astype(np.float64) for one in (a, b)]
    norms = [np.linalg.norm(one, axis=1) for one in flat]
    products, lengths = (flat[0] * flat[1]).sum(axis=1), norms[0] * norms[1]
    # Where both are zero they agree.
    zero = (norms[0] == 0) & (norms[1] == 0)
    cosines = np.divide(
        products, lengths, out=np.zeros_like(lengths), where=lengths > 0
    )
    return float(np.where(zero, 1.0, cosines).min())
