import numpy as np
import pandas as pd
import pytest

import tlkit
from tests.conftest import SMALL
from tlkit.cli import run as command
from tlkit.cli.options import written
from tlkit.config import Scope, options_of
from tlkit.errors import ConfigError, RunError, UsageError
from tlkit.experiments.lr_find import HIGHEST, LOWEST, STEPS, lr_find, smooth, suggest

OPTIONS = {
    name: value for name, value in SMALL.items() if name not in options_of(Scope.COURSE)
} | {"freeze_to": "block2", "augment": "none"}  # fmt: skip
RATES = np.geomspace(LOWEST, HIGHEST, STEPS).tolist()


def curve(noise=0.0, fall=1.0, seed=0):
    """Falls around 1e-3 by a hyperbolic tangent, rises from 1e-1 on."""
    x = np.log10(RATES)
    loss = 1 - fall * (1 + np.tanh(2 * (x + 3))) / 2 + np.maximum(x + 1, 0) ** 2
    return (loss + noise * np.random.default_rng(seed).normal(size=STEPS)).tolist()


def test_smoothing_keeps_lines_and_does_not_lag():
    line = np.linspace(3, 1, 50).tolist()
    np.testing.assert_allclose(smooth(line)[15:-15], line[15:-15])
    step = [1.0] * 25 + [0.0] * 25
    middle = smooth(step)[24:26]
    assert middle.sum() == pytest.approx(1)
    assert len(smooth([1.0])) == 1


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_the_learning_rate_is_where_the_loss_falls_fastest(noise):
    found = suggest(RATES, curve(noise))
    assert found
    steepest, tenth = found
    # A step is a factor of 1.2; noise moves the steepest place by some of them.
    assert steepest == pytest.approx(1e-3, rel=0.25 if not noise else 2)
    # The fall has ended and the rise begins at 1e-1; smoothing moves that to the side
    # that is flat.
    assert 0.003 < tenth < 0.012
    assert float(f"{steepest:.1e}") == steepest


def test_noise_is_not_a_fall():
    for seed in range(60):
        assert suggest(RATES, curve(noise=0.1, fall=0.0, seed=seed)) is None
    assert suggest(RATES, np.linspace(1, 2, STEPS).tolist()) is None


def test_a_range_test_writes_a_table_and_a_plot(prepared, tmp_path, own_cache):
    found = lr_find(prepared.directory, tmp_path / "lr", **OPTIONS)
    table = pd.read_csv(tmp_path / "lr" / "lr.csv")
    assert list(table) == ["learning_rate", "loss", "smoothed"]
    assert table["learning_rate"].tolist() == pytest.approx(RATES[: len(table)])
    assert table["loss"].tolist() == pytest.approx(found.losses)
    assert (tmp_path / "lr" / "lr.png").read_bytes().startswith(b"\x89PNG")
    assert LOWEST < found.steepest < HIGHEST
    # At the lowest rates nothing is learned, further on much.
    assert min(found.losses) < 0.9 * np.mean(found.losses[:20])
    with pytest.raises(UsageError, match="exists already"):
        lr_find(prepared.directory, tmp_path / "lr", **OPTIONS)
    again = lr_find(prepared.directory, tmp_path / "lr", overwrite=True, **OPTIONS)
    assert again.losses == found.losses


def test_it_uses_the_features_that_finetune_has_cached(prepared, tmp_path, own_cache):
    settings = {**OPTIONS, "epochs": 1}
    tlkit.finetune(prepared.directory, tmp_path / "run", **settings)

    class Notes:
        notes: list[str] = []  # noqa: RUF012

        def start(self, task, total=None):
            pass

        def advance(self, steps=1):
            pass

        def note(self, message):
            self.notes.append(message)

        warn = note

    lr_find(prepared.directory, tmp_path / "lr", progress=Notes(), **OPTIONS)
    assert Notes.notes == [f"Took {len(prepared.of('train'))} views from the cache"]


def test_where_nothing_is_learned_there_is_a_plot_and_an_error(
    prepared, tmp_path, own_cache, monkeypatch
):
    monkeypatch.setattr("tlkit.experiments.lr_find.HIGHEST", 1e-6)
    with pytest.raises(RunError, match="fell by more than its noise"):
        lr_find(prepared.directory, tmp_path / "lr", **OPTIONS)
    assert (tmp_path / "lr" / "lr.png").exists()
    assert len(pd.read_csv(tmp_path / "lr" / "lr.csv")) == STEPS


def test_options_that_are_tried_cannot_be_given(prepared, tmp_path):
    with pytest.raises(
        ConfigError, match="lr: a range test tries all learning rates"
    ) as caught:
        lr_find(prepared.directory, lr=1e-3, epochs=3, overrides=["train.steps=3"])
    assert len(caught.value.faults) == 3
    with pytest.raises(UsageError, match="No data set"):
        lr_find()


def test_the_command_prints_the_next_one(
    prepared, tmp_path, own_cache, monkeypatch, capfd
):
    monkeypatch.chdir(tmp_path)
    words = ["lr-find", str(prepared.directory), *written(OPTIONS)]
    assert command(words) == 0
    out, err = capfd.readouterr()
    assert out.startswith("learning rate ")
    rate = out.split()[2].rstrip(",")
    line = err.strip().splitlines()[-1].removeprefix("Next: tlkit ")
    assert line.startswith(f"finetune {prepared.directory} ")
    assert line.endswith(f"--phases one --lr {rate}")
    assert (tmp_path / "runs" / "data-smallcnn-lr" / "lr.png").exists()
    assert "--hflip" in line.split()
