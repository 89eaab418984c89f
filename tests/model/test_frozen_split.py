"""A classifier split at its freeze point; test_classifier splits every backbone."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tests.model.test_classifier import assert_splits, build, pixels
from tlkit.model.frozen_split import split_at_freeze
from tlkit.model.head import parse_head


def test_training_the_suffix_trains_the_model():
    classifier = build("SmallCNN", 32, freeze_to="block2")
    x = pixels(32)
    before = np.asarray(classifier.model(x))
    prefix, _, suffix = split_at_freeze(classifier)
    assert prefix is not None
    suffix.compile(
        keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy", run_eagerly=True
    )
    suffix.train_on_batch(np.asarray(prefix(x)), np.arange(4) % 3)
    trained = np.asarray(classifier.model(x))
    assert not np.array_equal(trained, before)
    np.testing.assert_array_equal(np.asarray(suffix(prefix(x))), trained)
    # A second split is as good as the first.
    assert_splits(classifier, x, trained)


@pytest.mark.parametrize(
    ("head", "freeze_to", "pooling"),
    [
        ("gap,dropout:0.2", "block4", "gap"),
        ("gmp", "block4", "gmp"),
        ("gap", "block2", ""),
        ("flatten", "block4", ""),
        ("bn,gap", "block4", ""),
    ],
)
def test_pooling_right_at_the_freeze_point_belongs_to_what_is_frozen(
    head, freeze_to, pooling
):
    classifier = build("SmallCNN", 32, freeze_to=freeze_to, head=parse_head(head))
    parts = split_at_freeze(classifier)
    assert parts.pooling == pooling
    assert len(parts.suffix.input_shape) == (2 if pooling else 4)
    x = pixels(32)
    assert_splits(classifier, x, np.asarray(classifier.model(x)))


def test_split_of_nothing_frozen():
    classifier = build("SmallCNN", 32, freeze_to="none")
    parts = split_at_freeze(classifier)
    assert parts.prefix is None
    assert parts.suffix is classifier.model
    assert (classifier.freeze_to, classifier.frozen) == ("none", ())
