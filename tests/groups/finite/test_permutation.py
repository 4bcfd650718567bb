"""Permutation groups against independent methods: plain enumeration, sympy's own product, known orders, chi-square."""

import itertools
import math

import pytest
import torch
from scipy.stats import chi2
from sympy.combinatorics import Permutation as SympyPermutation
from sympy.combinatorics import PermutationGroup as SympyGroup

from erlangen.errors import ArgumentError, UnsupportedError
from erlangen.groups import Alternating, Cyclic, Dihedral, MatrixGroup, PermutationGroup, Symmetric
from erlangen.groups.finite import index_of, multiplication_table
from erlangen.reps.finite import cyclic_irreps, dihedral_irreps
from erlangen.testing import check_group, check_rep

M11 = PermutationGroup(["(0 1 2 3 4 5 6 7 8 9 10)", "(2 6 10 7)(3 9 4 5)"], degree=11, name="M11")
#: Quarter turns of the six faces, on 48 stickers numbered face by face: up, left, front, right, back, down.
RUBIK = [
    "(0 2 7 5)(1 4 6 3)(8 32 24 16)(9 33 25 17)(10 34 26 18)",
    "(8 10 15 13)(9 12 14 11)(0 16 40 39)(3 19 43 36)(5 21 45 34)",
    "(16 18 23 21)(17 20 22 19)(5 24 42 15)(6 27 41 12)(7 29 40 10)",
    "(24 26 31 29)(25 28 30 27)(2 37 42 18)(4 35 44 20)(7 32 47 23)",
    "(32 34 39 37)(33 36 38 35)(2 8 45 31)(1 11 46 28)(0 13 47 26)",
    "(40 42 47 45)(41 44 46 43)(13 21 29 37)(14 22 30 38)(15 23 31 39)",
]


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def rows(g):
    return set(map(tuple, g.tolist()))


def walk(generators):
    """All products of index maps, by plain Python: independent of the chain of stabilizers."""
    start = tuple(range(len(generators[0])))
    found, queue = {start}, [start]
    for h in queue:
        for g in generators:
            product = tuple(g[i] for i in h)
            if product not in found:
                found.add(product)
                queue.append(product)
    return found


SMALL = [
    PermutationGroup(["(0 1 2 3 4)", "(1 2 4 3)"], degree=5, name="F20"),
    PermutationGroup(["(0 1)(2 3)", "(0 2)(1 3)"], degree=6, name="V4, two points fixed"),
    PermutationGroup(["(3 4 5)", "(0 1)"], degree=7, name="C3 x C2, intransitive"),
    PermutationGroup(["(0 1 2 3 4 5 6)", "(0 1)(2 4)"], degree=7, name="two generators on 7"),
    PermutationGroup([[0, 1, 2]], name="trivial"),
    M11,
]


@pytest.mark.parametrize("group", SMALL, ids=str)
def test_elements_order_and_membership_are_those_of_plain_enumeration(group):
    expected = walk([tuple(g) for g in group.generators.tolist()])
    assert group.order == len(expected)
    every = group.elements()
    assert every[0].tolist() == list(range(group.n))
    assert len(every) == len(expected)
    assert rows(every) == expected
    if group.n <= 7:
        candidates = torch.tensor(list(itertools.permutations(range(group.n))))
        inside = torch.tensor([tuple(c) in expected for c in candidates.tolist()])
        assert torch.equal(group.contains(candidates), inside)


@pytest.mark.parametrize("group", SMALL, ids=str)
def test_axioms(group):
    check_group(group)


def test_products_apply_the_right_factor_first():
    G = Symmetric(6)
    g, h = G.sample(20, generator=seeded(0)), G.sample(20, generator=seeded(1))
    product, inverse = G.multiply(g, h), G.inverse(g)
    for a, b, ab, inv in zip(g.tolist(), h.tolist(), product.tolist(), inverse.tolist()):
        assert ab == [a[b[i]] for i in range(6)]
        # sympy's p * q applies p first, so our g h is its h * g.
        assert ab == (SympyPermutation(b) * SympyPermutation(a)).array_form
        assert [a[i] for i in inv] == list(range(6))
    # x[i] moves to place g[i], and acting by g h is acting by h, then g.
    x = torch.randn(20, 6, generator=seeded(2), dtype=torch.float64)
    assert torch.equal(G.vector.act(product, x), G.vector.act(g, G.vector.act(h, x)))


def test_rubiks_cube():
    G = PermutationGroup(RUBIK, degree=48, name="Rubik's cube")
    assert G.order == 43252003274489856000
    g = G.sample(200, generator=seeded(0))
    assert G.contains(g).all()
    assert G.contains(G.random_word(50, length=30, generator=seeded(1))).all()
    assert len(rows(g)) == 200
    # One turned corner, one flipped edge, two swapped edges or two corners turned the same way cannot be reached; two flipped edges
    # and two corners turned oppositely can.
    impossible = ["(5 16 10)", "(6 17)", "(6 1)(17 33)", "(5 16 10)(7 24 18)"]
    assert not G.contains(PermutationGroup(impossible, degree=48).generators).any()
    possible = ["(6 17)(1 33)", "(5 16 10)(7 18 24)"]
    assert G.contains(PermutationGroup(possible, degree=48).generators).all()
    with pytest.raises(UnsupportedError, match="list of elements"):
        G.elements()


def test_sampling_of_the_symmetric_group_on_50_points():
    G = Symmetric(50)
    g = G.sample(4000, generator=seeded(0))
    assert G.contains(g).all()
    assert torch.equal(g, G.sample(4000, generator=seeded(0)))
    # Each point goes to each place equally often: for uniform permutations the statistic below has mean (n-1)^2.
    counts = torch.stack([torch.bincount(g[:, i], minlength=50) for i in range(50)]).double()
    statistic = float(((counts - 80) ** 2 / 80).sum()) * 49 / 50
    assert chi2.sf(statistic, 49 * 49) > 1e-4
    assert chi2.cdf(statistic, 49 * 49) > 1e-4


@pytest.mark.parametrize(
    "group",
    [Symmetric(4), Alternating(4), Cyclic(7), Dihedral(1), Dihedral(2), Dihedral(5), SMALL[0], SMALL[2]],
    ids=str,
)
def test_samples_are_uniform(group):
    order = int(group.order)
    drawn = group.sample(500 * order, generator=seeded(3))
    every, counts = torch.unique(drawn, dim=0, return_counts=True)
    assert rows(every) == rows(group.elements())
    statistic = float(((counts - 500.0) ** 2 / 500).sum())
    assert chi2.sf(statistic, order - 1) > 1e-4


def test_symmetric_and_alternating_in_closed_form_agree_with_their_chains():
    for n in range(1, 7):
        S, A = Symmetric(n), Alternating(n)
        every = torch.tensor(list(itertools.permutations(range(n))))
        assert rows(S.elements()) == rows(every)
        even = torch.tensor([SympyPermutation(p).is_even for p in every.tolist()])
        assert torch.equal(A.contains(every), even)
        assert rows(A.elements()) == rows(every[even])
        for closed in (S, A):
            engine = SympyGroup([SympyPermutation(g) for g in closed.generators.tolist()])
            assert engine.order() == closed.order
            assert torch.equal(PermutationGroup(closed.generators).contains(every), closed.contains(every))
    assert not Symmetric(3).contains(torch.tensor([[0, 0, 1], [0, 1, 3]])).any()
    with pytest.raises(UnsupportedError, match="list of elements"):
        Symmetric(10).elements()


def test_sign_is_the_determinant_of_the_permutation_matrix():
    G = Symmetric(6)
    g = G.sample(40, generator=seeded(4))
    sign = G.pseudoscalar.matrix(g)[..., 0, 0]
    assert torch.allclose(sign, torch.linalg.det(G.vector.matrix(g)), atol=1e-12)
    check_rep(G.pseudoscalar)
    check_rep(G.vector)


# ---- cyclic and dihedral groups ----


@pytest.mark.parametrize("n", range(1, 9))
def test_cyclic_elements_add_their_exponents(n):
    C = Cyclic(n)
    assert torch.equal(C.exponent(C.elements()), torch.arange(n))
    assert torch.equal(index_of(C, C.elements()), torch.arange(n))
    k = torch.arange(n)
    assert torch.equal(multiplication_table(C), (k[:, None] + k) % n)


@pytest.mark.parametrize("n", range(1, 9))
def test_dihedral_elements_multiply_by_their_parts(n):
    D = Dihedral(n)
    every = D.elements()
    assert len(rows(every)) == 2 * n  # faithful
    assert torch.equal(index_of(D, every), torch.arange(2 * n))
    assert rows(PermutationGroup(D.generators).elements()) == rows(every)
    k, s = D.parts(every)
    assert torch.equal(D.element(k, s), every)
    # (k, s) (l, t) = (k + l or k - l, s + t).
    turn = (k[:, None] + (1 - 2 * s[:, None]) * k) % n
    assert torch.equal(multiplication_table(D), turn + n * ((s[:, None] + s) % 2))


@pytest.mark.parametrize("n", range(1, 9))
def test_irreps_of_cyclic_and_dihedral_groups(n):
    for group, irreps in ((Cyclic(n), cyclic_irreps(Cyclic(n))), (Dihedral(n), dihedral_irreps(Dihedral(n)))):
        every = group.elements()
        characters = torch.stack([rep.matrix(every).diagonal(dim1=-2, dim2=-1).sum(-1) for rep in irreps])
        gram = characters @ characters.T / group.order
        # Orthogonal characters of norm 1, or 2 for a real irrep of complex type (the two-dimensional ones of a cyclic group).
        norm = torch.tensor([2.0 if rep.dim == 2 and isinstance(group, Cyclic) else 1.0 for rep in irreps], dtype=torch.float64)
        assert torch.allclose(gram, torch.diag(norm), atol=1e-12)
        # They are all there is: the squares of their dimensions, each over its norm, add up to the order.
        assert sum(rep.dim**2 / float(c) for rep, c in zip(irreps, norm)) == group.order
        for rep in irreps:
            check_rep(rep)


@pytest.mark.parametrize(
    "group",
    [Dihedral(4), Symmetric(3), MatrixGroup(torch.tensor([[[0.0, -1.0], [1.0, 0.0]]], dtype=torch.float64))],
    ids=["D_4", "S_3", "C_4 of matrices"],
)
def test_regular_representation(group):
    V = group.regular
    check_rep(V)
    character = V.matrix(group.elements()).diagonal(dim1=-2, dim2=-1).sum(-1)
    assert character.tolist() == [group.order] + [0] * (int(group.order) - 1)


# ---- what is refused ----


@pytest.mark.parametrize("group", [Symmetric(3), Alternating(4), SMALL[0]], ids=str)
def test_position_of_a_stranger_is_refused(group):
    stranger = torch.zeros(group.n, dtype=torch.int64)
    with pytest.raises(ArgumentError, match="'g'"):
        index_of(group, torch.stack([group.elements()[1], stranger]))


def test_orders_of_large_groups_are_exact_integers():
    assert Symmetric(50).order == math.factorial(50)
    assert Alternating(30).order == math.factorial(30) // 2
    big = PermutationGroup(Symmetric(12).generators)
    assert big.order == math.factorial(12)
    with pytest.raises(UnsupportedError, match="multiplication table"):
        multiplication_table(big)
