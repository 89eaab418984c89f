import dataclasses

from tlkit.config import (
    OPTIONS,
    SECTIONS,
    Config,
    Scope,
    TrainConfig,
    given_for_head,
    options_of,
    without_head_options,
    without_steps,
)


def test_option_names_are_unique_over_the_sections():
    names = [f.name for kind in SECTIONS.values() for f in dataclasses.fields(kind)]
    assert len(names) == len(set(names)) > 20


def test_every_option_has_help_and_its_default_is_allowed():
    for name, one in OPTIONS.items():
        assert len(one.metadata["help"]) > 5, name
        choices, bounds = one.metadata["choices"], one.metadata["bounds"]
        if choices:
            assert one.default in choices
        if bounds and one.default is not None:
            assert bounds[0] <= one.default <= bounds[1]


def test_the_scope_of_an_option_is_stated_once():
    assert {"lr", "epochs", "phases"} < set(options_of(Scope.COURSE))
    assert {"augment", "batch", "lr"} < set(options_of(Scope.STEPS))
    assert {"backbone", "cut", "seed"} < set(options_of(Scope.FEATURES))
    assert not {"lr", "augment", "precision"} & set(options_of(Scope.FEATURES))


def test_options_for_the_head_alone():
    train = TrainConfig(lr=0.1, patience=4, lr_patience=2)
    assert given_for_head(train) == {"lr": 0.1, "patience": 4}
    assert without_head_options(train) == TrainConfig(lr_patience=4)
    assert not given_for_head(TrainConfig(lr_patience=0))


def test_a_probe_alone_ignores_what_steps_would_need():
    config = Config(train=TrainConfig(lr=0.1, epochs=3, seed=4))
    plain = without_steps(config)
    assert plain.train == TrainConfig(seed=4)
    assert plain.inputs.views == 1
