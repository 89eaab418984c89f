"""OpenVINO as the engine: the frozen network at the speed of the processor."""

from __future__ import annotations

import functools
import importlib
import tempfile
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
from tensorflow.python.framework.convert_to_constants import (
    convert_variables_to_constants_v2,
)

from tlkit.features.engines.base import FrozenNetwork
from tlkit.features.machine import Measurements
from tlkit.imports import hidden
from tlkit.workers import cpu_count

# OpenVINO's own words.
PRECISIONS = {"bfloat16": "bf16", "float32": "f32"}
# With one request a core, the fastest of all divisions of the work that were measured
# (tests/benchmarks/RESULTS.md, "Prefix throughput").
IMAGES_PER_REQUEST = 8


class OpenVinoEngine:
    """OpenVINO on the processor: bfloat16 where that has instructions, else float32."""

    name = "openvino"

    def __init__(self, network: FrozenNetwork, measurements: Measurements) -> None:
        self._network = network
        self._measurements = measurements
        version = metadata.version("openvino")
        self.compute = self._precision(f"openvino {version} computes in")
        self.numerics = f"openvino {version} {self.compute}"
        narrow = self.compute == "bfloat16"
        self.dtype = np.dtype(ml_dtypes.bfloat16 if narrow else np.float32)
        self.batch, self.streams = IMAGES_PER_REQUEST, cpu_count()

    def _precision(self, key: str) -> str:
        """Return what this processor computes in; remembered, to save the import."""
        known = self._measurements.get(key)
        if known:
            return str(known)
        able = self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        # Where there is no such instruction it would be emulated, at a fifth of the
        # speed of float32.
        precision = "bfloat16" if "BF16" in able else "float32"
        self._measurements.put(key, precision)
        return precision

    def only(self, outputs: Sequence[int]) -> OpenVinoEngine:
        """See Engine."""
        return OpenVinoEngine(self._network.only(outputs), self._measurements)

    @functools.cached_property
    def _core(self) -> Any:
        # Its telemetry would send what is converted, and when, to its makers.
        with hidden("openvino_telemetry"):
            return importlib.import_module("openvino").Core()

    @functools.cached_property
    def _requests(self) -> tuple[list[Any], list[str]]:
        """One inference request a stream and one to wait; the names of the outputs."""
        # By way of a file: three times as fast as openvino.convert_model, which
        # decodes every operation in Python.
        frozen = convert_variables_to_constants_v2(self._network.function)
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            path = Path(folder, "prefix.pb")
            path.write_bytes(frozen.graph.as_graph_def().SerializeToString())
            model = self._core.read_model(path)
        settings = {
            "INFERENCE_PRECISION_HINT": PRECISIONS[self.compute],
            "NUM_STREAMS": self.streams,
            "INFERENCE_NUM_THREADS": cpu_count(),
        }
        compiled = self._core.compile_model(model, "CPU", settings)
        requests = [compiled.create_infer_request() for _ in range(self.streams + 1)]
        return requests, [output.name for output in frozen.outputs]

    def run(
        self, groups: Iterable[np.ndarray]
    ) -> Generator[tuple[np.ndarray, ...], None, None]:
        """See Engine; keeps all requests busy, and yields whole groups in order."""
        requests, names = self._requests
        idle = deque(requests)
        for request in requests:
            request.wait()  # an earlier caller may have left it running
        # The pieces are kept, for the requests read them in place.
        waiting: deque[tuple[Any, bool, np.ndarray]] = deque()
        parts: list[list[np.ndarray]] = []

        def finish() -> tuple[np.ndarray, ...] | None:
            """Collect the oldest request; return the group that it completes."""
            request, ends_group, _ = waiting.popleft()
            request.wait()
            # Copies: the request overwrites its outputs next time.
            tensors = (request.get_tensor(name).data for name in names)
            parts.append([np.array(tensor, np.float32) for tensor in tensors])
            idle.append(request)
            if not ends_group:
                return None
            group = tuple(np.concatenate(p) for p in zip(*parts, strict=True))
            parts.clear()
            return group

        for piece, ends_group in _pieces(groups, self.batch):
            if not idle and (group := finish()):
                yield group
            request = idle.popleft()
            request.start_async([piece], share_inputs=True)
            waiting.append((request, ends_group, piece))
        while waiting:
            if group := finish():
                yield group


def _pieces(
    groups: Iterable[np.ndarray], batch: int
) -> Iterator[tuple[np.ndarray, bool]]:
    """Yield parts of at most `batch` images, and whether each ends its group."""
    for group in groups:
        for start in range(0, len(group), batch):
            yield group[start : start + batch], start + batch >= len(group)
