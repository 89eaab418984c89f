"""Features at many cuts against those of training, and the network itself."""

from __future__ import annotations

import json

import numpy as np
import pytest

import tlkit
from tests.conftest import SMALL
from tlkit.backbones import registry
from tlkit.backbones.graph import build_backbone
from tlkit.config import build_config, resolve
from tlkit.errors import UsageError
from tlkit.features.cut_features import features_at_cuts
from tlkit.inputs.batches import plain_batches
from tlkit.inputs.views import ViewMaker
from tlkit.model.classifier import build_classifier
from tlkit.model.head import parse_head
from tlkit.progress import Silent

CUTS = ("block1", "block2", "block3", "block4")


def config_of(**options):
    given = {**SMALL, "augment": "none", **options}
    return resolve(build_config(options=given))


def features_of(manifest, cuts=("good",), splits=("train", "val"), **options):
    config = config_of(**options)
    return features_at_cuts(config, cuts, manifest, splits, progress=Silent())


def test_they_are_the_maps_of_the_network_pooled(prepared, own_cache):
    found, failed = features_of(prepared)
    assert [one.cut for one in found] == list(CUTS)
    assert not failed
    images = np.concatenate(
        list(
            plain_batches(
                ViewMaker(prepared.source, 32, "squash"),
                [*prepared.of("train"), *prepared.of("val")],
                16,
                workers=0,
            )
        )
    )
    for one in found:
        classifier = build_classifier(
            registry.find("smallcnn"), size=32, cut=one.cut, freeze_to=None,
            head=parse_head("gap"), n_classes=2, weights="none", seed=0,
        )  # fmt: skip
        maps = np.asarray(classifier.base_model(images))
        mean, most = maps.mean(axis=(1, 2)), maps.max(axis=(1, 2))
        close = {"rtol": 0.02, "atol": 0.02 * maps.max()}
        np.testing.assert_allclose(one.features("gap"), mean, **close)
        np.testing.assert_allclose(one.features("gmp"), most, **close)
        both = np.hstack([one.features("gap"), one.features("gmp")])
        assert np.array_equal(one.features("gap_gmp"), both)
        assert one.channels == maps.shape[-1]
        assert one.parameters == classifier.base_model.count_params()


def computed_and_cached(run):
    """Views of each split that were computed, and that were in the cache."""
    info = json.loads((run.directory / "run.json").read_text())
    splits = [info["features"][split] for split in ("train", "val")]
    return [split["views"] for split in splits], [split["cached"] for split in splits]


def finetuned(manifest, place, **options):
    given = {**SMALL, "augment": "none", "freeze_to": "block3", "cut": "block3"}
    return tlkit.finetune(manifest.directory, place, **{**given, **options})


def test_training_finds_what_was_computed_for_many_cuts(
    prepared, own_cache, tmp_path, float32_engines
):
    features_of(prepared)
    computed, cached = computed_and_cached(finetuned(prepared, tmp_path / "run"))
    assert computed == [0, 0]
    assert cached == [len(prepared.of(split)) for split in ("train", "val")]


def test_many_cuts_find_what_training_has_computed(
    prepared, own_cache, tmp_path, monkeypatch
):
    finetuned(prepared, tmp_path / "run")
    monkeypatch.setattr(ViewMaker, "make", None)
    (found,), _ = features_of(prepared, ["block3"])
    images = len(prepared.of("train")) + len(prepared.of("val"))
    assert found.features("gap").shape == (images, 96)


def test_a_file_that_is_damaged_further_up_gives_what_is_below(
    prepared, own_cache, tmp_path
):
    backbone = build_backbone(registry.find("smallcnn"), 32)
    above = [layer for layer in backbone.layers if layer.name.startswith("block3")]
    kernel = next(layer for layer in above if layer.weights).weights[0]
    kernel.assign(np.full(kernel.shape, np.nan))
    path = tmp_path / "half.weights.h5"
    backbone.save_weights(path)
    found, failed = features_of(prepared, splits=["val"], weights=str(path))
    assert [one.cut for one in found] == ["block1", "block2"]
    assert set(failed) == {"block3", "block4"}
    assert all("NaN" in why for why in failed.values())


def test_all_has_the_good_ones_and_no_halves(prepared, own_cache):
    found, _ = features_of(prepared, ["all"], ["val"])
    names = [one.cut for one in found]
    assert set(CUTS) < set(names)
    flops = [one.flops for one in found]
    assert flops == sorted(flops)


def test_a_layer_that_is_not_there_is_named(prepared):
    with pytest.raises(UsageError, match="block9"):
        features_of(prepared, ["block9"])


def test_a_branch_cannot_be_compared(prepared):
    with pytest.raises(UsageError, match="other paths lead around"):
        features_of(prepared, ["block_2_expand"], backbone="mobilenetv2")
