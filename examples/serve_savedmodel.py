"""Use an exported model where tlkit is not installed: TensorFlow is all it needs.

python examples/serve_savedmodel.py RUN/exports/savedmodel photo.jpg ...
"""

from __future__ import annotations

import sys
from pathlib import Path

import tensorflow as tf


def main(arguments: list[str] | None = None) -> None:
    """Classify encoded images."""
    exported, *photos = sys.argv[1:] if arguments is None else arguments
    classify = tf.saved_model.load(exported).signatures["serving_default"]
    encoded = tf.constant([Path(photo).read_bytes() for photo in photos])
    answer = classify(image_bytes=encoded)
    for photo, label, shares in zip(
        photos, answer["label"].numpy(), answer["probabilities"].numpy(), strict=True
    ):
        print(f"{photo}: {label.decode()} {shares.max():.3f}")


if __name__ == "__main__":
    main()
