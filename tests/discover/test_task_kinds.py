"""Symmetries of tasks whose tokens are of several kinds, each with generators of its own: planted ones, and tasks that have none."""

from __future__ import annotations

import math
import sys

import pytest
import torch
from torch import Tensor, nn

from erlangen.discover import discover
from erlangen.discover.task import TaskSymmetries, kinds_symmetries, task_symmetries
from erlangen.discover.task.closure import bracket_defect
from erlangen.discover.task.kinds import EachKind, KindTokens, kind_tokens, kind_views
from erlangen.discover.task.kinds_imposed import symmetrized_by_kind
from erlangen.discover.task.views import Averaged
from erlangen.equivariance import equivariance_error
from erlangen.errors import ArgumentError
from erlangen.groups import SE, SO
from erlangen.groups.orthogonal import so_basis
from erlangen.groups.parts_algebra import allowed_entries, parts_algebra, split_by_parts


def _random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _angle(found: Tensor, truth: Tensor) -> float:
    if len(found) != len(truth):
        return 90.0
    a, b = (torch.linalg.qr(m.flatten(1).mT).Q for m in (found, truth))
    return math.degrees(float(torch.arccos(torch.linalg.svdvals(a.mT @ b).min().clamp(max=1))))


def _blocks(*parts: Tensor) -> Tensor:
    """Linear generators ``[k, n_1, n_1], [k, n_2, n_2], ...`` that act together, as ``(A | 0)``."""
    blocks = torch.stack([torch.block_diag(*matrices) for matrices in zip(*parts)])
    return torch.cat([blocks, blocks.new_zeros(*blocks.shape[:2], 1)], 2)


def _shifts(n: int, start: int, count: int) -> Tensor:
    moves = torch.zeros(count, n, n + 1, dtype=torch.float64)
    moves[range(count), range(start, start + count), n] = 1.0
    return moves


def _basis(seed: int) -> Tensor:
    scales = torch.diag(torch.tensor([0.7, 1.0, 1.5], dtype=torch.float64))
    return torch.linalg.qr(_random(3, 3, seed=seed)).Q @ scales @ torch.linalg.qr(_random(3, 3, seed=seed + 100)).Q


def _phase_space(samples: int = 450) -> tuple[Tensor, Tensor]:
    return _random(samples, 2, 3, seed=1), _random(samples, 2, 3, seed=2)


@pytest.fixture
def small_budget(monkeypatch):
    """For searches that nothing but their budget ends, and that find the same with less."""
    monkeypatch.setattr(sys.modules[kinds_symmetries.__module__], "BUDGET", 2e10)


def test_translations_move_positions_only_and_rotations_positions_and_velocities_alike():
    q, v = _phase_space()
    apart = q[:, 0] - q[:, 1]
    energy = v.square().sum((1, 2)) / 2 + apart.square().sum(-1) / 4 + 0.5 * (v[:, 0] * apart).sum(-1)
    found = task_symmetries(torch.cat([q, v], 1), energy, kinds=["position", "position", "velocity", "velocity"])
    assert found
    truth = torch.cat([_blocks(so_basis(3), so_basis(3)), _shifts(6, 0, 3)])
    assert _angle(found.generators, truth) < 1e-3
    assert found.algebra.name == "so(3) on position and velocity alike + translations(3) on position"
    assert found.algebra.words == "6 move position and velocity at once"
    assert found.group == SE(3)
    motions = found.algebra.motions()
    assert motions["position"] == SE(3).point
    assert motions["velocity"] == SE(3).vector


def test_without_coupling_velocities_turn_by_themselves():
    q, v = _phase_space()
    energy = v.square().sum((1, 2)) / 2 + torch.tanh((q[:, 0] - q[:, 1]).square().sum(-1) / 4)
    found = kinds_symmetries({"position": q, "velocity": v}, energy)
    zero = torch.zeros(3, 3, 3, dtype=torch.float64)
    truth = torch.cat([_blocks(so_basis(3), zero), _blocks(zero, so_basis(3)), _shifts(6, 0, 3)])
    assert found
    assert _angle(found.generators, truth) < 1e-3
    assert found.algebra.name == "se(3) on position + so(3) on velocity"
    assert [group for group, _ in found.algebra.factor_motions()] == [SE(3), SO(3)]


def test_two_particles_in_unrelated_frames_in_hidden_bases(small_budget):
    a, b, first, second = _random(500, 2, 3, seed=3), _random(500, 2, 3, seed=4), _basis(5), _basis(6)
    y = (a[:, 0] * a[:, 1]).sum(-1) + torch.tanh((b[:, 0] * b[:, 1]).sum(-1)) + 0.2 * a[:, 0].square().sum(-1)
    found = task_symmetries(torch.cat([a @ first.mT, b @ second.mT], 1), y, kinds=[0, 0, 1, 1])
    zero = torch.zeros(3, 3, 3, dtype=torch.float64)
    hidden = [basis @ so_basis(3) @ torch.linalg.inv(basis) for basis in (first, second)]
    assert found
    assert _angle(found.generators, torch.cat([_blocks(hidden[0], zero), _blocks(zero, hidden[1])])) < 1
    assert found.algebra.name == "so(3) on kind 0 + so(3) on kind 1"
    orthonormal = torch.linalg.qr(found.generators.flatten(1).mT).Q.mT.unflatten(1, (6, 7))
    assert float(bracket_defect(orthonormal).abs().max()) < 1e-9


def test_charges_and_positions_of_other_dimensions():
    q, c = _random(600, 2, 3, seed=7), _random(600, 2, 1, seed=8)
    y = c.prod(1)[:, 0] * (q[:, 0] - q[:, 1]).square().sum(-1)
    found = kinds_symmetries({"position": q, "charge": c}, y)
    # Longer distances are made up for by smaller charges.
    eye = torch.eye(3, dtype=torch.float64)[None]
    none = torch.zeros(3, 1, 1, dtype=torch.float64)
    truth = torch.cat([_blocks(so_basis(3), none), _blocks(eye, -torch.ones(1, 1, 1, dtype=torch.float64)), _shifts(4, 0, 3)])
    assert found
    assert _angle(found.generators, truth) < 0.5
    g = found.group.sample(4, dtype=torch.float64)
    moved = {name: found.algebra.motions()[name].act(g, part[:4]) for name, part in (("position", q), ("charge", c))}
    after = moved["charge"].prod(1)[:, 0] * (moved["position"][:, 0] - moved["position"][:, 1]).square().sum(-1)
    assert torch.allclose(after, y[:4], rtol=0.05, atol=0.05)


def test_targets_that_move_along_have_a_law():
    q, v = _random(300, 2, 2, seed=9), _random(300, 1, 2, seed=10)
    force = (q[:, 0] - q[:, 1])[:, None] - 0.3 * v * v.square().sum(-1, keepdim=True)
    found = kinds_symmetries({"position": q, "velocity": v}, force, target="vector")
    turns = _blocks(so_basis(2), so_basis(2))
    assert found
    # A force of first degree in positions and of third in velocities grows alike where positions grow three times as fast.
    eye = torch.eye(2, dtype=torch.float64)[None]
    assert _angle(found.generators, torch.cat([turns, _blocks(3 * eye, eye), _shifts(4, 0, 2)])) < 1e-3
    assert found.law.shape == (4, 2, 3)


@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_tasks_without_symmetry_have_none(noise, small_budget):
    a, b = _random(400, 1, 2, seed=11), _random(400, 1, 2, seed=12)
    flat = torch.cat([a, b], 1).flatten(1)
    y = torch.sin(1.3 * flat @ _random(4, 8, seed=13) / 2 + _random(8, seed=14)).sum(1) + 0.3 * flat.square() @ _random(4, seed=15)
    found = kinds_symmetries({"a": a, "b": b}, y + noise * y.std() * _random(400, seed=16))
    assert not found, str(found)


def test_what_was_found_is_written_read_and_imposed():
    q, v = _random(400, 2, 2, seed=17), _random(400, 1, 2, seed=18)
    y = v.square().sum((1, 2)) + (q[:, 0] - q[:, 1]).square().sum(-1) + ((q[:, 0] - q[:, 1]) * v[:, 0]).sum(-1)
    found = kinds_symmetries({"position": q, "velocity": v}, y)
    assert found.group == SE(2)
    again = TaskSymmetries.from_dict(found.as_dict())
    assert str(again) == str(found)
    assert again.algebra.motions() == found.algebra.motions()

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 1)).double()

        def forward(self, x):
            return self.net(torch.cat([x["position"].flatten(1), x["velocity"].flatten(1)], 1))

    torch.manual_seed(0)
    for algebra in (found.algebra, parts_algebra(_two_circles(), (2, 2), ("position", "velocity"))):
        model = symmetrized_by_kind(Network(), algebra)
        g = algebra.group.sample(6, dtype=torch.float64)
        x = {"position": q[:6], "velocity": v[:6]}
        moved = {name: action.act(g, x[name]) for name, action in algebra.motions().items()}
        assert torch.allclose(model(x), model(moved), atol=1e-10)
        assert not torch.allclose(Network()(x), Network()(moved), atol=1e-3)
        judged = equivariance_error(model, x, algebra.motions(), algebra.group.scalar, elements=8)
        assert judged.holds
        assert judged["worst"] < 1e-9
    # Where all tokens move alike, the translations are missed.
    assert task_symmetries(torch.cat([q, v], 1), y).group == SO(2)


def test_discover_tells_what_kinds_keep_by_themselves():
    q, v = _random(300, 2, 2, seed=19), _random(300, 1, 2, seed=20)
    energy = v.square().sum((1, 2)) + (q[:, 0] - q[:, 1]).square().sum(-1)
    found = discover(torch.cat([q, v], 1), energy, kinds=["place", "place", "speed"], quiet=True)
    row = next(f for f in found.findings if f.method == "task, each kind by itself")
    assert (row.found, row.holds) == ("se(2) on place + so(2) on speed", True)
    assert found.group == SO(2)
    with pytest.raises(ArgumentError, match="kinds"):
        discover(q, kinds=[0, 1], quiet=True)


def _two_circles() -> Tensor:
    zero = torch.zeros(1, 2, 2, dtype=torch.float64)
    return torch.cat([_blocks(so_basis(2), zero), _blocks(zero, so_basis(2))])


def test_an_algebra_of_parts_says_which_move_together():
    names = ("a", "b")
    assert parts_algebra(_two_circles(), (2, 2), names).name == "so(2) on a + so(2) on b"
    alike = parts_algebra(_blocks(so_basis(2), so_basis(2)), (2, 2), names)
    assert (alike.name, alike.group) == ("so(2) on a and b alike", SO(2))
    slower = parts_algebra(_blocks(so_basis(2), 2 * so_basis(2)), (2, 2), names)
    assert slower.name == "so(2) on a and b at rates 1 : 2"
    one, other = torch.ones(1, 1, 1), -3 * torch.ones(1, 1, 1)
    assert parts_algebra(_blocks(one, other), (1, 1), names).name == "dilation on a and b at rates 1 : -3"
    together = _basis(1) @ so_basis(3) @ torch.linalg.inv(_basis(1))
    assert parts_algebra(_blocks(so_basis(3), together), (3, 3), names).name == "so(3) on a and b together"
    # In any basis of the span.
    mixed = torch.einsum("ij,jkl->ikl", _random(2, 2, seed=3), _two_circles())
    assert [parts for parts, _ in split_by_parts(mixed, (2, 2))] == [(0,), (1,)]
    with pytest.raises(ArgumentError, match="mix"):
        parts_algebra(torch.ones(1, 4, 5), (2, 2), names)
    with pytest.raises(ArgumentError, match="names"):
        parts_algebra(_two_circles(), (2, 2), ("a",))
    assert int(allowed_entries((3, 1)).sum()) == 14


def test_the_group_of_any_parts_moves_each_as_its_generators_say():
    generators = torch.cat([_blocks(so_basis(2), 2 * so_basis(2)), _shifts(4, 0, 2)])
    algebra = parts_algebra(generators, (2, 2), ("a", "b"))
    g = algebra.group.exp(0.3 * algebra.group.algebra.basis[0])
    x, motions = _random(5, 2, seed=1), algebra.motions()
    wanted = torch.linalg.matrix_exp(0.3 * algebra.group.algebra.basis[0])
    assert torch.allclose(motions["a"].act(g, x), x @ wanted[:2, :2].mT + wanted[:2, 4])
    assert torch.allclose(motions["b"].act(g, x), x @ wanted[2:4, 2:4].mT + wanted[2:4, 4])


@pytest.mark.parametrize("many", [2, 12])
def test_derivatives_of_views_are_those_of_autograd(many):
    tokens = KindTokens(("a", "b"), (_random(4, many, 2, seed=1), _random(4, 2, 1, seed=2)))
    x = tokens.embedded()
    assert x.shape == (4, many + 2, 3)
    for _, _, view in kind_views(tokens):
        wanted = torch.autograd.functional.jacobian(lambda row, view=view: view(torch.cat([row[None], x[1:]]))[0], x[0])
        assert torch.allclose(view.gradient(x)[0], wanted, atol=1e-12)
    shapes, numbers = [(many, 2), (2, 1)], x.flatten(1)[:, tokens.numbers(), None]
    assert EachKind(shapes, numbers, lambda part: Averaged(part, 2))(numbers).shape == (4, 5 + 2)


def test_kinds_that_do_not_fit_are_named():
    x, y = _random(300, 3, 2), _random(300, seed=1)
    with pytest.raises(ArgumentError, match="kinds"):
        task_symmetries(x, y, kinds=[0, 1])
    with pytest.raises(ArgumentError, match="kinds"):
        task_symmetries(x, y, kinds=[0, 0, 0])
    with pytest.raises(ArgumentError, match="mapping"):
        task_symmetries({"a": x, "b": x}, y, kinds=[0, 1])
    with pytest.raises(ArgumentError, match="samples"):
        kind_tokens({"a": x, "b": x[:5]}, None)
    with pytest.raises(ArgumentError, match="130 directions"):
        task_symmetries({"a": _random(300, 1, 20), "b": x}, y)
    with pytest.raises(ArgumentError, match="y"):
        task_symmetries({"a": x, "b": x}, None)
    idle = task_symmetries({"a": x[:, :2], "b": x[:, 2:]}, (x[:, 0] * x[:, 1]).sum(-1))
    assert not idle
    assert "does not depend on the tokens of b" in idle.reason
