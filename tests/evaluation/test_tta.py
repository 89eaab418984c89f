import dataclasses
import json

import numpy as np
import pytest

import tlkit
from tlkit.cli import run as command
from tlkit.errors import UsageError
from tlkit.evaluation.predict import predict_pixels
from tlkit.evaluation.tta import choose_views, compare_views, describe, view_maker
from tlkit.inputs.augment import has_flips
from tlkit.inputs.views import HFLIP, PLAIN
from tlkit.metrics.multiclass import measure
from tlkit.tasks.multiclass import Multiclass
from tlkit.tasks.prediction import ScoredSplit


def with_hflip(run, hflip):
    inputs = dataclasses.replace(run.config.inputs, hflip=hflip)
    return dataclasses.replace(
        run, config=dataclasses.replace(run.config, inputs=inputs)
    )


def test_the_views_that_are_taken(finished):
    assert choose_views(finished, None) == (PLAIN,)
    assert choose_views(finished, 2) == (PLAIN, HFLIP)
    assert choose_views(finished, 4) == (PLAIN, HFLIP, 1, 2)
    never = with_hflip(finished, hflip=False)
    assert choose_views(never, 3) == (PLAIN, 1, 2)
    assert has_flips(view_maker(finished, finished.directory).policy)
    assert not has_flips(view_maker(never, finished.directory).policy)
    assert describe((PLAIN, HFLIP)) == "plain and flipped"
    assert describe((PLAIN, HFLIP, 1, 2)) == "plain, flipped and 2 lightly changed"
    assert describe((PLAIN, 1, 2)) == "plain and 2 lightly changed"


def test_what_cannot_be_had_is_an_error(finished):
    for tta in (0, 1, 33):
        with pytest.raises(UsageError, match="2 to 32"):
            choose_views(finished, tta)
    never = with_hflip(finished, hflip=False)
    told = {**never.info, "hflip": {"reason": "51 lost."}}
    with pytest.raises(UsageError, match=r"another class here\. 51 lost"):
        choose_views(dataclasses.replace(never, info=told), 2)
    with pytest.raises(UsageError, match="has not checked flips"):
        choose_views(with_hflip(finished, hflip=None), 2)
    with pytest.raises(UsageError, match="horizontal flip"):
        tlkit.predict(never, [finished.directory / "curves.png"], tta=2, workers=0)


def test_what_averaging_changes_worked_out_by_hand():
    truth = np.array([0, 0, 1, 1])
    plain = np.array([[0.9, 0.1], [0.4, 0.6], [0.45, 0.55], [0.2, 0.8]])
    other = np.array([[0.7, 0.3], [0.8, 0.2], [0.75, 0.25], [0.4, 0.6]])
    side = ScoredSplit("val", np.eye(2)[truth], plain, tuple("wxyz"))
    views = np.stack([plain, other], axis=1)
    got = compare_views(Multiclass(("a", "b")), side, views, "x")
    # Means for class a: .8, .6, .6, .3: the second gets correct, the third incorrect.
    assert (got["corrected"], got["broken"]) == (1, 1)
    assert got["accuracy"] == 3 / 4
    assert got["n"] == 2
    wanted = -np.log([0.8, 0.6, 0.4, 0.7]).mean()
    assert got["loss"] == pytest.approx(wanted)
    averaged = measure(truth, (plain + other) / 2, tuple("wxyz"), ["a", "b"])
    assert got["accuracy_ci95"] == averaged["accuracy_ci95"]


def test_evaluate_tells_both_scores(finished, capfd):
    before = tlkit.evaluate(finished, workers=0)
    both = tlkit.evaluate(finished, tta=3, workers=0)
    views = both.pop("views")
    assert both == before
    assert views["kinds"] == "plain, flipped and 1 lightly changed"
    right = [round(one["accuracy"] * both["n"]) for one in (both, views)]
    assert right[1] - right[0] == views["corrected"] - views["broken"]
    place = finished.directory / "evaluation" / "test" / "metrics.json"
    assert json.loads(place.read_text())["views"] == views
    words = ["evaluate", str(finished.directory), "--tta", "3", "--workers", "0"]
    assert command(words) == 0
    out, err = capfd.readouterr()
    assert f"test: accuracy {both['accuracy']:.3f}" in out
    assert f"averaged over 3 views ({views['kinds']}): accuracy" in out
    assert "do not average" in err
    tlkit.evaluate(finished, workers=0)


@pytest.mark.parametrize("workers", [0, 2])
def test_predict_averages_the_same_views(finished, prepared, tmp_path, workers):
    example = prepared.of("test")[0]
    path = prepared.source / example.path
    (tmp_path / "bad.png").write_text("x")
    views = choose_views(finished, 4)
    maker = view_maker(finished, prepared.source)
    pixels = np.empty((4, 32, 32, 3), np.uint8)
    assert maker.read(path, pixels, views=views) == ""
    wanted = predict_pixels(finished.model(), pixels).mean(axis=0)
    bad, got = tlkit.predict(
        finished, [tmp_path / "bad.png", path], tta=4, workers=workers
    )
    assert bad.error
    np.testing.assert_allclose(list(got.probabilities.values()), wanted, atol=1e-6)
    (plain,) = tlkit.predict(finished, [path], workers=0)
    assert plain.probabilities != got.probabilities


def test_predict_says_that_an_export_does_not_average(finished, prepared, capfd):
    path = str(prepared.source / prepared.examples[0].path)
    words = ["predict", str(finished.directory), path, "--tta", "2", "--workers", "0"]
    assert command([*words, "--format", "csv"]) == 0
    out, err = capfd.readouterr()
    assert len(out.splitlines()) == 2
    assert "exported model takes the plain image" in err.replace("\n", " ")
