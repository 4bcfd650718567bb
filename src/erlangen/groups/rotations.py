"""Closed forms of exp and log for rotations and rigid motions in two and three dimensions.

All are smooth at the identity: the scalar functions of the angle are functions of its *square*, given near zero by
their power series, so that derivatives of every order are finite there. Sources: Rodrigues (1840); J. Gallier and D.
Xu, "Computing exponentials of skew-symmetric matrices and logarithms of orthogonal matrices", Int. J. Robotics and
Automation 18 (2003).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

#: Below this squared angle the power series (seven terms) are used; both branches are exact to rounding there.
SMALL = 0.25

_SINC = [(-1) ** k / math.factorial(2 * k + 1) for k in range(8)]
_COSC = [(-1) ** k / math.factorial(2 * k + 2) for k in range(8)]
_SINCC = [(-1) ** k / math.factorial(2 * k + 3) for k in range(8)]
#: |B_2k| / (2k)! for k = 1, 2, ...: the series of (1 - (t/2) cot(t/2)) / t^2.
_COT = [
    1 / 12,
    1 / 720,
    1 / 30240,
    1 / 1209600,
    1 / 47900160,
    691 / 1307674368000,
    1 / 74724249600,
    3617 / 10670622842880000,
]


def _series(x: Tensor, coefficients: list[float], formula: Callable[[Tensor], Tensor]) -> Tensor:
    """The power series where the squared angle ``x`` is small, else ``formula(angle)``; no branch divides by zero."""
    small = x < SMALL
    low = torch.where(small, x, torch.zeros_like(x))
    polynomial = torch.full_like(x, coefficients[-1])
    for c in reversed(coefficients[:-1]):
        polynomial = polynomial * low + c
    return torch.where(small, polynomial, formula(torch.where(small, torch.ones_like(x), x).sqrt()))


def exp_rotation(a: Tensor) -> Tensor:
    """Rodrigues' formula: the rotation of a skew matrix, ``[*batch, n, n]`` with n = 2 or 3.

    >>> a = torch.tensor([[0.0, -1.0], [1.0, 0.0]]) * torch.pi
    >>> torch.allclose(exp_rotation(a), -torch.eye(2), atol=1e-6)
    True
    """
    x = _squared_angle(a)[..., None, None]
    eye = torch.eye(a.shape[-1], dtype=a.dtype, device=a.device)
    return eye + _sinc(x) * a + _cosc(x) * (a @ a)


def translation_factor(a: Tensor) -> Tensor:
    """``V(a) = (exp(a) - 1) / a``, so that exp of the rigid motion ``(a, u)`` translates by ``V u``."""
    x = _squared_angle(a)[..., None, None]
    eye = torch.eye(a.shape[-1], dtype=a.dtype, device=a.device)
    c = _series(x, _SINCC, lambda t: (t - torch.sin(t)) / t**3)
    return eye + _cosc(x) * a + c * (a @ a)


def inverse_translation_factor(a: Tensor) -> Tensor:
    """The inverse of :func:`translation_factor`, for angles below 2 pi."""
    x = _squared_angle(a)[..., None, None]
    eye = torch.eye(a.shape[-1], dtype=a.dtype, device=a.device)
    d = _series(x, _COT, lambda t: (1 - 0.5 * t * torch.cos(0.5 * t) / torch.sin(0.5 * t)) / t**2)
    return eye - 0.5 * a + d * (a @ a)


def log_rotation(g: Tensor) -> Tensor:
    """The skew matrix of angle at most pi whose exponential is the rotation ``g``, ``[*batch, n, n]`` with n = 2 or 3.

    Accurate at all angles, pi included (there the axis is known up to sign, and either is a logarithm).

    >>> g = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
    >>> round(float(log_rotation(g)[2, 1].abs()), 5)
    3.14159
    """
    if g.shape[-1] == 2:
        angle = torch.atan2(g[..., 1, 0] - g[..., 0, 1], g[..., 0, 0] + g[..., 1, 1])
        zero = torch.zeros_like(angle)
        return torch.stack([zero, -angle, angle, zero], -1).unflatten(-1, (2, 2))
    q = rotation_to_quaternion(g)
    w, v = q[..., :1], q[..., 1:]
    s2 = (v * v).sum(-1, keepdim=True)
    small = s2 < 1e-3
    low = torch.where(small, s2, torch.zeros_like(s2))
    # arcsin(s)/s near the identity, where w is near 1; s2 is replaced there so that no branch divides by zero.
    arc = 1 + low * (1 / 6 + low * (3 / 40 + low * (15 / 336 + low * 105 / 3456)))
    s = torch.where(small, torch.ones_like(s2), s2).sqrt()
    x, y, z = (2 * torch.where(small, arc, torch.atan2(s, w) / s) * v).unbind(-1)
    zero = torch.zeros_like(x)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))


def rotation_to_quaternion(g: Tensor) -> Tensor:
    """Unit quaternions ``(w, x, y, z)`` with ``w >= 0``, ``[*batch, 4]``, of rotations ``[*batch, 3, 3]``.

    Of the four proportional rows of ``4 q q^T`` the one with the largest diagonal entry is taken, so no digits are
    lost at any angle. Source: S. W. Shepperd, "Quaternion from rotation matrix", J. Guidance and Control 1 (1978).
    """
    (a, b, c), (d, e, f), (h, i, j) = (row.unbind(-1) for row in g.unbind(-2))
    rows = torch.stack(
        [
            torch.stack([1 + a + e + j, i - f, c - h, d - b], -1),
            torch.stack([i - f, 1 + a - e - j, b + d, c + h], -1),
            torch.stack([c - h, b + d, 1 - a + e - j, f + i], -1),
            torch.stack([d - b, c + h, f + i, 1 - a - e + j], -1),
        ],
        -2,
    )
    best = rows.diagonal(dim1=-2, dim2=-1).argmax(-1)
    row = rows.gather(-2, best[..., None, None].expand(*best.shape, 1, 4)).squeeze(-2)
    row = row * torch.where(row[..., :1] < 0, -1.0, 1.0).to(row.dtype)
    return row / row.norm(dim=-1, keepdim=True)


def _squared_angle(a: Tensor) -> Tensor:
    return 0.5 * (a * a).sum((-2, -1))


def _sinc(x: Tensor) -> Tensor:
    return _series(x, _SINC, lambda t: torch.sin(t) / t)


def _cosc(x: Tensor) -> Tensor:
    return _series(x, _COSC, lambda t: 2 * (torch.sin(0.5 * t) / t) ** 2)
