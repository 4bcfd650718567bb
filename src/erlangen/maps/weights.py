"""Equivariant maps of a connected group by weights: what a random algebra element annihilates is known in closed form.

On each axis the element is diagonalised; on tensors it then multiplies products of eigenvectors by the sum of their eigenvalues (their
weight), so its null space is spanned by the products of weight zero. For SO(3) on seven vector axes these are 393 of 2187 tensors, and
only among them need one more element be imposed.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.linalg import cut
from erlangen.maps.constraints import Constraint, allow

#: Products of eigenvectors worse conditioned than this lose too many digits.
MAX_CONDITION = 1e5
_EPS = float(np.finfo(np.float64).eps)


def weight_zero(element: Constraint, rtol: float | None = None) -> tuple[Float[Tensor, "size k"], float] | None:
    """An orthonormal basis of the tensors that an algebra element annihilates, and the gap between zero and the other weights.

    ``rtol``: weights up to this part of the element's size count as zero; by default the largest gap near zero decides.

    ``None`` where the element cannot be diagonalised in a well-conditioned way (nilpotent parts, as in translations).

    >>> from erlangen.groups import SO
    >>> from erlangen.maps.constraints import Constraints
    >>> element = Constraints.of(SO(3).tensor(7)).random_element(torch.Generator().manual_seed(0))
    >>> weight_zero(element)[0].shape
    torch.Size([2187, 393])
    """
    axes = [_eigen(m.numpy()) for m in element.matrices]
    if math.prod(np.linalg.cond(vectors) for _, vectors, _ in axes) > MAX_CONDITION:
        return None
    total, partner = np.zeros(1, dtype=np.complex128), np.zeros(1, dtype=np.int64)
    for values, _, mirror in axes:
        total = (total[:, None] + values).reshape(-1)
        partner = (partner[:, None] * len(mirror) + mirror).reshape(-1)
    order = np.argsort(-np.abs(total), kind="stable")
    decision = cut(torch.from_numpy(np.abs(total)[order]), shape=(len(total), len(total)), eps=_EPS, rtol=rtol, scale=element.scale)
    zero = np.sort(order[decision.rank :])
    allow(len(zero), len(total), "the tensors of weight zero")
    basis = real_products(zero, partner, [vectors for _, vectors, _ in axes])
    if not all(_is_skew(m.numpy()) for m in element.matrices):
        basis = torch.linalg.qr(basis).Q
    return basis, decision.gap


def real_products(chosen: np.ndarray, partner: np.ndarray, axes: list[np.ndarray]) -> Float[Tensor, "size k"]:
    """A real basis of the span of products of eigenvectors, orthonormal where these are.

    Args:
        chosen: which products, as flat indices; with every one its complex conjugate.
        partner: for every product the flat index of its conjugate.
        axes: the eigenvectors of each axis, as columns.
    """
    # A product and its conjugate span the same plane as their real and imaginary parts: one of the two is enough.
    kept = chosen[partner[chosen] >= chosen]
    columns = np.ones((1, len(kept)), dtype=np.complex128)
    for vectors, index in zip(axes, np.unravel_index(kept, [v.shape[1] for v in axes])):
        columns = (columns[:, None] * vectors[:, index]).reshape(len(columns) * len(vectors), len(kept))
    alone = partner[kept] == kept
    pairs = math.sqrt(2) * columns[:, ~alone]
    return torch.from_numpy(np.concatenate([columns[:, alone].real, pairs.real, pairs.imag], 1))


def _eigen(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Eigenvalues, eigenvectors (columns) and, for each, the position of its complex conjugate; real ones are their own."""
    size = len(matrix)
    if not _is_skew(matrix):
        values, vectors = np.linalg.eig(matrix)
        # LAPACK returns the conjugates of a real matrix side by side, the positive imaginary part first.
        step = np.sign(values.imag).astype(np.int64)
        return values.astype(np.complex128), vectors.astype(np.complex128), np.arange(size) + step
    # Skew: orthonormal eigenvectors of the positive frequencies, their conjugates, and a real basis of what stays.
    frequencies, vectors = np.linalg.eigh(1j * matrix)
    top = float(np.abs(frequencies).max(initial=0.0))
    turning = vectors[:, frequencies > size * _EPS**0.75 * top]
    values = np.zeros(size, dtype=np.complex128)
    count = turning.shape[1]
    values[:count] = -1j * frequencies[frequencies > size * _EPS**0.75 * top]
    values[count : 2 * count] = values[:count].conj()
    still = np.linalg.eigh(np.eye(size) - 2 * (turning @ turning.conj().T).real)[1][:, 2 * count :]
    mirror = np.concatenate([np.arange(count) + count, np.arange(count), np.arange(2 * count, size)])
    return values, np.concatenate([turning, turning.conj(), still], 1), mirror


def _is_skew(matrix: np.ndarray) -> bool:
    return bool(np.abs(matrix + matrix.T).max(initial=0.0) <= 1e-13 * np.abs(matrix).max(initial=0.0))
