"""Finite groups against their known numbers, and the laws for each."""

import math
from fractions import Fraction
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from erlangen.actions import Action
from erlangen.errors import ArgumentError, UnsupportedError
from erlangen.groups import (
    SO,
    Alternating,
    Cyclic,
    Dihedral,
    DirectProduct,
    FiniteAbelian,
    IntegerMatrixGroup,
    MatrixGroup,
    PermutationGroup,
    SemidirectProduct,
    Symmetric,
    TableGroup,
    centre,
    conjugacy_classes,
    element_orders,
    generated,
    index_of,
    is_abelian,
    multiplication_table,
    subgroup_lattice,
)
from erlangen.testing import check_action, check_group, check_rep

F64 = torch.float64
M11 = PermutationGroup(["(0 1 2 3 4 5 6 7 8 9 10)", "(2 6 10 7)(3 9 4 5)"], degree=11, name="M11")


def quaternions():
    """The quaternion group Q8 as exact integer 4-tuples."""

    def multiply(p, q):
        a, b, c, d = p
        e, f, g, h = q
        return (
            a * e - b * f - c * g - d * h,
            a * f + b * e + c * h - d * g,
            a * g - b * h + c * e + d * f,
            a * h + b * g - c * f + d * e,
        )

    return TableGroup.generated_by([(0, 1, 0, 0), (0, 0, 1, 0)], multiply, identity=(1, 0, 0, 0), name="Q8")


def octahedral():
    a = torch.tensor([[0, -1, 0], [1, 0, 0], [0, 0, 1]])
    b = torch.tensor([[1, 0, 0], [0, 0, -1], [0, 1, 0]])
    return [a, b, -torch.eye(3, dtype=torch.int64)]


GROUPS = [
    *[Symmetric(n) for n in range(1, 6)],
    *[Alternating(n) for n in range(1, 6)],
    *[Cyclic(n) for n in range(1, 9)],
    *[Dihedral(n) for n in range(1, 9)],
    M11,
    FiniteAbelian(2, 4, 3),
    quaternions(),
    IntegerMatrixGroup(octahedral(), name="O_h"),
    IntegerMatrixGroup([torch.tensor([[0, -1, 0], [1, -1, 0], [0, 0, 1]]), torch.tensor([[-1, 0, 0], [0, -1, 0], [0, 0, 1]])]),
    IntegerMatrixGroup([torch.tensor([[-1, 0, 12], [0, 1, 12], [0, 0, 1]])], modulus=24, name="p2_1 screw"),
    MatrixGroup(octahedral()),
    DirectProduct(Symmetric(3), Cyclic(4)),
    Symmetric(3) * FiniteAbelian(2) * Dihedral(3),
    SemidirectProduct(Cyclic(7), Cyclic(3), lambda h, n: Cyclic(7).element(2 ** Cyclic(3).exponent(h) * n[..., 0] % 7), name="F21"),
]


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_axioms(group):
    check_group(group)


@pytest.mark.parametrize(
    ("group", "order"),
    [
        (Symmetric(6), 720),
        (Alternating(7), 2520),
        (Cyclic(12), 12),
        (Dihedral(7), 14),
        (M11, 7920),
        (Symmetric(50), math.factorial(50)),
        (quaternions(), 8),
        (IntegerMatrixGroup(octahedral()), 48),
        (GROUPS[-1], 21),
        (FiniteAbelian(4, 6), 24),
    ],
    ids=str,
)
def test_orders(group, order):
    assert group.order == order


def test_icosahedral_group_by_closure_of_matrices():
    phi = (1 + math.sqrt(5)) / 2
    x, y, z = (v / math.sqrt(1 + phi * phi) for v in (0.0, 1.0, phi))  # a five-fold axis
    five = torch.linalg.matrix_exp(2 * math.pi / 5 * torch.tensor([[0, -z, y], [z, 0, -x], [-y, x, 0]], dtype=F64))
    three = torch.tensor([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]], dtype=F64)
    group = MatrixGroup([five, three, -torch.eye(3, dtype=F64)], name="I_h")
    assert group.order == 120
    check_group(group)
    assert sorted(len(c) for c in conjugacy_classes(group)) == [1, 1, 12, 12, 12, 12, 15, 15, 20, 20]


def test_an_infinite_group_of_matrices_is_told():
    angle = torch.tensor(1.0, dtype=F64)
    turn = torch.stack([torch.stack([angle.cos(), -angle.sin()]), torch.stack([angle.sin(), angle.cos()])])
    G = MatrixGroup([turn])
    assert G.order == math.inf
    with pytest.raises(UnsupportedError, match="infinite"):
        G.elements()


@pytest.mark.parametrize(
    ("group", "count", "classes"),
    [
        (Symmetric(3), 6, 4),
        (Symmetric(4), 30, 11),
        (Alternating(4), 10, 5),
        (Dihedral(4), 10, 8),
        (quaternions(), 6, 6),
        (Cyclic(12), 6, 6),
        (Alternating(5), 59, 9),
    ],
    ids=str,
)
def test_subgroup_lattices(group, count, classes):
    lattice = subgroup_lattice(group)
    assert (len(lattice.subgroups), len(lattice.classes)) == (count, classes)
    assert lattice.as_dot().count("->") == len(lattice.covers())
    for sub in lattice.subgroups:
        assert group.order % sub.order == 0
        check_group(sub.group())


def test_cosets_and_quotients():
    S4 = Symmetric(4)
    klein = generated(S4, torch.tensor([[1, 0, 3, 2], [2, 3, 0, 1]]))
    assert klein.order == 4
    assert klein.is_normal
    Q = klein.quotient()
    assert Q.order == 6
    assert not is_abelian(Q)  # S4 / V4 is S3
    assert sorted(klein.cosets().flatten().tolist()) == list(range(24))
    with pytest.raises(ArgumentError, match="normal"):
        generated(S4, torch.tensor([[1, 0, 2, 3]])).quotient()


def test_classes_centre_orders():
    assert sorted(len(c) for c in conjugacy_classes(Symmetric(4))) == [1, 3, 6, 6, 8]
    assert len(centre(Dihedral(4))) == 2
    assert len(centre(quaternions())) == 2
    assert len(centre(Symmetric(4))) == 1
    assert sorted(element_orders(Dihedral(4)).tolist()) == [1, 2, 2, 2, 2, 2, 4, 4]
    assert sorted(element_orders(quaternions()).tolist()) == [1, 2, 4, 4, 4, 4, 4, 4]
    assert is_abelian(FiniteAbelian(3, 5))
    assert not is_abelian(Symmetric(3))


def test_table_is_the_product():
    for group in (Dihedral(5), MatrixGroup(octahedral()), Symmetric(3) * Cyclic(2)):
        table, every = multiplication_table(group), group.elements()
        i, j = torch.randint(int(group.order), (2, 20), generator=torch.Generator().manual_seed(0))
        product = group.multiply(group.take(every, i), group.take(every, j))
        assert torch.equal(index_of(group, product), table[i, j])
    with pytest.raises(ArgumentError, match="'g'"):
        index_of(MatrixGroup(octahedral()), 2 * torch.eye(3, dtype=F64))


@pytest.mark.parametrize("group", [Symmetric(4), Alternating(4), Dihedral(6), M11, DirectProduct(Cyclic(3), Symmetric(3))], ids=str)
def test_samples_are_uniform(group):
    count = 400 * int(group.order) if group.order < 100 else 20 * int(group.order)
    places = index_of(group, group.sample(count, generator=torch.Generator().manual_seed(1))) if group is not M11 else None
    if places is None:
        keys = (group.sample(count, generator=torch.Generator().manual_seed(1)) * 11 ** torch.arange(11)).sum(-1)
        counts = torch.unique(keys, return_counts=True)[1].double()
        assert len(counts) == group.order
    else:
        counts = torch.bincount(places, minlength=int(group.order)).double()
    expected = count / group.order
    chi2 = float(((counts - expected) ** 2 / expected).sum())
    degrees = group.order - 1
    assert abs(chi2 - degrees) < 5 * math.sqrt(2 * degrees)


def test_membership_is_exact():
    S = Symmetric(11).sample(500, generator=torch.Generator().manual_seed(2))
    assert not M11.contains(S).any()  # one permutation in 5040 is in M11
    assert M11.contains(M11.sample(100)).all()
    assert not Alternating(5).contains(torch.tensor([1, 0, 2, 3, 4]))


def test_cycles_and_bad_generators():
    assert torch.equal(PermutationGroup(["(0 1 2)"], degree=4).generators[0], torch.tensor([1, 2, 0, 3]))
    for bad in (["(0 1)(1 2)"], ["(0 9)"], ["0 1"]):
        with pytest.raises(ArgumentError, match="'generators'"):
            PermutationGroup(bad, degree=4)
    with pytest.raises(ArgumentError, match="'generators'"):
        PermutationGroup([[0, 0, 1]])
    with pytest.raises(ArgumentError, match="'n'"):
        Cyclic(0)
    with pytest.raises(ArgumentError, match="associative"):
        TableGroup([[0, 1, 2, 3, 4], [1, 0, 3, 4, 2], [2, 4, 0, 1, 3], [3, 2, 4, 0, 1], [4, 3, 1, 2, 0]])
    with pytest.raises(ArgumentError, match="determinant"):
        IntegerMatrixGroup([torch.tensor([[2, 0], [0, 1]])])
    with pytest.raises(ArgumentError, match="at most"):
        IntegerMatrixGroup([torch.tensor([[1, 1], [0, 1]])], largest=500)


# ---- finite abelian groups ----


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=3))
def test_invariant_factors_divide_and_keep_the_order(moduli):
    A = FiniteAbelian(*moduli)
    factors = A.invariant_factors
    assert math.prod(factors) == A.order
    assert all(b % a == 0 for a, b in pairwise(factors))
    check_group(A, trials=4)


def test_characters_are_orthogonal_and_multiplicative():
    A = FiniteAbelian(2, 6)
    table = A.characters()
    assert torch.allclose(table @ table.mH, A.order * torch.eye(A.order, dtype=torch.complex128), atol=1e-12)
    g, h, k = (A.sample(50, generator=torch.Generator().manual_seed(i)) for i in range(3))
    turns = A.pairing(k, g) + A.pairing(k, h) - A.pairing(k, A.multiply(g, h))
    assert (turns - turns.round()).abs().max() < 1e-12
    assert A.dual() == A


def test_groups_from_relations():
    group, images = FiniteAbelian.from_relations([[2, 4], [6, 8]])
    assert group.invariant_factors == (2, 4)
    # The relations hold for the images, and the images generate.
    for row in ([2, 4], [6, 8]):
        assert not ((images @ torch.tensor(row)) % torch.tensor(group.moduli)).any()
    assert generated(group, images.T).order == group.order
    with pytest.raises(ArgumentError, match="finite"):
        FiniteAbelian.from_relations([[2, 0]])


# ---- exact data ----


def test_fractions_under_an_exact_group():
    class Mobius(Action):
        """x -> 1/x and x -> 1 - x on exact fractions: the anharmonic group."""

        def act(self, g, x):
            f = self.group.objects[int(g)]
            return Fraction(f[0] * x + f[1], 1) / (f[2] * x + f[3])

    def multiply(p, q):
        a, b, c, d = p
        e, f, g, h = q
        m = (a * e + b * g, a * f + b * h, c * e + d * g, c * f + d * h)
        sign = next(1 if v > 0 else -1 for v in m if v)
        return tuple(sign * v for v in m)

    S3 = TableGroup.generated_by([(0, 1, 1, 0), (1, -1, 0, -1)], multiply, identity=(1, 0, 0, 1))
    assert S3.order == 6
    act = Mobius(S3)
    check_action(act, [Fraction(1, 3), Fraction(5, 7)])
    assert len(act.orbit(Fraction(1, 3))) == 6
    assert set(act.orbit(Fraction(2))) == {Fraction(2), Fraction(-1), Fraction(1, 2)}
    assert len(act.stabilizer(Fraction(2))) == 2


def test_integer_vectors_stay_integers():
    G = IntegerMatrixGroup(octahedral())
    orbit = G.vector.orbit(torch.tensor([1, 2, 3]))
    assert len(orbit) == 48
    assert all(v.dtype == torch.int64 for v in orbit)
    assert len(G.vector.orbit(torch.tensor([1, 1, 1]))) == 8


@pytest.mark.parametrize(
    "rep",
    [
        IntegerMatrixGroup([torch.tensor([[0, -1], [1, -1]])]).vector,
        MatrixGroup(octahedral()).regular,
        quaternions().regular,
        M11.vector,
        (Symmetric(3) * Cyclic(4)).regular,
        (SO(3) * Symmetric(3)).lift(0, SO(3).vector) @ (SO(3) * Symmetric(3)).lift(1, Symmetric(3).vector),
    ],
    ids=str,
)
def test_representations(rep):
    check_rep(rep)


def test_products_of_lie_and_finite_groups():
    G = SO(3) * Symmetric(4)
    check_group(G)
    V = G.lift(1, Symmetric(4).vector) @ G.lift(0, SO(3).vector)
    g, x = G.sample(5, dtype=F64), torch.randn(5, 12, dtype=F64)
    expected = torch.einsum("bij,bkj->bki", g[0], Symmetric(4).vector.act(g[1], x.view(5, 4, 3).mT).mT)
    assert torch.allclose(V.act(g, x).view(5, 4, 3), expected)
