"""Script that runs an exported SavedModel without tlkit.

Started by its path. Standard input has EXPORTED, SAMPLES and RESULT as a JSON list;
SAMPLES holds encoded images and pixels.npy. TensorFlow loads before it is read, while
the model is still being exported. Imports nothing of this package.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf


def main(exported: str, samples: str, result: str) -> None:
    """Run both signatures and write their outputs as JSON."""
    loaded = tf.saved_model.load(exported)
    from_bytes = loaded.signatures["serving_default"]
    from_pixels = loaded.signatures["pixels"]
    files = sorted(p for p in Path(samples).iterdir() if p.name != "pixels.npy")
    by_bytes = from_bytes(
        image_bytes=tf.constant([file.read_bytes() for file in files])
    )
    pixels = tf.constant(np.load(Path(samples) / "pixels.npy"))
    by_pixels = from_pixels(pixels=pixels)
    outputs = {"from_bytes": _plain(by_bytes), "from_pixels": _plain(by_pixels)}
    Path(result).write_text(json.dumps(outputs), encoding="utf-8")


def _plain(outputs: dict[str, tf.Tensor]) -> dict[str, Any]:
    """Return every output as lists, texts decoded."""
    return {
        name: [text.decode() for text in tensor.numpy()]
        if tensor.dtype == tf.string
        else tensor.numpy().tolist()
        for name, tensor in outputs.items()
    }


if __name__ == "__main__":
    main(*json.load(sys.stdin))
