import itertools

import numpy as np
import pytest
from PIL import Image

import tlkit
from tlkit.dataset import images
from tlkit.dataset.images import UnreadableImage
from tlkit.inputs.augment import load_policy
from tlkit.inputs.batches import (
    TrainingBatches,
    View,
    binary_column,
    make_view,
    plain_pictures,
    read_fitted,
)
from tlkit.progress import Silent


@pytest.fixture
def manifest(photo_folder, tmp_path):
    source = photo_folder({"disc": 8, "bar": 9, "cross": 10})
    return tlkit.prepare(source, tmp_path / "data", workers=0, near=False)


def batches_of(manifest, **changes):
    settings = {
        "size": 32,
        "resize": "squash",
        "policy": load_policy("standard"),
        "mix": "none",
        "batch": 4,
        "seed": 1,
        "workers": 0,
    }
    return TrainingBatches(manifest, manifest.of("train"), **{**settings, **changes})


def take(stream, count):
    taken = list(itertools.islice(stream, count))
    stream.close()
    return taken


def test_plain_pictures_are_the_fitted_files_in_order(manifest):
    examples = manifest.of("val")
    got = plain_pictures(
        manifest, examples, size=24, resize="pad", workers=2, progress=Silent(), task=""
    )
    assert got.shape == (len(examples), 24, 24, 3)
    for pixels, example in zip(got, examples, strict=True):
        data = (manifest.source / example.path).read_bytes()
        assert np.array_equal(pixels, images.fit(images.decode(data).pixels, 24, "pad"))


def test_a_large_jpeg_has_the_same_pixels_in_training_and_predict(tmp_path, draw):
    for kind in (0, 1):
        for i in range(6):
            folder = tmp_path / "photos" / str(kind)
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(draw(kind, i, 256)).save(folder / f"{i}.jpg")
    source = tmp_path / "photos"
    manifest = tlkit.prepare(source, tmp_path / "data", workers=0, near=False)
    for example in manifest.examples[:3]:
        trained = make_view(View(manifest.source, example, 16, "crop"))
        predicted = read_fitted(source / example.path, size=16, resize="crop")
        # 3 * 16 * 4 = 192 <= 256
        data = (source / example.path).read_bytes()
        pixels = images.decode(data, reduce=lambda width, height: 4).pixels
        assert pixels.shape == (64, 64, 3)
        assert np.array_equal(trained, images.fit(pixels, 16, "crop"))
        assert np.array_equal(trained, predicted)


def test_an_epoch_has_every_example_once(manifest):
    batches = batches_of(manifest, policy=())
    train = manifest.of("train")
    assert batches.steps == -(-len(train) // 4)
    epoch = take(batches.stream(), batches.steps)
    assert [len(x) for x, _ in epoch[:-1]] == [4] * (batches.steps - 1)
    targets = np.concatenate([y for _, y in epoch]).sum(axis=0)
    wanted = [manifest.counts()[label]["train"] for label in manifest.labels]
    assert targets.tolist() == wanted


def test_targets_belong_to_their_pictures(manifest):
    batches = batches_of(manifest, policy=())
    order, train = batches.order(0), manifest.of("train")
    pixels, targets = take(batches.stream(), 1)[0]
    for i, index in enumerate(order[:4]):
        data = (manifest.source / train[index].path).read_bytes()
        wanted = images.fit(images.decode(data).pixels, 32, "squash")
        assert np.array_equal(pixels[i], wanted)
        assert manifest.labels[targets[i].argmax()] == train[index].label


def test_epochs_differ_and_a_later_start_changes_nothing(manifest):
    batches = batches_of(manifest, mix="mixup")
    steps = batches.steps
    whole = take(batches.stream(), 3 * steps)
    late = take(batches.stream(first_epoch=2), steps)
    for (x, y), (late_x, late_y) in zip(whole[2 * steps :], late, strict=True):
        assert np.array_equal(x, late_x)
        assert np.array_equal(y, late_y)
    assert not np.array_equal(whole[0][0], whole[steps][0])


def test_workers_change_nothing(manifest):
    here = take(batches_of(manifest, workers=0).stream(), 5)
    there = take(batches_of(manifest, workers=2).stream(), 5)
    assert all(
        np.array_equal(a[0], b[0]) and np.array_equal(a[1], b[1])
        for a, b in zip(here, there, strict=True)
    )


@pytest.mark.parametrize("workers", [0, 1])
def test_a_file_that_vanished_is_named(manifest, workers):
    example = manifest.of("train")[0]
    (manifest.source / example.path).unlink()
    with pytest.raises(UnreadableImage, match=example.path):
        take(batches_of(manifest, workers=workers).stream(), 99)


def test_a_policy_may_change_the_size_and_still_fits(manifest):
    policy = load_policy([{"RandomCrop": {"height": 10, "width": 12}}])
    assert take(batches_of(manifest, policy=policy).stream(), 1)[0][0].shape[1:3] == (
        32,
        32,
    )


def test_two_classes_become_one_column():
    assert binary_column(np.array([[0.25, 0.75]])).tolist() == [[0.75]]
    assert binary_column(np.eye(3)).shape == (3, 3)
