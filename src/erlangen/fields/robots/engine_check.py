"""`check_engine`: how symmetric the engine itself is under a body's group, measured before a search trusts it."""

from __future__ import annotations

import numpy as np
import torch

from erlangen.errors import ArgumentError
from erlangen.fields.robots.controller import mirrored_signs
from erlangen.fields.robots.physics import Physics, mujoco
from erlangen.fields.robots.simulation import Simulation, Threads
from erlangen.fields.robots.space import RadialSpace
from erlangen.fields.robots.spec import RobotSpec
from erlangen.groups.subgroups import Subgroup
from erlangen.verdict import Verdict


def check_engine(
    body: int | RobotSpec,
    subgroup: Subgroup | str | None = None,
    *,
    physics: Physics | None = None,
    seconds: float = 2.0,
    seed: int = 0,
    tolerance: float = 1e-9,
) -> Verdict:
    """Whether a symmetric body, its motors' commands moved by a symmetry, runs through the moved course.

    The robot gets random commands, falls on its legs and moves in contact with the ground; then, for each element of the group, the
    commands with legs permuted, and under a reflection with the first joints' signs turned around. The error is how far the ball is from
    where the element takes its first course, in metres, or a joint or an entry of the ball's rotation from theirs, at any time. It ends
    early where a simulation blows up; if not all do so at the same step that is an infinite error.

    Args:
        body: a robot; or a number of legs, for a random body with the symmetry.
        subgroup: of the dihedral group on the legs, or its name; by default all of it.
        physics: the settings to try on a random body; a robot has its own.
        seconds: how long; errors of rounding grow with the time.
        seed: of body and commands.
        tolerance: the largest error that holds.

    Returns:
        A verdict with the largest errors under turns and reflections, how many contacts there were at the steps of control, and how many
        simulations blew up; the
        witness has those of all elements, ``(k, s)`` to error.

    Raises:
        ArgumentError: an unknown subgroup; physics for a robot that has its own.

    >>> bool(check_engine(4, "H_4_0", seconds=0.5))
    True
    """
    if isinstance(body, RobotSpec):
        if physics is not None:
            raise ArgumentError("physics", "none for a robot, which has its own", repr(physics))
        space = RadialSpace(body.n_legs, body.depth, body.x_axis_index)
        chosen, robot = _chosen(space, subgroup), body
    else:
        space = RadialSpace(body)
        chosen = _chosen(space, subgroup)
        design = space.random(generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        design[..., 2] = -design[..., 2].abs()
        design[..., -1, 2] -= 0.3  # legs reach below the ball
        robot = RobotSpec(space.clamp(space.symmetrizer(chosen)(design)).numpy(), physics=physics or Physics())
    elements = chosen.elements
    matrices = space.plane.matrix(elements).to(torch.float64).numpy()
    legs = space.leg_permutation(elements).numpy()
    mirrored = np.linalg.det(matrices) < 0
    n, depth, order = space.n_legs, space.depth, len(matrices)
    rng = np.random.default_rng(seed)
    signs = np.where(mirrored[:, None], mirrored_signs(depth)[1], 1.0)
    errors, contacts, passed = np.zeros(order), 0, 0
    mj, threads = mujoco(), Threads(1)
    try:
        here = Simulation(threads, [robot] * order, np.zeros((order, 2)))
        model = threads.model(robot)
        data = mj.MjData(model)
        for _ in range(here.physics.steps(seconds)):
            asked = rng.uniform(-1, 1, (n, depth))
            commands = np.empty((order, n, depth))
            for g in range(order):
                commands[g, legs[g]] = asked * signs[g]
            here.step(here.of_motors(commands))
            if not here.alive.all():
                break
            passed += 1
            errors = np.maximum(errors, _apart(here, matrices, legs, signs))
            data.qpos[:] = here.positions[0]
            mj.mj_forward(model, data)
            contacts += data.ncon
    finally:
        threads.close()
    # A body that blows up does so at the same step wherever an element takes it.
    errors[here.alive != here.alive[0]] = np.inf
    blown, until = int((~here.alive).sum()), passed * here.physics.control_step
    k, s = space.group.parts(elements)
    found = {(int(a), int(b)): float(e) for a, b, e in zip(k, s, errors)}
    turns, mirrors = errors[~mirrored].max(), errors[mirrored].max(initial=0.0)
    return Verdict(
        bool(errors.max() <= tolerance),
        f"the engine keeps the symmetry of a robot with {n} legs under a group of order {order}",
        "statistical",
        tried=order,
        numbers={
            "turns": float(turns),
            "reflections": float(mirrors),
            "contacts": contacts,
            "blown": blown,
            "tolerance": tolerance,
        },
        witness=found,
        reason=f"{robot.physics.cone} cones, solver {robot.physics.solver}, "
        + (f"{blown} of {order} blew up after {until:g} s" if blown else f"{seconds:g} s"),
    )


def _chosen(space: RadialSpace, subgroup: Subgroup | str | None) -> Subgroup:
    return space.lattice.subgroups[-1] if subgroup is None else space.subgroup(subgroup)


def _apart(here: Simulation, matrices: np.ndarray, legs: np.ndarray, signs: np.ndarray) -> np.ndarray:
    """Of each element's robot: the largest difference from the first robot's state, moved by it, ``[order]``."""
    q = here.positions
    moved = np.tile(np.eye(3), (len(matrices), 1, 1))
    moved[:, :2, :2] = matrices
    turned = np.stack([_rotation(one) for one in q[:, 3:7]])
    centre = np.abs(q[:, :3] - moved @ q[0, :3]).max(1)
    facing = np.abs(turned - moved @ turned[0] @ moved.transpose(0, 2, 1)).max((1, 2))
    n, depth = legs.shape[1], signs.shape[1]
    joints = np.zeros((len(matrices), n, depth))
    joints[:, here.legs, here.limbs] = q[:, 7:]
    wanted = np.empty_like(joints)
    for g, permuted in enumerate(legs):
        wanted[g, permuted] = joints[0] * signs[g]
    return np.maximum(np.maximum(centre, facing), np.abs(joints - wanted).max((1, 2), initial=0.0))


def _rotation(quaternion: np.ndarray) -> np.ndarray:
    w, x, y, z = quaternion
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
