"""Run an exported SavedModel in a process that has never seen tlkit.

Started by its path. Standard input has ARTEFACT, SAMPLES and ANSWERS as a JSON list,
where SAMPLES holds encoded images and pixels.npy: so TensorFlow can be loaded while
these are written. Imports that and nothing of this package.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf


def main(artefact: str, samples: str, answers: str) -> None:
    """Ask both signatures and write what they say as JSON."""
    loaded = tf.saved_model.load(artefact)
    from_bytes = loaded.signatures["serving_default"]
    from_pixels = loaded.signatures["pixels"]
    files = sorted(p for p in Path(samples).iterdir() if p.name != "pixels.npy")
    said = from_bytes(image_bytes=tf.constant([file.read_bytes() for file in files]))
    pixels = tf.constant(np.load(Path(samples) / "pixels.npy"))
    seen = from_pixels(pixels=pixels)
    result = {"from_bytes": _plain(said), "from_pixels": _plain(seen)}
    Path(answers).write_text(json.dumps(result), encoding="utf-8")


def _plain(outputs: dict[str, tf.Tensor]) -> dict[str, Any]:
    """Every output as lists, texts decoded."""
    return {
        name: [text.decode() for text in tensor.numpy()]
        if tensor.dtype == tf.string
        else tensor.numpy().tolist()
        for name, tensor in outputs.items()
    }


if __name__ == "__main__":
    main(*json.load(sys.stdin))
