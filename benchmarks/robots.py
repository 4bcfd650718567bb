"""Rollouts of robots: ours, a population at a time, against one robot after another in plain Python; symmetrised designs against a loop.

The peer is written as the source's code goes: a model from XML for each robot, a step of physics at a time in Python, observations and
network for each leg; and, for designs, a loop over orbits and group elements with a new tensor each time.
"""

from __future__ import annotations

import math
import time

import mujoco
import numpy as np
import torch
from _timing import compare, show

from erlangen.fields.robots import TASKS, LegController, RadialSpace, RobotSpec, Rollouts, check_engine
from erlangen.fields.robots.controller import legs_see
from erlangen.fields.robots.spec import leg_angles

ROBOTS = 24


def plain(spec: RobotSpec, controller: LegController, numbers: np.ndarray, goal: np.ndarray, seconds: float) -> float:
    """One rollout, a step of physics at a time."""
    model = mujoco.MjModel.from_xml_string(spec.to_xml())
    data = mujoco.MjData(model)
    ready, angles = controller.prepared(numbers[None]), leg_angles(spec.n_legs)
    for step in range(round(seconds / model.opt.timestep)):
        if step % 4 == 0:
            q, v = data.qpos[None], data.qvel[None]
            joints, speeds = (x.reshape(1, spec.n_legs, spec.depth) for x in (q[:, 7:], v[:, 6:]))
            seen = [
                legs_see(ready.rate * data.time, (goal - q[0, :2])[None], q[:, 3:7], joints, speeds, v[:, 5], angles)[:, i : i + 1]
                for i in range(spec.n_legs)
            ]
            data.ctrl[:] = np.concatenate([ready(one)[0] for one in seen]).ravel()
        mujoco.mj_step(model, data)
    return float(np.linalg.norm(goal) - np.linalg.norm(goal - data.qpos[:2]))


def loop(space: RadialSpace, designs: list[torch.Tensor], name: str) -> list[torch.Tensor]:
    """Means over orbits, element by element."""
    elements = space.subgroup(name).elements
    matrices, legs = space.plane.matrix(elements), space.leg_permutation(elements)
    made = []
    for design in designs:
        out = torch.zeros_like(design)
        for matrix, permuted in zip(matrices.to(design), legs):
            for i, j in enumerate(permuted.tolist()):
                turned = torch.tensor((design[i, :, :2] @ matrix.T).tolist())
                out[j] += torch.cat([turned, design[i, :, 2:]], -1) / len(legs)
        made.append(out)
    return made


def main() -> None:
    rng, task = np.random.default_rng(0), TASKS["point-nav"]
    space, controller = RadialSpace(4), LegController(4)
    bodies = space.random(ROBOTS, generator=torch.Generator().manual_seed(0), dtype=torch.float64).numpy()
    numbers = np.stack([controller.random(rng) for _ in range(ROBOTS)])
    goals = task.sample(1, rng)

    def ours() -> None:
        # Fresh models each time, as in a search whose bodies change.
        with Rollouts() as rollouts:
            rollouts.run([RobotSpec(body) for body in bodies], controller, numbers, task, goals)

    def theirs() -> None:
        for body, number in zip(bodies, numbers):
            plain(RobotSpec(body), controller, number, goals[0], task.seconds)

    mine, peer = compare(ours, theirs, 4, 1)
    show(f"{ROBOTS} robots, 3 s each, new bodies", mine, peer, "a step at a time in Python", "0.2")
    begun, wall = time.process_time(), time.perf_counter()
    for _ in range(4):
        ours()
    spent, passed = (time.process_time() - begun) / (4 * ROBOTS), (time.perf_counter() - wall) / (4 * ROBOTS)
    print(
        f"a rollout: {1e3 * spent:.2f} ms of processor (target 6), {1e3 * passed:.2f} ms of time, {1 / passed:.0f} a second (target 150)"
    )
    begun = time.process_time()
    robot = RobotSpec(bodies[0])
    with Rollouts() as rollouts:
        rollouts.run([robot], controller, numbers[:1], task, task.goals(4))
    print(f"of one body, 64 goals: {1e3 * (time.process_time() - begun) / 64:.2f} ms of processor")
    many = space.random(100_000, generator=torch.Generator().manual_seed(0))
    few, mean = list(many[:50]), space.symmetrizer("H_1_0")
    mine, peer = compare(lambda: mean(many), lambda: loop(space, few, "H_1_0"), 8, 1)
    show("100,000 designs made symmetric (target 50 ms)", mine, peer * len(many) / len(few), "loop over orbits", "0.02")
    assert math.isclose(float((mean(many[:50]) - torch.stack(loop(space, few, "H_1_0"))).abs().max()), 0, abs_tol=1e-3)
    for n in (3, 4, 6):
        print(check_engine(n))


if __name__ == "__main__":
    main()
