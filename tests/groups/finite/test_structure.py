"""Classes, orders, centres and tables without a multiplication table; exact groups at the edges of what they accept."""

import math

import pytest
import torch

from erlangen.errors import ArgumentError, UnsupportedError
from erlangen.groups import (
    SO,
    Alternating,
    Dihedral,
    FiniteAbelian,
    IntegerMatrixGroup,
    MatrixGroup,
    PermutationGroup,
    Symmetric,
    TableGroup,
    conjugacy_classes,
    generated,
    multiplication_table,
    subgroup_lattice,
)
from erlangen.groups.finite import centre, element_order, element_orders, exponent
from erlangen.testing import check_group, check_rep

M11 = PermutationGroup(["(0 1 2 3 4 5 6 7 8 9 10)", "(2 6 10 7)(3 9 4 5)"], degree=11, name="M11")


def signed_permutations(n):
    """The hyperoctahedral group, as integer matrices."""
    eye = torch.eye(n, dtype=torch.int64)
    flip = eye.clone()
    flip[0, 0] = -1
    return [eye[[1, 0, *range(2, n)]], eye[[*range(1, n), 0]], flip]


def test_classes_and_orders_of_the_mathieu_group():
    # The ATLAS of Finite Groups (Conway et al., 1985), page 18.
    sizes = sorted(len(c) for c in conjugacy_classes(M11))
    assert sizes == [1, 165, 440, 720, 720, 990, 990, 990, 1320, 1584]
    orders, counts = element_orders(M11).unique(return_counts=True)
    assert dict(zip(orders.tolist(), counts.tolist())) == {1: 1, 2: 165, 3: 440, 4: 990, 5: 1584, 6: 1320, 8: 1980, 11: 1440}
    assert exponent(M11) == 1320
    assert centre(M11).tolist() == [0]


@pytest.mark.parametrize("n", range(1, 8))
def test_classes_of_permutations_are_cycle_types(n):
    # The number of partitions of n.
    assert len(conjugacy_classes(Symmetric(n))) == [1, 1, 2, 3, 5, 7, 11, 15][n]


@pytest.mark.parametrize(
    "group",
    [Dihedral(6), Alternating(4), FiniteAbelian(2, 4), Symmetric(3) * Dihedral(4), MatrixGroup(signed_permutations(3))],
    ids=str,
)
def test_structure_agrees_with_the_multiplication_table(group):
    table = multiplication_table(group)
    inverse = (table == 0).to(torch.uint8).argmax(1)
    by_table = {frozenset(int(table[table[g, h], inverse[g]]) for g in range(len(table))) for h in range(len(table))}
    classes = conjugacy_classes(group)
    assert {frozenset(c.tolist()) for c in classes} == by_table
    assert [int(c[0]) for c in classes] == sorted(int(c.min()) for c in classes)
    assert centre(group).tolist() == [g for g in range(len(table)) if torch.equal(table[g], table[:, g])]
    for g, k in enumerate(element_orders(group).tolist()):
        powers = [0]
        for _ in range(k):
            powers.append(int(table[powers[-1], g]))
        assert powers[-1] == 0
        assert 0 not in powers[1:-1]


def test_generators_in_single_precision_stand_for_exact_elements():
    third = 2 * math.pi / 3
    turn = torch.tensor([[math.cos(third), -math.sin(third)], [math.sin(third), math.cos(third)]])
    flip = torch.tensor([[1.0, 0.0], [0.0, -1.0]])
    group = MatrixGroup([turn, flip])
    assert (turn.double() @ turn.double().mT - torch.eye(2)).abs().max() > 1e-9  # what was given is not exact
    check_group(group)
    check_rep(group.vector)
    assert torch.allclose(group.generators, torch.stack([turn, flip]).double(), atol=1e-6)
    assert sorted(len(c) for c in conjugacy_classes(group)) == [1, 2, 3]


def test_orders_of_elements_of_a_group_too_large_to_list():
    G = Symmetric(50)
    cycles = PermutationGroup(["(0 1 2 3 4 5 6)(7 8 9 10 11)(12 13 14 15)(16 17 18 19 20 21 22 23 24)"], degree=50).generators
    assert element_order(G, cycles).tolist() == [7 * 5 * 4 * 9]
    assert element_order(G, G.identity(2, 3)).tolist() == [[1, 1, 1], [1, 1, 1]]
    with pytest.raises(UnsupportedError, match="infinite"):
        element_order(SO(3), SO(3).identity())


# ---- tables ----


def test_a_table_from_products_with_generators_is_that_of_all_products():
    def multiply(a, b):
        return tuple(a[i] for i in b)

    calls = []
    G = TableGroup.generated_by(
        [(1, 2, 3, 4, 0), (1, 0, 2, 3, 4)], lambda a, b: calls.append(0) or multiply(a, b), identity=(0, 1, 2, 3, 4)
    )
    where = {x: i for i, x in enumerate(G.objects)}
    assert torch.equal(G.table, torch.tensor([[where[multiply(a, b)] for b in G.objects] for a in G.objects]))
    assert len(calls) < 10 * G.order  # products may be expensive
    assert generated(G, G.generators).order == G.order == 120


def test_products_that_are_no_group_are_refused():
    with pytest.raises(ArgumentError, match="'identity'"):
        TableGroup.generated_by([2], lambda a, b: a * b % 7, identity=3)
    with pytest.raises(ArgumentError, match="'multiply'"):
        TableGroup.generated_by([1, 2], lambda a, b: b if a == 0 else a if b == 0 else (a * a + b) % 5, identity=0)
    with pytest.raises(ArgumentError, match="one inverse"):
        TableGroup.generated_by([2], lambda a, b: a * b % 4, identity=1)


def test_every_loop_that_is_no_group_is_told_from_one():
    # Swapping two rows of entries in the table of a group keeps rows and inverses in order but breaks associativity.
    table = multiplication_table(Symmetric(3) * FiniteAbelian(4))
    assert TableGroup(table).order == 24
    bad = table.clone()
    a, b = 5, 6
    columns = [c for c in range(1, 24) if 0 not in (int(bad[a, c]), int(bad[b, c]))]
    bad[a, columns], bad[b, columns] = table[b, columns], table[a, columns]
    with pytest.raises(ArgumentError, match="associative") as caught:
        TableGroup(bad)
    a, b, c = (int(v) for v in caught.value.got.split("=")[1].split(","))
    assert bad[bad[a, b], c] != bad[a, bad[b, c]]


# ---- integer matrices ----


def test_inverses_in_a_group_beyond_the_size_of_tables():
    # The Heisenberg group modulo 23, of order 23^3.
    x, y = (torch.eye(3, dtype=torch.int64) for _ in range(2))
    x[0, 1] = y[1, 2] = 1
    G = IntegerMatrixGroup([x, y], modulus=23)
    assert G.order == 12167
    g = G.sample(200, generator=torch.Generator().manual_seed(0))
    assert G.equal(G.multiply(g, G.inverse(g)), G.identity(200)).all()
    assert exponent(G) == 23
    assert len(centre(G)) == 23
    assert len(conjugacy_classes(G)) == 23**2 + 23 - 1


def test_a_singular_generator_is_refused_wherever_it_stands():
    shears = [torch.tensor([[1, k], [0, 1]]) for k in range(12)]
    singular = torch.tensor([[2, 0], [0, 2]])
    with pytest.raises(ArgumentError, match="singular"):
        IntegerMatrixGroup([*shears, singular], modulus=12)


# ---- subgroups ----


def test_a_subgroup_acts_as_its_parent_does():
    S = Symmetric(4)
    klein = generated(S, torch.tensor([[1, 0, 3, 2], [2, 3, 0, 1]]))
    V = S.vector.restrict(klein.group(), klein.embed)
    check_rep(V)
    x = torch.tensor([1.0, 2.0, 3.0, 4.0])
    assert len(V.orbit(x)) == 4
    assert torch.equal(V.reynolds(x), torch.full((4,), 2.5))


def test_maximal_subgroups():
    # Of S4: A4, three D4, four S3.
    assert sorted(s.order for s in subgroup_lattice(Symmetric(4)).maximal()) == [6, 6, 6, 6, 8, 8, 8, 12]
    # Of A5: six D5, ten S3, five A4.
    assert sorted(s.order for s in subgroup_lattice(Alternating(5)).maximal()) == [6] * 10 + [10] * 6 + [12] * 5
