"""Diffeomorphisms of the circle by their displacement ``h = f - phi`` on a grid: composition, inverse, flows, the Schwarzian derivative.

A composition is exact on the grid points, of the functions that the grids stand for; between them it is the trigonometric polynomial
through these points. How far that is from the composition of the functions is the error of truncation, which falls faster than any power
of N for smooth ones: see :attr:`~erlangen.fields.spacetime.BMS3Element.tail`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.fields.spacetime.series import Series, alike, circle, derivatives

#: Stages of the Gauss-Legendre method that flows are followed with, of order twice as much.
STAGES = 8
#: A step is at most so long that a generator's slope stretches by this in it.
STRETCH = 0.5
#: With more steps than these, no grid would hold the flow: it stretches by so many times :data:`STRETCH` in the exponent.
MOST_STEPS = 10_000
ITERATIONS = 60


def compose(outer: Float[Tensor, "*batch n"], inner: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
    """The displacement of ``phi -> outer(inner(phi))``."""
    (moved,) = Series(outer)(inner + circle(inner.shape[-1], inner.dtype, inner.device))
    return inner + moved


def inverse(h: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
    """The displacement of the inverse: Newton's method from a piecewise linear one. Differentiable once."""
    n = h.shape[-1]
    phi = circle(n, h.dtype, h.device)
    with torch.no_grad():
        f = h + phi
        turns = ((phi - f[..., :1]) / (2 * math.pi)).floor()
        ends = torch.cat([f, f[..., :1] + 2 * math.pi], -1).contiguous()
        wanted = (phi - 2 * math.pi * turns).contiguous()
        cell = (torch.searchsorted(ends, wanted, right=True) - 1).clamp(0, n - 1)
        low, high = ends.gather(-1, cell), ends.gather(-1, cell + 1)
        y = (cell + (wanted - low) / (high - low)) * (2 * math.pi / n) + 2 * math.pi * turns
        read = Series(h, *derivatives(h, 1))
        for _ in range(8):
            value, slope = read(y)
            step = (y + value - phi) / (1 + slope)
            y = y - step
            if not step.numel() or float(step.abs().max()) < 1e-14:
                break
    if h.requires_grad:
        value, slope = Series(h, *derivatives(h, 1))(y)
        y = y - (y + value - phi) / (1 + slope.detach())  # its derivative is the inverse's, by the implicit function
    return y - phi


def schwarzian(h: Float[Tensor, "*batch n"]) -> tuple[Float[Tensor, "*batch n"], Float[Tensor, "*batch n"]]:
    """``f'`` and ``S[f] = f'''/f' - (3/2) (f''/f')^2``."""
    first, second, third = derivatives(h, 1, 2, 3)
    slope = 1 + first
    return slope, third / slope - 1.5 * (second / slope).square()


@dataclass(frozen=True)
class Stages:
    """One step of a flow, at the nodes of a quadrature in the time: fields ``[*batch, stages, n]``.

    Attributes:
        weights: of the quadrature, ``[stages]``; the step's length is their sum.
        f: where the points have come to.
        stretch: the logarithm of ``f'``.
        alpha: what the supertranslation has grown to.
        end: the last three at the end of the step, ``[*batch, n]``.
    """

    weights: Tensor
    f: Tensor
    stretch: Tensor
    alpha: Tensor
    end: tuple[Tensor, Tensor, Tensor]


def flow_steps(T: Float[Tensor, "*batch n"], Y: Float[Tensor, "*batch n"], time: float = 1.0) -> Iterator[Stages]:
    """The flow ``df/ds = Y(f)`` and ``alpha = int T(f_s) / f_s' ds``, step by step.

    Each grid point moves by itself, so that no step is limited by the grid: Gauss-Legendre steps of order 16 whose stages are found by
    iteration, all points and stages at once. To 1e-13 where the flow is resolved.
    """
    T, Y = alike(T, Y)
    n = Y.shape[-1]
    batch = torch.broadcast_shapes(T.shape[:-1], Y.shape[:-1])
    (slope,) = derivatives(Y, 1)
    if not math.isfinite(time):
        raise ArgumentError("time", "a finite time", repr(time))
    steepest = float(slope.detach().abs().max()) if slope.numel() else 0.0
    steps = max(1.0, abs(time) * steepest / STRETCH)
    if not steps <= MOST_STEPS:
        raise ArgumentError(
            "time", f"a flow of at most {MOST_STEPS} steps", f"{steps:.1e} of them", "a shorter time, a smaller generator"
        )
    steps = math.ceil(steps)
    ds = time / steps
    inside, weights = (ds * t.to(Y) for t in _gauss())
    move, rest = Series(Y), Series(slope, T)
    f = circle(n, Y.dtype, Y.device).expand(*batch, n)
    stretch, alpha = torch.zeros_like(f), torch.zeros_like(f)
    small = 4 * torch.finfo(Y.dtype).eps
    for _ in range(steps):
        (speed,) = move(f)
        speed = speed.unsqueeze(-2).expand(*batch, STAGES, n)
        for _ in range(ITERATIONS):
            (new,) = move((f.unsqueeze(-2) + inside @ speed).flatten(-2))
            new = new.unflatten(-1, (STAGES, n))
            change = float((new - speed).detach().abs().max()) if new.numel() else 0.0
            speed = new
            if abs(ds) * change <= small:
                break
        places = f.unsqueeze(-2) + inside @ speed
        rate, lift = (v.unflatten(-1, (STAGES, n)) for v in rest(places.flatten(-2)))
        growing = stretch.unsqueeze(-2) + inside @ rate
        gain = lift * torch.exp(-growing)
        lifted = alpha.unsqueeze(-2) + inside @ gain
        f, stretch, alpha = f + weights @ speed, stretch + weights @ rate, alpha + weights @ gain
        yield Stages(weights, places, growing, lifted, (f, stretch, alpha))


def flow(
    T: Float[Tensor, "*batch n"], Y: Float[Tensor, "*batch n"], time: float = 1.0
) -> tuple[Float[Tensor, "*batch n"], Float[Tensor, "*batch n"]]:
    """``exp(time (T, Y))``: the displacement of the flow, and ``alpha``; see :func:`flow_steps`."""
    *_, last = flow_steps(T, Y, time)
    f, _, alpha = last.end
    return f - circle(f.shape[-1], f.dtype, f.device), alpha


@lru_cache(maxsize=1)
def _gauss() -> tuple[Tensor, Tensor]:
    """The Runge-Kutta matrix and the weights of the Gauss-Legendre method."""
    import numpy as np

    x, w = np.polynomial.legendre.leggauss(STAGES)
    x, w = (x + 1) / 2, w / 2
    powers = np.arange(STAGES)
    # Integrals of the polynomials that are one at a node, in Legendre's basis for its conditioning.
    basis = np.polynomial.legendre.legvander(2 * x - 1, STAGES - 1)
    integrals = np.stack([(np.polynomial.legendre.Legendre.basis(k, domain=[0, 1]).integ(lbnd=0))(x) for k in powers], 1)
    with torch.inference_mode(False):
        return torch.from_numpy(integrals @ np.linalg.inv(basis)), torch.from_numpy(w)
