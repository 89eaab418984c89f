"""Defaults, a recipe and options in, one checked Config out; all faults at once."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tlkit.backbones import registry
from tlkit.config.options import AUTO_CUT, SECTION_OF, SECTIONS, Config, default_of
from tlkit.config.validate import check_all
from tlkit.errors import ConfigError, UsageError, unknown_name
from tlkit.recipe import read_recipe
from tlkit.schema import one_line, to_dataclass

# Of a freeze point: nothing is frozen.
NO_LAYER = "none"


def parse_override(text: str) -> tuple[str, str, Any]:
    """Take `section.option=value` apart, as `--set` gives it."""
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
    """Lay defaults, a recipe, options and overrides over each other, and check."""
    source, layers = "the options", dict[str, Any]()
    if recipe is not None:
        read_from, layers = read_recipe(recipe)
        source = f"{read_from} and the options" if options or overrides else read_from
    faults: list[str] = []
    written = _model(layers)
    given = _lay(layers, options or {}, overrides, faults)
    alone = {k: v for k, v in written.items() if k == "backbone" or k not in given}
    _check_layers(alone, _model(layers), str(recipe), faults)
    config = _config(layers, faults)
    check_all(config, faults)
    if faults:
        raise ConfigError(source, faults)
    return config


def _lay(
    layers: dict[str, Any],
    options: Mapping[str, Any],
    overrides: Sequence[str],
    faults: list[str],
) -> set[str]:
    """Put options and overrides over a recipe; returns the names of those given."""
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


def _model(layers: Mapping[str, Any]) -> dict[str, Any]:
    section = layers.get("model")
    return dict(section) if isinstance(section, dict) else {}


def _check_layers(
    written: dict[str, Any], now: dict[str, Any], recipe: str, faults: list[str]
) -> None:
    """Refuse layers that a recipe names of another network than is asked for."""
    there, here = (_network(one) for one in (written, now))
    # The layers of a network of the user's own are known when it is loaded.
    if there == here or here not in registry.BACKBONES:
        return
    cuts = registry.BACKBONES[here].cuts
    for name in ("cut", "freeze_to"):
        layer = written.get(name)
        if layer and layer not in (AUTO_CUT, NO_LAYER, *cuts):
            faults.append(
                f"{name}: {layer!r} in the recipe {recipe} is a layer of {there}; give "
                f"--{name.replace('_', '-')}, too, with one of {here}, such as "
                f"{cuts[-1]}"
            )


def _network(model: dict[str, Any]) -> str:
    name = str(model.get("backbone") or default_of("backbone"))
    # A wrong name is told of by check_all.
    with contextlib.suppress(UsageError):
        return name if registry.is_own(name) else registry.find(name).name
    return name


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
