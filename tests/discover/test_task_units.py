"""Symmetries of a task in mixed units, far from the origin, on planes, of awkward types and targets: the same answer, or a reason."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from erlangen.discover.companions import task_belief
from erlangen.discover.samples import samples_of
from erlangen.discover.span import data_span
from erlangen.discover.task import task_symmetries
from erlangen.discover.task.coordinates import Coordinates
from erlangen.discover.task.discrete import discrete_symmetries
from erlangen.errors import ArgumentError
from erlangen.groups import SO
from erlangen.groups.affine_algebra import affine_algebra
from erlangen.groups.orthogonal import Isometries, so_basis

F64 = torch.float64


def _random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


def _about(linear: Tensor, centre: Tensor) -> Tensor:
    return torch.cat([linear, -linear @ centre[:, None]], 2)


@pytest.mark.parametrize("units", [(1.0, 1.0, 1.0), (1e3, 1.0, 1e-3), (1e-6, 1.0, 1e6)])
@pytest.mark.parametrize("far", [0.0, 3.0, 1e9])
def test_an_algebra_has_one_name_in_all_units_and_about_all_points(units, far):
    d = torch.tensor(units, dtype=F64)
    turns = _random(3, 3, seed=1) @ so_basis(3).flatten(1)
    turns = turns.view(3, 3, 3) * d[:, None] / d
    found = affine_algebra(_about(turns, far * d))
    assert found.name == "so(3)"
    assert torch.allclose(found.centre / d, torch.full((3,), far, dtype=F64), rtol=1e-6)
    form = found.form * d[:, None] * d
    assert torch.allclose(form / form[0, 0], torch.eye(3, dtype=F64), atol=1e-6)
    moves = torch.zeros(3, 3, 4, dtype=F64)
    moves[range(3), range(3), 3] = d
    assert affine_algebra(torch.cat([_about(turns, far * d), moves])).name == "se(3)"
    assert affine_algebra(moves).name == "translations(3)"


def test_a_small_centre_beside_smaller_data_is_no_origin():
    found = affine_algebra(_about(so_basis(3), torch.full((3,), 1e-9, dtype=F64)))
    assert torch.allclose(found.centre, torch.full((3,), 1e-9, dtype=F64), rtol=1e-6, atol=0)
    assert affine_algebra(so_basis(3)).group == SO(3)


def test_forms_in_units_far_apart_are_not_degenerate():
    d = torch.tensor([1e-6, 1.0, 1e6], dtype=F64)
    form = (torch.diag(torch.tensor([1.0, -1.0, 2.0], dtype=F64)) + 0.2) / d[:, None] / d
    G = Isometries(form)
    assert G.signature == (2, 1)
    S = G.to_standard * d
    assert torch.allclose(S.mT @ torch.diag(torch.tensor([1.0, 1.0, -1.0], dtype=F64)) @ S, form * d[:, None] * d, atol=1e-9)
    with pytest.raises(ArgumentError, match="non-degenerate"):
        Isometries(torch.ones(2, 2))


def test_coordinates_go_there_and_back_on_planes_and_in_units():
    d = torch.tensor([1e6, 1.0, 1e-6, 1.0], dtype=F64)
    x = _random(50, 2, 4) * d + 5 * d
    x[..., 3] = 0.3
    coordinates = Coordinates(x, affine=True)
    z = coordinates.inside(x)
    assert coordinates.dim == 3
    assert torch.allclose(z.flatten(0, 1).mT @ z.flatten(0, 1) / 100, torch.eye(3, dtype=F64), atol=1e-8)
    assert torch.allclose(coordinates.shift + z @ coordinates.back, x, rtol=1e-10)
    inside = _random(2, 3, 4)
    out = coordinates.out(inside)
    assert torch.allclose(coordinates.into(out), inside, atol=1e-8)
    moved = x @ out[0, :, :4].mT + out[0, :, 4]
    assert torch.allclose(moved @ coordinates.stretch, z @ inside[0, :, :3].mT + inside[0, :, 3], atol=1e-7)
    assert coordinates.along(torch.eye(4, dtype=F64)[None, 3:]) is None


def test_units_are_no_property_of_a_span():
    assert data_span(_random(100, 3) * torch.tensor([1e-6, 1.0, 1e6], dtype=F64)).shape == (3, 3)
    assert data_span(_random(100, 1) * torch.tensor([1e-6, 1.0, 1e6], dtype=F64)).shape == (3, 1)


def test_millimetres_and_kilonewtons_are_turned_in_their_own_form():
    z = _random(300, 1, 2)
    found = task_symmetries(z * torch.tensor([1e3, 1e-3], dtype=F64), z[:, 0].square().sum(-1))
    assert found.algebra is not None
    assert found.algebra.name == "so(2)"
    form = found.algebra.form
    assert abs(float(form[1, 1] / form[0, 0]) / 1e12 - 1) < 0.01
    # Its signs are found beside it, though a group of a form in such units may have no test of membership.
    assert discrete_symmetries(z * torch.tensor([1e3, 1e-3], dtype=F64), z[:, 0].square().sum(-1), continuous=found)


def test_turns_about_a_point_far_away_are_no_translations():
    x = _random(300, 2, 3)
    found = task_symmetries(x + 1e9, (x[:, 0] * x[:, 1]).sum(-1))
    assert found.algebra is not None
    assert found.algebra.name == "so(3)"
    assert torch.allclose(found.algebra.centre, torch.full((3,), 1e9, dtype=F64), atol=0.5, rtol=0)


@pytest.mark.parametrize("height", [0.0, 5.0, 0.1])
def test_a_constant_component_is_left_alone(height):
    x = _random(300, 2, 3)
    x[..., 2] = height
    found = task_symmetries(x, (x[:, 0, :2] * x[:, 1, :2]).sum(-1))
    assert found.group == SO(2, axis="z")


def test_targets_keep_their_precision_beside_coarser_tokens():
    x = _random(70, 2, 3).float()
    y = 1e9 + _random(70)
    assert torch.equal(samples_of(x, y).scalars[:, 0], y)
    assert samples_of(x, (y[:, None, None] * torch.ones(1, 1, 3)).numpy(), "vector").y.dtype == F64
    big = torch.tensor([[2**53 - 1, 1]])
    assert samples_of(big).x.tolist() == [[[float(2**53 - 1), 1.0]]]


def test_other_orders_of_bytes_and_other_numbers():
    x = np.arange(6.0).reshape(2, 3)
    for other in (x.astype(">f8"), x.astype(np.longdouble), x.astype(">i4")):
        assert samples_of(other).x.tolist() == x[:, None].tolist()
    for data in ({"x": torch.ones(4, 2) + 0j}, {"x": torch.ones(4, 2), "y": torch.ones(4) + 0j}):
        with pytest.raises(ArgumentError, match="real numbers"):
            samples_of(**data)
    for size in (1e200, 1e-200):
        with pytest.raises(ArgumentError, match="other units"):
            samples_of(size * x)


def test_targets_that_say_nothing_have_reasons():
    x = _random(100, 1, 2)
    one = torch.ones(100, dtype=torch.int64)
    assert "constant" in task_symmetries(x, one).reason
    assert "constant" in discrete_symmetries(x, one).reason
    assert task_belief(samples_of(x, one)) is None
    assert "none is told from another" in task_symmetries(x, x[:, 0] @ _random(2, 2), law=True).reason


def test_moves_off_a_sphere_that_all_tokens_lie_on_are_no_symmetries():
    x = torch.nn.functional.normalize(_random(300, 2, 3), dim=-1)
    # Off the sphere a predictor of the product may be any quadratic form: nothing keeps it but signs and orders.
    assert not task_symmetries(x[:, 0], x[:, 0, 0] * x[:, 0, 1])
    assert task_symmetries(x, (x[:, 0] * x[:, 1]).sum(-1)).group == SO(3)
