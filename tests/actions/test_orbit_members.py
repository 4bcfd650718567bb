"""Two data are the same relative to their scale and type; representatives by one order, whatever the data are made of."""

import enum
import math
from fractions import Fraction

import pytest
import sympy
import torch

from erlangen.actions import Action
from erlangen.actions.members import Members, Parts, first
from erlangen.errors import ArgumentError
from erlangen.groups import Cyclic, Dihedral, MatrixGroup, Symmetric

F64 = torch.float64
TYPES = [F64, torch.float32, torch.bfloat16, torch.float16]


class Relabel(Action):
    """Permutations of tuples."""

    def act(self, g, x):
        out = [None] * len(x)
        for i, j in enumerate(g.tolist()):
            out[j] = x[i]
        return tuple(out)


class Subsets(Action):
    """Permutations of sets of points."""

    def act(self, g, x):
        return type(x)(int(g[i]) for i in x)


# ---- orbits ----


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("scale", [1.0, 1e-3, 100.0, 1e-10, 1e-21, 1e20])
def test_orbits_do_not_depend_on_units(dtype, scale):
    if not 1e-4 < scale < 1e4 and dtype == torch.float16:
        pytest.skip("such numbers are zero or infinite in half precision")
    for group, vector, size, fixed in [
        (Cyclic(3), [1.0, 0.0], 3, 1),
        (Cyclic(7), [0.3, -0.2], 7, 1),
        (Dihedral(5), [1.0, 0.4], 10, 1),
        (Dihedral(5), [1.0, 0.0], 5, 2),
    ]:
        V, x = group.irrep(1), scale * torch.tensor(vector, dtype=dtype)
        orbit = V.orbit(x)
        assert len(orbit) == size
        assert len(V.stabilizer(x)) == fixed
        best = V.representative(x)[0]
        for y in orbit:
            again, g = V.representative(y)
            assert V.same(again, best)
            assert torch.equal(V.act(g, y), again)


@pytest.mark.parametrize(("dtype", "gap"), [(torch.float32, 1e-3), (F64, 1e-6)])
def test_an_offset_does_not_merge_members(dtype, gap):
    x = torch.tensor([100.0, 100.0 + gap, 100.0 + 2 * gap], dtype=dtype)
    assert len(Symmetric(3).vector.orbit(x)) == 6
    assert len(Symmetric(3).vector.stabilizer(x)) == 1


def test_a_long_walk_in_single_precision_closes():
    orbit = Cyclic(1000).irrep(1).orbit(torch.tensor([100.0, 3.0]))
    assert len(orbit) == 1000


def test_generators_of_few_digits_stand_for_exact_elements():
    third = torch.tensor([[-0.5, -0.866025], [0.866025, -0.5]])
    assert len(MatrixGroup([third]).vector.orbit(torch.tensor([1.0, 0.2], dtype=F64))) == 3


@pytest.mark.parametrize(
    ("x", "size"),
    [
        (torch.tensor([math.nan, 1.0, 2.0]), 3),
        (torch.tensor([math.nan, math.inf, -math.inf], dtype=F64), 3),
        (torch.tensor([math.nan] * 3), 1),
        (torch.tensor([0.0, -0.0, 0.0]), 1),
        (torch.tensor([1 + 2j, 3j, 0.0]), 3),
        (torch.tensor([1 + 2j, 1 + 2j, 1 + 2j], dtype=torch.complex128), 1),
        (torch.tensor([1, 2, 2**62]), 3),
        (torch.tensor([2**62, 2**62 + 1, 2**62]), 3),  # not to be compared in float64
        (torch.tensor([True, False, False]), 3),
    ],
)
def test_odd_numbers_are_the_same_as_themselves(x, size):
    V = Cyclic(3).vector
    assert len(V.orbit(x)) == size
    assert len(V.stabilizer(x)) == 3 // size
    best = V.representative(x)[0]
    assert all(V.same(V.representative(y)[0], best) for y in V.orbit(x))


def test_rounding_at_a_boundary_parts_nothing():
    # Entries on a grid of every possible rounding boundary, moved by a digit either way.
    for power in (-12, 0, 9):
        seen = Members()
        grid = (torch.arange(1, 2000, dtype=F64) / 1999 + 0.5) * 10.0**power
        for v in grid[1:200]:
            pair = torch.stack([v, grid[0]])
            assert seen.add(Parts(pair))
            for off in (1e-12, -1e-12, 3e-11, -3e-11):
                assert not seen.add(Parts(pair * (1 + off)))


def test_bare_floats_share_one_scale():
    class Turn(Action):
        def act(self, g, x):
            a = 2 * math.pi * int(g[0]) / 4
            return (math.cos(a) * x[0] - math.sin(a) * x[1], math.sin(a) * x[0] + math.cos(a) * x[1])

    act = Turn(Cyclic(4))
    for scale in (1.0, 1e-15):
        assert len(act.orbit((scale, 0.0))) == 4  # cos 90 degrees is 6e-17, which is zero beside 1


def test_an_action_may_say_what_is_compared():
    class Shift(Action):
        """Fractional coordinates, where 0 is 1."""

        def act(self, g, x):
            return (x + int(g[0]) / 3) % 1.0

        def compared(self, x):
            return torch.cat([torch.cos(2 * math.pi * x), torch.sin(2 * math.pi * x)])

    act = Shift(Cyclic(3))
    for start in (0.0, 1 / 3, 1 - 1e-16, 1e-17):
        assert len(act.orbit(torch.tensor([start], dtype=F64))) == 3
    assert act.same(torch.tensor([0.0], dtype=F64), torch.tensor([1.0], dtype=F64))


def test_an_orbit_of_many_members():
    x = torch.tensor([3.0, 1.0, 4.0, 1.5, 9.0, 2.0, 6.0])
    orbit = Symmetric(7).vector.orbit(x)
    assert len(orbit) == 5040
    assert len({tuple(y.tolist()) for y in orbit}) == 5040


# ---- representatives ----


@pytest.mark.parametrize("kind", [frozenset, set])
def test_sets_that_meet_have_one_representative(kind):
    act = Subsets(Symmetric(4))
    found = [act.representative(kind(pair)) for pair in ({0, 1}, {1, 2}, {2, 3})]
    assert [y for y, _ in found] == [kind({0, 1})] * 3
    assert act.act(found[2][1], kind({2, 3})) == kind({0, 1})
    assert len(act.orbit(kind({0, 1}))) == 6
    assert len(act.stabilizer(kind({0, 1}))) == 4


a, b = sympy.symbols("a b")
Colour = enum.Enum("Colour", ["red", "blue"])


@pytest.mark.parametrize(
    "x",
    [
        (a, b, a * b, sympy.sqrt(2)),
        (sympy.I, sympy.Rational(1, 2), sympy.pi, a),
        (None, "x", Fraction(1, 2), 2),
        ("b", "a", "a", "c"),
        ((1, 2), frozenset({3}), "z", -1),
        (frozenset({1, 2}), frozenset({2, 3}), frozenset({1}), frozenset()),
        (Colour.red, Colour.blue, Colour.red, None),
        (1.5, float("nan"), float("inf"), -2),
        (1 + 2j, 1 - 2j, 0.5, 3j),
        (b"1", b"0", "1", 1),
        ({"k": 1}, {"k": 2}, {"k": 2}, {"k": 0}),
    ],
    ids=str,
)
def test_every_member_has_the_same_representative(x):
    act = Relabel(Symmetric(4))
    orbit = act.orbit(x)
    best = act.representative(x)[0]
    for y in orbit:
        again, g = act.representative(y)
        assert act.same(again, best)
        assert act.same(act.act(g, y), best)
    assert len(orbit) * len(act.stabilizer(x)) == 24


def test_the_order_is_the_one_that_is_stated():
    assert first([3, Fraction(1, 2), True, 7]) == 1
    assert first(["b", "a"]) == 1
    assert first(["a", 5, None]) == 2
    assert first([(1, 2, 3), (1, 2, 1)]) == 1
    assert first([frozenset({0, 9}), frozenset({5})]) == 1
    assert first([torch.tensor([1, 2]), torch.tensor([1, 1])]) == 1
    assert first([torch.tensor([math.nan, 0.0]), torch.tensor([math.inf, 0.0]), torch.tensor([5.0, 9.0])]) == 2
    # What differs by rounding is equal, and the next entry decides.
    assert first([torch.tensor([0.1 + 0.2, 1.0], dtype=F64), torch.tensor([0.3, 0.5], dtype=F64)]) == 1


def test_symmetric_matrices_of_sympy_move():
    class Rows(Action):
        def act(self, g, x):
            p = g.tolist()
            return sympy.Matrix(3, 3, lambda i, j: x[p.index(i), p.index(j)])

    act = Rows(Symmetric(3))
    m = sympy.Matrix([[a, 1, 0], [1, b, 0], [0, 0, 1]])
    assert len(act.orbit(m)) == 6
    assert len({str(act.representative(y)[0]) for y in act.orbit(m)}) == 1


def test_objects_without_an_order_are_refused():
    class Blank:
        pass

    with pytest.raises(ArgumentError, match="repr"):
        first([Blank(), Blank()])

    class Unhashable:
        __hash__ = None

    with pytest.raises(ArgumentError, match="hashed"):
        Relabel(Cyclic(2)).orbit((Unhashable(), 1))


def test_keys_are_relative_too():
    V = Cyclic(3).irrep(1)
    x = torch.tensor([0.7, 0.2], dtype=F64)
    assert V.key(1e-15 * x) != V.key(2e-15 * x)
    assert V.key(x) == V.key(x * (1 + 1e-15))
    assert V.key(torch.tensor([0.0, 1.0])) == V.key(torch.tensor([-0.0, 1.0]))


def test_numbers_that_an_action_rounds_within_sets_are_refused():
    class Turned(Action):
        """Complex numbers, turned: each turn rounds them, and a set has no order to compare by."""

        def act(self, g, x):
            angle = 2 * math.pi * int(g[0]) / 5
            return frozenset(z * complex(math.cos(angle), math.sin(angle)) for z in x)

    with pytest.raises(ArgumentError, match="divides its order 5"):
        Turned(Cyclic(5)).orbit(frozenset({1 + 0j}))  # had 197 members

    class Carried(Action):
        """Labels that carry a number along."""

        def act(self, g, x):
            return frozenset((int(g[i]), value) for i, value in x)

    assert len(Carried(Symmetric(4)).orbit(frozenset(enumerate([0.1, 0.2, 0.1 + 0.2, 0.3])))) == 24
