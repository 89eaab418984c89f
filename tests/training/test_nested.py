"""Nested cross-validation against scikit-learn's own fits, and against leaks."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from tests.training.test_probe import blobs
from tlkit.dataset.splitting.folds import stratified_folds
from tlkit.errors import UsageError
from tlkit.training import nested as module
from tlkit.training.nested import nested_scores


def scaled(features):
    middle = features - features.mean(axis=0)
    return middle / np.sqrt(np.mean(middle**2))


def fitted(rows, targets, strength):
    return LogisticRegression(C=strength, max_iter=5000, tol=1e-8).fit(rows, targets)


@pytest.mark.parametrize("columns", [5, 60])
def test_with_one_strength_it_is_cross_validation(monkeypatch, columns):
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
    found = module._strengths(scaled(features), targets, folds, 2)
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


def test_labels_that_mean_nothing_are_guessed():
    rng = np.random.default_rng(1)
    features = rng.normal(size=(80, 200)).astype(np.float32)
    targets = np.tile([0, 1], 40)
    scores = nested_scores(features, targets, np.arange(80), classes=2, seed=0)
    assert 0.3 < (scores.argmax(axis=1) == targets).mean() < 0.7
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)


def test_copies_in_one_group_do_not_vouch_for_each_other():
    rng = np.random.default_rng(2)
    once = rng.normal(size=(40, 100)).astype(np.float32)
    targets = np.tile(np.tile([0, 1], 20), 2)
    features, groups = np.concatenate([once, once]), np.tile(np.arange(40), 2)
    grouped = nested_scores(features, targets, groups, classes=2, seed=0)
    apart = nested_scores(features, targets, np.arange(80), classes=2, seed=0)
    assert (grouped.argmax(1) == targets).mean() < 0.75
    assert (apart.argmax(1) == targets).mean() > 0.8


def test_a_class_with_two_images_has_two_folds_and_nothing_chosen():
    features, targets, groups = blobs(2, 8, 4, spread=0.2)
    keep = np.r_[0:10]
    scores = nested_scores(
        features[keep], targets[keep], groups[keep], classes=2, seed=0
    )
    assert scores.shape == (10, 2)
    assert (scores > 0).all()


def test_a_class_with_one_image_cannot_be_held_out():
    features, targets, groups = blobs(2, 5, 3)
    keep = np.r_[0:5, 5]
    with pytest.raises(UsageError, match="single image"):
        nested_scores(features[keep], targets[keep], groups[keep], classes=2, seed=0)
