"""The automatic cut: by the training split, recorded, and by the rule."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import yaml

import tlkit
from tests.conftest import SMALL
from tlkit.config import build_config, resolve
from tlkit.errors import ConfigError, RunError, UsageError
from tlkit.inputs.views import ViewMaker
from tlkit.progress import Silent
from tlkit.training.auto_cut import choose_cut

pytestmark = pytest.mark.usefixtures("plain_plots")

OPTIONS: dict[str, Any] = {
    **SMALL, "backbone": "nano", "weights": "own", "cut": "auto", "phases": "one",
    "epochs": 1, "augment": "none",
}  # fmt: skip
CUTS = ("stage1_block2", "stage2_block3", "stage3", "stage4")


class Listener(Silent):
    def __init__(self):
        self.notes = []

    def note(self, message):
        self.notes.append(message)


def test_the_cut_is_chosen_on_the_training_split_by_the_rule(
    prepared, own_cache, monkeypatch
):
    made = set()
    make = ViewMaker.make

    def record(self, asked, out):
        made.add(asked.example.id)
        return make(self, asked, out)

    monkeypatch.setattr(ViewMaker, "make", record)
    config = resolve(build_config(options=OPTIONS))
    assert config.model.freeze_to is None
    heard = Listener()
    cut, account = choose_cut(config, prepared, heard)
    assert made == {example.id for example in prepared.of("train")}
    names, shares = zip(*account["accuracy"].items(), strict=True)
    assert names == CUTS
    enough = max(shares) - account["standard_error"]
    assert cut == next(n for n, s in zip(names, shares, strict=True) if s >= enough)
    n, p, z = len(prepared.of("train")), max(shares), 1.96
    # Wilson's, which is no 0 where all are right.
    wilson = np.sqrt(p * (1 - p) / n + (z / (2 * n)) ** 2) / (1 + z**2 / n)
    assert account["standard_error"] == pytest.approx(wilson, rel=0.01)
    assert account["best"] == names[int(np.argmax(shares))]
    assert f"Selected: {cut}" in heard.notes[-1]


def test_it_is_written_down_and_the_run_can_be_repeated(prepared, own_cache, tmp_path):
    run = tlkit.finetune(prepared.directory, tmp_path / "run", **OPTIONS)
    info = json.loads((run.directory / "run.json").read_text())
    model = yaml.safe_load((run.directory / "config.yaml").read_text())["model"]
    cut = info["cut_choice"]["cut"]
    assert cut != "auto"
    assert model["cut"] == model["freeze_to"] == cut
    assert run.config.model.cut == cut
    again = tlkit.finetune(recipe=run.directory / "config.yaml", out=tmp_path / "again")
    assert again.config == run.config
    assert "cut_choice" not in again.info


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"weights": "none"}, "weights none has none"),
        ({"freeze_to": CUTS[1]}, "may end below it"),
        ({"head": "flatten,dense:8"}, "does not begin with pooling"),
    ],
)
def test_what_does_not_go_together(options, word):
    with pytest.raises(ConfigError, match=word):
        build_config(options={**OPTIONS, **options})


def test_too_few_images_to_find_out(photo_folder, tmp_path):
    source = photo_folder({"disc": 8, "bar": 2})
    data = tlkit.prepare(source, tmp_path / "data", workers=0, near=False, test=0)
    with pytest.raises(RunError, match="fewer than two") as caught:
        tlkit.finetune(data.directory, tmp_path / "run", **OPTIONS)
    assert "name the cut" in caught.value.hint


def test_each_fold_finds_its_own_cut(prepared, own_cache, tmp_path):
    options = OPTIONS
    found = tlkit.cross_validate(
        prepared.directory, tmp_path / "folds", folds=3, **options
    )
    cuts = [one["cut"] for one in found.info["splits"]]
    assert len(cuts) == 3
    assert set(cuts) <= set(CUTS)


def test_a_search_looks_for_the_cut_itself(prepared, tmp_path):
    with pytest.raises(UsageError, match="searches the cut itself"):
        tlkit.search(prepared.directory, tmp_path / "out", backbone="nano", cut="auto")


def test_an_embedder_has_no_labels_to_go_by():
    with pytest.raises(UsageError, match="a layer is needed"):
        tlkit.embedder("nano", cut="auto")
