"""The sections of a configuration, one a stage, and what each option may be."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from tlkit.backbones import registry
from tlkit.errors import UsageError
from tlkit.inputs.sampler import AS_IS
from tlkit.model import head
from tlkit.model.phases import LAST, PROBE
from tlkit.schema import to_plain

DEVICES = ("auto", "cpu", "gpu")
ENGINES = ("auto", "openvino", "keras")
PRECISIONS = ("auto", "float32", "mixed_float16", "mixed_bfloat16")
# What says which epoch is best; "last" takes it as it comes.
MONITORS = ("val_loss", "val_accuracy", LAST)
# How many stored views of an image a run gets that does not say: most of what fresh
# views give, for a fraction of the computing; tests/benchmarks/RESULTS.md has both.
DEFAULT_VIEWS = 4
# How long a run may take that finds out by itself how deep to tune.
DEFAULT_MINUTES = 3.0
# The cut is found out by measuring on the training side.
AUTO_CUT = "auto"
# What there is to say about a frozen network that is only asked what it sees.
FROZEN_OPTIONS = (
    "backbone", "weights", "preprocessing", "size", "cut", "resize", "seed", "workers",
    "device", "engine", "cache",
)  # fmt: skip
CLASS_WEIGHTS = ("none", "balanced")
# Options that say how the rate goes on, and how long; of a test of rates they mean
# nothing.
COURSE = (
    "lr", "schedule", "warmup", "epochs", "steps", "minutes", "phases", "probe",
    "ema", "monitor", "patience", "lr_patience", "lr_factor",
)  # fmt: skip
# Of no use to a probe alone, which is solved in no steps, and from plain images.
STEPPING = (
    "augment", "batch", "mix", "views", "optimizer", "lr", "momentum",
    "nesterov", "weight_decay", "schedule", "warmup", "epochs", "steps",
    "label_smoothing", "ema", "monitor", "patience", "lr_patience", "lr_factor",
    "minutes",
)  # fmt: skip

# For new layers; those that are pretrained have a rate and an end of their own.
HEAD_OPTIONS = ("lr", "patience", "lr_patience", "lr_factor")


@dataclass(frozen=True)
class ModelConfig:
    """Which network: backbone, cut, freeze point and head."""

    backbone: str = "MobileNetV2"
    preprocessing: str | None = None
    weights: str | None = None
    size: int | None = None
    cut: str | None = None
    freeze_to: str | None = None
    head: str = head.DEFAULT_HEAD

    @property
    def row(self) -> registry.Backbone:
        """The backbone; one of the user's own is looked at, which takes Keras."""
        size = self.size if registry.is_own(self.backbone) else None
        return registry.find(self.backbone, preprocessing=self.preprocessing, size=size)


@dataclass(frozen=True)
class InputsConfig:
    """Which pixels: resizing, augmentation, views, mixing and batches."""

    resize: str = "squash"
    augment: str | tuple[Mapping[str, Any], ...] = "standard"
    hflip: bool | None = None
    views: int | str | None = None
    mix: str = "none"
    sampling: str = AS_IS
    batch: int = 32
    workers: int | None = None


@dataclass(frozen=True)
class TrainConfig:
    """Which training: optimizer, rate, length, stopping, seed, and what computes it."""

    phases: str | None = None
    probe: bool | None = None
    minutes: float | None = None
    optimizer: str = "adam"
    lr: float | None = None
    momentum: float | None = None
    nesterov: bool | None = None
    weight_decay: float | None = None
    schedule: str = "auto"
    warmup: float | None = None
    epochs: int | None = None
    steps: int | None = None
    label_smoothing: float | None = None
    class_weights: str = "none"
    ema: float | None = None
    monitor: str = "val_loss"
    patience: int = 8
    lr_patience: int | None = None
    lr_factor: float = 0.3
    seed: int = 0
    device: str = "auto"
    precision: str = "auto"
    engine: str = "auto"
    cache: bool = True


@dataclass(frozen=True)
class Config:
    """Everything a training run depends on besides the data itself.

    `data` is the data set directory; empty where it is given apart.
    """

    data: str = ""
    model: ModelConfig = field(default_factory=ModelConfig)
    inputs: InputsConfig = field(default_factory=InputsConfig)
    train: TrainConfig = field(default_factory=TrainConfig)

    def to_yaml(self) -> str:
        """The configuration as YAML text, every value spelled out."""
        return yaml.safe_dump(to_plain(self), sort_keys=False, allow_unicode=True)


SECTIONS: dict[str, Any] = {
    "model": ModelConfig,
    "inputs": InputsConfig,
    "train": TrainConfig,
}
SECTION_OF = {
    option.name: section
    for section, kind in SECTIONS.items()
    for option in dataclasses.fields(kind)
}


def default_of(option: str) -> Any:
    """The default value of an option, for help texts."""
    kind = SECTIONS[SECTION_OF[option]]
    return next(f.default for f in dataclasses.fields(kind) if f.name == option)


def given_for_head(train: TrainConfig) -> dict[str, Any]:
    """What is said of the training of a head."""
    usual: dict[str, tuple[Any, ...]] = {
        name: (default_of(name),) for name in HEAD_OPTIONS
    }
    usual["lr_patience"] = (None, 0, usual_lr_patience(train))
    given = {name: getattr(train, name) for name in HEAD_OPTIONS}
    return {name: value for name, value in given.items() if value not in usual[name]}


def without_head_options(train: TrainConfig) -> TrainConfig:
    """The same for a training without a phase for the head."""
    usual = {name: default_of(name) for name in HEAD_OPTIONS}
    train = dataclasses.replace(train, **{**usual, "lr_patience": train.lr_patience})
    return dataclasses.replace(
        train, lr_patience=train.lr_patience and usual_lr_patience(train)
    )


def usual_lr_patience(train: TrainConfig) -> int:
    """After how many epochs the rate is lowered when nobody says."""
    return train.patience // 2


def without_steps(config: Config) -> Config:
    """The same for a probe alone: what steps would need is as when nobody says."""
    for name in STEPPING:
        section = SECTION_OF[name]
        value = 1 if name == "views" else default_of(name)
        changed = dataclasses.replace(getattr(config, section), **{name: value})
        config = dataclasses.replace(config, **{section: changed})
    return config


def val_chooses(config: Config) -> bool:
    """Whether the validation side decides anything of what comes out."""
    return config.train.monitor != LAST and config.train.phases != PROBE


def size_of(config: Config) -> int:
    """The side of the images that a run's network takes."""
    if config.model.size is None:
        raise UsageError("model.size: expected a number of pixels, got none.")
    return config.model.size
