"""Worker processes for pictures: items in, results out in the same order, bounded."""

from __future__ import annotations

import itertools
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from loky import ProcessPoolExecutor

from tlkit.errors import TlkitError

Item = TypeVar("Item")
Result = TypeVar("Result")


def cpu_count() -> int:
    """The number of processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_order(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int | None = None,
    ahead: int | None = None,
) -> Generator[Result, None, None]:
    """Apply a function to every item in worker processes, keeping the order.

    The processes are started afresh (never forked), so that they hold neither
    TensorFlow nor its threads, and a script needs no `__main__` guard.

    Args:
        function: A module-level function; it runs in another process.
        items: What it is applied to; may be endless, is drawn as needed.
        workers: Number of processes, one a processor by default; 0 works in this one.
        ahead: At most so many items are begun and not yet handed on, so that memory
            does not grow with the number of items; four a worker by default.

    Yields:
        `function(item)` for each item, in the order of the items.

    Raises:
        TlkitError: A worker process was killed, as a system short of memory does.
    """
    workers = cpu_count() if workers is None else workers
    if workers == 0:
        yield from map(function, items)
        return
    # Workers decode and warp: hidden GPUs and single-threaded pools keep them out of
    # the way of the process that trains.
    env = {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    pool = ProcessPoolExecutor(max_workers=workers, env=env)
    source = iter(items)
    pending: deque[Future[Result]] = deque()
    try:
        for item in itertools.islice(source, ahead or 4 * workers):
            pending.append(pool.submit(function, item))
        while pending:
            result = pending.popleft().result()
            for item in itertools.islice(source, 1):
                pending.append(pool.submit(function, item))
            yield result
    except BrokenProcessPool as error:
        raise TlkitError(
            "A worker process was killed before it had finished a picture.",
            hint="Most often memory ran out: try fewer workers or smaller pictures.",
        ) from error
    finally:
        pool.shutdown(wait=True, kill_workers=True)
