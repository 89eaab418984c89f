"""OpenVINO as the engine: the frozen network at the speed of the processor."""

from __future__ import annotations

import functools
import importlib
import itertools
import tempfile
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
from tensorflow.python.framework.convert_to_constants import (
    convert_variables_to_constants_v2,
)

from tlkit.features.engines.traced import GROUP, Traced
from tlkit.features.machine import Memory
from tlkit.imports import hidden
from tlkit.workers import cpu_count

# In OpenVINO's words.
PRECISIONS = {"bfloat16": "bf16", "float32": "f32"}
# A trial of every plan pays from so many times the images that it takes.
WORTH_A_TRIAL = 4


class Plan(NamedTuple):
    """How OpenVINO divides the work: images a request, requests at once."""

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
        self._network = network
        self._memory = memory
        version = metadata.version("openvino")
        self.compute = self._precision(f"openvino {version} computes in")
        self.numerics = f"openvino {version} {self.compute}"
        narrow = self.compute == "bfloat16"
        self.dtype = np.dtype(ml_dtypes.bfloat16 if narrow else np.float32)
        self.plan = Plan(8, cpu_count())
        self._compiled: dict[Plan, list[Any]] = {}

    def _precision(self, key: str) -> str:
        """What this processor computes in; remembered, to save the import."""
        known = self._memory.get(key)
        if known:
            return str(known)
        able = self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        # Where there is no such instruction it would be emulated, at a fifth of the
        # speed of float32.
        precision = "bfloat16" if "BF16" in able else "float32"
        self._memory.put(key, precision)
        return precision

    @functools.cached_property
    def _core(self) -> Any:
        # Its telemetry would send what is converted, and when, to its makers.
        with hidden("openvino_telemetry"):
            return importlib.import_module("openvino").Core()

    def only(self, ends: Sequence[int]) -> OpenVinoEngine:
        """See Engine."""
        return OpenVinoEngine(self._network.only(ends), self._memory)

    @functools.cached_property
    def _model(self) -> tuple[Any, list[str]]:
        """The network as OpenVINO has it, and the names of its outputs in order."""
        # By way of a file: three times as fast as openvino.convert_model, which
        # decodes every operation in Python.
        frozen = convert_variables_to_constants_v2(self._network.function)
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            path = Path(folder, "prefix.pb")
            path.write_bytes(frozen.graph.as_graph_def().SerializeToString())
            names = [output.name for output in frozen.outputs]
            return self._core.read_model(path), names

    def run(
        self, groups: Iterable[np.ndarray], images: int = 0
    ) -> Generator[tuple[np.ndarray, ...], None, None]:
        """See Engine; with many images the first are used to choose the plan."""
        source = iter(groups)
        prefix = self._network.prefix
        key = f"{self.numerics} {prefix.count_params()} {prefix.input_shape[1]}"
        known = self._memory.get(key)
        if known:
            self.plan = Plan(*known)
        else:
            plans = candidates(cpu_count())
            needed = sum(GROUP * trial_groups(plan) for plan in plans)
            if images >= WORTH_A_TRIAL * needed:
                yield from self._trial(source, plans)
                self._memory.put(key, list(self.plan))
        yield from self._flow(self.plan, source)

    def _trial(
        self, source: Iterator[np.ndarray], plans: list[Plan]
    ) -> Generator[tuple[np.ndarray, ...], None, None]:
        """Work with each plan for a moment, on images that are wanted anyway."""
        rates = {}
        for plan in plans:
            ready = list(itertools.islice(source, trial_groups(plan)))
            # The first requests set the kernels up.
            yield from self._flow(plan, iter(ready[: plan.streams]))
            began = time.perf_counter()
            answers = list(self._flow(plan, iter(ready[plan.streams :])))
            images = sum(len(maps[0]) for maps in answers)
            rates[plan] = images / (time.perf_counter() - began)
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
        model, _ = self._model
        compiled = self._core.compile_model(model, "CPU", settings)
        requests = [compiled.create_infer_request() for _ in range(plan.streams + 1)]
        self._compiled[plan] = requests
        return requests

    def _flow(
        self, plan: Plan, groups: Iterator[np.ndarray]
    ) -> Generator[tuple[np.ndarray, ...], None, None]:
        """Keep all requests busy; hand the answers on, whole groups in order."""
        idle = deque(self._compile(plan))
        _, names = self._model
        for request in idle:
            request.wait()  # for what an earlier caller has not waited
        # The pieces are kept, for the requests read them in place.
        waiting: deque[tuple[Any, bool, np.ndarray]] = deque()
        parts: list[list[np.ndarray]] = []
        for piece, ends in _pieces(groups, plan.batch):
            if not idle:
                request, ended, _ = waiting.popleft()
                parts.append(_answer(request, names))
                idle.append(request)
                if ended:
                    yield _joined(parts)
                    parts = []
            request = idle.popleft()
            request.start_async([piece], share_inputs=True)
            waiting.append((request, ends, piece))
        for request, ended, _ in waiting:
            parts.append(_answer(request, names))
            if ended:
                yield _joined(parts)
                parts = []


def candidates(cores: int) -> list[Plan]:
    """The plans worth a trial on a processor."""
    plans = [Plan(8, cores), Plan(16, cores), Plan(16, max(1, cores // 4)), Plan(16, 1)]
    return list(dict.fromkeys(plans))


def trial_groups(plan: Plan) -> int:
    """Groups of images that show how fast a plan is, those to warm up included."""
    return plan.streams + max(2, plan.streams)


def _pieces(
    groups: Iterator[np.ndarray], batch: int
) -> Iterator[tuple[np.ndarray, bool]]:
    """Parts of at most `batch` images, and whether one is the last of its group."""
    for group in groups:
        for start in range(0, len(group), batch):
            yield group[start : start + batch], start + batch >= len(group)


def _answer(request: Any, names: list[str]) -> list[np.ndarray]:
    request.wait()
    # The request overwrites its outputs next time.
    return [np.array(request.get_tensor(name).data, np.float32) for name in names]


def _joined(parts: list[list[np.ndarray]]) -> tuple[np.ndarray, ...]:
    return tuple(np.concatenate(pieces) for pieces in zip(*parts, strict=True))
