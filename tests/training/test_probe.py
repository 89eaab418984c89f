"""The probe and its nested scores: as scikit-learn fits them, and without leaks."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from tlkit.dataset.splitting.folds import stratified_folds
from tlkit.errors import UsageError
from tlkit.training import probe as module
from tlkit.training.probe import fit_probe, nested_scores


def blobs(classes, each, columns, seed=0, spread=1.0):
    """Points about a center for each class; every point a group of its own."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(classes, columns))
    targets = np.repeat(np.arange(classes), each)
    points = centres[targets] + spread * rng.normal(size=(len(targets), columns))
    return points.astype(np.float32) * 3 + 7, targets, np.arange(len(targets))


@pytest.mark.parametrize("columns", [5, 60])
def test_it_is_the_logistic_regression_of_scikit_learn(columns):
    """Rotated to the axes of the span or not: the same probabilities."""
    features, targets, groups = blobs(3, 10, columns)
    probe = fit_probe(features, targets, groups, classes=3, seed=0)
    scale = np.sqrt(np.mean((features - features.mean(0)) ** 2))
    rows = (features - features.mean(0)) / scale
    model = LogisticRegression(C=probe.strength, max_iter=5000, tol=1e-8)
    expected = model.fit(rows, targets).predict_proba(rows)
    np.testing.assert_allclose(probe(features), expected, atol=2e-3)


def test_two_classes_have_two_columns():
    features, targets, groups = blobs(2, 12, 4, spread=0.3)
    probe = fit_probe(features, targets, groups, classes=2, seed=0)
    assert probe.kernel.shape == (4, 2)
    np.testing.assert_allclose(probe(features).sum(axis=1), 1, atol=1e-6)
    assert (probe(features).argmax(axis=1) == targets).mean() > 0.9


def test_held_out_predictions_are_guesses_on_labels_that_mean_nothing():
    """On noise, a probe that had seen the label would be correct more often."""
    rng = np.random.default_rng(1)
    features = rng.normal(size=(80, 200)).astype(np.float32)
    targets = np.tile([0, 1], 40)
    probe = fit_probe(features, targets, np.arange(80), classes=2, seed=0)
    held_out = (probe.held_out.argmax(axis=1) == targets).mean()
    assert 0.25 < held_out < 0.75
    assert probe.folds == 5


def test_copies_in_one_group_do_not_vouch_for_each_other():
    """Each image twice, labels random: only groups keep it from looking solved."""
    rng = np.random.default_rng(2)
    once = rng.normal(size=(40, 100)).astype(np.float32)
    targets = np.tile(np.tile([0, 1], 20), 2)
    features = np.concatenate([once, once])
    grouped = fit_probe(features, targets, np.tile(np.arange(40), 2), classes=2, seed=0)
    apart = fit_probe(features, targets, np.arange(80), classes=2, seed=0)
    assert (grouped.held_out.argmax(1) == targets).mean() < 0.75
    assert (apart.held_out.argmax(1) == targets).mean() > 0.8


def test_a_class_with_one_image_is_fitted_without_folds():
    features, targets, groups = blobs(2, 5, 3)
    keep = np.r_[0:5, 5]
    probe = fit_probe(features[keep], targets[keep], groups[keep], classes=2, seed=0)
    assert probe.folds == 0
    assert probe.strength == module.STRENGTH_UNCHECKED
    assert probe.held_out.shape == (0, 2)


def test_a_class_that_a_fold_lacks_gets_no_share_there():
    rows = np.eye(3)
    kernel, bias = module._fit(rows, np.array([0, 2, 2]), 1.0, 4)
    shares = module._softmax(rows @ kernel + bias)
    assert shares[:, [1, 3]].max() < 1e-6
    kernel, bias = module._fit(rows, np.array([2, 2, 2]), 1.0, 4)
    assert module._softmax(rows @ kernel + bias)[:, 2].min() > 0.999999


def test_balanced_classes_weigh_the_same():
    """One feature: 90 of class 0 and 10 of class 1 that lie among them.

    Without weights the rare class is never the more probable one; with them it is where
    it is denser.
    """
    targets = np.repeat([0, 1], [90, 10])
    features = np.r_[np.linspace(-1, 1, 90), np.linspace(0, 1, 10)][:, None]
    features = np.repeat(features, 2, axis=1).astype(np.float32)
    groups = np.arange(100)
    plain, weighed = (
        fit_probe(features, targets, groups, classes=2, seed=0, balanced=balanced)
        for balanced in (False, True)
    )
    assert (plain(features).argmax(axis=1) == 0).all()
    assert (weighed(features[90:]).argmax(axis=1) == 1).mean() > 0.6


def scaled(features):
    middle = features - features.mean(axis=0)
    return middle / np.sqrt(np.mean(middle**2))


def fitted(rows, targets, strength):
    return LogisticRegression(C=strength, max_iter=5000, tol=1e-8).fit(rows, targets)


@pytest.mark.parametrize("columns", [5, 60])
def test_nested_scores_with_one_strength_are_cross_validation(monkeypatch, columns):
    monkeypatch.setattr(module, "STRENGTHS", (0.1,))
    features, targets, groups = blobs(3, 10, columns, spread=2.0)
    found = nested_scores(features, targets, groups, classes=3, seed=4)
    rows, expected = scaled(features), np.empty((30, 3))
    for fold in stratified_folds(targets, groups, 5, seed=4):
        model = fitted(rows[fold.train], targets[fold.train], 0.1)
        expected[fold.held] = model.predict_proba(rows[fold.held])
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_each_fold_gets_the_strength_that_is_best_on_the_others(monkeypatch):
    strengths = (1e-3, 1e-1, 1e1)
    monkeypatch.setattr(module, "STRENGTHS", strengths)
    features, targets, groups = blobs(2, 20, 6, spread=3.0)
    folds = stratified_folds(targets, groups, 4, seed=1)
    found = module._nested_strengths(scaled(features), targets, folds, 2)
    rows, expected = scaled(features), []
    for held in range(4):
        losses = []
        for strength in strengths:
            loss = []
            for inner in set(range(4)) - {held}:
                rest = np.setdiff1d(folds[held].train, folds[inner].held)
                model = fitted(rows[rest], targets[rest], strength)
                asked = folds[inner].held
                loss.append(log_loss(targets[asked], model.predict_proba(rows[asked])))
            losses.append(np.mean(loss))
        expected.append(strengths[int(np.argmin(losses))])
    assert found == expected


def test_nested_scores_of_labels_that_mean_nothing_are_guesses():
    rng = np.random.default_rng(1)
    features = rng.normal(size=(80, 200)).astype(np.float32)
    targets = np.tile([0, 1], 40)
    scores = nested_scores(features, targets, np.arange(80), classes=2, seed=0)
    assert 0.3 < (scores.argmax(axis=1) == targets).mean() < 0.7
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)


def test_nested_scores_do_not_leak_through_groups():
    rng = np.random.default_rng(2)
    once = rng.normal(size=(40, 100)).astype(np.float32)
    targets = np.tile(np.tile([0, 1], 20), 2)
    features, groups = np.concatenate([once, once]), np.tile(np.arange(40), 2)
    grouped = nested_scores(features, targets, groups, classes=2, seed=0)
    apart = nested_scores(features, targets, np.arange(80), classes=2, seed=0)
    assert (grouped.argmax(1) == targets).mean() < 0.75
    assert (apart.argmax(1) == targets).mean() > 0.8


def test_nested_scores_of_a_class_with_two_images_select_no_strength():
    features, targets, groups = blobs(2, 8, 4, spread=0.2)
    keep = np.r_[0:10]
    scores = nested_scores(
        features[keep], targets[keep], groups[keep], classes=2, seed=0
    )
    assert scores.shape == (10, 2)
    assert (scores > 0).all()


def test_nested_scores_need_two_images_a_class():
    features, targets, groups = blobs(2, 5, 3)
    keep = np.r_[0:5, 5]
    with pytest.raises(UsageError, match="single image"):
        nested_scores(features[keep], targets[keep], groups[keep], classes=2, seed=0)
