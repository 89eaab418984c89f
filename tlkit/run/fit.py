"""A feed and a configuration in, trained weights in a checkpoint out."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any

import keras

from tlkit.config import Config
from tlkit.model import optimizers
from tlkit.progress import Progress
from tlkit.run.checkpoint import Checkpoint, read_state
from tlkit.run.epochs import callbacks
from tlkit.run.feed import Feed
from tlkit.run.record import Run

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
    run: Run,
    feed: Feed,
    *,
    frozen: tuple[str, ...],
    device: str,
    progress: Progress,
) -> Checkpoint:
    """Run the epochs that are still to be run.

    Args:
        run: Its checkpoint directory says how far training has come.
        feed: The batches, and the network that takes them; compiled and trained in
            place.
        frozen: Names of the layers that do not change.
        device: From `device.choose_device`.
        progress: Told of every step and epoch.

    Returns:
        The checkpoint, which holds the best weights.
    """
    train = run.config.train
    state = read_state(run.directory / "checkpoint")
    called, checkpoint = callbacks(
        train,
        directory=run.directory,
        state=state,
        frozen=frozen,
        steps=feed.schedule.steps,
        progress=progress,
    )
    if state.stopped or state.epochs >= train.epochs:
        return checkpoint
    _compile(feed, run.config, device)
    stream = feed.training(state.epochs)
    try:
        feed.model.fit(
            feed.dataset(stream),
            steps_per_epoch=feed.schedule.steps,
            epochs=train.epochs,
            initial_epoch=state.epochs,
            validation_data=feed.validation(),
            callbacks=called,
            shuffle=False,
            verbose=0,
        )
    finally:
        _close(stream)
    return checkpoint


def _compile(feed: Feed, config: Config, device: str) -> None:
    train, model, steps = config.train, feed.model, feed.schedule.steps
    model.compile(
        optimizer=optimizers.build(
            train.optimizer,
            lr=train.lr,
            steps=steps * train.epochs,
            momentum=train.momentum,
            nesterov=train.nesterov,
            weight_decay=train.weight_decay,
            schedule=train.schedule,
            warmup=train.warmup,
        ),
        loss=feed.task.loss,
        metrics=[keras.metrics.MeanMetricWrapper(feed.task.right, name="accuracy")],
        jit_compile=_pays_to_compile(model, device),
    )


def _pays_to_compile(model: keras.Model, device: str) -> str | bool:
    """Whether XLA makes the training step faster.

    Returns:
        "auto" on a GPU, where Keras asks each layer; on a processor, True for large
        dense networks: their convolutions are slower there than TensorFlow's own.
    """
    if device.startswith("gpu"):
        return "auto"
    large = model.count_params() >= LARGE_HEAD
    return large and all(isinstance(layer, DENSE) for layer in model.layers)


def _close(stream: Generator[Any, None, None]) -> None:
    """End the stream and its workers, once Keras' prefetching thread has left it."""
    for _ in range(CLOSING_SECONDS * 20):
        try:
            return stream.close()
        except ValueError:  # generator already executing
            time.sleep(0.05)
    return None
