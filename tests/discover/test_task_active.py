"""Symmetries among many columns: those of the few directions that a task listens to, against what was planted."""

from __future__ import annotations

import torch

from erlangen.discover import discover
from erlangen.discover.task import task_symmetries
from erlangen.discover.task.active import active_directions
from erlangen.groups.algebra import LieAlgebra
from erlangen.groups.orthogonal import so_basis

F64 = torch.float64
COLUMNS = 60


def columns(count: int = 1500) -> torch.Tensor:
    return torch.randn(count, COLUMNS, generator=torch.Generator().manual_seed(0), dtype=F64)


def hidden(size: int) -> torch.Tensor:
    """Orthonormal columns of a random subspace."""
    return torch.linalg.qr(torch.randn(COLUMNS, size, generator=torch.Generator().manual_seed(1), dtype=F64)).Q


def planted(inside: torch.Tensor, basis: torch.Tensor) -> LieAlgebra:
    return LieAlgebra(inside @ basis @ inside.mT)


def test_a_length_on_three_of_sixty_columns():
    x = columns()
    found = discover(x, x[:, [5, 20, 40]].norm(dim=1), quiet=True)
    assert found.source == "task"
    assert found.algebra is not None
    axes = torch.eye(COLUMNS, dtype=F64)[:, [5, 20, 40]]
    assert found.algebra.same_span(planted(axes, so_basis(3)), 1e-9)
    assert "among the 3 directions of 60 columns" in str(found)
    assert f"tokens of {COLUMNS} components" in str(found)


def test_a_quadratic_form_hidden_in_sixty_columns():
    x, inside = columns(), hidden(4)
    u = x @ inside
    found = task_symmetries(x, (u[:, :2].square().sum(1) - u[:, 2:].square().sum(1))[:, None])
    assert found.algebra is not None
    assert found.algebra.dim == 6
    assert LieAlgebra(found.algebra.linear).same_span(planted(inside, so_basis(2, 2)), 1e-3)
    assert len(found.idle) == COLUMNS - 4


def test_a_task_of_many_columns_without_a_symmetry_has_none():
    x = columns()
    y = x[:, 0] * x[:, 1] + 0.5 * x[:, 1] ** 3 + (2 * x[:, 2]).sin() + 0.3 * x[:, 2] ** 2
    found = task_symmetries(x, y[:, None])
    assert not found
    assert "among the 3 directions" in found.reason
    noise = torch.randn(len(x), 1, generator=torch.Generator().manual_seed(3), dtype=F64)
    assert not task_symmetries(x, noise)
    assert "no predictor" in task_symmetries(x, noise).reason


def test_a_task_that_listens_to_all_columns_is_not_searched():
    x = columns()
    found = task_symmetries(x, x.norm(dim=1, keepdim=True))
    assert not found
    assert "not searched: the task listens to more than 16 directions of 60 columns" in found.reason


def test_directions_are_those_of_the_columns_as_they_are_scaled():
    x = columns()[:, :20] * torch.logspace(-3, 3, 20, dtype=F64) + 7
    w = torch.tensor([2.0, -1.0], dtype=F64)
    t = (x[:, [2, 9]] - 7) / x[:, [2, 9]].std(0) @ w
    found = active_directions(x, ((t.square() - t.square().mean()) / t.square().std())[:, None])
    expected = torch.zeros(20, dtype=F64)
    expected[[2, 9]] = w / x[:, [2, 9]].std(0)
    assert found.directions.shape == (1, 20)
    assert abs(float(found.directions[0] @ expected / expected.norm())) > 1 - 1e-6
