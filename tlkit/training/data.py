"""What the trainable part is fed with: rows that are kept, or images made again."""

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
from tlkit.features.engines.base import FrozenNetwork
from tlkit.features.extractor import FeatureExtractor
from tlkit.features.split_features import SplitFeatures, score
from tlkit.inputs.batches import PixelBatches
from tlkit.inputs.sampler import BALANCED, Schedule
from tlkit.inputs.views import PLAIN
from tlkit.model.classifier import Classifier, Parts, split_at_freeze
from tlkit.progress import Progress
from tlkit.tasks.task import Task

# Inputs and targets, and the weight of each example where they have any.
Batches = Generator[tuple[np.ndarray, ...], None, None]


@dataclasses.dataclass(frozen=True)
class Feed:
    """The batches of a training run.

    Attributes:
        model: What is trained on them; shares its layers with the classifier.
        exact: The same in float32, sharing its layers with the reference.
        task: What the network is asked, and so the form of the targets.
        train: The training side.
        val: The validation side, from the float32 network.
        schedule: Which examples and views make up each batch.
        mix: One of mix.MIXES.
        engine: Name of the engine that computes the training side, "" where the
            whole network is trained on pixels.
        smoothing: See `Task.smoothed`.
        weights: float32 [n], of the classes in the loss; None for all the same.
        cosine: Between its rows and those of the float32 network, of the image for
            which it is the least; None where both are the same or none were compared.
    """

    model: keras.Model
    exact: keras.Model
    task: Task
    train: SplitFeatures
    val: SplitFeatures
    schedule: Schedule
    mix: str
    engine: str
    smoothing: float
    weights: np.ndarray | None
    cosine: float | None

    def training(self, first_epoch: int) -> Batches:
        """Training batches without end, epoch after epoch."""
        if self.train.vectors is None:
            yield from self._streamed(first_epoch)
        for epoch in itertools.count(first_epoch):
            for batch in self.schedule.batches(epoch):
                shares = self.train.shares[batch.examples]
                yield self.train.inputs(*batch), *self._wanted(shares)

    def _wanted(self, shares: np.ndarray) -> tuple[np.ndarray, ...]:
        """Targets, smoothed, and weights where there are any."""
        targets = self.task.targets(self.task.smoothed(shares, self.smoothing))
        if self.weights is None:
            return (targets,)
        return targets, shares @ self.weights

    def dataset(self, stream: Batches) -> tf.data.Dataset:
        """Batches for Keras' fit, two of them ready ahead and no more."""
        return self._batches(lambda: stream, self.weights is not None).prefetch(2)

    def validation(self) -> tf.data.Dataset:
        """The validation side, once each time it is iterated over."""
        batches = self._batches(self._validation, weighted=False)
        # Keras warns at the end of a data set that does not tell its length.
        steps = -(-len(self.val.examples) // self.val.chunk)
        return batches.apply(tf.data.experimental.assert_cardinality(steps))

    def _batches(
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
        """What the rows are, where they are, and what computing them has cost."""
        sides = {"train": self.train, "val": self.val}
        return {
            "engine": self.engine,
            "worst_cosine": self.cosine,
            "shape": list(self.train.extractor.layers[-1].shape),
            **{name: side.account() for name, side in sides.items()},
        }

    def _streamed(self, first_epoch: int) -> Batches:
        """Images made again, through the frozen part where there is one."""
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
                yield inputs, *self._wanted(mixed.popleft())
        finally:
            pixels.close()


def build_feed(
    config: Config,
    manifest: Manifest,
    classifier: Classifier,
    reference: Classifier,
    *,
    device: str,
    progress: Progress,
    split: Callable[[Classifier], Parts] = split_at_freeze,
) -> Feed:
    """Decide what is fed to what, and have the rows computed that will be kept.

    Args:
        config: Resolved.
        manifest: The data set.
        classifier: In the precision of the training.
        reference: The same network in float32; it may be the same one.
        device: From `device.choose_device`.
        progress: Told of what is computed.
        split: Takes a classifier apart; it may remember what came of it.

    Returns:
        The feed.
    """
    inputs, train = config.inputs, config.train
    fresh = isinstance(inputs.views, str)
    # On a GPU it costs less to compute frozen layers there again than to bring their
    # answers back and forth.
    whole = fresh and device.startswith("gpu")
    parts, exact = (
        Parts(None, "", one.model) if whole else split(one)
        for one in (classifier, reference)
    )
    network = FrozenNetwork(exact.prefix) if exact.prefix else None
    trained = network
    if parts.prefix and classifier is not reference:
        trained = FrozenNetwork(parts.prefix)
    val, training = (
        FeatureExtractor.for_split(
            name,
            config,
            manifest.source,
            trained,
            network,
            progress,
            pooling=parts.pooling,
        )
        for name in ("val", "train")
    )
    images = manifest.of("train")
    views = range(inputs.views) if isinstance(inputs.views, int) else ()
    train_split = SplitFeatures.of(
        manifest, "train", training, views, "Computing training features"
    )
    if views:
        training.report()
    val_split = SplitFeatures.of(
        manifest, "val", val, [PLAIN], "Computing validation features"
    )
    return Feed(
        model=parts.suffix,
        exact=exact.suffix,
        task=classifier.task,
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
        engine=training.engine.name if training.engine else "",
        smoothing=train.label_smoothing or 0.0,
        weights=_weights(train.class_weights, train_split.shares),
        cosine=check_agreement(training, val, val_split.vectors, val_split.examples),
    )


def _weights(way: str, shares: np.ndarray) -> np.ndarray | None:
    """Of each class: the rarer, the more, so that all count the same in total."""
    if way == "none":
        return None
    counts = shares.sum(axis=0)
    weights = len(shares) / (len(counts) * np.maximum(counts, 1))
    return np.asarray(weights, np.float32)


def answers(
    config: Config,
    manifest: Manifest,
    split: str,
    reference: Classifier,
    *,
    progress: Progress,
) -> np.ndarray:
    """What the float32 network says of the plain images of a side.

    Args:
        config: Resolved.
        manifest: The data set.
        split: Not empty; neither trained on nor used to choose anything, if it is to
            be a fair test.
        reference: In float32.
        progress: Told of what is computed.

    Returns:
        float32 [N, n], class probabilities in the order of the manifest.
    """
    parts = split_at_freeze(reference)
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
