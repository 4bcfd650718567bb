"""``gymnasium.make("erlangen/RadialRobot-v0")``: one robot and a goal, seen from its legs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from erlangen.errors import ArgumentError
from erlangen.extras import engine
from erlangen.fields.robots.controller import CLOCK, SPEED
from erlangen.fields.robots.physics import FASTEST
from erlangen.fields.robots.rollouts import BLOWN
from erlangen.fields.robots.simulation import Simulation, Threads
from erlangen.fields.robots.spec import RobotSpec
from erlangen.fields.robots.tasks import Task, task_named

#: Rewards as in the source: of each metre nearer to the goal, of a step at the goal, of a simulation that blows up.
METRE, THERE, LOST = 100.0, 10.0, 100.0 * BLOWN
#: No number that a leg sees is larger: velocities are sound and scaled, joints have limits, the rest is at most 1.
WIDEST = SPEED * FASTEST

gymnasium: Any = engine("robots", "gymnasium")


def body_of(n_legs: int | None, body: RobotSpec | str | Path | None) -> RobotSpec:
    """The body of an environment.

    Raises:
        ArgumentError: it is none, or has another number of legs.
    """
    if body is None:
        return RobotSpec.regular(4 if n_legs is None else n_legs)
    found = RobotSpec.from_xml(body) if isinstance(body, str | Path) else body
    if not isinstance(found, RobotSpec):
        raise ArgumentError("body", "a RobotSpec, or XML that one wrote", repr(body))
    if n_legs not in (None, found.n_legs):
        raise ArgumentError("n_legs", f"that of the body, {found.n_legs}", repr(n_legs))
    return found


def numbers(given: Any) -> np.ndarray:
    """As float64, of shape ``(0, 0, 0)`` what is none."""
    try:
        return np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        return np.empty((0, 0, 0))


def asked_goal(options: dict[str, Any] | None, *shapes: tuple[int, ...]) -> np.ndarray | None:
    """The goal of a reset's options, of one of these shapes; none if they have none.

    Raises:
        ArgumentError: other options, or a goal that is no point.
    """
    if set(options or {}) - {"goal"}:
        raise ArgumentError("options", "a goal, or nothing", repr(options))
    goal = (options or {}).get("goal")
    if goal is None:
        return None
    found = numbers(goal)
    if found.shape not in shapes or not np.isfinite(found).all():
        raise ArgumentError("options", "a goal (x, y) in metres", repr(options))
    return found


class RadialRobot(gymnasium.Env):  # type: ignore[misc]
    """A robot that is to reach a goal.

    An observation is what the legs see, leg after leg, each in its own frame (:class:`~erlangen.fields.robots.LegController`): a symmetry
    of the body permutes legs in observations and actions, a reflection also changes signs. An action is a control from -1 to 1 for each
    motor. The reward is 100 for each metre nearer to the goal and 10 for a step within its margin; a simulation that blows up ends the
    episode with -100 and ``info["blown"]``.

    Args:
        n_legs: of the regular robot, by default 4; or a ``body`` is given.
        task: its name, or a task.
        body: a specification, or XML that one wrote.

    >>> import gymnasium, erlangen.fields.robots
    >>> env = gymnasium.make("erlangen/RadialRobot-v0", n_legs=4, task="point-nav")
    >>> seen, info = env.reset(seed=0)
    >>> seen.shape, env.action_space.shape
    ((44,), (8,))
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012

    def __init__(
        self,
        n_legs: int | None = None,
        task: str | Task = "point-nav",
        body: RobotSpec | str | None = None,
        render_mode: str | None = None,
    ) -> None:
        if render_mode is not None:
            raise ArgumentError("render_mode", "None; erlangen.fields.robots.draw shows a course", repr(render_mode))
        self.task, self.render_mode = task_named(task), render_mode
        self.body = body_of(n_legs, body)
        self._threads = Threads(1)
        self._here = Simulation(self._threads, [self.body], np.zeros((1, 2)))
        self._last = self.body.physics.steps(self.task.seconds)
        box = gymnasium.spaces.Box
        seen = self.body.n_legs * (7 + 2 * self.body.depth)
        self.observation_space = box(-WIDEST, WIDEST, (seen,), np.float64)
        self.action_space = box(-1.0, 1.0, (self._here.nu,), np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin again; ``options={"goal": (x, y)}`` sets the goal, which is drawn otherwise.

        Raises:
            ArgumentError: a goal that is no point.
        """
        super().reset(seed=seed)
        goal = asked_goal(options, (2,))
        self._here.begin(np.array([True]), self.task.sample(1, self.np_random) if goal is None else goal[None])
        return self._seen(), self._info()

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        given, action = action, numbers(action)
        if action.shape != (self._here.nu,) or not np.isfinite(action).all():
            raise ArgumentError("action", f"{self._here.nu} finite numbers", repr(given))
        before = float(self._here.away[0])
        blown = bool(self._here.step(np.clip(action, -1, 1)[None])[0])
        after = float(self._here.away[0])
        there = after < self.task.margin
        reward = LOST if blown else METRE * (before - after) + THERE * there
        if there and self.task.back_and_forth:
            self._here.goal *= -1
        return self._seen(), float(reward), blown, bool(self._here.steps[0] >= self._last), {**self._info(), "blown": blown}

    def close(self) -> None:
        self._threads.close()

    def _seen(self) -> np.ndarray:
        return self._here.see(CLOCK)[0].reshape(-1)

    def _info(self) -> dict[str, Any]:
        return {
            "goal": self._here.goal[0].copy(),
            "position": self._here.positions[0, :3].copy(),
            "away": float(self._here.away[0]),
        }
