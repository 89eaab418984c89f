import numpy as np
import pytest

from tlkit.backbones.registry import find
from tlkit.features.engines.base import FrozenNetwork
from tlkit.model.classifier import build_classifier
from tlkit.model.frozen_split import split_at_freeze
from tlkit.model.head import parse_head

SIZE = 40


@pytest.fixture(scope="session")
def network():
    """The small network up to block3, random weights."""
    classifier = build_classifier(
        find("smallcnn"),
        size=SIZE,
        cut=None,
        freeze_to="block3",
        head=parse_head("gap"),
        n_classes=3,
        weights="none",
        seed=0,
    )
    return FrozenNetwork(split_at_freeze(classifier).prefix)


def images(count, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, SIZE, SIZE, 3), dtype=np.uint8)


def split(array, size):
    return [array[i : i + size] for i in range(0, len(array), size)]
