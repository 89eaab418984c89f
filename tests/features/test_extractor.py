import dataclasses
import os
import shutil

import numpy as np
import pytest

from tlkit.features import extractor as features
from tlkit.features.cache import segments
from tlkit.features.extractor import FeatureExtractor
from tlkit.features.frozen import OTHERS, End, Frozen
from tlkit.features.rows import Rows
from tlkit.features.store import Shelf
from tlkit.inputs.augment import load_policy
from tlkit.inputs.views import Asked, ViewMaker
from tlkit.progress import Silent


class Told(Silent):
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

    def only(self, ends):
        raise AssertionError("there is one end")

    def run(self, groups, images=0):
        for group in groups:
            self.images += len(group)
            n, size = len(group), group.shape[1] // 2
            quarters = group.reshape(n, 2, size, 2, size, 3)
            yield (quarters.mean((2, 4), dtype=np.float32),)


class TwoEnds(CountingEngine):
    """The mean color of quarters, and of the whole."""

    def __init__(self, ends=(0, 1), given=None):
        super().__init__()
        self.ends = list(ends)
        # Of this engine and of those made from it: ends and images.
        self.given = [] if given is None else given

    def only(self, ends):
        return TwoEnds([self.ends[i] for i in ends], self.given)

    def run(self, groups, images=0):
        for group in groups:
            self.given.append((tuple(self.ends), len(group)))
            ((quarters,),) = super().run([group])
            both = quarters, quarters.mean((1, 2), keepdims=True)
            yield tuple(both[end] for end in self.ends)


@pytest.fixture
def extractor(prepared, tmp_path):
    def make(*, pooled=False, cache=True, **changes):
        engine = CountingEngine()
        shape = (2, 3) if pooled else (2, 2, 3)
        end = End({"engine": engine.numerics}, shape, "float32", 12)
        frozen = Frozen((end,), engine)
        maker = ViewMaker(prepared.source, 16, "squash", load_policy("standard"), 1)
        place = tmp_path / "cache" if cache else None
        made = FeatureExtractor(maker, frozen, place, 0, Told())
        return dataclasses.replace(made, **changes)

    return make


def every(rows):
    n, k = rows.places.shape
    return np.stack([rows.take(np.arange(n), view) for view in range(k)], axis=1)


def test_rows_are_what_the_engine_says_of_each_view(prepared, extractor):
    made = extractor()
    examples = prepared.of("val")[:3]
    rows = every(made.collect(examples, [0, 2], ""))
    assert rows.shape == (3, 2, 2, 2, 3)
    for i, example in enumerate(examples):
        pixels = np.empty((2, 16, 16, 3), np.uint8)
        made.maker.make(Asked(example, (0, 2)), pixels)
        ((wanted,),) = CountingEngine().run([pixels])
        assert np.array_equal(rows[i], wanted)


def test_the_second_time_nothing_is_computed(prepared, extractor):
    examples = prepared.of("train")
    first = extractor()
    before = every(first.collect(examples, range(3), ""))
    assert first.frozen.engine.images == 3 * len(examples)
    assert (first.spent.images, first.spent.views) == (
        len(examples),
        3 * len(examples),
    )
    second = extractor()
    assert np.array_equal(every(second.collect(examples, range(3), "")), before)
    assert second.frozen.engine.images == 0
    # Other labels, another order, fewer of them: the same rows.
    renamed = [dataclasses.replace(e, label="x") for e in examples[::-1][:4]]
    third = extractor()
    assert np.array_equal(
        every(third.collect(renamed, [2, 0], "")), before[::-1][:4][:, [2, 0]]
    )
    assert third.frozen.engine.images == 0


def test_only_what_is_missing_is_computed(prepared, extractor):
    examples = prepared.of("train")
    extractor().collect(examples[:5], [0, 1], "")
    more = extractor()
    more.collect(examples[:7], [0, 1, 2], "")
    assert more.frozen.engine.images == 5 * 1 + 2 * 3


@pytest.mark.parametrize("change", [{"seed": 2}, {"policy": load_policy("light")}])
def test_another_augmentation_is_computed_again_but_not_the_plain_view(
    prepared, extractor, change
):
    examples = prepared.of("train")[:5]
    extractor().collect(examples, [0, 1], "")
    other = extractor()
    other.maker = dataclasses.replace(other.maker, **change)
    other.collect(examples, [0, 1], "")
    assert other.frozen.engine.images == 5


def test_equal_images_are_computed_once(prepared, extractor):
    example = prepared.of("train")[0]
    twin = dataclasses.replace(example, id="twin", label="cross")
    made = extractor()
    rows = every(made.collect([example, twin], [0], ""))
    assert made.frozen.engine.images == 1
    assert np.array_equal(rows[0], rows[1])


class Stop(BaseException):
    pass


def test_a_killed_fill_is_continued(prepared, extractor, monkeypatch):
    examples = prepared.of("train")
    wanted = every(extractor(cache=False).collect(examples, [0], ""))
    monkeypatch.setattr(features, "GROUP", 4)
    monkeypatch.setattr("tlkit.features.store.SAFE_EVERY", 1)
    killed = extractor()
    make = ViewMaker.make

    def die(self, asked, out):
        if asked.example is examples[10]:
            raise Stop
        return make(self, asked, out)

    with monkeypatch.context() as patch:
        patch.setattr(ViewMaker, "make", die)
        with pytest.raises(Stop):
            killed.collect(examples, [0], "")
    done = sum(segment.rows for segment in segments(killed.store))
    assert 4 <= done <= 8
    again = extractor()
    assert np.array_equal(every(again.collect(examples, [0], "")), wanted)
    assert again.frozen.engine.images == len(examples) - done


def fails(*args, **kwargs):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("moment", ["begin", "end"])
def test_a_full_disk_is_told_and_the_work_goes_on(
    prepared, extractor, monkeypatch, moment
):
    examples = prepared.of("train")
    wanted = every(extractor(cache=False).collect(examples, [0, 1], ""))
    made = extractor()
    if moment == "begin":
        monkeypatch.setattr(Shelf, "write", fails)
    else:
        monkeypatch.setattr(os, "fsync", fails)
    assert np.array_equal(every(made.collect(examples, [0, 1], "")), wanted)
    (warning,) = made.progress.warnings
    assert "No space left" in warning
    assert "without" in warning


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_cache_is_read(prepared, extractor):
    examples = prepared.of("train")
    extractor().collect(examples[:5], [0], "")
    made = extractor()
    made.shelves[0].folder.chmod(0o500)
    made.collect(examples, [0], "")
    assert made.frozen.engine.images == len(examples) - 5
    assert made.progress.warnings


def test_a_cache_that_is_a_file_is_told(prepared, extractor, tmp_path):
    (tmp_path / "cache").write_text("")
    made = extractor()
    rows = made.collect(prepared.of("val"), [0], "")
    assert len(every(rows)) == len(prepared.of("val"))
    assert "cannot be written" in made.progress.warnings[0]


def test_more_than_the_store_may_hold_is_told(prepared, extractor, monkeypatch):
    monkeypatch.setenv("TLKIT_CACHE_GB", "1e-7")
    made = extractor()
    assert made.collect(prepared.of("train"), [0], "") is not None
    assert "TLKIT_CACHE_GB" in made.progress.warnings[0]
    assert not segments(made.store)


def test_what_memory_does_not_hold_either_is_left_to_the_caller(
    prepared, extractor, monkeypatch
):
    monkeypatch.setattr(features, "memory_bytes", lambda: 1000)
    made = extractor(cache=False)
    assert made.collect(prepared.of("train"), [0], "") is None
    assert made.frozen.engine.images == 0


def test_pooled_rows_are_mean_and_maximum(prepared, extractor):
    examples = prepared.of("val")
    maps = every(extractor(cache=False).collect(examples, [0], ""))[:, 0]
    rows = every(extractor(pooled=True).collect(examples, [0], ""))[:, 0]
    np.testing.assert_allclose(rows[:, 0], maps.mean(axis=(1, 2)), rtol=1e-6)
    assert np.array_equal(rows[:, 1], maps.max(axis=(1, 2)))


def test_rows_are_taken_from_several_parts():
    parts = (np.array([[0.0], [1.0]]), np.array([[2.0], [3.0], [4.0]]))
    rows = Rows(parts, np.array([[4, 0], [1, 2], [3, 3]]))
    assert rows.take(np.array([0, 2, 1]), np.array([1, 0, 1])).tolist() == [
        [0.0], [3.0], [2.0],
    ]  # fmt: skip
    assert rows.take(np.array([0, 1]), 0).tolist() == [[4.0], [1.0]]


def test_a_removed_cache_is_made_again(prepared, extractor):
    examples = prepared.of("val")
    made = extractor()
    made.collect(examples, [0], "")
    shutil.rmtree(made.store)
    again = extractor()
    again.collect(examples, [0], "")
    assert again.frozen.engine.images == len(examples)


@pytest.fixture
def two_ends(extractor):
    def make(*, apart=True, **changes):
        engine = TwoEnds()
        about = {} if apart else {OTHERS: ["quarters", "whole"]}
        ends = (
            End({"end": "quarters", **about}, (2, 2, 3), "float32", 6),
            End({"end": "whole", **about}, (1, 1, 3), "float32", 12),
        )
        return extractor(frozen=Frozen(ends, engine), **changes)

    return make


def given(made):
    """How many images were computed for which ends."""
    counts: dict[tuple[int, ...], int] = {}
    for ends, images in made.frozen.engine.given:
        counts[ends] = counts.get(ends, 0) + images
    return counts


@pytest.mark.parametrize("cache", [True, False])
def test_the_rows_of_all_ends_come_from_one_pass(prepared, extractor, two_ends, cache):
    examples = prepared.of("val")
    made = two_ends(cache=cache)
    quarters, whole = map(every, made.collect_all(examples, [0, 1], ""))
    assert given(made) == {(0, 1): 2 * len(examples)}
    wanted = every(extractor(cache=False).collect(examples, [0, 1], ""))
    assert np.array_equal(quarters, wanted)
    assert whole.shape == (len(examples), 2, 1, 1, 3)
    np.testing.assert_allclose(whole[..., 0, 0, :], wanted.mean((2, 3)), rtol=1e-5)


def test_only_the_ends_that_lack_something_are_computed(prepared, extractor, two_ends):
    examples = prepared.of("val")
    alone = two_ends()
    alone.frozen = alone.frozen.only([0])
    before = every(alone.collect(examples, [0], ""))
    made = two_ends()
    quarters, whole = map(every, made.collect_all(examples, [0], ""))
    assert given(made) == {(1,): len(examples)}
    assert np.array_equal(quarters, before)
    again = two_ends()
    assert np.array_equal(every(again.collect_all(examples, [0], "")[1]), whole)
    assert given(again) == {}
    # And one end alone finds what the pass over both has left.
    other = two_ends()
    other.frozen = other.frozen.only([1])
    assert np.array_equal(every(other.collect(examples, [0], "")), whole)
    assert given(other) == {}


def test_ends_that_depend_on_each_other_are_computed_together(prepared, two_ends):
    examples = prepared.of("val")
    made = two_ends(apart=False)
    made.collect_all(examples, [0], "")
    shutil.rmtree(made.shelves[1].folder)
    again = two_ends(apart=False)
    again.collect_all(examples, [0], "")
    assert given(again) == {(0, 1): len(examples)}
