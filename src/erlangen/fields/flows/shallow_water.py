"""`shallow_water`: a height and a velocity on a torus: the case of a scalar beside a vector."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.fields.flows.spectral import Plane, check_square, integrate, steps_between


def shallow_water(
    state: Float[Tensor, "*batch 3 n n"],
    frames: int = 10,
    gravity: float = 1.0,
    viscosity: float = 1e-3,
    every: float = 0.1,
    dt: float = 0.005,
) -> Float[Tensor, "*batch frames 3 n n"]:
    """Height and velocity ``(h, u, v)`` of shallow water on the unit torus at the times ``every, 2 every, ...``.

    ``dh/dt = -div(h u)`` and ``du/dt = -(u . grad) u - gravity grad h + viscosity laplacian u``, the height damped alike. All shifts,
    turns and reflections of the square are symmetries: the height as a scalar, the velocity as a vector. The volume of water is kept.

    Args:
        state: at time 0; axis -2 is x, axis -1 is y; the height is positive.
        frames: how many.
        gravity, viscosity: positive, and zero or more. Waves that steepen need some viscosity.
        every: time between frames.
        dt: longest time step; below about ``0.95 / (n (|u| + sqrt(gravity h)))``, beyond which waves grow.

    Raises:
        ArgumentError: the state is none, a number is out of its range, the steps are so long that waves grow by themselves or the
            water does not stay finite, or it falls dry.

    >>> rest = torch.zeros(3, 8, 8, dtype=torch.float64)
    >>> rest[0] = 1
    >>> torch.equal(shallow_water(rest, frames=1)[0], rest)
    True
    """
    size = check_square(state, "state", (3,))
    steps, dt = steps_between(every, dt)
    if not isinstance(frames, int) or frames < 1:
        raise ArgumentError("frames", "a positive number of frames", repr(frames))
    for name, value in (("gravity", gravity), ("viscosity", viscosity)):
        if not 0 <= value < math.inf:
            raise ArgumentError(name, "zero or a positive number", repr(value))
    if bool((state[..., 0, :, :] <= 0).any()):
        raise ArgumentError("state", "positive heights", float(state[..., 0, :, :].min()))
    if not state.numel():
        return state.new_zeros(*state.shape[:-3], frames, *state.shape[-3:])
    plane = Plane(size, state.dtype, state.device)
    kx, ky = 1j * plane.k
    speed = (gravity * state[..., 0, :, :].detach().mean((-2, -1)).max()).sqrt()
    if float(_growth(plane, speed, viscosity, dt)) > 1 + 1e-4:
        raise ArgumentError("dt", f"steps in which waves of speed {float(speed):.3g} do not grow", repr(dt), "halve it")

    def slope(waves: Tensor) -> Tensor:
        h, u, v = plane.to_points(waves).unbind(-3)
        turning = plane.to_points(kx * waves[..., 2, :, :] - ky * waves[..., 1, :, :])
        # (u . grad) u = grad |u|^2 / 2 + curl(u) x u.
        head = plane.to_waves((u * u + v * v) / 2 + gravity * h)
        moved = plane.to_waves(torch.stack([h * u, h * v, turning * v, -turning * u], -3))
        flux_x, flux_y, push_x, push_y = moved.unbind(-3)
        return torch.stack([-kx * flux_x - ky * flux_y, push_x - kx * head, push_y - ky * head], -3)

    waves, kept = plane.to_waves(state), []
    for _ in range(frames):
        waves = integrate(waves, viscosity * plane.squared, slope, dt, steps)
        kept.append(plane.to_points(waves))
    made = torch.stack(kept, -4)
    if not bool(made[..., -1, :, :, :].isfinite().all()):
        raise ArgumentError("dt", "steps so short that the water stays finite", repr(dt), "halve it")
    if bool((made[..., 0, :, :] <= 0).any()):
        raise ArgumentError("state", "waves so low that no place falls dry", "a height below zero", "or take shorter steps")
    return made


def _growth(plane: Plane, speed: Tensor, viscosity: float, dt: float) -> Tensor:
    """By what a step multiplies, at most, a wave that is kept and travels at this speed: Runge and Kutta's polynomial, and damping."""
    z = speed * plane.squared.sqrt() * dt
    factor = torch.hypot(1 - z**2 / 2 + z**4 / 24, z - z**3 / 6) * torch.exp(-viscosity * plane.squared * dt)
    return factor[plane.kept].max()
