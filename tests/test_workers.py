import os

import pytest

from tlkit.errors import TlkitError
from tlkit.workers import in_order


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


def test_a_dead_worker_is_an_error_that_says_what_to_do():
    with pytest.raises(TlkitError, match="memory"):
        list(in_order(die, [1, 2, 3], workers=1))
