"""Many robots as one vector environment of gymnasium: the engine steps all in one call."""

from __future__ import annotations

from typing import Any

import numpy as np

from erlangen.design.designs import whole_number
from erlangen.errors import ArgumentError
from erlangen.fields.robots.controller import CLOCK
from erlangen.fields.robots.env import LOST, METRE, THERE, WIDEST, asked_goal, body_of, gymnasium, numbers
from erlangen.fields.robots.simulation import Simulation, Threads
from erlangen.fields.robots.spec import RobotSpec
from erlangen.fields.robots.tasks import Task, task_named


class RadialRobots(gymnasium.vector.VectorEnv):  # type: ignore[misc]
    """Robots of one body, each with a goal of its own: ``gymnasium.make_vec("erlangen/RadialRobot-v0", num_envs, ...)``.

    Observations, actions and rewards are those of :class:`~erlangen.fields.robots.env.RadialRobot`; an episode that has ended begins anew
    in the next step, whose action is not looked at. ``reset(options={"goal": ...})`` sets one goal for all, or that of each, until then.

    Args:
        num_envs: how many.
        n_legs, task, body: as for one.
        clock: turns in a second.
        threads: of the engine; by default all cores.

    >>> robots = RadialRobots(3, task="forward", threads=1)
    >>> robots.reset(seed=0)[0].shape, robots.step(np.zeros((3, 8)))[1].shape
    ((3, 44), (3,))
    """

    def __init__(
        self, num_envs: int = 1, n_legs: int | None = None, task: str | Task = "point-nav", body: RobotSpec | str | None = None,
        clock: float = CLOCK, threads: int | None = None,
    ) -> None:  # fmt: skip
        self.num_envs, self.task, self.clock = whole_number(num_envs, 1, "num_envs"), task_named(task), clock
        self.body = body_of(n_legs, body)
        self._threads = Threads(threads)
        self._here = Simulation(self._threads, [self.body] * self.num_envs, np.zeros((self.num_envs, 2)))
        self._last = self.body.physics.steps(self.task.seconds)
        self._over = np.zeros(self.num_envs, dtype=bool)
        self.metadata = {"render_modes": [], "autoreset_mode": gymnasium.vector.AutoresetMode.NEXT_STEP}
        box, batch = gymnasium.spaces.Box, gymnasium.vector.utils.batch_space
        seen = self.body.n_legs * (7 + 2 * self.body.depth)
        self.single_observation_space = box(-WIDEST, WIDEST, (seen,), np.float64)
        self.single_action_space = box(-1.0, 1.0, (self._here.nu,), np.float32)
        self.observation_space = batch(self.single_observation_space, self.num_envs)
        self.action_space = batch(self.single_action_space, self.num_envs)

    #: How many simulations blew up.
    blown: int = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict[str, Any]]:
        if seed is not None:
            self._np_random, self._np_random_seed = gymnasium.utils.seeding.np_random(seed)
        goals = asked_goal(options, (2,), (self.num_envs, 2))
        self._begin(np.ones(self.num_envs, dtype=bool))
        if goals is not None:
            self._here.goal[:] = goals
        return self._seen(), {}

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        actions = numbers(actions)
        if actions.shape != (self.num_envs, self._here.nu) or not np.isfinite(actions).all():
            wanted = f"finite numbers of shape ({self.num_envs}, {self._here.nu})"
            raise ArgumentError("actions", wanted, f"shape {actions.shape}" if np.isfinite(actions).all() else "NaN or infinity")
        before = self._here.away
        blown = self._here.step(np.clip(actions, -1, 1)) & ~self._over
        after = self._here.away
        there = after < self.task.margin
        rewards = np.where(blown, LOST, METRE * (before - after) + THERE * there)
        if self.task.back_and_forth:
            self._here.goal[there] *= -1
        fresh = self._over
        if fresh.any():
            self._begin(fresh)
            rewards[fresh] = 0.0
        cut = (self._here.steps >= self._last) & ~fresh
        self._over = blown | cut
        self.blown += int(blown.sum())
        return self._seen(), rewards, blown, cut, {"blown": blown}

    def close_extras(self, **kwargs: Any) -> None:
        self._threads.close()

    def _begin(self, which: np.ndarray) -> None:
        goals = np.concatenate([self.task.sample(1, self.np_random) for _ in range(int(which.sum()))])
        self._here.begin(which, goals)
        self._over = self._over & ~which

    def _seen(self) -> np.ndarray:
        return self._here.see(self.clock).reshape(self.num_envs, -1)
