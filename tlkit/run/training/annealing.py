"""The learning rate of layers that are pretrained: up gently, then down by a cosine."""

from __future__ import annotations

import math
import time

import keras

from tlkit.progress import Progress
from tlkit.run.training.budget import Budget

# Adam knows nothing of the gradients' sizes at first, and a few steps at a whole rate
# undo much: this share of all is for the rise, as in one-cycle (Smith and Topin 2017).
WARMUP = 0.25
# Steps that are measured, behind the first ones, which compile.
MEASURED = (3, 10)
# What is left of the time for validation and for saving.
RESERVE = 0.8


class Annealing(keras.callbacks.Callback):  # type: ignore[misc]
    """Sets the rate of every step, and shortens the training to the time there is.

    A training that is cut short keeps a high rate to its end, and is the worse for it;
    so after a few steps their speed says how many there will be, and the cosine is
    laid over these. The number is kept in checkpoints.

    Args:
        lr: The highest rate.
        steps: Number of steps of the phase, if there is time for them.
        budget: When to stop at the latest.
        progress: Told if it becomes shorter.
    """

    def __init__(
        self, lr: float, steps: int, budget: Budget, progress: Progress
    ) -> None:
        super().__init__()
        self.lr = lr
        self.total: float = steps
        self.budget = budget
        self.progress = progress
        self._began = 0.0
        self._here = 0

    def rate(self, step: int) -> float:
        """The rate of a step.

        Args:
            step: 0 and up.

        Returns:
            It rises evenly over the share WARMUP, and falls to 0 at the last step.
        """
        warm = WARMUP * self.total
        if step < warm:
            return self.lr * (step + 1) / (warm + 1)
        done = min(1.0, (step - warm) / max(1.0, self.total - warm))
        return self.lr * 0.5 * (1 + math.cos(math.pi * done))

    def on_train_batch_begin(
        self,
        batch: int,  # noqa: ARG002
        logs: dict[str, float] | None = None,  # noqa: ARG002
    ) -> None:
        """Set the rate of the step, and measure."""
        optimizer = self.model.optimizer
        step = int(optimizer.iterations)
        if self._here == MEASURED[0]:
            self._began = time.monotonic()
        if self._here == MEASURED[1]:
            seconds = (time.monotonic() - self._began) / (MEASURED[1] - MEASURED[0])
            self._shorten(step, seconds)
        self._here += 1
        optimizer.learning_rate = self.rate(step)

    def on_train_batch_end(
        self,
        batch: int,  # noqa: ARG002
        logs: dict[str, float] | None = None,  # noqa: ARG002
    ) -> None:
        """End behind the last step."""
        if int(self.model.optimizer.iterations) >= self.total:
            self.model.stop_training = True

    def _shorten(self, step: int, seconds: float) -> None:
        """Lay the rest over the time that is left."""
        if not math.isfinite(self.budget.left):
            return
        # Whole epochs, so that the phase can be repeated as one of so many.
        each = self.params["steps"]
        fitting = step + int(RESERVE * self.budget.left / seconds)
        fitting = each * max(fitting // each, -(-(step + 1) // each))
        if fitting < self.total:
            self.progress.note(
                f"{self.total:.0f} steps of {seconds:.2f} s would take longer than "
                f"there is time: {fitting} instead"
            )
            self.total = fitting
