"""Least squares with soft and hard equivariance, in closed form: one linear system for each type of output, whatever its copies."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError, UnsupportedError
from erlangen.maps.subspaces import common_basis, entries, equivariant_basis
from erlangen.reps import Rep
from erlangen.reps.layout import Layout, TensorType

#: Systems larger than this are refused: their factorisation would take minutes.
LARGEST_SYSTEM = 6000


def least_squares(
    gram: Float[Tensor, "n n"],
    cross: Float[Tensor, "m n"],
    source: Layout,
    target: Layout,
    vectors: Mapping[str, Rep],
    strengths: Mapping[str, float],
    weight_decay: float,
) -> Float[Tensor, "m n"]:
    """The matrix ``W`` with the least ``1/2 mean|y - W x|^2 + sum_k strength_k R_k(W) + weight_decay/2 |W|^2``.

    Args:
        gram, cross: the means of ``x x^T`` and ``y x^T``, in float64.
        source, target: what ``x`` and ``y`` are.
        vectors: how each group moves the space.
        strengths: of each group; ``inf`` for at most one, whose equivariant matrices alone are then allowed.
        weight_decay: at least 0.

    Raises:
        ArgumentError: several infinite strengths.
        UnsupportedError: a system of more than 6000 unknowns.
    """
    hard = [name for name, s in strengths.items() if s == math.inf]
    if len(hard) > 1:
        raise ArgumentError("strengths", "inf for one group at most", f"for {', '.join(hard)}", "give the group that both generate")
    soft = [(vectors[name], s) for name, s in strengths.items() if 0 < s < math.inf]
    weights = torch.zeros_like(cross)
    n = len(gram)
    for kind, above in target.places.items():
        size = above.shape[1]
        right = cross[above]  # [copies, size, n]
        if not hard and not soft:
            plain = gram + weight_decay * torch.eye(n, dtype=gram.dtype)
            weights[above] = _solve(plain, right.flatten(0, 1).mT).mT.view_as(right)
            continue
        if n * size > LARGEST_SYSTEM:
            raise UnsupportedError(
                f"the system for outputs of type {kind} has {n * size} unknowns, more than {LARGEST_SYSTEM}; take fewer features"
            )
        system = _system(gram, kind, source, soft, weight_decay) if soft else None
        unknown = right.flatten(1).mT
        if hard:
            basis = allowed([vectors[hard[0]]], kind, source)
            if not basis.shape[1]:
                continue
            if system is None:
                moved = torch.einsum("ij,ajp->aip", gram, basis.view(size, n, -1)).reshape(size * n, -1)
                reduced = basis.mT @ moved + weight_decay * torch.eye(basis.shape[1], dtype=gram.dtype)
            else:
                reduced = basis.mT @ system @ basis
            found = basis @ _solve(reduced, basis.mT @ unknown)
        else:
            assert system is not None
            found = _solve(system, unknown)
        weights[above] = found.mT.view_as(right)
    return weights


def _system(gram: Tensor, kind: TensorType, source: Layout, soft: Sequence[tuple[Rep, float]], weight_decay: float) -> Tensor:
    """``I ⊗ C + wd + sum_k strength_k (I - P_k)`` on the rows of one output tensor, ``[size * n, size * n]``."""
    n, size = len(gram), source.d**kind.rank
    system = torch.kron(torch.eye(size, dtype=gram.dtype), gram)
    system.diagonal().add_(weight_decay + sum(s for _, s in soft))
    for inp, left in source.places.items():
        block = gram.new_zeros(size * left.shape[1], size * left.shape[1])
        for vector, strength in soft:
            q = equivariant_basis(vector, kind, inp).flatten(1).to(gram)
            block += strength * (q.mT @ q)
        index = entries(torch.arange(size)[None], left, n)  # one row of places for each copy of the input tensor
        for places in index:
            system[places[:, None], places] -= block
    return system


def allowed(vectors: Sequence[Rep], kind: TensorType, source: Layout) -> Tensor:
    """Orthonormal columns ``[size * n, p]``: the matrices to one output tensor that are equivariant under all these groups."""
    n, size = source.dim, source.d**kind.rank
    columns = []
    for inp, left in source.places.items():
        q = common_basis(vectors, kind, inp)
        if not q.shape[1]:
            continue
        for places in entries(torch.arange(size)[None], left, n):
            column = q.new_zeros(size * n, q.shape[1])
            column[places] = q
            columns.append(column)
    return torch.cat(columns, 1) if columns else torch.zeros(size * n, 0, dtype=torch.float64)


def _solve(system: Tensor, right: Tensor) -> Tensor:
    """A symmetric positive definite system; where it is singular, the least solution of the least squares."""
    factor, failed = torch.linalg.cholesky_ex(system)
    if not bool(failed):
        return torch.cholesky_solve(right, factor)
    return torch.linalg.lstsq(system, right, driver="gelsd").solution
