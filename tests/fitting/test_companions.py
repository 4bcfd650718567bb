"""Gradient boosting beside the networks of a fit: what it sees, that it is invariant, that it is kept without pickle."""

import json

import numpy as np
import pytest
import torch
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

import erlangen as er
from erlangen.data import DataSet
from erlangen.errors import ArgumentError
from erlangen.fitting import FitConfig, fit, load_fitted
from erlangen.fitting.columns import Columns, pooled, ranks
from erlangen.fitting.companions import INVARIANTS, RAW, companions
from erlangen.fitting.problem import Problem
from erlangen.fitting.trees import Trees
from erlangen.measure.scores import auc


def clouds(n=600, seed=0):
    """Three points in space; the class is which of two distances is larger."""
    x = torch.randn(n, 3, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    far = (x[:, 0] - x[:, 1]).norm(dim=-1) > (x[:, 1] - x[:, 2]).norm(dim=-1)
    return DataSet("clouds", x, far.long(), "class")


def test_trees_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(400, 5)), rng.normal(size=400)
    columns = torch.from_numpy(rng.normal(size=(300, 5)))
    number = HistGradientBoostingRegressor(max_iter=30).fit(x, x[:, 0] * y)
    other = HistGradientBoostingRegressor(max_iter=10).fit(x, y)
    np.testing.assert_allclose(Trees.of([[number, other]])(columns)[:, 0], number.predict(columns.numpy()), rtol=1e-12)
    np.testing.assert_allclose(Trees.of([[number, other]])(columns)[:, 1], other.predict(columns.numpy()), rtol=1e-12)
    np.testing.assert_allclose(
        Trees.of([[number], [other]])(columns)[:, 0], (number.predict(columns) + other.predict(columns)) / 2, rtol=1e-12
    )
    for classes in (2, 3):
        model = HistGradientBoostingClassifier(max_iter=20).fit(x, np.arange(400) % classes)
        want = model.decision_function(columns.numpy()).reshape(300, -1)
        np.testing.assert_allclose(Trees.of([[model]])(columns), want, rtol=1e-12)
    assert Trees.of([[number]])(columns[:0]).shape == (0, 1)


def test_pooled_columns_are_sums_sorted_entries_and_eigenvalues():
    x = clouds(20).x
    columns = Columns(3, 3, er.SE(3), "pooled")(x)
    d = torch.cdist(x, x) ** 2
    torch.testing.assert_close(columns[:, :3], d.sum(-1))
    torch.testing.assert_close(columns[:, 3:6], torch.stack([0 * d[:, 0, 0], 2 * d[:, 0, 1], d.sum((1, 2))], -1))
    # What follows does not see the order of the points.
    torch.testing.assert_close(columns[:, 6:9], d[:, [0, 0, 1], [1, 2, 2]].sort(-1, descending=True).values)
    swapped = Columns(3, 3, er.SE(3), "pooled")(x[:, [2, 0, 1]])
    torch.testing.assert_close(swapped[:, 6:], columns[:, 6:])
    torch.testing.assert_close(columns[:, 9:].sum(-1), torch.zeros(20, dtype=torch.float64))  # the trace
    assert pooled(torch.zeros(2, 4, 4)).shape == (2, 4 + 4 + 6 + 4)
    with pytest.raises(ArgumentError, match="'arrangement'"):
        Columns(3, 3, None, "pooled")


def test_ranks_of_long_lists_are_dense_at_both_ends():
    for count in (5, 48, 49, 60, 190, 4950):
        places = ranks(count)
        assert places[0] == 0
        assert places[-1] == count - 1
        assert len(places) == min(count, 48)
        assert torch.equal(places, (count - 1 - places).flip(0))
        steps = places[: len(places) // 2].diff()
        assert bool((steps.diff() >= -1).all())


def test_boosting_on_invariants_is_invariant_and_ahead_of_the_raw_numbers():
    data, test = clouds(), clouds(400, 1)
    config = FitConfig()
    problem = Problem.of(data, test, config)
    raw, invariants = companions(problem, er.SE(3), config)
    assert (raw.name, invariants.name) == (RAW, INVARIANTS)
    assert set(invariants.held) == {"each", "pooled"}
    g = er.SE(3).sample(400, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    moved = er.SE(3).point.act(g, test.x)
    assert torch.equal(invariants.model(moved), invariants.model(test.x))
    assert not torch.equal(raw.model(moved), raw.model(test.x))
    scores = [auc(c.model(test.x).diff(dim=1)[:, 0], test.y) for c in (raw, invariants)]
    assert scores[1] > 0.99 > scores[0] + 0.05


def test_masses_that_are_rounding_decide_nothing():
    """Lightlike momenta have squares that are rounding's; a threshold there would tell a sample from its moved copy."""
    rng = torch.Generator().manual_seed(0)
    p = 100 * torch.randn(800, 3, 3, generator=rng, dtype=torch.float64)
    x = torch.cat([p.norm(dim=-1, keepdim=True), p], -1)
    group = er.SO(1, 3, connected=True)
    y = (x[:, 0, 0] * x[:, 1, 0] - (p[:, 0] * p[:, 1]).sum(-1) > 5000).long()
    config = FitConfig()
    problem = Problem.of(DataSet("light", x, y, "class"), DataSet("light", x[:200], y[:200], "class"), config)
    model = companions(problem, group, config)[1].model
    g = group.sample(800, generator=rng, dtype=torch.float64, scale=1.5)
    moved = group.vector.act(g, x)
    assert torch.equal(model(moved).argmax(1), model(x).argmax(1))


def test_a_fit_shows_them_keeps_them_and_says_whether_they_are_enough(tmp_path):
    config = FitConfig(group="SE(3)", seeds=1, steps=30, moves=1, width=16)
    result = fit(clouds(300), config=config, root=tmp_path, quiet=True)
    assert [name for name in result.assessments if name.startswith("boosting")] == [RAW, INVARIANTS]
    ours = result.assessments[INVARIANTS]
    assert ours.moved == ours.scores
    assert "Gradient boosting reaches AUC" in result.outcome.answer
    assert any("boosting on invariants" in claim.text for claim in result.outcome.claims)
    numbers = json.loads((result.directory / "metrics.json").read_text())
    assert numbers["metrics"]["assessments"][RAW]["scores"] == result.assessments[RAW].scores
    again = load_fitted(result.directory, "companion")
    x = clouds(50, 2).x
    g = er.SE(3).sample(50, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.equal(again(x), again(er.SE(3).point.act(g, x)))
    assert er.equivariance_error(again, x, er.SE(3).point, er.SE(3).scalar)["worst"] == 0
    with pytest.raises(ArgumentError, match="'which'"):
        load_fitted(result.directory, "boosting")


def test_numbers_are_boosted_one_by_one(tmp_path):
    x = clouds(300).x
    y = torch.stack([(x[:, 0] * x[:, 1]).sum(-1), x[:, 2].square().sum(-1)], -1)
    result = fit(
        DataSet("two", x, y, "scalar"),
        config=FitConfig(group="O(3)", seeds=1, steps=10, moves=1, width=8),
        root=tmp_path,
        quiet=True,
    )
    assert load_fitted(result.directory, "companion")(x[:7]).shape == (7, 2)
    assert result.assessments[INVARIANTS].scores[0] > result.assessments[RAW].scores[0] + 0.1
