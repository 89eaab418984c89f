from __future__ import annotations

import dataclasses
import hashlib

import numpy as np
import pytest
from PIL import Image

from tlkit.dataset.example import Example, read_example
from tlkit.imaging.resize import fit
from tlkit.imaging.safe_read import Unusable


def test_read_example(tmp_path, draw):
    pixels = draw(0, 0)
    Image.fromarray(pixels).save(tmp_path / "a b.png")
    checksum = hashlib.sha256((tmp_path / "a b.png").read_bytes()).hexdigest()
    whole = Example("id", "a b.png", checksum, 64, 64, ("x",), "train")
    np.testing.assert_array_equal(read_example(tmp_path, whole), pixels)
    part = dataclasses.replace(whole, box=(5, 10, 30, 40))
    np.testing.assert_array_equal(read_example(tmp_path, part), pixels[10:40, 5:30])
    fitted = read_example(tmp_path, part, size=16, resize="pad")
    expected = fit(pixels[10:40, 5:30], 16, "pad")
    np.testing.assert_array_equal(fitted, expected)
    changed = dataclasses.replace(whole, sha256="0" * 64)
    with pytest.raises(Unusable, match="prepare again") as caught:
        read_example(tmp_path, changed)
    assert caught.value.reason == "changed"
    with pytest.raises(Unusable, match="Restore it, or") as caught:
        read_example(tmp_path, dataclasses.replace(whole, path="gone.png"))
    assert caught.value.reason == "missing"


def test_read_example_names_the_file(tmp_path):
    (tmp_path / "a.png").write_bytes(b"notes")
    checksum = hashlib.sha256(b"notes").hexdigest()
    with pytest.raises(Unusable, match=r"a\.png: .*no image") as caught:
        read_example(tmp_path, Example("id", "a.png", checksum, 8, 9, ("x",), "train"))
    assert caught.value.reason == "not-an-image"
