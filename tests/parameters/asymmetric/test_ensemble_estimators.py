"""Ensembles in scikit-learn's words."""

import numpy as np
import pytest
from sklearn.datasets import make_friedman1
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import cross_val_score
from sklearn.utils.estimator_checks import check_estimator

import erlangen as er
from erlangen.errors import ArgumentError
from erlangen.parameters.asymmetric.network import differing_parts


@pytest.mark.parametrize("make", [er.EnsembleRegressor, er.EnsembleClassifier])
def test_scikit_learns_own_checks_pass(make):
    check_estimator(make(2, hidden=(32,), epochs=60, batch_size=16, lr=0.01))


def test_numbers_are_learned_in_their_own_units():
    x, y = make_friedman1(400, noise=0.5, random_state=0)
    x, y = x * [1e3] * 10 - 7, 1e4 * y + 1e6  # other units of columns and targets change nothing
    model = er.EnsembleRegressor(4, hidden=(32, 32), epochs=80, batch_size=32)
    ours, line = (cross_val_score(m, x, y, cv=3).mean() for m in (model, LinearRegression()))
    assert ours > line + 0.05
    one, two = model.fit(x, y).predict(x), model.fit(x, np.stack([y, -y], 1)).predict(x)
    assert one.shape == (400,)
    assert two.shape == (400, 2)


def test_labels_are_kept_and_members_share_what_is_fixed():
    x, y = make_friedman1(300, random_state=0)
    labels = np.where(y > np.median(y), "high", "low")
    model = er.EnsembleClassifier(3, hidden=(16,), epochs=40, batch_size=32, lr=0.01).fit(x, labels)
    assert model.score(x, labels) > 0.8
    np.testing.assert_allclose(model.predict_proba(x).sum(1), 1)
    members = model.ensemble_.members
    assert not differing_parts(members[0], members[2])
    again = er.EnsembleClassifier(3, hidden=(16,), epochs=40, batch_size=32, lr=0.01).fit(x, labels)
    np.testing.assert_array_equal(again.predict_proba(x), model.predict_proba(x))


@pytest.mark.parametrize(
    "bad", [{"hidden": (0,)}, {"hidden": 8}, {"n_fix": -1}, {"size": 0}, {"masks": "own"}, {"kind": "v"}, {"patience": -1}]
)
def test_arguments_are_refused_in_fit_by_name(bad):
    x, y = make_friedman1(30, random_state=0)
    with pytest.raises(ArgumentError) as caught:
        er.EnsembleRegressor(**{"size": 2, "epochs": 1, **bad}).fit(x, y)
    assert caught.value.argument == next(iter(bad))


def test_constant_columns_and_targets():
    generator = np.random.default_rng(0)
    x = generator.normal(size=(60, 2))
    constant = np.c_[x, np.full(60, 0.1), np.full(60, 1e6 + 0.1)]  # their means are rounded
    model = er.EnsembleClassifier(2, hidden=(8,), epochs=3).fit(constant, x[:, 0] > 0)
    moved = constant + np.array([0, 0, 0.1, 1])  # nothing was learned about these columns, so they change nothing
    np.testing.assert_array_equal(model.predict_proba(moved), model.predict_proba(constant))
    targets = np.c_[np.full(60, 0.1), x[:, 0]]
    numbers = er.EnsembleRegressor(2, hidden=(8,), epochs=3).fit(x, targets).predict(x)
    np.testing.assert_allclose(numbers[:, 0], 0.1, rtol=1e-14)
    assert np.ptp(numbers[:, 1]) > 0.1


@pytest.mark.parametrize(("columns", "target"), [(2.0**600, 2.0**600), (2.0**-600, 2.0**-600)])
def test_units_whose_squares_are_no_numbers(columns, target):
    """Powers of two, so that every number is the same up to its unit."""
    x = np.random.default_rng(0).normal(size=(60, 3))
    y = x[:, 0] - x[:, 1]
    model = er.EnsembleRegressor(2, hidden=(8,), epochs=5)
    plain = model.fit(x, y).predict(x)
    np.testing.assert_allclose(model.fit(columns * x, target * y).predict(columns * x) / target, plain, rtol=1e-12)
