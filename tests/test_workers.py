import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tlkit import shared_arrays
from tlkit.errors import TlkitError
from tlkit.shared_arrays import SharedArrays
from tlkit.workers import arrays_in_order, in_order, warm_up


def square(x):
    return x * x


def die(x):
    os._exit(3)


def test_results_come_in_the_order_of_the_items():
    assert list(in_order(square, range(50), workers=2)) == [x * x for x in range(50)]


def test_endless_items_are_drawn_only_as_needed():
    drawn = []

    def endless():
        i = 0
        while True:
            drawn.append(i)
            yield i
            i += 1

    stream = in_order(square, endless(), workers=2, ahead=6)
    assert [next(stream) for _ in range(5)] == [0, 1, 4, 9, 16]
    assert len(drawn) <= 5 + 6
    stream.close()


def test_zero_workers_work_in_this_process():
    assert list(in_order(lambda x: x + 1, [1, 2], workers=0)) == [2, 3]


def test_a_dead_worker_is_an_error_with_a_hint():
    with pytest.raises(TlkitError, match="memory"):
        list(in_order(die, [1, 2, 3], workers=1))


def test_processes_are_kept_between_calls():
    first = set(in_order(process, range(20), workers=1))
    again = set(in_order(process, range(20), workers=1))
    assert again == first
    assert os.getpid() not in first


def process(_):
    return os.getpid()


def test_after_a_death_there_are_new_ones():
    with pytest.raises(TlkitError, match="memory"):
        list(in_order(die, [1], workers=1))
    assert list(in_order(square, [3], workers=1)) == [9]


def fill(number, out):
    out[:] = number
    return number * number


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_arrays_are_filled_in_order(workers):
    shape = (2, 3)
    stream = arrays_in_order(fill, range(100), shape, workers=workers)
    for i, (array, result) in enumerate(stream):
        assert array.shape == shape
        assert (array == i).all()
        assert result == i * i
    assert i == 99


def test_arrays_are_drawn_only_as_needed_and_their_file_is_removed(monkeypatch):
    made: list[str] = []
    drawn: list[int] = []
    reserve = shared_arrays._reserve

    def noted(size):
        made.append(reserve(size))
        return made[-1]

    monkeypatch.setattr(shared_arrays, "_reserve", noted)

    def endless():
        while True:
            drawn.append(len(drawn) % 200)
            yield drawn[-1]

    stream = arrays_in_order(fill, endless(), (4,), workers=2)
    taken = [next(stream)[0].copy() for _ in range(30)]
    assert [array[0] for array in taken] == list(range(30))
    # 4 a worker, and the one that is with the caller.
    assert len(drawn) <= 30 + 9
    assert Path(made[0]).exists()
    stream.close()
    assert not Path(made[0]).exists()


def test_memory_for_arrays_is_bounded():
    assert SharedArrays.affordable((4, 224, 224, 3), 9) == 9
    # 100 MB each: two fit into 256 MiB.
    assert SharedArrays.affordable((100_000_000,), 9) == 2
    assert SharedArrays.affordable((500_000_000,), 9) == 2


def test_without_room_in_memory_a_file_on_disk_serves(monkeypatch):
    sizes = []
    allocate = os.posix_fallocate

    def full_once(handle, start, size):
        sizes.append(size)
        if len(sizes) == 1:
            raise OSError(28, "No space left on device")
        allocate(handle, start, size)

    monkeypatch.setattr(os, "posix_fallocate", full_once)
    with SharedArrays(3, (5,)) as arrays:
        arrays.array[:] = 7
        assert (np.fromfile(arrays.path, np.uint8) == 7).all()
        place = arrays.path
    assert not Path(place).exists()


def get_ready():
    return None


def test_workers_can_be_warmed_up():
    warm_up(get_ready, 1)
    warm_up(get_ready, 0)
    assert list(in_order(square, [2], workers=1)) == [4]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks into /proc")
def test_workers_end_with_a_parent_that_is_killed():
    code = (
        "import os, time\n"
        "from tlkit.workers import arrays_in_order\n"
        "from tests.test_workers import own_id\n"
        "stream = arrays_in_order(own_id, range(99), (8,), workers=2)\n"
        "for _ in range(5): print(next(stream)[1], flush=True)\n"
        "time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout
        workers = {int(parent.stdout.readline()) for _ in range(5)}
        assert all(Path(f"/proc/{worker}").exists() for worker in workers)
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{worker}").exists() for worker in workers):
        assert time.monotonic() < deadline, "workers outlived their parent"
        time.sleep(0.1)


def own_id(_, out):
    out[:] = 0
    return os.getpid()
