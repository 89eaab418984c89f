"""The data pipeline of a training: cached features, or images computed every epoch."""

from __future__ import annotations

import dataclasses
import itertools
from collections import deque
from collections.abc import Callable, Generator, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tlkit.config import Config
from tlkit.dataset.manifest import Manifest
from tlkit.features.agreement import check_agreement
from tlkit.features.data_split import SplitFeatures, score
from tlkit.features.engines.base import FrozenNetwork
from tlkit.features.extractor import FeatureExtractor
from tlkit.inputs.batches import PixelBatches
from tlkit.inputs.sampler import BALANCED, Schedule
from tlkit.inputs.views import PLAIN
from tlkit.model.frozen_split import Parts, split_at_freeze
from tlkit.progress import Progress
from tlkit.tasks.task import Task
from tlkit.training.network import Network

# Inputs and targets, and the weight of each example where they have any.
Batches = Generator[tuple[np.ndarray, ...], None, None]


@dataclasses.dataclass(frozen=True)
class DataPipeline:
    """The batches of a phase, and the model that is trained on them."""

    model: keras.Model  # shares its layers with the trained classifier
    exact: keras.Model  # the same in float32, of the reference
    task: Task
    train: SplitFeatures
    val: SplitFeatures  # by the float32 network
    schedule: Schedule  # the examples and views of each batch
    mix: str
    engine: str  # that computes the training split; "" if all is trained on pixels
    smoothing: float
    class_weights: np.ndarray | None  # float32 [n], None for equal ones
    # The least cosine between training features and those of the float32 network;
    # None where these are the same or none were compared.
    cosine: float | None

    def training(self, first_epoch: int) -> Batches:
        """Yield training batches without end, epoch after epoch.

        Args:
            first_epoch: Counted from 0.

        Yields:
            Inputs [batch, ...], targets, and weights of the examples if there are any.
        """
        if self.train.vectors is None:
            yield from self._streamed(first_epoch)
        for epoch in itertools.count(first_epoch):
            for batch in self.schedule.batches(epoch):
                shares = self.train.shares[batch.examples]
                yield self.train.inputs(*batch), *self._targets(shares)

    def _targets(self, shares: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return targets, smoothed, and weights where there are any."""
        targets = self.task.targets(self.task.smoothed(shares, self.smoothing))
        if self.class_weights is None:
            return (targets,)
        return targets, shares @ self.class_weights

    def dataset(self, stream: Batches) -> tf.data.Dataset:
        """Return batches for Keras' fit, two of them ready ahead and no more."""
        weighted = self.class_weights is not None
        return self._dataset(lambda: stream, weighted).prefetch(2)

    def validation(self) -> tf.data.Dataset:
        """Return the validation split, once each time it is iterated over."""
        batches = self._dataset(self._validation, weighted=False)
        # Keras warns at the end of a data set of unknown length.
        steps = -(-len(self.val.examples) // self.val.chunk)
        return batches.apply(tf.data.experimental.assert_cardinality(steps))

    def _dataset(
        self, stream: Callable[[], Batches], weighted: bool
    ) -> tf.data.Dataset:
        inputs, outputs = self.model.inputs[0], self.model.outputs[0]
        signature: tuple[tf.TensorSpec, ...] = (
            tf.TensorSpec(inputs.shape, inputs.dtype),
            tf.TensorSpec(outputs.shape, tf.float32),
        )
        if weighted:
            signature += (tf.TensorSpec((None,), tf.float32),)
        options = tf.data.Options()
        # There is nothing to tune, and at the end of an iterator TensorFlow would wait
        # for its tuner to wake up: as long again as the training has taken.
        options.autotune.enabled = False
        batches = tf.data.Dataset.from_generator(stream, output_signature=signature)
        return batches.with_options(options)

    def _validation(self) -> Batches:
        start = 0
        for inputs in self.val.plain():
            shares = self.val.shares[start : start + len(inputs)]
            yield inputs, self.task.targets(shares)
            start += len(inputs)

    def account(self) -> dict[str, Any]:
        """Return the shape, place and cost of the features, for run.json."""
        return {
            "engine": self.engine,
            "worst_cosine": self.cosine,
            "shape": list(self.train.extractor.layers[-1].shape),
            "train": self.train.account(),
            "val": self.val.account(),
        }

    def _streamed(self, first_epoch: int) -> Batches:
        """Yield batches of images computed again, through the frozen part if any."""
        extractor = self.train.extractor
        pixels = PixelBatches(
            extractor.maker,
            self.train.examples,
            self.train.shares,
            self.schedule,
            self.mix,
            extractor.workers,
        ).stream(first_epoch)
        mixed: deque[np.ndarray] = deque()

        def groups() -> Iterator[np.ndarray]:
            for images, shares in pixels:
                mixed.append(shares)
                yield images

        try:
            for inputs in self.train.streamed(groups()):
                yield inputs, *self._targets(mixed.popleft())
        finally:
            pixels.close()


def build_pipeline(
    config: Config, manifest: Manifest, network: Network, progress: Progress
) -> DataPipeline:
    """Build the data pipeline of a phase, and compute the features to be cached.

    Args:
        config: Resolved.
        manifest: The data set.
        network: Frozen as in the phase.
        progress: Receives notes, warnings and progress.

    Returns:
        The pipeline.
    """
    inputs, train = config.inputs, config.train
    # On a GPU, frozen layers are faster than moving their features back and forth.
    whole = isinstance(inputs.views, str) and network.device.startswith("gpu")
    parts, exact = (
        Parts(None, "", one.model) if whole else network.split(one)
        for one in (network.trained, network.reference)
    )
    reference = FrozenNetwork(exact.prefix) if exact.prefix else None
    trained = reference
    if parts.prefix and network.trained is not network.reference:
        trained = FrozenNetwork(parts.prefix)
    for_val, for_train = (
        FeatureExtractor.for_split(
            name,
            config,
            manifest.source,
            trained,
            reference,
            progress,
            pooling=parts.pooling,
        )
        for name in ("val", "train")
    )
    images = manifest.of("train")
    views = range(inputs.views) if isinstance(inputs.views, int) else ()
    train_split = SplitFeatures.of(
        manifest, "train", for_train, views, "Computing training features"
    )
    if views:
        for_train.report()
    val_split = SplitFeatures.of(
        manifest, "val", for_val, [PLAIN], "Computing validation features"
    )
    return DataPipeline(
        model=parts.suffix,
        exact=exact.suffix,
        task=network.trained.task,
        train=train_split,
        val=val_split,
        schedule=Schedule(
            len(images),
            inputs.views or 1,
            inputs.batch,
            train.seed,
            manifest.targets(images) if inputs.sampling == BALANCED else None,
        ),
        mix=inputs.mix,
        engine=for_train.engine.name if for_train.engine else "",
        smoothing=train.label_smoothing or 0.0,
        class_weights=_class_weights(train.class_weights, train_split.shares),
        cosine=check_agreement(
            for_train, for_val, val_split.vectors, val_split.examples
        ),
    )


def _class_weights(way: str, shares: np.ndarray) -> np.ndarray | None:
    """Return weights with which all classes count the same in total, or None."""
    if way == "none":
        return None
    counts = shares.sum(axis=0)
    weights = len(shares) / (len(counts) * np.maximum(counts, 1))
    return np.asarray(weights, np.float32)


def predict_split(
    config: Config, manifest: Manifest, split: str, network: Network, progress: Progress
) -> np.ndarray:
    """Predict the plain images of a split by the float32 network.

    Args:
        config: Resolved.
        manifest: The data set.
        split: Its name; it is not empty.
        network: Frozen as in a phase that came before, so cached features serve.
        progress: Receives notes, warnings and progress.

    Returns:
        float32 [N, n], class probabilities in the order of the manifest.
    """
    parts = split_at_freeze(network.reference)
    extractor = FeatureExtractor.of(
        config,
        manifest.source,
        FrozenNetwork(parts.prefix) if parts.prefix else None,
        progress,
        engine="keras",
        pooling=parts.pooling,
    )
    features = SplitFeatures.of(
        manifest, split, extractor, [PLAIN], "Computing features"
    )
    return score(parts.suffix, features)
