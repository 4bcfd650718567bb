"""A dome of pin-jointed bars: the stiffest of a given volume is as symmetric as what its loads do, and the search finds which subgroup."""

from __future__ import annotations

import math

import pytest
import torch

import erlangen as er
from erlangen.design import SubgroupSearch, Symmetrizer
from erlangen.groups import subgroup_lattice
from erlangen.reps import PointSet

D = torch.float64
N = 8
GROUP = er.Dihedral(N)
LATTICE = subgroup_lattice(GROUP)


class Bars(er.Action):
    """Bars as pairs of nodes: node 0 is the top, which stays; 1 .. N an upper ring, N + 1 .. 2 N the supports, which turn."""

    def act(self, g, bar):
        return frozenset(i if i == 0 else 1 + (i - 1) // N * N + int(g[(i - 1) % N]) for i in bar)


ANGLES = 2 * math.pi * torch.arange(N, dtype=D) / N
CIRCLE = torch.stack([ANGLES.cos(), ANGLES.sin()], 1)
RING = torch.cat([0.55 * CIRCLE, torch.full((N, 1), 0.45, dtype=D)], 1)
NODES = torch.cat([torch.tensor([[0, 0, 0.6]], dtype=D), RING, torch.cat([CIRCLE, torch.zeros(N, 1, dtype=D)], 1)])
#: From the top to the ring, along the ring, ribs to the supports, and both diagonals.
BARS = PointSet.closed(Bars(GROUP), [frozenset({0, 1}), frozenset({1, 2}), frozenset({1, 1 + N}), frozenset({1, 2 + N})])
ENDS = torch.tensor([sorted(bar) for bar in BARS.points])
SPANS = NODES[ENDS[:, 1]] - NODES[ENDS[:, 0]]
FREE = 1 + N  # nodes that move
LEAST = 0.2  # of the volume is spread over all bars alike, so that no bar vanishes


def rows() -> torch.Tensor:
    """How much a unit of each free coordinate strains each bar, ``[bars, 3 FREE]``."""
    found = torch.zeros(BARS.dim, len(NODES), 3, dtype=D)
    bar, strain = torch.arange(BARS.dim), SPANS / SPANS.square().sum(1, keepdim=True)
    found[bar, ENDS[:, 1]], found[bar, ENDS[:, 0]] = strain, -strain
    return found[:, :FREE].flatten(1)


STRAINS = rows()


def volumes(w):
    """Of the bars, one in all, from the free part of the design."""
    return LEAST / BARS.dim + (1 - LEAST) * w / w.sum(-1, keepdim=True)


def compliance(w, loads):
    """``sum f^T K^-1 f`` over the loads, given as ``sum f f^T``, for a modulus of one."""
    stiffness = torch.einsum("...e,ei,ej->...ij", volumes(w), STRAINS, STRAINS)
    return torch.linalg.solve(stiffness, loads).diagonal(dim1=-2, dim2=-1).sum(-1)


def energies(w, loads):
    """How hard each bar works for its volume: minus the slope of the compliance."""
    stiffness = torch.einsum("e,ei,ej->ij", volumes(w), STRAINS, STRAINS)
    moved = torch.linalg.solve(stiffness, STRAINS.mT).mT
    return torch.einsum("ei,ij,ej->e", moved, loads, moved)


def stiffened(w, symmetrize, loads):
    """Volume goes to where the work is."""
    w = symmetrize(w)
    for _ in range(60):
        w = w * symmetrize(energies(w, loads)).clamp_min(0).sqrt()
        w = w / w.sum()
    return w


def load(weight, side=(0.0, 0.0)):
    """The weight on each free node and a push on all."""
    return torch.cat([torch.tensor(side, dtype=D).expand(FREE, 2), -weight.unsqueeze(1)], 1).flatten()


EVEN = torch.ones(FREE, dtype=D)
LOADS = {
    "weight": [load(EVEN)],
    "snow on one side": [load(EVEN + 3 * (NODES[:FREE, 0] > 1e-9))],
    "wind from both sides": [load(EVEN, (0.5, 0.0)), load(EVEN, (-0.5, 0.0))],
    "wind from four sides": [load(EVEN, side) for side in ((0.5, 0.0), (-0.5, 0.0), (0.0, 0.5), (0.0, -0.5))],
}
FOUND = {"weight": "H_1_0", "snow on one side": "H_8_0", "wind from both sides": "H_4_0", "wind from four sides": "H_1_0"}


def together(name: str) -> torch.Tensor:
    return sum(torch.outer(f, f) for f in LOADS[name])  # type: ignore[return-value]


def random_designs(count: int) -> torch.Tensor:
    return torch.rand(count, BARS.dim, dtype=D, generator=torch.Generator().manual_seed(0))


def test_the_dome_stands_and_moves_with_its_group() -> None:
    assert (BARS.dim, [len(orbit) for orbit in BARS.orbits()]) == (5 * N, [N, N, N, 2 * N])
    assert torch.linalg.matrix_rank(STRAINS) == 3 * FREE
    w, loads, g = random_designs(3), together("snow on one side"), GROUP.elements()
    # The compliance by its other definition: the least energy of forces that carry the loads.
    for one in w:
        total = 0.0
        for f in LOADS["snow on one side"]:
            weighted = STRAINS.mT * volumes(one).sqrt()
            total += float(torch.linalg.lstsq(weighted, f, driver="gelsd").solution.square().sum())
        assert float(compliance(one, loads)) == pytest.approx(total, rel=1e-9)
    # Turned loads on a turned dome do the same.
    for i in range(len(g)):
        nodes = torch.tensor([0, *(1 + g[i])])
        turn = torch.block_diag(GROUP.plane.matrix(g[i]), torch.eye(1, dtype=D))
        moved = torch.zeros(FREE, 3, dtype=D)
        moved[nodes] = LOADS["snow on one side"][0].view(FREE, 3) @ turn.mT
        there = torch.outer(moved.flatten(), moved.flatten())
        assert torch.allclose(compliance(BARS.act(g[i], w), there), compliance(w, loads), rtol=1e-10, atol=0)


def test_what_the_loads_keep_never_makes_it_less_stiff() -> None:
    """The compliance is a convex function of the volumes, so their mean over symmetries of the loads is at least as good."""
    w = random_designs(50)
    w = w / w.sum(1, keepdim=True)  # a mean of volumes, not of their ratios
    for name, subgroup in FOUND.items():
        loads = together(name)
        P = Symmetrizer(LATTICE.subgroups[LATTICE.place(subgroup)], BARS)
        assert bool((compliance(P(w), loads) <= compliance(w, loads) * (1 + 1e-12)).all())


@pytest.mark.parametrize("name", LOADS)
def test_the_search_finds_the_symmetry_of_the_loads(name: str) -> None:
    loads = together(name)
    search = SubgroupSearch(
        LATTICE,
        lambda w, symmetrize, seed: -compliance(w, loads),
        lambda w, symmetrize, seed: stiffened(w, symmetrize, loads),
        action=BARS,
        tolerance=0.002 * float(compliance(torch.ones(BARS.dim, dtype=D), loads)),
        soft_steps=1,
    )
    start = random_designs(1)[0]
    result = search.run(start, budget=150)
    assert result.name == FOUND[name]
    # Of all domes of that volume none is better by more: convex, so the tangent bounds it from below.
    work = energies(result.design, loads)
    free = result.design / result.design.sum()
    assert (1 - LEAST) * float(work.max() - (free * work).sum()) < 0.01 * -result.value
    every = search.exhaustive(start, epochs=1)
    assert every.name == result.name
    assert result.trainings < every.trainings / 2
    kept = LATTICE.subgroups[LATTICE.place(FOUND[name])].positions
    for subgroup, value in zip(LATTICE.subgroups, every.values_of_subgroups().values()):
        if subgroup.positions <= kept:
            assert value == pytest.approx(result.value, rel=0.002)
        else:
            assert value < 1.04 * result.value
