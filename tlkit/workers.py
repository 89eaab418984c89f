"""Worker processes for images: items in, results out in the same order, bounded.

The processes are kept between calls, since starting one costs seconds of imports. They
are started afresh (never forked), so that they hold neither TensorFlow nor its threads,
and a script needs no `__main__` guard. They end with the process that started them,
however that one ends.
"""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

import numpy as np
from loky import ProcessPoolExecutor

from tlkit.errors import TlkitError
from tlkit.shared_arrays import SharedArrays, attach

Item = TypeVar("Item")
Result = TypeVar("Result")

# Seconds without work after which a worker process ends.
IDLE = 60
# Workers decode and warp: hidden GPUs and single-threaded pools keep them out of the
# way of the process that trains.
ENVIRONMENT = {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}

KILLED = "A worker process was killed before it had finished an image."
KILLED_HINT = "Most often memory ran out: try fewer workers or smaller images."

_pools: dict[int, ProcessPoolExecutor] = {}
_lock = threading.Lock()


def cpu_count() -> int:
    """The number of processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def warm_up(function: Callable[[], None], workers: int | None = None) -> None:
    """Let the worker processes get ready, while this one does something else.

    Args:
        function: A module-level function that imports what their work will need.
        workers: As for `in_order`.
    """
    workers = cpu_count() if workers is None else workers
    for _ in range(workers):
        _pool(workers).submit(function)


def in_order(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int | None = None,
    ahead: int | None = None,
) -> Generator[Result, None, None]:
    """Apply a function to every item in worker processes, keeping the order.

    Args:
        function: A module-level function; it runs in another process.
        items: What it is applied to; may be endless, is drawn as needed.
        workers: Number of processes, one a processor by default; 0 works in this one.
        ahead: At most so many items are begun and not yet handed on, so that memory
            does not grow with the number of items; four a worker by default.

    Yields:
        `function(item)` for each item, in the order of the items.
    """
    workers = cpu_count() if workers is None else workers
    if workers == 0:
        yield from map(function, items)
        return
    calls = ((function, item) for item in items)
    yield from _results(calls, workers, ahead or 4 * workers)


def arrays_in_order(
    function: Callable[[Item, np.ndarray], Result],
    items: Iterable[Item],
    shape: tuple[int, ...],
    *,
    workers: int | None = None,
) -> Generator[tuple[np.ndarray, Result], None, None]:
    """As `in_order`, for functions that fill an array: it is shared, not copied.

    Args:
        function: Takes an item and a uint8 array of this shape to write to.
        items: What it is applied to; may be endless, is drawn as needed.
        shape: Of every array.
        workers: Number of processes, one a processor by default; 0 works in this one.

    Yields:
        The array, good until the next one is asked for, and what the function said.
    """
    workers = cpu_count() if workers is None else workers
    if workers == 0:
        own = np.empty(shape, np.uint8)
        for item in items:
            said = function(item, own)
            yield own, said
        return
    # One array is with the caller, while the others are being filled.
    ahead = SharedArrays.affordable(shape, 4 * workers + 1)
    with SharedArrays(ahead, shape) as arrays:
        slots = itertools.cycle(range(ahead))
        calls = (
            (_fill, function, item, arrays.path, ahead, shape, slot)
            for item, slot in zip(items, slots, strict=False)
        )
        for i, said in enumerate(_results(calls, workers, ahead - 1)):
            yield arrays.array[i % ahead], said


class Aside:
    """Calls that a process of its own makes, while this one goes on.

    Args:
        get_ready: A module-level function that imports what they will need.
        workers: 0 makes every call at once, in this process.
    """

    def __init__(self, get_ready: Callable[[], None], workers: int | None) -> None:
        self._pool = None if workers == 0 else _pool(1)
        self._pending: list[Future[None]] = []
        if self._pool:
            self._pending.append(self._pool.submit(get_ready))

    def __call__(self, function: Callable[..., None], *arguments: object) -> None:
        """Make a call, or have it made."""
        if self._pool:
            self._pending.append(self._pool.submit(function, *arguments))
        else:
            function(*arguments)

    def wait(self) -> None:
        """Return when all calls are made.

        Raises:
            TlkitError: The process was killed.
        """
        try:
            for future in self._pending:
                future.result()
        except BrokenProcessPool as error:
            _discard(1)
            raise TlkitError(KILLED, hint=KILLED_HINT) from error


def _results(
    calls: Iterator[tuple[Any, ...]],
    workers: int,
    ahead: int,
) -> Generator[Result, None, None]:
    """Submit calls, (function, *arguments), and hand on what they return."""
    pool = _pool(workers)
    pending: deque[Future[Result]] = deque()
    try:
        for call in itertools.islice(calls, ahead):
            pending.append(pool.submit(*call))
        while pending:
            result = pending.popleft().result()
            for call in itertools.islice(calls, 1):
                pending.append(pool.submit(*call))
            yield result
    except BrokenProcessPool as error:
        _discard(workers)
        raise TlkitError(KILLED, hint=KILLED_HINT) from error
    except KeyboardInterrupt:
        _discard(workers)
        raise
    finally:
        for future in pending:
            future.cancel()


def _pool(workers: int) -> ProcessPoolExecutor:
    with _lock:
        if workers not in _pools:
            _pools[workers] = ProcessPoolExecutor(
                max_workers=workers,
                timeout=IDLE,
                env=ENVIRONMENT,
                initializer=_begin,
                initargs=(os.getpid(),),
            )
        return _pools[workers]


def _discard(workers: int) -> None:
    with _lock:
        pool = _pools.pop(workers, None)
    if pool is not None:
        pool.shutdown(wait=True, kill_workers=True)


def _begin(parent: int) -> None:
    """First thing in a worker: leave Ctrl-C to the parent, and end when it has gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    if os.name == "posix":
        threading.Thread(target=watch, daemon=True).start()


def _fill(
    function: Callable[[Item, np.ndarray], Result],
    item: Item,
    path: str,
    count: int,
    shape: tuple[int, ...],
    slot: int,
) -> Result:
    """In a worker: fill one of the shared arrays."""
    return function(item, attach(path, count, shape)[slot])
