"""Orbits and stabilizers of exact Python data, against counts that are known by other means."""

import itertools
import math
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from erlangen.actions import Action
from erlangen.groups import Alternating, Cyclic, Dihedral, FiniteAbelian, Symmetric, generated
from erlangen.testing import check_action


class Beads(Action):
    """Tuples, one entry for each point that the group permutes."""

    def act(self, g, x):
        moved = [None] * len(x)
        for i, place in enumerate(g.tolist()):
            moved[place] = x[i]
        return tuple(moved)


class Edges(Action):
    """Graphs, as frozen sets of edges between the points that the group permutes."""

    def act(self, g, x):
        return frozenset(frozenset(int(g[i]) for i in edge) for edge in x)

    def key(self, x):
        return tuple(sorted(tuple(sorted(edge)) for edge in x))


class Shift(Action):
    """An abelian group on itself as Python integers: a torsor."""

    def act(self, g, x):
        return (x + int(g[0])) % self.group.moduli[0]


def orbits(action, data):
    """How many orbits the data fall into: one for each canonical representative."""
    return len({action.key(action.representative(x)[0]) for x in data})


def fixed(action, data):
    """By Burnside's lemma: the mean number of data that an element leaves alone."""
    every = action.group.elements()
    counts = [sum(action.key(action.act(g, x)) == action.key(x) for x in data) for g in every]
    return Fraction(sum(counts), len(counts))


def totient(n):
    return sum(math.gcd(k, n) == 1 for k in range(1, n + 1))


@pytest.mark.parametrize(("n", "colours"), [(3, 2), (4, 3), (5, 2), (6, 2)])
def test_necklaces_and_bracelets(n, colours):
    data = list(itertools.product(range(colours), repeat=n))
    necklaces = sum(totient(d) * colours ** (n // d) for d in range(1, n + 1) if n % d == 0) // n
    mirrored = n * colours ** ((n + 1) // 2) if n % 2 else n // 2 * (colours ** (n // 2) + colours ** (n // 2 + 1))
    bracelets = (n * necklaces + mirrored) // (2 * n)
    assert orbits(Beads(Cyclic(n)), data) == fixed(Beads(Cyclic(n)), data) == necklaces
    assert orbits(Beads(Dihedral(n)), data) == fixed(Beads(Dihedral(n)), data) == bracelets


@pytest.mark.parametrize(("n", "graphs"), [(1, 1), (2, 2), (3, 4), (4, 11)])
def test_graphs_up_to_isomorphism(n, graphs):
    # OEIS A000088.
    pairs = [frozenset(p) for p in itertools.combinations(range(n), 2)]
    data = [frozenset(c) for k in range(len(pairs) + 1) for c in itertools.combinations(pairs, k)]
    assert orbits(Edges(Symmetric(n)), data) == fixed(Edges(Symmetric(n)), data) == graphs


def test_colourings_of_the_faces_of_a_cube():
    # Rotations of a cube permute its faces 0..5 (opposite: 0 5, 1 4, 2 3); with two colours 10 cubes, with three 57.
    from erlangen.groups import PermutationGroup

    cube = PermutationGroup(["(1 2 4 3)", "(0 1 5 4)"], degree=6)
    assert cube.order == 24
    for colours, count in ((2, 10), (3, 57)):
        data = list(itertools.product(range(colours), repeat=6))
        assert fixed(Beads(cube), data) == count
    assert orbits(Beads(cube), itertools.product(range(2), repeat=6)) == 10


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from([Symmetric(5), Alternating(5), Dihedral(5), Cyclic(5)]),
    st.lists(st.sampled_from([Fraction(1, 2), Fraction(2, 3), Fraction(-1, 7)]), min_size=5, max_size=5),
)
def test_orbit_times_stabilizer_is_the_order(group, x):
    beads, x = Beads(group), tuple(x)
    orbit, stabilizer = beads.orbit(x), beads.stabilizer(x)
    assert len(orbit) * len(stabilizer) == group.order
    assert generated(group, stabilizer).order == len(stabilizer)
    smallest, g = beads.representative(x)
    assert beads.act(g, x) == smallest
    assert all(beads.representative(y)[0] == smallest for y in orbit[:10])
    assert beads.reynolds(x)[0] == sum(Fraction(y[0]) for y in orbit) / len(orbit)


def test_a_torsor_of_integers():
    shift = Shift(FiniteAbelian(12))
    check_action(shift, [0, 5, 11])
    assert sorted(shift.orbit(5)) == list(range(12))
    assert torch.equal(shift.stabilizer(5), torch.zeros(1, 1, dtype=torch.int64))
