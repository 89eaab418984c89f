import keras
import numpy as np
import pytest

from tlkit.errors import UsageError
from tlkit.model.head import apply_head, parse_head
from tlkit.tasks.task import Task, probabilities


@pytest.mark.parametrize(
    ("task", "units", "activation", "loss"),
    [
        (Task(2), 1, "sigmoid", "binary_crossentropy"),
        (Task(3), 3, "softmax", "categorical_crossentropy"),
        (Task(2, multi_label=True), 2, "sigmoid", "binary_crossentropy"),
        (Task(3, multi_label=True), 3, "sigmoid", "binary_crossentropy"),
    ],
    ids=str,
)
def test_what_a_task_asks_for(task, units, activation, loss):
    assert (task.units, task.activation, task.loss) == (units, activation, loss)
    features = keras.Input((2, 3, 4))
    answer = apply_head(features, parse_head("gap"), task, seed=0)
    output = keras.Model(features, answer).get_layer("probabilities")
    assert output.units == units
    assert output.activation is getattr(keras.activations, activation)


def test_one_class_is_none():
    with pytest.raises(UsageError, match="at least 2 classes, got 1"):
        Task(1)


def test_targets_have_the_form_of_the_output():
    shares = np.array([[0.25, 0.75]])
    assert Task(2).targets(shares).tolist() == [[0.75]]
    assert Task(2, multi_label=True).targets(shares).tolist() == [[0.25, 0.75]]
    assert Task(3).targets(np.eye(3)).shape == (3, 3)


def test_what_counts_as_right():
    wanted = np.array([[1, 0, 0], [0.4, 0.6, 0]], "float32")
    answered = np.array([[0.5, 0.3, 0.2], [0.5, 0.4, 0.1]], "float32")
    assert np.asarray(Task(3).correct(wanted, answered)).tolist() == [1, 0]
    one = Task(2).correct(np.array([[1.0], [0.0]]), np.array([[0.6], [0.7]]))
    assert np.asarray(one).tolist() == [1, 0]
    several = Task(3, multi_label=True)
    wanted = np.array([[1, 1, 0], [0, 0, 0]], "float32")
    answered = np.array([[0.9, 0.2, 0.1], [0.1, 0.6, 0.9]], "float32")
    got = np.asarray(several.correct(wanted, answered))
    np.testing.assert_allclose(got, [2 / 3, 1 / 3], rtol=1e-6)


def test_how_right_answers_are_and_what_they_lose():
    shares = np.array([[1, 0, 0], [0, 1, 0]], "float32")
    scores = np.array([[0.5, 0.3, 0.2], [0.6, 0.3, 0.1]], "float32")
    assert Task(3).correctness(shares, scores).tolist() == [1, 0]
    loss = -(np.log(0.5) + np.log(0.3)) / 2
    assert Task(3).losses(shares, scores).mean() == pytest.approx(loss)
    several = Task(3, multi_label=True)
    shares = np.array([[1, 1, 0], [0, 0, 0]], "float32")
    scores = np.array([[0.9, 0.2, 0.1], [0.1, 0.6, 0.9]], "float32")
    np.testing.assert_allclose(several.correctness(shares, scores), [2 / 3, 1 / 3])
    loss = -np.log([0.9, 0.2, 0.9, 0.9, 0.4, 0.1]).mean()
    assert several.losses(shares, scores).mean() == pytest.approx(loss)


def test_smoothing():
    one = Task(4).smoothed(np.array([[1.0, 0, 0, 0]]), 0.2)
    np.testing.assert_allclose(one, [[0.85, 0.05, 0.05, 0.05]], rtol=1e-6)
    several = Task(3, multi_label=True).smoothed(np.array([[1.0, 1, 0]]), 0.2)
    np.testing.assert_allclose(several, [[0.9, 0.9, 0.1]], rtol=1e-6)
    assert several.dtype == one.dtype == np.float32


def test_probabilities():
    two = probabilities(np.array([[0.25], [1.0]], "float32"))
    np.testing.assert_array_equal(two, [[0.75, 0.25], [0.0, 1.0]])
    assert two.dtype == np.float32
    three = np.array([[0.2, 0.3, 0.5]])
    np.testing.assert_array_equal(probabilities(three), three.astype("float32"))
    assert probabilities(np.empty((0, 1))).shape == (0, 2)
