"""Positions of elements: exact, refusing strangers, bounded in memory; and the closures that list them."""

import math

import numpy as np
import pytest
import torch

from erlangen.errors import ArgumentError, UnsupportedError
from erlangen.groups import (
    Alternating,
    Cyclic,
    Dihedral,
    FiniteAbelian,
    IntegerMatrixGroup,
    MatrixGroup,
    PermutationGroup,
    Symmetric,
    TableGroup,
    closure,
    index_of,
    lookup,
    multiplication_table,
)
from erlangen.groups.closure import close_matrices

F64 = torch.float64


def turned(order, stretch=1.0, dtype=F64):
    """A rotation by one ``order``-th of a turn, in a sheared basis."""
    angle = 2 * math.pi / order
    turn = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]], dtype=F64)
    shear = torch.tensor([[1.0, stretch], [0.0, 1.0]], dtype=F64)
    return (shear @ turn @ torch.linalg.inv(shear)).to(dtype)


class Counting:
    """A group that counts how often its elements are listed."""

    def __init__(self, *args):
        super().__init__(*args)
        self.listings = 0

    def elements(self):
        self.listings += 1
        return super().elements()


class CountingSymmetric(Counting, Symmetric):
    pass


# ---- positions ----


@pytest.mark.parametrize(
    "group",
    [
        Symmetric(5),
        Alternating(5),
        PermutationGroup(["(0 1 2 3 4)", "(1 2 4 3)"], degree=5),
        MatrixGroup([turned(60, 0.0), torch.tensor([[1.0, 0.0], [0.0, -1.0]], dtype=F64)]),
        MatrixGroup([turned(12, 100.0)]),
        Symmetric(3) * MatrixGroup([turned(7)]) * Cyclic(4),
        IntegerMatrixGroup([torch.tensor([[0, -1], [1, -1]]), torch.tensor([[0, 1], [1, 0]])]),
    ],
    ids=str,
)
def test_every_element_is_found_where_it_stands(group):
    order = int(group.order)
    shuffled = torch.randperm(order, generator=torch.Generator().manual_seed(0))
    g = group.take(group.elements(), shuffled)
    assert torch.equal(index_of(group, g), shuffled)
    if order % 2 == 0:
        assert torch.equal(index_of(group, group.reshape(g, 2, order // 2)), shuffled.view(2, -1))
    assert index_of(group, group.take(g, 3)) == shuffled[3]
    assert index_of(group, group.take(g, slice(0, 0))).shape == (0,)


def test_narrow_matrices_are_found_within_their_own_precision():
    group = MatrixGroup([turned(30, 3.0)])
    assert torch.equal(index_of(group, group.elements().float()), torch.arange(30))


def test_integers_beyond_the_precision_of_floats_are_told_apart():
    # The signed permutations of two axes, in a basis sheared by (2^55, 2^55 + 1): entries of 17 digits.
    b, eye = torch.tensor([[2**55, 2**55 + 1]]), torch.eye(2, dtype=torch.int64)
    blocks = [torch.tensor([[0, 1], [1, 0]]), torch.tensor([[-1, 0], [0, 1]])]
    gens = [torch.cat([torch.tensor([[1, 0, 0]]), torch.cat([torch.zeros(2, 1, dtype=torch.int64), h], 1)]) for h in blocks]
    for g, h in zip(gens, blocks):
        g[:1, 1:] = b @ (h - eye)
    group = IntegerMatrixGroup(gens)
    every = group.elements()
    assert len(every) == 8
    assert torch.equal(index_of(group, every), torch.arange(8))
    stranger = every + torch.tensor([[0, 1, 0], [0, 0, 0], [0, 0, 0]])
    assert (stranger.double() == every.double()).flatten(1).all(1).any()  # the same as floats
    for g in stranger:
        with pytest.raises(ArgumentError, match="'g'"):
            index_of(group, g)


STRANGERS = [
    (Cyclic(4), torch.tensor([1, 0, 2, 3])),
    (Cyclic(4), torch.tensor([4, 5, 6, 7])),
    (Dihedral(4), torch.tensor([1, 0, 2, 3])),
    (FiniteAbelian(2, 3), torch.tensor([0, 3])),
    (FiniteAbelian(2, 3), torch.tensor([-1, 0])),
    (TableGroup([[0, 1], [1, 0]]), torch.tensor(2)),
    (Alternating(4), torch.tensor([1, 0, 2, 3])),
    (MatrixGroup([turned(5)]), 1.0001 * torch.eye(2, dtype=F64)),
    (MatrixGroup([turned(5)]), torch.full((2, 2), torch.nan, dtype=F64)),
]


@pytest.mark.parametrize(("group", "stranger"), STRANGERS, ids=lambda v: str(v) if not isinstance(v, torch.Tensor) else "")
def test_strangers_are_refused_by_name(group, stranger):
    for g in (stranger, torch.stack([group.elements()[1], stranger])):
        with pytest.raises(ArgumentError, match="'g'"):
            index_of(group, g)


@pytest.mark.parametrize(
    "group", [Cyclic(4), Dihedral(4), FiniteAbelian(2, 3), PermutationGroup([[1, 2, 0, 4, 3]]), Symmetric(4)], ids=str
)
def test_elements_of_another_size_are_refused_by_name(group):
    with pytest.raises(ArgumentError, match="'g'"):
        index_of(group, torch.zeros(2, 7, dtype=torch.int64))


@pytest.mark.parametrize("degree", [3, 6])
def test_membership_of_permutations_of_another_degree_is_refused(degree):
    group = PermutationGroup(["(0 1 2 3 4)"], degree=5)
    with pytest.raises(ArgumentError, match="'g'"):
        group.contains(torch.arange(degree))


def test_elements_are_listed_once_per_call():
    group = CountingSymmetric(4)
    index_of(group, Symmetric(4).sample(1000, generator=torch.Generator().manual_seed(0)))
    assert group.listings == 1
    multiplication_table(group)
    assert group.listings <= 3


def test_look_ups_go_in_chunks_that_bound_memory(monkeypatch):
    group = Symmetric(5)
    g = group.sample(3000, generator=torch.Generator().manual_seed(0))
    expected = index_of(group, g)
    assert torch.equal(group.elements()[expected], g)
    whole, largest = multiplication_table(group), []
    original = lookup.Lookup._find_chunk

    def watched(self, part):
        largest.append(len(part))
        return original(self, part)

    monkeypatch.setattr(lookup.Lookup, "_find_chunk", watched)
    monkeypatch.setattr(lookup, "MEMORY", 100_000)
    assert torch.equal(index_of(group, g), expected)
    assert torch.equal(multiplication_table(group), whole)
    assert max(largest) * 5 * 8 * lookup.COPIES <= 100_000


def test_table_of_a_group_without_closed_form_is_that_of_plain_composition():
    table, every = multiplication_table(Symmetric(6)), Symmetric(6).elements().tolist()
    place = {tuple(g): i for i, g in enumerate(every)}
    for i, j in torch.randint(720, (200, 2), generator=torch.Generator().manual_seed(0)).tolist():
        assert place[tuple(every[i][k] for k in every[j])] == table[i, j]
    assert torch.equal(table.sort(1).values, torch.arange(720).expand(720, 720))


def test_tables_look_up_many_rows_at_once(monkeypatch):
    calls = []
    original = Symmetric.multiply
    monkeypatch.setattr(Symmetric, "multiply", lambda self, g, h: calls.append(1) or original(self, g, h))
    multiplication_table(Symmetric(5))
    assert len(calls) <= 2  # 14 400 products at once, not a row of 120 at a time


# ---- closing ----


class Counted(list):
    """A list that counts what is taken from it."""

    taken = 0

    def __getitem__(self, i):
        self.taken += 1
        return super().__getitem__(i)


@pytest.mark.parametrize("size", [1.0, 1e3, 1e6, 1e12, 1e100])
def test_looking_up_matrices_costs_the_same_at_any_size(size):
    known = closure._Known(2)
    known.matrices = Counted()
    searched = []

    class Cells(dict):
        def get(self, key, default=None):
            searched.append(key)
            return super().get(key, default)

    known._cells = Cells()
    rng = np.random.default_rng(0)
    matrices = size * rng.uniform(-1, 1, (300, 2, 2))
    for i, x in enumerate(matrices):
        assert known.add(x) == i
    for i, x in enumerate(matrices):
        assert known.find(x + 0.5 * closure.CLOSE * max(1.0, np.abs(x).max()) * rng.uniform(-1, 1, (2, 2))) == i
    assert len(searched) <= 4 * len(matrices)
    assert known.matrices.taken <= 2 * len(matrices)


def test_matrices_at_the_border_of_an_octave_are_found():
    for size in (1.0, 4.0, 2.0**40):
        for sign in (-1, 1):
            known = closure._Known(2)
            known.add(size * np.eye(2))
            assert known.find((1 + sign * 0.9 * closure.CLOSE) * size * np.eye(2)) == 0
            assert known.find((1 + sign * 1.5 * closure.CLOSE) * size * np.eye(2)) is None


@pytest.mark.parametrize("stretch", [0.0, 30.0, 1e3, 1e4])
def test_orders_in_sheared_bases(stretch):
    every = close_matrices(turned(24, stretch).unsqueeze(0), 100)
    assert len(every) == 24


def test_powers_of_a_shear_are_infinitely_many():
    shear = torch.tensor([[[1.0, 1e3], [0.0, 1.0]]], dtype=F64)
    assert close_matrices(shear, 3000) is None


# ---- integers ----


@pytest.mark.parametrize("k", [1, 10**3, 10**6, 10**8, 2 * 10**9])
def test_integer_generators_with_large_entries(k):
    quarter = torch.tensor([[k, -1 - k * k], [1, -k]])  # a quarter turn in a basis sheared by k
    group = IntegerMatrixGroup([quarter])
    assert group.order == 4
    assert torch.equal(index_of(group, group.elements()), torch.arange(4))
    assert torch.equal(group.multiply(quarter, group.inverse(quarter)), group.identity())


def test_integer_matrices_of_another_determinant_are_refused_exactly():
    k = 10**8
    with pytest.raises(ArgumentError, match="determinant 2"):
        IntegerMatrixGroup([torch.tensor([[k, -2 - k * k], [1, -k]])])


def test_products_that_overflow_are_not_taken_for_a_finite_group():
    # Modulo 2^64 this shear has order 2.
    with pytest.raises(ArgumentError, match="63 bits"):
        IntegerMatrixGroup([torch.tensor([[1, -(2**63)], [0, 1]])])
    with pytest.raises(ArgumentError, match="'modulus'"):
        IntegerMatrixGroup([torch.tensor([[1, 1], [0, 1]])], modulus=2**40)


def test_moduli_and_degrees_beyond_64_bits_or_memory_are_refused_by_name():
    for make, name in [
        (lambda: FiniteAbelian(2**70), "moduli"),
        (lambda: FiniteAbelian(2**63), "moduli"),
        (lambda: FiniteAbelian(3, 0), "moduli"),
        (lambda: Cyclic(2**70), "n"),
        (lambda: Dihedral(2**40), "n"),
        (lambda: Symmetric(2**70), "n"),
        (lambda: Alternating(2**40), "n"),
    ]:
        with pytest.raises(ArgumentError, match=f"'{name}'"):
            make()
    A = FiniteAbelian(2**62, 3)
    g, h = torch.tensor([2**62 - 1, 2]), torch.tensor([2**62 - 2, 2])
    assert A.multiply(g, h).tolist() == [2**62 - 3, 1]
    assert A.contains(A.sample(20)).all()
    for ask in (A.elements, lambda: A.pairing(g, h), lambda: FiniteAbelian(2**62, 4).index(g)):
        with pytest.raises(UnsupportedError):
            ask()
    # The largest products that fit are exact.
    n = 3_037_000_499
    B = FiniteAbelian(n)
    assert float(B.pairing(torch.tensor([n - 1]), torch.tensor([n - 1]))) == 1 / n
