import json
import shutil

import numpy as np
import pandas as pd
import pytest

import tlkit
from tlkit.errors import RunError, UsageError
from tlkit.evaluation.postprocessing import postprocessing_of
from tlkit.evaluation.report import read_errors
from tlkit.tasks.multiclass import Multiclass
from tlkit.tasks.multilabel import Multilabel
from tlkit.tasks.prediction import ScoredSplit

LABELS = ("a", "b", "c")
SEVERAL = Multilabel(LABELS, (0.5, 0.3, 0.9))


def test_the_likeliest_class_or_all_above_their_thresholds():
    scores = np.array([[0.6, 0.3, 0.1], [0.2, 0.1, 0.7]], np.float32)
    one = Multiclass(LABELS).predictions(scores)
    assert [(a.label, a.labels) for a in one] == [("a", ("a",)), ("c", ("c",))]
    assert [a.probability for a in one] == pytest.approx([0.6, 0.7])
    both = SEVERAL.predictions(scores)
    assert [(a.label, a.labels) for a in both] == [("a|b", ("a", "b")), ("", ())]
    assert [a.probability for a in both] == [None, None]


def test_errors_are_sorted_by_the_worst_label():
    truth = np.array([[1, 0, 0], [1, 0, 0], [1, 0, 1]], float)
    scores = np.array([[0.9, 0.8, 0.1], [0.9, 0.2, 0.1], [0.4, 0.4, 0.95]])
    # b is predicted wrongly; nothing is wrong; a is missed and b predicted wrongly.
    split = ScoredSplit("val", truth, scores, tuple("xyz"))
    assert SEVERAL.confidence(split) == pytest.approx([0.8, 0.2, 0.6])


def test_captions():
    caption = SEVERAL.caption(np.array([1, 0, 0]), np.array([0.4, 0.35, 0.2]))
    assert caption == "missed a (0.40); not there: b (0.35)"
    caption = Multiclass(LABELS).caption(np.array([1, 0, 0]), np.array([0.2, 0.7, 0.1]))
    assert caption == "a, predicted b (0.70)"


def test_labels_that_are_stable_within_a_tolerance():
    scores = np.array([[0.51, 0.49, 0.0], [0.6, 0.4, 0.0]])
    assert Multiclass(LABELS).is_stable(scores, 0.02).tolist() == [False, True]
    scores = np.array([[0.52, 0.1, 0.5], [0.7, 0.1, 0.5]])
    assert SEVERAL.is_stable(scores, 0.03).tolist() == [False, True]


def test_a_run_with_several_labels_records_its_thresholds(finished_several, several):
    assert finished_several.model().output_shape == (None, 3)
    chosen = finished_several.info["postprocessing"]
    assert chosen["selected_on"] == "val"
    assert [row["name"] for row in chosen["thresholds"]] == list(
        finished_several.labels
    )
    shown = several.multi_hot("val").sum(axis=0)
    often = (shown >= 10) & (len(several.of("val")) - shown >= 10)
    wanted = ["class" if own else "all" for own in often]
    assert [row["by"] for row in chosen["thresholds"]] == wanted
    found = postprocessing_of(finished_several)
    assert isinstance(found, Multilabel)
    assert found.thresholds == tuple(r["threshold"] for r in chosen["thresholds"])
    metrics = finished_several.metrics()
    assert metrics["used_for_selection"] == ["epoch", "label thresholds"]
    history = pd.read_csv(finished_several.directory / "history.csv")
    assert metrics["loss"] == pytest.approx(history["val_loss"].min(), abs=1e-4)


def test_evaluation_with_several_labels(finished_several, several):
    metrics = tlkit.evaluate(finished_several, workers=0)
    assert metrics["split"] == "test"
    assert metrics["used_for_selection"] == []
    folder = finished_several.directory / "evaluation" / "test"
    table = pd.read_csv(folder / "predictions.csv", keep_default_na=False)
    examples = several.of("test")
    assert table["label"].tolist() == [e.label for e in examples]
    wrong = table["label"] != table["predicted"]
    assert metrics["subset_accuracy"] == pytest.approx(1 - wrong.mean())
    assert len(pd.read_csv(folder / "errors.csv")) == wrong.sum() > 0
    classes = pd.read_csv(folder / "classes.csv")
    assert classes["name"].tolist() == list(several.labels)
    assert {"ap", "ap_low", "ap_high", "threshold", "support"} <= set(classes)
    assert (folder / "errors.png").read_bytes().startswith(b"\x89PNG")
    assert not (folder / "confusion.csv").exists()
    assert json.loads((folder / "metrics.json").read_text()) == metrics
    assert set(read_errors(finished_several.directory)) >= set(table["path"][wrong])


def test_predictions_with_several_labels(finished_several, several):
    files = [several.source / e.path for e in several.of("test")]
    answers = tlkit.predict(finished_several, files, workers=0)
    chosen = finished_several.info["postprocessing"]["thresholds"]
    for answer in answers:
        limits = {row["name"]: row["threshold"] for row in chosen}
        sure = (n for n, p in answer.probabilities.items() if p >= limits[n])
        assert answer.labels == tuple(sure)
        assert answer.label == "|".join(answer.labels)
        assert answer.probability is None


def test_views_with_several_labels(finished_several):
    metrics = tlkit.evaluate(finished_several, tta=3, workers=0)
    views = metrics["views"]
    low, high = views["map_ci95"]
    assert low <= views["map"] <= high
    gain = (views["corrected"] - views["broken"]) / metrics["n"]
    assert -1 <= gain + metrics["subset_accuracy"] <= 1


def test_a_run_without_its_thresholds_says_so(finished_several, tmp_path):
    run = shutil.copytree(finished_several.directory, tmp_path / "run")
    info = json.loads((run / "run.json").read_text())
    del info["postprocessing"]
    (run / "run.json").write_text(json.dumps(info))
    with pytest.raises(RunError, match=r"run\.json has no valid"):
        tlkit.predict(run, [tmp_path / "x.png"])


@pytest.mark.parametrize("option", ["class_weights", "sampling"])
def test_balance_has_no_meaning_with_several_labels(several, tmp_path, small, option):
    settings = {**small, option: "balanced"}
    with pytest.raises(UsageError, match=f"{option}: balanced .* several labels"):
        tlkit.finetune(several.directory, tmp_path / "run", **settings)
    assert not (tmp_path / "run").exists()


def test_several_labels_are_learned(tmp_path, several, small):
    """Better than saying yes to everything, which has a macro F1 of about 0.73."""
    settings = {**small, "epochs": 25, "lr": 3e-3, "augment": "none", "patience": 0}
    run = tlkit.finetune(several.directory, tmp_path / "run", **settings)
    metrics = tlkit.evaluate(run, workers=0)
    assert metrics["map"] > 0.9
    assert metrics["macro_f1"] > 0.8
