"""One image in, one randomly changed image out: albumentations policies.

A draw is a pure function of (policy, image digest, draw number, seed), so that any
view can be made again, alone, in any order, on any machine.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from tlkit.errors import UsageError, unknown_name
from tlkit.imports import hidden

Policy = tuple[Mapping[str, Any], ...]

_FLIP = {"HorizontalFlip": {"p": 0.5}}
# Transforms that may leave a mirror image, turned or not.
FLIPS = ("HorizontalFlip", "VerticalFlip", "Transpose", "D4", "SquareSymmetry")

# Borders are mirrored: a turned image in a black frame would teach the network the
# frame. No vertical flips: photos have an up and a down.
POLICIES: dict[str, Policy] = {
    "none": (),
    "light": (
        _FLIP,
        {
            "Affine": {
                "scale": [0.9, 1.1],
                "translate_percent": [-0.06, 0.06],
                "rotate": [-8, 8],
                "border_mode": 4,
                "p": 1.0,
            }
        },
    ),
    "standard": (
        _FLIP,
        {
            "Affine": {
                "scale": [0.85, 1.25],
                "translate_percent": [-0.1, 0.1],
                "rotate": [-15, 15],
                "shear": [-8, 8],
                "border_mode": 4,
                "p": 1.0,
            }
        },
        {
            "RandomBrightnessContrast": {
                "brightness_limit": [-0.2, 0.2],
                "contrast_limit": [-0.2, 0.2],
                "p": 0.5,
            }
        },
    ),
    # The ranges of the copied notebooks' ImageDataGenerator: rotation 40, shifts .2,
    # shear, zoom .2, flip; and color on top.
    "strong": (
        _FLIP,
        {
            "Affine": {
                "scale": [0.8, 1.2],
                "translate_percent": [-0.2, 0.2],
                "rotate": [-40, 40],
                "shear": [-12, 12],
                "border_mode": 4,
                "p": 1.0,
            }
        },
        {
            "ColorJitter": {
                "brightness": [0.7, 1.3],
                "contrast": [0.7, 1.3],
                "saturation": [0.7, 1.3],
                "hue": [-0.03, 0.03],
                "p": 0.7,
            }
        },
    ),
}


def load_policy(policy: str | Iterable[Mapping[str, Any]]) -> Policy:
    """A policy by name, from a YAML file, or as it is, checked.

    Args:
        policy: A name of POLICIES; the path of a YAML file that lists albumentations
            transforms as "- Name: {argument: value}"; or such a list.

    Returns:
        One mapping {transform name: arguments} a transform.

    Raises:
        UsageError: No such name or file, or a transform that albumentations refuses.
    """
    source = "augment"
    if isinstance(policy, str):
        if policy in POLICIES:
            return POLICIES[policy]
        source, policy = policy, _read(policy)
    steps = tuple(policy)
    for step in steps:
        if not isinstance(step, Mapping) or len(step) != 1:
            raise UsageError(f"{source}: expected '- Name: {{...}}', got {step!r}.")
    # What is packaged needs no check, and checking costs an import.
    if steps and not is_packaged(steps):
        _pipeline(json.dumps(steps), source)
    return steps


def is_packaged(policy: Policy) -> bool:
    """Whether it is one of POLICIES, be it without its flips, and nobody's own."""
    known = (p for whole in POLICIES.values() for p in (whole, without_flips(whole)))
    return json.dumps(policy) in map(json.dumps, known)


def has_flips(policy: Policy) -> bool:
    """Whether a policy may give the mirror image of an image."""
    return any(name in FLIPS for step in policy for name in step)


def without_flips(policy: Policy) -> Policy:
    """The steps of a policy that leave left and right where they are."""
    return tuple(step for step in policy if not has_flips((step,)))


def augment(
    pixels: np.ndarray, policy: Policy, *, checksum: str, draw: int, seed: int
) -> np.ndarray:
    """Change an image as the policy's dice fall for this draw."""
    if not policy:
        return pixels
    dice = hashlib.sha256(f"{checksum}/{draw}/{seed}".encode()).digest()
    pipeline = _pipeline(json.dumps(policy), "augment")
    pipeline.set_random_seed(int.from_bytes(dice[:4], "little"))
    changed: np.ndarray = pipeline(image=pixels)["image"]
    return changed


@functools.cache
def import_albumentations() -> Any:
    """The albumentations package, imported without what it brings along.

    It asks the network for its newest version, and imports torch where that is
    installed, which takes two seconds and must not happen beside TensorFlow.

    Returns:
        The package.
    """
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    with hidden("torch"):
        return importlib.import_module("albumentations")


def _read(name: str) -> Iterable[Mapping[str, Any]]:
    path = Path(name).expanduser()
    if path.suffix not in {".yaml", ".yml"}:
        error = unknown_name("augmentation policy", name, [*POLICIES, "FILE.yaml"])
        raise error
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(
            f"Augmentation file {name} cannot be read: {error}."
        ) from error
    if not isinstance(loaded, list):
        raise UsageError(
            f"{name}: expected a list of transforms, got {type(loaded).__name__}.",
            hint="For example:  - HorizontalFlip: {p: 0.5}",
        )
    return loaded


@functools.lru_cache(maxsize=8)
def _pipeline(policy: str, source: str) -> Any:
    """The albumentations pipeline of a policy given as JSON text."""
    albumentations = import_albumentations()
    transforms = []
    for step in json.loads(policy):
        ((name, arguments),) = step.items()
        kind = getattr(albumentations, name, None)
        if not isinstance(kind, type) or not issubclass(
            kind, albumentations.BasicTransform
        ):
            known = [
                known
                for known, value in vars(albumentations).items()
                if isinstance(value, type)
                and issubclass(value, albumentations.BasicTransform)
            ]
            error = unknown_name(f"transform in {source}:", name, known)
            raise error
        transforms.append(_transform(kind, arguments or {}, source))
    return albumentations.Compose(transforms)


def _transform(kind: type, arguments: Mapping[str, Any], source: str) -> Any:
    """One transform; what albumentations only warns about is refused here."""
    import warnings

    # YAML and JSON have lists where albumentations wants tuples.
    plain = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in arguments.items()
    }
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return kind(**plain)
    except (UserWarning, TypeError, ValueError) as error:
        first = str(error).strip().splitlines()[:3]
        raise UsageError(f"{source}: {kind.__name__}: {' '.join(first)}") from error
