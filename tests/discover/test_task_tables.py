"""Symmetries of tasks in tables as they come: categories, constants, irrelevant columns, rare classes; and of events in a detector."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from erlangen.discover.samples import samples_of
from erlangen.discover.task import task_symmetries
from erlangen.discover.task.discrete import discrete_symmetries
from erlangen.discover.task.on_quadrics import leaves_quadric, on_quadric


def normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def angle(found: Tensor, true: Tensor) -> float:
    """The largest angle between two spans, in degrees."""
    a, b = (torch.linalg.qr(span.flatten(1).mT).Q for span in (found, true))
    return float(torch.linalg.svdvals(a.mT @ b).clamp(max=1).arccos().rad2deg().max())


@pytest.mark.parametrize(("constant", "irrelevant"), [(False, False), (True, True)])
def test_turns_are_found_beside_a_category(constant: bool, irrelevant: bool) -> None:
    a, b, c = normal(31, 3, 700)
    category = torch.randint(0, 3, (700,), generator=torch.Generator().manual_seed(31))
    columns = [a, b, *torch.nn.functional.one_hot(category).double().unbind(1)]
    columns += [torch.ones_like(a)] * constant + [c] * irrelevant
    found = task_symmetries(torch.stack(columns, 1), a**2 + b**2 + 1.0 * (category == 0))
    assert found.exact
    assert found.algebra is not None
    assert found.algebra.name == "so(2)"
    turn = torch.zeros(1, len(columns), len(columns) + 1, dtype=torch.float64)
    turn[0, 0, 1], turn[0, 1, 0] = -1.0, 1.0
    assert angle(found.generators, turn) < 0.1
    assert "3 of" in found.reason


def test_columns_of_two_values_alone_have_no_moves() -> None:
    x = (normal(32, 200, 9) > 0).double()
    assert "two values" in task_symmetries(x, x[:, 0] * x[:, 1] + x[:, 2]).reason


def test_a_class_of_one_sample_hides_nothing() -> None:
    x = normal(33, 800, 2)
    labels = (x.square().sum(1) > 1.4).long()
    labels[5] = 2
    found = task_symmetries(x, labels)
    assert found.exact
    assert found.algebra is not None
    assert found.algebra.name == "so(2)"
    assert discrete_symmetries(x, labels).name == discrete_symmetries(x[labels < 2], labels[labels < 2]).name


def test_rare_classes_stay_where_fewer_than_two_others_are_left() -> None:
    data = samples_of(normal(34, 12, 2), torch.tensor([0] * 9 + [1, 1, 2]))
    assert len(data.of_common_classes(3)) == 12
    assert data.of_common_classes(2).labels is not None
    assert len(data.of_common_classes(2)) == 11


def events(seed: int) -> tuple[Tensor, Tensor]:
    """Up to six massless particles that fly apart alike in all directions, and whether their invariant mass is above the median."""
    momenta = 20 * normal(seed, 1500, 6, 3)
    many = torch.randint(3, 7, (1500,), generator=torch.Generator().manual_seed(seed))
    there = torch.arange(6) < many[:, None]
    x = torch.cat([(momenta.square().sum(-1, keepdim=True) + 0.1).sqrt(), momenta], -1) * there[..., None]
    total = x.sum(1)
    mass = total[:, 0] ** 2 - total[:, 1:].square().sum(1)
    return x, (mass > mass.median()).long()


def test_the_lorentz_group_is_found_in_labels_by_invariant_mass() -> None:
    x, y = events(35)
    found = task_symmetries(x, y)
    assert found.exact
    assert found.algebra is not None
    assert found.algebra.name == "so(1,3)"
    form = torch.diag(torch.tensor([1.0, -1.0, -1.0, -1.0], dtype=torch.float64))
    A = found.generators[..., :4]
    assert float((A.mT @ form + form @ A).norm() / A.norm()) < 0.02


def test_moves_are_put_onto_the_quadric_that_tokens_lie_on() -> None:
    x = normal(36, 300, 1, 3)
    light = torch.cat([x.norm(dim=2, keepdim=True), x], 2)
    form = torch.diag(torch.tensor([1.0, -1.0, -1.0, -1.0], dtype=torch.float64))
    pairs = [(i, j) for i in range(4) for j in range(i + 1, 4)]
    exact = torch.zeros(6, 4, 5, dtype=torch.float64)
    for row, (i, j) in enumerate(pairs):
        exact[row, i, j], exact[row, j, i] = form[j, j], -form[i, i]
    off = exact + 0.05 * normal(37, 6, 4, 5) * torch.tensor([1.0, 1, 1, 1, 0])
    near = on_quadric(off, light)
    assert near is not None
    assert angle(near, exact) < 1e-4
    assert not leaves_quadric(near, light)
    assert on_quadric(off, normal(38, 300, 1, 4)) is None
