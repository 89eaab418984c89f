from __future__ import annotations

import numpy as np
import pytest

from tlkit.dataset.annotations.rle import compress, decode, encode
from tlkit.imaging.safe_read import Unusable

# Columns: 0 1 1, 1 0 0, 0 0 1.
SMALL = np.array([[0, 1, 0], [1, 0, 0], [1, 0, 1]], bool)


def masks():
    rng = np.random.default_rng(0)
    yield SMALL
    yield np.zeros((4, 5), bool)
    yield np.ones((1, 1), bool)
    yield np.ones((700, 900), bool)
    for share in (0.001, 0.1, 0.5, 0.99):
        yield rng.random((37, 53)) < share
    tall = np.zeros((3000, 2), bool)
    tall[5:2900] = True
    yield tall


def test_by_hand():
    assert encode(SMALL) == [1, 3, 4, 1]
    # 1, 3, 4 as they are; the fourth is 1 - 3 = -2, whose five bits are 11110.
    assert compress([1, 3, 4, 1]) == "134N"
    assert np.array_equal(decode([1, 3, 4, 1], [3, 3]), SMALL)
    assert np.array_equal(decode("134N", [3, 3]), SMALL)
    # 100 = 00011 00100: the low five bits and "goes on", then the others.
    assert compress([100]) == chr(48 + 32 + 4) + chr(48 + 3)


def test_there_and_back():
    for mask in masks():
        runs = encode(mask)
        assert sum(runs) == mask.size
        assert np.array_equal(decode(runs, mask.shape), mask)
        assert np.array_equal(decode(compress(runs), list(mask.shape)), mask)


def test_as_pycocotools_does():
    coco = pytest.importorskip("pycocotools.mask")
    for mask in masks():
        theirs = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
        ours = {"size": list(mask.shape), "counts": compress(encode(mask))}
        assert ours["counts"] == theirs["counts"].decode()
        assert np.array_equal(coco.decode(ours), mask)
        assert np.array_equal(decode(theirs["counts"], theirs["size"]), mask)
        listed = coco.frPyObjects({**ours, "counts": encode(mask)}, *mask.shape)
        assert listed["counts"] == theirs["counts"]


@pytest.mark.parametrize(
    ("counts", "size"),
    [
        ([8], [3, 3]),
        ([10], [3, 3]),
        ([], [3, 3]),
        ("", [3, 3]),
        ([-1, 10], [3, 3]),
        ([1 << 62, 1 << 62, 1 << 62, 1 << 62, 9], [3, 3]),
        ([1 << 70], [3, 3]),
        ([4.5, 4.5], [3, 3]),
        ([[9]], [3, 3]),
        ([[9], [1, 2]], [3, 3]),
        ({"a": 9}, [3, 3]),
        (None, [3, 3]),
        ([True], [1, 1]),
        ("134", [3, 3]),
        ("13\x00N", [3, 3]),
        ("13é", [3, 3]),
        ("oooooooooo0", [3, 3]),
        ("o", [3, 3]),
        ([9], [3]),
        ([9], None),
        ([9], 9),
        ([9], ["3", "3"]),
        ([9], [-3, -3]),
        ([9], [True, 9]),
        ([9], [9.0, 1]),
        ([10**12], [10**6, 10**6]),
    ],
)
def test_what_is_no_mask(counts, size):
    with pytest.raises(Unusable):
        decode(counts, size)
