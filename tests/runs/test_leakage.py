"""Whether a backbone knows the images that would be scored."""

import dataclasses

import pytest

import tlkit
from tests.conftest import SMALL
from tlkit.errors import DatasetError, UsageError
from tlkit.progress import Silent
from tlkit.runs.leakage import check_folds, check_splits


class Warned(Silent):
    def __init__(self):
        self.warnings = []

    def warn(self, message):
        self.warnings.append(message)


@pytest.fixture
def backbone(finished):
    return str(finished.directory / "model.keras")


def swapped(manifest, one, other):
    """The same images with two splits swapped."""
    names = {one: other, other: one}
    examples = tuple(
        dataclasses.replace(e, split=names.get(e.split, e.split))
        for e in manifest.examples
    )
    return dataclasses.replace(manifest, examples=examples)


def test_the_same_splits_again_are_warned_of(prepared, backbone):
    told = Warned()
    check_splits(prepared, backbone, told)
    count = len(prepared.of("train"))
    assert f"on {count} images of the training split" in told.warnings[0]


@pytest.mark.parametrize(
    "splits", [("train", "val"), ("train", "test"), ("val", "test")]
)
def test_splits_that_it_knows_are_refused(prepared, backbone, splits):
    with pytest.raises(UsageError, match="would be optimistic"):
        check_splits(swapped(prepared, *splits), backbone, Silent())


def test_folds_of_what_it_knows_are_refused(prepared, backbone):
    for split in ("train", "val"):
        with pytest.raises(UsageError, match="would be optimistic"):
            check_folds(prepared.of(split), backbone, Silent())
    check_folds(prepared.of("test"), backbone, Silent())


def test_other_backbones_know_nothing(prepared):
    told = Warned()
    check_folds(prepared.examples, "MobileNetV2", told)
    check_splits(prepared, "MobileNetV2", told)
    assert not told.warnings


def test_an_earlier_data_set_that_is_gone_is_warned_of(prepared, backbone, monkeypatch):
    def gone(_):
        raise DatasetError("There is no data set.")

    monkeypatch.setattr("tlkit.runs.result_dir.Manifest.read", gone)
    told = Warned()
    check_folds(prepared.examples, backbone, told)
    assert "cannot be determined" in told.warnings[0]


@pytest.mark.parametrize(
    "study", ["cross_validate", "label_issues", "learning_curve", "compare"]
)
def test_studies_ask_before_anything_slow(prepared, backbone, tmp_path, study):
    settings = {"weights": None, "workers": 0, "out": tmp_path / "out"}
    where = {"backbones": [backbone]} if study == "compare" else {"backbone": backbone}
    with pytest.raises(UsageError, match="would be optimistic"):
        getattr(tlkit, study)(prepared.directory, **where, **settings)


def test_training_asks(prepared, backbone, tmp_path, monkeypatch):
    read = iter([swapped(prepared, "train", "test"), prepared])
    monkeypatch.setattr("tlkit.training.finetune.Manifest.read", lambda _: next(read))
    settings = {**SMALL, "weights": None, "backbone": backbone}
    with pytest.raises(UsageError, match="would be optimistic"):
        tlkit.finetune(prepared.directory, tmp_path / "run", **settings)
