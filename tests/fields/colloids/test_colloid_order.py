"""Displacements, correlations, order parameters, distributions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.fields import colloids as co


def walk(frames: int, *shape: int) -> Tensor:
    return torch.randn(frames, *shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64).cumsum(0)


def test_fast_displacements_equal_direct_ones_wherever_particles_are() -> None:
    for offset in (0.0, 1e6):
        x = walk(300, 4, 5, 2) + offset
        direct = co.direct_mean_square_displacement(x)
        torch.testing.assert_close(co.mean_square_displacement(x).msd, direct, rtol=1e-10, atol=1e-9 if offset else 1e-10)


def test_freud_depends_on_the_origin_and_ours_does_not() -> None:
    freud = pytest.importorskip("freud")
    x = 0.1 * walk(200, 30, 3) + 1000.0
    theirs = freud.msd.MSD(mode="window").compute(x.numpy()).msd
    ours = co.mean_square_displacement(x).msd
    assert abs(theirs[0]) > 1e-3
    assert float(ours[0]) == 0
    shifted = freud.msd.MSD(mode="window").compute((x - x[0]).numpy()).msd
    np.testing.assert_allclose(shifted, ours.numpy(), atol=1e-4, rtol=1e-3)


def test_diffusion_exponents_and_errors() -> None:
    x = walk(400, 500, 2)
    found = co.mean_square_displacement(x, spacing=0.5, most=40)
    slope, error = found.diffusion(1.0, 20.0)
    assert slope == pytest.approx(1.0, abs=4 * error)
    assert 0 < error < 0.1
    assert float((found.exponent()[2:20] - 1).abs().max()) < 0.05
    assert float(co.velocity_correlation(x, 1.0, 3)[0]) == pytest.approx(2.0, rel=0.02)
    with pytest.raises(ArgumentError, match="finite"):
        co.mean_square_displacement(x * torch.nan)
    with pytest.raises(ArgumentError, match="most"):
        co.mean_square_displacement(x, most=400)


def test_rotational_diffusion_of_made_up_headings() -> None:
    turn = 0.1 * walk(3000, 50)
    x = torch.stack([turn.cos(), turn.sin()], -1).cumsum(0)
    found, error = co.rotational_diffusion(x, 1.0, 1, 2.0, 12.0)
    assert found == pytest.approx(0.005, abs=4 * error)
    assert co.speed(x, 1.0, 1)[0] == pytest.approx(1.0)


def grid(a: Tensor, motif: Tensor, repeats: int) -> tuple[Tensor, co.Periodic]:
    shifts = torch.cartesian_prod(torch.arange(repeats), torch.arange(repeats)).double()
    return ((shifts.unsqueeze(1) + motif).reshape(-1, 2)) @ a, co.Periodic(repeats * a)


HEXAGONAL = torch.tensor([[1.0, 0.0], [0.5, 0.75**0.5]], dtype=torch.float64)
ONE = torch.zeros(1, 2, dtype=torch.float64)
HONEYCOMB = torch.tensor([[1 / 3, 1 / 3], [2 / 3, 2 / 3]], dtype=torch.float64)
KAGOME = torch.tensor([[0.5, 0.0], [0.0, 0.5], [0.5, 0.5]], dtype=torch.float64)


@pytest.mark.parametrize(
    ("cell", "motif", "rule", "ones", "zeros"),
    [
        (HEXAGONAL, ONE, co.Nearest(6), (6,), (4,)),
        (torch.eye(2, dtype=torch.float64), ONE, co.Nearest(4), (4,), (6,)),
        (3**0.5 * HEXAGONAL, HONEYCOMB, co.Nearest(3), (3, 6), ()),
        (2 * HEXAGONAL, KAGOME, co.Nearest(4), (6,), ()),
    ],
)
def test_perfect_lattices(cell: Tensor, motif: Tensor, rule: co.Neighbours, ones: tuple[int, ...], zeros: tuple[int, ...]) -> None:
    x, box = grid(cell, motif, 6)
    for rule_ in (rule, co.Cutoff(1.2)):
        for order in ones:
            assert float((co.bond_order(x, order, box, rule_).abs() - 1).abs().max()) < 1e-10
        for order in zeros:
            assert float(co.bond_order(x, order, box, rule_).abs().max()) < 1e-10


def test_ties_are_shared_so_that_symmetric_lattices_have_symmetric_answers() -> None:
    x, box = grid(torch.eye(2, dtype=torch.float64), ONE, 8)
    for moved in (x, x + torch.tensor([0.123, 0.456]), x.flip(0)):
        psi = co.bond_order(moved, 6, box, co.Nearest(6))
        assert float(psi.abs().max()) < 1e-10
        assert float((co.bond_order(moved, 4, box, co.Nearest(6)) - 1 / 3).abs().max()) < 1e-10
    assert float((co.bond_order(x, 4, box, co.Voronoi()).abs() - 1).abs().max()) < 1e-10
    with pytest.raises(ArgumentError, match="'r'"):
        co.bond_order(x, 4, box, co.Cutoff(1.0))
    with pytest.raises(ArgumentError, match="'box'"):
        co.bond_order(*(lambda y, b: (y, 4, b, co.Cutoff(1.2)))(*grid(torch.eye(2, dtype=torch.float64), ONE, 2)))


def test_ties_of_single_precision_are_shared_too() -> None:
    turn = torch.tensor([[0.8, 0.6], [-0.6, 0.8]], dtype=torch.float64)
    x, box = grid(torch.eye(2, dtype=torch.float64) @ turn, ONE, 8)
    psi = co.bond_order((x + 0.123).float(), 6, box, co.Nearest(6))
    assert float(psi.abs().max()) < 1e-4
    with pytest.raises(ArgumentError, match="'r'"):
        co.Cutoff(1.0).bonds((x + 0.123).float(), box)


@pytest.mark.parametrize("skew", [0, 5, -13])
def test_voronoi_neighbours_do_not_depend_on_how_the_cell_is_written(skew: int) -> None:
    for cell, number in ((torch.eye(2, dtype=torch.float64), 4.0), (HEXAGONAL, 6.0)):
        for repeats in (1, 2, 3):
            x, _ = grid(cell, ONE, repeats)
            rows = repeats * torch.stack([cell[0], cell[1] + skew * cell[0]])
            bonds = co.Voronoi().bonds(x, co.Periodic(rows))
            assert bonds.counts.tolist() == [number] * len(x)
            torch.testing.assert_close(bonds.vectors.norm(dim=1), torch.ones(len(bonds.i), dtype=torch.float64))
    x = 9 * torch.rand(7, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    plain = co.Voronoi(weighted=True).bonds(x, co.Periodic([[3.0, 0.0], [1.0, 8.0]]))
    skewed = co.Voronoi(weighted=True).bonds(x, co.Periodic([[3.0, 0.0], [1.0 + 3 * skew, 8.0]]))
    torch.testing.assert_close(skewed.counts, plain.counts)
    torch.testing.assert_close(co.bond_order(x, 6, co.Open(), skewed), co.bond_order(x, 6, co.Open(), plain), rtol=1e-9, atol=1e-9)


def test_what_has_no_lag_or_pair_is_refused() -> None:
    x = walk(5, 2, 2)
    for call, name in (
        (lambda: co.mean_square_displacement(x[:1]), "positions"),
        (lambda: co.mean_square_displacement(x[:, :0]), "positions"),
        (lambda: co.direct_mean_square_displacement(x, 7), "most"),
        (lambda: co.autocorrelation(x, 5), "most"),
        (lambda: co.autocorrelation(x, -1), "most"),
        (lambda: co.speed(x, 1.0, 5), "stride"),
        (lambda: co.headings(x, 0), "stride"),
        (lambda: co.speed(x * torch.nan, 1.0, 1), "positions"),
        (lambda: co.pair_distribution(x[0, :1], co.Periodic(9.0), 2.0), "positions"),
    ):
        with pytest.raises(ArgumentError, match=f"'{name}'"):
            call()
    assert bool(co.mean_square_displacement(x[:2]).exponent().isnan().all())
    one = co.mean_square_displacement(x[:, :1])
    assert bool(one.error.isnan().all())
    torch.testing.assert_close(one.msd, co.direct_mean_square_displacement(x[:, :1]))
    whole = walk(5, 2, 2).round()
    torch.testing.assert_close(co.mean_square_displacement(whole.long()).msd, co.mean_square_displacement(whole).msd)


def test_order_equals_freuds_on_the_same_neighbours() -> None:
    freud = pytest.importorskip("freud")
    box = co.Periodic(16.0)
    # freud wraps differences in single precision, which costs 1e-5 elsewhere; in a box of a power of two multiples of 1/64 stay exact.
    x = torch.randint(1024, (300, 2), generator=torch.Generator().manual_seed(3)).unique(dim=0).double() / 64
    near = [co.Nearest(k) for k in (4, 6)]
    for order in (3, 4, 6):
        for rule in near:
            bonds = rule.bonds(x, box)
            vectors = np.pad(bonds.vectors.numpy(), ((0, 0), (0, 1)))
            arrays = (bonds.i.numpy(), bonds.j.numpy(), vectors.astype(np.float32), bonds.weights.numpy().astype(np.float32))
            neighbours = freud.locality.NeighborList.from_arrays(len(x), len(x), *arrays)
            same = freud.order.Hexatic(k=order, weighted=True).compute(
                (co.freud_box(box), co.freud_points(x, box)), neighbors=neighbours
            )
            ours = co.bond_order(x, order, box, bonds).numpy()
            np.testing.assert_allclose(same.particle_order, ours, atol=1e-6)
    voronoi = freud.locality.Voronoi()
    voronoi.compute((co.freud_box(box), co.freud_points(x, box)))
    bonds = co.Voronoi().bonds(x, box)
    assert sorted(zip(bonds.i.tolist(), bonds.j.tolist())) == sorted(map(tuple, np.asarray(voronoi.nlist[:]).tolist()))


def test_distributions_and_clusters() -> None:
    freud = pytest.importorskip("freud")
    box = co.Periodic(20.0)
    x = (20 * torch.rand(500, 2, generator=torch.Generator().manual_seed(1))).double()
    r, g = co.pair_distribution(x, box, 5.0, 50)
    theirs = freud.density.RDF(bins=50, r_max=5.0)
    theirs.compute((co.freud_box(box), co.freud_points(x, box)))
    np.testing.assert_allclose(g.numpy(), theirs.rdf * 500 / 499, atol=0.02)  # freud counts pairs of a particle with itself
    lattice, cell = grid(HEXAGONAL, ONE, 8)
    r, g = co.pair_distribution(lattice, cell, 2.0, 200)
    assert float(r[g > 0][0]) == pytest.approx(1.0, abs=0.01)
    k, s = co.structure_factor(lattice, cell, 8)
    bragg = s > 1e-6
    assert float(s[bragg].min()) == pytest.approx(64.0)
    assert float(k[bragg].norm(dim=1).min()) == pytest.approx(4 * np.pi / 3**0.5)
    two = torch.tensor([[0.0, 0.0], [1.0, 0.0], [5.0, 5.0], [5.0, 6.0], [6.0, 5.0]], dtype=torch.float64)
    assert co.clusters(co.Cutoff(1.2).bonds(two, co.Open())).tolist() == [1, 1, 0, 0, 0]
