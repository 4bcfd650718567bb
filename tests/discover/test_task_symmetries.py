"""Symmetries of a task by derivatives: the derivatives themselves, closing and naming algebras, planted tasks and tasks without."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from erlangen.discover.task import TaskSymmetries, task_symmetries
from erlangen.discover.task.closure import bracket_defect, nearest_closed
from erlangen.discover.task.ideal import idealised
from erlangen.discover.task.index_network import IndexNetwork
from erlangen.discover.task.views import Averaged, Mixed
from erlangen.errors import ArgumentError
from erlangen.groups import SE, SO
from erlangen.groups.affine_algebra import affine_algebra
from erlangen.groups.orthogonal import so_basis


def _random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _angle(found: Tensor, truth: Tensor) -> float:
    a, b = (torch.linalg.qr(m.flatten(1).mT).Q for m in (found, truth))
    return math.degrees(float(torch.arccos(torch.linalg.svdvals(a.mT @ b).min().clamp(max=1))))


def _affine(linear: Tensor, shifts: int = 0) -> Tensor:
    n = linear.shape[-1]
    moves = torch.zeros(shifts, n, n + 1, dtype=torch.float64)
    moves[range(shifts), range(shifts), n] = 1.0
    return torch.cat([torch.cat([linear, linear.new_zeros(len(linear), n, 1)], 2), moves])


@pytest.mark.parametrize("squash", [False, True])
@pytest.mark.parametrize(
    "make", [lambda x: Mixed(x, None, 2), lambda x: Averaged(x, 3), lambda x: Mixed(x, x.new_full((1, 3), 1 / 3), 3)]
)
def test_both_jacobians_are_those_of_autograd(make, squash):
    x = _random(5, 3, 2)
    view = make(x)
    phi = view(x)
    network = IndexNetwork(phi.shape[1], view.power, 2, 4, 3, squash, torch.Generator().manual_seed(0))
    weights = network.weights

    def by_weights(w: Tensor) -> Tensor:
        network.weights = w
        return network(phi)

    wanted = torch.autograd.functional.jacobian(by_weights, weights).reshape(15, -1)
    network.weights = weights
    assert torch.allclose(network.weight_jacobian(phi)[1], wanted, atol=1e-12)

    def by_input(i: int, row: Tensor) -> Tensor:
        return network(view(torch.cat([x[:i], row[None], x[i + 1 :]])))[i]

    # A view's scales are those of the data it was made from, so that a datum can be exchanged.
    wanted = torch.stack([torch.autograd.functional.jacobian(lambda row, i=i: by_input(i, row), x[i]) for i in range(5)])
    found = network.input_jacobian(phi, view.gradient(x).flatten(2))[1]
    assert torch.allclose(found.view(5, 3, 3, 2), wanted, atol=1e-12)


def test_a_span_near_so3_closes_on_a_turned_so3():
    off = so_basis(3) + 0.03 * _random(3, 3, 3)
    closed, defect, way = nearest_closed(off)
    assert defect < 1e-10
    assert way < 0.2
    assert float(bracket_defect(closed).abs().max()) < 1e-10


@pytest.mark.parametrize("seed", range(5))
def test_a_span_near_se2_settles_on_turns_and_translations(seed):
    truth = _affine(so_basis(2), 2)
    off = torch.linalg.qr((truth + 0.03 * _random(3, 2, 3, seed=seed)).flatten(1).mT).Q.mT.unflatten(1, (2, 3))
    simple = idealised(off)
    assert simple is not None
    closed, defect, _ = nearest_closed(simple)
    assert defect < 1e-10
    assert _angle(closed, truth) < 6


def test_a_distance_has_the_rigid_motions_in_a_hidden_basis():
    z = _random(600, 3, 3)
    basis = torch.linalg.qr(_random(3, 3, seed=1)).Q @ torch.diag(torch.tensor([0.6, 1.0, 1.7], dtype=torch.float64))
    y = torch.tanh((z[:, 0] - z[:, 1]).square().sum(-1) / 4) + (z[:, 1] - z[:, 2]).square().sum(-1) / 6
    found = task_symmetries(z @ basis.mT, y)
    truth = _affine(so_basis(3), 3)
    inverse = torch.linalg.inv(basis)
    truth = torch.cat([basis @ truth[..., :3] @ inverse, basis @ truth[..., 3:]], 2)
    assert found.algebra is not None
    assert found.algebra.name == "se(3)"
    assert found.exact
    assert _angle(found.generators, truth) < 3
    # The group acts on points, and the form in its hidden basis is what it keeps.
    g = found.group.sample(4, dtype=torch.float64)
    moved = found.group.point.act(g, (z @ basis.mT)[:4])
    back = moved @ inverse.mT
    assert torch.allclose((back[:, 0] - back[:, 1]).norm(dim=-1), (z[:4, 0] - z[:4, 1]).norm(dim=-1), rtol=0.1)


def test_standard_axes_and_names_where_the_data_allow_them():
    x = _random(400, 2, 3)
    assert task_symmetries(x, (x[:, 0] * x[:, 1]).sum(-1)).group == SO(3)
    y = (x[:, 0] - x[:, 1]).square().sum(-1)
    assert task_symmetries(x, y).group == SE(3)


def test_an_indefinite_form_in_a_turned_basis():
    z, basis = _random(800, 1, 4), torch.linalg.qr(_random(4, 4, seed=3)).Q
    form = torch.diag(torch.tensor([1.0, 1.0, -1.0, -1.0], dtype=torch.float64))
    found = task_symmetries(z @ basis.mT, torch.sin(0.5 * torch.einsum("nti,ij,ntj->n", z, form, z)))
    assert found.algebra is not None
    assert found.algebra.name == "so(2,2)"
    hidden = basis @ form @ basis.mT
    cosine = float((found.algebra.form * hidden).sum().abs() / found.algebra.form.norm() / hidden.norm())
    assert cosine > 0.999


def test_vectors_that_turn_along_have_a_law():
    x = _random(250, 2, 3)
    y = (x[:, 0] * x[:, 1]).sum(-1, keepdim=True) * x[:, 0] + x[:, 1]
    found = task_symmetries(x, y, target="scalar")
    assert found.algebra is not None
    assert found.algebra.name == "so(3)"
    # The target is a vector: each law is the generator itself.
    assert torch.allclose(found.law[..., :3], found.generators[..., :3], atol=1e-6)


def test_sums_over_many_tokens():
    x = _random(500, 20, 2)
    found = task_symmetries(x, x.square().sum((1, 2)))
    assert found.algebra is not None
    assert found.group == SO(2)


@pytest.mark.parametrize(("seed", "noise"), [(0, 0.0), (1, 0.05)])
def test_tasks_without_symmetry_have_none(seed, noise):
    x = _random(600, 2, 2, seed=seed)
    waves = _random(4, 8, seed=10 + seed)
    y = torch.sin(1.3 * x.flatten(1) @ waves / 2 + _random(8, seed=20 + seed)).sum(1) + 0.3 * (
        x.flatten(1).square() @ _random(4, seed=30)
    )
    found = task_symmetries(x, y + noise * y.std() * _random(600, seed=40))
    assert not found, str(found)


def test_what_cannot_be_told_is_said():
    x = _random(300, 1, 3)
    few = task_symmetries(x[:40], x[:40, 0, 0])
    assert not few
    assert "different samples" in few.reason
    assert "constant" in task_symmetries(x, torch.ones(300)).reason
    noise = task_symmetries(x[:150], _random(150, seed=5))
    assert not noise
    assert "explains" in noise.reason
    wide = task_symmetries(_random(300, 1, 40), _random(300))
    assert not wide
    assert "no predictor of 40 columns" in wide.reason
    with pytest.raises(ArgumentError, match="y"):
        task_symmetries(x)


def test_the_same_in_single_precision_and_again():
    x = _random(300, 2, 2).float()
    y = (x[:, 0] * x[:, 1]).sum(-1)
    first, second = task_symmetries(x, y), task_symmetries(x, y)
    assert first.group == SO(2)
    assert torch.equal(first.violations, second.violations)


def test_what_does_not_matter_is_left_alone_and_said():
    x = _random(300, 1, 3)
    found = task_symmetries(x, x[:, 0, :2].square().sum(-1))
    assert found.group == SO(2, axis="z")
    assert torch.equal(found.idle, torch.tensor([[0.0, 0.0, 1.0]], dtype=torch.float64))
    # The difference of two points, flat: six numbers, of which three sums do not matter.
    z = _random(500, 2, 3, seed=1)
    flat = task_symmetries(z.flatten(1), (z[:, 0] - z[:, 1]).square().sum(-1))
    assert flat.algebra is not None
    assert flat.algebra.name == "so(3)"
    assert len(flat.idle) == 3
    g = flat.group.sample(5, dtype=torch.float64)
    moved = flat.group.point.act(g, z.flatten(1)[:5]).unflatten(1, (2, 3))
    assert torch.allclose((moved[:, 0] - moved[:, 1]).norm(dim=-1), (z[:5, 0] - z[:5, 1]).norm(dim=-1), rtol=1e-3)


def test_an_approximate_symmetry_is_described_but_not_claimed():
    x = _random(500, 2)
    y = x.square().sum(-1) + 0.15 * x[:, 0] * x[:, 1] ** 2
    found = task_symmetries(x, y)
    assert not found
    assert found.algebra is not None
    assert found.algebra.name == "so(2)"
    assert "not claimed" in str(found)
    assert (len(found.generators), found.group, found.finding().holds) == (0, None, False)
    assert found.excludes(1)
    again = TaskSymmetries.from_dict(found.as_dict())
    assert str(again) == str(found)
    assert found.decided
    # Where imposing it lowers the held-out error by more than chance, it is claimed, and not called exact.
    helpful, doubtful = replace(found, gain=(0.02, 0.004)), replace(found, gain=(0.02, 0.015))
    assert (bool(helpful), helpful.exact, bool(doubtful)) == (True, False, False)
    assert helpful.finding().holds
    assert "lowers the held-out error by 0.02 ± 0.004" in str(helpful)
    assert "not claimed" not in str(helpful)
    assert str(TaskSymmetries.from_dict(helpful.as_dict())) == str(helpful)
    exact = task_symmetries(x, x.square().sum(-1))
    assert exact
    assert not exact.excludes(1)
    assert exact.excludes(2)


def test_what_lies_before_a_later_gap_is_not_excluded():
    found = task_symmetries(_random(300, 3), _random(300, 3, seed=9).square().sum(-1))  # noise: nothing
    assert (bool(found), found.undecided) == (False, 0)
    x = _random(400, 2, 2, seed=1)
    whole = task_symmetries(x, (x[:, 0] - x[:, 1]).square().sum(-1))
    assert (whole.algebra.name, whole.undecided, str(whole).startswith("se(2)")) == ("se(2)", 0, True)
    part = affine_algebra(whole.algebra.generators[whole.algebra.generators[..., :2].abs().amax((1, 2)) < 1e-9])
    seen = replace(whole, algebra=part, violations=torch.tensor([0.005, 0.007, 0.09, 0.9, 1.0, 1.1], dtype=torch.float64))
    assert seen.undecided == 1
    assert str(seen).startswith("at least translations(2)")
    assert "1 more direction is not excluded" in str(seen)
    assert "1 more not excluded" in seen.finding().note


def test_the_gap_has_an_interval_over_samples_and_predictors():
    x = _random(400, 2, 2, seed=3)
    y = (x[:, 0] - x[:, 1]).square().sum(-1)
    exact, noisy = task_symmetries(x, y), task_symmetries(x, y + 0.1 * y.std() * _random(400, seed=4))
    for found in (exact, noisy):
        assert found.algebra.name == "se(2)"
        (low, high), (least, most) = found.bounds.tolist()
        assert low <= high < least <= found.gap[1] * 1.1
        assert most >= found.gap[1] * 0.9
        assert f"[{low:.2g}, {high:.2g}]" in found.finding().note
    # A polynomial without error has the same slopes in every draw; noise opens the interval.
    assert float(exact.bounds[0, 1]) < 1e-4
    assert float(noisy.bounds[0, 1] - noisy.bounds[0, 0]) > 1e-4
    again = TaskSymmetries.from_dict(noisy.as_dict())
    assert torch.equal(again.bounds, noisy.bounds)
