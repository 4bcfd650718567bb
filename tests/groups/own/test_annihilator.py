"""Annihilators of characters: against all points of a grid of the torus, and as groups."""

import itertools
import math
import random
from fractions import Fraction

import pytest
import torch

import erlangen as er
from erlangen.actions import AngleShifts
from erlangen.errors import ArgumentError, UnsupportedError
from erlangen.groups import Annihilator, FiniteAbelian
from erlangen.linalg import hermite_normal_form, in_lattice
from erlangen.testing import check_action, check_group


def on_grid(characters, n, N):
    """Points of the torus' grid of N steps that no character moves: brute force."""
    return sorted(
        tuple(Fraction(x, N) for x in point)
        for point in itertools.product(range(N), repeat=n)
        if all(sum(k * x for k, x in zip(c, point)) % N == 0 for c in characters)
    )


def test_all_points_of_a_grid_for_random_characters():
    rng = random.Random(0)
    seen = 0
    for _ in range(200):
        n = rng.choice([1, 2, 2, 3])
        characters = [tuple(rng.randint(-5, 5) for _ in range(n)) for _ in range(rng.randint(n, n + 2))]
        G = Annihilator(characters, n)
        if not G.is_finite or G.exponent > 40:
            continue
        seen += 1
        N = G.exponent * rng.choice([1, 1, 2]) if n < 3 else G.exponent
        found = on_grid(characters, n, N)
        assert found == G.shifts()
        assert G.order == len(found) == math.prod(G.invariant_factors)
        if len(characters) == n:
            assert G.order == abs(round(torch.linalg.det(torch.tensor(characters, dtype=torch.float64)).item()))
        for i in range(n):
            assert G.values(i) == len({point[i] for point in found})
        angles = G.angles(G.elements())
        assert sorted(map(tuple, (angles / (2 * math.pi) * G.exponent).round().long().tolist())) == [
            tuple(int(x * G.exponent) for x in point) for point in found
        ]
        k = tuple(rng.randint(-5, 5) for _ in range(n))
        assert G.breaks(k) == any(sum(a * b for a, b in zip(k, point)).denominator != 1 for point in found)
        assert G.with_characters([k]).order == len([p for p in found if sum(a * b for a, b in zip(k, p)).denominator == 1])
    assert seen > 60


def test_a_grid_that_is_no_multiple_of_the_exponent_counts_too_few():
    G = Annihilator([(2, 2), (2, -2)])
    assert G.exponent == 4
    assert len(on_grid([(2, 2), (2, -2)], 2, 4)) == 8 == G.order
    assert len(on_grid([(2, 2), (2, -2)], 2, 6)) == 4


@pytest.mark.parametrize("characters", [[(2, 2), (2, -2)], [(2, 2)], [(1, 0), (0, 1)], [(0, 1)], [(6, 0, 0), (0, 4, 2), (0, 0, 0)]])
def test_they_are_groups(characters):
    G = Annihilator(characters)
    assert check_group(G)
    g = G.sample(64, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    h = G.sample(64, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for k in characters:  # no harmonic moves, and the angles are a homomorphism
        phase = G.angles(g) @ torch.tensor(k, dtype=torch.float64)
        assert (torch.exp(1j * phase) - 1).abs().max() < 1e-12
    total = torch.exp(1j * (G.angles(g) + G.angles(h) - G.angles(G.multiply(g, h))))
    assert (total - 1).abs().max() < 1e-12


def test_structure_equality_and_circles():
    G = Annihilator([(2, 2)])
    assert (G.order, G.dim, G.values(0), G.invariant_factors) == (math.inf, 1, math.inf, (2,))
    assert (Annihilator([], 2).dim, Annihilator([(0, 1)]).values(1), Annihilator([(0, 3)]).values(1)) == (2, 1, 3)
    assert Annihilator([(2, 2), (2, -2)]) == Annihilator([(4, 0), (2, 2), (0, 4)]) != Annihilator([(2, 0), (0, 4)])
    assert Annihilator([(2, 2), (2, -2)]).factors == (FiniteAbelian(2, 4),)
    assert er.groups.Annihilator([(1, 0), (0, 1)]).shifts() == [(0, 0)]
    assert Annihilator([(0, 2)]).contains_shift((Fraction(1, 7), Fraction(1, 2)))
    assert not G.contains_shift((Fraction(1, 7), 0))
    with pytest.raises(UnsupportedError):
        G.shifts()


@pytest.mark.parametrize("characters", [[(2, 2), (2, -2)], [(2, 2)], [(3, 1)]])
def test_angles_are_moved(characters):
    G = Annihilator(characters)
    assert check_action(AngleShifts(G))
    if G.is_finite:
        x = torch.tensor([0.3, 1.0], dtype=torch.float64)
        orbit = AngleShifts(G).orbit(x)
        assert len(orbit) == G.order == len(AngleShifts(G).orbit((Fraction(1, 7), Fraction(1, 3))))
        for k in characters:
            k = torch.tensor(k, dtype=torch.float64)
            assert all(torch.allclose(torch.exp(1j * (y @ k)), torch.exp(1j * (x @ k)), atol=1e-12) for y in orbit)


def test_hermite_form_names_the_lattice():
    rng = random.Random(1)
    for _ in range(100):
        rows = [[rng.randint(-6, 6) for _ in range(3)] for _ in range(3)]
        mixed = [[x + 2 * y for x, y in zip(rows[0], rows[1])], rows[1], [-x for x in rows[2]], rows[0]]
        form = hermite_normal_form(rows)
        assert form == hermite_normal_form(mixed) == hermite_normal_form(form or [[0, 0, 0]])
        assert all(in_lattice(form, row) for row in rows)


@pytest.mark.parametrize(
    ("characters", "n", "name"),
    [([(0.5, 1)], None, "characters"), ([(1, 2), (1,)], None, "characters"), ([], None, "n"), ([3], None, "characters"),
     ([(True, 1)], None, "characters"), ([], 0, "n")],
)  # fmt: skip
def test_bad_input(characters, n, name):
    with pytest.raises(ArgumentError, match=name):
        Annihilator(characters, n)
    with pytest.raises(ArgumentError, match="character"):
        Annihilator([(2, 2)]).breaks((1, 2, 3))
    with pytest.raises(ArgumentError, match="i"):
        Annihilator([(2, 2)]).values(2)


def test_elements_of_large_orders_are_exact():
    """Products of residues and steps above 64 bits: angles against exact fractions, and exact tuples of turns."""
    rng = random.Random(0)
    for scale in (10**4, 10**9, 4 * 10**9, 2**61):
        a = [[scale, 0], [0, 2 * scale]]
        for _ in range(4):  # unimodular changes of rows and columns
            i, k = rng.randint(0, 1), rng.randint(-3, 3)
            for row in a:
                row[i] += k * row[1 - i]
            i, k = rng.randint(0, 1), rng.randint(-3, 3)
            a[i] = [x + k * y for x, y in zip(a[i], a[1 - i])]
        G = Annihilator([tuple(row) for row in a])
        assert G.order == 2 * scale**2
        g = G.sample(20, generator=torch.Generator().manual_seed(1))
        moved = AngleShifts(G)
        for i in range(20):
            one = tuple(part[i] for part in g)
            shift = moved.act(one, (0, 0))
            assert G.contains_shift(shift)
            exact = torch.tensor([2 * math.pi * float(x) for x in shift], dtype=torch.float64)
            off = G.angles(one) - exact
            assert float((off.sin() / 2).abs().max()) < 1e-12
            assert shift == tuple(Fraction(int(s), G.exponent) for s in G.steps(one))


def test_groups_too_large_to_be_listed_say_so():
    G = Annihilator([(100_000, 0), (0, 100_000)])
    assert G.order == 10**10
    with pytest.raises(UnsupportedError, match="10000000000"):
        G.shifts()
    with pytest.raises(UnsupportedError, match="10000000000"):
        G.elements()
    with pytest.raises(ArgumentError, match="'characters'"):
        Annihilator([(2**63, 0), (0, 1)])
