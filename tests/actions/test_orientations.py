"""Grids of orientations: how many, which groups, which designs; that lifting and reading a vector is a third of it; what is refused."""

import math

import pytest
import torch

import erlangen as er
from erlangen.actions.orientations import Orientations, orientations
from erlangen.errors import ArgumentError

F64 = torch.float64
# name, orientations, all symmetries, rotations, antipodal, design
SOLIDS = [
    ("tetra", 4, 24, 12, False, 2),
    ("octa", 6, 48, 24, True, 3),
    ("cube", 8, 48, 24, True, 3),
    ("ico", 12, 120, 60, True, 5),
    ("dodeca", 20, 120, 60, True, 5),
]


@pytest.mark.parametrize(("name", "count", "order", "rotations", "antipodal", "strength"), SOLIDS)
def test_corners_of_solids(name, count, order, rotations, antipodal, strength):
    grid = orientations(name)
    assert (len(grid), grid.group.order, grid.rotations.order, grid.antipodal, grid.strength) == (
        count, order, rotations, antipodal, strength,
    )  # fmt: skip
    o = grid.vectors
    assert (o.norm(dim=1) - 1).abs().max() < 1e-15
    # Each symmetry permutes the grid, and lifting a vector and reading it back is a third of it.
    moved = grid.group.elements() @ o.T
    assert (moved.mT.unsqueeze(2) - o).norm(dim=-1).amin(2).max() < 1e-14
    v = torch.randn(5, 3, dtype=F64)
    assert torch.allclose((v @ o.T) @ o / count, v / 3, rtol=0, atol=1e-14)
    if antipodal:
        assert torch.equal(o[count // 2 :], -o[: count // 2])


@pytest.mark.parametrize(("count", "order"), [(4, 24), (6, 48), (8, 16), (12, 120), (16, 12)])
def test_charges_at_rest_have_the_symmetry_of_thomsons_problem(count, order):
    """Known minima: tetrahedron, octahedron, square antiprism (D4d), icosahedron, and T at 16."""
    grid = orientations(f"repulsion({count})")
    assert grid.group.order == order
    o = grid.vectors
    off = (o.T @ o / count - torch.eye(3, dtype=F64) / 3).norm()
    assert off == pytest.approx(0.023569, abs=1e-5) if count == 8 else off < 1e-12


@pytest.mark.parametrize("count", [3, 5, 8])
def test_circles(count):
    grid = orientations(f"circle({count})", 2)
    assert (grid.group.order, grid.rotations.order, grid.strength) == (2 * count, count, count - 1)
    assert grid.antipodal is (count % 2 == 0)
    step = grid.vectors[1] @ grid.vectors[0]
    assert float(step) == pytest.approx(math.cos(2 * math.pi / count))


def test_spirals_cover_the_sphere_evenly():
    o = orientations("fibonacci(200)").vectors
    assert (o.mean(0)).norm() < 1e-2
    assert (o.T @ o / 200 - torch.eye(3, dtype=F64) / 3).norm() < 1e-2
    apart = torch.cdist(o, o).fill_diagonal_(9).amin(1)
    assert apart.min() > 0.5 * apart.max()


def test_grids_of_ones_own_know_their_group():
    turn = er.SO(3).sample(dtype=F64, generator=torch.Generator().manual_seed(1))
    turned = Orientations(orientations("ico").vectors[torch.randperm(12)] @ turn.T * 3, "mine")
    assert (turned.group.order, turned.antipodal, turned.strength) == (120, True, 5)
    assert torch.equal(turned.vectors[6:], -turned.vectors[:6])
    one_off = orientations("octa").vectors.clone()
    one_off[0] += 0.1
    assert Orientations(one_off).group.order < 48
    er.testing.check_group(orientations("tetra").group)


@pytest.mark.parametrize(
    ("argument", "make"),
    [
        ("grid", lambda: orientations("iko")),
        ("grid", lambda: orientations("repulsion")),
        ("grid", lambda: orientations("repulsion(0)")),
        ("grid", lambda: orientations("fibonacci(-3)")),
        ("grid", lambda: orientations("ico", 2)),
        ("grid", lambda: orientations("circle(8)")),
        ("grid", lambda: orientations(12)),
        ("vectors", lambda: Orientations(torch.zeros(4, 3))),
        ("vectors", lambda: Orientations(torch.eye(4))),
        ("vectors", lambda: Orientations(torch.tensor([[1.0, 0, 0], [0, 1, 0], [1, 1, 0]]))),
        ("vectors", lambda: Orientations(torch.cat([torch.eye(3), torch.eye(3)]))),
    ],
)
def test_refuses(argument, make):
    with pytest.raises(ArgumentError, match=f"argument '{argument}'"):
        make()


@pytest.mark.parametrize(
    ("name", "dim"), [("ico", 3), ("dodeca", 3), ("cube", 3), ("repulsion(8)", 3), ("circle(7)", 2), ("fibonacci(20)", 3)]
)
def test_vectors_in_single_precision_keep_their_symmetries(name, dim):
    exact = orientations(name, dim)
    turn = torch.linalg.qr(torch.randn(dim, dim, generator=torch.Generator().manual_seed(0), dtype=torch.float64))[0]
    given = (exact.vectors @ turn).float()
    found = Orientations(given)
    assert (found.group.order, found.rotations.order) == (exact.group.order, exact.rotations.order)
    assert (found.antipodal, found.strength) == (exact.antipodal, exact.strength)
    assert torch.cdist(found.vectors, given.double()).amin(1).max() < 1e-7  # moved by no more than was rounded
