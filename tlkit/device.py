"""The device of a run, a processor or a graphics card, and its precision."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import keras
import tensorflow as tf

from tlkit.errors import RunError


def gpus() -> list[str]:
    """Return the names of the graphics cards that TensorFlow can use here.

    Returns:
        Names as TensorFlow gives them.
    """
    return [device.name for device in tf.config.list_physical_devices("GPU")]


def choose_device(device: str) -> str:
    """Return the device that a run uses.

    Args:
        device: "auto" takes a GPU where there is one, "cpu" and "gpu" insist.

    Returns:
        A name for `keras.device`.

    Raises:
        RunError: A GPU was asked for and there is none; never a silent fallback.
    """
    found = gpus()
    if device == "gpu" and not found:
        raise RunError(
            "--device gpu: TensorFlow sees no GPU on this machine.",
            hint="Run tlkit doctor to see why, or use --device cpu.",
        )
    return "gpu:0" if found and device != "cpu" else "cpu:0"


def choose_precision(precision: str, device: str) -> str:
    """Return the dtype policy that training runs in.

    Args:
        precision: "auto", "float32", "mixed_float16" or "mixed_bfloat16"; "auto" is
            mixed_float16 on a GPU.
        device: From `choose_device`.

    Returns:
        The name of a keras.DTypePolicy.
    """
    if precision != "auto":
        return precision
    return "mixed_float16" if device.startswith("gpu") else "float32"


@contextlib.contextmanager
def dtype_policy(name: str) -> Iterator[None]:
    """Give new layers a dtype policy inside a `with`.

    Args:
        name: Such as "mixed_float16".

    Yields:
        Nothing; the policy of before is set again at the end.
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
