import csv
import json
import shutil

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from PIL import Image

import tlkit
from tests.conftest import SMALL, draw_image
from tlkit.cli import run as command
from tlkit.errors import UsageError
from tlkit.evaluation import evaluate as evaluation
from tlkit.evaluation.predict import predict_views
from tlkit.exporting.export import export
from tlkit.metrics.calibration import scale

KINDS = ("disc", "bar")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run that has learned discs and bars, with images of neither beside it."""
    root = tmp_path_factory.mktemp("unknown")
    for kind, name in enumerate((*KINDS, "cross")):
        folder = root / ("strange" if name == "cross" else f"photos/{name}")
        folder.mkdir(parents=True)
        for i in range(60 if name != "cross" else 30):
            Image.fromarray(draw_image(kind, i)).save(folder / f"{i}.png")
    manifest = tlkit.prepare(
        root / "photos", root / "data", workers=0, near=False, val=0.3, test=0.3
    )
    settings = {**SMALL, "epochs": 20, "lr": 3e-3, "augment": "none", "patience": 0}
    return tlkit.finetune(manifest.directory, root / "run", **settings)


@pytest.fixture
def run(trained, tmp_path):
    """A copy of it, to be told what is unknown."""
    place = shutil.copytree(trained.directory, tmp_path / "run")
    return tlkit.Run.read(place)


def reread(run):
    return tlkit.Run.read(run.directory)


def rejected(run, files):
    answers = tlkit.predict(reread(run), files, workers=0)
    assert {a.label for a in answers if a.labels} <= set(KINDS)
    assert {a.label for a in answers if not a.labels} <= {"unknown"}
    assert {a.guess for a in answers} <= set(KINDS)
    return np.mean([a.label == "unknown" for a in answers])


def test_a_class_held_out_of_training_is_rejected_more(run):
    metrics = tlkit.evaluate(run, unknown="coverage:0.9", workers=0)
    unknown = metrics["unknown"]
    assert unknown["rule"] == "coverage:0.9"
    assert metrics["used_for_selection"] == []
    assert 0.6 < unknown["coverage"] <= 1
    low, high = unknown["accuracy_ci95"]
    assert low <= unknown["accuracy"] <= high
    manifest = run.manifest()
    familiar = [manifest.source / e.path for e in manifest.of("test")]
    assert rejected(run, familiar) == pytest.approx(1 - unknown["coverage"])
    assert rejected(run, [manifest.directory.parent / "strange"]) > 2 * rejected(
        run, familiar
    )


def test_the_threshold_keeps_the_coverage_and_reports_its_selection(run):
    metrics = tlkit.evaluate(run, split="val", unknown="coverage:0.8", workers=0)
    assert metrics["used_for_selection"] == [
        "epoch",
        "temperature",
        "rejection threshold",
    ]
    assert metrics["unknown"]["coverage"] == pytest.approx(0.8, abs=0.03)
    again = tlkit.evaluate(reread(run), split="test", workers=0)
    assert again["unknown"]["rule"] == "coverage:0.8"
    folder = run.directory / "evaluation" / "test"
    table = pd.read_csv(folder / "predictions.csv")
    assert (~table["known"]).sum() == again["unknown"]["n"]
    assert set(table["predicted"]) <= set(KINDS)
    scores = table[[f"p_{label}" for label in run.labels]].to_numpy()
    temperature = run.info["postprocessing"]["temperature"]
    np.testing.assert_allclose(
        table["confidence"], scale(scores, temperature).max(axis=1), rtol=1e-5
    )
    curve = pd.read_csv(folder / "coverage.csv")
    assert curve["coverage"].iloc[-1] == 1
    assert curve["accuracy"].iloc[-1] == again["accuracy"]
    assert (folder / "coverage.png").read_bytes().startswith(b"\x89PNG")
    ended = tlkit.evaluate(reread(run), unknown="none", workers=0)
    assert ended["unknown"] is None
    image = run.manifest().source / run.manifest().examples[0].path
    assert tlkit.predict(reread(run), [image], workers=0)[0].guess is None


def test_an_exported_model_rejects_too(run, tmp_path):
    tlkit.evaluate(run, unknown="coverage:0.7", workers=0)
    run = reread(run)
    exported = export(run, out=tmp_path / "exported")
    folder = run.manifest().directory.parent / "strange"
    files = sorted(folder.iterdir())
    loaded = tf.saved_model.load(str(exported.directory))
    said = loaded.signatures["serving_default"](
        image_bytes=tf.constant([f.read_bytes() for f in files])
    )
    answers = tlkit.predict(run, files, workers=0)
    labels = [label.decode() for label in said["label"].numpy()]
    assert labels == [a.label for a in answers]
    assert "unknown" in labels
    assert [g.decode() for g in said["guess"].numpy()] == [a.guess for a in answers]
    known = said["confidence"].numpy() >= said["unknown_below"].numpy()
    np.testing.assert_array_equal(said["known"].numpy(), known)
    metadata = json.loads((exported.directory / "metadata.json").read_text())
    assert set(metadata["outputs"]) == set(said)


def test_the_command_line_reports_rejection(run, capfd):
    place, rule = str(run.directory), ("--unknown", "coverage:0.7")
    assert command(["evaluate", place, *rule, "--workers", "0"]) == 0
    out, err = capfd.readouterr()
    assert "Unknown, by confidence below 0." in out
    assert "at temperature" in out
    assert "coverage.png" in err
    assert "selected the threshold" not in err
    files = sorted((run.manifest().directory.parent / "strange").iterdir())
    ask = ["predict", place, *map(str, files), "--workers", "0"]
    assert command([*ask, "--format", "csv"]) == 0
    rows = list(csv.DictReader(capfd.readouterr().out.splitlines()))
    unknown = [row for row in rows if row["label"] == "unknown"]
    assert 0 < len(unknown) < len(rows)
    assert {row["guess"] for row in rows} <= set(KINDS)
    assert command([*ask, "--format", "json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert [row["guess"] for row in found] == [row["guess"] for row in rows]
    assert command(ask) == 0
    shown = capfd.readouterr().out.splitlines()[1:]
    assert sum(line.split()[1] == "unknown" for line in shown) == len(unknown)
    assert command(["evaluate", place, "--split", "val", "--workers", "0"]) == 0
    assert "selected the threshold" in capfd.readouterr().err


def test_rules_that_are_refused(run, finished_several):
    with pytest.raises(UsageError, match="coverage:SHARE"):
        tlkit.evaluate(run, unknown="all", workers=0)
    with pytest.raises(
        UsageError, match="multi-label run has no rejection rule, got unknown coverage"
    ):
        tlkit.evaluate(finished_several, unknown="coverage:0.9", workers=0)


def test_a_class_of_that_name_is_in_the_way(prepared, small, photo_folder, tmp_path):
    source = photo_folder({"unknown": 9, "bar": 9})
    data = tlkit.prepare(source, tmp_path / "data", workers=0, near=False)
    run = tlkit.finetune(data.directory, tmp_path / "run", **{**small, "epochs": 1})
    with pytest.raises(UsageError, match="class 'unknown' already"):
        tlkit.evaluate(run, unknown="coverage:0.9", workers=0)


def test_validation_images_are_scored_once(run, monkeypatch):
    """`--split val --unknown` needs the same probabilities for both."""
    scored = []

    def counting(model, pixels):
        scored.append(len(pixels))
        return predict_views(model, pixels)

    monkeypatch.setattr(evaluation, "predict_views", counting)
    tlkit.evaluate(run, split="val", unknown="coverage:0.8", workers=0)
    assert sum(scored) == len(run.manifest().of("val"))
