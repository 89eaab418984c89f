import itertools

import numpy as np
import pytest
from PIL import Image

import tlkit
from tlkit.imaging.decode import decode
from tlkit.imaging.resize import fit
from tlkit.inputs.augment import load_policy
from tlkit.inputs.batches import PixelBatches, grouped, plain_batches
from tlkit.inputs.sampler import FRESH, Schedule
from tlkit.inputs.views import ViewMaker


@pytest.fixture
def manifest(photo_folder, tmp_path):
    source = photo_folder({"disc": 8, "bar": 9, "cross": 10})
    return tlkit.prepare(source, tmp_path / "data", workers=0, near=False)


def batches_of(manifest, *, policy="standard", mix="none", views=FRESH, workers=0):
    examples = manifest.of("train")
    return PixelBatches(
        ViewMaker(manifest.source, 32, "squash", load_policy(policy), seed=1),
        examples,
        manifest.multi_hot(examples),
        Schedule(len(examples), views, batch=4, seed=1),
        mix,
        workers,
    )


def take(stream, count):
    taken = list(itertools.islice(stream, count))
    stream.close()
    return taken


def fitted(manifest, example):
    data = (manifest.source / example.path).read_bytes()
    return fit(decode(data).pixels, 32, "squash")


def test_an_epoch_has_every_example_once(manifest):
    batches = batches_of(manifest, policy="none")
    epoch = take(batches.stream(), batches.schedule.steps)
    assert [len(x) for x, _ in epoch[:-1]] == [4] * (len(epoch) - 1)
    targets = np.concatenate([y for _, y in epoch]).sum(axis=0)
    wanted = [manifest.counts()[label]["train"] for label in manifest.labels]
    assert targets.tolist() == wanted


def test_targets_belong_to_their_images(manifest):
    batches = batches_of(manifest, policy="none")
    order, train = batches.schedule.epoch(0).examples, manifest.of("train")
    pixels, targets = take(batches.stream(), 1)[0]
    for i, index in enumerate(order[:4]):
        assert np.array_equal(pixels[i], fitted(manifest, train[index]))
        assert manifest.labels[targets[i].argmax()] == train[index].label


def test_epochs_differ_and_a_later_start_changes_nothing(manifest):
    batches = batches_of(manifest, mix="mixup")
    steps = batches.schedule.steps
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


def test_plain_batches_are_the_fitted_files_in_order(manifest):
    maker = ViewMaker(manifest.source, 32, "squash")
    examples = manifest.of("train")
    batches = list(plain_batches(maker, examples, 8, workers=2))
    assert [len(batch) for batch in batches[:-1]] == [8] * (len(batches) - 1)
    got = np.concatenate(batches)
    assert len(got) == len(examples)
    for pixels, example in zip(got, examples, strict=True):
        assert np.array_equal(pixels, fitted(manifest, example))


def test_groups_are_copies():
    buffer = np.zeros(2)

    def reused():
        for i in range(5):
            buffer[:] = i
            yield buffer

    groups = list(grouped(reused(), 2))
    assert [group.tolist() for group in groups] == [
        [[0, 0], [1, 1]], [[2, 2], [3, 3]], [[4, 4]],
    ]  # fmt: skip


def test_a_large_jpeg_has_the_same_pixels_in_training_and_predict(tmp_path, draw):
    for kind in (0, 1):
        for i in range(6):
            folder = tmp_path / "photos" / str(kind)
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(draw(kind, i, 256)).save(folder / f"{i}.jpg")
    source = tmp_path / "photos"
    manifest = tlkit.prepare(source, tmp_path / "data", workers=0, near=False)
    maker = ViewMaker(manifest.source, 16, "crop")
    examples = manifest.examples[:3]
    (trained,) = plain_batches(maker, examples, 3, workers=0)
    for pixels, example in zip(trained, examples, strict=True):
        predicted = np.empty((16, 16, 3), np.uint8)
        assert maker.read(source / example.path, predicted[None], views=(0,)) == ""
        # 3 * 16 * 4 = 192 <= 256
        data = (source / example.path).read_bytes()
        reduced = decode(data, reduce=lambda width, height: 4).pixels
        assert reduced.shape == (64, 64, 3)
        assert np.array_equal(pixels, fit(reduced, 16, "crop"))
        assert np.array_equal(pixels, predicted)
