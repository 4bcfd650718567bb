"""The algebra of a simple kind near a closed span: whole turns, boosts, dilations and translations instead of nearly so."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

#: What is smaller than this part of its kind may be nothing, and numbers this near to whole ones may be whole.
NEARLY = 0.15
#: Whole numbers up to this one are small.
LARGEST = 4


def idealised(span: Float[Tensor, "k n c"]) -> Float[Tensor, "k n c"] | None:
    """Translations that only translate, linear parts of simple eigenvalues, one centre; ``None`` where no such algebra is near.

    A semisimple algebra has no neighbours but turned copies of itself: closing its brackets settles it. One generator is always closed, and
    so is a spiral beside a circle: here the spiral becomes a circle. Whether the data allow that is asked afterwards.

    Args:
        span: orthonormal generators ``(A | b)`` or ``A``, closed under the bracket, in coordinates in which the data have covariance one.

    >>> spiral = torch.tensor([[[0.03, -1.0, 0.0], [1.1, 0.01, 0.0]]], dtype=torch.float64)
    >>> (idealised(spiral / spiral.norm())[0, :, :2].diagonal().sum().abs() < 1e-12).item()
    True
    """
    k, n, c = span.shape
    A = span[..., :n]
    left, sizes, _ = torch.linalg.svd(A.flatten(1), full_matrices=True)
    sizes = torch.cat([sizes, sizes.new_zeros(k - len(sizes))]) if len(sizes) < k else sizes[:k]
    rank = int((sizes > NEARLY).sum())
    mixed = (left.mT @ span.flatten(1)).unflatten(1, (n, c))
    turning, shifting = mixed[:rank], mixed[rank:]
    parts = []
    if rank < k:
        if c == n or k - rank > n:
            return None
        moves = torch.zeros(k - rank, n, c, dtype=span.dtype)
        moves[..., n] = torch.linalg.qr(shifting[..., n].mT).Q.mT if k - rank < n else torch.eye(n, dtype=span.dtype)
        parts.append(moves)
    if rank:
        linear = reductive(turning[..., :n])
        if linear is None:
            return None
        shift = linear.new_zeros(rank, n, c - n)
        if c > n and rank == k:
            # One point stays where it is.
            before = turning[..., :n]
            coefficients = linear.flatten(1) @ torch.linalg.pinv(before.flatten(1))
            wanted = torch.einsum("ij,jn->in", coefficients, turning[..., n])
            point = torch.linalg.pinv(linear.flatten(0, 1), rtol=1e-6) @ -wanted.flatten()
            shift = -(linear @ point)[..., None]
        elif 0 < k - rank < n:
            return None
        parts.append(torch.cat([linear, shift], 2))
    return torch.cat(parts)


def reductive(linear: Float[Tensor, "l n n"]) -> Float[Tensor, "l n n"] | None:
    """The derived algebra as it is, and the centre with simple eigenvalues; ``None`` where these are not all, or not simple."""
    l, n, _ = linear.shape
    flat = torch.linalg.qr(linear.flatten(1).mT).Q.mT
    basis = flat.unflatten(1, (n, n))
    i, j = torch.triu_indices(l, l, 1)
    brackets = (basis[i] @ basis[j] - basis[j] @ basis[i]).flatten(1)
    derived = flat[:0]
    if len(brackets):
        _, sizes, right = torch.linalg.svd(brackets @ flat.mT)
        size = int((sizes > 1e-3).sum())
        derived, rest = right[:size] @ flat, right[size:] @ flat
    else:
        rest = flat
    if not len(rest):
        return derived.unflatten(1, (n, n))
    # The centre is what commutes with everything.
    commutators = torch.einsum("aij,bjk->abik", basis, basis) - torch.einsum("bij,ajk->abik", basis, basis)
    _, sizes, right = torch.linalg.svd(commutators.movedim(0, 1).flatten(2).flatten(1).reshape(l, -1).mT, full_matrices=True)
    sizes = torch.cat([sizes, sizes.new_zeros(l - len(sizes))])
    central = right[sizes < 1e-3] @ flat
    if len(central) + len(derived) != l:
        return None
    centre = _simple(central.unflatten(1, (n, n)))
    return None if centre is None else torch.cat([derived.unflatten(1, (n, n)), centre])


def _simple(commuting: Float[Tensor, "z n n"]) -> Float[Tensor, "z n n"] | None:
    """Commuting matrices with eigenvalues that are small whole numbers, real or imaginary, in a suitable basis of their span."""
    z, n, _ = commuting.shape
    weights = torch.randn(z, generator=torch.Generator().manual_seed(1), dtype=commuting.dtype)
    generic = torch.einsum("z,zij->ij", weights, commuting)
    _, vectors = torch.linalg.eig(generic)
    if float(torch.linalg.cond(vectors)) > 1e4:
        return None
    back = torch.linalg.inv(vectors)
    values = torch.stack([(back @ a.to(vectors) @ vectors).diagonal() for a in commuting])
    table = torch.cat([values.real, values.imag], 1)  # [z, 2 n]
    reduced = _echelon(table)
    if reduced is None:
        return None
    whole = torch.stack([_whole(row) for row in reduced])
    if not bool(whole.isfinite().all()):
        return None
    exact = torch.complex(whole[:, :n], whole[:, n:])
    found = (vectors @ torch.diag_embed(exact) @ back).real
    return found / found.flatten(1).norm(dim=1)[:, None, None]


def _whole(row: Float[Tensor, " m"]) -> Float[Tensor, " m"]:
    """The nearest small whole numbers of a multiple of a row; not a number where none are near."""
    for times in range(1, LARGEST + 1):
        whole = (times * row).round()
        if float((times * row - whole).abs().max()) <= NEARLY and float(whole.abs().max()) <= LARGEST:
            return whole
    return torch.full_like(row, torch.nan)


def _echelon(table: Float[Tensor, "z m"]) -> Float[Tensor, "z m"] | None:
    """The reduced row echelon form, with the largest entries as pivots."""
    table = table.clone()
    for row in range(len(table)):
        column = int(table[row:].abs().amax(0).argmax())
        pivot = row + int(table[row:, column].abs().argmax())
        if float(table[pivot, column].abs()) < 1e-6:
            return None
        table[[row, pivot]] = table[[pivot, row]]
        table[row] = table[row] / table[row, column]
        others = torch.arange(len(table)) != row
        table[others] = table[others] - table[others, column : column + 1] * table[row]
    return table
