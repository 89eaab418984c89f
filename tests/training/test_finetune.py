import dataclasses
import json

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image

import tlkit
from tests.conftest import SMALL
from tlkit import files
from tlkit.dataset.manifest import Manifest
from tlkit.errors import RunError, UsageError
from tlkit.progress import Silent
from tlkit.training import finetune as train
from tlkit.training.callbacks import EpochLines
from tlkit.training.checkpoint import Checkpoint, read_state
from tlkit.training.finetune import finetune, free_place, resume

pytestmark = pytest.mark.usefixtures("plain_plots")


def weights_of(run):
    return [np.asarray(w) for w in run.model().weights]


def test_a_finished_run_has_everything_in_its_place(finished):
    place = finished.directory
    for name in (
        "config.yaml", "run.json", "labels.txt", "model.keras", "history.csv",
        "metrics.json", "curves.png", "tensorboard", "evaluation/val/confusion.png",
    ):  # fmt: skip
        assert (place / name).exists(), name
    assert not list(place.glob("checkpoint/*/*.npz"))
    history = pd.read_csv(place / "history.csv")
    assert history["epoch"].tolist() == [1, 2, 3]
    assert {"loss", "val_loss", "val_accuracy", "learning_rate"} <= set(history)
    info = json.loads((place / "run.json").read_text())
    assert info["state"] == "finished"
    assert info["best_epoch"] == 1 + history["val_loss"].argmin()
    assert info["data"]["checksum"] == Manifest.read(finished.config.data).checksum
    assert {"tensorflow", "keras", "python"} <= set(info["versions"])


def test_the_saved_model_is_the_best_epoch(finished):
    history = pd.read_csv(finished.directory / "history.csv")
    metrics = tlkit.evaluate(finished.directory, split="val", workers=0)
    assert metrics["loss"] == pytest.approx(history["val_loss"].min(), abs=1e-4)


def test_the_config_alone_repeats_the_run_to_the_byte(finished, tmp_path):
    again = finetune(recipe=finished.directory / "config.yaml", out=tmp_path / "again")
    for a, b in zip(weights_of(finished), weights_of(again), strict=True):
        assert a.tobytes() == b.tobytes()


def test_steps_are_exactly_so_many_batches(prepared, tmp_path, small, monkeypatch):
    """30 images in batches of 8 are 4 an epoch: 6 end within the second one."""
    taken = []
    monkeypatch.setattr(
        EpochLines, "on_train_batch_end", lambda self, batch, logs=None: taken.append(1)
    )
    settings = {**small, "epochs": None, "steps": 6}
    run = finetune(prepared.directory, tmp_path / "run", **settings)
    assert len(taken) == 6
    assert run.info["epochs"] == 2
    assert not run.info["stopped_early"]


class Stop(BaseException):
    pass


# All that has a state is in play: momentum, lr_patience, dropout, augmentation, mixing.
LONG = {"epochs": 6, "optimizer": "rmsprop", "momentum": 0.5, "patience": 5,
        "lr_patience": 1, "mix": "mixup"}  # fmt: skip


@pytest.fixture(scope="module")
def whole(prepared, tmp_path_factory):
    place = tmp_path_factory.mktemp("whole") / "run"
    return finetune(prepared.directory, place, **{**SMALL, **LONG})


@pytest.mark.parametrize("moment", ["in an epoch", "between array and state"])
def test_a_resumed_run_ends_as_if_it_had_not_been_interrupted(
    prepared, tmp_path, whole, monkeypatch, moment
):
    settings = {**SMALL, **LONG}

    def die(self, epoch, logs=None):
        if epoch == 3:
            raise Stop

    hook = {"in an epoch": "on_epoch_begin", "between array and state": None}[moment]
    with monkeypatch.context() as patch:
        if hook:
            patch.setattr(Checkpoint, hook, die)
        else:

            def write(path, value):
                if path.name == "state.json" and value["epochs"] == 4:
                    raise Stop
                return write_json(path, value)

            write_json = files.write_json
            patch.setattr(files, "write_json", write)
        with pytest.raises(Stop):
            finetune(prepared.directory, tmp_path / "part", **settings)
    assert read_state(tmp_path / "part" / "checkpoint" / "1-all").epochs == 3
    resumed = resume(tmp_path / "part")
    for a, b in zip(weights_of(whole), weights_of(resumed), strict=True):
        assert a.tobytes() == b.tobytes()
    tables = [(r.directory / "history.csv").read_text() for r in (whole, resumed)]
    assert tables[0] == tables[1]


def test_patience_goes_on_counting_after_a_resume(
    prepared, tmp_path, small, monkeypatch
):
    settings = {**small, "epochs": 30, "lr": 1e-12, "patience": 4, "lr_patience": 0}
    settings |= {"monitor": "val_accuracy"}

    def die(self, epoch, logs=None):
        if epoch == 3:
            raise Stop

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "on_epoch_begin", die)
        with pytest.raises(Stop):
            finetune(prepared.directory, tmp_path / "run", **settings)
    run = resume(tmp_path / "run")
    # Nothing is learned at this rate: the first epoch is the best, four more follow.
    assert run.info["epochs"] == 5
    assert run.info["best_epoch"] == 1
    assert run.info["stopped_early"]


def test_an_interrupted_run_records_that(prepared, tmp_path, small, monkeypatch):
    def interrupt(self, epoch, logs=None):
        raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoint, "on_train_end", interrupt)
    with pytest.raises(KeyboardInterrupt):
        finetune(prepared.directory, tmp_path / "run", **{**small, "epochs": 1})
    run = tlkit.Run.read(tmp_path / "run", finished=False)
    assert run.state == "interrupted"
    with pytest.raises(RunError, match="--resume"):
        tlkit.Run.read(tmp_path / "run")


def test_a_finished_run_cannot_be_resumed(finished):
    with pytest.raises(RunError, match="finished"):
        resume(finished.directory)


def test_an_existing_run_is_kept_until_a_new_one_has_a_checkpoint(
    prepared, tmp_path, small
):
    settings = {**small, "epochs": 1}
    place = tmp_path / "run"
    finetune(prepared.directory, place, **settings)
    before = (place / "model.keras").read_bytes()
    with pytest.raises(UsageError, match="--overwrite"):
        finetune(prepared.directory, place, **settings)
    with pytest.raises(UsageError, match="nope"):
        finetune(
            prepared.directory, place, overwrite=True, **{**settings, "cut": "nope"}
        )
    assert (place / "model.keras").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir() if "run" in p.name] == ["run"]
    finetune(prepared.directory, place, overwrite=True, **{**settings, "seed": 5})
    assert (place / "model.keras").read_bytes() != before


def test_a_folder_that_is_no_run_is_never_replaced(prepared, tmp_path, small):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="left alone"):
        finetune(prepared.directory, tmp_path / "mine", overwrite=True, **small)
    assert (tmp_path / "mine" / "thesis.txt").exists()


def test_a_diverging_run_is_an_error(prepared, tmp_path, small):
    settings = {**small, "lr": 1e3, "optimizer": "sgd", "momentum": 0.99}
    with pytest.raises(RunError, match="--lr"):
        finetune(prepared.directory, tmp_path / "run", **settings)


def test_no_gpu_is_an_error_if_one_is_asked_for(prepared, tmp_path, small, monkeypatch):
    monkeypatch.setattr("tlkit.device.gpus", list)
    with pytest.raises(RunError, match="no GPU"):
        finetune(prepared.directory, tmp_path / "run", device="gpu", **small)


def test_mixed_precision_ends_in_a_float32_model(prepared, tmp_path, small):
    settings = {**small, "epochs": 1, "precision": "mixed_bfloat16"}
    run = finetune(prepared.directory, tmp_path / "run", **settings)
    assert keras.config.dtype_policy().name == "float32"
    assert {layer.dtype_policy.name for layer in run.model().layers} == {"float32"}


def test_two_classes_end_in_a_sigmoid(photo_folder, tmp_path, small):
    source = photo_folder({"disc": 9, "bar": 9})
    data = tlkit.prepare(source, tmp_path / "data", workers=0, near=False)
    run = finetune(data.directory, tmp_path / "run", **{**small, "epochs": 1})
    assert run.model().output_shape == (None, 1)
    prediction = tlkit.predict(run, [source / "disc"], workers=0)[0]
    assert sum(prediction.probabilities.values()) == pytest.approx(1, abs=1e-6)


def test_places_are_numbered(prepared, tmp_path, monkeypatch, small):
    monkeypatch.chdir(tmp_path)
    from tlkit.config import build_config

    config = build_config(options={**small, "data": str(prepared.directory)})
    assert str(free_place(config)) == "runs/data-smallcnn-1"
    (tmp_path / "runs" / "data-smallcnn-1" / "x").mkdir(parents=True)
    assert str(free_place(config)) == "runs/data-smallcnn-2"


def test_no_data_set_is_a_clear_error(small):
    with pytest.raises(UsageError, match="tlkit prepare"):
        finetune(**small)


def test_a_missing_split_is_a_clear_error(prepared):
    train_only = tuple(e for e in prepared.examples if e.split == "train")
    with pytest.raises(RunError, match="val"):
        train.check_splits(dataclasses.replace(prepared, examples=train_only))


def test_two_classes_that_do_not_exclude_each_other(tmp_path, draw, small):
    (tmp_path / "photos").mkdir()
    lines = ["path,label"]
    for i in range(12):
        Image.fromarray(draw(i % 2, i)).save(tmp_path / "photos" / f"{i}.png")
        lines.append(f"{i}.png,{'a|b' if i % 3 else 'a' if i % 2 else 'b'}")
    (tmp_path / "photos" / "labels.csv").write_text("\n".join(lines))
    manifest = tlkit.prepare(
        *(tmp_path / "photos", tmp_path / "data"),
        separator="|",
        multi_label=True,
        near=False,
        test=0,
    )
    settings = {**small, "epochs": 1, "mix": "mixup"}
    run = tlkit.finetune(manifest.directory, tmp_path / "run", **settings)
    assert run.model().output_shape == (None, 2)
    assert {row["by"] for row in run.info["postprocessing"]["thresholds"]} == {
        "default"
    }


def test_mixing_few_images_is_warned_of_and_done(prepared, tmp_path, small):
    heard: list[str] = []

    class Listener(Silent):
        def warn(self, message):
            heard.append(message)

    settings = {**small, "epochs": 1}
    for mix in ("mixup", "augmix"):
        place = tmp_path / mix
        run = finetune(
            prepared.directory, place, progress=Listener(), **{**settings, "mix": mix}
        )
        assert run.config.inputs.views == "fresh"
    (line,) = [line for line in heard if "mix" in line]
    fewest = min(counts["train"] for counts in prepared.counts().values())
    assert line.startswith("mixup")
    assert f"has {fewest} to train on" in line
