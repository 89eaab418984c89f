import itertools
import json
import shutil

import numpy as np
import pytest

import tlkit
from tests.conftest import SMALL
from tlkit.features import agreement, extractor
from tlkit.features.cache import contents
from tlkit.training import data as pipeline
from tlkit.training.finetune import resume

pytestmark = pytest.mark.usefixtures("plain_plots")

# Frozen up to block2, so that there is something to keep.
FROZEN = {**SMALL, "freeze_to": "block2", "epochs": 2}


def finetune(prepared, place, **changes):
    return tlkit.finetune(prepared.directory, place, **{**FROZEN, **changes})


def weights_of(run):
    return b"".join(np.asarray(w).tobytes() for w in run.model().weights)


def probabilities_of(run, prepared):
    folder = [prepared.source / "disc", prepared.source / "bar"]
    return np.array(
        [list(a.probabilities.values()) for a in tlkit.predict(run, folder, workers=0)]
    )


def features_of(run):
    return json.loads((run.directory / "run.json").read_text())["features"]


@pytest.mark.parametrize(
    "changes",
    [
        {"augment": "none"},
        {"views": 2},
        {"freeze_to": None, "head": "gap,dropout:0.2", "views": 2},
        {"freeze_to": None, "head": "flatten,dense:8", "views": 2},
        {"freeze_to": "none", "views": 2},
    ],
    ids=["plain", "partly", "pooled", "flat", "nothing frozen"],
)
def test_the_store_changes_nothing(
    prepared, tmp_path, own_cache, monkeypatch, eager, changes
):
    """With it, again with it filled, without, and where not even memory is enough."""
    runs = [
        finetune(prepared, tmp_path / "filling", **changes),
        finetune(prepared, tmp_path / "filled", **changes),
        finetune(prepared, tmp_path / "without", cache=False, **changes),
    ]
    monkeypatch.setattr(extractor, "memory_bytes", lambda: 0)
    runs.append(finetune(prepared, tmp_path / "streamed", cache=False, **changes))
    kept = [features_of(run)["train"]["kept"] for run in runs]
    assert kept == [True, True, True, False]
    computed = [features_of(run)["train"]["views"] for run in runs[:2]]
    views = changes.get("views", 1)
    assert computed == [views * len(prepared.of("train")), 0]
    probabilities = [probabilities_of(run, prepared) for run in runs]
    for other in probabilities[1:]:
        # Only the order of float32 sums may differ, in the passes over each batch.
        np.testing.assert_allclose(other, probabilities[0], rtol=0, atol=1e-5)
    # What is looked up is what was computed, to the bit.
    assert weights_of(runs[0]) == weights_of(runs[1]) == weights_of(runs[2])


def cache_of_a_run(prepared, root, **changes):
    """Fill a cache of its own by a run; return the folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TLKIT_CACHE", str(root / "cache"))
        finetune(prepared, root / "first", augment="none", **changes)
    return root / "cache"


@pytest.fixture(scope="module")
def filled(prepared, tmp_path_factory):
    """The cache after a run on features of block2; tests must not change it."""
    return cache_of_a_run(prepared, tmp_path_factory.mktemp("filled"))


@pytest.fixture(scope="module")
def filled_pooled(prepared, tmp_path_factory):
    """The cache after a run on features of the whole backbone, pooled."""
    place = tmp_path_factory.mktemp("filled_pooled")
    return cache_of_a_run(prepared, place, freeze_to=None, head="gap")


@pytest.mark.parametrize(
    "change",
    [
        {"head": "gmp,dense:4"},
        {"optimizer": "sgd", "lr": 0.1},
        {"epochs": 1},
        {"batch": 5},
    ],
    ids=str,
)
def test_another_head_or_optimizer_never_runs_the_prefix(
    prepared, tmp_path, own_cache, monkeypatch, eager, filled_pooled, change
):
    shutil.copytree(filled_pooled, own_cache)
    settings = {"freeze_to": None, "head": "gap", "augment": "none"}

    def never(self, groups):
        raise AssertionError("the frozen part was computed again")

    for engine in ("keras.KerasEngine", "openvino.OpenVinoEngine"):
        monkeypatch.setattr(f"tlkit.features.engines.{engine}.run", never)
    finetune(prepared, tmp_path / "second", **{**settings, **change})


@pytest.mark.parametrize(
    "change",
    [{"size": 40}, {"freeze_to": "block1"}, {"resize": "crop"}, {"seed": 1},
     {"engine": "keras"}],
    ids=str,
)  # fmt: skip
def test_what_changes_the_rows_is_computed_again(
    prepared, tmp_path, own_cache, eager, filled, change
):
    """The seed changes the random weights of this network, and so its checksum."""
    shutil.copytree(filled, own_cache)
    second = finetune(prepared, tmp_path / "second", augment="none", **change)
    assert features_of(second)["train"]["views"] == len(prepared.of("train"))


def test_the_engines_lead_to_the_same_answers(
    prepared, tmp_path, own_cache, float32_engines
):
    runs = [
        finetune(prepared, tmp_path / name, engine=name, augment="none")
        for name in ("keras", "openvino")
    ]
    assert [features_of(run)["engine"] for run in runs] == ["keras", "openvino"]
    probabilities = [probabilities_of(run, prepared) for run in runs]
    np.testing.assert_allclose(probabilities[0], probabilities[1], rtol=0, atol=2e-2)
    assert features_of(runs[1])["worst_cosine"] > 0.999
    assert features_of(runs[0])["worst_cosine"] is None


def test_engines_that_disagree_end_the_run(prepared, tmp_path, own_cache, monkeypatch):
    monkeypatch.setattr(agreement, "LEAST_COSINE", 1.1)
    with pytest.raises(tlkit.TlkitError, match="--engine keras"):
        finetune(prepared, tmp_path / "run", engine="openvino")


def test_the_score_of_the_kept_epoch_is_that_of_the_saved_model(
    prepared, tmp_path, own_cache
):
    run = finetune(prepared, tmp_path / "run", freeze_to=None, head="gap,dropout:0.2")
    metrics = run.metrics()
    again = tlkit.evaluate(run, split="val", workers=0)
    assert again["loss"] == pytest.approx(metrics["loss"], abs=1e-6)
    assert again["confusion"] == metrics["confusion"]


def test_fresh_views_go_through_the_frozen_part(prepared, tmp_path, own_cache):
    runs = [
        finetune(prepared, tmp_path / name, views="fresh", workers=workers)
        for name, workers in (("one", 0), ("two", 2))
    ]
    assert not features_of(runs[0])["train"]["kept"]
    assert features_of(runs[0])["val"]["kept"]
    assert weights_of(runs[0]) == weights_of(runs[1])
    # Nothing of the training split was cached.
    held = len(prepared.of("val"))
    assert [content.vectors for content in contents(own_cache)] == [held]


class Stop(BaseException):
    pass


@pytest.mark.parametrize("views", [2, "fresh"])
def test_a_resumed_run_on_features_ends_as_if_uninterrupted(
    prepared, tmp_path, own_cache, monkeypatch, views
):
    settings = {"views": views, "epochs": 4, "optimizer": "rmsprop"}
    whole = finetune(prepared, tmp_path / "whole", **settings)

    def die(self, epoch, logs=None):
        if epoch == 2:
            raise Stop

    with monkeypatch.context() as patch:
        patch.setattr("tlkit.training.checkpoint.Checkpoint.on_epoch_begin", die)
        with pytest.raises(Stop):
            finetune(prepared, tmp_path / "part", **settings)
    assert weights_of(resume(tmp_path / "part")) == weights_of(whole)


def test_a_damaged_cache_is_made_again(prepared, tmp_path, own_cache):
    first = finetune(prepared, tmp_path / "first", augment="none")
    for path in own_cache.glob("features/*/*.data"):
        path.write_bytes(path.read_bytes()[:-7])
    second = finetune(prepared, tmp_path / "second", augment="none")
    assert features_of(second)["train"]["views"] == 1
    assert weights_of(first) == weights_of(second)


def test_a_feed_has_every_example_once_an_epoch(prepared, tmp_path, own_cache):
    run = finetune(prepared, tmp_path / "run", epochs=1)
    from tlkit.progress import Silent
    from tlkit.training.network import build_network

    network = build_network(run.config, run.task, "cpu:0", "float32")
    made = pipeline.build_pipeline(run.config, prepared, network, Silent())
    steps = made.schedule.steps
    taken = list(itertools.islice(made.training(0), 2 * steps))
    for epoch in (taken[:steps], taken[steps:]):
        counts = np.concatenate([y for _, y in epoch]).sum(axis=0)
        expected = [prepared.counts()[label]["train"] for label in prepared.labels]
        assert counts.tolist() == expected
    assert not np.array_equal(taken[0][0], taken[steps][0])


@pytest.mark.parametrize("views", [2, "fresh"])
def test_balanced_sampling_shows_classes_equally_often_and_resumes(
    photo_folder, tmp_path, own_cache, monkeypatch, views
):
    source = photo_folder({"disc": 24, "bar": 6})
    data = tlkit.prepare(source, tmp_path / "data", workers=0, near=False)
    settings = {"sampling": "balanced", "views": views, "epochs": 3}
    drawn: list[np.ndarray] = []

    def training(self, first_epoch):
        for inputs, targets in whole_training(self, first_epoch):
            drawn.append(np.array(targets))
            yield inputs, targets

    whole_training = pipeline.DataPipeline.training
    with monkeypatch.context() as patch:
        patch.setattr(pipeline.DataPipeline, "training", training)
        whole = finetune(data, tmp_path / "whole", **settings)
    images = len(data.of("train"))
    shown = np.concatenate(drawn[: -(-images // SMALL["batch"])])
    assert len(shown) == images
    assert abs(shown.sum() - images / 2) <= 1

    def die(self, epoch, logs=None):
        if epoch == 2:
            raise Stop

    with monkeypatch.context() as patch:
        patch.setattr("tlkit.training.checkpoint.Checkpoint.on_epoch_begin", die)
        with pytest.raises(Stop):
            finetune(data, tmp_path / "part", **settings)
    assert weights_of(resume(tmp_path / "part")) == weights_of(whole)
