"""Homometric sets of points: rings, weights, and bixbyite, the first homometric crystal."""

import numpy as np
import pytest
import torch

from erlangen.errors import ArgumentError
from erlangen.fields import microstructures as micro
from erlangen.fields.microstructures.points import Points, lattice_symmetries
from erlangen.groups import SpaceGroup

IA3 = SpaceGroup(206)


def bixbyite(x, anion=(0.3905, 0.1529, 0.3818), edge=10.117):
    """A2B3 in the conventional cell of Ia-3: A on 8a and on 24d (x, 0, 1/4), B on 48e; the first 32 atoms are A."""
    positions = {p.letter: p for p in IA3.wyckoff_positions}
    orbits = [
        positions[letter].coordinates(torch.tensor(free, dtype=torch.float64))
        for letter, free in (("a", ()), ("d", (x,)), ("e", anion))
    ]
    return Points(edge * np.eye(3), torch.cat(orbits).numpy(), np.array([49] * 32 + [8] * 48))


@pytest.mark.parametrize("x", [-0.03, 0.0325, 0.21, 0.4])
def test_bixbyite_has_the_mate_of_1930(x):
    crystal = bixbyite(x)
    assert len(crystal.numbers) == 80
    h = np.array(np.meshgrid(*[range(-6, 7)] * 3)).reshape(3, -1).T
    mirrored = bixbyite(-x)
    here, there = (np.abs(micro.structure_factors(c.fractional[:32], h)) for c in (crystal, mirrored))
    assert np.abs(here - there).max() < 1e-10
    assert micro.homometric(crystal.fractional[:32], mirrored.fractional[:32])
    cations = [c._replace(fractional=c.fractional[:32], numbers=c.numbers[:32]) for c in (crystal, mirrored)]
    assert not micro.congruent(*cations)
    verdict = micro.homometric_mate(crystal, IA3)
    assert verdict
    assert verdict["intensities"] < 1e-10
    made = verdict.witness.crystal
    assert np.array_equal(made.fractional[32:], crystal.fractional[32:])
    assert len(verdict.witness.atoms) == 24
    assert verdict.witness.letter == "d"
    moved = cations[0]._replace(fractional=made.fractional[:32])
    assert micro.congruent(moved, cations[1])
    triple = [(np.exp(2j * np.pi * (h[:200] @ c.fractional[:32].T)).sum(1)) for c in cations]
    assert np.allclose(np.abs(triple[0]), np.abs(triple[1]))
    assert _third_moments_differ(cations[0].fractional, cations[1].fractional)


def _third_moments_differ(x, y):
    """``F(h) F(k) F(-h-k)``, up to conjugation, tells the two apart for some pair of reflections in every setting of the lattice."""
    h = np.array(np.meshgrid(*[range(-2, 3)] * 3)).reshape(3, -1).T

    def bispectrum(points):
        F = lambda q: micro.structure_factors(points, q)  # noqa: E731
        return F(h)[:, None] * F(h)[None] * F((-(h[:, None] + h[None])).reshape(-1, 3)).reshape(len(h), len(h))

    mine, other = bispectrum(x), bispectrum(y)
    return min(np.abs(mine - other).max(), np.abs(mine - other.conj()).max()) > 1e-3


def test_at_the_fluorite_value_there_is_no_mate():
    """At x = 0 the cations make a face-centred lattice: x and -x are one."""
    crystal = bixbyite(0.0, (0.375, 0.125, 0.375))
    assert not micro.homometric_mate(crystal, IA3, range(32))
    assert micro.congruent(bixbyite(0.0), bixbyite(0.0))


def test_crystals_of_other_kinds_come_back_as_they_are():
    from ase import Atoms
    from pymatgen.analysis.structure_matcher import StructureMatcher
    from pymatgen.core import Structure

    from erlangen.fields.crystals import Crystal

    plain = bixbyite(0.0325)
    symbols = ["In"] * 32 + ["O"] * 48
    kinds = [
        Crystal(torch.from_numpy(plain.cell), torch.from_numpy(plain.fractional), symbols),
        Atoms(symbols, cell=plain.cell, scaled_positions=plain.fractional, pbc=True),
        Structure(plain.cell, symbols, plain.fractional),
    ]
    for crystal in kinds:
        made = micro.homometric_mate(crystal, IA3).witness.crystal
        assert type(made) is type(crystal)
        assert len(made) == 80
    only = [Structure(plain.cell, symbols[:32], c.frac_coords[:32]) for c in (kinds[2], made)]
    assert StructureMatcher(primitive_cell=False).fit(only[0], only[0])
    assert not StructureMatcher(primitive_cell=False, stol=0.05).fit(*only)
    with pytest.raises(ArgumentError, match="'crystal'"):
        micro.homometric_mate([1, 2], IA3)
    with pytest.raises(ArgumentError, match="'sublattice'"):
        micro.homometric_mate(plain, IA3, [99])


def test_sites_that_several_elements_share_are_refused():
    structures = pytest.importorskip("pymatgen.core")
    shared = structures.Structure(structures.Lattice.cubic(4), [{"Na": 0.5, "K": 0.5}, "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    atoms = pytest.importorskip("ase").Atoms("NaCl", scaled_positions=[[0, 0, 0], [0.5] * 3], cell=[4, 4, 4], pbc=True)
    atoms.info["occupancy"] = {"0": {"Na": 0.5, "K": 0.5}, "1": {"Cl": 1.0}}
    for crystal in (shared, atoms):
        with pytest.raises(ArgumentError, match="all of them filled"):
            micro.homometric_mate(crystal, SpaceGroup(221))
        with pytest.raises(ArgumentError, match="all of them filled"):
            micro.congruent(crystal, crystal)


def test_rings_as_point_sets():
    a, b = ({0, 1, 4, 6}, {0, 1, 3, 7})
    x, y = (np.array([[p / 12] for p in sorted(s)]) for s in (a, b))
    assert micro.homometric(x, y + 0.123)
    assert micro.homometric(x, -y)
    assert not micro.homometric(x, y + np.array([[0], [0], [0], [0.01]]))
    assert micro.homometric(x, y, [2] * 4)
    verdict = micro.homometric(x, y, [1, 1, 1, 2])
    assert not verdict
    assert verdict["intensities"] > 0.1
    two = micro.homometric(np.concatenate([x, x]), x, other_weights=[2] * 4)  # two points in one place weigh as one of weight 2
    assert two


def test_congruence_knows_both_hands_and_every_lattice():
    rng = np.random.default_rng(0)
    cell = np.array([[3.0, 0, 0], [-1.5, 1.5 * np.sqrt(3), 0], [0, 0, 5.0]])
    assert len(lattice_symmetries(cell)) == 24
    skew = np.array([[1, 0, 0], [3, 1, 0], [0, 2, 1]])  # the same lattice in a basis that is not reduced
    assert len(lattice_symmetries(skew @ cell)) == 24
    for basis in (cell, skew @ cell):
        for w in lattice_symmetries(basis)[::5]:
            x = Points(basis, rng.random((6, 3)), np.array([1, 1, 2, 2, 2, 3]))
            order = rng.permutation(6)
            y = Points(basis, (x.fractional @ w.T + rng.random(3))[order], x.numbers[order])
            assert micro.congruent(x, y)
            assert not micro.congruent(x, y._replace(fractional=y.fractional + 0.02 * rng.random((6, 3))))
