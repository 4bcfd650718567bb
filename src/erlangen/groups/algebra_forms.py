"""Bilinear forms that a Lie algebra keeps, in closed form, and the algebra that keeps a given form."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError

#: A form counts as kept exactly when its residual (relative to the size of the basis) is below this.
EXACT = 1e-8
#: An eigenvalue of a form below this part of its largest one makes the form degenerate.
DEGENERATE = 1e-6
#: Singular values below this part of the size of the basis are computed anew from the vectors themselves.
REFINE = 1e-2


@dataclass(frozen=True)
class InvariantForms:
    """The bilinear forms ``J`` with ``L^T J + J L = 0`` for every basis matrix ``L``.

    Attributes:
        forms: those kept, ``[m, n, n]``, orthonormal in the Frobenius norm, best first.
        singular_values: the whole spectrum of ``J -> (L_i^T J + J L_i)_i`` on unit forms, ascending. It scales with
            the basis.
        vectors: the forms that belong to ``singular_values``, ``[len, n, n]``.
        size: the norm of the basis, ``(sum_i |L_i|^2)^(1/2)``, beside which singular values are large or small.
        found: whether there is one.
    """

    forms: Tensor
    singular_values: Tensor
    vectors: Tensor
    size: float
    found: bool

    def __bool__(self) -> bool:
        return self.found

    def __len__(self) -> int:
        return len(self.forms)


@dataclass(frozen=True)
class Metric:
    """The symmetric form that an algebra keeps best.

    Attributes:
        form: ``J``, ``[n, n]``, of unit Frobenius norm; positive definite, or else with no more positive than
            negative directions.
        signature: ``(p, q)``, the numbers of positive and negative eigenvalues.
        singular_value: ``(sum_i |L_i^T J + J L_i|^2)^(1/2)``.
        residual: ``singular_value`` over the norm of the basis: 0 for a form kept exactly, of order 1 where there is
            none.
        next_singular_value: that of the next best form; ``inf`` when there is none.
        dimension: how many independent forms are kept within the tolerance; above 1 the metric is not unique.
        found: whether ``J`` is kept within the tolerance and not degenerate.
    """

    form: Tensor
    signature: tuple[int, int]
    singular_value: float
    residual: float
    next_singular_value: float
    dimension: int
    found: bool

    def __bool__(self) -> bool:
        return self.found


def invariant_forms(basis: Float[Tensor, "k n n"], symmetric: bool = True, tolerance: float = EXACT) -> InvariantForms:
    """All symmetric or antisymmetric forms kept by matrices; see :meth:`erlangen.LieAlgebra.invariant_forms`."""
    coordinates = form_basis(basis.shape[-1], symmetric)
    flat = coordinates.flatten(1)
    # The normal operator S -> sum L L^T S + S L L^T + L S L + L^T S L^T: its cost hardly depends on k.
    n = basis.shape[-1]
    eye = torch.eye(n, dtype=basis.dtype)
    square = torch.einsum("kij,klj->il", basis, basis)
    mixed = torch.einsum("kij,klm->imjl", basis, basis).reshape(n * n, n * n)
    normal = torch.kron(square, eye) + torch.kron(eye, square) + mixed + mixed.mT
    values, vectors = torch.linalg.eigh(flat @ normal @ flat.mT)
    singular = values.clamp_min(0).sqrt()
    size = float(basis.norm())
    # Squaring costs half the digits of small values: those are computed again from the residuals themselves.
    few = int((singular <= REFINE * size).sum())
    if few:
        forms = torch.einsum("ai,ajk->ijk", vectors[:, :few], coordinates)
        half = basis.mT.unsqueeze(0) @ forms.unsqueeze(1)
        residuals = half + (half.mT if symmetric else -half.mT)
        _, small, turn = torch.linalg.svd(residuals.flatten(1).mT, full_matrices=False)
        small = torch.cat([small, small.new_zeros(few - len(small))])
        if len(turn) == few:
            vectors = torch.cat([(vectors[:, :few] @ turn.mT).flip(-1), vectors[:, few:]], -1)
        singular = torch.cat([small.flip(-1), singular[few:]])
    every = torch.einsum("ai,ajk->ijk", vectors, coordinates)
    count = int((singular <= tolerance * size).sum())
    return InvariantForms(every[:count], singular, every, size, count > 0)


def best_metric(forms: InvariantForms, tolerance: float) -> Metric:
    """The best symmetric form among ``forms``; of equally good ones the least degenerate."""
    values, every = forms.singular_values, forms.vectors
    count = int((values <= tolerance * forms.size).sum())
    exact = max(count, 1)
    # Forms whose residuals agree up to rounding are equally good: mix them for one that is not degenerate.
    ties = max(int((values <= float(values[0]) + EXACT * forms.size).sum()), 1)
    candidates = [every[0]] if ties == 1 else _simple_mixtures(every[:ties])
    form = max(candidates, key=_conditioning)
    form = orient(form / form.norm())
    eigenvalues = torch.linalg.eigvalsh(form)
    residual = float(values[0]) / forms.size if forms.size else 0.0
    return Metric(
        form=form,
        signature=_signature(eigenvalues),
        singular_value=float(values[0]),
        residual=residual,
        next_singular_value=float(values[exact]) if len(values) > exact else float("inf"),
        dimension=count,
        found=count > 0 and sum(_signature(eigenvalues)) == len(form),
    )


def orient(form: Float[Tensor, "n n"]) -> Float[Tensor, "n n"]:
    """The sign of a symmetric form: definite ones positive, else timelike first (no more positive than negative ones).

    With as many of either, the largest entry of the diagonal is made positive.
    """
    eigenvalues = torch.linalg.eigvalsh(form)
    positive, negative = _signature(eigenvalues)
    if negative == 0 or positive == 0:
        return form if negative == 0 else -form
    if positive != negative:
        return form if positive < negative else -form
    diagonal = form.diagonal()
    return -form if diagonal[diagonal.abs().argmax()] < 0 else form


def algebra_of_form(form: Float[Tensor, "n n"]) -> Tensor:
    """A basis of ``{L : L^T J + J L = 0}`` for a non-degenerate form J, orthonormal.

    Symmetric J in ``R^n`` give ``n(n-1)/2`` matrices (so(p, q)), antisymmetric ones ``n(n+1)/2`` (sp(n)).

    Raises:
        ArgumentError: ``form`` is not square, neither symmetric nor antisymmetric, or degenerate.

    >>> algebra_of_form(torch.diag(torch.tensor([1.0, -1.0, -1.0]))).shape
    torch.Size([3, 3, 3])
    """
    form = torch.as_tensor(form).detach().to(torch.float64).cpu()
    if form.ndim != 2 or form.shape[0] != form.shape[1] or not torch.isfinite(form).all():
        raise ArgumentError("form", "a finite square matrix [n, n]", f"shape {tuple(form.shape)}")
    size = float(form.abs().max())
    symmetric = torch.allclose(form, form.mT, rtol=0, atol=1e-9 * size)
    if not symmetric and not torch.allclose(form, -form.mT, rtol=0, atol=1e-9 * size):
        raise ArgumentError("form", "a symmetric or an antisymmetric matrix", "one that is neither")
    values = torch.linalg.svdvals(form)
    if values[-1] <= 1e-10 * values[0]:
        raise ArgumentError("form", "a non-degenerate form", f"smallest singular value {float(values[-1]):.1e}")
    # J L is antisymmetric for a symmetric J and symmetric for an antisymmetric one.
    basis = torch.linalg.solve(form, form_basis(len(form), symmetric=not symmetric))
    q, r = torch.linalg.qr(basis.flatten(1).mT)
    return (q * torch.where(r.diagonal() < 0, -1.0, 1.0)).mT.reshape(basis.shape)


def form_basis(n: int, symmetric: bool = True) -> Tensor:
    """An orthonormal basis of the symmetric or antisymmetric matrices, ``[n(n +- 1)/2, n, n]``.

    >>> form_basis(3).shape, form_basis(3, symmetric=False).shape
    (torch.Size([6, 3, 3]), torch.Size([3, 3, 3]))
    """
    i, j = torch.triu_indices(n, n, 0 if symmetric else 1)
    index = torch.arange(len(i))
    basis = torch.zeros(len(i), n, n, dtype=torch.float64)
    weight = torch.full((len(i),), 0.5**0.5, dtype=torch.float64)
    weight[i == j] = 1.0
    basis[index, i, j] = weight
    basis[index, j, i] = weight if symmetric else -weight
    return basis


def _signature(eigenvalues: Tensor) -> tuple[int, int]:
    """How many eigenvalues are clearly positive and clearly negative."""
    zero = DEGENERATE * float(eigenvalues.abs().max())
    return int((eigenvalues > zero).sum()), int((eigenvalues < -zero).sum())


def _conditioning(form: Tensor) -> float:
    values = torch.linalg.eigvalsh(form).abs()
    return float(values.min() / values.max())


def _simple_mixtures(forms: Tensor) -> list[Tensor]:
    """Members of a space of forms that people would name: near the identity, near Minkowski's, and the basis."""
    n = forms.shape[-1]
    minkowski = -torch.eye(n, dtype=forms.dtype)
    minkowski[0, 0] = 1.0
    mixtures = []
    for wanted in (torch.eye(n, dtype=forms.dtype), minkowski):
        projected = torch.einsum("a,aij->ij", torch.einsum("aij,ij->a", forms, wanted), forms)
        if projected.norm() > 1e-6:
            mixtures.append(projected / projected.norm())
    return [*mixtures, *forms]
