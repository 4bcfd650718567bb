"""Bands near a wave vector from the modes at it: the k.p expansion to second order.

The modes at ``k`` are split in the lowest ``r``, between which the operator is kept, and the rest, which enter by what they add in
second order of the offset (Lowdin's partition; P.-O. Lowdin, J. Chem. Phys. 19, 1396, 1951). What remains is an ``r x r`` problem per
offset, whose error is of third order: squares of the mesh can be cut at little cost.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from erlangen.fields.photonics.operator import Operator, frequencies

#: Modes kept beyond the bands that are asked for.
EXTRA = 2
#: A mode outside counts as no nearer than this share of its eigenvalue: highest modes kept may almost touch the lowest left out.
LEAST_GAP = 0.25


@dataclass(frozen=True, eq=False)
class Expansion:
    """``K(k + q)`` between the lowest modes at each ``k``: ``diag(squares) + sum_t w_t(q) terms_t``, ``w = (qx, qy, qx^2, qx qy, qy^2)``.

    Attributes:
        squares: eigenvalues at ``k``, ``[*batch, n_k, r]``.
        terms: Hermitian matrices ``[*batch, n_k, 5, r, r]``.
    """

    squares: Float[Tensor, "*batch n_k r"]
    terms: Complex[Tensor, "*batch n_k 5 r r"]

    @classmethod
    def about(cls, operator: Operator, k: Float[Tensor, "n_k 2"], n_bands: int) -> Expansion:
        """Expand about each ``k``, keeping ``n_bands`` modes and :data:`EXTRA` more."""
        squares, modes = torch.linalg.eigh(operator.at(k))
        r = min(n_bands + EXTRA, squares.shape[-1])
        low, bra = modes[..., :r], modes.mH
        curved = operator.quadratic.unsqueeze(-3) @ low
        first = [bra @ (2 * (operator.linear[i].unsqueeze(-3) @ low) + 2 * k[:, i, None, None] * curved) for i in range(2)]
        second = low.mH @ curved
        kept, rest = squares[..., None, :r], squares[..., r:, None]
        gap = torch.maximum(rest - kept, LEAST_GAP * rest)
        x, y = (matrix[..., r:, :] for matrix in first)
        xx, yy = x.mH @ (x / gap), y.mH @ (y / gap)
        xy = x.mH @ (y / gap) + y.mH @ (x / gap)
        through = [(matrix + matrix.mH) / 2 for matrix in (xx, xy, yy)]
        terms = [*(matrix[..., :r, :] for matrix in first), second - through[0], -through[1], second - through[2]]
        return cls(squares[..., :r], torch.stack(terms, -3))

    def solve(self, q: Float[Tensor, "n_k n_q 2"], n_bands: int) -> tuple[Float[Tensor, "*batch n_k n_q n"], Tensor]:
        """The lowest frequencies at ``k + q`` and the velocities ``[*batch, n_k, n_q, n_bands, 2]``."""
        qx, qy = q.unbind(-1)
        one, none = torch.ones_like(qx), torch.zeros_like(qx)
        weights = torch.stack([qx, qy, qx**2, qx * qy, qy**2], -1)
        r = self.terms.shape[-1]
        # Real weights combine real and imaginary parts, in half the operations.
        terms = torch.view_as_real(self.terms).flatten(-3)
        offset = torch.view_as_complex((weights @ terms).unflatten(-1, (r, r, 2)))
        squares, modes = torch.linalg.eigh(offset + torch.diag_embed(self.squares).unsqueeze(-3))
        modes, omega = modes[..., :n_bands], frequencies(squares[..., :n_bands])
        # Each term's expectation in each mode, sum_ab T_ab conj(u_a) u_b, then the derivatives of its weight along x and y.
        pairs = torch.view_as_real((modes.unsqueeze(-2) * modes.conj().unsqueeze(-3)).movedim(-1, -3)).flatten(-3)
        parts = (pairs.flatten(-3, -2) @ terms.mT).unflatten(-2, (-1, n_bands))
        slopes = torch.stack([torch.stack([one, none, 2 * qx, qy, none], -1), torch.stack([none, one, none, qx, 2 * qy], -1)], -2)
        return omega, parts @ slopes.mT / (2 * omega.unsqueeze(-1))
