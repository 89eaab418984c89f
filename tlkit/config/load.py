"""A checked Config made of defaults, a recipe, options and overrides."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tlkit.backbones import registry, spec, table
from tlkit.config.options import (
    AUTO_CUT,
    SECTION_OF,
    SECTIONS,
    Config,
    InputsConfig,
    ModelConfig,
    TrainConfig,
    default_of,
)
from tlkit.errors import ConfigError, UsageError, unknown_name
from tlkit.inputs import augment
from tlkit.inputs.sampler import BALANCED, FRESH
from tlkit.model import head, optimizers, phases
from tlkit.recipe import read_recipe
from tlkit.schema import one_line, to_dataclass

# As a freeze point: no layer is frozen.
NO_LAYER = "none"
MOST_VIEWS = 1000


def parse_override(text: str) -> tuple[str, str, Any]:
    """Return section, option and value of an override.

    Args:
        text: "section.option=value", the value in YAML.

    Returns:
        The three parts.

    Raises:
        UsageError: The text has another form.
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
    overrides: Sequence[str] = (),
) -> Config:
    """Combine defaults, a recipe, options and overrides, each over the one before.

    Args:
        recipe: Name of a packaged recipe, or path of a YAML file.
        options: Values by name; None stands for an option not given.
        overrides: Texts "section.option=value".

    Returns:
        The configuration, checked but not resolved.

    Raises:
        ConfigError: All faults at once.
        UsageError: The recipe cannot be read, or an override has another form.
    """
    source, layers = "the options", dict[str, Any]()
    if recipe is not None:
        read_from, layers = read_recipe(recipe)
        source = f"{read_from} and the options" if options or overrides else read_from
    faults: list[str] = []
    written = _model(layers)
    given = _lay(layers, options or {}, overrides, faults)
    alone = {k: v for k, v in written.items() if k == "backbone" or k not in given}
    faults += _foreign_layers(alone, _model(layers), str(recipe))
    config = _config(layers, faults)
    faults += _conflicts(config)
    if faults:
        raise ConfigError(source, faults)
    return config


def _lay(
    layers: dict[str, Any],
    options: Mapping[str, Any],
    overrides: Sequence[str],
    faults: list[str],
) -> set[str]:
    """Put options and overrides over a recipe; return the names of those given."""
    given = set[str]()
    for name, value in options.items():
        if name != "data" and name not in SECTION_OF:
            faults.append(one_line(unknown_name("option", name, SECTION_OF)))
        elif value is not None:
            _put(layers, SECTION_OF.get(name, ""), name, value)
            given.add(name)
    for text in overrides:
        section, name, value = parse_override(text)
        _put(layers, section, name, value)
        given.add(name)
    return given


def _put(layers: dict[str, Any], section: str, name: str, value: object) -> None:
    if not section:
        layers[name] = value
        return
    present = layers.get(section)
    layers[section] = {**(present if isinstance(present, dict) else {}), name: value}


def _model(layers: Mapping[str, Any]) -> dict[str, Any]:
    section = layers.get("model")
    return dict(section) if isinstance(section, dict) else {}


def _foreign_layers(
    written: dict[str, Any], now: dict[str, Any], recipe: str
) -> Iterator[str]:
    """Yield faults of layers in a recipe that the network asked for does not have."""
    there, here = (_network(one) for one in (written, now))
    # The layers of a network of the user's own are known only when it is loaded.
    if there == here or here not in table.BACKBONES:
        return
    cuts = table.BACKBONES[here].cuts
    for name in ("cut", "freeze_to"):
        layer = written.get(name)
        if layer and layer not in (AUTO_CUT, NO_LAYER, *cuts):
            yield (
                f"{name}: {layer!r} in the recipe {recipe} is a layer of {there}; also "
                f"give --{name.replace('_', '-')} with one of {here}, such as "
                f"{cuts[-1]}"
            )


def _network(model: dict[str, Any]) -> str:
    name = str(model.get("backbone") or default_of("backbone"))
    # An unknown name is reported with the other conflicts.
    with contextlib.suppress(UsageError):
        return name if spec.is_custom(name) else registry.find(name).name
    return name


def _config(layers: Mapping[str, Any], faults: list[str]) -> Config:
    """Return the dataclasses for nested mappings; what does not fit is a fault."""
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


def _conflicts(config: Config) -> Iterator[str]:
    """Yield faults of values that are allowed each, but not together."""
    model, inputs, train = config.model, config.inputs, config.train
    checks: tuple[Callable[[], object], ...] = (
        lambda: _check_backbone(model),
        lambda: head.parse_head(model.head),
        lambda: _check_flips(inputs),
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
            average_weights=train.average_weights,
            monitor=train.monitor,
        ),
    )
    for check in checks:
        try:
            check()
        except UsageError as error:
            yield one_line(error)
    if model.cut == AUTO_CUT:
        yield from _conflicts_of_cut(model)
    yield from _conflicts_of_views(inputs)
    if inputs.sampling == BALANCED and train.class_weights != "none":
        yield (
            "class_weights: sampling balanced already shows all classes equally often, "
            "and weights would count the rare ones twice; use one of the two"
        )
    if train.lr_patience:
        yield from _conflicts_of_lr_patience(train, train.lr_patience)


def _check_backbone(model: ModelConfig) -> None:
    known = spec.PREPROCESSINGS
    if model.preprocessing is not None and model.preprocessing not in known:
        raise UsageError(
            f"preprocessing: expected {' | '.join(known)}, got {model.preprocessing!r}"
        )
    # One of the user's own is looked for later: the record of a run may name a file
    # that is gone.
    if not spec.is_custom(model.backbone):
        registry.find(model.backbone, preprocessing=model.preprocessing)


def _check_flips(inputs: InputsConfig) -> None:
    """Refuse flips in the user's own augmentation where hflip is False."""
    policy = augment.load_policy(inputs.augment)
    flips = [name for step in policy for name in step if augment.has_flips((step,))]
    if inputs.hflip is False and flips and not augment.is_packaged(policy):
        raise UsageError(
            f"hflip is false, but the augmentation has {', '.join(flips)}.",
            hint=f"Remove {', '.join(flips)} from it, or leave out hflip.",
        )


def _conflicts_of_cut(model: ModelConfig) -> Iterator[str]:
    if model.weights == "none":
        yield (
            "cut: auto measures pretrained features, and weights none has none; name a "
            "cut"
        )
    if model.freeze_to is not None:
        yield (
            f"freeze_to: {model.freeze_to!r} with cut auto, which may end below it; "
            "leave it out, or name a cut"
        )
    if not model.head.strip().lower().startswith(head.MAP_POOLINGS):
        yield (
            f"cut: auto measures pooled features, and head {model.head!r} does not "
            "begin with pooling; name a cut, or begin the head with "
            f"{', '.join(head.MAP_POOLINGS)}"
        )


def _conflicts_of_views(inputs: InputsConfig) -> Iterator[str]:
    views = inputs.views
    if isinstance(views, str) and views != FRESH:
        yield f"views: expected a number or {FRESH}, got {views!r}"
    if isinstance(views, int) and not 1 <= views <= MOST_VIEWS:
        yield f"views: expected 1 to {MOST_VIEWS}, got {views}"
    if inputs.mix != "none" and isinstance(views, int):
        yield (
            f"views: {views} cached views cannot be mixed, mix {inputs.mix!r} draws "
            f"every epoch; use views {FRESH} or mix none"
        )
    plain = inputs.augment in ("none", ()) and inputs.mix == "none"
    if plain and views not in (None, 1):
        yield (
            f"views: with augment none and mix none every view is the same, got "
            f"{views}; use views 1, or an augmentation"
        )


def _conflicts_of_lr_patience(train: TrainConfig, epochs: int) -> Iterator[str]:
    if train.schedule not in ("auto", "constant"):
        yield (
            f"lr_patience: schedule {train.schedule!r} already sets the learning rate; "
            "use lr_patience 0 with it"
        )
    if train.patience and epochs >= train.patience:
        yield (
            f"lr_patience: {epochs} epochs without progress never come to pass, "
            f"training stops after patience {train.patience}; choose less"
        )
