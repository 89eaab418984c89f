from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from scipy.fftpack import dct

from tlkit.dataset.inspection import hashing
from tlkit.dataset.inspection.hashing import cosines, perceptual_hash
from tlkit.errors import TlkitError


def test_bits_are_the_signs_of_low_frequencies(draw):
    luma = draw(0, 0, 32)[:, :, 0]
    low = dct(dct(luma.astype(float), axis=0), axis=1)[:8, :8]
    median = np.median(np.ndarray.flatten(low)[1:])
    expected = int("".join("01"[int(v >= median)] for v in low.ravel()), 2)
    assert perceptual_hash(luma) == expected


def test_it_comes_without_torch_and_leaves_the_package_whole():
    code = (
        "import sys, numpy\n"
        "from tlkit.dataset.inspection.hashing import cosines, perceptual_hash\n"
        "perceptual_hash(numpy.zeros((32, 32), numpy.uint8))\n"
        "cosines(numpy.ones((2, 3), numpy.float32), 1)\n"
        "print(sorted({'torch', 'imagededup.methods', 'imagededup.utils'} "
        "& set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_cosines_by_hand():
    rows = np.array([[2, 0], [0, 1], [3, 4], [0, 0]], np.float32)
    found = cosines(rows, 2)
    np.testing.assert_allclose(found, [[1, 0, 0.6, 0], [0, 1, 0.8, 0]], atol=1e-3)


def test_a_broken_installation_is_told(monkeypatch):
    monkeypatch.setattr(hashing, "_encode", hashing._encode.__wrapped__)
    monkeypatch.setitem(sys.modules, "imagededup.methods.hashing", None)
    with pytest.raises(TlkitError, match="imagededup"):
        perceptual_hash(np.zeros((32, 32), np.uint8))
