"""What a search may choose, and what a choice of it means as options of a run."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tlkit.config import ModelConfig, TrainConfig, default_of
from tlkit.errors import UsageError
from tlkit.model.head import MAP_POOLINGS
from tlkit.model.phases import HEAD_RATE

if TYPE_CHECKING:
    import optuna

# Options of a run that are searched unless they are given.
SEARCHED = (
    "head", "cut", "optimizer", "lr", "batch", "label_smoothing", "weight_decay",
)  # fmt: skip
# 0 is no dense layer.
UNITS = (0, 64, 256, 1024)
MOST_DROPOUT, DROPOUT_STEP = 0.6, 0.1
OPTIMIZERS = ("adam", "rmsprop", "sgd")
RATES = (1e-4, 1e-2)
# Gradients go into its steps as they are, not divided by their size.
SGD_RATE, SGD_MOMENTUM = 10.0, 0.9
BATCHES = (8, 16, 32, 64)
MOST_SMOOTHING, SMOOTHING_STEP = 0.2, 0.05
# Times the rate, so that below this it does nothing in the steps of a head.
DECAYS = (1e-4, 1.0)


@dataclass(frozen=True)
class Space:
    """The settings that are searched.

    Attributes:
        searched: Of SEARCHED.
        cuts: Good cuts of the backbone, from the input up.
        optimizer: The one that is given, where it is not searched.
    """

    searched: tuple[str, ...]
    cuts: tuple[str, ...]
    optimizer: str

    def suggest(self, trial: optuna.Trial) -> dict[str, Any]:
        """Have a trial choose."""
        chosen: dict[str, Any] = {}
        if "head" in self.searched:
            chosen["head"] = _head(
                trial.suggest_categorical("pooling", MAP_POOLINGS),
                trial.suggest_categorical("units", UNITS),
                trial.suggest_float("dropout", 0, MOST_DROPOUT, step=DROPOUT_STEP),
            )
        if "cut" in self.searched:
            chosen["cut"] = trial.suggest_categorical("cut", self.cuts)
        optimizer = self.optimizer
        if "optimizer" in self.searched:
            optimizer = trial.suggest_categorical("optimizer", OPTIMIZERS)
            chosen["optimizer"] = optimizer
            chosen["momentum"] = SGD_MOMENTUM if optimizer == "sgd" else None
        if "lr" in self.searched:
            rate = trial.suggest_float("rate", *RATES, log=True)
            chosen["lr"] = rate * (SGD_RATE if optimizer == "sgd" else 1.0)
        if "batch" in self.searched:
            chosen["batch"] = trial.suggest_categorical("batch", BATCHES)
        if "label_smoothing" in self.searched:
            chosen["label_smoothing"] = trial.suggest_float(
                "label_smoothing", 0, MOST_SMOOTHING, step=SMOOTHING_STEP
            )
        if "weight_decay" in self.searched:
            chosen["weight_decay"] = trial.suggest_float(
                "weight_decay", *DECAYS, log=True
            )
        return chosen

    def defaults(self) -> dict[str, Any]:
        """What a run has that says nothing, as a choice of this space."""
        values: dict[str, dict[str, Any]] = {
            "head": {"pooling": "gap", "units": 0, "dropout": 0.2},
            "cut": {"cut": self.cuts[-1]},
            "optimizer": {"optimizer": default_of("optimizer")},
            "lr": {"rate": HEAD_RATE},
            "batch": {"batch": default_of("batch")},
            "label_smoothing": {"label_smoothing": 0.0},
            "weight_decay": {"weight_decay": DECAYS[0]},
        }
        return {
            name: value
            for option in self.searched
            for name, value in values[option].items()
        }


def build_space(
    fixed: Collection[str], model: ModelConfig, train: TrainConfig
) -> Space:
    """What is left to search."""
    searched = [name for name in SEARCHED if name not in fixed]
    cuts = model.row.cuts
    # A freeze point of one's own may lie above another cut.
    if "freeze_to" in fixed or len(cuts) < 2:
        searched = [name for name in searched if name != "cut"]
    for option in ("momentum", "nesterov"):
        if getattr(train, option) is not None and "optimizer" in searched:
            raise UsageError(
                f"{option}: the optimizer is searched, and not every one takes it. "
                "Give --optimizer, too."
            )
    if not searched:
        raise UsageError(
            "All that could be searched was given: " + ", ".join(SEARCHED) + ".",
            hint="Leave some of them away; or measure this one setting with tlkit "
            "cross-validate.",
        )
    return Space(tuple(searched), cuts, train.optimizer)


def _head(pooling: str, units: int, dropout: float) -> str:
    parts = [pooling]
    if units:
        parts.append(f"dense:{units}")
    if dropout > 0:
        parts.append(f"dropout:{round(dropout, 3):g}")
    return ",".join(parts)
