from __future__ import annotations

import shutil
from typing import Any

import numpy as np
import pytest

import tlkit
from tlkit.dataset.example import read_example
from tlkit.errors import TlkitError, UsageError
from tlkit.imaging.safe_read import Unusable

SMALL: dict[str, Any] = {"weights": "none", "size": 32, "workers": 0}


class Tasks:
    def __init__(self):
        self.tasks = {}

    def start(self, task, total=None):
        self.tasks[task] = total

    def advance(self, steps=1): ...

    def note(self, message): ...

    def warn(self, message): ...


def test_vectors_are_the_mean_over_the_map(prepared, own_cache, float32_engines):
    """As Keras gives it for the same pixels, in the order asked for."""
    import keras

    from tlkit.backbones import registry
    from tlkit.backbones.graph import output_of
    from tlkit.model.classifier import build_classifier
    from tlkit.model.head import parse_head

    paths = [e.path for e in prepared.examples[4::-1]]
    vectors = tlkit.embedder("smallcnn", **SMALL)(prepared.source, paths)
    row = registry.find("smallcnn")
    model = build_classifier(
        row, size=32, cut=None, freeze_to=None, head=parse_head("gap"),
        n_classes=2, weights="none", seed=0,
    ).model  # fmt: skip
    cut = output_of(model.get_layer(row.cuts[-1]))
    pixels = np.stack(
        [read_example(prepared.source, e, size=32) for e in prepared.examples[4::-1]]
    )
    maps = np.asarray(keras.Model(model.inputs[0], cut)(pixels, training=False))
    assert vectors.shape == (5, 128)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, maps.mean((1, 2)), rtol=0.02, atol=1e-3)


def test_what_is_stored_is_not_computed_again(prepared, own_cache):
    paths = [e.path for e in prepared.examples]
    first, second = Tasks(), Tasks()
    task = "Computing features to compare by"
    a = tlkit.embedder("smallcnn", progress=first, **SMALL)(prepared.source, paths[:9])
    b = tlkit.embedder("smallcnn", progress=second, **SMALL)(
        prepared.source, paths[:12]
    )
    assert first.tasks == {task: 9}
    assert second.tasks == {task: 3}
    assert np.array_equal(a, b[:9])


def test_the_same_file_twice(prepared, own_cache, tmp_path):
    source = prepared.source / prepared.examples[0].path
    for name in ("a.png", "b.png"):
        shutil.copy(source, tmp_path / name)
    vectors = tlkit.embedder("smallcnn", cache=False, **SMALL)(
        tmp_path, ["a.png", "b.png"]
    )
    assert np.array_equal(vectors[0], vectors[1])


def test_an_image_that_is_gone(tmp_path, own_cache):
    with pytest.raises(Unusable, match="no such file"):
        tlkit.embedder("smallcnn", **SMALL)(tmp_path, ["a.png"])


def test_unknown_names_are_refused_at_once():
    with pytest.raises(UsageError, match="Unknown backbone"):
        tlkit.embedder("resnet51")
    with pytest.raises(UsageError, match=r"gone\.h5"):
        tlkit.embedder("mobilenetv2", weights="gone.h5")
    name = tlkit.embedder("smallcnn", **SMALL).name
    assert name.startswith("SmallCNN to ")
    assert name.endswith("32 px, none")


def test_prepare_by_features_of_a_network(prepared, own_cache, tmp_path):
    """TensorFlow here, torch there: both in one process would abort."""
    made = tlkit.prepare(
        prepared.source,
        tmp_path / "data",
        near=False,
        similar=tlkit.embedder("smallcnn", **SMALL),
        similar_above=1.0,
        workers=0,
        test=0,
    )
    assert made.info["options"]["similar"].startswith("SmallCNN")
    assert len(made.examples) == len(prepared.examples)


def embed(root, weights):
    return tlkit.embedder("mobilenetv2", weights=str(weights))(root, ["a.png"])


def test_weights_that_cannot_be_had_name_this_option(tmp_path):
    (tmp_path / "no weights.h5").write_text("nothing")
    (tmp_path / "a.png").write_text("its checksum is taken first")
    for name in ("gone.h5", "no weights.h5"):
        with pytest.raises(TlkitError) as caught:
            embed(tmp_path, tmp_path / name)
        assert "--weights" not in str(caught.value)
        assert "--similar-weights" in str(caught.value)
