"""The options of a training run: one field each, with all that is known of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from tlkit.backbones import registry, spec
from tlkit.config.scope import Scope, option
from tlkit.errors import UsageError
from tlkit.imaging.resize import RESIZES
from tlkit.inputs.mixing import MIXES
from tlkit.inputs.sampler import AS_IS, SAMPLINGS
from tlkit.model.head import DEFAULT_HEAD
from tlkit.model.optimizers import SCHEDULES
from tlkit.model.phases import (
    HEAD_EPOCHS,
    HEAD_RATE,
    LAST,
    PROBE,
    SMOOTHING,
    TUNE_RATE,
)
from tlkit.schema import to_plain

# Most of what fresh views gain, for a fraction of the computing; see
# tests/benchmarks/RESULTS.md.
DEFAULT_VIEWS = 4
# Limit of a run that chooses the fine-tuning depth itself.
DEFAULT_MINUTES = 3.0
# The cut is selected by probes on the training split.
AUTO_CUT = "auto"


FEATURES, STEPS, COURSE, HEAD = Scope.FEATURES, Scope.STEPS, Scope.COURSE, Scope.HEAD


# fmt: off
@dataclass(frozen=True)
class ModelConfig:
    """The network: backbone, cut, freeze point and head."""

    backbone: str = option(
        "MobileNetV2", "Network; see tlkit backbones. One of your own: PATH.keras, or "
        "hub:PRESET (of KerasHub, or its directory).", scope=FEATURES
    )
    preprocessing: str | None = option(
        None, "For a network of your own, the pixel values it expects: none | tf | "
        "caffe | torch; not needed if it scales them itself.", scope=FEATURES
    )
    weights: str | None = option(
        None, "imagenet | own | none | FILE.h5: pretrained weights.",
        usual="own if the network brings some, such as nano, else imagenet",
        scope=FEATURES
    )
    size: int | None = option(
        None, "Image size in pixels.", usual="the native size", bounds=(16, 4096),
        scope=FEATURES
    )
    cut: str | None = option(
        None, "Last layer used, see tlkit backbones show, or auto: selected on the "
        "training split.", usual="the last", scope=FEATURES
    )
    freeze_to: str | None = option(
        None, "Last frozen layer, or none.", usual="chosen automatically"
    )
    head: str = option(
        DEFAULT_HEAD,
        "Layers on top: flatten, gap, gmp, gap_gmp, dense:N, dropout:P, bn."
    )

    @property
    def row(self) -> spec.Backbone:
        """The backbone; for one of the user's own, this loads Keras."""
        size = self.size if spec.is_custom(self.backbone) else None
        return registry.find(self.backbone, preprocessing=self.preprocessing, size=size)


@dataclass(frozen=True)
class InputsConfig:
    """The pixels: resizing, augmentation, views, mixing and batches."""

    resize: str = option(
        "squash", "How images become square.", choices=RESIZES, scope=FEATURES
    )
    augment: str | tuple[Mapping[str, Any], ...] = option(
        "standard", "none | light | standard | strong | FILE.yaml of albumentations.",
        scope=STEPS
    )
    hflip: bool | None = option(
        None, "Whether a horizontally flipped image keeps its class.",
        usual="chosen automatically from the class names and the training images"
    )
    views: int | str | None = option(
        None, "Augmented views per image, computed once and cached; fresh draws new "
        "ones every epoch.", usual=f"{DEFAULT_VIEWS}; 1 without augmentation; fresh "
        f"with --mix or if nothing is frozen", scope=STEPS
    )
    mix: str = option(
        "none", "Mixing of images, by keras-cv.", choices=MIXES, scope=STEPS
    )
    sampling: str = option(
        AS_IS,
        "balanced shows all classes equally often, in an epoch of the same length.",
        choices=SAMPLINGS
    )
    batch: int = option(
        32, "Images per step.", bounds=(1, 65536), scope=STEPS
    )
    workers: int | None = option(
        None, "Processes that read images, 0 for none.", usual="one per processor",
        bounds=(0, 1024), scope=FEATURES
    )


@dataclass(frozen=True)
class TrainConfig:
    """The training: optimizer, learning rate, length, stopping, seed and device."""

    phases: str | None = option(
        None, "What trains one after the other, ABOVE:EPOCHS@RATE, such as "
        "head:15,top:10@1e-5; ABOVE is head, top, deep, all or a layer. probe: the "
        "linear probe alone. auto: chosen automatically. one: everything above "
        "--freeze-to at once.", usual="auto; one with --freeze-to or --weights none",
        scope=COURSE
    )
    probe: bool | None = option(
        None, "Start from a linear probe of the frozen features.",
        usual="probe, if pretrained", scope=COURSE
    )
    minutes: float | None = option(
        None, "Time limit of the training.",
        usual=f"{DEFAULT_MINUTES:g} with phases auto", bounds=(0.01, 100_000.0),
        scope=STEPS | COURSE
    )
    optimizer: str = option(
        "adam", "A Keras optimizer.", scope=STEPS
    )
    lr: float | None = option(
        None, "Learning rate of the head, or of everything above --freeze-to; other "
        "phases have theirs in --phases.",
        usual=f"{HEAD_RATE:g}; {TUNE_RATE:g} for pretrained layers",
        bounds=(1e-12, 1e3), scope=STEPS | COURSE | HEAD
    )
    momentum: float | None = option(
        None, "Momentum, for sgd, rmsprop and muon.", bounds=(0.0, 0.9999), scope=STEPS
    )
    nesterov: bool | None = option(
        None, "Nesterov momentum, for sgd and muon.", scope=STEPS
    )
    weight_decay: float | None = option(
        None, "Decoupled weight decay.", bounds=(0.0, 1.0), scope=STEPS
    )
    schedule: str = option(
        "auto", "Learning rate over time; auto is constant for a head and a cosine "
        "for pretrained layers.", choices=SCHEDULES, scope=STEPS | COURSE
    )
    warmup: float | None = option(
        None, "Share of the steps to warm up, with cosine.", usual="0",
        bounds=(0.0, 0.9), scope=STEPS | COURSE
    )
    epochs: int | None = option(
        None, "Most epochs of each phase.",
        usual=f"{HEAD_EPOCHS}; as the data set needs for pretrained layers",
        bounds=(1, 100_000), scope=STEPS | COURSE
    )
    steps: int | None = option(
        None, "Number of batches to train on, instead of epochs; of several phases, "
        "the most of each.", bounds=(1, 10_000_000),
        scope=STEPS | COURSE
    )
    label_smoothing: float | None = option(
        None, "Share of each target that is spread over all classes.",
        usual=f"0; {SMOOTHING:g} where pretrained layers train", bounds=(0.0, 0.9),
        scope=STEPS
    )
    class_weights: str = option(
        "none", "Weights of the classes in the loss.", choices=("none", "balanced")
    )
    ema: float | None = option(
        None, "Evaluate and keep a running mean of the weights, with this momentum, "
        "such as 0.99.", bounds=(0.5, 0.9999), scope=STEPS | COURSE
    )
    average_weights: bool = option(
        False, "With --monitor last, end a phase that tunes pretrained layers with the "
        "mean of the weights before and after it.", usual="no-average-weights",
        scope=STEPS | COURSE
    )
    monitor: str = option(
        "val_loss", "Selects the epoch to keep. For several labels, val_accuracy is "
        "the share of correct decisions per label.",
        choices=("val_loss", "val_accuracy", LAST), scope=STEPS | COURSE
    )
    patience: int = option(
        8, "Stop after this many epochs without progress; 0: never.",
        bounds=(0, 100_000), scope=STEPS | COURSE | HEAD
    )
    lr_patience: int | None = option(
        None,
        "Lower the learning rate after this many epochs without progress; 0: never.",
        usual="half the patience", bounds=(0, 100_000), scope=STEPS | COURSE | HEAD
    )
    lr_factor: float = option(
        0.3, "Lower the learning rate to this share.", bounds=(0.01, 0.99),
        scope=STEPS | COURSE | HEAD
    )
    seed: int = option(
        0, "Seed of everything random.", bounds=(0, 2**31 - 1), scope=FEATURES
    )
    device: str = option(
        "auto", "Device; gpu without a GPU is an error.",
        choices=("auto", "cpu", "gpu"), scope=FEATURES
    )
    precision: str = option(
        "auto", "Computing precision; auto is mixed on a GPU.",
        choices=("auto", "float32", "mixed_float16", "mixed_bfloat16")
    )
    engine: str = option(
        "auto", "Engine of the frozen layers.", choices=("auto", "openvino", "keras"),
        scope=FEATURES
    )
    cache: bool = option(
        True, "Keep the features of frozen layers; see tlkit cache.", usual="cache",
        scope=FEATURES
    )


# fmt: on
@dataclass(frozen=True)
class Config:
    """Everything a training run depends on besides the images.

    `data` is the data set directory, "" where it is given otherwise.
    """

    data: str = ""
    model: ModelConfig = field(default_factory=ModelConfig)
    inputs: InputsConfig = field(default_factory=InputsConfig)
    train: TrainConfig = field(default_factory=TrainConfig)

    def to_yaml(self) -> str:
        """Return the configuration as YAML text, with every value."""
        return yaml.safe_dump(to_plain(self), sort_keys=False, allow_unicode=True)


SECTIONS: dict[str, Any] = {
    "model": ModelConfig,
    "inputs": InputsConfig,
    "train": TrainConfig,
}
OPTIONS = {
    one.name: one for kind in SECTIONS.values() for one in dataclasses.fields(kind)
}
SECTION_OF = {
    one.name: section
    for section, kind in SECTIONS.items()
    for one in dataclasses.fields(kind)
}


def options_of(scope: Scope) -> tuple[str, ...]:
    """Return the names of the options that apply to a part of a run."""
    return tuple(n for n, one in OPTIONS.items() if scope in one.metadata["scope"])


def default_of(name: str) -> Any:
    """Return the default value of an option."""
    return OPTIONS[name].default


def value_of(config: Config, name: str) -> Any:
    """Return the value of an option in whichever section has it."""
    return getattr(getattr(config, SECTION_OF[name]), name)


def given_for_head(train: TrainConfig) -> dict[str, Any]:
    """Return the options of a phase of the head that differ from their defaults.

    Args:
        train: As given or resolved.

    Returns:
        Values by name, in the order of the options.
    """
    usual: dict[str, tuple[Any, ...]] = {
        name: (default_of(name),) for name in options_of(Scope.HEAD)
    }
    usual["lr_patience"] = (None, 0, usual_lr_patience(train))
    given = {name: getattr(train, name) for name in usual}
    return {name: value for name, value in given.items() if value not in usual[name]}


def without_head_options(train: TrainConfig) -> TrainConfig:
    """Return the options with defaults for those of a phase of the head."""
    usual = {name: default_of(name) for name in options_of(Scope.HEAD)}
    usual["lr_patience"] = train.lr_patience
    train = dataclasses.replace(train, **usual)
    lowered = train.lr_patience and usual_lr_patience(train)
    return dataclasses.replace(train, lr_patience=lowered)


def usual_lr_patience(train: TrainConfig) -> int:
    """Return the default of `lr_patience`, in epochs."""
    return train.patience // 2


def without_steps(config: Config) -> Config:
    """Return the configuration with defaults for all that a probe alone ignores."""
    usual: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}
    for name in options_of(Scope.STEPS):
        usual[SECTION_OF[name]][name] = 1 if name == "views" else default_of(name)
    sections = {
        section: dataclasses.replace(getattr(config, section), **values)
        for section, values in usual.items()
    }
    return dataclasses.replace(config, **sections)


def val_chooses(config: Config) -> bool:
    """Return whether the validation split selects anything of the result."""
    return config.train.monitor != LAST and config.train.phases != PROBE


def size_of(config: Config) -> int:
    """Return the image size of a resolved configuration, in pixels.

    Raises:
        UsageError: None is set.
    """
    if config.model.size is None:
        raise UsageError("model.size: expected a number of pixels, got none.")
    return config.model.size
