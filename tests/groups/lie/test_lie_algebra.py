"""Brackets, structure constants, adjoint maps, closure, comparison."""

from __future__ import annotations

import math

import pytest
import torch
from lie_catalogue import GROUPS, IDS, rng

from erlangen.errors import ArgumentError
from erlangen.groups.algebra import LieAlgebra
from erlangen.groups.linear import SL, gl_basis, sl_basis
from erlangen.groups.orthogonal import SO, so_basis
from erlangen.groups.symplectic import Sp, sp_basis
from erlangen.groups.torus import torus_basis

LIE = [(g, i) for (g, dim, _), i in zip(GROUPS, IDS) if dim]


@pytest.mark.parametrize("group", [g for g, _ in LIE], ids=[i for _, i in LIE])
def test_identities_of_closed_algebras(group):
    lie = group.algebra
    assert lie.closure_residual() < 1e-12
    assert lie.closure().dim == lie.dim
    c = lie.structure_constants()
    k = range(lie.dim)
    brackets = torch.stack([torch.stack([lie.bracket(lie.basis[i], lie.basis[j]) for j in k]) for i in k])
    torch.testing.assert_close(lie.combine(c), brackets, rtol=0, atol=1e-12)
    torch.testing.assert_close(c, -c.transpose(0, 1))
    jacobi = torch.einsum("ijm,mkl->ijkl", c, c)
    jacobi = jacobi + jacobi.permute(1, 2, 0, 3) + jacobi.permute(2, 0, 1, 3)
    assert float(jacobi.abs().max()) < 1e-11
    # ad is a homomorphism, and Ad(exp a) = exp(ad a).
    a, b = lie.combine(0.4 * torch.randn(2, lie.dim, generator=rng(), dtype=torch.float64) / math.sqrt(lie.dim))
    torch.testing.assert_close(lie.adjoint(lie.bracket(a, b)), lie.bracket(lie.adjoint(a), lie.adjoint(b)), rtol=0, atol=1e-12)
    torch.testing.assert_close(lie.conjugation(group.exp(a)), torch.linalg.matrix_exp(lie.adjoint(a)), atol=1e-12, rtol=0)
    # The Killing form is invariant: B([x, y], z) = B(x, [y, z]).
    killing = lie.killing_form()
    left = torch.einsum("ijm,mk->ijk", c, killing)
    torch.testing.assert_close(left, torch.einsum("jkm,im->ijk", c, killing), rtol=0, atol=1e-11)


def test_killing_forms_of_textbooks():
    eye = torch.eye(3, dtype=torch.float64)
    torch.testing.assert_close(SO(3).algebra.killing_form(), -2 * eye)
    # so(n): B(x, y) = (n - 2) tr(xy);  sl(n): 2n tr(xy);  sp(2m): (2m + 2) tr(xy).
    for lie, factor in ((SO(5).algebra, 3), (SO(1, 3).algebra, 2), (SL(3).algebra, 6), (Sp(4).algebra, 6)):
        trace = torch.einsum("iab,jba->ij", lie.basis, lie.basis)
        torch.testing.assert_close(lie.killing_form(), factor * trace, rtol=0, atol=1e-11)


def test_dimensions_of_the_bases():
    for n in range(2, 6):
        assert gl_basis(n).shape == (n * n, n, n)
        assert sl_basis(n).shape == (n * n - 1, n, n)
        assert so_basis(n).shape == (n * (n - 1) // 2, n, n)
        assert sp_basis(n).shape == (n * (2 * n + 1), 2 * n, 2 * n)
        assert torus_basis(n).shape == (n, 2 * n, 2 * n)
        for basis in (gl_basis(n), sl_basis(n), so_basis(1, n - 1), sp_basis(n)):
            assert torch.linalg.matrix_rank(basis.flatten(1)) == len(basis)


def test_closure_of_two_generators():
    rotations = LieAlgebra(SO(3).algebra.basis[:2])
    assert rotations.closure_residual() == pytest.approx(1)
    assert rotations.closure().same_span(SO(3).algebra)
    assert LieAlgebra(SO(1, 3).algebra.basis[[0, 1, 2]]).closure().dim == 6  # boosts make rotations
    assert LieAlgebra(torus_basis(3)).closure_residual() == 0


def test_closure_residual_by_hand():
    """One bracket, half of it outside."""
    L = torch.zeros(3, 2, 2, dtype=torch.float64)
    L[0, 0, 1] = L[1, 1, 0] = 1.0
    L[2] = torch.diag(torch.tensor([1.0, 1.0]))  # [e, f] = diag(1, -1) is orthogonal to it
    assert LieAlgebra(L).closure_residual() == pytest.approx(1)
    L[2] = torch.diag(torch.tensor([1.0, 0.0]))  # half of |diag(1, -1)|^2 lies along it
    assert LieAlgebra(L[:3]).closure_residual() == pytest.approx(math.sqrt(0.5))


def test_dependent_matrices_are_no_basis():
    x, y, z = so_basis(3)
    for matrices, rank in [([x, y, x + y], 2), ([x, x, x], 1), ([x, y, z, 1e-8 * x], 3), ([x, torch.zeros(3, 3)], 1)]:
        with pytest.raises(ArgumentError, match=f"'basis'.*a span of {rank}.*spanned_by"):
            LieAlgebra(torch.stack(matrices))
        spanned = LieAlgebra.spanned_by(torch.stack(matrices))
        assert spanned.dim == rank
        assert torch.equal(spanned.basis[0], x)  # the earlier ones are kept as they are
    # Neither size nor neighbourhood makes a basis dependent.
    assert LieAlgebra(torch.stack([x, 1e-21 * y, x + 1e-8 * z])).dim == 3


def test_orthonormal_keeps_the_span_and_drops_nearly_dependent_matrices():
    lie = LieAlgebra(torch.cat([3 * so_basis(3), so_basis(3)[:1] + so_basis(3)[1:2] + 1e-10 * torch.eye(3)]))
    clean = lie.orthonormal()
    assert clean.dim == 3
    gram = clean.basis.flatten(1) @ clean.basis.flatten(1).mT
    torch.testing.assert_close(gram, torch.eye(3, dtype=torch.float64))
    assert clean.same_span(SO(3).algebra)


def test_principal_cosines():
    lie = SO(3).algebra
    torch.testing.assert_close(lie.principal_cosines(lie), torch.ones(3, dtype=torch.float64))
    tilt = math.radians(30)
    symmetric = torch.zeros(3, 3, dtype=torch.float64)
    symmetric[0, 1] = symmetric[1, 0] = 1.0
    tilted = LieAlgebra((math.cos(tilt) * lie.basis[0] + math.sin(tilt) * symmetric).unsqueeze(0))
    assert float(tilted.principal_cosines(lie)[0]) == pytest.approx(math.cos(tilt), abs=1e-14)
    scaled = LieAlgebra(-250 * lie.basis.flip(0))
    torch.testing.assert_close(scaled.principal_cosines(lie), torch.ones(3, dtype=torch.float64))
    with pytest.raises(ArgumentError, match="other"):
        lie.principal_cosines(SO(4).algebra)


def test_restriction_to_the_data_span():
    """Generators that agree on q2 = -q1 are the same there, as for two bodies about their centre of mass."""
    R = so_basis(2)[0]
    zero = torch.zeros(2, 2, dtype=torch.float64)
    plain = LieAlgebra(torch.block_diag(R, R).unsqueeze(0))
    mixed = LieAlgebra(torch.cat([torch.cat([R, -R], 1), torch.cat([-R, R], 1)]).unsqueeze(0) / 2)
    assert float(plain.principal_cosines(mixed)[0]) == pytest.approx(math.sqrt(0.5))
    eye = torch.eye(2, dtype=torch.float64)
    span = torch.cat([eye, -eye])
    assert float(plain.restricted_to(span).principal_cosines(mixed.restricted_to(span))[0]) == pytest.approx(1)
    both = LieAlgebra(torch.cat([plain.basis, mixed.basis]))
    assert both.restricted_to(span).dim == 1
    vanishing = LieAlgebra(torch.cat([torch.cat([zero, R], 1), torch.cat([zero, zero], 1)]).unsqueeze(0))
    assert vanishing.restricted_to(torch.cat([eye, 0 * eye])).dim == 0


def test_algebras_are_values():
    assert LieAlgebra(so_basis(3), "a") == LieAlgebra(so_basis(3), "b")
    assert hash(LieAlgebra(so_basis(3))) == hash(LieAlgebra(so_basis(3)))
    assert LieAlgebra(so_basis(3)) != LieAlgebra(2 * so_basis(3))
    assert LieAlgebra(so_basis(3)).same_span(LieAlgebra(2 * so_basis(3)))
    assert not LieAlgebra(so_basis(3)).same_span(LieAlgebra(so_basis(1, 2)))


def test_the_adjoint_maps_are_batched_and_keep_the_dtype():
    a = SO(3).algebra.combine(torch.randn(2, 5, 3, generator=rng()))
    assert SO(3).algebra.adjoint(a).shape == (2, 5, 3, 3)
    assert SO(3).algebra.conjugation(SO(3).exp(a)).dtype == torch.float32
