"""A feed and the settings of a phase in, trained weights in a checkpoint out."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping, Sequence
from typing import Any

import keras

from tlkit.config import TrainConfig
from tlkit.model import optimizers
from tlkit.progress import Progress
from tlkit.training.callbacks import Budget, Place, callbacks
from tlkit.training.checkpoint import Checkpoint, read_state
from tlkit.training.data import Feed

CLOSING_SECONDS = 60
# From so many weights on, the optimizer's passes over memory cost more than compiling
# the step into one saves; tests/benchmarks/head.py.
LARGE_HEAD = 2_000_000
DENSE = (
    keras.layers.InputLayer,
    keras.layers.Flatten,
    keras.layers.Dense,
    keras.layers.Dropout,
)


def fit(
    feed: Feed,
    train: TrainConfig,
    place: Place,
    *,
    ended: int | None = None,
    earlier: Sequence[Mapping[str, Any]] = (),
    frozen: tuple[str, ...],
    device: str,
    budget: Budget,
    progress: Progress,
    watching: Sequence[keras.callbacks.Callback] = (),
) -> Checkpoint:
    """Run the epochs of a phase that are still to be run."""
    place.checkpoint.mkdir(parents=True, exist_ok=True)
    state = read_state(place.checkpoint)
    epochs = epochs_of(train, feed.schedule.steps)
    called, checkpoint = callbacks(
        train,
        place=place,
        state=state,
        earlier=earlier,
        frozen=frozen,
        epochs=epochs,
        steps=feed.schedule.steps,
        ended=ended,
        budget=budget,
        progress=progress,
    )
    if state.stopped or state.epochs >= epochs:
        return checkpoint
    compile_model(feed, train, device)
    stream = feed.training(state.epochs)
    try:
        feed.model.fit(
            feed.dataset(stream),
            steps_per_epoch=feed.schedule.steps,
            epochs=epochs,
            initial_epoch=state.epochs,
            validation_data=feed.validation(),
            callbacks=[*called, *watching],
            shuffle=False,
            verbose=0,
        )
    finally:
        close(stream)
    return checkpoint


def epochs_of(train: TrainConfig, steps: int) -> int:
    """How many passes over the images."""
    return train.epochs or -(-(train.steps or 1) // steps)


def compile_model(feed: Feed, train: TrainConfig, device: str) -> None:
    """Give the network of a feed its loss and optimizer.

    Args:
        feed: Has what is trained, and says how many steps one pass takes.
        train: How.
        device: From `device.choose_device`.
    """
    model, steps = feed.model, feed.schedule.steps
    optimizer = optimizers.build(
        train.optimizer,
        lr=train.lr or 0.0,
        steps=train.steps or steps * epochs_of(train, steps),
        momentum=train.momentum,
        nesterov=train.nesterov,
        weight_decay=train.weight_decay,
        schedule=train.schedule,
        warmup=train.warmup or 0.0,
        ema=train.ema,
    )
    # Else the training step is traced once more when it meets the new variables.
    optimizer.build(model.trainable_variables)
    if model.compiled and _alike(model.optimizer, optimizer):
        # What was traced for an earlier fold is as good for this one.
        for old, new in zip(
            model.optimizer.variables, optimizer.variables, strict=True
        ):
            old.assign(new)
        return
    model.compile(
        optimizer=optimizer,
        loss=feed.task.loss,
        metrics=[keras.metrics.MeanMetricWrapper(feed.task.correct, name="accuracy")],
        jit_compile=_pays_to_compile(model, device),
    )


def _alike(one: keras.Optimizer, other: keras.Optimizer) -> bool:
    """Whether two optimizers do the same, but for rates that are variables."""
    settings = []
    for optimizer in (one, other):
        setting = {**optimizer.get_config(), "name": ""}
        if isinstance(setting["learning_rate"], float):
            del setting["learning_rate"]
        settings.append(setting)
    return type(one) is type(other) and settings[0] == settings[1]


def _pays_to_compile(model: keras.Model, device: str) -> str | bool:
    """Whether XLA makes the training step faster."""
    if device.startswith("gpu"):
        return "auto"
    large = model.count_params() >= LARGE_HEAD
    return large and all(isinstance(layer, DENSE) for layer in model.layers)


def close(stream: Generator[Any, None, None]) -> None:
    """End the stream and its workers, once Keras' prefetching thread has left it."""
    for _ in range(CLOSING_SECONDS * 20):
        try:
            return stream.close()
        except ValueError:  # generator already executing
            time.sleep(0.05)
    return None
