"""The task of a network in training: output layer, targets and loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tlkit.errors import UsageError

EPSILON = float(np.finfo(np.float32).eps)


@dataclass(frozen=True)
class Task:
    """Multiclass classification, or multilabel if `multi_label`.

    Raises:
        UsageError: There are fewer than 2 classes.
    """

    classes: int
    multi_label: bool = False

    def __post_init__(self) -> None:
        if self.classes < 2:
            raise UsageError(
                f"A classifier needs at least 2 classes, got {self.classes}."
            )

    @property
    def one_column(self) -> bool:
        """True where one output is enough: 2 classes that exclude each other."""
        return self.classes == 2 and not self.multi_label

    @property
    def units(self) -> int:
        """Number of outputs of the network."""
        return 1 if self.one_column else self.classes

    @property
    def activation(self) -> str:
        """Keras' name of the activation of the output layer."""
        return "sigmoid" if self.multi_label or self.one_column else "softmax"

    @property
    def loss(self) -> str:
        """Keras' name of the loss."""
        kind = "binary" if self.activation == "sigmoid" else "categorical"
        return f"{kind}_crossentropy"

    def targets(self, shares: np.ndarray) -> np.ndarray:
        """Return class shares in the shape of the network's output.

        Args:
            shares: float32 [B, n], 0 to 1 per class.

        Returns:
            [B, 1], the share of the second class, where one output is enough; otherwise
            `shares`.
        """
        return shares[:, 1:] if self.one_column else shares

    def smoothed(self, shares: np.ndarray, smoothing: float) -> np.ndarray:
        """Apply label smoothing (Szegedy et al. 2016).

        Args:
            shares: float32 [B, n], 0 to 1 per class.
            smoothing: Share that is spread evenly: over all classes, or over yes and no
                of each label.

        Returns:
            float32 [B, n].
        """
        even = 0.5 if self.multi_label else 1 / self.classes
        return np.asarray(shares * (1 - smoothing) + even * smoothing, np.float32)

    def correctness(self, shares: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """Return the accuracy of each prediction, in NumPy; see `correct`.

        Args:
            shares: float [N, n], 1 in the columns of the true labels.
            scores: float [N, n], class probabilities.

        Returns:
            float [N], 0 to 1.
        """
        if self.multi_label:
            same: np.ndarray = ((shares > 0.5) == (scores > 0.5)).mean(axis=1)
            return same
        return np.asarray(scores.argmax(axis=1) == shares.argmax(axis=1), float)

    def losses(self, shares: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """Return the loss of each prediction, without label smoothing.

        Args:
            shares: float [N, n], 1 in the columns of the true labels.
            scores: float [N, n], class probabilities.

        Returns:
            float64 [N], the log loss; its mean over labels in multilabel.
        """
        # Probabilities of 0 and 1 cost as much as float32 can distinguish from them.
        wide = np.clip(scores.astype(np.float64), EPSILON, 1 - EPSILON)
        if self.multi_label:
            found: np.ndarray = -np.log(np.where(shares > 0.5, wide, 1 - wide))
            return np.asarray(found.mean(axis=1))
        wide /= wide.sum(axis=1, keepdims=True)
        return np.asarray(-np.log(wide[np.arange(len(wide)), shares.argmax(axis=1)]))

    def correct(self, y_true: Any, y_pred: Any) -> Any:
        """Return the accuracy of each prediction in a training step, with Keras' ops.

        Args:
            y_true: [B, units], from `targets`; mixed images have fractional shares.
            y_pred: [B, units], from the network.

        Returns:
            float32 [B]. In multilabel the share of correct labels at 0.5; otherwise 1
            where the likeliest class is the true one.
        """
        import keras

        if self.activation == "sigmoid":
            same = (y_true > 0.5) == (y_pred > 0.5)
            return keras.ops.mean(keras.ops.cast(same, "float32"), axis=-1)
        same = keras.ops.argmax(y_true, -1) == keras.ops.argmax(y_pred, -1)
        return keras.ops.cast(same, "float32")


def probabilities(outputs: np.ndarray) -> np.ndarray:
    """Return one column per class, whatever the output layer.

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
