"""Defaults, a recipe and options in, one checked Config out; all faults at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tlkit.config.check import check_all
from tlkit.config.sections import (
    SECTION_OF,
    SECTIONS,
    Config,
)
from tlkit.errors import ConfigError, UsageError, unknown_name
from tlkit.recipe import read_recipe
from tlkit.schema import one_line, to_dataclass


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
    check_all(config, faults)
    if faults:
        raise ConfigError(source, faults)
    return config


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
