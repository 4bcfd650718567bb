"""`Rollouts`: robots with controllers, asked for goals; what they reach, and how many simulations blew up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType

import numpy as np

from erlangen.errors import ArgumentError
from erlangen.fields.robots.controller import LegController
from erlangen.fields.robots.simulation import Simulation, Threads
from erlangen.fields.robots.spec import RobotSpec
from erlangen.fields.robots.tasks import Task, task_named

#: What a robot whose simulation blows up loses, in metres; the most that it can have.
BLOWN = -1.0


@dataclass(frozen=True)
class Rolled:
    """What came of robots that were asked for goals.

    Attributes:
        values: metres nearer to the goals, ``[robots, goals]``; of a simulation that blew up at most -1.
        blown: which did, ``[robots, goals]``.
        paths: positions (the engine's ``qpos``) over time, ``[steps + 1, robots, goals, nq]``, where they were asked for.
    """

    values: np.ndarray
    blown: np.ndarray
    paths: np.ndarray | None = None


class Rollouts:
    """Simulations of robots with controllers. A context that owns the engine's threads.

    Args:
        threads: of the engine; by default one for each core that this process may use. Results do not depend on it.

    Attributes:
        count: how many rollouts there were.
        blown: how many of them blew up.

    >>> from erlangen.fields.robots import TASKS
    >>> controller = LegController(4)
    >>> with Rollouts() as rollouts:
    ...     rolled = rollouts.run([RobotSpec.regular(4)], controller, np.zeros((1, controller.size)), TASKS["forward"], np.eye(2)[:1])
    >>> rolled.values.shape, rollouts.count
    ((1, 1), 1)
    """

    def __init__(self, threads: int | None = None) -> None:
        self.threads = Threads(threads)
        self.count = self.blown = 0

    def __enter__(self) -> Rollouts:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.threads.close()

    def run(
        self, specs: Sequence[RobotSpec], controller: LegController, parameters: np.ndarray, task: str | Task, goals: np.ndarray,
        *, paths: bool = False,
    ) -> Rolled:  # fmt: skip
        """Simulate each robot once for each goal.

        Args:
            specs: robots; those with the same joints in one call.
            controller: the kind of controller.
            parameters: of each robot's, ``[robots, controller.size]``.
            task: what counts, or its name.
            goals: ``[goals, 2]`` metres, the same for all robots.
            paths: keep what moved.

        Raises:
            ArgumentError: no robots, other numbers of parameters or legs, robots with different joints.
        """
        task = task_named(task)
        goals, parameters = np.asarray(goals, dtype=np.float64), np.asarray(parameters, dtype=np.float64)
        _check(specs, controller, parameters, goals)
        robots, asked = len(specs), len(goals)
        ready = controller.prepared(parameters.repeat(asked, 0))
        here = Simulation(self.threads, [spec for spec in specs for _ in range(asked)], np.tile(goals, (robots, 1)))
        value, nearest = np.zeros(here.many), here.away
        kept = [here.positions.copy()] if paths else []
        for _ in range(here.physics.steps(task.seconds)):
            blown = here.step(here.of_motors(ready(here.see(ready.rate))))
            value[blown] = np.minimum(value[blown], 0.0) + BLOWN
            away = here.away
            value[here.alive] += (nearest - away)[here.alive]
            nearest = away
            if task.back_and_forth:
                there = here.alive & (away < task.margin)
                here.goal[there] *= -1
                nearest[there] = here.away[there]
            if paths:
                kept.append(here.positions.copy())
        self.count += here.many
        self.blown += int((~here.alive).sum())
        moved = np.stack(kept).reshape(len(kept), robots, asked, here.nq) if paths else None
        return Rolled(value.reshape(robots, asked), ~here.alive.reshape(robots, asked), moved)


def _check(specs: Sequence[RobotSpec], controller: LegController, parameters: np.ndarray, goals: np.ndarray) -> None:
    if not specs or len(parameters) != len(specs):
        raise ArgumentError("parameters", f"{len(specs)} rows, one for each robot, at least one", f"{len(parameters)}")
    if goals.ndim != 2 or goals.shape[-1] != 2 or not len(goals):
        raise ArgumentError("goals", "points of shape (goals, 2)", f"shape {goals.shape}")
    for spec in specs:
        if (spec.n_legs, spec.depth) != (controller.n_legs, controller.depth):
            wanted = f"robots for the controller, with {controller.n_legs} legs of {controller.depth} limbs"
            raise ArgumentError("specs", wanted, f"one with {spec.n_legs} legs of {spec.depth} limbs")
