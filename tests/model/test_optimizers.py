import inspect

import keras
import numpy as np
import pytest

from tlkit.backbones.graph import running_means
from tlkit.errors import UsageError
from tlkit.model.optimizers import OPTIMIZERS, SCHEDULES, build, check

# Wrappers and bases, not optimizers one would name.
NOT_NAMED = {"Optimizer", "LossScaleOptimizer", "MultiOptimizer"}


def test_the_table_is_what_keras_has():
    of_keras = {
        name: kind
        for name, kind in vars(keras.optimizers).items()
        if inspect.isclass(kind) and issubclass(kind, keras.optimizers.Optimizer)
    }
    tabled = dict(OPTIMIZERS.values())
    assert set(of_keras) - NOT_NAMED <= set(tabled)
    for name in set(of_keras) & set(tabled):
        parameters = inspect.signature(of_keras[name]).parameters
        takes = [p for p in ("momentum", "nesterov") if p in parameters]
        assert list(tabled[name]) == takes, name
        assert "weight_decay" in parameters


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_takes_a_step(name):
    kind = OPTIMIZERS[name][0]
    old = keras.__version__.startswith("3.12.")
    if not hasattr(keras.optimizers, kind) or (name == "muon" and old):
        with pytest.raises(UsageError, match="has no optimizer"):
            build(name, lr=0.1, steps=10)
        return
    optimizer = build(name.upper(), lr=0.1, steps=10, weight_decay=0.01)
    variable = keras.Variable(np.ones((3, 3), np.float32))
    # Muon reads the path to tell embeddings apart.
    assert variable.path
    optimizer.apply([keras.ops.ones((3, 3))], [variable])
    assert not np.array_equal(variable.numpy(), np.ones((3, 3)))


def rate(schedule, step, **options):
    optimizer = build("sgd", lr=0.8, steps=100, schedule=schedule, **options)
    optimizer.iterations.assign(step)
    return float(optimizer.learning_rate)


def test_the_schedules_by_hand():
    assert set(SCHEDULES) == {
        *("auto", "constant", "cosine", "exponential", "linear", "onecycle")
    }
    # A callback sets the rate of every step.
    assert rate("auto", 50) == pytest.approx(0.8)
    # Up from a 25th over 25 steps, evenly; down over 75.
    assert rate("onecycle", 0) == pytest.approx(0.8 / 25, rel=1e-5)
    assert rate("onecycle", 10) == pytest.approx(0.8 * (0.04 + 0.4 * 0.96), rel=1e-4)
    assert rate("onecycle", 25) == pytest.approx(0.8, rel=1e-5)
    # A third of the way down: 0.5 * (1 + cos 60 degrees)
    assert rate("onecycle", 50) == pytest.approx(0.6, rel=1e-3)
    assert rate("onecycle", 100) == pytest.approx(0.8e-5, rel=1e-3)
    assert rate("constant", 50) == pytest.approx(0.8)
    assert rate("cosine", 50) == pytest.approx(0.8 * 0.5, rel=1e-5)
    assert rate("linear", 25) == pytest.approx(0.8 * 0.75, rel=1e-5)
    assert rate("exponential", 50) == pytest.approx(0.8 * 0.1, rel=1e-5)
    assert rate("cosine", 5, warmup=0.1) == pytest.approx(0.4, rel=1e-5)
    assert rate("cosine", 55, warmup=0.1) == pytest.approx(0.4, rel=1e-5)


def test_options_that_do_not_apply_are_refused():
    with pytest.raises(UsageError, match="sgd"):
        check("adam", momentum=0.9, nesterov=None)
    with pytest.raises(UsageError, match="adam"):
        check("adamm", momentum=None, nesterov=None)
    with pytest.raises(UsageError, match="cosine"):
        check("sgd", momentum=None, nesterov=None, warmup=0.1, schedule="linear")


def stepped(name, **options):
    """A weight of 1 after two steps at rate 0.1 along a gradient of 1."""
    optimizer = build(name, lr=0.1, steps=10, **options)
    variable = keras.Variable(np.ones((2, 2), np.float32))
    for _ in range(2):
        optimizer.apply([keras.ops.ones((2, 2))], [variable])
    return float(variable.numpy()[0, 0])


def test_nesterov_is_refused_where_it_would_do_nothing():
    for momentum in (None, 0.0):
        with pytest.raises(UsageError, match="no effect on SGD without momentum"):
            check("SGD", momentum=momentum, nesterov=True)
    with pytest.raises(UsageError, match="no effect on muon"):
        check("muon", momentum=0.0, nesterov=True)
    check("sgd", momentum=0.0, nesterov=False)
    # v = -0.1, w = 1 - 0.05 - 0.1; then v = -0.15, w = 0.85 - 0.075 - 0.1
    assert stepped("sgd", momentum=0.5, nesterov=True) == pytest.approx(0.675)
    # v = -0.1, w = 0.9; then v = -0.15, w = 0.75
    assert stepped("sgd", momentum=0.5, nesterov=False) == pytest.approx(0.75)


def test_muon_has_a_momentum_of_its_own():
    check("muon", momentum=None, nesterov=True)
    defaults = {
        name: inspect.signature(getattr(keras.optimizers, kind)).parameters
        for name, (kind, takes) in OPTIMIZERS.items()
        if "nesterov" in takes and hasattr(keras.optimizers, kind)
    }
    own = {name: found["momentum"].default for name, found in defaults.items()}
    assert own.pop("sgd") == 0
    assert set(own) <= {"muon"}
    assert all(momentum > 0 for momentum in own.values())


def test_the_running_mean_of_the_weights():
    """At momentum 0.5, weights 0.9, 0.8: Keras begins with the first, then 0.85."""
    optimizer = build("sgd", lr=0.1, steps=10, ema=0.5)
    variable = keras.Variable(np.ones(2, np.float32))
    for _ in range(2):
        optimizer.apply([keras.ops.ones(2)], [variable])
    mean = running_means(optimizer)[id(variable)]
    np.testing.assert_allclose(variable.numpy(), 0.8, atol=1e-6)
    np.testing.assert_allclose(mean.numpy(), 0.85, atol=1e-6)


def test_muon_of_an_old_keras_is_refused(monkeypatch):
    monkeypatch.setattr(keras, "__version__", "3.12.4")
    with pytest.raises(UsageError, match="no optimizer muon that works"):
        build("muon", lr=0.1, steps=10)
