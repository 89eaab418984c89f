"""Settings of a training run: defaults, recipes and options in, one checked Config out.

The sections mirror the stages. YAML is only their saved form; a key that does not exist
or a value that cannot be meant is a fault, and all faults are shown at once.
"""

from tlkit.config.load import build_config, parse_override
from tlkit.config.options import (
    AUTO_CUT,
    COURSE,
    DEFAULT_MINUTES,
    DEFAULT_VIEWS,
    FROZEN_OPTIONS,
    SECTION_OF,
    SECTIONS,
    Config,
    InputsConfig,
    ModelConfig,
    TrainConfig,
    default_of,
    given_for_head,
    size_of,
    val_chooses,
    without_head_options,
    without_steps,
)
from tlkit.config.resolve import inputs_without_flips, resolve

__all__ = [
    "AUTO_CUT",
    "COURSE",
    "DEFAULT_MINUTES",
    "DEFAULT_VIEWS",
    "FROZEN_OPTIONS",
    "SECTIONS",
    "SECTION_OF",
    "Config",
    "InputsConfig",
    "ModelConfig",
    "TrainConfig",
    "build_config",
    "default_of",
    "given_for_head",
    "inputs_without_flips",
    "parse_override",
    "resolve",
    "size_of",
    "val_chooses",
    "without_head_options",
    "without_steps",
]
