"""Recipes: settings of a training run as a YAML file, packaged or a user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tlkit.errors import ConfigError, UsageError, unknown_name


def recipe_folder() -> Path:
    """Where the packaged recipes lie, in an installed wheel or in a checkout."""
    packaged = Path(__file__).parent / "recipes"
    return packaged if packaged.is_dir() else Path(__file__).parents[1] / "recipes"


def recipe_names() -> list[str]:
    """The names that `--recipe` takes besides a path, sorted."""
    return sorted(path.stem for path in recipe_folder().glob("*.yaml"))


def read_recipe(recipe: str | Path) -> tuple[str, dict[str, Any]]:
    """A recipe's settings as nested mappings, not yet checked.

    Args:
        recipe: The name of a packaged recipe, or the path of a YAML file such as
            RUN/config.yaml.

    Returns:
        Where it was read from, for messages, and the mapping.

    Raises:
        UsageError: Neither a packaged recipe nor a readable file.
        ConfigError: Not YAML, or not a mapping.
    """
    path = recipe_folder() / f"{recipe}.yaml"
    if not path.is_file():
        path = Path(recipe)
        if path.suffix not in {".yaml", ".yml"}:
            error = unknown_name("recipe", str(recipe), recipe_names())
            raise error
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UsageError(f"There is no recipe file {path}.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}.") from error
    except yaml.YAMLError as error:
        raise ConfigError(str(path), [f"not YAML: {error}"]) from error
    if not isinstance(loaded, dict):
        raise ConfigError(str(path), ["expected 'section: {option: value}'"])
    return str(path), loaded
