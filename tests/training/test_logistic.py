"""Logistic regression against scikit-learn, its stated end, and the scaler folded into the layer."""

import warnings

import numpy as np
import pytest
from scipy.special import log_softmax, softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from masktune.errors import InputError, MasktuneWarning
from masktune.training import logistic as solver
from masktune.training.last_layer import LastLayer
from masktune.training.logistic import fit_standardised, logistic, mean_of


def some(k, n=80, d=12, seed=0):
    """Features that overlap by class and go together, labels, and weights of images."""
    random = np.random.default_rng(seed)
    labels = np.arange(n) % k
    hidden = random.normal(size=(n, 6)) + np.eye(k, 6)[labels]
    features = hidden @ random.normal(size=(6, d)) + 0.5 * random.normal(size=(n, d))
    return features, labels, random.uniform(0.1, 3, n)


def by_sklearn(features, labels, c, penalty, weights):
    """saga and lbfgs leave the intercept alone; liblinear punishes it too."""
    l1 = {"l1_ratio": 1.0, "solver": "saga", "tol": 1e-9, "max_iter": 100_000, "random_state": 0}
    l2 = {"l1_ratio": 0.0, "solver": "lbfgs", "tol": 1e-9, "max_iter": 10_000}
    model = LogisticRegression(C=c, **(l1 if penalty == "l1" else l2))
    with warnings.catch_warnings(action="error", category=ConvergenceWarning):
        model.fit(features, labels, sample_weight=weights)
    return LastLayer(model.coef_, model.intercept_)


def objective(layer, features, labels, c, penalty, weights=None):
    """Of the docstring, by scipy."""
    size = np.abs(layer.weight).sum() if penalty == "l1" else (layer.weight**2).sum() / 2
    losses = -log_softmax(layer.logits(features), axis=1)[np.arange(len(labels)), labels]
    return size + c * np.average(losses, weights=weights) * (
        len(labels) if weights is None else weights.sum()
    )


@pytest.mark.parametrize("penalty", ["l1", "l2"])
@pytest.mark.parametrize("k", [2, 3, 5])
@pytest.mark.parametrize("c", [1.0, 0.1])
@pytest.mark.parametrize("weighted", [False, True])
def test_it_finds_what_scikit_learn_finds(penalty, k, c, weighted):
    features, labels, weights = some(k)
    weights = weights if weighted else None
    ours = logistic(features, labels, k, c=c, penalty=penalty, weights=weights, tolerance=1e-6)
    theirs = by_sklearn(features, labels, c, penalty, weights)
    assert ours.weight.shape == (1 if k == 2 else k, 12)
    asked = (features, labels, c, penalty, weights)
    assert objective(ours, *asked) == pytest.approx(objective(theirs, *asked), rel=1e-8)
    assert objective(ours, *asked) < 0.99 * objective(LastLayer(0 * ours.weight, 0 * ours.bias), *asked)
    assert np.allclose(ours.weight, theirs.weight, atol=1e-4)
    quick = logistic(features, labels, k, c=c, penalty=penalty, weights=weights)
    assert objective(quick, *asked) == pytest.approx(objective(theirs, *asked), rel=1e-7)
    # The intercepts of several classes may all be shifted alike.
    assert np.allclose(*(softmax(layer.logits(features), axis=1) for layer in (ours, theirs)), atol=1e-4)


@pytest.mark.parametrize("penalty", ["l1", "l2"])
@pytest.mark.parametrize("k", [2, 3])
def test_more_features_than_images(penalty, k):
    features, labels, _ = some(k, n=24, d=40)
    ours = logistic(features, labels, k, c=1.0, penalty=penalty)
    theirs = by_sklearn(features, labels, 1.0, penalty, None)
    asked = (features, labels, 1.0, penalty)
    assert objective(ours, *asked) == pytest.approx(objective(theirs, *asked), rel=1e-7)
    assert (np.abs(ours.weight) > 0).mean() < 0.5 if penalty == "l1" else (ours.weight != 0).all()


def test_the_end_is_the_stated_one():
    features, labels, weights = some(3)
    for tolerance in (1e-2, 1e-7):
        layer = logistic(features, labels, 3, c=0.5, weights=weights, tolerance=tolerance)
        residual = 0.5 * weights[:, None] * (softmax(layer.logits(features), axis=1) - np.eye(3)[labels])
        slopes, of_bias = residual.T @ features, residual.sum(axis=0)
        used = layer.weight != 0
        assert 0 < used.sum() < used.size
        # The derivative at the end is that one step after the one that was looked at.
        assert np.abs(slopes + np.sign(layer.weight))[used].max() <= 2 * tolerance
        assert np.abs(slopes)[~used].max() <= 1 + 2 * tolerance
        assert np.abs(of_bias).max() <= 2 * tolerance


def test_an_image_of_weight_2_is_there_twice():
    features, labels, _ = some(3, n=30)
    weights = np.where(np.arange(30) < 10, 2.0, 1.0)
    twice = np.r_[np.arange(30), np.arange(10)]
    once = logistic(features, labels, 3, c=0.3, weights=weights)
    copied = logistic(features[twice], labels[twice], 3, c=0.3)
    assert np.allclose(once.weight, copied.weight, atol=1e-5)
    again = logistic(features, labels, 3, c=0.3, weights=weights)
    assert (again.weight == once.weight).all()
    assert (again.bias == once.bias).all()


def test_a_strong_penalty_leaves_the_shares_of_the_classes():
    features, labels, _ = some(2, n=40)
    labels = np.where(np.arange(40) < 30, 0, labels)  # 35 of class 0, 5 of class 1.
    layer = logistic(features, labels, 2, c=1e-4)
    assert (layer.weight == 0).all()
    assert layer.bias == pytest.approx([np.log(5 / 35)], abs=1e-2)


def test_a_class_without_images_is_said():
    features, labels, weights = some(3)
    with pytest.raises(InputError, match=r"all 4 classes .* none of class 3, counted from 0"):
        logistic(features, labels, 4, c=1.0)
    with pytest.raises(InputError, match="none of class 1"):
        logistic(features, labels, 3, c=1.0, weights=np.where(labels == 1, 0, weights))


def test_a_fit_that_does_not_settle_is_said(monkeypatch):
    monkeypatch.setattr(solver, "STEPS", 5)
    features, labels, _ = some(2)
    with pytest.warns(MasktuneWarning, match="not settled after 5 steps"):
        logistic(features, labels, 2, c=1.0)


@pytest.mark.parametrize("k", [2, 3])
def test_the_scaler_is_folded_into_the_layer(k):
    features, labels, _ = some(k)
    features = np.column_stack([features * np.geomspace(0.01, 100, 12) + 7, np.full(80, 0.1)])
    scaled = StandardScaler().fit(features[:, :12]).transform(features[:, :12])
    expected = by_sklearn(scaled, labels, 0.2, "l1", None)
    folded = fit_standardised(features.astype(np.float32), labels, k, c=0.2)
    assert (folded.weight[:, 12] == 0).all()
    told, wanted = (softmax(logits, axis=1) for logits in (folded.logits(features), expected.logits(scaled)))
    assert np.allclose(told, wanted, atol=1e-4)


def test_the_mean_of_layers_says_the_mean_of_logits():
    features, labels, weights = some(3)
    layers = [fit_standardised(features, labels, 3, c=0.1, weights=each) for each in (None, weights)]
    told = mean_of(layers).logits(features)
    assert np.allclose(told, (layers[0].logits(features) + layers[1].logits(features)) / 2)
