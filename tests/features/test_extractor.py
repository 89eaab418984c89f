import dataclasses
import os
import shutil

import numpy as np
import pytest

from tests.conftest import SMALL
from tlkit.config import build_config, resolve
from tlkit.errors import RunError
from tlkit.features import extractor as features
from tlkit.features.cache import parts
from tlkit.features.engines.base import FrozenNetwork
from tlkit.features.extractor import FeatureExtractor
from tlkit.features.layers import TOGETHER, LayerSpec, build_frozen
from tlkit.features.store import Partition
from tlkit.inputs.augment import load_policy
from tlkit.inputs.views import ViewMaker, ViewRequest
from tlkit.progress import Silent


class Warned(Silent):
    """Keeps the warnings."""

    def __init__(self):
        self.warnings = []

    def warn(self, message):
        self.warnings.append(message)


class CountingEngine:
    """The mean color of every quarter; counts the images that it was given."""

    name, numerics, compute = "counting", "counting 1", "float32"
    dtype = np.dtype(np.float32)

    def __init__(self):
        self.images = 0

    def only(self, outputs):
        raise AssertionError("there is one layer")

    def run(self, groups):
        for group in groups:
            self.images += len(group)
            n, size = len(group), group.shape[1] // 2
            quarters = group.reshape(n, 2, size, 2, size, 3)
            yield (quarters.mean((2, 4), dtype=np.float32),)


class TwoLayers(CountingEngine):
    """The mean color of quarters, and of the whole image."""

    def __init__(self, outputs=(0, 1), given=None):
        super().__init__()
        self.outputs = list(outputs)
        # Of this engine and of those made from it: layers and images.
        self.given = [] if given is None else given

    def only(self, outputs):
        return TwoLayers([self.outputs[i] for i in outputs], self.given)

    def run(self, groups):
        for group in groups:
            self.given.append((tuple(self.outputs), len(group)))
            ((quarters,),) = super().run([group])
            both = quarters, quarters.mean((1, 2), keepdims=True)
            yield tuple(both[output] for output in self.outputs)


@pytest.fixture
def extractor(prepared, tmp_path):
    def make(*, pooled=False, cache=True, **changes):
        engine = CountingEngine()
        shape = (2, 3) if pooled else (2, 2, 3)
        layer = LayerSpec({"engine": engine.numerics}, shape, "float32", 12)
        maker = ViewMaker(prepared.source, 16, "squash", load_policy("standard"), 1)
        place = tmp_path / "cache" if cache else None
        made = FeatureExtractor(maker, (layer,), engine, place, 0, Warned())
        return dataclasses.replace(made, **changes)

    return make


def every(features):
    """All vectors, [examples, views, *shape]."""
    views = range(features.places.shape[1])
    return np.stack([features.view(number) for number in views], axis=1)


def vectors(made, examples, views):
    """All vectors of the only layer."""
    (features,) = made.extract(examples, views, "")
    return every(features)


def test_vectors_are_those_of_the_engine_for_each_view(prepared, extractor):
    made = extractor()
    examples = prepared.of("val")[:3]
    found = vectors(made, examples, [0, 2])
    assert found.shape == (3, 2, 2, 2, 3)
    for i, example in enumerate(examples):
        pixels = np.empty((2, 16, 16, 3), np.uint8)
        made.maker.make(ViewRequest(example, (0, 2)), pixels)
        ((wanted,),) = CountingEngine().run([pixels])
        assert np.array_equal(found[i], wanted)


def test_the_second_time_nothing_is_computed(prepared, extractor):
    examples = prepared.of("train")
    first = extractor()
    before = vectors(first, examples, range(3))
    assert first.engine.images == 3 * len(examples)
    assert (first.cost.images, first.cost.views) == (
        len(examples),
        3 * len(examples),
    )
    second = extractor()
    assert np.array_equal(vectors(second, examples, range(3)), before)
    assert second.engine.images == 0
    # Other labels, another order, fewer of them: the same vectors.
    renamed = [dataclasses.replace(e, labels=("x",)) for e in examples[::-1][:4]]
    third = extractor()
    assert np.array_equal(vectors(third, renamed, [2, 0]), before[::-1][:4][:, [2, 0]])
    assert third.engine.images == 0


def test_only_what_is_missing_is_computed(prepared, extractor):
    examples = prepared.of("train")
    extractor().extract(examples[:5], [0, 1], "")
    more = extractor()
    more.extract(examples[:7], [0, 1, 2], "")
    assert more.engine.images == 5 * 1 + 2 * 3


@pytest.mark.parametrize("change", [{"seed": 2}, {"policy": load_policy("light")}])
def test_another_augmentation_is_computed_again_but_not_the_plain_view(
    prepared, extractor, change
):
    examples = prepared.of("train")[:5]
    extractor().extract(examples, [0, 1], "")
    other = extractor()
    other.maker = dataclasses.replace(other.maker, **change)
    other.extract(examples, [0, 1], "")
    assert other.engine.images == 5


def test_equal_images_are_computed_once(prepared, extractor):
    example = prepared.of("train")[0]
    twin = dataclasses.replace(example, id="twin", labels=("cross",))
    made = extractor()
    found = vectors(made, [example, twin], [0])
    assert made.engine.images == 1
    assert np.array_equal(found[0], found[1])


class Stop(BaseException):
    pass


def test_a_killed_fill_is_continued(prepared, extractor, monkeypatch):
    examples = prepared.of("train")
    wanted = vectors(extractor(cache=False), examples, [0])
    monkeypatch.setattr(features, "GROUP", 4)
    monkeypatch.setattr("tlkit.features.store.SAFE_EVERY", 1)
    killed = extractor()
    make = ViewMaker.make

    def die(self, request, out):
        if request.example is examples[10]:
            raise Stop
        return make(self, request, out)

    with monkeypatch.context() as patch:
        patch.setattr(ViewMaker, "make", die)
        with pytest.raises(Stop):
            killed.extract(examples, [0], "")
    done = sum(part.vectors for part in parts(killed.cache))
    assert 4 <= done <= 8
    again = extractor()
    assert np.array_equal(vectors(again, examples, [0]), wanted)
    assert again.engine.images == len(examples) - done


def fails(*args, **kwargs):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("moment", ["begin", "end"])
def test_a_full_disk_is_reported_and_the_work_goes_on(
    prepared, extractor, monkeypatch, moment
):
    examples = prepared.of("train")
    wanted = vectors(extractor(cache=False), examples, [0, 1])
    made = extractor()
    if moment == "begin":
        monkeypatch.setattr(Partition, "write", fails)
    else:
        monkeypatch.setattr(os, "fsync", fails)
    assert np.array_equal(vectors(made, examples, [0, 1]), wanted)
    (warning,) = made.progress.warnings
    assert "No space left" in warning
    assert "without" in warning


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_cache_is_read(prepared, extractor):
    examples = prepared.of("train")
    extractor().extract(examples[:5], [0], "")
    made = extractor()
    made.partitions[0].folder.chmod(0o500)
    made.extract(examples, [0], "")
    assert made.engine.images == len(examples) - 5
    assert made.progress.warnings


def test_a_cache_that_is_a_file_is_reported(prepared, extractor, tmp_path):
    (tmp_path / "cache").write_text("")
    made = extractor()
    found = vectors(made, prepared.of("val"), [0])
    assert len(found) == len(prepared.of("val"))
    assert "cannot be written" in made.progress.warnings[0]


def test_more_than_the_cache_may_hold_is_reported(prepared, extractor, monkeypatch):
    monkeypatch.setenv("TLKIT_CACHE_GB", "1e-7")
    made = extractor()
    assert made.extract(prepared.of("train"), [0], "") is not None
    assert "TLKIT_CACHE_GB" in made.progress.warnings[0]
    assert not parts(made.cache)


def test_what_memory_does_not_hold_either_is_left_to_the_caller(
    prepared, extractor, monkeypatch
):
    monkeypatch.setattr(features, "memory_bytes", lambda: 1000)
    made = extractor(cache=False)
    assert made.extract(prepared.of("train"), [0], "") is None
    assert made.engine.images == 0


def test_pooled_vectors_are_mean_and_maximum(prepared, extractor):
    examples = prepared.of("val")
    maps = vectors(extractor(cache=False), examples, [0])[:, 0]
    found = vectors(extractor(pooled=True), examples, [0])[:, 0]
    np.testing.assert_allclose(found[:, 0], maps.mean(axis=(1, 2)), rtol=1e-6)
    assert np.array_equal(found[:, 1], maps.max(axis=(1, 2)))


def test_what_is_required_and_has_no_room_ends_with_a_hint(
    prepared, extractor, monkeypatch
):
    monkeypatch.setattr(features, "memory_bytes", lambda: 1000)
    made = extractor(cache=False)
    with pytest.raises(RunError, match="neither into the cache") as caught:
        made.require(prepared.of("train"), [0, 1], "", "Buy more.")
    assert f"of {len(prepared.of('train'))} images" in caught.value.message
    assert caught.value.hint == "Buy more."
    assert made.engine.images == 0


def test_a_removed_cache_is_made_again(prepared, extractor):
    examples = prepared.of("val")
    made = extractor()
    made.extract(examples, [0], "")
    shutil.rmtree(made.cache)
    again = extractor()
    again.extract(examples, [0], "")
    assert again.engine.images == len(examples)


@pytest.fixture
def two_layers(extractor):
    def make(*, apart=True, only=(0, 1), **changes):
        about = {} if apart else {TOGETHER: ["quarters", "whole"]}
        layers = [
            LayerSpec({"layer": "quarters", **about}, (2, 2, 3), "float32", 6),
            LayerSpec({"layer": "whole", **about}, (1, 1, 3), "float32", 12),
        ]
        chosen = tuple(layers[i] for i in only)
        return extractor(layers=chosen, engine=TwoLayers(only), **changes)

    return make


def given(made):
    """How many images were computed for which layers."""
    counts: dict[tuple[int, ...], int] = {}
    for layers, images in made.engine.given:
        counts[layers] = counts.get(layers, 0) + images
    return counts


@pytest.mark.parametrize("cache", [True, False])
def test_all_layers_are_computed_in_one_pass(prepared, extractor, two_layers, cache):
    examples = prepared.of("val")
    made = two_layers(cache=cache)
    quarters, whole = map(every, made.extract(examples, [0, 1], ""))
    assert given(made) == {(0, 1): 2 * len(examples)}
    wanted = vectors(extractor(cache=False), examples, [0, 1])
    assert np.array_equal(quarters, wanted)
    assert whole.shape == (len(examples), 2, 1, 1, 3)
    np.testing.assert_allclose(whole[..., 0, 0, :], wanted.mean((2, 3)), rtol=1e-5)


def test_only_layers_that_lack_something_are_computed(prepared, extractor, two_layers):
    examples = prepared.of("val")
    alone = two_layers(only=[0])
    before = vectors(alone, examples, [0])
    made = two_layers()
    quarters, whole = map(every, made.extract(examples, [0], ""))
    assert given(made) == {(1,): len(examples)}
    assert np.array_equal(quarters, before)
    again = two_layers()
    assert np.array_equal(every(again.extract(examples, [0], "")[1]), whole)
    assert given(again) == {}
    # And one layer alone finds what the pass over both has left.
    other = two_layers(only=[1])
    assert np.array_equal(vectors(other, examples, [0]), whole)
    assert given(other) == {}


def test_layers_that_depend_on_each_other_are_computed_together(prepared, two_layers):
    examples = prepared.of("val")
    made = two_layers(apart=False)
    made.extract(examples, [0], "")
    shutil.rmtree(made.partitions[1].folder)
    again = two_layers(apart=False)
    again.extract(examples, [0], "")
    assert given(again) == {(0, 1): len(examples)}


@pytest.fixture(scope="module")
def config():
    return resolve(build_config(options={**SMALL, "augment": "none"}))


@pytest.fixture(scope="module")
def networks(config):
    """The small network in mixed precision and in float32."""
    policies = ("mixed_bfloat16", "float32")
    return [FrozenNetwork(build_frozen(config, "block1", name)) for name in policies]


@pytest.mark.parametrize(
    ("split", "engine", "expected"),
    [
        ("val", "keras", "float32"),
        ("val", "openvino", "float32"),
        ("train", "keras", "bfloat16"),
    ],
)
def test_validation_is_scored_by_keras_in_float32(
    config, networks, tmp_path, own_cache, split, engine, expected
):
    train = dataclasses.replace(config.train, engine=engine)
    changed = dataclasses.replace(config, train=train)
    trained, reference = networks
    made = FeatureExtractor.for_split(
        split, changed, tmp_path, trained, reference, Silent()
    )
    assert made.engine
    assert made.engine.name == "keras"
    assert made.engine.compute == expected
    assert made.layers[0].shape == (2, made.layers[0].shape[-1])
    assert made.layers[0].about["layer"] == "block1"


def test_openvino_starts_from_float32(config, networks, tmp_path, own_cache):
    pytest.importorskip("openvino")
    train = dataclasses.replace(config.train, engine="openvino", cache=False)
    changed = dataclasses.replace(config, train=train)
    trained, reference = networks
    made = FeatureExtractor.for_split(
        "train", changed, tmp_path, trained, reference, Silent()
    )
    assert made.engine
    assert made.engine.name == "openvino"
    assert made.layers[0].about["weights"] == reference.checksum
    assert made.partitions == [None]


def test_without_frozen_layers_the_pixels_are_the_features(config, prepared, own_cache):
    made = FeatureExtractor.of(config, prepared.source, None, Silent(), pooling="")
    assert made.layers[0].shape == (32, 32, 3)
    found = vectors(made, prepared.of("val"), [0])
    pixels = np.empty((1, 32, 32, 3), np.uint8)
    made.maker.make(ViewRequest(prepared.of("val")[0], (0,)), pixels)
    assert np.array_equal(found[0], pixels)
