"""Estimators: scikit-learn's contract, the symmetry in its words, predictions that have it."""

import numpy as np
import pytest
import torch
from sklearn.model_selection import cross_val_score
from sklearn.utils.estimator_checks import check_estimator

import erlangen as er
from erlangen.discover.task import task_symmetries
from erlangen.errors import ArgumentError
from erlangen.fitting import FitConfig

Regressor, Classifier = er.SymmetricRegressor, er.SymmetricClassifier


def clouds(n=500, seed=0):
    return torch.randn(n, 3, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("estimator", [Regressor(None), Classifier(None)], ids=str)
def test_scikit_learns_own_checks_pass(estimator):
    check_estimator(estimator)


@pytest.mark.slow
@pytest.mark.parametrize("estimator", [Regressor(), Classifier()], ids=str)
def test_scikit_learns_own_checks_pass_where_a_symmetry_is_looked_for(estimator):
    check_estimator(estimator)


@pytest.mark.parametrize("learner", ["boosting", "network"])
def test_predictions_have_the_symmetry_that_was_given(learner):
    x, far = clouds(), clouds(200, 1)
    gaps, others = ((p[:, 0] - p[:, 1]).norm(dim=-1).numpy() for p in (x, far))
    model = Regressor("SE(3)", dim=3, learner=learner, config=FitConfig(seeds=1, steps=500, width=64)).fit(
        x.flatten(1).numpy(), gaps
    )
    assert model.symmetry_ == er.SE(3)
    assert model.score(far.flatten(1).numpy(), others) > 0.8
    g = er.SE(3).sample(200, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    moved = er.SE(3).point.act(g, far)
    np.testing.assert_allclose(model.predict(moved.flatten(1).numpy()), model.predict(far.flatten(1).numpy()), rtol=1e-4, atol=1e-4)
    # What predicts is a module, which can be audited.
    assert er.equivariance_error(model.models_[0], far, er.SE(3).point, er.SE(3).scalar)["mean"] < 1e-4


def test_classes_keep_their_labels_and_probabilities_add_up():
    x = clouds()
    y = np.where(((x[:, 0] * x[:, 1]).sum(-1) > 0).numpy(), "acute", "obtuse")
    model = Classifier(er.O(3), tokens=3).fit(x.flatten(1).numpy(), y)
    p = model.predict_proba(x.flatten(1).numpy())
    np.testing.assert_allclose(p.sum(1), 1)
    assert set(model.predict(x.flatten(1).numpy())) == {"acute", "obtuse"}
    raw, ours = (cross_val_score(Classifier(group, dim=3), x.flatten(1).numpy(), y, cv=3).mean() for group in (None, "O(3)"))
    assert ours > max(raw + 0.03, 0.9)


def test_a_symmetry_is_found_or_none():
    x = torch.randn(300, 2, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rows = x.flatten(1).numpy()
    found = Regressor(dim=2).fit(rows, (x[:, 0] - x[:, 1]).square().sum(-1).numpy())
    assert found.symmetry_ == er.SE(2)
    assert "se(2)" in str(found.found_)
    assert found.worth_
    assert found.worth_.imposed > found.worth_.free
    assert str(found.worth_).endswith("it is imposed")
    assert Regressor(None, dim=2).fit(rows, rows[:, 0]).found_ is None
    no = Regressor().fit(rows[:, :2], (x[:, 0, 0] + torch.sin(2 * x[:, 0, 1])).numpy())
    assert no.symmetry_ is None
    assert no.found_.reason


def test_a_symmetry_that_costs_on_held_out_data_is_not_imposed(monkeypatch):
    x = torch.randn(300, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y = x.square().sum(-1) + 2 * (x[:, 0] > 0)
    # Whatever was found: the circle that is imposed here is none of the target.
    found = task_symmetries(x, x.square().sum(-1))
    monkeypatch.setattr("erlangen.fitting.estimators.task_symmetries", lambda *_, **__: found)
    model = Regressor().fit(x.numpy(), y.numpy())
    assert model.symmetry_ is None
    assert model.found_ is found
    assert model.worth_.free > model.worth_.imposed
    assert str(model.worth_).endswith("it is not imposed")


def test_tensors_are_taken_as_they_are():
    x = clouds(60).float()
    y = (x[:, 0] - x[:, 1]).norm(dim=-1, keepdim=True)
    assert Regressor("SE(3)", dim=3).fit(x.flatten(1), y).predict(x.flatten(1)).shape == (60, 1)


def test_what_does_not_fit_is_named():
    x, y = clouds(60).flatten(1).numpy(), np.arange(60.0)
    with pytest.raises(ArgumentError, match="'tokens'.*9"):
        Regressor(None, dim=2).fit(x, y)
    with pytest.raises(ArgumentError, match="'group'.*R\\^9"):
        Regressor("SO(3)").fit(x, y)
    with pytest.raises(ArgumentError, match="'group'"):
        Regressor("banana").fit(x, y)
    with pytest.raises(ArgumentError, match="'learner'"):
        Regressor(None, learner="forest").fit(x, y)


@pytest.mark.parametrize("argument", ["tokens", "dim"])
@pytest.mark.parametrize("count", [0, -3, 3.0, True, "3"])
def test_tokens_and_components_are_counts(argument, count):
    with pytest.raises(ArgumentError, match=f"'{argument}'.*positive number"):
        Regressor(None, **{argument: count}).fit(np.ones((60, 9)), np.arange(60.0))


def test_random_states_are_those_of_scikit_learn():
    x = clouds(60)
    y, x = (x[:, 0] - x[:, 1]).norm(dim=-1).numpy(), x.flatten(1).numpy()

    def predicted(state):
        return Regressor("SE(3)", dim=3, random_state=state).fit(x, y).predict(x)

    assert np.array_equal(predicted(np.int64(0)), predicted(0))
    assert np.array_equal(predicted(np.random.RandomState(3)), predicted(np.random.RandomState(3)))
    assert np.isfinite(predicted(None)).all()
    with pytest.raises(ValueError, match="seed"):
        predicted("seven")
