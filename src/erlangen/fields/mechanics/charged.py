"""Charged bodies in space that attract and repel each other: the n-body benchmark of equivariant networks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from erlangen.errors import ArgumentError

STEP = 1e-3
MAX_FORCE = 0.1 / STEP  # the greatest change of a velocity component in one step is 0.1
SPEED = 0.5
STEPS_PER_FRAME = 100
CHUNK = 512  # simulations that fit a core's cache together


@dataclass(frozen=True, eq=False)
class ChargedBodies:
    """``N`` systems of ``B`` bodies at one moment, and where the bodies are later.

    Args:
        position, velocity: float64 ``[N, B, 3]`` at the input frame.
        charge: float64 ``[N, B]``, +1 or -1.
        target, target_velocity: positions and velocities at the target frame, float64 ``[N, B, 3]``.
    """

    position: Tensor
    velocity: Tensor
    charge: Tensor
    target: Tensor
    target_velocity: Tensor

    def __len__(self) -> int:
        return len(self.position)


def n_body(
    simulations: int | None = None,
    seed: int = 0,
    bodies: int = 5,
    input_frame: int = 30,
    target_frame: int = 40,
    *,
    initial: tuple[Tensor, Tensor, Tensor] | None = None,
) -> ChargedBodies:
    """Simulate systems of unit charges, from two frames of which a model learns to predict the later positions.

    Charges +-1 are equally likely, positions are ``N(0, 1)`` times ``(bodies / 5)^(1/3)``, velocities have length
    0.5 and random directions. The force on body ``i`` is ``sum_j c_i c_j (r_i - r_j) / |r_i - r_j|^3``, each component
    clipped to +-100; symplectic steps of 1e-3; frame ``k`` is the state after ``100 (k + 1)`` updates of the
    positions, before that step's update of the velocities. After Fuchs et al. 2020 (arXiv:2006.10503) and Satorras
    et al. 2021 (arXiv:2102.09844). Less than a millisecond for each simulation.

    The clipping is by component, so close encounters break rotational symmetry a little, as in the source.

    Args:
        simulations: how many systems; None with ``initial``.
        seed: of the systems.
        bodies: in each.
        input_frame, target_frame: which frames are kept.
        initial: start from these positions ``[N, B, 3]``, velocities ``[N, B, 3]`` and charges ``[N, B]`` (any numbers) instead of
            random ones; frames count from there. The state of one frame goes on as it did: from frame 30, frame 40 is frame 9.

    Raises:
        ArgumentError: a count is too small, the frames are not in order, or the initial state has other shapes or is not finite.

    >>> first = n_body(3, input_frame=0, target_frame=10)
    >>> first.target.shape
    torch.Size([3, 5, 3])
    >>> again = n_body(initial=(first.position, first.velocity, first.charge), input_frame=0, target_frame=9)
    >>> float((again.target - first.target).abs().max()) < 1e-9
    True
    """
    if not 0 <= input_frame < target_frame:
        raise ArgumentError("target_frame", f"a frame after the input frame {input_frame} >= 0", repr(target_frame))
    if initial is None:
        if simulations is None or simulations < 1:
            raise ArgumentError("simulations", "at least 1", repr(simulations))
        if bodies < 2:
            raise ArgumentError("bodies", "at least 2", repr(bodies))
        random = np.random.default_rng(seed)
        charge = random.choice([-1.0, 1.0], (simulations, bodies))
        position = random.normal(size=(simulations, bodies, 3)) * (bodies / 5) ** (1 / 3)
        direction = random.normal(size=(simulations, bodies, 3))
        velocity = SPEED * direction / np.linalg.norm(direction, axis=-1, keepdims=True)
    else:
        if simulations is not None:
            raise ArgumentError("simulations", "None with initial=, which says how many", repr(simulations))
        position, velocity, charge = _initial(initial)
        simulations = len(position)
    parts = []
    for first in range(0, simulations, CHUNK):
        here = slice(first, first + CHUNK)
        parts.append(_simulate(position[here], velocity[here], charge[here], (input_frame, target_frame)))
    start, speed, end, end_speed = (torch.from_numpy(np.concatenate(part)) for part in zip(*parts))
    return ChargedBodies(start, speed, torch.from_numpy(charge), end, end_speed)


def _initial(state: tuple[Tensor, Tensor, Tensor]) -> list[np.ndarray]:
    """Positions, velocities and charges as float64 arrays, looked at."""
    if not isinstance(state, tuple) or len(state) != 3:
        raise ArgumentError("initial", "(positions, velocities, charges)", repr(type(state).__name__))
    arrays = [np.array(torch.as_tensor(part).detach().cpu(), dtype=np.float64) for part in state]  # copies
    shape = arrays[0].shape
    if len(shape) != 3 or shape[0] < 1 or shape[1] < 2 or shape[2] != 3 or [a.shape for a in arrays[1:]] != [shape, shape[:2]]:
        raise ArgumentError(
            "initial", "positions and velocities [N, B, 3] of two bodies or more, charges [N, B]", str([a.shape for a in arrays])
        )
    if not all(np.isfinite(a).all() for a in arrays):
        raise ArgumentError("initial", "finite numbers", "NaN or infinite ones")
    apart = np.square(arrays[0][:, :, None] - arrays[0][:, None]).sum(-1) + np.eye(shape[1])
    if not apart.all():
        raise ArgumentError(
            "initial", "bodies at different places", f"two at one place in system {int((apart == 0).any((1, 2)).argmax())}"
        )
    return arrays


def _simulate(position: np.ndarray, velocity: np.ndarray, charge: np.ndarray, frames: tuple[int, int]) -> list[np.ndarray]:
    """Positions and velocities at the first frame, then at the second, each ``[n, B, 3]``."""
    bodies = charge.shape[1]
    i, j = np.tril_indices(bodies, -1)
    incidence = np.zeros((len(i), bodies))  # pairs x bodies: a difference of positions, and, transposed, a sum of forces
    incidence[np.arange(len(i)), i], incidence[np.arange(len(i)), j] = 1.0, -1.0
    product = (charge[:, i] * charge[:, j]).T
    x = np.ascontiguousarray(position.transpose(2, 1, 0))  # [3, B, n]: simulations run along the fast axis
    v = np.ascontiguousarray(velocity.transpose(2, 1, 0))

    def kick() -> np.ndarray:
        apart = incidence @ x
        square = (apart * apart).sum(0)
        force = incidence.T @ (apart * (product / (square * np.sqrt(square))))
        return STEP * np.clip(force, -MAX_FORCE, MAX_FORCE)

    v += kick()
    kept = []
    last = [STEPS_PER_FRAME * (frame + 1) for frame in frames]
    for step in range(1, last[1] + 1):
        x += STEP * v
        if step in last:
            kept += [x.transpose(2, 1, 0).copy(), v.transpose(2, 1, 0).copy()]
        v += kick()
    return kept
