"""Recipes: YAML files with the settings of a training run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tlkit.errors import ConfigError, UsageError, unknown_name


def recipe_folder() -> Path:
    """Return the folder of packaged recipes, in a wheel or in a checkout."""
    packaged = Path(__file__).parent / "recipes"
    return packaged if packaged.is_dir() else Path(__file__).parents[1] / "recipes"


def recipe_names() -> list[str]:
    """Return the names of the packaged recipes, sorted."""
    return sorted(path.stem for path in recipe_folder().glob("*.yaml"))


def read_recipe(recipe: str | Path) -> tuple[str, dict[str, Any]]:
    """Read the settings of a recipe, without checking them.

    Args:
        recipe: Name of a packaged recipe, or path of a YAML file such as
            RUN/config.yaml.

    Returns:
        The path, for messages, and the nested mapping.

    Raises:
        UsageError: It is neither a packaged recipe nor a readable file.
        ConfigError: The file is not YAML, or not a mapping.
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
