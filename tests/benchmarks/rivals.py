"""What people do by hand, in plain Keras and scikit-learn, for the accuracy benchmark.

Each takes the same images, sides and weights, and answers the test side: uint8
[N, V, S, S, 3] views of all images (view 0 is the plain one), int [N] classes, and
the indices of the training and the test side in; float [T, n] probabilities out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from sklearn.linear_model import LogisticRegressionCV

from tlkit.backbones import registry
from tlkit.dataset.manifest import Manifest
from tlkit.model.classifier import Classifier, build_classifier
from tlkit.model.frozen_split import split_at_freeze
from tlkit.model.head import parse_head
from tlkit.model.optimizers import build
from tlkit.tasks.task import probabilities
from tlkit.training.network import Network

BATCH = 32


@dataclass(frozen=True)
class Task:
    """A data set with sides, as the rivals take it."""

    pixels: np.ndarray
    classes: np.ndarray
    train: np.ndarray
    test: np.ndarray
    backbone: str
    weights: str
    seed: int

    @property
    def n(self) -> int:
        """Number of classes."""
        return int(self.classes.max()) + 1

    def classifier(self, head: str, freeze_to: str | None) -> Classifier:
        """The network, as tlkit builds it: batch norm stays in inference mode."""
        return build_classifier(
            registry.find(self.backbone),
            size=self.pixels.shape[2],
            cut=None,
            freeze_to=freeze_to,
            head=parse_head(head),
            n_classes=self.n,
            weights=self.weights,
            seed=self.seed,
        )

    def targets(self, chosen: np.ndarray) -> np.ndarray:
        """Targets in the form of the network's output."""
        if self.n == 2:
            column: np.ndarray = self.classes[chosen][:, None].astype(np.float32)
            return column
        shares: np.ndarray = np.eye(self.n, dtype=np.float32)[self.classes[chosen]]
        return shares

    def batches(self, steps: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Indices and views: every image once before any comes again."""
        rng = np.random.default_rng(self.seed)
        order: list[int] = []
        while len(order) < steps * BATCH:
            order += rng.permutation(self.train).tolist()
        for step in range(steps):
            chosen = np.array(order[step * BATCH : (step + 1) * BATCH])
            chosen = chosen[: max(1, len(self.train))]
            yield chosen, rng.integers(1, self.pixels.shape[1], len(chosen))


def task_of(
    drawn: Manifest,
    pixels: dict[str, np.ndarray],
    backbone: str,
    weights: str,
    seed: int,
) -> Task:
    """A data set with sides, and the views of its images by name, as a task."""
    examples = list(drawn.examples)
    side = np.array([one.split for one in examples])
    return Task(
        np.stack([pixels[one.id] for one in examples]),
        drawn.targets(examples),
        np.flatnonzero(side == "train"),
        np.flatnonzero(side == "test"),
        backbone,
        weights,
        seed,
    )


def notebook(task: Task, maps: np.ndarray) -> np.ndarray:
    """The recipe of many courses: Flatten, Dense 1024, Dropout 0.2, RMSprop 1e-4.

    Args:
        task: The data.
        maps: float32 [N, V, H, W, C], what the frozen network says of all views.

    Returns:
        float [T, n].
    """
    suffix = split_at_freeze(
        task.classifier("flatten,dense:1024,dropout:0.2", None)
    ).suffix
    epochs = 15
    steps = epochs * -(-len(task.train) // BATCH)
    _train(task, suffix, maps, steps, keras.optimizers.RMSprop(1e-4))
    return _answer(suffix, maps[task.test, 0])


def logistic(task: Task, maps: np.ndarray) -> np.ndarray:
    """Logistic regression on the mean over the map, strength by cross-validation.

    Args:
        task: The data.
        maps: float32 [N, V, H, W, C].

    Returns:
        float [T, n].
    """
    features = maps[:, 0].mean(axis=(1, 2))
    least = int(np.bincount(task.classes[task.train]).min())
    model = LogisticRegressionCV(
        Cs=10, cv=max(2, min(5, least)), max_iter=1000, use_legacy_attributes=False,
        scoring="neg_log_loss", l1_ratios=(0.0,),
    )  # fmt: skip
    model.fit(features[task.train], task.classes[task.train])
    return np.asarray(model.predict_proba(features[task.test]))


def _depths(classifier: Classifier) -> list[float]:
    """Depth of each trainable variable: 0 in the head to 1 in the lowest layer."""
    below = {layer.name for layer in classifier.base_model.layers}
    layers = [one for one in classifier.model.layers if one.trainable_variables]
    low = [layer.name for layer in layers if layer.name in below]
    return [
        (len(low) - low.index(layer.name)) / len(low) if layer.name in low else 0.0
        for layer in layers
        for _ in layer.trainable_variables
    ]


def _discriminative(
    optimizer: keras.Optimizer, depths: list[float], lowest: float
) -> keras.Optimizer:
    """Learning rates by depth, in equal ratios (Howard and Ruder 2018, 1801.06146)."""
    kind = type(optimizer)

    class Discriminative(kind):  # type: ignore[misc, valid-type]
        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> Any:
            factor = lowest ** depths[self._get_variable_index(variable)]
            return super().update_step(gradient, variable, learning_rate * factor)

    return Discriminative.from_config(optimizer.get_config())


def fine_tune(task: Task, maps: np.ndarray, epochs: int = 12) -> np.ndarray:
    """As fastai's `fine_tune`: the head for an epoch, then all, one-cycle each.

    Rates as there: 2e-3 for the head; then half of it, falling by depth to a hundredth;
    Adam with decoupled weight decay 0.01; the last epoch counts.

    Args:
        task: The data.
        maps: float32 [N, V, H, W, C].
        epochs: Of the whole network.

    Returns:
        float [T, n].
    """
    each = -(-len(task.train) // BATCH)
    frozen = task.classifier("gap,dropout:0.25", None)
    _train(
        task, split_at_freeze(frozen).suffix, maps.mean(axis=(2, 3)), each,
        build("adamw", lr=2e-3, steps=each, schedule="onecycle", weight_decay=0.01),
    )  # fmt: skip
    network = Network(frozen, frozen, "cpu:0", "float32")
    network.freeze("all")
    steps = each * epochs
    optimizer = build(
        "adamw", lr=1e-3, steps=steps, schedule="onecycle", weight_decay=0.01
    )
    optimizer = _discriminative(optimizer, _depths(frozen), 0.01)
    _train(task, frozen.model, task.pixels, steps, optimizer)
    return _answer(frozen.model, task.pixels[task.test, 0])


def bit(task: Task, steps: int = 500) -> np.ndarray:
    """The schedule of BiT-HyperRule for small sets (Kolesnikov et al. 2020).

    SGD with momentum 0.9, 500 steps on the whole network, a new linear head that begins
    at zero; warm-up over 100 steps, a tenth at 200, 300 and 400. Batches of 32 rather
    than 512, and so a rate of 0.003 * 32 / 512 (Goyal et al. 2017): at 0.003 training
    collapses to chance.

    Args:
        task: The data.
        steps: Length; the schedule shrinks with it.

    Returns:
        float [T, n].
    """
    whole = task.classifier("gap", "none")
    highest = 0.003 * BATCH / 512
    output = whole.model.layers[-1]
    output.kernel.assign(np.zeros(output.kernel.shape))

    def rate(step: int) -> float:
        share = step / steps
        return (
            highest
            * min(1.0, share * 5 + 1 / steps)
            * 0.1 ** max(0, math.floor(share * 5) - 1)
        )

    optimizer = keras.optimizers.SGD(highest, momentum=0.9)
    _train(task, whole.model, task.pixels, steps, optimizer, rate)
    return _answer(whole.model, task.pixels[task.test, 0])


def _train(
    task: Task,
    model: keras.Model,
    rows: np.ndarray,
    steps: int,
    optimizer: keras.optimizers.Optimizer,
    rate: Callable[[int], float] | None = None,
) -> None:
    binary = model.output_shape[-1] == 1
    model.compile(
        optimizer=optimizer,
        loss="binary_crossentropy" if binary else "categorical_crossentropy",
        # XLA makes convolutions slower on a processor.
        jit_compile=False,
    )
    for step, (chosen, views) in enumerate(task.batches(steps)):
        if rate is not None:
            optimizer.learning_rate = rate(step)
        batch = np.ascontiguousarray(rows[chosen, views])
        model.train_on_batch(batch, task.targets(chosen))


def _answer(model: keras.Model, rows: np.ndarray) -> np.ndarray:
    answers: Sequence[np.ndarray] = [
        np.asarray(model(np.ascontiguousarray(rows[i : i + 64]), training=False))
        for i in range(0, len(rows), 64)
    ]
    return probabilities(np.concatenate(answers))
