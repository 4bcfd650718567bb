"""Invariant forms, the metric, named algebras and snapping, by numbers that are known exactly."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lie_catalogue import rng

from erlangen.errors import ArgumentError
from erlangen.groups.affine import SE, Translations
from erlangen.groups.algebra import LieAlgebra
from erlangen.groups.algebra_forms import algebra_of_form, form_basis
from erlangen.groups.linear import SL, Affine, GLplus, Scalings
from erlangen.groups.matrix import MatrixGroup
from erlangen.groups.named_algebras import nearest_named
from erlangen.groups.orthogonal import SO, Isometries, so_basis
from erlangen.groups.symplectic import Sp, symplectic_form
from erlangen.groups.torus import Torus

F64 = torch.float64
MINKOWSKI = torch.diag(torch.tensor([1.0, -1, -1, -1], dtype=F64))


def direct_spectrum(lie: LieAlgebra, symmetric: bool = True):
    """The singular values, from the definition and one large SVD."""
    columns = []
    for S in form_basis(lie.n, symmetric):
        columns.append(torch.stack([L.mT @ S + S @ L for L in lie.basis]).flatten())
    return torch.linalg.svdvals(torch.stack(columns, 1)).flip(0)


def test_metric_of_the_lorentz_algebra():
    forms = SO(1, 3).algebra.invariant_forms()
    assert float(forms.singular_values[0]) < 1e-12
    assert float(forms.singular_values[1]) == pytest.approx(2.828427, abs=1e-6)
    metric = SO(1, 3).algebra.metric()
    torch.testing.assert_close(metric.form, MINKOWSKI / 2, rtol=0, atol=1e-12)
    assert metric.signature == (1, 3)
    assert metric.singular_value < 1e-12
    assert metric.next_singular_value == pytest.approx(2 * math.sqrt(2), abs=1e-12)
    assert metric
    assert metric.dimension == 1


def test_metric_of_rotations():
    metric = SO(3).algebra.metric()
    torch.testing.assert_close(metric.form, torch.eye(3, dtype=F64) / math.sqrt(3), rtol=0, atol=1e-12)
    assert metric.signature == (3, 0)


def test_sl2_has_no_metric_but_a_symplectic_form():
    forms = SL(2).algebra.invariant_forms()
    assert not forms
    assert len(forms) == 0
    assert float(forms.singular_values[0]) == pytest.approx(2.0, abs=1e-12)
    assert not SL(2).algebra.metric()
    area = SL(2).algebra.invariant_forms(symmetric=False)
    assert area
    torch.testing.assert_close(area.forms[0].abs(), torch.tensor([[0.0, 1], [1, 0]], dtype=F64) / math.sqrt(2))
    assert not SL(3).algebra.metric()
    assert not GLplus(4).algebra.metric()


def test_two_planes_have_two_metrics():
    forms = Torus(2).algebra.invariant_forms()
    assert len(forms) == 2
    metric = Torus(2).algebra.metric()
    assert metric.dimension == 2
    torch.testing.assert_close(metric.form, torch.eye(4, dtype=F64) / 2)  # of the many, the one people would name
    gram = torch.einsum("aij,bij->ab", forms.forms, forms.forms)
    torch.testing.assert_close(gram, torch.eye(2, dtype=F64), rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_metric_of_noisy_generators(seed):
    noise = 0.05 * torch.randn(6, 4, 4, generator=rng(seed), dtype=F64)
    lie = LieAlgebra(SO(1, 3).algebra.basis + noise)
    metric = lie.metric()
    assert metric
    assert abs(float((metric.form * MINKOWSKI / 2).sum())) >= 0.99
    assert 0.1 < metric.singular_value < 0.6
    assert metric.signature == (1, 3)
    named = lie.nearest_named()
    assert named.name == "so(1,3)"
    assert float(named.cosines.min()) > 0.95
    assert lie.snap().same_span(SO(1, 3).algebra)
    assert lie.snap().group() == SO(1, 3, connected=True)


@pytest.mark.parametrize("seed", range(20))
def test_random_generators_have_no_metric(seed):
    assert not LieAlgebra(torch.randn(6, 4, 4, generator=rng(seed), dtype=F64)).metric()


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("n", [2, 3, 4, 6])
def test_spectrum_against_the_definition(n, symmetric):
    for scale in (1.0, 1e-5):
        exact = so_basis(n) if symmetric else Sp(n).algebra.basis if n % 2 == 0 else so_basis(n)
        noise = scale * torch.randn(len(exact), n, n, generator=rng(n), dtype=F64)
        lie = LieAlgebra(exact + noise)
        mine = lie.invariant_forms(symmetric).singular_values
        direct = direct_spectrum(lie, symmetric)
        torch.testing.assert_close(mine, direct, rtol=1e-7, atol=1e-13)


def test_vectors_belong_to_their_singular_values():
    lie = LieAlgebra(so_basis(1, 3) + 1e-4 * torch.randn(6, 4, 4, generator=rng(), dtype=F64))
    forms = lie.invariant_forms()
    for J, value in zip(forms.vectors, forms.singular_values):
        residual = torch.stack([L.mT @ J + J @ L for L in lie.basis]).norm()
        assert float(residual) == pytest.approx(float(value), rel=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 6), st.data())
def test_dimension_of_the_algebra_of_a_form(n, data):
    p = data.draw(st.integers(0, n))
    seed = data.draw(st.integers(0, 1000))
    S = torch.randn(n, n, generator=rng(seed), dtype=F64) + 3 * torch.eye(n, dtype=F64)
    if torch.linalg.cond(S) > 50:
        return
    J = S.mT @ torch.diag(torch.tensor([1.0] * p + [-1.0] * (n - p), dtype=F64)) @ S
    J = (J + J.mT) / 2
    basis = algebra_of_form(J)
    assert basis.shape == (n * (n - 1) // 2, n, n)
    assert torch.linalg.matrix_rank(basis.flatten(1)) == len(basis)
    assert float((basis.mT @ J + J @ basis).abs().max()) < 1e-9 * float(J.norm())
    assert LieAlgebra(basis).closure_residual() < 1e-6
    if n > 2 or p != 1:
        found = LieAlgebra(basis).metric()
        cosine = float((found.form * J).sum() / J.norm())
        assert abs(cosine) == pytest.approx(1, abs=1e-6)
    assert LieAlgebra(basis).same_span(Isometries(J).algebra, 1e-7)


def test_algebra_of_an_antisymmetric_form_is_symplectic():
    assert LieAlgebra(algebra_of_form(symplectic_form(2))).same_span(Sp(4).algebra)


@pytest.mark.parametrize("form", [torch.diag(torch.tensor([1.0, 0.0])), torch.tensor([[1.0, 2], [0, 1]]), torch.zeros(2, 3)])
def test_algebra_of_a_bad_form_is_refused(form):
    with pytest.raises(ArgumentError, match="form"):
        algebra_of_form(form)


def test_dilations_hide_a_metric_unless_it_may_be_rescaled():
    """Massless data: the light cone has the dilation as a symmetry too."""
    lie = LieAlgebra(torch.cat([so_basis(1, 3), torch.eye(4, dtype=F64).unsqueeze(0)]))
    assert not lie.metric()
    conformal = lie.metric(conformal=True)
    torch.testing.assert_close(conformal.form, MINKOWSKI / 2, rtol=0, atol=1e-12)
    assert lie.nearest_named().name == "so(1,3) + dilation"


@pytest.mark.parametrize(
    ("group", "name"),
    [
        (SO(2), "so(2)"),
        (SO(3), "so(3)"),
        (SO(6), "so(6)"),
        (SO(1, 3, connected=True), "so(1,3)"),
        (SO(3, 1, connected=True), "so(3,1)"),
        (SO(2, 2, connected=True), "so(2,2)"),
        (SO(2, axis="y"), "so(2) about y"),
        (Sp(4), "sp(4)"),
        (SL(2), "sl(2)"),
        (SL(3), "sl(3)"),
        (GLplus(3), "gl(3)"),
        (Scalings(3), "dilations"),
        (Torus(2), "u(1)^2"),
        (SE(2), "se(2)"),
        (SE(3), "se(3)"),
        (Translations(3), "translations(3)"),
        (Affine(2), "aff(2)"),
    ],
    ids=str,
)
def test_every_named_algebra_finds_itself(group, name):
    shuffled = torch.randn(group.dim, group.dim, generator=rng(3), dtype=F64)
    lie = LieAlgebra(torch.einsum("ab,bij->aij", shuffled, group.algebra.basis))
    named = lie.nearest_named()
    assert named.name == name
    assert named.overlap == pytest.approx(1)
    torch.testing.assert_close(named.cosines, torch.ones(group.dim, dtype=F64))
    assert lie.group() == group


def test_names_in_other_coordinates():
    turn = SO(4).sample(generator=rng(), dtype=F64)
    stretch = torch.diag(torch.tensor([1.0, 2, 3, 4], dtype=F64))
    to = turn @ stretch
    lie = LieAlgebra(torch.linalg.inv(to) @ so_basis(1, 3) @ to)
    named = lie.nearest_named()
    assert named.name == "so(1,3) of its own metric"
    assert named.overlap == pytest.approx(1)
    form = named.group.form
    expected = to.mT @ MINKOWSKI @ to
    torch.testing.assert_close(form, expected / expected.norm(), rtol=0, atol=1e-9)
    axis = torch.tensor([1.0, 2, 2], dtype=F64)
    about = LieAlgebra(SO(2, axis=axis).algebra.basis * -4).nearest_named()
    assert about.overlap == pytest.approx(1)
    assert about.group.contains(SO(2, axis=axis).sample(5, dtype=F64)).all()


def test_copies_of_one_plane():
    blocks = torch.kron(torch.eye(4, dtype=F64), so_basis(2))
    noise = 0.03 * torch.randn(1, 8, 8, generator=rng(), dtype=F64)
    named = LieAlgebra(blocks + noise).nearest_named()
    assert named.name == "so(2) on 4 copies"
    assert float(named.cosines[0]) > 0.98


def test_snap_to_a_name():
    noisy = LieAlgebra(so_basis(3) + 0.05 * torch.randn(3, 3, 3, generator=rng(), dtype=F64))
    assert noisy.snap("so(3)").same_span(SO(3).algebra)
    assert noisy.snap("sl(3)").same_span(SL(3).algebra)
    with pytest.raises(ArgumentError, match=r"so\(3\)"):
        noisy.snap("e8")
    assert type(noisy.group()) is MatrixGroup
    assert noisy.group().dim == 3
    with pytest.raises(ArgumentError, match="dimension 0"):
        LieAlgebra(torch.zeros(0, 3, 3)).nearest_named()


@pytest.mark.parametrize("copies", [1, 2, 3])
def test_overlaps_with_orthogonal_algebras_in_closed_form(copies):
    """Against the products of both bases, for spans that are near nothing."""
    d = 6 // copies
    lie = LieAlgebra(torch.randn(4, 6, 6, generator=rng(5), dtype=F64))
    for p in (d, *range(1, d)):
        label = (f"so({p},{d - p})" if p < d else f"so({d})") + (f" on {copies} copies" if copies > 1 else "")
        for name in (label, f"{label} + dilation"):
            named = nearest_named(lie, name)
            inner = named.algebra._columns.mT @ lie._columns
            assert named.overlap == pytest.approx(float(inner.square().sum()) / max(named.algebra.dim, 4), rel=1e-12)


def test_a_large_orthogonal_algebra_finds_itself():
    named = SO(20, 40).algebra.nearest_named()
    assert named.name == "so(20,40)"
    assert named.overlap == pytest.approx(1)
    assert bool((named.cosines == 1).all())
