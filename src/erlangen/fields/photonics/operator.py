"""The transverse-magnetic operator as three matrices per cell, in the plane waves or in a reduced basis of Bloch modes.

With ``E = sum_G E_G exp(i (k + G) . r)`` the modes obey ``|k + G|^2 E = omega^2 B E`` (wave vectors in 2 pi / a, frequencies in
2 pi c / a), ``B`` the permittivity between plane waves. With ``B = L L*`` that is an ordinary Hermitian problem whose matrix is a
polynomial in k,

    K(k) = K0 + 2 k_x K1x + 2 k_y K1y + |k|^2 K2,

so that every k costs one linear combination. (Any root of B serves; the Cholesky factor is the cheapest.)

The reduced basis is the span of the lowest modes at the corners of a quarter of the Brillouin zone (reduced Bloch-mode expansion,
M. I. Hussein, Proc. R. Soc. A 465, 2825, 2009). Each quarter has its own: a rotation or a mirror of the cell then takes quarters to
quarters, and the reduced frequencies stay as symmetric as the full ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from erlangen.fields.photonics.fourier import FourierCells, plane_waves

#: The quarters that half a zone needs, by their farthest corner; the other half follows by time reversal.
QUARTERS = ((0.5, 0.5), (0.5, -0.5))


@dataclass(frozen=True, eq=False)
class Operator:
    """``K(k)`` of a batch of cells.

    Attributes:
        constant, linear, quadratic: ``K0`` ``[*batch, p, p]``, ``(K1x, K1y)`` ``[2, *batch, p, p]``, ``K2`` ``[*batch, p, p]``.
    """

    constant: Complex[Tensor, "*batch p p"]
    linear: Complex[Tensor, "2 *batch p p"]
    quadratic: Complex[Tensor, "*batch p p"]

    def at(self, k: Float[Tensor, "n_k 2"]) -> Complex[Tensor, "*batch n_k p p"]:
        """``K(k)`` at each of some wave vectors."""
        terms = torch.view_as_real(torch.stack([self.constant, *self.linear, self.quadratic], -3))
        weights = torch.cat([torch.ones_like(k[:, :1]), 2 * k, (k**2).sum(1, keepdim=True)], 1)
        return torch.view_as_complex((weights @ terms.flatten(-3)).unflatten(-1, terms.shape[-3:]))

    def solve(self, k: Float[Tensor, "n_k 2"], n_bands: int, velocities: bool) -> tuple[Tensor, Tensor | None]:
        """The lowest frequencies ``[*batch, n_k, n_bands]`` and, if asked for, their slopes ``[..., 2]`` (Hellmann-Feynman)."""
        matrices = self.at(k)
        if not velocities:
            return frequencies(torch.linalg.eigvalsh(matrices)[..., :n_bands]), None
        squares, modes = torch.linalg.eigh(matrices)
        modes, omega = modes[..., :n_bands], frequencies(squares[..., :n_bands])
        second = _expectation(self.quadratic.unsqueeze(-3), modes)
        slopes = [_expectation(first.unsqueeze(-3), modes) + second * k[:, i, None] for i, first in enumerate(self.linear)]
        return omega, torch.stack(slopes, -1) / omega.unsqueeze(-1)


def frequencies(squares: Tensor) -> Tensor:
    """Roots of eigenvalues; the zero at Gamma may come out negative by rounding."""
    return squares.clamp_min(0).sqrt()


def _expectation(matrix: Tensor, modes: Tensor) -> Tensor:
    return (modes.conj() * (matrix @ modes)).sum(-2).real


@dataclass(frozen=True, eq=False)
class PlaneWaves:
    """The factor ``L`` of the permittivity of a batch of cells, with what the solvers need of it.

    Attributes:
        waves: the plane waves ``G``, ``[p, 2]``.
        root: ``L`` ``[*batch, p, p]``, lower triangular.
        inverse: its inverse.
    """

    waves: Float[Tensor, "p 2"]
    root: Complex[Tensor, "*batch p p"]
    inverse: Complex[Tensor, "*batch p p"]

    @classmethod
    def of(cls, cells: FourierCells) -> PlaneWaves:
        root = torch.linalg.cholesky(cells.matrix)
        one = torch.eye(root.shape[-1], dtype=root.dtype, device=root.device)
        inverse = torch.linalg.solve_triangular(root, one.expand_as(root), upper=False)
        return cls(plane_waves(cells.order, root.device).to(root.real.dtype), root, inverse)

    def full(self) -> Operator:
        """``K(k)`` between all plane waves."""
        return self._between(self.inverse.mH)

    def _between(self, fields: Complex[Tensor, "*batch p q"]) -> Operator:
        """``K(k)`` between fields of plane-wave coefficients ``E = L^-* u``, for orthonormal ``u``."""
        bra, g = fields.mH, self.waves
        return Operator(
            bra @ (fields * (g**2).sum(1, keepdim=True)),
            torch.stack([bra @ (fields * g[:, i : i + 1]) for i in range(2)]),
            bra @ fields,
        )

    def corner_modes(self, k: tuple[float, float], count: int) -> Complex[Tensor, "*batch p count"]:
        """The lowest modes at one wave vector, as coefficients ``E_G``."""
        lengths = ((self.waves + self.waves.new_tensor(k)) ** 2).sum(1)
        _, u = torch.linalg.eigh((self.inverse * lengths) @ self.inverse.mH)
        return self.inverse.mH @ u[..., :count]

    def reduced(self, count: int) -> list[Operator]:
        """``K(k)`` for each of :data:`QUARTERS`, between the ``count`` lowest modes at each of its four corners."""
        gamma, x, y = (self.corner_modes(k, count) for k in ((0.0, 0.0), (0.5, 0.0), (0.0, 0.5)))
        # Time reversal: the modes at -k are the conjugate fields, whose coefficients stand at -G.
        sides = (y, y.flip(-2).conj())
        operators = []
        for corner, side in zip(QUARTERS, sides):
            fields = torch.cat([gamma, x, side, self.corner_modes(corner, count)], -1)
            basis, _ = torch.linalg.qr(self.root.mH @ fields)
            operators.append(self._between(self.inverse.mH @ basis))
        return operators
