"""The recipe of many courses as it is copied: one process, plain Keras.

    python -m tests.benchmarks.plain_notebook --weights FILE --seed 0 --out FILE.json

InceptionV3 up to mixed7 at 150 px, frozen; Flatten, Dense 1024, Dropout 0.2; RMSprop
1e-4, batch 20, 15 epochs; ImageDataGenerator for both sides. Writes the history.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import keras
import tensorflow as tf


def main() -> None:
    """Train, and write what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    keras.utils.set_random_seed(options.seed)

    base = keras.applications.InceptionV3(
        input_shape=(150, 150, 3), include_top=False, weights=None
    )
    base.load_weights(options.weights)
    for layer in base.layers:
        layer.trainable = False
    x = keras.layers.Flatten()(base.get_layer("mixed7").output)
    x = keras.layers.Dense(1024, activation="relu")(x)
    x = keras.layers.Dropout(0.2)(x)
    x = keras.layers.Dense(1, activation="sigmoid")(x)
    model = keras.Model(base.input, x)
    model.compile(
        optimizer=keras.optimizers.RMSprop(learning_rate=0.0001),
        loss="binary_crossentropy",
        metrics=["accuracy"],
    )

    generator = tf.keras.preprocessing.image.ImageDataGenerator
    train = generator(
        rescale=1.0 / 255,
        rotation_range=40,
        width_shift_range=0.2,
        height_shift_range=0.2,
        shear_range=0.2,
        zoom_range=0.2,
        horizontal_flip=True,
    ).flow_from_directory(
        options.data / "train",
        batch_size=20,
        class_mode="binary",
        target_size=(150, 150),
    )
    val = generator(rescale=1.0 / 255).flow_from_directory(
        options.data / "val", batch_size=20, class_mode="binary", target_size=(150, 150)
    )
    history = model.fit(train, validation_data=val, epochs=options.epochs, verbose=2)
    options.out.write_text(json.dumps(history.history))


if __name__ == "__main__":
    main()
