"""Irreducible representations of SO(3) and O(3): real spherical harmonics and their Wigner matrices."""

from __future__ import annotations

import math
from collections.abc import Hashable
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.groups.base import Group
from erlangen.reps.base import Rep
from erlangen.reps.basic import is_orthogonal


def solid_harmonics(degree: int, x: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch m"]:
    """Real solid harmonics of one degree: homogeneous harmonic polynomials, ``2 degree + 1`` of them.

    On the unit sphere they are the real spherical harmonics, normalised so that their squares sum to one. The polar axis is y and
    the order ``m = -l .. l``, so that degree 1 is the vector ``(x, y, z)`` itself (the convention of e3nn).

    Args:
        degree: ``l >= 0``.
        x: points of space.

    >>> solid_harmonics(1, torch.tensor([1.0, 2.0, 3.0]))
    tensor([1., 2., 3.])
    """
    if not isinstance(degree, int) or degree < 0:
        raise ArgumentError("degree", "a non-negative integer", repr(degree))
    u, v, w = x[..., 2], x[..., 0], x[..., 1]  # w is the polar axis; (u + i v)^m the azimuthal part
    r2 = u * u + v * v + w * w
    one = torch.ones_like(u)
    cosines, sines = [one], [torch.zeros_like(u)]
    for _ in range(degree):
        c, s = cosines[-1], sines[-1]
        cosines.append(c * u - s * v)
        sines.append(s * u + c * v)
    columns: dict[int, Tensor] = {}
    for m in range(degree + 1):
        # Legendre recursion in the degree at fixed m: below = P_m^m / (2m-1)!!, the derivative of the polynomial.
        below, here = torch.zeros_like(u), one
        for l in range(m, degree):
            below, here = here, ((2 * l + 1) * w * here - (l + m) * r2 * below) / (l - m + 1)
        # sqrt((l-m)! / (l+m)!) (2m-1)!!, times sqrt 2 for m > 0.
        size = math.sqrt((2 if m else 1) * math.factorial(degree - m) / math.factorial(degree + m)) * math.prod(range(1, 2 * m, 2))
        columns[m] = size * here * cosines[m]
        if m:
            columns[-m] = size * here * sines[m]
    return torch.stack([columns[m] for m in range(-degree, degree + 1)], -1)


class SpatialIrrep(Rep):
    """SO(3) or O(3) on harmonic polynomials of one degree.

    Args:
        group: SO(3), O(3) or any group of orthogonal 3 x 3 matrices.
        degree: ``l >= 0``; the dimension is ``2 l + 1``.
        parity: what the inversion does, 1 or -1; by default ``(-1)^l``, as for polynomials. Scalars are ``(0, 1)``, pseudoscalars
            ``(0, -1)``, vectors ``(1, -1)``, axial vectors ``(1, 1)``. Groups without mirrors do not tell parities apart: there it is
            always that of polynomials.

    >>> from erlangen.groups import SO
    >>> V = SpatialIrrep(SO(3), 2)
    >>> V.dim, V
    (5, 2e of SO(3))
    """

    is_orthogonal = True

    def __init__(self, group: Group, degree: int, parity: int | None = None) -> None:
        if not isinstance(degree, int) or degree < 0:
            raise ArgumentError("degree", "a non-negative integer", repr(degree))
        if parity not in (None, 1, -1):
            raise ArgumentError("parity", "1 (even), -1 (odd) or None", repr(parity))
        if group.element_shape != (3, 3) or not is_orthogonal(group):
            raise ArgumentError("group", "SO(3), O(3) or a subgroup of it", repr(group))
        super().__init__(group)
        natural = (-1) ** degree
        self.degree, self.parity = degree, natural if parity is None or group.is_proper else parity
        self.dim, self.symbol = 2 * degree + 1, f"{degree}{'e' if self.parity == 1 else 'o'}"

    @cached_property
    @torch.inference_mode(False)  # what is kept must serve training too
    def _points(self) -> tuple[Tensor, Tensor]:
        points = _sphere(4 * self.dim)
        return points, torch.linalg.pinv(solid_harmonics(self.degree, points))

    def equality_key(self) -> Hashable:
        return (self.degree, self.parity)

    def matrix(self, g: Tensor) -> Tensor:
        if self.degree == 0:
            natural = torch.ones_like(g[..., :1, :1])
        elif self.degree == 1:
            natural = g
        else:
            points, inverse = (t.to(g.dtype).to(g.device) for t in self._points)
            # Y(g p) = D(g) Y(p) at more points than harmonics.
            natural = (inverse @ solid_harmonics(self.degree, points @ g.mT)).mT
        return natural if self.parity == (-1) ** self.degree else natural * torch.linalg.det(g)[..., None, None]

    def algebra(self, a: Tensor) -> Tensor:
        if self.degree == 0:
            return torch.zeros_like(a[..., :1, :1])
        if self.degree == 1:
            return a
        points, inverse = (t.to(a.dtype).to(a.device) for t in self._points)
        moved = points @ a.mT
        here = points.expand_as(moved).clone()
        derivative = torch.func.jvp(lambda p: solid_harmonics(self.degree, p), (here,), (moved,))[1]
        return (inverse @ derivative).mT


def _sphere(count: int) -> Tensor:
    """Points spread over the unit sphere, a Fibonacci spiral, ``[count, 3]`` in float64."""
    i = torch.arange(count, dtype=torch.float64)
    z = 1 - (2 * i + 1) / count
    azimuth = i * math.pi * (3 - math.sqrt(5))
    r = (1 - z * z).sqrt()
    return torch.stack([r * azimuth.cos(), r * azimuth.sin(), z], -1)
