import dataclasses

import numpy as np
import pytest

import tlkit
from tlkit.imaging.decode import decode
from tlkit.imaging.resize import fit
from tlkit.imaging.safe_read import Unusable
from tlkit.inputs.augment import augment, load_policy
from tlkit.inputs.views import HFLIP, PLAIN, ViewMaker, ViewRequest


@pytest.fixture
def manifest(photo_folder, tmp_path):
    source = photo_folder({"disc": 6, "bar": 6})
    return tlkit.prepare(source, tmp_path / "data", workers=0, near=False)


@pytest.fixture
def maker(manifest):
    return ViewMaker(manifest.source, 24, "pad", load_policy("standard"), seed=5)


def views_of(maker, asked, workers=0):
    most = max(len(one.views) for one in asked)
    stream = maker.stream(asked, most=most, workers=workers)
    return [pixels.copy() for pixels, _ in stream]


def plain(manifest, example):
    data = (manifest.source / example.path).read_bytes()
    return fit(decode(data).pixels, 24, "pad")


def test_view_0_is_the_fitted_file_and_the_others_are_draws_of_it(manifest, maker):
    example = manifest.of("train")[0]
    (made,) = views_of(maker, [ViewRequest(example, (0, 2, 1))])
    assert np.array_equal(made[0], plain(manifest, example))
    for pixels, view in zip(made[1:], (2, 1), strict=True):
        wanted = augment(
            made[0], maker.policy, checksum=example.sha256, draw=view, seed=5
        )
        assert np.array_equal(pixels, wanted)
    assert not np.array_equal(made[1], made[2])


def test_the_flip_is_the_plain_image_flipped(manifest, maker):
    example = manifest.of("train")[0]
    (made,) = views_of(maker, [ViewRequest(example, (HFLIP, PLAIN))])
    assert np.array_equal(made[0], made[1][:, ::-1])
    assert not np.array_equal(made[0], made[1])
    keys = {maker.key(example, view) for view in (HFLIP, PLAIN, 1)}
    assert len(keys) == 3
    other = dataclasses.replace(maker, policy=(), seed=9)
    assert other.key(example, HFLIP) == maker.key(example, HFLIP)


def test_a_file_gives_the_views_that_it_has_in_a_data_set(manifest, maker):
    example = manifest.of("train")[0]
    views = (PLAIN, HFLIP, 1, 2)
    (made,) = views_of(maker, [ViewRequest(example, views)])
    read = np.empty_like(made)
    path = manifest.source / example.path
    assert maker.read(path, read, views=views) == ""
    assert np.array_equal(read, made)
    assert maker.read(path.with_name("gone"), read, views=views).startswith("missing")


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_nothing_and_keep_the_order(manifest, maker, workers):
    counts = [(0,), (0, 1), (3,), (2, 0, 1)]
    asked = [
        ViewRequest(example, counts[i % 4])
        for i, example in enumerate(4 * manifest.of("train"))
    ]
    here, there = views_of(maker, asked), views_of(maker, asked, workers)
    assert [len(one) for one in here] == [len(one.views) for one in asked]
    assert all(np.array_equal(a, b) for a, b in zip(here, there, strict=True))


@pytest.mark.parametrize("workers", [0, 1])
def test_a_file_that_vanished_is_named(manifest, maker, workers):
    example = manifest.of("train")[0]
    (manifest.source / example.path).unlink()
    with pytest.raises(Unusable, match=example.path):
        views_of(maker, [ViewRequest(example, (0,))], workers)


def test_a_policy_may_change_the_size_and_still_fits(manifest):
    policy = load_policy([{"RandomCrop": {"height": 10, "width": 12}}])
    maker = ViewMaker(manifest.source, 24, "squash", policy)
    (made,) = views_of(maker, [ViewRequest(manifest.of("train")[0], (1,))])
    assert made.shape == (1, 24, 24, 3)


def test_a_key_stands_for_the_pixels(manifest, maker):
    one, other = manifest.of("train")[:2]
    cropped = dataclasses.replace(one, box=(1, 1, 20, 20))
    base = maker.key(one, 1)
    assert len(base) == 32
    changed = [
        maker.key(other, 1),
        maker.key(cropped, 1),
        maker.key(one, 0),
        maker.key(one, 2),
        *(
            dataclasses.replace(maker, **change).key(one, 1)
            for change in (
                {"seed": 6},
                {"size": 25},
                {"resize": "crop"},
                {"policy": load_policy("light")},
            )
        ),
    ]
    assert len({base, *changed}) == 9
    # Label, id and place of the file do not show in the pixels.
    renamed = dataclasses.replace(one, id="x", path="y", labels=("z",), split="val")
    assert maker.key(renamed, 1) == base


def test_the_key_of_a_plain_image_does_not_depend_on_the_augmentation(manifest, maker):
    one = manifest.of("train")[0]
    for change in ({"seed": 6}, {"policy": load_policy("light")}, {"policy": ()}):
        assert dataclasses.replace(maker, **change).key(one, 0) == maker.key(one, 0)
    without = dataclasses.replace(maker, policy=())
    assert without.key(one, 3) == maker.key(one, 0)


def test_a_new_version_of_what_makes_the_pixels_is_another_key(
    manifest, maker, monkeypatch
):
    one = manifest.of("train")[0]
    before = [maker.key(one, view) for view in (0, 1)]
    monkeypatch.setattr("tlkit.inputs.views.metadata.version", lambda name: "99")
    after = [dataclasses.replace(maker).key(one, view) for view in (0, 1)]
    assert not set(before) & set(after)
