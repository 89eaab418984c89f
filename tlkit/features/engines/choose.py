"""Who computes the frozen part: OpenVINO on processors, Keras on GPUs and elsewhere.

Both take the same float32 network. What they answer agrees within a tolerance that is
measured for each run; for one engine it does not depend on how images are batched.
"""

from __future__ import annotations

import importlib.util

from tlkit.errors import RunError
from tlkit.features.engines.keras import KerasEngine
from tlkit.features.engines.openvino import OpenVinoEngine
from tlkit.features.engines.traced import Engine, Traced
from tlkit.features.machine import Memory
from tlkit.progress import Progress


def choose_engine(engine: str, device: str, progress: Progress) -> str:
    """Which engine a run uses.

    Args:
        engine: "auto" is OpenVINO on a processor where it is installed; "openvino"
            and "keras" insist.
        device: From `device.choose_device`.
        progress: Told if there is a faster one that is not installed.

    Returns:
        "openvino" or "keras".

    Raises:
        RunError: OpenVINO was asked for and is not there.
    """
    installed = importlib.util.find_spec("openvino") is not None
    if engine == "openvino" and not installed:
        raise RunError(
            "--engine openvino: OpenVINO is not installed here.",
            hint="pip install openvino, where it has a wheel for this system; or use "
            "--engine keras.",
        )
    if engine != "auto":
        return engine
    if device.startswith("gpu"):
        return "keras"
    if not installed:
        progress.note(
            "OpenVINO is not installed here: Keras computes the frozen layers, more "
            "slowly"
        )
    return "openvino" if installed else "keras"


def build_engine(
    name: str, network: Traced, memory: Memory, device: str = "cpu:0"
) -> Engine:
    """The engine of this name for a network."""
    if name == "openvino":
        return OpenVinoEngine(network, memory)
    return KerasEngine(network, device)
