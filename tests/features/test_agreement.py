"""The agreement of two engines about a network."""

import numpy as np
import pytest

from tlkit.features.agreement import worst_cosine


def test_the_worst_cosine():
    a = np.array([[1.0, 0.0], [0.0, 2.0]])
    assert worst_cosine(a, a) == pytest.approx(1)
    rotated = np.array([[3.0, 3.0], [0.0, 1.0]])
    assert worst_cosine(a, rotated) == pytest.approx(0.5**0.5)
    # Networks with random weights may give next to nothing.
    tiny = (1e-20 * a).astype(np.float32)
    assert worst_cosine(tiny, tiny) == pytest.approx(1)
    nothing = np.zeros((2, 2))
    assert worst_cosine(nothing, nothing) == 1
    assert worst_cosine(nothing, a) == 0
