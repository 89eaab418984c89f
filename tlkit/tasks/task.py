"""What is asked of a network: the one class of an image, or all that it shows.

Class shares in, the output layer, the targets and the loss that go with them out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tlkit.errors import UsageError

LEAST = float(np.finfo(np.float32).eps)


@dataclass(frozen=True)
class Task:
    """One question to a network.

    Attributes:
        classes: How many there are, at least 2.
        multi_label: Whether an image may be of several of them, or of none.

    Raises:
        UsageError: There are fewer than 2 classes.
    """

    classes: int
    multi_label: bool = False

    def __post_init__(self) -> None:
        if self.classes < 2:
            raise UsageError(
                f"A classifier needs 2 classes at least, not {self.classes}."
            )

    @property
    def one_column(self) -> bool:
        """Whether one output is enough: of 2 classes that exclude each other."""
        return self.classes == 2 and not self.multi_label

    @property
    def units(self) -> int:
        """Outputs of the network."""
        return 1 if self.one_column else self.classes

    @property
    def activation(self) -> str:
        """Of the output layer: a sigmoid for each answer of its own, or a softmax."""
        return "sigmoid" if self.multi_label or self.one_column else "softmax"

    @property
    def loss(self) -> str:
        """Keras' name of the loss."""
        kind = "binary" if self.activation == "sigmoid" else "categorical"
        return f"{kind}_crossentropy"

    def targets(self, shares: np.ndarray) -> np.ndarray:
        """Class shares in the form that the network's output has.

        Args:
            shares: float32 [B, n], of each class from 0 to 1.

        Returns:
            [B, 1], the share of the second class, where one output is enough; else as
            given.
        """
        return shares[:, 1:] if self.one_column else shares

    def smoothed(self, shares: np.ndarray, smoothing: float) -> np.ndarray:
        """Class shares that no longer ask for certainty (Szegedy et al. 2016).

        Args:
            shares: float32 [B, n], of each class from 0 to 1.
            smoothing: Share that is spread evenly over what could be answered: over
                all classes, or over yes and no of each label.

        Returns:
            float32 [B, n].
        """
        even = 0.5 if self.multi_label else 1 / self.classes
        return np.asarray(shares * (1 - smoothing) + even * smoothing, np.float32)

    def rightness(self, shares: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """How right each answer is, as `right` counts it in training.

        Args:
            shares: float [N, n], 1 in the columns of the true labels.
            scores: float [N, n], class probabilities.

        Returns:
            float [N], 0 to 1.
        """
        if self.multi_label:
            right: np.ndarray = ((shares > 0.5) == (scores > 0.5)).mean(axis=1)
            return right
        same = scores.argmax(axis=1) == shares.argmax(axis=1)
        return np.asarray(same, float)

    def losses(self, shares: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """The loss of each answer, without smoothing.

        Args:
            shares: float [N, n], 1 in the columns of the true labels.
            scores: float [N, n], class probabilities.

        Returns:
            float64 [N], the log loss; the mean over labels where there are several.
        """
        wide = scores.astype(np.float64)
        # Certainty costs what the last digit of a float32 can tell.
        wide = np.clip(wide, LEAST, 1 - LEAST)
        if self.multi_label:
            found: np.ndarray = -np.log(np.where(shares > 0.5, wide, 1 - wide))
            return np.asarray(found.mean(axis=1))
        wide /= wide.sum(axis=1, keepdims=True)
        return np.asarray(-np.log(wide[np.arange(len(wide)), shares.argmax(axis=1)]))

    def right(self, wanted: Any, answered: Any) -> Any:
        """What a training step counts as right, with Keras' operations.

        Args:
            wanted: [B, units], from `targets`; mixed images have shares in between.
            answered: [B, units], from the network.

        Returns:
            float32 [B]. Of several labels the share of the classes that are rightly
            said to be there or not, at 0.5; else 1 where the likeliest class is right.
        """
        import keras

        if self.activation == "sigmoid":
            right = (wanted > 0.5) == (answered > 0.5)
            return keras.ops.mean(keras.ops.cast(right, "float32"), axis=-1)
        right = keras.ops.argmax(wanted, -1) == keras.ops.argmax(answered, -1)
        return keras.ops.cast(right, "float32")


def probabilities(outputs: np.ndarray) -> np.ndarray:
    """One column a class, whatever the output layer.

    Args:
        outputs: [B, 1] where one output is enough, or [B, n].

    Returns:
        float32 [B, n]; a single p becomes the two columns 1 - p and p.

    Example:
        >>> probabilities(np.array([[0.25]])).tolist()
        [[0.75, 0.25]]
    """
    outputs = np.asarray(outputs, dtype=np.float32)
    if outputs.shape[1] == 1:
        return np.concatenate([1 - outputs, outputs], axis=1)
    return outputs
