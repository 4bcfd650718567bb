"""Crystals of protostructures: the symmetry that was asked for, atoms apart, relaxed under it."""

from __future__ import annotations

import math

import pytest
import torch

from erlangen.errors import ArgumentError
from erlangen.fields.crystals import Crystal, Protostructure, spglib_symmetry, wyckoff_table
from erlangen.fields.crystals.drawing import draw
from erlangen.fields.crystals.radii import covalent_radii
from erlangen.fields.crystals.wyckoffdiff import realise, relax
from erlangen.fields.crystals.wyckoffdiff.realise import closest, random_lattice
from erlangen.groups import SpaceGroup

SALT = Protostructure.from_wyckoffs(225, [("a", "Na"), ("b", "Cl")])


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def some(group: int, g: torch.Generator) -> Protostructure:
    """The general position, so that nothing hides the group, and a special one."""
    dofs = wyckoff_table(group).dofs
    sites = [(len(dofs) - 1, 8, 1)]
    place = int(torch.randint(len(dofs), (), generator=g))
    if place != len(dofs) - 1:
        sites.append((place, 26, 1))
    return Protostructure(group, tuple(sites))


def test_the_group_that_was_asked_for() -> None:
    """Every tenth group and the chiral pairs: spglib finds the group or one with more operations, never one with fewer."""
    g = generator()
    for group in [*range(1, 195, 8), 144, 145, 178, 179, 212, 213]:
        made = realise(some(group, g), 1, generator=g)
        found = spglib_symmetry(made.crystal, 1e-3)
        order = SpaceGroup(group).point_group.order / made.protostructure.n_atoms()
        ratio = found.protostructure.group.point_group.order / found.protostructure.n_atoms() / order
        assert ratio == pytest.approx(round(ratio)), group
        assert ratio >= 1, group
        assert made.closest >= 0.7 - 1e-9
        if ratio == 1 and found.number != group:
            raise AssertionError(f"{found.number} for {group}")


@pytest.mark.parametrize("system", ["triclinic", "monoclinic", "orthorhombic", "tetragonal", "trigonal", "hexagonal", "cubic"])
def test_lattices(system: str) -> None:
    for seed in range(5):
        cell = random_lattice(system, 123.0, generator(seed))
        assert float(torch.linalg.det(cell)) == pytest.approx(123.0)


def test_atoms_are_apart() -> None:
    made = realise(SALT, 1, volumes={11: 1.0, 17: 1.0})
    assert made.closest == pytest.approx(0.7)
    assert closest(made.crystal) == pytest.approx(0.7)
    roomy = realise(SALT, 1, volumes={11: 100.0, 17: 100.0})
    assert roomy.crystal.volume == pytest.approx(200.0)
    assert roomy.closest == 1.0


@pytest.mark.parametrize("seed", range(12))
def test_the_closest_pair_is_that_of_ase(seed: int) -> None:
    """In cells of any shape and either hand, one atom and many, also where atoms coincide or only images touch."""
    neighbours = pytest.importorskip("ase.neighborlist")
    data = pytest.importorskip("ase.data")
    g = generator(seed)
    n = (1, 2, 5, 40)[seed % 4]
    cell = torch.randn(3, 3, generator=g, dtype=torch.float64)
    while float(torch.linalg.det(cell).abs()) < 0.2:
        cell = torch.randn(3, 3, generator=g, dtype=torch.float64)
    cell = cell * (3.0, 6.0, 12.0)[seed // 4]
    fractional = torch.rand(n, 3, generator=g, dtype=torch.float64)
    fractional[-1] = fractional[0] if seed == 7 else fractional[-1]
    crystal = Crystal(cell, fractional, torch.randint(1, 95, (n,), generator=g))
    radii = data.covalent_radii[crystal.numbers.numpy()]
    i, j, d = neighbours.neighbor_list("ijd", crystal.to_ase(), radii)
    least = min(1.0, *(d / (radii[i] + radii[j])), 1.0)
    assert closest(crystal) == pytest.approx(least, abs=1e-12)


def test_relaxed_with_a_calculator_of_ase() -> None:
    """Lennard-Jones atoms of argon's size (bound more strongly, that forces tell) find their lattice constant and stay cubic."""
    lj = pytest.importorskip("ase.calculators.lj")
    argon = Protostructure.from_wyckoffs(225, [("a", "Ar")])
    calculator = lj.LennardJones(sigma=3.4, epsilon=0.3, rc=10.0, smooth=True)
    made = realise(argon, 1, calculator, volumes={18: 42.0}, steps=200)
    assert made.energy is not None
    assert made.symmetry == "kept"
    assert (4 * made.crystal.volume) ** (1 / 3) == pytest.approx(5.25, abs=0.03)
    assert made.failed == 0


@pytest.mark.slow
def test_chgnet_finds_rock_salt() -> None:
    pytest.importorskip("chgnet")
    made = realise(SALT, 1, "chgnet", steps=60, generator=generator())
    assert (4 * made.crystal.volume) ** (1 / 3) == pytest.approx(5.64, abs=0.15)
    assert made.found == {0.1: 225, 0.01: 225}


def test_crystals_that_are_not_periodic_are_refused() -> None:
    atoms = realise(SALT, 1).crystal.to_ase()
    atoms.pbc = False
    with pytest.raises(ArgumentError, match="pbc|periodic"):
        relax(atoms, "chgnet")


@pytest.mark.parametrize(
    ("make", "argument"),
    [
        (lambda: realise("NaCl"), "protostructure"),  # type: ignore[arg-type]
        (lambda: realise(SALT, 0), "n_tries"),
        (lambda: realise(SALT, 1, "other"), "calculator"),
        (lambda: realise(SALT, 1, apart=math.inf), "apart"),
        (lambda: realise(SALT, 1, volumes={11: 1.0}), "volumes"),
        (lambda: relax(realise(SALT, 1).crystal, None), "calculator"),
        (lambda: random_lattice("round", 1.0), "system"),
    ],
)
def test_refused(make, argument: str) -> None:
    with pytest.raises(ArgumentError) as error:
        make()
    assert error.value.argument == argument


def test_elements_without_a_radius_are_refused_by_name() -> None:
    """ASE has a number for those beyond curium, which means none; distances over it would say nothing."""
    for element in ("Cm", "Bk", "Es"):
        one = Protostructure.from_wyckoffs(225, [("a", element), ("b", "Cl")])
        crystal = one.place(5.6 * torch.eye(3, dtype=torch.float64), torch.zeros(0, dtype=torch.float64))
        assert draw(crystal).title.startswith(crystal.formula)
        if element == "Cm":
            assert realise(one, 1, generator=generator()).closest == closest(realise(one, 1, generator=generator()).crystal)
            continue
        assert bool(covalent_radii()[crystal.numbers].isnan().any())
        for volumes in (None, {97: 30.0, 99: 30.0, 17: 25.0}):
            with pytest.raises(ArgumentError, match=rf"covalent radius, up to Cm.*{element}"):
                realise(one, 1, volumes=volumes)
        with pytest.raises(ArgumentError, match=rf"covalent radius, up to Cm.*{element}"):
            closest(crystal)
