"""The search space: the options that trials choose, and the run that a choice means."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
)

from tlkit.config import (
    AUTO_CUT,
    Config,
    ModelConfig,
    TrainConfig,
    build_config,
    default_of,
    parse_override,
    resolve,
)
from tlkit.errors import UsageError
from tlkit.model.head import MAP_POOLINGS
from tlkit.model.phases import HEAD_RATE, ONE

# A dense layer of 0 units is left out.
UNITS = (0, 64, 256, 1024)
# Plain gradient steps are not scaled: they need a higher learning rate, and momentum.
SGD_FACTOR, SGD_MOMENTUM = 10.0, 0.9
# Weight decay is multiplied by the learning rate: below this it has no effect in the
# few steps of a head.
LEAST_DECAY = 1e-4
# For each option that is searched unless it is given: its parameters with their
# distribution, and the value that a run without options has.
PARAMETERS: dict[str, dict[str, tuple[BaseDistribution, Any]]] = {
    "head": {
        "pooling": (CategoricalDistribution(MAP_POOLINGS), "gap"),
        "units": (CategoricalDistribution(UNITS), 0),
        "dropout": (FloatDistribution(0, 0.6, step=0.1), 0.2),
    },
    "cut": {},  # Of the backbone, see `Space`.
    "optimizer": {
        "optimizer": (
            CategoricalDistribution(("adam", "rmsprop", "sgd")),
            default_of("optimizer"),
        )
    },
    "lr": {"learning_rate": (FloatDistribution(1e-4, 1e-2, log=True), HEAD_RATE)},
    "batch": {"batch": (CategoricalDistribution((8, 16, 32, 64)), default_of("batch"))},
    "label_smoothing": {"label_smoothing": (FloatDistribution(0, 0.2, step=0.05), 0.0)},
    "weight_decay": {
        "weight_decay": (FloatDistribution(LEAST_DECAY, 1.0, log=True), LEAST_DECAY)
    },
}
SEARCHED = tuple(PARAMETERS)


@dataclass(frozen=True)
class Space:
    """The options that are searched, each with its parameters."""

    searched: tuple[str, ...]  # Of SEARCHED.
    cuts: tuple[str, ...]  # Good cuts of the backbone, from the input up.
    optimizer: str  # The given one, if it is not searched.

    @property
    def parameters(self) -> dict[str, tuple[BaseDistribution, Any]]:
        """Name to distribution and default."""
        cut = {"cut": (CategoricalDistribution(self.cuts), self.cuts[-1])}
        return {
            name: parameter
            for option in self.searched
            for name, parameter in (PARAMETERS[option] or cut).items()
        }

    @property
    def distributions(self) -> dict[str, BaseDistribution]:
        """Name to distribution, for `study.ask`."""
        return {name: pair[0] for name, pair in self.parameters.items()}

    @property
    def defaults(self) -> dict[str, Any]:
        """The parameters of a run without options."""
        return {name: pair[1] for name, pair in self.parameters.items()}

    def options(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options of a run that chosen parameters mean."""
        chosen = dict(parameters)
        optimizer = chosen.get("optimizer", self.optimizer)
        options: dict[str, Any] = {}
        if "pooling" in chosen:
            names = ("pooling", "units", "dropout")
            options["head"] = _head(*(chosen.pop(name) for name in names))
        if "learning_rate" in chosen:
            factor = SGD_FACTOR if optimizer == "sgd" else 1.0
            options["lr"] = chosen.pop("learning_rate") * factor
        if "optimizer" in chosen:
            options["momentum"] = SGD_MOMENTUM if optimizer == "sgd" else None
        options |= chosen
        return {name: options[name] for name in sorted(options)}


def build_space(
    given: Collection[str], model: ModelConfig, train: TrainConfig
) -> Space:
    """Build the space of the options that are not given."""
    searched = [name for name in SEARCHED if name not in given]
    cuts = model.row.cuts
    # A given freeze point may lie above another cut.
    if "cut" in searched and ("freeze_to" in given or len(cuts) < 2):
        searched.remove("cut")
    for option in ("momentum", "nesterov"):
        if getattr(train, option) is not None and "optimizer" in searched:
            raise UsageError(
                f"{option}: the optimizer is searched, and not every one takes it.",
                hint="Give --optimizer, too.",
            )
    if not searched:
        raise UsageError(
            f"All options that are searched were given: {', '.join(SEARCHED)}.",
            hint="Remove some of them; or measure this one setting with tlkit "
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


@dataclass(frozen=True)
class Settings:
    """The options that all trials share.

    Options of the recipe are searched all the same; given options are not.
    """

    recipe: str | None
    options: Mapping[str, Any]
    overrides: tuple[str, ...]  # As "section.option=value".

    @property
    def given(self) -> set[str]:
        """Names of the options that were given."""
        given = {name for name, value in self.options.items() if value is not None}
        return given | {parse_override(text)[1] for text in self.overrides}

    def space(self) -> Space:
        """Build the space that is left to search."""
        if self._build(self.options).model.cut == AUTO_CUT:
            raise UsageError(
                "cut: auto is not possible in a search, which searches the cut itself.",
                hint="Remove --cut, or name a layer.",
            )
        config = self.config({})
        if config.train.phases != ONE:
            raise UsageError(
                f"phases: a search trains heads in one phase on cached features, got "
                f"{config.train.phases!r}.",
                hint="Search first, then go on from the best settings: tlkit finetune "
                "DATA --recipe OUT/best.yaml --phases auto",
            )
        return build_space(self.given, config.model, config.train)

    def config(self, chosen: Mapping[str, Any]) -> Config:
        """Build the resolved configuration of a run with chosen options."""
        options = {**self.options, **chosen}
        if not {"phases", "freeze_to"} & self.given:
            options["phases"] = ONE
            config = resolve(self._build(options))
            if config.model.weights != "none":
                options["freeze_to"] = config.model.cut
        return resolve(self._build(options))

    def _build(self, options: Mapping[str, Any]) -> Config:
        return build_config(
            recipe=self.recipe, options=options, overrides=self.overrides
        )
