import numpy as np
import pytest

from tlkit.inputs.mixing import MIXES, PAIRED, caution, mix_batch


@pytest.fixture
def batch(draw):
    pixels = np.stack([draw(i % 3, i, 32) for i in range(6)])
    return pixels, np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1, 2]]


@pytest.mark.parametrize("mix", [mix for mix in MIXES if mix != "none"])
def test_a_mixed_batch_is_a_pure_function_of_the_seed(mix, batch):
    a, b, c = (mix_batch(*batch, mix=mix, seed=seed) for seed in (7, 8, 7))
    assert a[0].dtype == np.uint8
    assert a[0].shape == batch[0].shape
    assert np.array_equal(a[0], c[0])
    assert np.array_equal(a[1], c[1])
    assert not np.array_equal(a[0], b[0])
    assert not np.array_equal(a[0], batch[0])
    np.testing.assert_allclose(a[1].sum(axis=1), 1, atol=1e-5)


def test_mixup_blends_images_as_it_blends_targets():
    pixels = np.zeros((2, 8, 8, 3), np.uint8)
    pixels[1] = 255
    targets = np.eye(2, dtype=np.float32)
    for seed in range(20):
        mixed, shares = mix_batch(pixels, targets, mix="mixup", seed=seed)
        # An image is as white as its share of the white one's class.
        np.testing.assert_allclose(mixed[:, 0, 0, 0] / 255, shares[:, 1], atol=0.003)


def test_none_and_a_lone_image_stay(batch):
    pixels, targets = batch
    assert mix_batch(pixels, targets, mix="none", seed=0)[0] is pixels
    one = mix_batch(pixels[:1], targets[:1], mix="mixup", seed=0)
    assert np.array_equal(one[0], pixels[:1])


@pytest.mark.parametrize("mix", ["randaugment", "augmix"])
def test_what_distorts_leaves_targets_and_works_on_a_lone_image(mix, batch):
    pixels, targets = batch
    _, kept = mix_batch(pixels, targets, mix=mix, seed=3)
    assert np.array_equal(kept, targets)
    alone, _ = mix_batch(pixels[:1], targets[:1], mix=mix, seed=3)
    assert alone.shape == (1, 32, 32, 3)
    assert not np.array_equal(alone, pixels[:1])


def test_few_images_are_reason_for_caution():
    for mix in MIXES:
        assert bool(caution(mix, 50)) is (mix in PAIRED)
        assert caution(mix, 51) == ""
    assert "smallest class has 12" in caution("mixup", 12)
