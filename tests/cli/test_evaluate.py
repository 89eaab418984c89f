import csv
import json

import tlkit
from tlkit.cli import run


def test_evaluate_prints_the_interval(finished, capfd):
    assert run(["evaluate", str(finished.directory), "--workers", "0"]) == 0
    out, err = capfd.readouterr()
    assert "95 % interval" in out
    assert "macro F1" in out
    assert "errors.png" in err
    finished_split = ["evaluate", str(finished.directory), "--split", "val"]
    assert run([*finished_split, "--workers", "0"]) == 0
    assert "selected the epoch" in capfd.readouterr().err


def test_several_labels_are_scored_and_predicted(finished_several, several, capfd):
    place, image = str(finished_several.directory), several.examples[0].path
    assert run(["evaluate", place, "--workers", "0", "--split", "val"]) == 0
    out, err = capfd.readouterr()
    assert "mAP" in out
    assert "average precision" in out
    assert "selected the epoch and the label thresholds" in err
    assert "classes.csv" in err
    assert "confusion" not in out + err
    command = ["predict", place, str(several.source / image), "--workers", "0"]
    assert run(command) == 0
    out = capfd.readouterr().out
    (prediction,) = tlkit.predict(place, [several.source / image], workers=0)
    assert "labels" in out.splitlines()[0]
    for label in prediction.labels:
        assert f"{label} {prediction.probabilities[label]:.3f}" in out
    assert run([*command, "--format", "csv"]) == 0
    (row,) = csv.DictReader(capfd.readouterr().out.splitlines())
    assert row["label"] == prediction.label
    assert not row["probability"]
    assert run([*command, "--format", "json"]) == 0
    (found,) = json.loads(capfd.readouterr().out)
    assert found["labels"] == list(prediction.labels)
