"""The images that Nano learned from, and that its training can be repeated."""

from __future__ import annotations

import hashlib
import json

import h5py
import keras
import numpy as np
import pytest

from examples.pretrain_nano import objects, scenes
from examples.pretrain_nano.__main__ import main, parse
from examples.pretrain_nano.fractals import attractor
from examples.pretrain_nano.grounds import SIDE as GROUND
from examples.pretrain_nano.grounds import Ground
from examples.pretrain_nano.library import OBJECTS, Library, draw_class, draw_library
from examples.pretrain_nano.strokes import bezier
from examples.pretrain_nano.training import FusedNormalization
from tests.conftest import ROOT
from tlkit.backbones.graph import build_backbone
from tlkit.backbones.registry import find
from tlkit.backbones.weights.load import load_weights
from tlkit.backbones.weights.sources import NANO_FILE

HALVES = np.stack([0.5 * np.eye(2, dtype="float32")] * 3)
CORNERS = np.array([[0, 0], [0.5, 0], [0, 0.5]], "float32")


def test_attractor_of_sierpinski():
    """Three maps that halve toward (0, 0), (1, 0) and (0, 1)."""
    points = attractor(HALVES, CORNERS, np.random.default_rng(0))
    assert points.min() >= -1e-6
    assert points.sum(axis=1).max() <= 1 + 1e-6
    inside = (points > 0.26).all(axis=1) & (points.sum(axis=1) < 0.74)
    # The triangle in the middle, of which these are a part, is empty.
    assert not (inside & (points < 0.5).all(axis=1) & (points.sum(1) > 0.5)).any()
    assert len(np.unique((points * 16).astype(int), axis=0)) > 50


def test_bezier():
    """By hand: a quarter, a half and a quarter of three points in the middle."""
    control = np.array([[0, 0], [1, 2], [2, 0]])
    points = bezier(control)
    np.testing.assert_allclose(points[[0, -1]], control[[0, -1]])
    assert points[:, 1].max() == pytest.approx(1, abs=1e-2)
    line = bezier(np.array([[0, 0], [1, 3]]))
    np.testing.assert_allclose(line[:, 1], 3 * line[:, 0])


@pytest.mark.parametrize("kind", OBJECTS)
def test_objects(kind):
    first, second = (draw_class(0, kind, 3, number) for number in (0, 1))
    assert first.shape == (3, objects.SIDE, objects.SIDE, 2)
    assert first.dtype == np.uint8
    cover = first[..., 1].reshape(3, -1).mean(axis=1) / 255
    assert (cover > 0.005).all()
    assert (cover < 0.95).all()
    # Images of a class differ, but less than the classes do.
    assert 0 < apart(first[0], first[1]) < apart(first[0], second[0])
    np.testing.assert_array_equal(first, draw_class(0, kind, 3, 0))


def apart(one, other):
    return np.abs(one.astype(float) - other).mean()


def test_grounds():
    kinds = set()
    for seed in range(40):
        rng = np.random.default_rng(seed)
        ground = Ground.sample(rng)
        kinds.add((ground.kind, ground.form))
        image = ground.image(rng)
        assert image.shape == (GROUND, GROUND, 3)
        assert image.dtype == np.uint8
        assert image.std() > 1
    assert len(kinds) > 10


@pytest.fixture(scope="module")
def library():
    return small_library(workers=0)


def small_library(workers):
    return draw_library(
        3, list(OBJECTS), classes=2, views=3, grounds=3, ground_views=2, workers=workers
    )


def test_library_is_the_same_by_however_many(library):
    again = small_library(workers=2)
    assert library.objects.shape == (8, 3, objects.SIDE, objects.SIDE, 2)
    np.testing.assert_array_equal(library.objects, again.objects)
    np.testing.assert_array_equal(library.grounds, again.grounds)


@pytest.mark.parametrize("side", [64, 96])
def test_scenes(library, side):
    drawn = scenes.draw_scenes(library, 0, 5, 32, side)
    assert drawn.pixels.shape == (32, side, side, 3)
    assert drawn.pixels.dtype == np.uint8
    assert set(drawn.objects) == set(range(8))
    assert set(drawn.grounds) == set(range(3))
    assert drawn.hues.max() <= scenes.HUES
    again = scenes.draw_scenes(library, 0, 5, 32, side)
    np.testing.assert_array_equal(drawn.pixels, again.pixels)
    other = scenes.draw_scenes(library, 0, 6, 32, side)
    assert (drawn.pixels != other.pixels).any()


def test_an_object_has_its_color():
    """All of the image is the object: its hue is that of its class, or nearly so."""
    full = np.full((1, 1, objects.SIDE, objects.SIDE, 2), 255, np.uint8)
    gray = np.full((1, 1, GROUND, GROUND, 3), 128, np.uint8)
    drawn = scenes.draw_scenes(Library(full, gray), 1, 0, 64, 64)
    for image, hue in zip(drawn.pixels, drawn.hues, strict=True):
        red, green, blue = image[28:36, 28:36].reshape(-1, 3).mean(axis=0)
        if hue == scenes.HUES:
            assert max(red, green, blue) - min(red, green, blue) < 5
        else:
            seen = np.arctan2(3**0.5 * (green - blue), 2 * red - green - blue)
            off = (seen / (2 * np.pi) * scenes.HUES - hue + 6) % scenes.HUES - 6
            assert abs(off) <= 1


def test_the_weights_of_the_package_are_those_of_the_log(tmp_path):
    log = json.loads((ROOT / "examples/pretrain_nano/nano.log.json").read_text())
    assert hashlib.sha256(NANO_FILE.read_bytes()).hexdigest() == log["sha256"]
    usual = vars(parse(["--out", str(tmp_path / "nano.weights.h5")]))
    made = {k: v for k, v in usual.items() if k not in ("out", "workers")}
    assert json.loads(json.dumps(made)) == log["options"]
    first, last = log["log"][0], log["log"][-1]
    assert last["step"] == log["options"]["steps"]
    assert last["object_accuracy"] > 10 * first["object_accuracy"]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--steps", "0"], "--steps: expected 1 or more, got 0"),
        (["--batch", "-8"], "expected 2 or more"),
        (["--counts", "1", "-1", "3"], "expected 0 or more, got -1"),
        (["--counts", "1", "nan", "3"], "expected 0 or more, got nan"),
        (["--counts", "0", "0", "0"], "nothing to learn"),
        (["--rate", "0"], "expected more than 0, got 0"),
        (["--rate", "nan"], "expected more than 0, got nan"),
        (["--sides", "64", "16"], "expected 32 or more, got 16"),
        (["--out", "X.h5"], "expected NAME.weights.h5, got X.h5"),
        (["--out", "here/a.weights.h5"], "here/a.weights.h5 exists already"),
        (["--out", "here/b.weights.h5"], "here/b.log.json exists already"),
        (["--out", "file/c.weights.h5"], "file cannot be written to"),
    ],
)
def test_what_cannot_be_is_told_before_the_training(
    tmp_path, monkeypatch, capsys, words, why
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    for name in ("here/a.weights.h5", "here/b.log.json", "file"):
        (tmp_path / name).touch()
    with pytest.raises(SystemExit):
        parse(["--out", "nano.weights.h5", *words])
    assert why in capsys.readouterr().err


def test_what_the_processor_computes_in_is_said(tmp_path):
    small = "--steps 1 --batch 2 --classes 1 --views 1 --grounds 1 --sides 32"
    out = tmp_path / "nano.weights.h5"
    precision = "mixed_bfloat16"
    main(["--out", str(out), *small.split(), "--precision", precision])
    log = json.loads((tmp_path / "nano.log.json").read_text())
    assert log["options"]["precision"] == precision
    assert np.isfinite(log["log"][-1]["loss"])


def test_what_has_come_to_nothing_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "examples.pretrain_nano.__main__.pretrain",
        lambda library, course, tell: tell({"step": 1, "loss": float("nan")}),
    )
    small = "--classes 1 --views 1 --grounds 1 --ground-views 1 --workers 0"
    with pytest.raises(SystemExit, match="choose a lower --rate"):
        main(["--out", str(tmp_path / "nano.weights.h5"), *small.split()])
    assert not list(tmp_path.iterdir())


def test_fused_normalization_is_batch_normalization():
    drawn = np.random.default_rng(0).normal(3, 2, (4, 5, 5, 2)).astype("float32")
    fused, plain = FusedNormalization(), keras.layers.BatchNormalization()
    np.testing.assert_allclose(
        fused(drawn, training=True), plain(drawn, training=True), atol=1e-5
    )
    flat = drawn.reshape(100, 2)
    np.testing.assert_allclose(fused.moving_mean, 0.01 * flat.mean(axis=0), rtol=1e-5)
    # That of the population, guessed from a sample of 100: one less below.
    variance = 0.99 + 0.01 * flat.var(axis=0, ddof=1)
    np.testing.assert_allclose(fused.moving_variance, variance, rtol=1e-5)
    plain.set_weights(fused.get_weights())
    np.testing.assert_allclose(fused(drawn), plain(drawn), atol=1e-5)


def test_fused_normalization_without_scale_and_centre():
    """By numpy: (x - mean) / deviation, and nothing to learn."""
    drawn = np.random.default_rng(0).normal(3, 2, (4, 5, 5, 2)).astype("float32")
    fused = FusedNormalization(center=False, scale=False)
    normed = np.asarray(fused(drawn, training=True))
    flat = drawn.reshape(100, 2)
    wanted = (drawn - flat.mean(0)) / np.sqrt(flat.var(0) + fused.epsilon)
    np.testing.assert_allclose(normed, wanted, atol=1e-5)
    assert not fused.trainable_weights


def test_a_training_is_repeated_to_the_byte(tmp_path, capsys, eager):
    small = "--steps 3 --batch 8 --classes 2 --views 2 --grounds 2 --sides 32 32"
    small += " --counts 0 0.5 2"
    for name, workers in (("a", "0"), ("b", "1")):
        out = tmp_path / name / "nano.weights.h5"
        main(["--out", str(out), *small.split(), "--seed", "7", "--workers", workers])
    first, second = (tmp_path / name / "nano.weights.h5" for name in "ab")
    assert first.read_bytes() == second.read_bytes()
    log = json.loads((tmp_path / "a" / "nano.log.json").read_text())
    assert log["sha256"] == hashlib.sha256(first.read_bytes()).hexdigest()
    assert log["log"][-1]["step"] == 3
    assert log["options"]["counts"] == [0, 0.5, 2]
    seen = log["log"][-1]
    wanted = 0.5 * seen["ground_loss"] + 2 * seen["hue_loss"]
    assert seen["loss"] == pytest.approx(wanted, rel=1e-3)
    assert log["sha256"] in capsys.readouterr().out
    with h5py.File(first) as file:
        assert "layers" in file
    body = build_backbone(find("nano"), 64)
    load_weights(find("nano"), body, body, str(first))
