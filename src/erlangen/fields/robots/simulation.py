"""Robots under way: the engine steps all of them in one call for each step of control, on several threads."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from erlangen.design.designs import whole_number
from erlangen.errors import ArgumentError
from erlangen.extras import engine
from erlangen.fields.robots.controller import legs_see
from erlangen.fields.robots.physics import FASTEST, mujoco
from erlangen.fields.robots.spec import RobotSpec, leg_angles

#: ``mjSTATE_CTRL``: the controls are all that is given from outside.
_CONTROLS = 64


class Threads:
    """The engine's threads, to close when done with; models are kept, so that robots of one body need one model.

    Args:
        count: by default one for each core that this process may use.
    """

    def __init__(self, count: int | None = None) -> None:
        self.count = len(os.sched_getaffinity(0)) if count is None else whole_number(count, 1, "threads")
        self.pool = engine("robots", "mujoco.rollout").Rollout(nthread=self.count if self.count > 1 else 0)
        self._models: dict[RobotSpec, Any] = {}

    def model(self, spec: RobotSpec) -> Any:
        """The compiled model, made when first needed; the last 512 are kept."""
        if spec not in self._models:
            while len(self._models) >= 512:
                del self._models[next(iter(self._models))]
            self._models[spec] = spec.compile()
        return self._models[spec]

    def close(self) -> None:
        self.pool.close()


class Simulation:
    """Robots with the same joints, each on a ground of its own with a goal.

    Args:
        threads: of the engine.
        specs: robots, the same one where it stands more often.
        goals: of each robot, ``[robots, 2]`` metres.

    Attributes:
        state: time, positions and velocities of each, ``[robots, 1 + nq + nv]``.
        goal: ``[robots, 2]``.
        alive: whose simulation has not blown up.
        steps: of control that have passed, ``[robots]``.

    Raises:
        ArgumentError: no robots, robots that differ in joints or physics, goals of another shape.
    """

    def __init__(self, threads: Threads, specs: Sequence[RobotSpec], goals: np.ndarray) -> None:
        _check(specs, goals)
        mj, first = mujoco(), specs[0]
        self.threads, self.physics, self.many = threads, first.physics, len(specs)
        self._models = [threads.model(spec) for spec in specs]
        model = self._models[0]
        self._data = [mj.MjData(model) for _ in range(threads.count)]
        self.nq, self.nv, self.nu = model.nq, model.nv, model.nu
        width = mj.mj_stateSize(model, mj.mjtState.mjSTATE_FULLPHYSICS)
        if width != 1 + self.nq + self.nv:
            raise ArgumentError("specs", "models whose state is time, positions and velocities", f"{width} numbers")
        self.start = np.zeros((self.many, width))
        self.start[:, 1 : 1 + self.nq] = [m.qpos0 for m in self._models]
        self.state, self.goal = self.start.copy(), np.array(goals, dtype=np.float64)
        self.alive, self.steps = np.ones(self.many, dtype=bool), np.zeros(self.many, dtype=int)
        self.legs, self.limbs = np.array(first.joints, dtype=int).reshape(-1, 2).T
        self.angles, self._shape = leg_angles(first.n_legs, first.x_axis_index), (self.many, first.n_legs, first.depth)
        steps = self.physics.frame_skip
        self._after, self._controls = np.empty((self.many, steps, width)), np.empty((self.many, steps, self.nu))
        self._unread = np.empty((self.many, steps, model.nsensordata))

    @property
    def positions(self) -> np.ndarray:
        """The engine's ``qpos``, ``[robots, nq]``."""
        return self.state[:, 1 : 1 + self.nq]

    @property
    def velocities(self) -> np.ndarray:
        """The engine's ``qvel``, ``[robots, nv]``."""
        return self.state[:, 1 + self.nq : 1 + self.nq + self.nv]

    @property
    def away(self) -> np.ndarray:
        """From each robot to its goal, in metres."""
        return np.linalg.norm(self.goal - self.positions[:, :2], axis=1)

    def see(self, clock: np.ndarray | float) -> np.ndarray:
        """What the legs see, ``[robots, n_legs, 7 + 2 depth]``; the clock's rate in turns per second."""
        q, v = self.positions, self.velocities
        joints, speeds = np.zeros((2, *self._shape))
        joints[:, self.legs, self.limbs], speeds[:, self.legs, self.limbs] = q[:, 7:], v[:, 6:]
        turns = clock * self.steps * self.physics.control_step
        return legs_see(turns, self.goal - q[:, :2], q[:, 3:7], joints, speeds, v[:, 5], self.angles)

    def of_motors(self, controls: np.ndarray) -> np.ndarray:
        """Controls of legs ``[robots, n_legs, depth]`` in the order of the motors, ``[robots, nu]``."""
        return controls[:, self.legs, self.limbs]

    def step(self, controls: np.ndarray) -> np.ndarray:
        """One step of control for all; who blew up in it. These stand still at their start from then on.

        Args:
            controls: ``[robots, nu]``, from -1 to 1.
        """
        self._controls[:] = np.where(self.alive[:, None], controls, 0.0)[:, None]
        self.threads.pool.rollout(
            self._models, self._data, self.state, self._controls, nstep=self.physics.frame_skip, state=self._after,
            sensordata=self._unread, skip_checks=True, control_spec=_CONTROLS,
        )  # fmt: skip
        self.state[:] = self._after[:, -1]
        self.steps += 1
        moving = self.state[:, 1 : 1 + self.nq + self.nv]
        sound = np.isfinite(moving).all(1) & (np.abs(moving[:, self.nq :]) < FASTEST).all(1)
        blown = self.alive & ~sound
        self.alive &= sound
        self.state[~self.alive] = self.start[~self.alive]
        return blown

    def begin(self, which: np.ndarray, goals: np.ndarray) -> None:
        """Put some robots back to their start, with new goals ``[chosen, 2]``."""
        self.state[which], self.goal[which], self.alive[which], self.steps[which] = self.start[which], goals, True, 0


def _check(specs: Sequence[RobotSpec], goals: np.ndarray) -> None:
    if not specs:
        raise ArgumentError("specs", "at least one robot", "none")
    shape = np.shape(goals)
    if shape != (len(specs), 2) or not np.isfinite(goals).all():
        raise ArgumentError("goals", f"finite points of shape ({len(specs)}, 2)", f"shape {shape}")
    first = specs[0]
    for spec in specs:
        if spec.joints != first.joints or spec.physics != first.physics or spec.x_axis_index != first.x_axis_index:
            raise ArgumentError(
                "specs", "robots with the same joints, directions of legs and physics in one call", "different ones"
            )
