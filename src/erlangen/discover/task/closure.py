"""The exact Lie algebra near a span of matrices that is only nearly closed under the bracket."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.func import jacfwd

#: Steps, and the residual at which a span counts as closed.
STEPS, CLOSED = 60, 1e-11
#: A span of orthonormal generators with no larger defect is an algebra.
CLOSED_ENOUGH = 1e-9
#: Directions with a smaller part of the largest slope than this are left alone, the first of these that closes the span.
FLAT = (1e-2, 1e-4, 1e-9)


def homogeneous(generators: Float[Tensor, "*b n c"]) -> Float[Tensor, "*b m m"]:
    """``(A | b)`` as the square matrix ``[[A, b], [0, 0]]``, and ``A`` alone as itself."""
    n, c = generators.shape[-2:]
    if n == c:
        return generators
    return torch.cat([generators, torch.zeros_like(generators[..., :1, :])], -2)


def bracket_defect(span: Float[Tensor, "k n c"]) -> Float[Tensor, "p d"]:
    """The brackets of all pairs of an orthonormal span, less what lies in the span."""
    k, n, c = span.shape
    matrices = homogeneous(span)
    i, j = torch.triu_indices(k, k, 1)
    brackets = (matrices[i] @ matrices[j] - matrices[j] @ matrices[i])[:, :n, :c].flatten(1)
    flat = span.flatten(1)
    return brackets - (brackets @ flat.mT) @ flat


def nearest_closed(
    span: Float[Tensor, "k n c"], cost: Float[Tensor, "d d"] | None = None, entries: Tensor | None = None
) -> tuple[Float[Tensor, "k n c"], float, float]:
    """The closed span that Newton's method finds near a given one.

    Every step is the cheapest that closes the brackets to first order; a direction of the ambient space costs what ``cost`` says, so that a
    span moves where it is least certain.

    Args:
        span: generators ``(A | b)`` or ``A``, linearly independent.
        cost: a positive form on flattened generators; by default all directions cost the same.
        entries: ``[n, c]``, which may be other than zero, closed under the bracket; by default all.

    Returns:
        an orthonormal basis of the closed span, the largest defect that is left, and the largest angle of the way in radians.

    >>> skew = torch.tensor([[[0.0, -1, 0], [1, 0, 0], [0, 0, 0]], [[0, 0, 1], [0, 0, 0], [-1, 0, 0]], [[0, 0, 0], [0, 0, -1], [0, 1, 0]]])
    >>> off = skew.double() + 0.02 * torch.randn(3, 3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    >>> algebra, defect, way = nearest_closed(off)
    >>> defect < 1e-11, way < 0.2
    (True, True)
    """
    best: tuple[Tensor, float, float] | None = None
    for flat in FLAT:
        found = _closed(span, cost, flat, entries)
        if best is None or (found[1] <= CLOSED_ENOUGH, -found[2]) > (best[1] <= CLOSED_ENOUGH, -best[2]):
            best = found
    assert best is not None
    return best


def _closed(span: Tensor, cost: Tensor | None, flat: float, entries: Tensor | None) -> tuple[Tensor, float, float]:
    """Newton's method that leaves directions alone in which the defect hardly changes."""
    k, n, c = span.shape
    start = torch.linalg.qr(span.flatten(1).mT).Q.mT  # [k, d]
    if cost is None:
        cost = torch.eye(n * c, dtype=span.dtype)
    free = torch.eye(n * c, dtype=span.dtype)[slice(None) if entries is None else entries.flatten()]
    basis = start
    defect = _size(basis, n, c)
    for _ in range(STEPS):
        if defect <= CLOSED or k == len(free):
            break
        rest = torch.linalg.svd(basis @ free.mT, full_matrices=True).Vh[k:] @ free  # [d - k, d]
        # Steps are measured in coordinates in which every direction costs one.
        values, vectors = torch.linalg.eigh(rest @ cost @ rest.mT)
        rest = (vectors / values.clamp_min(1e-12 * values.max()).sqrt()).mT @ rest

        def moved(step: Tensor, basis: Tensor = basis, rest: Tensor = rest) -> Tensor:
            return torch.linalg.qr((basis + step @ rest).mT).Q.mT

        def defects(step: Tensor) -> Tensor:
            return bracket_defect(moved(step).unflatten(1, (n, c))) @ free.mT

        zero = basis.new_zeros(k, len(rest))
        slope = jacfwd(defects)(zero).flatten(0, 1).flatten(1)
        wanted = -torch.linalg.pinv(slope, rtol=flat) @ defects(zero).flatten()
        step, size = wanted.view_as(zero), 1.0
        while size > 1e-3:
            tried = moved(size * step)
            if (left := _size(tried, n, c)) < defect:
                break
            size /= 2
        else:
            break
        basis, defect = tried, left
    cosines = torch.linalg.svdvals(start @ basis.mT).clamp(max=1)
    return basis.unflatten(1, (n, c)), defect, float(torch.arccos(cosines.min()))


def _size(basis: Tensor, n: int, c: int) -> float:
    defect = bracket_defect(basis.unflatten(1, (n, c)))
    return float(defect.abs().max()) if defect.numel() else 0.0
