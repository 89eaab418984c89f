"""The choice of an engine: OpenVINO on processors, Keras on GPUs and elsewhere.

Both compute the same float32 network. Their results agree within a tolerance that is
measured for each run; those of one engine do not depend on how images are batched.
"""

from __future__ import annotations

import importlib.util

from tlkit.errors import RunError
from tlkit.features.engines.base import Engine, FrozenNetwork
from tlkit.features.engines.keras import KerasEngine
from tlkit.features.engines.openvino import OpenVinoEngine
from tlkit.features.machine import Measurements
from tlkit.progress import Progress


def choose_engine(engine: str, device: str, progress: Progress) -> str:
    """Return the engine for a device: "auto" is OpenVINO on processors that have it."""
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
    name: str, network: FrozenNetwork, measurements: Measurements, device: str
) -> Engine:
    """Build the engine of this name for a network."""
    if name == "openvino":
        return OpenVinoEngine(network, measurements)
    return KerasEngine(network, device)
