"""The network learns to tell objects, grounds and colors of scenes apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from examples.pretrain_nano.library import Library
from examples.pretrain_nano.scenes import HUES, stream
from tlkit.backbones.nano import nano
from tlkit.device import dtype_policy

TASKS = ("object", "ground", "hue")
WEIGHT_DECAY = 0.02
WARMUP = 0.05
REPORT = 250


class FusedNormalization(keras.layers.BatchNormalization):  # type: ignore[misc]
    """Normalizes a batch by one operation of TensorFlow instead of Keras' several.

    A step of training takes half the time on a processor.
    """

    def call(
        self, inputs: tf.Tensor, training: bool = False, mask: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Returns what BatchNormalization does; the variance kept is unbiased."""
        if not training:
            return super().call(inputs, training=False, mask=mask)
        channels = inputs.shape[-1]
        scale = self.gamma if self.scale else tf.ones(channels)
        offset = self.beta if self.center else tf.zeros(channels)
        normed, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs, scale=scale, offset=offset, mean=[], variance=[],
            epsilon=self.epsilon, is_training=True,
        )  # fmt: skip
        for moving, now in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(self.momentum * moving + (1 - self.momentum) * now)
        return normed


@dataclass(frozen=True)
class Course:
    """Length and speed of the pretraining.

    Args:
        steps: Number of batches.
        batch: Scenes in each.
        rate: The highest learning rate of AdamW; it rises over WARMUP of the steps and
            falls by a cosine.
        sides: Of the scenes, in pixels, taken in turn, batch by batch.
        counts: Weight of an error in the loss, in the order of TASKS.
        seed: Of the initial weights and of the scenes.
        precision: Name of a keras.DTypePolicy.
        workers: Processes that draw; 0 for none beside this one.
    """

    steps: int
    batch: int
    rate: float
    sides: tuple[int, ...]
    counts: tuple[float, ...]
    seed: int
    precision: str
    workers: int

    def side(self, step: int) -> int:
        """Returns the side of the scenes of a step."""
        return self.sides[step % len(self.sides)]


def pretrain(
    library: Library, course: Course, tell: Callable[[dict[str, float]], None]
) -> keras.Model:
    """Train a network.

    Args:
        library: What scenes are put together from.
        course: How long, and how fast.
        tell: Gets step, loss and accuracies over the last REPORT steps.

    Returns:
        Its body, from pixels in -1..1, in float32.
    """
    keras.utils.set_random_seed(course.seed)
    with dtype_policy(course.precision):
        model, body = build(len(library.objects), len(library.grounds))
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0,
        decay_steps=course.steps - round(WARMUP * course.steps),
        warmup_target=course.rate,
        warmup_steps=round(WARMUP * course.steps),
    )
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=WEIGHT_DECAY)
    model.compile(
        optimizer=optimizer,
        loss=dict.fromkeys(
            TASKS, keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        ),
        loss_weights=dict(zip(TASKS, course.counts, strict=True)),
        metrics=dict.fromkeys(TASKS, "accuracy"),
        # XLA makes convolutions slower on a processor.
        jit_compile=False,
    )
    sides = [course.side(step) for step in range(course.steps)]
    drawn = stream(library, course.seed, course.batch, sides, workers=course.workers)
    recent: list[dict[str, float]] = []
    for step, scenes in enumerate(drawn):
        model.reset_metrics()
        recent.append(
            model.train_on_batch(
                scenes.pixels.astype("float32"),
                {
                    "object": scenes.objects,
                    "ground": scenes.grounds,
                    "hue": scenes.hues,
                },
                return_dict=True,
            )
        )
        if (step + 1) % REPORT == 0 or step + 1 == course.steps:
            means = {k: float(np.mean([one[k] for one in recent])) for k in recent[0]}
            tell({"step": step + 1, **means})
            recent.clear()
    pixels = keras.Input((None, None, 3))
    trained = keras.Model(pixels, nano(pixels))
    trained.set_weights(body.get_weights())
    return trained


def build(objects: int, grounds: int) -> tuple[keras.Model, keras.Model]:
    """The network and its body.

    Args:
        objects: Number of classes.
        grounds: Likewise.

    Returns:
        A model from float32 [B, H, W, 3], 0..255, to three vectors of logits by name,
        and the body alone, from -1..1.
    """
    pixels = keras.Input((None, None, 3))
    scaled = keras.Input((None, None, 3))
    body = keras.Model(scaled, nano(scaled, FusedNormalization))
    features = body(keras.layers.Rescaling(1 / 127.5, offset=-1.0)(pixels))
    pooled = keras.layers.GlobalAveragePooling2D()(features)
    sizes = {"object": objects, "ground": grounds, "hue": HUES + 1}
    answers = {
        name: keras.layers.Dense(size, name=name, dtype="float32")(pooled)
        for name, size in sizes.items()
    }
    return keras.Model(pixels, answers), body
