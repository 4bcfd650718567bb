"""Hill's equation ``psi'' = (Theta / 4) psi`` on the circle: its monodromy, what leaves ``Theta`` alone, and the orbit's constant data.

All two-by-two matrices here are of determinant one, kept as products of exponentials of traceless ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from erlangen.fields.spacetime import series
from erlangen.fields.spacetime.diffeos import inverse
from erlangen.fields.spacetime.series import Series, circle

#: At least so many steps about the circle, of order 6; they are for slopes of ``Theta`` up to :data:`STEEP`, and grow with its root.
STEPS, STEEP = 512, 100.0
#: A trace of the monodromy nearer to 2 or -2 than this has no unique direction that is left alone; nor has one within so many roundings.
EXCEPTIONAL, ROUNDINGS = 1e-7, 1e3

Traceless = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True)
class Rest:
    """The constant data on an orbit, where the orbit has such of a unique kind.

    Attributes:
        theta, xi: the constants, ``[*batch]``; ``nan`` where there are none.
        mass, spin: ``M = theta / 8 G`` and ``J = xi / 4 G``.
        Y: the generator ``[*batch, n]`` of superrotations that leaves ``Theta`` alone, with ``int dphi / Y = 2 pi``.
        h: the displacement of the diffeomorphism ``f' = Y(f)`` whose action makes ``Theta`` constant.
        found: whether there are, ``[*batch]`` bool. Not where the monodromy is plus or minus the identity or parabolic within
            ``1e-7`` (the vacuum's orbit among them, whose elements all have mass ``-1 / 8 G``), or where ``Y`` has zeros.
    """

    theta: Float[Tensor, "*batch"]
    xi: Float[Tensor, "*batch"]
    mass: Float[Tensor, "*batch"]
    spin: Float[Tensor, "*batch"]
    Y: Float[Tensor, "*batch n"]
    h: Float[Tensor, "*batch n"]
    found: Bool[Tensor, "*batch"]


def monodromy(theta: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch 2 2"]:
    """The matrix that takes ``(psi, psi')`` once about the circle, to 1e-12 of its largest number where ``Theta`` is resolved.
    Differentiable.

    Magnus' series of order 6 with Gauss points, read off the Fourier series, and a product by halves.

    Source: S. Blanes, F. Casas, J. A. Oteo, J. Ros, "The Magnus expansion and some of its applications" (2009), arXiv:0810.5488.
    """
    steps = _steps(theta)
    while steps.shape[-3] > 1:
        if steps.shape[-3] % 2:
            steps = torch.cat([steps[..., :-2, :, :], _times(steps[..., -1:, :, :], steps[..., -2:-1, :, :])], -3)
            continue
        steps = _times(steps[..., 1::2, :, :], steps[..., ::2, :, :])
    return steps[..., 0, :, :]


def rest(theta: Float[Tensor, "*batch n"], xi: Float[Tensor, "*batch n"], G: float) -> Rest:
    """The constant data of the orbit of ``(Theta, Xi)``: see :class:`Rest`.

    ``Y = psi^T S psi`` for the two solutions ``psi``, with the quadratic form ``S`` that the monodromy keeps.
    """
    theta, xi = torch.broadcast_tensors(theta, xi)
    transport, whole = _transports(theta)
    trace = whole.diagonal(dim1=-2, dim2=-1).sum(-1)
    # Once about, the row psi becomes psi M: the symmetric part of M J, J = [[0, 1], [-1, 0]], is the form that M S M^T = S keeps.
    turned = torch.stack([-whole[..., 1], whole[..., 0]], -1)
    form = 0.5 * (turned + turned.mT)
    psi = transport[..., 0, :]
    y = torch.einsum("...ni,...ij,...nj->...n", psi, form, psi)
    y = y * torch.sign(y[..., :1])
    rounding = ROUNDINGS * torch.finfo(theta.dtype).eps * (1 + theta.detach().abs().amax(-1))
    found = ((trace.abs() - 2).abs() > rounding.clamp_min(EXCEPTIONAL)) & (y.amin(-1) > 1e-9 * y.amax(-1))
    safe = torch.where(found[..., None], y, torch.ones_like(y))
    y = safe * (1 / safe).mean(-1, keepdim=True)
    first, second = series.derivatives(y, 1, 2)
    nan = torch.full_like(trace, math.nan)
    constant = (y.square() * theta - 2 * y * second + first.square()).mean(-1)
    constant = torch.where(found, constant, nan)
    momentum = torch.where(found, (xi * y).mean(-1), nan)
    h = inverse(_integral(1 / y - 1))  # Y(f) = f'
    series.watch("the diffeomorphism to rest", h, scale=1.0)
    return Rest(constant, momentum, constant / (8 * G), momentum / (4 * G), y, h, found)


def _integral(values: Tensor) -> Tensor:
    """The periodic integral of a field of mean zero, 0 at the first point."""
    n = values.shape[-1]
    k = torch.arange(n // 2 + 1, dtype=values.dtype, device=values.device)
    c = series.waves(values)
    c = torch.cat([torch.zeros_like(c[..., :1]), c[..., 1:-1] / (1j * k[1:-1]), torch.zeros_like(c[..., -1:])], -1)
    found = series.points(c, n)
    return found - found[..., :1]


def _steps(theta: Tensor) -> Tensor:
    """The transports over equal steps, in order, ``[*batch, steps, 2, 2]``."""
    n = theta.shape[-1]
    steepest = float(series.derivatives(theta.detach(), 1)[0].abs().max()) if theta.numel() else 0.0
    wanted = STEPS * max(1.0, math.sqrt(steepest / STEEP)) if math.isfinite(steepest) else STEPS
    count = n * math.ceil(wanted / n)
    ds = 2 * math.pi / count
    middle = circle(count, theta.dtype, theta.device) + ds / 2
    away = math.sqrt(15) / 10 * ds
    (seen,) = Series(theta / 4)(torch.cat([middle - away, middle, middle + away]))
    before, mid, after = seen.unflatten(-1, (3, count)).unbind(-2)
    zero, one = torch.zeros_like(mid), torch.ones_like(mid)
    a1: Traceless = (zero, ds * one, ds * mid)
    a2: Traceless = (zero, zero, math.sqrt(15) / 3 * ds * (after - before))
    a3: Traceless = (zero, zero, 10 / 3 * ds * (after - 2 * mid + before))
    c1 = _bracket(a1, a2)
    c2 = _scaled(_bracket(a1, _sum(_scaled(a3, 2.0), c1)), -1 / 60)
    last = _bracket(_sum(_scaled(a1, -20.0), _scaled(a3, -1.0), c1), _sum(a2, c2))
    return _exponential(_sum(a1, _scaled(a3, 1 / 12), _scaled(last, 1 / 240)))


def _bracket(x: Traceless, y: Traceless) -> Traceless:
    """The commutator of ``[[a, b], [c, -a]]``."""
    (a1, b1, c1), (a2, b2, c2) = x, y
    return (b1 * c2 - b2 * c1, 2 * (a1 * b2 - a2 * b1), 2 * (c1 * a2 - c2 * a1))


def _sum(*several: Traceless) -> Traceless:
    return tuple(sum(parts[1:], parts[0]) for parts in zip(*several))  # type: ignore[return-value]


def _scaled(x: Traceless, factor: float) -> Traceless:
    return tuple(factor * part for part in x)  # type: ignore[return-value]


def _exponential(x: Traceless) -> Tensor:
    """``exp`` of small traceless matrices: ``cosh(s) + x sinh(s) / s`` with ``s^2 = a^2 + b c``, by their series, which are entire."""
    a, b, c = x
    square = a.square() + b * c
    even, odd = torch.ones_like(square), torch.ones_like(square)
    for k in range(9, 0, -1):
        even = 1 + square * even / (2 * k * (2 * k - 1))
        odd = 1 + square * odd / (2 * k * (2 * k + 1))
    rows = [even + a * odd, b * odd, c * odd, even - a * odd]
    return torch.stack(rows, -1).unflatten(-1, (2, 2))


def _times(x: Tensor, y: Tensor) -> Tensor:
    """Products of two-by-two matrices; four sums are faster than a call of a matrix product for each."""
    return (x.unsqueeze(-1) * y.unsqueeze(-3)).sum(-2)


def _transports(theta: Tensor) -> tuple[Tensor, Tensor]:
    """From the first point to each, ``[*batch, n, 2, 2]``, and once about."""
    n = theta.shape[-1]
    steps = _steps(theta)
    cells = steps.unflatten(-3, (n, steps.shape[-3] // n))
    while cells.shape[-3] > 1:
        if cells.shape[-3] % 2:
            cells = torch.cat([cells[..., :-2, :, :], _times(cells[..., -1:, :, :], cells[..., -2:-1, :, :])], -3)
            continue
        cells = _times(cells[..., 1::2, :, :], cells[..., ::2, :, :])
    cells = cells[..., 0, :, :]
    reach = cells  # products over the last 1, 2, 4, ... cells
    far = 1
    while far < n:
        reach = torch.cat([reach[..., :far, :, :], _times(reach[..., far:, :, :], reach[..., :-far, :, :])], -3)
        far *= 2
    start = torch.eye(2, dtype=theta.dtype, device=theta.device).expand(*reach.shape[:-3], 1, 2, 2)
    return torch.cat([start, reach[..., :-1, :, :]], -3), reach[..., -1, :, :]
