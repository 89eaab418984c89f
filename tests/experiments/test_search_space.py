"""The search space, and the run that a choice means."""

from __future__ import annotations

import optuna
import pytest

from tlkit.config import ModelConfig, TrainConfig, build_config
from tlkit.errors import UsageError
from tlkit.experiments.search_space import SEARCHED, build_space

MODEL = ModelConfig(backbone="SmallCNN", weights="none")


def chosen(space, **values):
    return space.options({**space.defaults, **values})


def test_the_first_choice_is_a_run_without_options():
    space = build_space((), MODEL, TrainConfig())
    assert space.searched == SEARCHED
    default = build_config()
    options = chosen(space)
    assert options["head"] == default.model.head
    assert options["optimizer"] == default.train.optimizer
    assert options["batch"] == default.inputs.batch
    assert options["cut"] == "block4"
    assert (options["lr"], options["label_smoothing"]) == (1e-3, 0)


def test_heads_and_learning_rates_are_spelled_out():
    space = build_space((), MODEL, TrainConfig())
    options = chosen(space, pooling="gmp", units=64, dropout=0.30000000000000004)
    assert options["head"] == "gmp,dense:64,dropout:0.3"
    assert chosen(space, dropout=0.0)["head"] == "gap"
    # Plain gradient steps: ten times the learning rate, with momentum.
    options = chosen(space, optimizer="sgd", learning_rate=0.002)
    assert options["lr"] == pytest.approx(0.02)
    assert options["momentum"] == 0.9
    assert chosen(space, optimizer="rmsprop")["momentum"] is None


def test_every_choice_is_a_run():
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    space = build_space((), MODEL, TrainConfig())
    for _ in range(50):
        options = space.options(study.ask(space.distributions).params)
        assert build_config(options={"backbone": "smallcnn", **options})


def test_given_options_are_not_searched():
    given = {"head", "lr", "batch", "freeze_to"}
    space = build_space(given, MODEL, TrainConfig(optimizer="sgd"))
    assert space.searched == ("optimizer", "label_smoothing", "weight_decay")
    assert set(chosen(space)) == {
        "optimizer", "momentum", "label_smoothing", "weight_decay",
    }  # fmt: skip
    fixed = build_space({"optimizer"}, MODEL, TrainConfig(optimizer="sgd"))
    options = chosen(fixed, learning_rate=0.001)
    assert options["lr"] == pytest.approx(0.01)
    assert "momentum" not in options


def test_options_that_contradict_a_search_are_errors():
    with pytest.raises(UsageError, match="All options that are searched were given"):
        build_space(SEARCHED, MODEL, TrainConfig())
    with pytest.raises(UsageError, match="Give --optimizer"):
        build_space((), MODEL, TrainConfig(optimizer="sgd", momentum=0.5))
