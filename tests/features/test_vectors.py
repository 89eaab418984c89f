"""Feature vectors by example and view, and in the form that heads take."""

import numpy as np

from tlkit.features.vectors import Features, as_input, pool


def test_vectors_are_taken_from_several_parts():
    parts = (np.array([[0.0], [1.0]]), np.array([[2.0], [3.0], [4.0]]))
    features = Features(parts, np.array([[4, 0], [1, 2], [3, 3]]))
    assert features.take(np.array([0, 2, 1]), np.array([1, 0, 1])).tolist() == [
        [0.0], [3.0], [2.0],
    ]  # fmt: skip
    assert features.take(np.array([0, 1]), 0).tolist() == [[4.0], [1.0]]
    assert features.view(1).tolist() == [[0.0], [2.0], [3.0]]


def test_pooling_is_mean_and_maximum_over_places():
    maps = np.array([[[[1.0, 4.0], [3.0, 0.0]]]], np.float16)
    assert pool(maps).tolist() == [[[2.0, 2.0], [3.0, 4.0]]]
    assert pool(maps).dtype == np.float32


def test_inputs_of_the_trainable_layers():
    vectors = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
    assert as_input(vectors, "gap").tolist() == [[0, 1, 2], [6, 7, 8]]
    assert as_input(vectors, "gmp").tolist() == [[3, 4, 5], [9, 10, 11]]
    assert as_input(vectors, "") is vectors
    assert as_input(vectors.astype(np.uint8), "").dtype == np.uint8
    assert as_input(vectors.astype(np.float16), "").dtype == np.float32
