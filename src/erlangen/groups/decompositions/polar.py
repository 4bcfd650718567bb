"""The polar (Cartan) decomposition ``g = P R``: a symmetric positive stretch and a turn."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.groups.base import Group
from erlangen.groups.decompositions.base import Decomposition, Points, check_coordinates, checked
from erlangen.groups.decompositions.density import log_polar_jacobian, log_sinhc
from erlangen.groups.decompositions.reductive import reductive
from erlangen.groups.decompositions.window import Window, as_window, uniforms
from erlangen.groups.haar import planar_rotation
from erlangen.groups.linear import GLplus
from erlangen.linalg import matrix_exp
from erlangen.linalg.spectral import orthogonal_factor, polar_factors


class PolarFactors(NamedTuple):
    """``g = stretch @ turn``."""

    stretch: Tensor
    turn: Tensor


class LogPolar(NamedTuple):
    """``g = exp(log_stretch) @ turn``."""

    log_stretch: Tensor
    turn: Tensor


class PolarDecomposition(Decomposition):
    """``g = P R`` with ``P = (g g^T)^(1/2)`` in the group and ``R`` in its compact subgroup K: a diffeomorphism.

    Coordinates are those of ``log P`` in the orthonormal :attr:`basis` of the symmetric part of the algebra, then those of ``log R`` in
    the basis of the algebra of K, where a turn of one plane by an angle has the angle as its length. Every element has them. Those of
    ``R`` jump at half turns: functions that must be continuous take ``R`` itself. For 2 x 2 matrices all is in closed form, for
    others by one singular value decomposition; derivatives are finite where singular values are equal.

    The density is ``J(X) = det(sinh(ad X) / ad X)`` on ``X = log P`` times the uniform probability on K: a product of
    ``(sinh r / r)^m`` over the roots ``r`` of ``X``.

    Attributes:
        basis: ``[dim p, n, n]``; of GL+(n) the diagonal units first, then ``(E_ij + E_ji) / sqrt 2``.

    >>> from erlangen.groups import GLplus
    >>> how = GLplus(2).decomposition("polar")
    >>> stretch, turn = how.split(torch.tensor([[1.0, 2.0], [0.0, 1.0]], dtype=torch.float64))
    >>> round(float(torch.atan2(turn[1, 0], turn[0, 0])) / torch.pi, 6)
    -0.25
    >>> how.coordinates(how.join(stretch, turn))
    tensor([ 0.6232, -0.6232,  0.8814, -0.7854], dtype=torch.float64)
    """

    name = "polar"

    def __init__(self, group: Group) -> None:
        self.group = group
        self._structure = structure = reductive(group, self.name)
        self.basis, self.compact = structure.stretches, structure.compact
        self.window_dim, self.compact_uniforms = len(self.basis), self.compact.uniforms
        self.dim = len(self.basis) + self.compact.dim
        self._is_planar = structure.n == 2 and structure.is_linear

    def split(self, g: Float[Tensor, "*batch n n"]) -> PolarFactors:
        g = checked(self._structure.group, g)
        with torch.autocast(g.device.type, enabled=False):
            turn = _turn_of(_in_size(g)[0]) if self._is_planar else self._structure.turn(orthogonal_factor(g))
            stretch = g @ turn.mT
            return PolarFactors(0.5 * (stretch + stretch.mT), turn)

    def log_split(self, g: Float[Tensor, "*batch n n"]) -> LogPolar:
        """The logarithm of the stretch, and the turn."""
        g = checked(self._structure.group, g)
        with torch.autocast(g.device.type, enabled=False):
            if self._is_planar:
                g, size = _in_size(g)
                x = _log_stretch_of(g, size if isinstance(self._structure.group, GLplus) else None)
                return LogPolar(x, _turn_of(g))
            _, turn, x = polar_factors(g)
            return LogPolar(self._structure.log_stretch(x), self._structure.turn(turn))

    def coordinates(self, g: Float[Tensor, "*batch n n"]) -> Float[Tensor, "*batch dim"]:
        x, turn = self.log_split(g)
        with torch.autocast(x.device.type, enabled=False):
            return torch.cat([torch.einsum("dij,...ij->...d", self.basis.to(x), x), self.compact.coordinates(turn)], -1)

    def element(self, c: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch n n"]:
        c = check_coordinates(self, c)
        with torch.autocast(c.device.type, enabled=False):
            inner, compact = c.split([len(self.basis), self.compact.dim], -1)
            return self._stretch(inner) @ self.compact.element(compact)

    def log_density(self, g: Float[Tensor, "*batch n n"]) -> Float[Tensor, "*batch"]:
        return self._log_jacobian(self.log_split(g).log_stretch)

    def points(
        self,
        count: int,
        window: float | Window = 1.0,
        kind: str = "sobol",
        *,
        angles: int = 8,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | None = None,
    ) -> Points:
        """Points as of any decomposition, or a "grid": products ``R_k S_j`` of equidistant rotations of the plane and of Sobol points
        ``S_j`` of the stretches, the same for all rotations, ``[count / angles]`` for each angle in turn.

        A grid goes over into itself under multiplication from the left by the rotations by ``2 pi / angles``.

        Args:
            count, window, kind, generator: see :meth:`Decomposition.points`; ``kind`` may be ``"grid"``.
            angles: of a grid, how many; it divides ``count``.

        >>> from erlangen.groups import SL
        >>> points = SL(2).decomposition("polar").points(16, window=0.5, kind="grid", angles=4)
        >>> points.elements.shape, bool(torch.allclose(points.elements[4:8, 1], points.elements[:4, 0]))
        (torch.Size([16, 2, 2]), True)
        """
        if kind != "grid":
            return super().points(count, window, kind, generator=generator, dtype=dtype, device=device)
        if self._structure.n != 2 or self.compact.dim != 1:
            raise ArgumentError("kind", "'sobol' or 'random', for a grid needs a group of the plane", f"'grid' for {self.group}")
        if isinstance(angles, bool) or not isinstance(angles, int) or angles < 1:
            raise ArgumentError("angles", "a positive number of angles", repr(angles))
        if isinstance(count, bool) or not isinstance(count, int) or count < 1 or count % angles:
            raise ArgumentError("count", f"a positive multiple of the {angles} angles", repr(count))
        law = as_window(window)
        inner = uniforms(count // angles, self.window_dim, "sobol", generator)
        stretches = self._weighted(law, inner, inner.new_zeros(len(inner), 1), torch.float64, None)
        turns = planar_rotation(2 * math.pi * torch.arange(angles, dtype=torch.float64) / angles)
        elements = (turns.unsqueeze(1) @ stretches.elements).flatten(0, 1)
        dtype = dtype or torch.get_default_dtype()
        return Points(elements.to(dtype).to(device), stretches.log_weights.repeat(angles).to(dtype).to(device), law)

    def _stretch(self, c: Tensor) -> Tensor:
        return matrix_exp(torch.einsum("...d,dij->...ij", c, self.basis.to(c)))

    def _log_jacobian(self, x: Tensor) -> Tensor:
        if self._is_planar:
            half, off = 0.5 * (x[..., 0, 0] - x[..., 1, 1]), x[..., 0, 1]
            return log_sinhc(4 * (half * half + off * off))
        return log_polar_jacobian(x, self.basis)

    def place(self, c: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
        x = torch.einsum("...d,dij->...ij", c, self.basis.to(c))
        return matrix_exp(x) @ self.compact.place(u), self._log_jacobian(x)


def _in_size(g: Tensor) -> tuple[Tensor, Tensor]:
    """2 x 2 matrices over the mean of their singular values, and that mean: ``|alpha|`` in ``z -> alpha z + beta conj(z)``, the plane as
    complex numbers. It is never zero, and its square, which may be too small or large for a number, is not needed."""
    (a, b), (c, d) = (row.unbind(-1) for row in g.unbind(-2))
    size = 0.5 * torch.hypot(a + d, c - b)
    return g / size[..., None, None], size


def _turn_of(g: Tensor) -> Tensor:
    """``alpha / |alpha|`` of matrices in this size."""
    (a, b), (c, d) = (row.unbind(-1) for row in g.unbind(-2))
    cos, sin = 0.5 * (a + d), 0.5 * (c - b)
    return torch.stack([cos, -sin, sin, cos], -1).unflatten(-1, (2, 2))


def _log_stretch_of(g: Tensor, size: Tensor | None) -> Tensor:
    """``log P`` of matrices in this size; its traceless part where no size is given.

    That is the traceless part of ``P``, ``beta alpha / |alpha|``, times ``asinh(s) / s`` over the root of the determinant, ``s`` being its
    own length over this root.
    """
    (a, b), (c, d) = (row.unbind(-1) for row in g.unbind(-2))
    cos, sin, u, v = 0.5 * (a + d), 0.5 * (c - b), 0.5 * (a - d), 0.5 * (c + b)
    det = a * d - b * c
    root = det.sqrt()
    factor = _asinhc((u * u + v * v) / det) / root
    p, q = factor * (u * cos - v * sin), factor * (u * sin + v * cos)
    if size is None:
        return torch.stack([p, q, q, -p], -1).unflatten(-1, (2, 2))
    mean = (size * root).log()
    return torch.stack([mean + p, q, q, mean - p], -1).unflatten(-1, (2, 2))


#: The coefficients ``(-1)^k (2k)! / (4^k k!^2 (2k + 1))`` of ``asinh(s) / s`` in ``s^2``, and below which ``s^2`` they are enough.
ASINHC = [(-1) ** k * math.comb(2 * k, k) / 4**k / (2 * k + 1) for k in range(7)]
SMALL = 4e-3


def _asinhc(square: Tensor) -> Tensor:
    """``asinh(s) / s`` of ``s^2``, smooth at zero."""
    small = square < SMALL
    low = torch.where(small, square, 0.0)
    series = ASINHC[-2] + ASINHC[-1] * low
    for coefficient in reversed(ASINHC[:-2]):
        series = coefficient + series * low
    s = torch.where(small, 1.0, square).sqrt()
    return torch.where(small, series, torch.asinh(s) / s)
