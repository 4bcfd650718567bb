"""Of many training samples as many are learned from as held-out data gain by."""

from __future__ import annotations

import pytest
import torch

from erlangen.data import DataSet
from erlangen.fitting import FitConfig
from erlangen.fitting.assess import moved_copies
from erlangen.fitting.enough import enough
from erlangen.fitting.problem import Problem
from erlangen.fitting.ways import has_enough_invariants
from erlangen.groups import MatrixGroup, O


@pytest.fixture
def small(monkeypatch) -> None:
    monkeypatch.setattr("erlangen.fitting.enough.FEW", 300)
    monkeypatch.setattr("erlangen.fitting.problem.MOST_HELD", 200)


def problem(y, noise: float = 0.0) -> Problem:
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(4000, 2, 2, generator=rng, dtype=torch.float64)
    values = y(x) + noise * torch.randn(4000, generator=rng, dtype=torch.float64)
    data = DataSet("d", x, values[:, None], "scalar")
    return Problem.of(data, data, FitConfig())


@pytest.mark.usefixtures("small")
def test_a_target_that_is_soon_learned_needs_few_samples():
    given = problem(lambda x: (x[:, 0, 0] > 0).double(), noise=1.0)
    found = enough(given, None)
    assert len(given.held) == 200
    assert len(found.problem.train) < len(given.train)
    assert len(found.problem.data) == len(found.problem.train) + 200
    assert found.reason.startswith(f"{len(found.problem.train)} of {len(given.train)} training samples were learned from")
    rows = {tuple(row) for row in given.train.x.flatten(1).tolist()}
    assert all(tuple(row) in rows for row in found.problem.train.x.flatten(1).tolist())


@pytest.mark.usefixtures("small")
def test_all_samples_are_learned_from_while_they_help():
    given = problem(lambda x: (3 * x[:, 0, 0]).sin() * (3 * x[:, 0, 1]).sin() + x[:, 1].prod(-1))
    found = enough(given, None)
    assert found.problem is given
    assert not found.reason


def test_few_samples_are_all_learned_from():
    given = problem(lambda x: x[:, 0, 0])
    assert enough(given, O(2)).problem is given


def test_of_many_test_samples_a_draw_is_moved(monkeypatch):
    monkeypatch.setattr("erlangen.fitting.assess.MOST_MOVED", 50)
    given = problem(lambda x: x[:, 0].norm(dim=-1))
    moved = moved_copies(given, O(2), FitConfig(moves=2))
    assert [len(x) for x, _ in moved] == [50, 50]
    for x, y in moved:
        torch.testing.assert_close(x[:, 0].norm(dim=-1, keepdim=True), y)


def test_a_group_whose_invariants_would_be_missing_is_not_imposed():
    """A turn of two of forty components leaves 38 of them and a length alone: without the length, too little would be said."""
    turn = torch.zeros(1, 40, 40, dtype=torch.float64)
    turn[0, 0, 1], turn[0, 1, 0] = -1.0, 1.0
    assert not has_enough_invariants(40, MatrixGroup(algebra=turn))
    assert has_enough_invariants(36, MatrixGroup(algebra=turn[:, :36, :36]))
    assert has_enough_invariants(40, O(40))
