"""Dimensions of spaces of equivariant maps: published tables, and independent ways of counting."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import erlangen as er
from erlangen.errors import ArgumentError
from erlangen.maps import Axis, Space, diagrams
from erlangen.maps.diagrams import count, dimension, dimension_by_characters, irrep_multiplicities, spanning_size
from erlangen.maps.diagrams.matchings import longest_increasing, matchings, mutually_crossing, partial_matchings
from erlangen.maps.diagrams.partitions import coarser, set_partitions

SYMMETRIC = {
    1: [1, 1, 1, 1, 1, 1, 1, 1, 1],
    2: [1, 1, 2, 4, 8, 16, 32, 64, 128],
    3: [1, 1, 2, 5, 14, 41, 122, 365, 1094],
    4: [1, 1, 2, 5, 15, 51, 187, 715, 2795],
    5: [1, 1, 2, 5, 15, 52, 202, 855, 3845],
    8: [1, 1, 2, 5, 15, 52, 203, 877, 4140],  # Bell numbers
}
ALTERNATING = {
    1: [1] * 9,
    2: [1, 2, 4, 8, 16, 32, 64, 128, 256],
    3: [1, 1, 3, 9, 27, 81, 243, 729, 2187],
    4: [1, 1, 2, 6, 22, 86, 342, 1366, 5462],
    5: [1, 1, 2, 5, 16, 63, 282, 1345, 6596],
    6: [1, 1, 2, 5, 15, 53, 219, 1037, 5427],
    7: [1, 1, 2, 5, 15, 52, 204, 899, 4433],
}
ORTHOGONAL = {
    1: [1, 1, 1, 1, 1, 1],
    2: [1, 1, 3, 10, 35, 126],
    3: [1, 1, 3, 15, 91, 603],
    4: [1, 1, 3, 15, 105, 903],
    5: [1, 1, 3, 15, 105, 945],
}
SYMPLECTIC = {2: [1, 1, 2, 5, 14, 42], 4: [1, 1, 3, 14, 84, 594], 6: [1, 1, 3, 15, 104, 909], 8: [1, 1, 3, 15, 105, 944]}
ROTATIONS = {
    2: [1, 0, 2, 0, 6, 0, 20, 0, 70],
    3: [1, 0, 1, 1, 3, 6, 15, 36, 91, 232],
    4: [1, 0, 1, 0, 4, 0, 25, 0, 196],
    5: [1, 0, 1, 0, 3, 1, 15, 15, 105],
    6: [1, 0, 1, 0, 3, 0, 16, 0, 126],
}


@pytest.mark.parametrize(
    ("kind", "table", "step"),
    [("S", SYMMETRIC, 1), ("A", ALTERNATING, 1), ("O", ORTHOGONAL, 2), ("Sp", SYMPLECTIC, 2), ("SO", ROTATIONS, 1)],
)
def test_published_tables(kind, table, step):
    for n, row in table.items():
        assert [dimension(kind, n, step * i) for i in range(len(row))] == row


@pytest.mark.parametrize("n", range(1, 9))
def test_symmetric_and_alternating_by_walks_and_characters(n):
    for size in range(9):
        expected = dimension("S", n, size)
        walks = irrep_multiplicities(n, size // 2), irrep_multiplicities(n, size - size // 2)
        assert sum(v * walks[0].get(shape, 0) for shape, v in walks[1].items()) == expected
        assert dimension_by_characters("S", n, size) == expected == len(list(set_partitions(size, n)))
        assert dimension_by_characters("A", n, size) == dimension("A", n, size)


def test_walks_give_multiplicities_of_irreps():
    # R^3 of S_3 is trivial + standard; its square has characters 9, 1, 0 on the three classes.
    assert irrep_multiplicities(3, 1) == {(3,): 1, (2, 1): 1}
    assert irrep_multiplicities(3, 2) == {(3,): 2, (2, 1): 3, (1, 1, 1): 1}
    for n, k in ((4, 3), (5, 2)):
        from erlangen.maps.diagrams.counting import standard_tableaux

        assert sum(count * standard_tableaux(shape) for shape, count in irrep_multiplicities(n, k).items()) == n**k


@pytest.mark.parametrize("n", range(1, 6))
def test_pattern_avoiding_matchings_are_as_many_as_the_invariants(n):
    for size in range(11 if n in (2, 4) else 9):
        plain = sum(longest_increasing(p, a) <= n for p, a in partial_matchings(size, 0))
        tied = sum(longest_increasing(p, a) <= n for p, a in partial_matchings(size, n))
        assert plain == dimension("O", n, size)
        assert tied == dimension("O", n, size, twisted=True)
        assert plain + tied == dimension("SO", n, size)
        if n % 2 == 0 and size % 2 == 0:
            assert sum(mutually_crossing(p) <= n // 2 for p in matchings(tuple(range(size)))) == dimension("Sp", n, size)


def test_mutually_crossing_against_brute_force():
    def cross(p, q):
        return p[0] < q[0] < p[1] < q[1] or q[0] < p[0] < q[1] < p[1]

    for pairs in matchings(tuple(range(8))):
        best = max(
            r for r in range(1, 5) for chosen in itertools.combinations(pairs, r)
            if all(cross(p, q) for p, q in itertools.combinations(chosen, 2))
        )  # fmt: skip
        assert mutually_crossing(pairs) == best


def test_spanning_sets_are_larger():
    assert [spanning_size("O", 3, size) for size in range(0, 11, 2)] == [1, 1, 3, 15, 105, 945]
    assert spanning_size("SO", 3, 5) == 10
    assert spanning_size("SO", 2, 8) == 105 + 420
    assert spanning_size("SO", 3, 7) == 105


def test_products_of_groups():
    u, v, a, w = Axis(er.Symmetric(3), "u"), Axis(er.Symmetric(4), "v"), Axis(er.Alternating(4), "v"), Axis(er.O(3), "w")
    assert count(Space((u, v)), Space((u, v))) == 4
    assert count(Space((u, u, v)), Space((u, v, v))) == 25
    a3 = Axis(er.Alternating(3), "u")
    assert count(Space((a3, a)), Space((a3, a))) == 6
    assert count(Space((a3, v)), Space((a3, v))) == 6
    assert count(Space((u, w)), Space((u, w))) == 2
    assert len(diagrams(Space((u, u, v)), Space((u, v, v)))) == 25


@pytest.mark.parametrize(
    ("source", "target", "terms"),
    [
        ("ab", "ab", 4),
        ("ab", "bc", 2),
        ("hh", "hh", 15),
        ("hh", "h", 5),
        ("h", "hhh", 15),
        ("hhh", "h", 15),
        ("", "hh", 2),
        ("", "", 1),
    ],
)
def test_terms_of_weight_spaces(source, target, terms):
    sizes = {"a": 5, "b": 6, "c": 7, "h": 5}
    spaces = [Space(tuple(Axis(er.Symmetric(sizes[c]), c) for c in axes)) for axes in (source, target)]
    assert len(diagrams(*spaces)) == terms == count(*spaces)


def test_coarser_partitions_and_moebius_values():
    for blocks in set_partitions(4):
        # The Moebius function inverts summation over coarser partitions.
        total = {}
        for value, merged in coarser(blocks):
            for _, above in coarser(merged):
                total[above] = total.get(above, 0) + value
        assert {p: v for p, v in total.items() if v} == {blocks: 1}


@given(size=st.integers(0, 7), most=st.integers(1, 7))
def test_set_partitions_are_distinct_and_ordered(size, most):
    found = list(set_partitions(size, most))
    words = [[next(i for i, b in enumerate(blocks) if v in b) for v in range(size)] for blocks in found]
    assert words == sorted(words)
    assert len({tuple(w) for w in words}) == len(words) == dimension("S", most, size)
    assert all(b[0] == min(b) for blocks in found for b in blocks)


def test_bad_input():
    for kind, n, size in (("S", 0, 2), ("S", -1, 2), ("S", 2, -1), ("S", 2.5, 2), ("Q", 3, 2), ("O", 3, 1.5)):
        with pytest.raises(ArgumentError, match="argument"):
            dimension(kind, n, size)
    v = Axis(er.O(3))
    with pytest.raises(ArgumentError, match="max_diagrams"):
        diagrams(Space((v,) * 8), Space((v,) * 8))
    s = Axis(er.Symmetric(20))
    with pytest.raises(ArgumentError, match="115975"):
        diagrams(Space((s,) * 5), Space((s,) * 5))
    with pytest.raises(ArgumentError, match="one group for label"):
        diagrams(Space((Axis(er.Symmetric(3), "h"),)), Space((Axis(er.Symmetric(4), "h"),)))
    with pytest.raises(ArgumentError, match="group"):
        Axis(er.Cyclic(4))


def test_the_dimension_is_a_formula_whatever_the_size_of_the_representation():
    """Twelve axes of length 50 have more entries than any memory: of 24 axes there are as many maps as set partitions (Bell)."""
    V = er.Symmetric(50).vector
    assert (V**12).dim == 50**12
    assert er.EquivariantMaps(V**12, V**12).dim == 445958869294805289
    assert er.EquivariantMaps(V**5, V**5).dim == 115975
    assert er.EquivariantMaps(er.O(40).vector ** 8, er.O(40).vector ** 8).dim == 2027025  # 15!!
    V = er.Symmetric(40).vector + er.Symmetric(40).scalar
    assert er.EquivariantMaps(V**6, V).dim == _maps_with_scalars(6)


def _maps_with_scalars(k):
    """Of ``(V + 1)^k -> V + 1``: a choice of axes, then set partitions of them."""
    bell = [1, 1, 2, 5, 15, 52, 203, 877]
    return sum(math.comb(k, i) * (bell[i] + bell[i + 1]) for i in range(k + 1))


def test_numeric_spaces_too_large_to_hold_are_refused_by_name():
    V = er.Cyclic(50).vector
    with pytest.raises(er.errors.UnsupportedError, match="numbers that are held at once"):
        er.EquivariantMaps(V**5, V)
