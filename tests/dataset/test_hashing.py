from __future__ import annotations

import numpy as np
import pytest

from tlkit.dataset.hashing import Hasher
from tlkit.errors import TlkitError


def test_imagededup_that_cannot_be_loaded():
    class Broken:
        def submit(self, *_):
            raise ImportError("no torch")  # as the process that hashes would

    other = Hasher.__new__(Hasher)
    other._pool = Broken()
    with pytest.raises(TlkitError, match="no torch") as caught:
        other.hashes([np.zeros((128, 128), np.uint8)])
    assert "--no-near" in caught.value.hint
