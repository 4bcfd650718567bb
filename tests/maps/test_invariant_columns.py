"""Columns that a group leaves unchanged: invariant in any basis, complete where theory says so, the known closed forms."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import erlangen as er
from erlangen.errors import ArgumentError
from erlangen.groups import GLplus, Scalings
from erlangen.maps import EquivariantVectors, OrbitRepresentative, PolynomialInvariants, invariant_columns


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def affine(linear, shifts=None):
    """Generators (A | b) of linear ones, and of translations."""
    n = linear.shape[-1]
    parts = [torch.nn.functional.pad(linear, (0, 1))]
    if shifts is not None:
        parts.append(torch.cat([torch.zeros(len(shifts), n, n, dtype=torch.float64), shifts.unsqueeze(-1)], -1))
    return torch.cat(parts)


def in_basis(generators, m, centre):
    """The same moves in coordinates ``y = m x + centre``."""
    n = len(m)
    change = torch.eye(n + 1, dtype=torch.float64)
    change[:n, :n], change[:n, n] = m, centre
    whole = torch.nn.functional.pad(generators, (0, 0, 0, 1))
    return (change @ whole @ torch.linalg.inv(change))[:, :n]


def relative(a, b):
    return float(((a - b).abs().amax(0) / b.abs().amax(0).clamp_min(1e-300)).max())


eye = torch.eye(3, dtype=torch.float64)
turns = er.SO(3).algebra.basis
ALGEBRAS = {
    "rotations": (affine(turns), 3, 0),
    "rigid motions": (affine(turns, eye), 3, 0),
    "similarities": (affine(torch.cat([turns, eye[None]]), eye), 4, 0),
    "dilations": (affine(eye[None]), 2, 0),
    "about an axis, across it": (affine(er.SO(2, axis="z").algebra.basis, eye[:2]), 3, 0),
    "Lorentz": (affine(er.SO(1, 2).algebra.basis), 3, 0),
    "Poincare": (affine(er.SO(1, 2).algebra.basis, eye), 3, 0),
    "volume": (affine(er.SL(3).algebra.basis), 4, 0),
    "linear maps": (affine(GLplus(3).algebra.basis), 5, 0),
    "shear": (affine(torch.tensor([[[0.0, 1.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]], dtype=torch.float64)), 3, 0),
    # A helix has one invariant more, angle less height, which is no polynomial.
    "screw": (torch.cat([er.SO(2, axis="z").algebra.basis, eye[2:, :, None]], -1), 3, 1),
}


@pytest.mark.parametrize("name", ALGEBRAS)
@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**20))
def test_columns_of_any_algebra_are_invariant_in_hidden_bases(name, seed):
    generators, tokens, missing = ALGEBRAS[name]
    q, _ = torch.linalg.qr(normal(3, 3, seed=seed))
    m = q @ torch.diag(torch.exp(0.5 * normal(3, seed=seed + 1)))
    hidden = in_basis(generators, m, normal(3, seed=seed + 2))
    columns = PolynomialInvariants(hidden, tokens)
    assert columns.missing == missing
    x = normal(6, tokens, 3, seed=seed + 3)
    whole = torch.einsum("bk,kij->bij", 0.4 * normal(6, len(hidden), seed=seed + 4), torch.nn.functional.pad(hidden, (0, 0, 0, 1)))
    g = torch.matrix_exp(whole)
    moved = x @ g[:, :3, :3].mT + g[:, None, :3, 3]
    assert len(columns) > 0
    assert relative(columns(moved), columns(x)) < 1e-10


GROUPS = [
    er.SO(3), er.O(2), er.SO(1, 3, connected=True), er.E(3), er.SE(2), er.Sp(4), er.SL(2), er.Torus(2), er.SO(2, axis="z"), er.AxialSE("z"),
    er.Isometries(torch.tensor([[2.0, 1.0], [1.0, -3.0]])), Scalings(2), er.Cyclic(4), er.Dihedral(5), er.Symmetric(3),
    er.MatrixGroup(generators=[torch.tensor([[0.0, -1.0], [1.0, 0.0]])]), er.MatrixGroup(generators=[-torch.eye(3)]), er.Affine(2),
]  # fmt: skip


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_columns_of_named_groups_are_invariant(group):
    columns = invariant_columns(group, 4)
    action = group.point
    x = normal(16, 4, action.data_shape[0])
    g = group.sample(16, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    assert relative(columns(action.act(g, x)), columns(x)) < 1e-10
    assert len(columns.names) == len(set(columns.names)) == columns(x).shape[1]


@pytest.mark.parametrize("group", [g for g in GROUPS if not g.is_finite], ids=str)
def test_vectors_move_with_the_group(group):
    vectors = EquivariantVectors(group, 3)
    x = normal(16, 3, vectors.dim)
    g = group.sample(16, generator=torch.Generator().manual_seed(6), dtype=torch.float64)
    want, got = group.vector.act(g, vectors(x)), vectors(group.point.act(g, x))
    assert (got - want).abs().max() < 1e-10 * want.abs().max()
    assert len(vectors.names) == vectors(x).shape[1]


def test_isometries_have_the_products_by_their_form():
    x, form = normal(5, 3, 4), torch.diag(torch.tensor([1.0, -1.0, -1.0, -1.0], dtype=torch.float64))
    columns = PolynomialInvariants(er.O(1, 3), 3)
    gram = x @ form @ x.mT
    want = torch.stack([gram[:, 0, 0], gram[:, 1, 1], gram[:, 2, 2], gram[:, 0, 1], gram[:, 0, 2], gram[:, 1, 2]], -1)
    torch.testing.assert_close(columns(x), want)
    torch.testing.assert_close(columns.symmetric_pairs(x)[0], gram)


def test_motions_have_the_squares_of_distances_and_rotations_the_volumes():
    x = normal(5, 4, 3)
    columns = PolynomialInvariants(er.SE(3), 4)
    i, j = torch.triu_indices(4, 4, 1)
    torch.testing.assert_close(columns(x)[:, :6], (x[:, i] - x[:, j]).square().sum(-1))
    torch.testing.assert_close(columns(x)[:, 6], torch.linalg.det(x[:, 1:] - x[:, :1]))
    torch.testing.assert_close(columns.symmetric_pairs(x)[0], torch.cdist(x, x) ** 2)
    assert not any("volume" in name for name in PolynomialInvariants(er.E(3), 4).names)


def test_linear_groups_have_determinants_and_their_ratios():
    x = normal(5, 4, 3)
    special = PolynomialInvariants(er.SL(3), 4)
    dets = torch.stack([torch.linalg.det(x[:, list(c)]) for c in ((0, 1, 2), (0, 1, 3), (0, 2, 3), (1, 2, 3))], -1)
    torch.testing.assert_close(special(x), dets)
    torch.testing.assert_close(PolynomialInvariants(GLplus(3), 4)(x), dets / dets.norm(dim=1, keepdim=True))


def test_dilations_give_tokens_over_their_size():
    x = normal(5, 2, 3)
    torch.testing.assert_close(PolynomialInvariants(Scalings(3), 2)(x), x.flatten(1) / x.flatten(1).norm(dim=1, keepdim=True))


def test_pairs_are_divided_as_columns_are():
    x = normal(5, 4, 3)
    columns = PolynomialInvariants(ALGEBRAS["similarities"][0], 4)
    pairs = columns.symmetric_pairs(x)[0]
    i, j = torch.triu_indices(4, 4, 1)
    torch.testing.assert_close(pairs[:, i, j], columns(x))
    torch.testing.assert_close(columns.symmetric_pairs(7 * x + 3)[0], pairs)


def test_cross_products_are_the_vectors_of_rotations_alone():
    x = normal(5, 2, 3)
    vectors = EquivariantVectors(er.SO(3), 2)
    cross = torch.linalg.cross(x[:, 0], x[:, 1])
    got = vectors(x)[:, 2]
    torch.testing.assert_close(got.abs(), cross.abs())
    torch.testing.assert_close(EquivariantVectors(er.O(3), 2)(x), x)
    fixed = EquivariantVectors(er.SO(2, axis="z"), 1)
    assert fixed(x[:, :1])[:, 0].tolist() == [[0.0, 0.0, 1.0]] * 5


def test_the_last_of_an_orbit_says_which_orbit_it_is():
    x = normal(50, 2, 5)
    for group in (er.Cyclic(5), er.Symmetric(5), er.Alternating(5)):
        columns = OrbitRepresentative(group, 2)
        g = group.sample(50, generator=torch.Generator().manual_seed(1))
        moved = group.vector.act(g, x)
        torch.testing.assert_close(columns(moved), columns(x), rtol=0, atol=0)
        # The columns are a member of the orbit: some element gives them.
        every = group.vector.act(group.elements().unsqueeze(1), x.unsqueeze(0)).flatten(2)
        assert bool((every == columns(x)).all(-1).any(0).all())


def test_counts_follow_the_formulas():
    assert len(PolynomialInvariants(er.O(3), 6)) == 21
    assert len(PolynomialInvariants(er.Sp(4), 6)) == 15
    assert len(PolynomialInvariants(er.SL(2), 6)) == 15
    assert len(PolynomialInvariants(er.SO(3), 6)) == 21 + math.comb(6, 3)
    # Rotations of the plane by quarters: a product, an area, and two forms of degree four for one token.
    quarter = er.MatrixGroup(generators=[torch.tensor([[0.0, -1.0], [1.0, 0.0]])])
    assert len(PolynomialInvariants(quarter, 1)) == 3


def test_what_does_not_fit_is_named():
    with pytest.raises(ArgumentError, match="'tokens'"):
        PolynomialInvariants(er.SO(3), 0)
    with pytest.raises(ArgumentError, match="'degree'"):
        PolynomialInvariants(er.SO(3), 2, degree=7)
    with pytest.raises(ArgumentError, match=r"'x'.*\[B, 2, 3\]"):
        PolynomialInvariants(er.SO(3), 2)(torch.zeros(4, 3, 3))
    with pytest.raises(ArgumentError, match="'group'"):
        PolynomialInvariants(torch.zeros(2, 3, 5), 2)
    with pytest.raises(ArgumentError, match="'group'.*1 tokens"):
        invariant_columns(er.SE(3), 1)
    with pytest.raises(ArgumentError, match="at most 1000"):
        OrbitRepresentative(er.SO(3), 2)
