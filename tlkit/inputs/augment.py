"""Random changes of an image by albumentations policies.

A draw is a pure function of (policy, checksum of the image, draw number, seed), so that
any view can be made again, alone, in any order, on any machine.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import json
import os
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from tlkit.errors import UsageError, unknown_name
from tlkit.imports import hidden

Policy = tuple[Mapping[str, Any], ...]

# Transforms that may leave a flipped image, rotated or not.
FLIPS = ("HorizontalFlip", "VerticalFlip", "Transpose", "D4", "SquareSymmetry")
_HFLIP = {"HorizontalFlip": {"p": 0.5}}


def _affine(scale: list[float], shift: float, rotate: int, **more: Any) -> Any:
    # border_mode 4 reflects at the borders: a rotated image in a black frame would
    # teach the network the frame.
    return {
        "Affine": {
            "scale": scale,
            "translate_percent": [-shift, shift],
            "rotate": [-rotate, rotate],
            **more,
            "border_mode": 4,
            "p": 1.0,
        }
    }


# No vertical flips: photos have an up and a down.
POLICIES: dict[str, Policy] = {
    "none": (),
    "light": (_HFLIP, _affine([0.9, 1.1], 0.06, 8)),
    "standard": (
        _HFLIP,
        _affine([0.85, 1.25], 0.1, 15, shear=[-8, 8]),
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
        _HFLIP,
        _affine([0.8, 1.2], 0.2, 40, shear=[-12, 12]),
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
    """Load a policy by name or from a YAML file, or check one that is given.

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
    """Return whether a policy is one of POLICIES, with or without its flips."""
    known = (p for whole in POLICIES.values() for p in (whole, without_flips(whole)))
    return json.dumps(policy) in map(json.dumps, known)


def has_flips(policy: Policy) -> bool:
    """Return whether a policy may flip an image."""
    return any(name in FLIPS for step in policy for name in step)


def without_flips(policy: Policy) -> Policy:
    """Return the steps of a policy that do not flip."""
    return tuple(step for step in policy if not has_flips((step,)))


def augment(
    pixels: np.ndarray, policy: Policy, *, checksum: str, draw: int, seed: int
) -> np.ndarray:
    """Augment an image [H, W, 3] by a policy; the draw number decides the result."""
    if not policy:
        return pixels
    drawn = hashlib.sha256(f"{checksum}/{draw}/{seed}".encode()).digest()
    pipeline = _pipeline(json.dumps(policy), "augment")
    pipeline.set_random_seed(int.from_bytes(drawn[:4], "little"))
    changed: np.ndarray = pipeline(image=pixels)["image"]
    return changed


@functools.cache
def import_albumentations() -> Any:
    """Import albumentations without its side effects.

    It would ask the network for its newest version. It would also import torch where
    that is installed, which takes two seconds and must not happen with TensorFlow.

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
    """Build the albumentations pipeline of a policy given as JSON text."""
    albumentations = import_albumentations()
    transforms = []
    base = albumentations.BasicTransform
    known = {
        name: value
        for name, value in vars(albumentations).items()
        if isinstance(value, type) and issubclass(value, base)
    }
    for step in json.loads(policy):
        ((name, arguments),) = step.items()
        if name not in known:
            error = unknown_name(f"transform in {source}:", name, known)
            raise error
        transforms.append(_transform(known[name], arguments or {}, source))
    return albumentations.Compose(transforms)


def _transform(kind: type, arguments: Mapping[str, Any], source: str) -> Any:
    """Build one transform; what albumentations only warns about is refused here."""
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
