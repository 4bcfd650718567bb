"""Any number of bodies under gravity: tight numerical trajectories and what they conserve (G = 1)."""

from __future__ import annotations

import numpy as np
import torch
from scipy.integrate import solve_ivp
from torch import Tensor

from erlangen.errors import ArgumentError

TOLERANCE = 1e-12
CHUNK = 32  # simulations that share a step size: the hardest among them sets it


def trajectories(position: Tensor, velocity: Tensor, masses: Tensor, times: Tensor) -> tuple[Tensor, Tensor]:
    """Integrate ``B`` attracting bodies with DOP853 (Dormand and Prince 1980, order 8) at tolerance 1e-12.

    Args:
        position, velocity: at time zero, float64 ``[N, B, d]``.
        masses: float64 ``[B]``.
        times: increasing, non-negative, float64 ``[T]``.

    Returns:
        positions and velocities, each ``[N, T, B, d]``.

    Raises:
        ArgumentError: the shapes do not fit, or two bodies come too close for the tolerance.
    """
    if position.ndim != 3 or position.shape != velocity.shape or position.shape[1] != len(masses):
        got = f"{list(position.shape)}, {list(velocity.shape)} and {len(masses)} masses"
        raise ArgumentError("position", "position and velocity [N, B, d] and B masses", got)
    start = torch.stack([position, velocity]).numpy()
    weights, grid = masses.numpy(), times.numpy()
    parts = [_integrate(start[:, first : first + CHUNK], weights, grid) for first in range(0, start.shape[1], CHUNK)]
    path = torch.from_numpy(np.concatenate(parts, 1))  # [2, N, T, B, d]
    return path[0], path[1]


def _integrate(start: np.ndarray, masses: np.ndarray, times: np.ndarray) -> np.ndarray:
    def motion(_: float, flat: np.ndarray) -> np.ndarray:
        q, v = flat.reshape(start.shape)
        return np.stack([v, _acceleration(q, masses)]).ravel()

    solved = solve_ivp(motion, (0.0, float(times[-1])), start.ravel(), "DOP853", times, rtol=TOLERANCE, atol=TOLERANCE)
    if not solved.success:
        raise ArgumentError("position", "bodies that stay apart", f"a near collision ({solved.message})")
    path = solved.y.reshape(*start.shape, len(times))  # [2, n, B, d, T]
    return np.moveaxis(path, -1, 2)


def _acceleration(q: np.ndarray, masses: np.ndarray) -> np.ndarray:
    """What every body feels from all others: ``[n, B, d]``."""
    total = np.zeros_like(q)
    for i in range(len(masses)):
        for j in range(i):
            apart = q[:, i] - q[:, j]
            pull = apart / ((apart * apart).sum(-1, keepdims=True)) ** 1.5
            total[:, i] -= masses[j] * pull
            total[:, j] += masses[i] * pull
    return total


def energy(position: Tensor, velocity: Tensor, masses: Tensor) -> Tensor:
    """Kinetic plus gravitational energy of states ``[..., B, d]``: ``[...]``."""
    kinetic = (masses[:, None] * velocity.square()).sum((-2, -1)) / 2
    i, j = torch.tril_indices(len(masses), len(masses), offset=-1)
    apart = (position[..., i, :] - position[..., j, :]).norm(dim=-1)
    return kinetic - (masses[i] * masses[j] / apart).sum(-1)


def angular_momentum(position: Tensor, velocity: Tensor, masses: Tensor) -> Tensor:
    """Total angular momentum of planar states ``[..., B, 2]`` about the origin: ``[...]``."""
    turning = position[..., 0] * velocity[..., 1] - position[..., 1] * velocity[..., 0]
    return (masses * turning).sum(-1)
