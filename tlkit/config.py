"""Settings of a training run: defaults, recipes and options in, one checked Config out.

The sections mirror the stages. YAML is only their saved form; a key that does not exist
or a value that cannot be meant is a fault, and all faults are shown at once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tlkit.dataset.fitted import RESIZES
from tlkit.errors import ConfigError, UsageError, unknown_name
from tlkit.inputs import augment, mix
from tlkit.inputs.schedule import AS_IS, BALANCED, FRESH, SAMPLINGS
from tlkit.model import backbones, head, optimizers, phases
from tlkit.model.phases import LAST
from tlkit.recipe import read_recipe
from tlkit.schema import one_line, to_dataclass, to_plain

DEVICES = ("auto", "cpu", "gpu")
ENGINES = ("auto", "openvino", "keras")
PRECISIONS = ("auto", "float32", "mixed_float16", "mixed_bfloat16")
# What says which epoch is best; "last" takes it as it comes.
MONITORS = ("val_loss", "val_accuracy", LAST)
# How many stored views of a picture a run gets that does not say: most of what fresh
# views give, for a fraction of the computing; tests/benchmarks/RESULTS.md has both.
DEFAULT_VIEWS = 4
# How long a run may take that finds out by itself how deep to tune.
DEFAULT_MINUTES = 3.0
# The cut is found out by measuring on the training side.
AUTO_CUT = "auto"
# What there is to say about a frozen network that is only asked what it sees.
FROZEN_OPTIONS = (
    "backbone", "weights", "preprocessing", "size", "cut", "resize", "seed", "workers",
    "device", "engine", "store",
)  # fmt: skip
CLASS_WEIGHTS = ("none", "balanced")
# Options that say how the rate goes on, and how long; of a test of rates they mean
# nothing.
COURSE = (
    "lr", "schedule", "warmup", "epochs", "steps", "minutes", "phases", "probe",
    "depth_decay", "ema", "monitor", "patience", "plateau", "plateau_factor",
)  # fmt: skip


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
    def row(self) -> backbones.Backbone:
        """The backbone; one of the user's own is looked at, which takes Keras."""
        size = self.size if backbones.is_own(self.backbone) else None
        return backbones.find(
            self.backbone, preprocessing=self.preprocessing, size=size
        )


@dataclass(frozen=True)
class InputsConfig:
    """Which pixels: resizing, augmentation, views, mixing and batches."""

    resize: str = "squash"
    augment: str | tuple[Mapping[str, Any], ...] = "standard"
    mirror: bool | None = None
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
    depth_decay: float | None = None
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
    plateau: int | None = None
    plateau_factor: float = 0.3
    seed: int = 0
    device: str = "auto"
    precision: str = "auto"
    engine: str = "auto"
    store: bool = True


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
        """The configuration as YAML text, every value spelled out.

        Returns:
            Text that `read_recipe` takes back unchanged.
        """
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
    """The default value of an option, for help texts.

    Args:
        option: Its name, which is unique over all sections.

    Returns:
        The value a run has when nobody says otherwise.
    """
    kind = SECTIONS[SECTION_OF[option]]
    return next(f.default for f in dataclasses.fields(kind) if f.name == option)


def parse_assignment(text: str) -> tuple[str, str, Any]:
    """Take `section.option=value` apart, as `--set` gives it.

    Args:
        text: For example "train.lr=1e-4".

    Returns:
        Section, option and the value as YAML reads it.

    Raises:
        UsageError: Not of this form.
    """
    key, equals, value = text.partition("=")
    section, dot, option = key.strip().partition(".")
    if not (equals and dot and section and option):
        raise UsageError(
            f"--set takes section.option=value, got {text!r}.",
            hint="For example --set train.lr=1e-4.",
        )
    try:
        return section, option, yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise UsageError(f"--set {key}: {value!r} is not a YAML value.") from error


def build_config(
    *,
    recipe: str | Path | None = None,
    options: Mapping[str, Any] | None = None,
    assignments: Sequence[str] = (),
) -> Config:
    """Lay defaults, a recipe, options and assignments over each other, and check.

    Args:
        recipe: Name or path of a recipe.
        options: Option name to value, such as {"cut": "mixed7"}; None means not given.
        assignments: Texts "section.option=value".

    Returns:
        The checked configuration, not yet resolved.

    Raises:
        ConfigError: All faults found.
    """
    source, layers = "the options", dict[str, Any]()
    if recipe is not None:
        read_from, layers = read_recipe(recipe)
        source = f"{read_from} and the options" if options or assignments else read_from
    faults: list[str] = []
    for name, value in (options or {}).items():
        if name != "data" and name not in SECTION_OF:
            faults.append(one_line(unknown_name("option", name, SECTION_OF)))
        elif value is not None:
            _put(layers, SECTION_OF.get(name, ""), name, value)
    for text in assignments:
        _put(layers, *parse_assignment(text))
    config = _config(layers, faults)
    _check(config, faults)
    if faults:
        raise ConfigError(source, faults)
    return config


def resolve(config: Config) -> Config:
    """Spell out what the defaults leave to the backbone and the policy names.

    Args:
        config: A checked configuration.

    Returns:
        The same run with canonical names, and no option left open that decides
        what is computed; `workers` stays open, it belongs to the machine.

    Raises:
        UsageError: A value that the backbone rules out, or no such weights file.
    """
    model, inputs, train = config.model, config.inputs, config.train
    backbone = model.row
    cut = model.cut or backbone.cuts[-1]
    weights = _weights(model.weights, backbone)
    size = model.size or backbone.native
    backbones.check_size(backbone, size)
    own = backbone.builder == backbones.OWN
    named = own and backbone.preprocessing.name in backbones.NAMED
    train = _resolve_training(config.train, model, weights, cut)
    model = dataclasses.replace(
        model,
        backbone=backbone.name,
        preprocessing=backbone.preprocessing.name if named else None,
        weights=weights,
        size=size,
        cut=cut,
        freeze_to=model.freeze_to or _freeze_point(weights, cut),
    )
    policy = augment.load_policy(inputs.augment)
    mirror = inputs.mirror
    # Whoever lists a flip has said that mirror images are right.
    if mirror is None and augment.mirrors(policy) and not augment.is_packaged(policy):
        mirror = True
    views = inputs.views or _default_views(model, inputs, policy)
    inputs = dataclasses.replace(inputs, augment=policy, mirror=mirror, views=views)
    if mirror is False:
        inputs = without_mirror_images(inputs)
    return dataclasses.replace(
        config,
        data=str(Path(config.data).resolve()) if config.data else "",
        model=model,
        inputs=inputs,
        train=train,
    )


def size_of(config: Config) -> int:
    """The side of the pictures that a run's network takes.

    Args:
        config: Resolved.

    Returns:
        Pixels.

    Raises:
        UsageError: It is not resolved.
    """
    if config.model.size is None:
        raise UsageError("model.size: expected a number of pixels, got none.")
    return config.model.size


def _resolve_training(
    train: TrainConfig, model: ModelConfig, weights: str, cut: str
) -> TrainConfig:
    """Spell out how long, how fast and in which phases, where nobody has said.

    Returns:
        The section.

    Raises:
        UsageError: Both the phases and a freeze point were given, or phases for
            random weights.
    """
    pretrained = weights != "none"
    whole_body = model.freeze_to not in (None, cut)
    given = train.phases
    if given not in (None, phases.ONE) and whole_body:
        raise UsageError(
            f"freeze_to: {model.freeze_to!r} with phases {given!r}: the phases say "
            "what is frozen. Give one of both."
        )
    chosen = given or (
        phases.AUTO if pretrained and model.freeze_to is None else phases.ONE
    )
    if not pretrained and chosen != phases.ONE:
        raise UsageError(
            f"phases: {chosen!r} with weights none: there is nothing pretrained to be "
            "careful with, so all of it trains at once. Leave phases away."
        )
    tunes = pretrained and whole_body and chosen == phases.ONE
    head_alone = chosen == phases.ONE and not tunes
    schedule = train.schedule
    if schedule == "auto" and head_alone:
        schedule = "constant"
    steady = schedule in ("auto", "constant")
    listed = chosen not in (phases.AUTO, phases.ONE)
    if chosen == phases.PROBE:
        _check_probe_alone(train, model)
    rated = listed and all(phase.lr for phase in phases.parse_phases(chosen))
    if rated and train.lr:
        raise UsageError(
            f"lr: {train.lr:g} would do nothing: each of the phases {chosen!r} has a "
            "rate of its own. Leave lr away, or the rate of a phase."
        )
    decay = train.depth_decay
    if (
        pretrained
        and chosen == phases.ONE
        and not whole_body
        and decay not in (None, 1)
    ):
        raise UsageError(
            f"depth_decay: {decay:g} would do nothing: the head alone trains. Give "
            "phases, or freeze_to a layer below the cut."
        )
    rate = phases.TUNE_RATE if tunes else phases.HEAD_RATE
    return dataclasses.replace(
        train,
        phases=chosen,
        probe=_first(train.probe, pretrained),
        minutes=_first(
            train.minutes, DEFAULT_MINUTES if chosen == phases.AUTO else None
        ),
        lr=None if rated else train.lr or rate,
        schedule=schedule,
        warmup=_first(train.warmup, 0.0),
        depth_decay=_first(train.depth_decay, 1.0 if head_alone else phases.TUNE_DECAY),
        label_smoothing=_first(
            train.label_smoothing,
            phases.SMOOTHING if tunes else 0.0 if chosen == phases.ONE else None,
        ),
        plateau=_first(train.plateau, train.patience // 2 if steady else 0),
        epochs=train.epochs or (None if train.steps or listed else phases.HEAD_EPOCHS),
    )


def _check_probe_alone(train: TrainConfig, model: ModelConfig) -> None:
    """Refuse what a probe without any phase cannot be or has no use for."""
    if train.probe is False:
        raise UsageError("phases: 'probe' without a probe leaves nothing to train.")
    if not head.is_linear(head.parse_head(model.head)):
        raise UsageError(
            f"phases: 'probe' is a linear classifier, and the head {model.head!r} is "
            "none. Use --head gap, or other phases."
        )
    if train.lr:
        raise UsageError(
            f"lr: {train.lr:g} would do nothing: a probe is solved, in no steps."
        )


def _freeze_point(weights: str, cut: str) -> str | None:
    if weights == "none":
        return "none"
    # Not before the cut is found out.
    return None if cut == AUTO_CUT else cut


def _first(given: Any, otherwise: Any) -> Any:
    return otherwise if given is None else given


def without_mirror_images(inputs: InputsConfig) -> InputsConfig:
    """The same inputs for data that a mirror image would be wrong of.

    Args:
        inputs: Resolved.

    Returns:
        With `mirror` off, and no flips in the augmentation.
    """
    policy = augment.without_flips(augment.load_policy(inputs.augment))
    return dataclasses.replace(inputs, augment=policy, mirror=False)


def _default_views(
    model: ModelConfig, inputs: InputsConfig, policy: augment.Policy
) -> int | str:
    """How many views: what can be kept is kept, what cannot is drawn anew."""
    if inputs.mix != "none":
        return FRESH
    if not policy:
        return 1
    return FRESH if model.freeze_to == "none" else DEFAULT_VIEWS


def _weights(given: str | None, backbone: backbones.Backbone) -> str:
    """A word that stands for weights as it is, a file's path absolute."""
    own = backbone.builder == backbones.OWN
    usual, other = ("own", "imagenet") if own else ("imagenet", "own")
    if given is None or given in {usual, "none"}:
        return given or usual
    if given == other:
        raise UsageError(
            f"--weights {given}: {backbone.name} is a network of your own and brings "
            "its weights along."
            if own
            else f"--weights {given} goes with a network of your own; {backbone.name} "
            "brings no weights along.",
            hint="Leave --weights away.",
        )
    path = Path(given).expanduser().resolve()
    if not path.is_file():
        kind = "a folder" if path.is_dir() else "not there"
        raise UsageError(
            f"The weights file {path} is {kind}.",
            hint="--weights takes imagenet, none or an .h5 or .weights.h5 file.",
        )
    return str(path)


def _config(layers: Mapping[str, Any], faults: list[str]) -> Config:
    """The dataclasses for nested mappings; what does not fit goes to the faults."""
    data = layers.get("data") or ""
    if not isinstance(data, (str, Path)):
        faults.append(f"data: expected a path, got {data!r}")
    for name in layers:
        if name != "data" and name not in SECTIONS:
            faults.append(one_line(unknown_name("section", str(name), SECTIONS)))
    sections = {
        name: to_dataclass(kind, layers.get(name), name, faults)
        for name, kind in SECTIONS.items()
    }
    return Config(data=str(data), **sections)


def _put(layers: dict[str, Any], section: str, name: str, value: object) -> None:
    if not section:
        layers[name] = value
        return
    present = layers.get(section)
    layers[section] = {**(present if isinstance(present, dict) else {}), name: value}


def _check(config: Config, faults: list[str]) -> None:
    """Values that have the right type and still cannot be meant."""
    model, inputs, train = config.model, config.inputs, config.train
    choices = {
        "resize": (inputs.resize, RESIZES),
        "mix": (inputs.mix, mix.MIXES),
        "sampling": (inputs.sampling, SAMPLINGS),
        "schedule": (train.schedule, optimizers.SCHEDULES),
        "monitor": (train.monitor, MONITORS),
        "device": (train.device, DEVICES),
        "precision": (train.precision, PRECISIONS),
        "engine": (train.engine, ENGINES),
        "class_weights": (train.class_weights, CLASS_WEIGHTS),
    }
    for name, (value, known) in choices.items():
        if value not in known:
            faults.append(f"{name}: expected {' | '.join(known)}, got {value!r}")
    for check in (
        lambda: _check_backbone(model),
        lambda: head.parse_head(model.head),
        lambda: _check_mirror(inputs),
        lambda: optimizers.check(
            train.optimizer,
            momentum=train.momentum,
            nesterov=train.nesterov,
            schedule=train.schedule,
            warmup=train.warmup or 0.0,
        ),
        lambda: phases.check(
            train.phases,
            epochs=train.epochs,
            steps=train.steps,
            monitor=train.monitor,
        ),
    ):
        try:
            check()
        except UsageError as error:
            faults.append(one_line(error))
    bounds = {
        "size": (model.size, 16, 4096),
        "batch": (inputs.batch, 1, 65536),
        "workers": (inputs.workers, 0, 1024),
        "epochs": (train.epochs, 1, 100_000),
        "patience": (train.patience, 0, 100_000),
        "plateau": (train.plateau, 0, 100_000),
        "lr": (train.lr, 1e-12, 1e3),
        "warmup": (train.warmup, 0.0, 0.9),
        "momentum": (train.momentum, 0.0, 0.9999),
        "weight_decay": (train.weight_decay, 0.0, 1.0),
        "plateau_factor": (train.plateau_factor, 0.01, 0.99),
        "steps": (train.steps, 1, 10_000_000),
        "minutes": (train.minutes, 0.01, 100_000.0),
        "depth_decay": (train.depth_decay, 0.01, 1.0),
        "label_smoothing": (train.label_smoothing, 0.0, 0.9),
        "ema": (train.ema, 0.5, 0.9999),
        "seed": (train.seed, 0, 2**31 - 1),
    }
    for name, (number, low, high) in bounds.items():
        if number is not None and not low <= number <= high:
            faults.append(f"{name}: expected {low} to {high}, got {number}")
    _check_cut(model, faults)
    _check_views(inputs, faults)
    if inputs.sampling == BALANCED and train.class_weights != "none":
        faults.append(
            "class_weights: with sampling balanced all classes come equally often "
            "already, and weights would make the rare ones count twice; use one of both"
        )
    _check_patience(train, faults)


def _check_backbone(model: ModelConfig) -> None:
    """One of the user's own is looked for later: a record may name what is gone."""
    known = backbones.NAMED
    if model.preprocessing is not None and model.preprocessing not in known:
        raise UsageError(
            f"preprocessing: expected {' | '.join(known)}, got {model.preprocessing!r}"
        )
    if not backbones.is_own(model.backbone):
        backbones.find(model.backbone, preprocessing=model.preprocessing)


def _check_mirror(inputs: InputsConfig) -> None:
    """Refuse flips of one's own for data that must not be mirrored."""
    policy = augment.load_policy(inputs.augment)
    flips = [name for step in policy for name in step if augment.mirrors((step,))]
    if inputs.mirror is False and flips and not augment.is_packaged(policy):
        raise UsageError(
            f"mirror: there are to be no mirror images, and the augmentation makes "
            f"some, by {', '.join(flips)}; take that out of it, or leave mirror away"
        )


def _check_cut(model: ModelConfig, faults: list[str]) -> None:
    if model.cut != AUTO_CUT:
        return
    if model.weights == "none":
        faults.append(
            "cut: auto measures what pretrained layers give, and weights none has "
            "none; name a cut"
        )
    if model.freeze_to is not None:
        faults.append(
            f"freeze_to: {model.freeze_to!r} with cut auto, which may end below it; "
            "leave it away, or name a cut"
        )
    pooled = any(model.head.strip().lower().startswith(p) for p in head.MAP_POOLINGS)
    if not pooled:
        faults.append(
            f"cut: auto measures pooled features, and head {model.head!r} does not "
            "begin with pooling; name a cut, or begin the head with "
            f"{', '.join(head.MAP_POOLINGS)}"
        )


def _check_views(inputs: InputsConfig, faults: list[str]) -> None:
    views = inputs.views
    if isinstance(views, str) and views != FRESH:
        faults.append(f"views: expected a number or {FRESH}, got {views!r}")
    if isinstance(views, int) and not 1 <= views <= 1000:
        faults.append(f"views: expected 1 to 1000, got {views}")
    if inputs.mix != "none" and isinstance(views, int):
        faults.append(
            f"views: {views} kept views cannot be mixed, mix {inputs.mix!r} draws anew "
            f"every epoch; use views {FRESH} or mix none"
        )
    changed = inputs.augment not in ("none", ()) or inputs.mix != "none"
    if not changed and views not in (None, 1):
        faults.append(
            f"views: with augment none and mix none every view is the same, got "
            f"{views}; use views 1, or an augmentation"
        )


def _check_patience(train: TrainConfig, faults: list[str]) -> None:
    if not train.plateau:
        return
    if train.schedule not in ("auto", "constant"):
        faults.append(
            f"plateau: the rate is already set by schedule {train.schedule!r}; "
            "use plateau 0 with it"
        )
    if train.patience and train.plateau >= train.patience:
        faults.append(
            f"plateau: {train.plateau} epochs without progress never come to pass, "
            f"training stops after patience {train.patience}; choose less"
        )
