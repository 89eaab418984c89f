"""The fitting of one phase: compiling, and Keras' fit from the last checkpoint on."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping, Sequence
from typing import Any

import keras

from tlkit.config import TrainConfig
from tlkit.model import optimizers
from tlkit.progress import Progress
from tlkit.training.callbacks import Budget, PhaseDir, build_callbacks
from tlkit.training.checkpoint import Checkpoint, read_state
from tlkit.training.data import DataPipeline

CLOSING_SECONDS = 60
# From so many weights on, one compiled step saves more in passes over memory than
# compiling costs; tests/benchmarks/head.py.
LARGE_HEAD = 2_000_000
DENSE = (
    keras.layers.InputLayer,
    keras.layers.Flatten,
    keras.layers.Dense,
    keras.layers.Dropout,
)


def fit(
    pipeline: DataPipeline,
    train: TrainConfig,
    place: PhaseDir,
    *,
    earlier: Sequence[Mapping[str, Any]] = (),
    frozen: tuple[str, ...],
    device: str,
    budget: Budget,
    progress: Progress,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> Checkpoint:
    """Run the epochs of a phase that are still to be run."""
    place.checkpoint.mkdir(parents=True, exist_ok=True)
    state = read_state(place.checkpoint)
    steps = pipeline.schedule.steps
    total = total_steps(train, steps)
    own, checkpoint = build_callbacks(
        train,
        place=place,
        state=state,
        earlier=earlier,
        frozen=frozen,
        total=total,
        steps=steps,
        budget=budget,
        progress=progress,
    )
    epochs = epochs_of(train, steps)
    if state.stopped or state.epochs >= epochs:
        return checkpoint
    compile_model(pipeline, train, device)
    stream = pipeline.training(state.epochs)
    try:
        pipeline.model.fit(
            pipeline.dataset(stream),
            steps_per_epoch=steps,
            epochs=epochs,
            initial_epoch=state.epochs,
            validation_data=pipeline.validation(),
            callbacks=[*own, *callbacks],
            shuffle=False,
            verbose=0,
        )
    finally:
        close(stream)
    return checkpoint


def total_steps(train: TrainConfig, steps: int) -> int:
    """Return the batches of a phase, `steps` an epoch: `train.steps` at most."""
    most = train.epochs * steps if train.epochs else train.steps or steps
    return min(most, train.steps or most)


def epochs_of(train: TrainConfig, steps: int) -> int:
    """Return the epochs of a phase, the last of which may be begun only."""
    return -(-total_steps(train, steps) // steps)


def compile_model(pipeline: DataPipeline, train: TrainConfig, device: str) -> None:
    """Give the model of a data pipeline its loss and optimizer.

    Args:
        pipeline: Holds the model, and the number of steps per epoch.
        train: The settings of the phase.
        device: From `device.choose_device`.
    """
    model = pipeline.model
    optimizer = optimizers.build(
        train.optimizer,
        lr=train.lr or 0.0,
        steps=total_steps(train, pipeline.schedule.steps),
        momentum=train.momentum,
        nesterov=train.nesterov,
        weight_decay=train.weight_decay,
        schedule=train.schedule,
        warmup=train.warmup or 0.0,
        ema=train.ema,
    )
    # Otherwise the training step is traced again for the new variables.
    optimizer.build(model.trainable_variables)
    if model.compiled and _alike(model.optimizer, optimizer):
        # The step that was traced for an earlier fold serves this one as well.
        for old, new in zip(
            model.optimizer.variables, optimizer.variables, strict=True
        ):
            old.assign(new)
        return
    accuracy = keras.metrics.MeanMetricWrapper(pipeline.task.correct, name="accuracy")
    model.compile(
        optimizer=optimizer,
        loss=pipeline.task.loss,
        metrics=[accuracy],
        jit_compile=_pays_to_compile(model, device),
    )


def _alike(one: keras.Optimizer, other: keras.Optimizer) -> bool:
    """Return whether two optimizers differ at most in rates, which are variables."""
    settings = []
    for optimizer in (one, other):
        setting = {**optimizer.get_config(), "name": ""}
        if isinstance(setting["learning_rate"], float):
            del setting["learning_rate"]
        settings.append(setting)
    return type(one) is type(other) and settings[0] == settings[1]


def _pays_to_compile(model: keras.Model, device: str) -> str | bool:
    """Return whether XLA makes the training step faster."""
    if device.startswith("gpu"):
        return "auto"
    large = model.count_params() >= LARGE_HEAD
    return large and all(isinstance(layer, DENSE) for layer in model.layers)


def close(stream: Generator[Any, None, None]) -> None:
    """End the stream and its workers, once Keras' prefetching thread has left it.

    Args:
        stream: Batches, from `training`.
    """
    for _ in range(CLOSING_SECONDS * 20):
        try:
            return stream.close()
        except ValueError:  # generator already executing
            time.sleep(0.05)
    return None
