"""The examination of a machine: versions, devices, caches and weights."""

from __future__ import annotations

import platform
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path

import keras
import tensorflow as tf

from tlkit import cache_root as cache
from tlkit import device
from tlkit.backbones.spec import HUB_INSTALL
from tlkit.backbones.table import BACKBONES
from tlkit.backbones.weights.sources import cache_folder, origin
from tlkit.features.cache import contents
from tlkit.runs import result_dir
from tlkit.workers import cpu_count

# The host of Keras' weights; only a connection is opened, nothing is downloaded.
WEIGHTS_HOST = ("storage.googleapis.com", 443)
CPU_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "neon", "asimd")
# Packages that are optional, and the effect of their lack.
OPTIONAL = {
    "openvino": "Keras computes the frozen layers instead, more slowly; pip install "
    "openvino where it has a wheel for this system.",
    "keras-hub": f"Needed for --backbone hub:PRESET alone: {HUB_INSTALL}",
}
LEAST_FREE_GB = 2.0


@dataclass(frozen=True)
class Check:
    """One finding; without a `needed` one that is `fine`, tlkit does not work."""

    name: str
    found: str
    fine: bool = True
    advice: str = ""
    needed: bool = False


def examine() -> list[Check]:
    """Examine this machine.

    Returns:
        The findings, in reading order.
    """
    return [
        *_packages(),
        _processor(),
        _graphics(),
        _backend(),
        _disk(Path.cwd(), "Disk here"),
        _features(),
        _weights_folder(),
        _weights_host(),
    ]


def _packages() -> list[Check]:
    return [_package(name, version) for name, version in result_dir.versions().items()]


def _package(name: str, version: str) -> Check:
    needed = name not in OPTIONAL
    if version != "not installed":
        return Check(name, version, needed=needed)
    again = "pip install tlkit again; without it tlkit does not work."
    return Check(name, version, False, OPTIONAL.get(name, again), needed)


def _processor() -> Check:
    flags: list[str] = []
    info = Path("/proc/cpuinfo")
    if info.is_file():
        words = set(info.read_text(encoding="utf-8", errors="replace").split())
        flags = [flag for flag in CPU_FLAGS if flag in words]
    name = platform.processor() or platform.machine()
    return Check(
        "Processor",
        f"{cpu_count()} cores, {name}, {' '.join(flags) or 'no flags known'}",
    )


def _graphics() -> Check:
    found = device.gpus()
    if found:
        return Check("GPU", ", ".join(found))
    if tf.test.is_built_with_cuda() and shutil.which("nvidia-smi"):
        advice = (
            "There is a driver but TensorFlow sees no GPU: pip install 'tlkit[gpu]'."
        )
        return Check("GPU", "none that TensorFlow sees", False, advice)
    return Check("GPU", "none; training runs on the CPU")


def _backend() -> Check:
    name = keras.backend.backend()
    advice = "Unset KERAS_BACKEND, or set it to tensorflow."
    fine = name == "tensorflow"
    return Check("Keras backend", name, fine, "" if fine else advice, needed=True)


def _disk(folder: Path, name: str) -> Check:
    free = shutil.disk_usage(folder).free / 1e9
    advice = "Runs and weights take up to a gigabyte each: make room."
    fine = free >= LEAST_FREE_GB
    return Check(name, f"{free:.0f} GB free", fine, "" if fine else advice)


def _features() -> Check:
    root = cache.cache_root()
    fault = cache.fault(root)
    if fault:
        advice = "Runs work without it. Fix that, or set TLKIT_CACHE to another folder."
        return Check("Feature cache", fault, False, advice)
    held = sum(content.bytes for content in contents(root))
    most = cache.cap_bytes() / 1e9
    return Check("Feature cache", f"{held / 1e9:.2f} GB of at most {most:g} in {root}")


def _weights_folder() -> Check:
    known = [origin(backbone) for backbone in BACKBONES.values()]
    held = [one.backbone.name for one in known if one.published and one.here]
    listed = ", ".join(held) if held else "none yet"
    return Check("ImageNet weights on this machine", f"{listed} in {cache_folder()}")


def _weights_host() -> Check:
    name = "ImageNet weights from the network"
    try:
        socket.create_connection(WEIGHTS_HOST, timeout=3).close()
    except OSError as error:
        advice = (
            "Offline: tlkit weights add BACKBONE FILE takes a file. --backbone nano "
            "needs none; --weights none trains from scratch."
        )
        return Check(name, f"not reachable ({error})", False, advice)
    return Check(name, "reachable")
