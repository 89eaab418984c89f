"""A classifier and a data set in, trained weights in a checkpoint out."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any

import keras
import numpy as np

from tlkit.config import Config
from tlkit.dataset.manifest import Manifest
from tlkit.inputs.augment import load_policy
from tlkit.inputs.batches import TrainingBatches, binary_column, plain_pictures
from tlkit.model import optimizers
from tlkit.model.classifier import Classifier
from tlkit.progress import Progress
from tlkit.run.checkpoint import Checkpoint, read_state
from tlkit.run.epochs import callbacks
from tlkit.run.record import Run

CLOSING_SECONDS = 60


def fit(
    run: Run, manifest: Manifest, classifier: Classifier, progress: Progress
) -> tuple[Checkpoint, dict[str, float]]:
    """Run the epochs that are still to be run.

    Args:
        run: Its checkpoint directory says how far training has come.
        manifest: The data set.
        classifier: The network; compiled and trained in place.
        progress: Told of every step and epoch.

    Returns:
        The checkpoint, which holds the best weights, and seconds by stage.
    """
    train = run.config.train
    batches = _batches(run, manifest)
    state = read_state(run.directory / "checkpoint")
    called, checkpoint = callbacks(
        train,
        directory=run.directory,
        state=state,
        frozen=classifier.frozen,
        steps=batches.steps,
        progress=progress,
    )
    if state.stopped or state.epochs >= train.epochs:
        return checkpoint, {}
    began = time.perf_counter()
    validation = _validation(run, manifest, progress)
    _compile(classifier.model, run.config, batches.steps)
    read = time.perf_counter()
    stream = batches.stream(first_epoch=state.epochs)
    try:
        classifier.model.fit(
            stream,
            steps_per_epoch=batches.steps,
            epochs=train.epochs,
            initial_epoch=state.epochs,
            validation_data=validation,
            validation_batch_size=run.config.inputs.batch,
            callbacks=called,
            shuffle=False,
            verbose=0,
        )
    finally:
        _close(stream)
    return checkpoint, {"read": read - began, "train": time.perf_counter() - read}


def _batches(run: Run, manifest: Manifest) -> TrainingBatches:
    inputs = run.config.inputs
    return TrainingBatches(
        manifest,
        manifest.of("train"),
        size=run.size,
        resize=inputs.resize,
        policy=load_policy(inputs.augment),
        mix=inputs.mix,
        batch=inputs.batch,
        seed=run.config.train.seed,
        workers=inputs.workers,
    )


def _validation(
    run: Run, manifest: Manifest, progress: Progress
) -> tuple[np.ndarray, np.ndarray]:
    held = manifest.of("val")
    pictures = plain_pictures(
        manifest,
        held,
        size=run.size,
        resize=run.config.inputs.resize,
        workers=run.config.inputs.workers,
        progress=progress,
        task="Reading validation pictures",
    )
    eye = np.eye(len(run.labels), dtype=np.float32)
    return pictures, binary_column(eye[manifest.targets(held)])


def _compile(model: keras.Model, config: Config, steps: int) -> None:
    train = config.train
    binary = model.output_shape[-1] == 1
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
        loss="binary_crossentropy" if binary else "categorical_crossentropy",
        metrics=["accuracy"],
        # Compiling with XLA costs more than it saves on small data without a GPU.
        jit_compile=False,
    )


def _close(stream: Generator[Any, None, None]) -> None:
    """End the stream and its workers, once Keras' prefetching thread has left it."""
    for _ in range(CLOSING_SECONDS * 20):
        try:
            return stream.close()
        except ValueError:  # generator already executing
            time.sleep(0.05)
    return None
