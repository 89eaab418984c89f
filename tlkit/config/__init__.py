"""Settings of a training run, made of defaults, recipes and options.

The sections are the stages. YAML is only their saved form. An unknown key or an
invalid value is a fault, and all faults are shown at once.
"""

from tlkit.config.load import build_config, parse_override
from tlkit.config.options import (
    AUTO_CUT,
    OPTIONS,
    SECTION_OF,
    SECTIONS,
    Config,
    InputsConfig,
    ModelConfig,
    TrainConfig,
    default_of,
    given_for_head,
    options_of,
    size_of,
    val_chooses,
    without_head_options,
    without_steps,
)
from tlkit.config.resolve import inputs_without_flips, resolve
from tlkit.config.scope import Scope

__all__ = [
    "AUTO_CUT",
    "OPTIONS",
    "SECTIONS",
    "SECTION_OF",
    "Config",
    "InputsConfig",
    "ModelConfig",
    "Scope",
    "TrainConfig",
    "build_config",
    "default_of",
    "given_for_head",
    "inputs_without_flips",
    "options_of",
    "parse_override",
    "resolve",
    "size_of",
    "val_chooses",
    "without_head_options",
    "without_steps",
]
