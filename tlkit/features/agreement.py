"""How closely the engine of the training side follows the float32 network."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import numpy as np

from tlkit.cache_root import cache_root
from tlkit.dataset.manifest import Example
from tlkit.errors import RunError
from tlkit.features.extractor import FeatureExtractor
from tlkit.features.machine import Memory
from tlkit.features.rows import Rows
from tlkit.inputs.batches import plain_batches

# Images that two engines are compared on, and what would be no rounding any more:
# MobileNetV2 in bfloat16 has 0.94 for its worst image, and loses no accuracy.
COMPARED = 8
LEAST_COSINE = 0.8


def compare(
    training: FeatureExtractor,
    val: FeatureExtractor,
    rows: Rows | None,
    examples: Sequence[Example],
) -> float | None:
    """Compute a few rows by both engines, once for each network and machine.

    Args:
        training: What the network is trained on.
        val: What it is scored on, from the float32 network.
        rows: Of the plain images of `examples`, by the latter.
        examples: The validation side.

    Returns:
        The cosine of the image for which it is the least; None where both are the
        same, or there are no rows to compare with.

    Raises:
        RunError: They have little in common.
    """
    if training.frozen.end.about == val.frozen.end.about or rows is None:
        return None
    memory = Memory(cache_root())
    about = json.dumps(
        [training.frozen.end.about, val.frozen.end.about], sort_keys=True
    )
    key = f"cosine {hashlib.sha256(about.encode()).hexdigest()[:32]}"
    known = memory.get(key)
    if known is not None:
        return float(known)
    few = examples[:COMPARED]
    batches = plain_batches(training.maker, few, COMPARED, workers=training.workers)
    (computed,) = training.frozen.rows(batches)
    cosine = round(worst_cosine(computed, rows.take(np.arange(len(few)), 0)), 5)
    if cosine < LEAST_COSINE:
        one, other = (side.frozen.end.about["engine"] for side in (training, val))
        raise RunError(
            f"{one} and {other} disagree about this network: cosine {cosine:.3f} of "
            "one image.",
            hint="Use --engine keras, and please report it.",
        )
    memory.put(key, cosine)
    return cosine


def worst_cosine(a: np.ndarray, b: np.ndarray) -> float:
    """How far two engines are apart: 1 if they agree."""
    flat = [rows.reshape(len(rows), -1).astype(np.float64) for rows in (a, b)]
    norms = [np.linalg.norm(rows, axis=1) for rows in flat]
    products = (flat[0] * flat[1]).sum(axis=1)
    lengths = norms[0] * norms[1]
    # An image of which both say nothing at all is one they agree about.
    nothing = (norms[0] == 0) & (norms[1] == 0)
    cosines = np.divide(
        products, lengths, out=np.zeros_like(lengths), where=lengths > 0
    )
    return float(np.where(nothing, 1.0, cosines).min())
