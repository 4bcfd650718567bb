"""Two bodies under gravity, in closed form."""

from __future__ import annotations

import torch
from torch import Tensor

from erlangen.errors import ArgumentError


def kepler(position: Tensor, velocity: Tensor, times: Tensor, mu: float) -> tuple[Tensor, Tensor]:
    """The exact bound orbit of ``q'' = -mu q / |q|^3`` through an initial state.

    Kepler's equation is solved for the change of the eccentric anomaly, and the state follows by Lagrange's
    ``f`` and ``g`` coefficients, which have no singularity at circular orbits (Battin 1999, "An Introduction to the
    Mathematics and Methods of Astrodynamics", section 4.3). Accurate to rounding at every time; nothing accumulates.

    Args:
        position, velocity: at time zero, float64 ``[N, d]``.
        times: float64 ``[T]``.
        mu: the gravitational parameter, positive.

    Returns:
        positions and velocities, each ``[N, T, d]``.

    Raises:
        ArgumentError: ``mu`` is not positive, or an orbit is not bound or has no angular momentum at all.

    >>> import math
    >>> start = torch.tensor([[1.0, 0.0]], dtype=torch.float64), torch.tensor([[0.0, 1.0]], dtype=torch.float64)
    >>> q, p = kepler(*start, torch.tensor([math.pi / 2], dtype=torch.float64), mu=1.0)
    >>> q.round(decimals=12).tolist()
    [[[0.0, 1.0]]]
    """
    if not mu > 0:
        raise ArgumentError("mu", "a positive gravitational parameter", repr(mu))
    distance = position.norm(dim=-1, keepdim=True)  # [N, 1], broadcasts against the times
    vis_viva = 2 / distance - velocity.square().sum(-1, keepdim=True) / mu
    radial = (position * velocity).sum(-1, keepdim=True)
    if not bool((vis_viva > 0).all()):
        raise ArgumentError("velocity", "bound orbits, |velocity|^2 < 2 mu / |position|", "an unbound one")
    axis = 1 / vis_viva
    rate = torch.sqrt(mu / axis**3)
    along, across = 1 - distance / axis, radial / torch.sqrt(mu * axis)  # e cos E and e sin E at time zero
    if not bool((along.square() + across.square() < 1).all()):
        raise ArgumentError("velocity", "orbits with angular momentum", "a fall straight to the centre")
    anomaly = _anomaly_change(rate * times, along, across)
    sine, versine = torch.sin(anomaly), 2 * torch.sin(anomaly / 2).square()
    now = axis * (1 - along * (1 - versine) + across * sine)  # the distance at each time
    f = 1 - axis / distance * versine
    g = times - (anomaly - sine) / rate
    f_rate = -torch.sqrt(mu * axis) / (now * distance) * sine
    g_rate = 1 - axis / now * versine

    def combine(a: Tensor, b: Tensor) -> Tensor:
        return a[..., None] * position[:, None] + b[..., None] * velocity[:, None]

    return combine(f, g), combine(f_rate, g_rate)


def _anomaly_change(mean: Tensor, along: Tensor, across: Tensor) -> Tensor:
    """Solve ``D - along sin D + across (1 - cos D) = mean`` by Newton's method kept inside a shrinking bracket.

    The left side grows with ``D`` and differs from it by less than 2, so ``mean -+ 2`` brackets the root.
    """
    low, high = mean - 2, mean + 2
    guess = mean + torch.zeros_like(along)
    for _ in range(200):
        excess = guess - along * torch.sin(guess) + across * (1 - torch.cos(guess)) - mean
        low, high = torch.where(excess < 0, guess, low), torch.where(excess > 0, guess, high)
        newton = guess - excess / (1 - along * torch.cos(guess) + across * torch.sin(guess))
        following = torch.where((newton >= low) & (newton <= high), newton, (low + high) / 2)
        if bool(((following - guess).abs() <= 4e-16 * (1 + mean.abs())).all()):
            return following
        guess = following
    return guess  # the bracket has shrunk below rounding


def circular_speed(radius: Tensor) -> Tensor:
    """The speed at which two unit masses circle their common centre, each at ``radius`` from it (G = 1).

    They attract each other over the distance ``2 radius``, which asks for ``v^2 / radius = 1 / (4 radius^2)``.
    """
    return 1 / (2 * torch.sqrt(radius))
