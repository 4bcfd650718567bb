"""Lattices, plane groups, phonons, designs, what crystallises, the picture."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from erlangen.errors import ArgumentError
from erlangen.fields import colloids as co
from erlangen.fields.colloids.lattices import GENERIC, LATTICES
from erlangen.groups import PlaneGroup


@pytest.mark.parametrize("number", range(1, 18))
def test_patterns_of_every_plane_group_are_recognised(number: int) -> None:
    """Three general orbits have no more symmetry than their group, in any cell, turned, and a little disturbed."""
    group = PlaneGroup(number)
    made = co.orbit_lattice(group, group.wyckoff_positions[-1].letter, GENERIC)
    assert co.plane_group(made) == group
    turn = torch.tensor([[math.cos(0.4), math.sin(0.4)], [-math.sin(0.4), math.cos(0.4)]], dtype=torch.float64)
    other = torch.tensor([[1.0, 1.0], [-1.0, 0.0]], dtype=torch.float64)
    points = (made.motif + torch.tensor([0.3, 0.8])) @ made.cell @ turn
    cell = other @ made.cell @ turn
    noise = 1e-3 * torch.randn(points.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    doubled = torch.cat([points, points + cell[0]]) + torch.cat([noise, noise])
    cell = torch.stack([2 * cell[0], cell[1]])
    moved = co.Lattice("moved", cell, doubled @ torch.linalg.inv(cell))
    assert co.plane_group(moved, 5e-3) == group


@pytest.mark.parametrize("number", range(1, 18))
def test_groups_do_not_depend_on_how_a_pattern_is_written(number: int) -> None:
    """Skewed cells, supercells, left-handed bases, turned, moved, with noise."""
    group = PlaneGroup(number)
    base = co.orbit_lattice(group, group.wyckoff_positions[-1].letter, GENERIC)
    nearest = base.shells(1)[0]
    turn = torch.tensor([[0.8, 0.6], [-0.6, 0.8]], dtype=torch.float64)
    gen = torch.Generator().manual_seed(number)
    shifts = torch.cartesian_prod(torch.arange(-8, 9), torch.arange(-8, 9)).double()
    for rows in ([[1, 0], [-7, 1]], [[2, 0], [0, 1]], [[7, 3], [5, 2]]):
        basis = torch.tensor(rows, dtype=torch.float64)
        part = (shifts.unsqueeze(1) + base.motif).reshape(-1, 2) @ torch.linalg.inv(basis) + torch.tensor([0.3137, 0.7711])
        part = part[((part >= 0) & (part < 1)).all(1)]
        assert len(part) == round(abs(float(torch.linalg.det(basis)))) * len(base.motif)
        cell = basis @ base.cell @ turn
        assert co.plane_group(co.Lattice("written anew", cell, part)) == group
    noise = 0.01 * nearest * (2 * torch.rand(part.shape, generator=gen, dtype=torch.float64) - 1)
    noisy = co.Lattice("noisy", cell, part + noise @ torch.linalg.inv(cell))
    assert co.plane_group(noisy, 0.04 * nearest) == group


def test_lattices_that_are_none_are_refused() -> None:
    for cell, motif, name in (
        ([[1.0, 0.0], [2.0, 0.0]], [[0.0, 0.0]], "cell"),
        ([[1.0, math.nan], [0.0, 1.0]], [[0.0, 0.0]], "cell"),
        ([[1.0, 0.0], [0.0, 1.0]], torch.zeros(0, 2), "motif"),
        ([[1.0, 0.0], [0.0, 1.0]], [[0.0, 0.0], [1.0, 0.0]], "motif"),
    ):
        with pytest.raises(ArgumentError, match=f"'{name}'"):
            co.Lattice("none", cell, motif)  # type: ignore[arg-type]


def test_lattices_are_known_by_their_points_not_their_names() -> None:
    square = co.design(co.Lattice("mine", [[0.0, 2.0], [2.0, 0.0]], [[0.5, 0.25]]))  # type: ignore[arg-type]
    assert (square.lattice.name, square.verified, square.route) == ("square", True, "rings")
    misnamed = co.design(co.Lattice("hexagonal", torch.eye(2) * 3, torch.zeros(1, 2)))
    assert misnamed.lattice.name == "square"
    assert "hexagonal" in [name for name, _ in misnamed.energies]
    with pytest.raises(ArgumentError, match="width"):
        co.design("p4m", width=2.0)


def test_named_lattices_have_their_shells_and_groups() -> None:
    shells = {"hexagonal": [1, 3**0.5, 2], "square": [1, 2**0.5, 2], "honeycomb": [1, 3**0.5, 2], "kagome": [1, 3**0.5, 2]}
    for name, wanted in shells.items():
        np.testing.assert_allclose(co.named_lattice(name, 1.4).shells(3), 1.4 * np.array(wanted), rtol=1e-12)
    for name, (group, _) in LATTICES.items():
        assert co.plane_group(co.named_lattice(name)) == PlaneGroup(group)
    with pytest.raises(ArgumentError, match="lattice"):
        co.named_lattice("cubic")


def test_phonons_of_springs_are_those_of_the_textbook() -> None:
    """A hexagonal lattice of nearest springs: D(k) = 2 k sum_e e e^T (1 - cos k.e) over three directions."""
    program = co.Program(cross=co.Ring(1.0, 4.0, 0.08))
    lattice = co.named_lattice("hexagonal")
    found = co.phonons(program, lattice, 6)
    spring = 4.0 / 0.08**2
    bonds = torch.tensor([[1.0, 0.0], [0.5, 0.75**0.5], [-0.5, 0.75**0.5]], dtype=torch.float64)
    waves = 2 * math.pi * found.k @ torch.linalg.inv(lattice.cell).T
    matrix = 2 * spring * torch.einsum("ea,eb,ke->kab", bonds, bonds, 1 - (waves @ bonds.T).cos())
    torch.testing.assert_close(found.squared, torch.linalg.eigvalsh(matrix), rtol=1e-9, atol=1e-8)
    assert found.stable
    floppy = co.phonons(program, co.named_lattice("kagome"))
    assert floppy.floppy
    assert not floppy.stable
    assert not co.phonons(program, co.named_lattice("square")).stable
    with pytest.raises(ArgumentError, match="at rest"):
        co.phonons(
            program, co.Lattice("uneven", torch.eye(2, dtype=torch.float64) * 1.7, torch.tensor([[0.0, 0.0], [0.5, 0.35]]).double())
        )


def test_energies_of_lattices() -> None:
    one = co.Program(cross=co.rings([1.0, 2**0.5], [4.0, 3.0], 0.08), core=co.WCA(0.8))
    assert co.lattice_energy(one, co.named_lattice("square")) == pytest.approx(-2 * 4.0 - 2 * 3.0, abs=1e-4)
    assert co.lattice_energy(one, co.named_lattice("hexagonal")) == pytest.approx(-12.0, abs=0.01)
    spring = co.Program(many=(co.BondAngle("honeycomb", 2.0, co.Shell(1.2, 1.5)), co.Coordination(3, 1.0, co.Shell(1.2, 1.5))))
    assert co.lattice_energy(spring, co.named_lattice("honeycomb")) == pytest.approx(0.0, abs=1e-9)
    assert co.lattice_energy(spring, co.named_lattice("hexagonal")) == pytest.approx(2.0 * (6 * 1 + 3 * 0.25) + 9.0, abs=1e-9)


def test_designs_of_the_specification() -> None:
    square, hexagonal = co.design("p4m"), co.design("p6m")
    assert square.verified
    assert [name for name, _ in square.energies][:2] == ["square", "hexagonal"]
    assert isinstance(square.program.cross, co.Sum)
    np.testing.assert_allclose([part.R for part in square.program.cross.parts], [1.0, 2**0.5])  # type: ignore[attr-defined]
    assert square.lowest_phonon > 0.01
    assert isinstance(hexagonal.program.cross, co.Sum)
    assert len(hexagonal.program.cross.parts) == 1
    refused = co.design("honeycomb", isotropic_only=True)
    assert not refused.verified
    assert refused.margin < 0
    assert "hexagonal has all its first 4 shells" in refused.failures[-1]
    assert "NOT verified" in refused.report()
    angles = co.design("honeycomb")
    assert (angles.verified, angles.route, angles.energies[0][0]) == (True, "rings and angles", "honeycomb")
    for name, value in (("target", "p7"), ("a", -1.0)):
        with pytest.raises(ArgumentError, match=name):
            co.design(**{"target": "p4m", name: value})  # type: ignore[arg-type]


def test_templates_hold_what_pairs_do_not() -> None:
    found = co.design("p4", route="template")
    assert (found.verified, found.route, str(found.group)) == (True, "template", "p4")
    run = co.simulate(found, 40, 1500, start="crystal", temperature=(0.1, 0.1), dt=1e-4)
    moved = run.trajectory.positions[:, 0] - run.trajectory.positions[0, 0]
    assert float((moved - moved.mean(1, keepdim=True))[-1].norm(dim=1).max()) < 0.2
    with pytest.raises(ArgumentError, match="start"):
        co.simulate(found, 40, 10, start="lattice")


def test_templates_are_at_rest_and_turn_with_the_plane() -> None:
    lattice = co.named_lattice("honeycomb")
    stars = torch.stack([one[:3] for one in lattice.vectors(1.1)])
    program = co.Program(many=(co.Template(stars, 5.0, 1.6),))
    points, cell, _ = lattice.repeated(4.0)
    box = co.Periodic(cell)
    x = points.T.contiguous().requires_grad_()
    energy = co.program_energy(program, x, box)
    (gradient,) = torch.autograd.grad(energy, x)
    assert abs(float(energy)) < 1e-10
    assert float(gradient.abs().max()) < 1e-6
    noise = 0.05 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    turn = torch.tensor([[math.cos(1.0), -math.sin(1.0)], [math.sin(1.0), math.cos(1.0)]], dtype=torch.float64)
    plain = co.program_energy(program, x.detach() + noise, box)
    turned = co.program_energy(program, turn @ (x.detach() + noise), co.Periodic(cell @ turn.T))
    assert float(plain) > 0.1
    assert float(turned) == pytest.approx(float(plain), rel=1e-10)


@pytest.mark.parametrize("name", ["hexagonal", "square", "honeycomb", "kagome"])
def test_grains_are_recognised_with_noise_and_edges(name: str) -> None:
    points, _, _ = co.named_lattice(name).repeated(4.0)
    gen = torch.Generator().manual_seed(2)
    turn = torch.tensor([[math.cos(0.3), -math.sin(0.3)], [math.sin(0.3), math.cos(0.3)]], dtype=torch.float64)
    x = points @ turn.T + 0.04 * torch.randn(points.shape, generator=gen, dtype=torch.float64)
    x = x[(x - x.mean(0)).norm(dim=1) < 3.7]
    found = co.crystallite(x, co.Open(), 1.0)
    assert (found.name, found.group) == (name, PlaneGroup(LATTICES[name][0]))
    assert found.misfit < 0.08
    assert found.lattice.shells(1)[0] == pytest.approx(1.0, abs=0.03)
    gas = 9 * torch.rand(60, 2, generator=gen, dtype=torch.float64)
    with pytest.raises(ArgumentError, match="grain"):
        co.crystallite(gas, co.Open(), 1.0)


def test_a_ring_makes_a_crystal_and_its_picture() -> None:
    run = co.simulate(co.design("p6m", width=0.1), n=49, steps=8000, batch=2, seed=1)
    assert run.order(6) > 0.85
    gas = co.simulate(co.Program(core=co.WCA(0.8)), n=49, steps=500)
    assert gas.order(6) < 0.8
    assert math.isclose(sum(run.structures().values()), 1.0)
    assert sum(len(trace.x) for trace in run.figure(6, frames=1).plotly_figure.data) == 49
    figure = run.figure(6, frames=5)
    drawn = [sum(len(trace.x) for trace in frame.data) for frame in figure.plotly_figure.frames]
    assert drawn == [49] * 5


@pytest.mark.slow
def test_designs_for_all_plane_groups() -> None:
    found = {str(PlaneGroup(number)): co.design(number) for number in range(1, 18)}
    assert [str(one.group) for one in found.values()] == list(found)
    # The rows of its pattern slide along each other for nothing; that is said and not called a success.
    assert [name for name, one in found.items() if not one.verified] == ["pm"]
    assert "phonons of zero frequency" in found["pm"].failures[-1]
    assert all(one.margin > 0 and one.lowest_phonon > 1e-6 for one in found.values() if one.verified)


@pytest.mark.slow
def test_crystals_of_the_specification() -> None:
    for program, a, side, order, least in (
        (co.Program(cross=co.Ring(1.0, 4.0, 0.1), core=co.WCA(0.8)), 1.0, 10.5, 6, 0.85),
        (co.Program(cross=co.Ring(1.4, 4.0, 0.1), core=co.WCA(1.12)), 1.4, 14.5, 6, 0.75),
    ):
        run = co.simulate(program, 81, 30_000, a=a, box=side, batch=4)
        assert sum(v >= least for v in run.orders(order)) >= 3
        box = run.trajectory.box
        assert isinstance(box, co.Periodic)
        r, g = co.pair_distribution(run.final, box, 1.25 * a, 125)
        assert float(r[g.argmax()]) == pytest.approx(a, rel=0.03)
