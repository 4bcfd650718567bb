"""Which degree of spherical harmonics the orientation of a symmetric star needs, in closed form."""

from __future__ import annotations

import cmath
import math

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError

#: Sums of harmonics below this, for unit weights per vertex, are zero.
ZERO = 1e-9


def star_harmonic(fold: int, degree: int, order: int, angle: float = 0.0) -> complex:
    """``sum_j Y_lm`` over the spokes of a star in the plane: what one layer of message passing knows of it in degree ``l``.

    ``A_lm = L N_lm P_lm(0) exp(i m q)`` when ``L`` divides ``m``, else 0, for ``L`` spokes at azimuths ``2 pi j / L + q``; ``P_lm(0)`` is
    zero exactly when ``l + m`` is odd. The angle shows first at ``m = L``, so that no feature of degree below ``L`` can hold it.

    Args:
        fold: number of spokes ``L``, at least 1.
        degree, order: ``l`` and ``m``, with ``|m| <= l``.
        angle: ``q``, radians.

    Source: Joshi et al. 2023, arXiv:2301.09308, proposition on rotationally symmetric structures; harmonics with the Condon-Shortley phase.

    >>> star_harmonic(3, 2, 2), abs(star_harmonic(3, 3, 3)) > 1
    (0j, True)
    """
    if fold < 1:
        raise ArgumentError("fold", "at least 1", repr(fold))
    if degree < 0 or abs(order) > degree:
        raise ArgumentError("order", "a degree l >= 0 and an order of at most l", (degree, order))
    if order % fold or (degree + order) % 2:
        return 0j
    m = abs(order)
    at_equator = (-1) ** ((degree + m) // 2) * _double_factorial(degree + m - 1) / _double_factorial(degree - m)
    norm = math.sqrt((2 * degree + 1) / (4 * math.pi) * math.factorial(degree - m) / math.factorial(degree + m))
    sign = (-1) ** m if order < 0 else 1
    return sign * fold * norm * at_equator * cmath.exp(1j * order * angle)


def harmonic_power(points: Float[Tensor, "n 3"], degree: int) -> float:
    """``sum_m |sum_j Y_lm(x_j)|^2`` over directions, by the addition theorem: ``(2 l + 1) / (4 pi) sum_ij P_l(x_i . x_j)``.

    >>> round(harmonic_power(torch.eye(3), 0) * 4 * torch.pi, 6)
    9.0
    """
    unit = torch.nn.functional.normalize(points.double(), dim=-1)
    cosine = (unit @ unit.T).clamp(-1, 1)
    before, now = torch.zeros_like(cosine), torch.ones_like(cosine)
    for k in range(degree):
        before, now = now, ((2 * k + 1) * cosine * now - k * before) / (k + 1)
    return (2 * degree + 1) / (4 * math.pi) * float(now.sum())


def first_visible_degree(points: Float[Tensor, "n 3"], up_to: int = 30) -> int | None:
    """The first degree from 1 up in which the sum over directions is not zero: what a feature needs to see the orientation of a star.

    3 for a tetrahedron, 4 for a cube and an octahedron, 6 for an icosahedron and a dodecahedron.

    Args:
        points: the neighbours, seen from the centre.
        up_to: where to stop looking.

    Returns:
        the degree, or ``None`` when there is none.

    Source: Cen et al. 2024, arXiv:2410.11443, for the degrees that symmetric structures need.

    >>> from erlangen.measure.gwl import dodecahedron
    >>> first_visible_degree(dodecahedron()), first_visible_degree(dodecahedron()[:8])
    (6, 4)
    """
    return next((l for l in range(1, up_to + 1) if harmonic_power(points, l) > ZERO * len(points) ** 2), None)


def _double_factorial(n: int) -> int:
    return math.prod(range(n, 0, -2))
