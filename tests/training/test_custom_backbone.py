"""A network of the user's own through a whole run."""

from __future__ import annotations

import shutil
from typing import Any

import keras
import numpy as np
import pytest
import yaml

import tlkit
from tests.conftest import SMALL
from tlkit.config import build_config, resolve
from tlkit.errors import RunError, UsageError
from tlkit.features.cache import contents
from tlkit.progress import Silent
from tlkit.training.checkpoint import Checkpoint
from tlkit.training.finetune import finetune, free_place, resume

pytestmark = pytest.mark.usefixtures("plain_plots")

L = keras.layers
SETTINGS = {
    **{key: SMALL[key] for key in ("batch", "head", "workers")},
    "augment": "none",
    "phases": "one",
    "epochs": 2,
}


def network(activation: str = "relu", seed: int = 3) -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((32, 32, 3), name="pixels"),
            L.Rescaling(1 / 255, name="scale"),
            L.Conv2D(
                8,
                3,
                activation=activation,
                kernel_initializer=keras.initializers.HeNormal(seed),
                name="low",
            ),
            L.BatchNormalization(name="norm"),
            L.MaxPooling2D(name="half"),
            L.Flatten(name="flat"),
            L.Dense(2, name="top"),
        ]
    )


class Notes(Silent):
    """Collects notes and warnings."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, message: str) -> None:
        self.notes.append(message)


@pytest.fixture(scope="module")
def trained(prepared, tmp_path_factory):
    """A run on a network that is not there any more, the network, and its notes."""
    folder = tmp_path_factory.mktemp("own")
    path = folder / "Mine.keras"
    network().save(path)
    notes = Notes()
    settings = {**SETTINGS, "backbone": path, "progress": notes}
    run = finetune(prepared.directory, folder / "run", **settings)
    path.rename(folder / "kept.keras")
    return run, folder / "kept.keras", notes.notes


def test_the_record_names_file_weights_and_pixels(trained):
    run, kept, notes = trained
    written = yaml.safe_load((run.directory / "config.yaml").read_text())["model"]
    assert written["backbone"] == str(kept.with_name("Mine.keras"))
    assert (written["weights"], written["preprocessing"]) == ("own", "none")
    assert (written["size"], written["cut"]) == (32, "half")
    assert len(run.info["weights"]["checksum"]) == 64
    assert run.info["weights"]["network"].startswith(written["backbone"])
    assert "Pixels: preprocessing none: the network scales them itself, by 'scale'" in (
        notes
    )


def test_evaluate_predict_and_export_need_the_run_only(trained, prepared):
    run, _, _ = trained
    assert tlkit.evaluate(run.directory, workers=0)["n"] > 0
    predictions = tlkit.predict(run.directory, [prepared.source / "disc"], workers=0)
    assert {one.label for one in predictions} <= {"disc", "bar", "cross"}
    assert tlkit.export(run.directory).pixel_difference < 1e-4


def test_it_can_be_repeated_where_the_file_is(trained, tmp_path):
    run, kept, _ = trained
    recipe = run.directory / "config.yaml"
    with pytest.raises(UsageError, match=r"Mine\.keras is not there"):
        finetune(out=tmp_path / "again", recipe=recipe)
    again = finetune(out=tmp_path / "again", recipe=recipe, backbone=kept)
    assert again.info["weights"]["checksum"] == run.info["weights"]["checksum"]
    tables = [(one.directory / "history.csv").read_text() for one in (run, again)]
    assert tables[0] == tables[1]


def test_what_was_stored_is_of_the_same_graph_only(prepared, tmp_path, own_cache):
    path = tmp_path / "own.keras"
    settings = {**SETTINGS, "backbone": path, "epochs": 1, "probe": False}
    network().save(path)
    stored, checksums = [], set()
    for name, activation in (("a", "relu"), ("b", "relu"), ("c", "tanh")):
        if name == "c":
            network(activation).save(path)  # of the same weights
        run = finetune(prepared.directory, tmp_path / name, **settings)
        stored.append(sum(content.vectors for content in contents(own_cache)))
        checksums.add(run.info["weights"]["checksum"])
    rows = stored[0]
    assert rows >= len(prepared.of("train"))
    assert stored == [rows, rows, 2 * rows]
    assert len(checksums) == 1


def test_a_run_goes_on_with_the_same_network_only(prepared, tmp_path, monkeypatch):
    path = tmp_path / "own.keras"
    network().save(path)
    shutil.copy(path, tmp_path / "kept.keras")

    def interrupt(self, epoch, logs=None):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "on_train_end", interrupt)
        with pytest.raises(KeyboardInterrupt):
            finetune(
                prepared.directory, tmp_path / "run", **{**SETTINGS, "backbone": path}
            )
    other = network()
    other.get_layer("low").set_weights(network(seed=4).get_layer("low").get_weights())
    for changed, what in ((other, "checksum"), (network("tanh"), "network")):
        changed.save(path)
        with pytest.raises(RunError, match=f"this run has changed: the {what} of"):
            resume(tmp_path / "run")
    shutil.copy(tmp_path / "kept.keras", path)
    assert resume(tmp_path / "run").state == "finished"


def test_a_run_on_what_an_earlier_run_has_trained(finished, prepared, tmp_path):
    path = finished.directory / "model.keras"
    settings = {**SETTINGS, "backbone": path, "cut": "block3", "freeze_to": "block1"}
    settings["probe"] = False
    run = finetune(prepared.directory, tmp_path / "second", **settings)
    before, after = finished.model(), run.model()
    for name, same in (("block1_conv1", True), ("block2_conv1", False)):
        pair = [model.get_layer(name).get_weights() for model in (before, after)]
        equal = [np.array_equal(*arrays) for arrays in zip(*pair, strict=True)]
        assert all(equal) == same


def test_its_run_gets_a_name_of_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    network().save("Mine.keras")
    config = resolve(build_config(options={"backbone": "Mine.keras", "data": "pics"}))
    assert str(free_place(config)) == "runs/pics-mine-1"


def test_it_is_compared_with_others(prepared, tmp_path):
    path = tmp_path / "own.keras"
    network().save(path)
    names = [str(path), "smallcnn"]
    chosen = {"smallcnn": "none"}
    settings: dict[str, Any] = {
        "folds": 2,
        "poolings": ["gap"],
        "workers": 0,
        "weights": chosen,
    }
    found = tlkit.compare(
        prepared.directory, tmp_path / "out", backbones=names, sizes=[32], **settings
    )
    rows = {(one.backbone, one.weights, one.cut) for one in found.entries}
    assert (str(path), "own", "half") in rows
    assert ("SmallCNN", "none", "block4") in rows
    assert all(one.accuracy.value > 0 for one in found.entries)
    with pytest.raises(UsageError, match="none is compared"):
        tlkit.compare(
            prepared.directory,
            tmp_path / "no",
            backbones=["smallcnn"],
            preprocessing="tf",
            **settings,
        )


def test_it_compares_images_too(prepared, tmp_path):
    path = tmp_path / "own.keras"
    network().save(path)
    paths = [example.path for example in prepared.examples[:3]]
    rows = tlkit.embedder(path, workers=0)(prepared.source, paths)
    assert rows.shape == (3, 8)
    keras.Sequential([keras.Input((32, 32, 3)), L.Conv2D(2, 3)]).save(path)
    with pytest.raises(UsageError, match="must be given") as caught:
        tlkit.embedder(path)
    assert "tlkit backbones" in caught.value.hint
