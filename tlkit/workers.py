"""Worker processes that apply a function to items, in order and in bounded memory.

The processes are kept between calls, since starting one costs seconds of imports. They
are spawned, not forked, so that they hold neither TensorFlow nor its threads, and a
script needs no `__main__` guard. They end with the process that started them, however
that one ends.
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
# Workers decode and warp: without GPUs and with one thread each they leave the machine
# to the process that trains.
ENVIRONMENT = {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}

KILLED = "A worker process was killed before it had finished an image."
KILLED_HINT = "Use fewer workers or smaller images: most often memory ran out."

_pools: dict[int, ProcessPoolExecutor] = {}
_lock = threading.Lock()


def cpu_count() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def warm_up(function: Callable[[], None], workers: int | None = None) -> None:
    """Let the worker processes import modules while this one goes on.

    Args:
        function: Module-level function that imports what their work will need.
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
        function: Module-level function; it runs in another process.
        items: Its arguments; may be endless, drawn as needed.
        workers: Number of processes, one per processor by default; 0 works in this
            process.
        ahead: Most items that are begun and not yet yielded, so that memory does not
            grow with the number of items; four per worker by default.

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
    """Apply a function that fills an array to every item, as `in_order` does.

    The arrays are shared with the workers, not copied.

    Args:
        function: Module-level function of an item and a uint8 array to write to.
        items: Its arguments; may be endless, drawn as needed.
        shape: Shape of every array.
        workers: As for `in_order`.

    Yields:
        The array, valid until the next one is drawn, and the result of the function.
    """
    workers = cpu_count() if workers is None else workers
    if workers == 0:
        own = np.empty(shape, np.uint8)
        for item in items:
            result = function(item, own)
            yield own, result
        return
    # One array is with the caller while the others are being filled.
    ahead = SharedArrays.affordable(shape, 4 * workers + 1)
    with SharedArrays(ahead, shape) as arrays:
        slots = itertools.cycle(range(ahead))
        calls = (
            (_fill, function, item, arrays.path, ahead, shape, slot)
            for item, slot in zip(items, slots, strict=False)
        )
        for i, result in enumerate(_results(calls, workers, ahead - 1)):
            yield arrays.array[i % ahead], result


def _results(
    calls: Iterator[tuple[Any, ...]],
    workers: int,
    ahead: int,
) -> Generator[Result, None, None]:
    """Submit calls, (function, *arguments), and yield their results."""
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
    """Start a worker: leave Ctrl-C to the parent, and end when the parent has ended."""
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
    """Fill one of the shared arrays, in a worker."""
    return function(item, attach(path, count, shape)[slot])
