"""Tasks: where a robot should go, how that is counted, and which goals a symmetric robot need not be asked twice."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from erlangen.design.designs import real_number, whole_number
from erlangen.errors import ArgumentError
from erlangen.fields.robots.spec import leg_angles


@dataclass(frozen=True)
class Task:
    """Where a robot should go: its value is the distance it comes nearer to its goals, in metres.

    Attributes:
        name: of the task.
        about: in a few words, for reports.
        seconds: an episode.
        distance: from the start to a goal, in metres; forward has one too far to be reached.
        directions: of the goals, in multiples of a turn; ``None``: any.
        back_and_forth: whether a goal that is reached gives way to the opposite one.
        margin: how near counts as reached, in metres.
    """

    name: str
    about: str
    seconds: float = 3.0
    distance: float = 10.0
    directions: tuple[float, ...] | None = None
    back_and_forth: bool = False
    margin: float = 0.3

    def __post_init__(self) -> None:
        for name in ("seconds", "distance", "margin"):
            number = real_number(getattr(self, name), 0.0, math.inf, name, open_below=name != "margin")
            object.__setattr__(self, name, number)
        if self.directions is not None:
            directions = tuple(real_number(turn, -math.inf, math.inf, "directions") for turn in self.directions)
            if not directions:
                raise ArgumentError("directions", "None, or at least one, in multiples of a turn", repr(self.directions))
            object.__setattr__(self, "directions", directions)

    def goals(self, n_legs: int, x_axis_index: int = 0, orbits: int = 8, rng: np.random.Generator | None = None) -> np.ndarray:
        """Goals to compare robots by, ``[goals, 2]`` metres: a set that the dihedral group of the legs keeps.

        Where any direction can be asked: so many orbits of ``2 n_legs`` directions, one from each of as many equal parts of the sector
        between a leg and the nearest mirror, its middle or, with ``rng``, a random place. Of a few directions: these.
        """
        orbits = whole_number(orbits, 1, "orbits")
        if self.directions is not None:
            return _around(self.distance, 2 * math.pi * np.array(self.directions))
        place = np.full(orbits, 0.5) if rng is None else rng.random(orbits)
        inside = (np.arange(orbits) + place) / orbits * math.pi / n_legs
        angles = leg_angles(n_legs, x_axis_index)[:, None, None] + inside[:, None] * np.array([1.0, -1.0])
        return _around(self.distance, angles.ravel())

    def sample(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Goals to train with, ``[count, 2]``, spread evenly from a random direction; of a few directions each in turn."""
        count = whole_number(count, 1, "count")
        if self.directions is None:
            turns = (rng.random() + np.arange(count)) / count
        else:
            order = rng.permutation(len(self.directions))
            turns = np.array(self.directions)[order[np.arange(count) % len(order)]]
        return _around(self.distance, 2 * math.pi * turns)


TASKS = {
    task.name: task
    for task in (
        Task("point-nav", "to a goal 10 m away in any direction"),
        Task(
            "patrol",
            "to and fro between two goals on the x axis",
            seconds=5.0,
            distance=1.2,
            directions=(0.0, 0.5),
            back_and_forth=True,
        ),
        Task("forward", "along the x axis, as far as possible", distance=1000.0, directions=(0.0,)),
    )
}


def task_named(task: str | Task) -> Task:
    """The task of a name, or the task itself.

    Raises:
        ArgumentError: there is none of that name; the message lists those there are.

    >>> task_named("forward").seconds
    3.0
    """
    if isinstance(task, Task):
        return task
    if task not in TASKS:
        raise ArgumentError("task", f"one of {', '.join(TASKS)}, or a Task", repr(task))
    return TASKS[task]


def fundamental_goals(goals: np.ndarray, matrices: Any) -> tuple[np.ndarray, np.ndarray]:
    """One goal of each orbit under the body's group, and the share of all goals that it stands for.

    A body that is symmetric under the group, with a controller that moves along, does the same for all goals of an orbit, so these
    need not be simulated: the mean over all goals is that of the chosen ones by their shares. Exactly so but for rounding, which a body
    that balances or tumbles makes larger, tenfold in a quarter of a second at worst: after 5 s courses of one orbit can be apart.

    Args:
        goals: ``[goals, 2]``.
        matrices: of all elements of the body's group in the plane, ``[order, 2, 2]``.

    >>> square = np.array([[1.0, 0], [0, 1], [-1, 0], [0, -1]])
    >>> half_turn = np.stack([np.eye(2), -np.eye(2)])
    >>> fundamental_goals(square, half_turn)
    (array([[1., 0.],
           [0., 1.]]), array([0.5, 0.5]))
    """
    goals, matrices = np.asarray(goals, dtype=np.float64), np.asarray(matrices, dtype=np.float64)
    if goals.ndim != 2 or goals.shape[1] != 2 or not len(goals) or not np.isfinite(goals).all():
        raise ArgumentError("goals", "finite points of shape (goals, 2), at least one", f"shape {goals.shape}")
    if matrices.ndim != 3 or matrices.shape[1:] != (2, 2) or not len(matrices):
        raise ArgumentError("matrices", "shape (order, 2, 2)", f"shape {matrices.shape}")
    moved = np.einsum("gij,nj->gni", matrices, goals)
    apart = np.linalg.norm(moved[:, :, None] - goals, axis=-1).min(0)  # [from, to]
    linked = apart < 1e-9 * max(1.0, float(np.abs(goals).max()))
    first = linked.argmax(1)  # the first goal of each one's orbit; a group: linked is an equivalence
    chosen, counts = np.unique(first, return_counts=True)
    return goals[chosen], counts / len(goals)


def _around(distance: float, angles: np.ndarray) -> np.ndarray:
    return distance * np.stack([np.cos(angles), np.sin(angles)], -1)
