import json

import pandas as pd
import pytest

import tlkit
from tlkit.errors import RunError, UsageError
from tlkit.evaluation.evaluate import evaluate


def test_the_test_split_is_the_default_and_everything_is_written(finished):
    metrics = evaluate(finished, workers=0)
    assert metrics["split"] == "test"
    assert metrics["used_for_selection"] == []
    folder = finished.directory / "evaluation" / "test"
    table = pd.read_csv(folder / "predictions.csv")
    manifest = finished.manifest()
    assert table["path"].tolist() == [e.path for e in manifest.of("test")]
    assert metrics["accuracy"] == (table["label"] == table["predicted"]).mean()
    mistakes = pd.read_csv(folder / "errors.csv")
    assert len(mistakes) == (table["label"] != table["predicted"]).sum()
    assert mistakes["probability"].is_monotonic_decreasing
    confusion = pd.read_csv(folder / "confusion.csv", index_col=0)
    assert confusion.to_numpy().tolist() == metrics["confusion"]
    for name in ("confusion.png", "errors.png"):
        assert (folder / name).read_bytes().startswith(b"\x89PNG")
    for place in (folder, finished.directory):
        assert json.loads((place / "metrics.json").read_text()) == metrics
    evaluate(finished, split="val", workers=0)


def test_val_reports_that_it_selected_the_epoch(finished):
    metrics = evaluate(finished, split="val", workers=0)
    assert "epoch" in metrics["used_for_selection"]


def test_wrong_use_is_explained(finished, tmp_path):
    with pytest.raises(UsageError, match="val"):
        evaluate(finished, split="vall")
    with pytest.raises(RunError, match="not a run directory"):
        evaluate(tmp_path)


def test_another_data_set_is_refused(finished, photo_folder, tmp_path):
    source = photo_folder({"disc": 8, "bar": 8, "cross": 8})
    other = tlkit.prepare(source, tmp_path / "other", workers=0, near=False)
    with pytest.raises(RunError, match="changed"):
        evaluate(finished, data=other.directory)
    source = photo_folder({"disc": 8, "bar": 8}, where=tmp_path / "two")
    fewer = tlkit.prepare(source, tmp_path / "fewer", workers=0, near=False)
    with pytest.raises(RunError, match="classes"):
        evaluate(finished, data=fewer.directory)


def test_changed_labels_are_refused(finished):
    path = finished.directory / "labels.txt"
    before = path.read_text()
    try:
        path.write_text("\n".join(reversed(before.split())) + "\n")
        with pytest.raises(RunError, match=r"labels\.txt"):
            tlkit.Run.read(finished.directory)
    finally:
        path.write_text(before)
