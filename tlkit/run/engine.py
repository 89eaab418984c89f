"""Who computes the frozen part: OpenVINO on processors, Keras on GPUs and elsewhere.

Both take the same float32 network. What they answer agrees within a tolerance that is
measured for each run; for one engine it does not depend on how pictures are batched.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import itertools
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from importlib import metadata
from typing import Any, NamedTuple, Protocol

import keras
import ml_dtypes
import numpy as np
import tensorflow as tf

from tlkit.errors import RunError
from tlkit.imports import hidden
from tlkit.run.machine import Memory
from tlkit.workers import cpu_count

# In OpenVINO's words.
PRECISIONS = {"bfloat16": "bf16", "float32": "f32"}
# Pictures that are handed to an engine at a time.
GROUP = 16
# A trial of every plan pays from so many times the pictures that it takes.
WORTH_A_TRIAL = 4


class Engine(Protocol):
    """Computes maps from pictures."""

    name: str
    # What decides the bits of the answer besides network and pictures.
    numerics: str
    # In what it multiplies: "float32", "bfloat16" or "float16".
    compute: str
    # float32 or bfloat16: all that the numbers hold.
    dtype: np.dtype[Any]

    def run(
        self, groups: Iterable[np.ndarray], pictures: int = 0
    ) -> Generator[np.ndarray, None, None]:
        """Compute the maps of groups of pictures, several ahead.

        Args:
            groups: uint8 [n, S, S, 3] each; left alone until their answer came.
            pictures: About how many there are in all, 0 if few.

        Yields:
            float32 [n, H, W, C] for each group, in order.
        """
        ...


def choose_engine(engine: str, device: str) -> str:
    """Which engine a run uses.

    Args:
        engine: "auto" is OpenVINO on a processor where it is installed; "openvino"
            and "keras" insist.
        device: From `device.choose_device`.

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
    if engine == "auto":
        return "openvino" if installed and not device.startswith("gpu") else "keras"
    return engine


class Traced:
    """A network as one TensorFlow function, traced when first used, for any batch.

    Args:
        prefix: uint8 [B, S, S, 3] to [B, H, W, C]; its weights stay as they are.
    """

    def __init__(self, prefix: keras.Model) -> None:
        self.prefix = prefix

    @functools.cached_property
    def function(self) -> Any:
        """A tf ConcreteFunction with the same input and output."""
        image = tf.TensorSpec(self.prefix.input_shape, tf.uint8, "image")
        function = tf.function(
            lambda image: self.prefix(image, training=False), input_signature=[image]
        )
        return function.get_concrete_function()


def build_engine(name: str, network: Traced, memory: Memory) -> Engine:
    """The engine of this name for a network.

    Args:
        name: "openvino" or "keras".
        network: What it computes.
        memory: Where measurements of this machine are kept.

    Returns:
        The engine; nothing slow has happened yet.
    """
    if name == "openvino":
        return OpenVinoEngine(network, memory)
    return KerasEngine(network)


class KerasEngine:
    """Keras itself, as one compiled function; in the precision of the network.

    Args:
        network: What it computes.
    """

    name = "keras"
    # One is computed while the one before is fetched from the device.
    AHEAD = 1

    def __init__(self, network: Traced) -> None:
        self._network = network
        self.compute = network.prefix.layers[-1].compute_dtype
        kind = "gpu" if tf.config.list_logical_devices("GPU") else "cpu"
        self.numerics = f"keras {keras.__version__} tensorflow {tf.__version__}"
        self.numerics += f" {self.compute} {kind}"
        self.dtype = np.dtype(np.float32)

    def run(
        self, groups: Iterable[np.ndarray], pictures: int = 0
    ) -> Generator[np.ndarray, None, None]:
        """See Engine; `pictures` changes nothing here."""
        del pictures
        waiting: deque[Any] = deque()
        for group in groups:
            waiting.append(self._network.function(tf.constant(group)))
            if len(waiting) > self.AHEAD:
                yield np.asarray(waiting.popleft(), np.float32)
        for answer in waiting:
            yield np.asarray(answer, np.float32)


class Plan(NamedTuple):
    """How OpenVINO divides the work: pictures a request, requests at once."""

    batch: int
    streams: int


class OpenVinoEngine:
    """OpenVINO on the processor: bfloat16 where it computes that, else float32.

    Args:
        network: What it computes.
        memory: Where the plan that was the fastest is kept for the next time.
    """

    name = "openvino"

    def __init__(self, network: Traced, memory: Memory) -> None:
        # Its telemetry would send what it converts, and when, to its makers.
        with hidden("openvino_telemetry"):
            openvino = importlib.import_module("openvino")
            importlib.import_module("openvino.tools.ovc")
        self._openvino = openvino
        self._core = openvino.Core()
        self._network = network
        self._memory = memory
        able = self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        # Where there is no such instruction it would be emulated, at a fifth of the
        # speed of float32.
        narrow = "BF16" in able
        self.compute = "bfloat16" if narrow else "float32"
        self.dtype = np.dtype(ml_dtypes.bfloat16 if narrow else np.float32)
        self.numerics = f"openvino {metadata.version('openvino')} {self.compute}"
        self.plan = Plan(8, cpu_count())
        self._compiled: dict[Plan, list[Any]] = {}

    @functools.cached_property
    def _model(self) -> Any:
        return self._openvino.convert_model(self._network.function)

    def run(
        self, groups: Iterable[np.ndarray], pictures: int = 0
    ) -> Generator[np.ndarray, None, None]:
        """See Engine; with many pictures the first are used to choose the plan."""
        source = iter(groups)
        prefix = self._network.prefix
        key = f"{self.numerics} {prefix.count_params()} {prefix.input_shape[1]}"
        known = self._memory.get(key)
        if known:
            self.plan = Plan(*known)
        else:
            plans = candidates(cpu_count())
            needed = sum(GROUP * trial_groups(plan) for plan in plans)
            if pictures >= WORTH_A_TRIAL * needed:
                yield from self._trial(source, plans)
                self._memory.put(key, list(self.plan))
        yield from self._flow(self.plan, source)

    def _trial(
        self, source: Iterator[np.ndarray], plans: list[Plan]
    ) -> Generator[np.ndarray, None, None]:
        """Work with each plan for a moment, on pictures that are wanted anyway."""
        rates = {}
        for plan in plans:
            ready = list(itertools.islice(source, trial_groups(plan)))
            # The first requests set the kernels up.
            yield from self._flow(plan, iter(ready[: plan.streams]))
            began = time.perf_counter()
            answers = list(self._flow(plan, iter(ready[plan.streams :])))
            pictures = sum(map(len, answers))
            rates[plan] = pictures / (time.perf_counter() - began)
            yield from answers
        self.plan = max(rates, key=lambda plan: rates[plan])

    def _compile(self, plan: Plan) -> list[Any]:
        """One request a stream, and one more that waits its turn."""
        if plan in self._compiled:
            return self._compiled[plan]
        settings = {
            "INFERENCE_PRECISION_HINT": PRECISIONS[self.compute],
            "NUM_STREAMS": plan.streams,
            "INFERENCE_NUM_THREADS": cpu_count(),
        }
        compiled = self._core.compile_model(self._model, "CPU", settings)
        requests = [compiled.create_infer_request() for _ in range(plan.streams + 1)]
        self._compiled[plan] = requests
        return requests

    def _flow(
        self, plan: Plan, groups: Iterator[np.ndarray]
    ) -> Generator[np.ndarray, None, None]:
        """Keep all requests busy; hand the answers on, whole groups in order."""
        idle = deque(self._compile(plan))
        for request in idle:
            request.wait()  # for what an earlier caller has not waited
        # The pieces are kept, for the requests read them in place.
        waiting: deque[tuple[Any, bool, np.ndarray]] = deque()
        parts: list[np.ndarray] = []
        for piece, ends in _pieces(groups, plan.batch):
            if not idle:
                request, ended, _ = waiting.popleft()
                parts.append(_answer(request))
                idle.append(request)
                if ended:
                    yield np.concatenate(parts)
                    parts = []
            request = idle.popleft()
            request.start_async([piece], share_inputs=True)
            waiting.append((request, ends, piece))
        for request, ended, _ in waiting:
            parts.append(_answer(request))
            if ended:
                yield np.concatenate(parts)
                parts = []


def candidates(cores: int) -> list[Plan]:
    """The plans worth a trial on a processor.

    Args:
        cores: Its number of cores.

    Returns:
        Many small requests at once, fewer large ones, and one that uses all cores.
    """
    plans = [Plan(8, cores), Plan(16, cores), Plan(16, max(1, cores // 4)), Plan(16, 1)]
    return list(dict.fromkeys(plans))


def trial_groups(plan: Plan) -> int:
    """Groups of pictures that show how fast a plan is, those to warm up included."""
    return plan.streams + max(2, plan.streams)


def _pieces(
    groups: Iterator[np.ndarray], batch: int
) -> Iterator[tuple[np.ndarray, bool]]:
    """Parts of at most `batch` pictures, and whether one is the last of its group."""
    for group in groups:
        for start in range(0, len(group), batch):
            yield group[start : start + batch], start + batch >= len(group)


def _answer(request: Any) -> np.ndarray:
    request.wait()
    # The request overwrites its output next time.
    answer: np.ndarray = np.array(request.get_output_tensor().data, np.float32)
    return answer
