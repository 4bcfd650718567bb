"""`LegController`: one small network for all legs, each seeing the world from its own leg, so that the loop has the body's symmetry."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from erlangen.design.designs import whole_number
from erlangen.errors import ArgumentError

#: Turns of a controller's clock in a second, before it learns its own.
CLOCK = 2.0
#: Seconds by which velocities are multiplied before a controller sees them.
SPEED = 0.2


@dataclass(frozen=True)
class LegController:
    """A network of one hidden layer that every leg runs on what it sees in its own frame, with the same numbers.

    A leg sees, in this order: where the goal is (x, y, at most of length 1), the sine and cosine of a clock, which way is up (x, y), its
    joints' angles and velocities, and how fast the ball turns about its axis; it answers a control from -1 to 1 for each joint. Turning
    the robot permutes the legs; a reflection also turns around the signs of ``y``, of the first joint, which turns about the vertical,
    and of the ball's turning. The network is averaged over the two signs, so a robot whose body has a symmetry behaves by it,
    reflections too.

    Args:
        n_legs: how many.
        depth: joints of a leg.
        hidden: units.

    >>> controller = LegController(4)
    >>> controller.inputs, controller.size
    (11, 227)
    """

    n_legs: int
    depth: int = 2
    hidden: int = 16

    def __post_init__(self) -> None:
        for name in ("n_legs", "depth", "hidden"):
            object.__setattr__(self, name, whole_number(getattr(self, name), 1, name))

    @property
    def inputs(self) -> int:
        """What a leg sees: 7 numbers and two of each joint."""
        return 7 + 2 * self.depth

    @property
    def size(self) -> int:
        """How many parameters there are: two layers with biases, and the logarithm of the clock's rate."""
        return (self.inputs + 1) * self.hidden + (self.hidden + 1) * self.depth + 1

    def random(self, rng: np.random.Generator, scale: float = 0.5) -> np.ndarray:
        """Parameters to start from, ``[size]``."""
        return scale * rng.standard_normal(self.size)

    def prepared(self, parameters: np.ndarray) -> ReadyController:
        """The controllers of a batch of parameters ``[batch, size]``, ready to be asked at every step.

        Raises:
            ArgumentError: another number of parameters, or NaN.
        """
        parameters = np.asarray(parameters, dtype=np.float64)
        if parameters.ndim != 2 or parameters.shape[1] != self.size:
            raise ArgumentError("controller", f"parameters of shape (batch, {self.size})", f"shape {parameters.shape}")
        if not np.isfinite(parameters).all():
            raise ArgumentError("controller", "finite parameters", "NaN or infinity")
        return ReadyController(self, parameters)


class ReadyController:
    """Controllers with their parameters laid out for products."""

    def __init__(self, kind: LegController, parameters: np.ndarray) -> None:
        batch, k, h, d = len(parameters), kind.inputs, kind.hidden, kind.depth
        first, bias, last, out, rate = np.split(parameters, np.cumsum([k * h, h, h * d, d]), axis=1)
        first, last = first.reshape(batch, k, h) / math.sqrt(k), last.reshape(batch, h, d) / math.sqrt(h)
        # The mean of f(o) and S f(S o), both hidden layers side by side.
        seen, answered = mirrored_signs(d)
        self.first = np.concatenate([first, seen[:, None] * first], 2)
        self.bias = np.concatenate([bias, bias], 1)[:, None]
        self.last = np.concatenate([last, last * answered], 1) / 2
        self.out = (out * (1 + answered) / 2)[:, None]
        #: Turns of the clock in a second, about 2.
        self.rate = CLOCK * np.exp(np.clip(rate[:, 0], -2, 2) / 2)

    def __call__(self, seen: np.ndarray) -> np.ndarray:
        """The controls ``[batch, n_legs, depth]`` for what the legs see, ``[batch, n_legs, inputs]``."""
        return np.tanh(np.tanh(seen @ self.first + self.bias) @ self.last + self.out)


def mirrored_signs(depth: int) -> tuple[np.ndarray, np.ndarray]:
    """What a reflection does to the numbers that a leg sees and answers: signs ``[7 + 2 depth]`` and ``[depth]``.

    >>> mirrored_signs(1)[0].tolist()
    [1.0, -1.0, 1.0, 1.0, 1.0, -1.0, -1.0, -1.0, -1.0]
    """
    seen, answered = np.ones(7 + 2 * depth), np.ones(depth)
    seen[[1, 5, 6, 6 + depth, -1]] = answered[0] = -1
    return seen, answered


def legs_see(
    turns: np.ndarray, goal: np.ndarray, quaternion: np.ndarray, joints: np.ndarray, speeds: np.ndarray, turning: np.ndarray,
    angles: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """What each leg sees in its own frame, ``[batch, n_legs, 7 + 2 depth]``; see :class:`LegController`.

    Args:
        turns: of the clock, ``[batch]``.
        goal: from the ball to the goal, in the world, ``[batch, 2]`` metres.
        quaternion: of the ball, ``[batch, 4]``.
        joints, speeds: ``[batch, n_legs, depth]``, radians and radians per second.
        turning: about the ball's own axis, ``[batch]``.
        angles: of the legs, ``[n_legs]``.
    """
    w, x, y, z = quaternion.T
    far = np.maximum(1.0, np.hypot(goal[:, 0], goal[:, 1]))
    gx, gy = goal[:, 0] / far, goal[:, 1] / far
    # World vectors in the ball's frame: the rotation matrix, transposed.
    ahead = (1 - 2 * (y * y + z * z)) * gx + 2 * (x * y + w * z) * gy
    aside = 2 * (x * y - w * z) * gx + (1 - 2 * (x * x + z * z)) * gy
    up_x, up_y = 2 * (x * z - w * y), 2 * (y * z + w * x)
    cos, sin = np.cos(angles), np.sin(angles)
    batch, n, d = joints.shape
    seen = np.empty((batch, n, 7 + 2 * d))
    for place, (a, b) in ((0, (ahead, aside)), (4, (up_x, up_y))):
        seen[..., place] = np.outer(a, cos) + np.outer(b, sin)
        seen[..., place + 1] = np.outer(b, cos) - np.outer(a, sin)
    clock = 2 * math.pi * turns[:, None]
    seen[..., 2], seen[..., 3] = np.sin(clock), np.cos(clock)
    seen[..., 6 : 6 + d], seen[..., 6 + d : 6 + 2 * d] = joints, SPEED * speeds
    seen[..., -1] = SPEED * turning[:, None]
    return seen
