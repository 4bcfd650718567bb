"""Does it stand? A body is set on the ground in MuJoCo and left alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from erlangen.errors import ArgumentError
from erlangen.extras import engine
from erlangen.fields.solids.files import boundary
from erlangen.fields.solids.mesh import TetMesh

#: A body that ends less tilted than this, in degrees, is upright.
UPRIGHT = 10.0


@dataclass(frozen=True)
class Drop:
    """What became of a body that was set on the ground.

    Attributes:
        upright: whether it ended tilted by less than 10 degrees; False where the simulation blew up.
        tilt: its angle to the vertical, degrees, ``[frames]``.
        times: seconds, ``[frames]``.
        rotations, shifts: the body's pose, ``[frames, 3, 3]`` and ``[frames, 3]``: a point ``p`` of the mesh is at ``rotation @ p +
        shift``. failure: why the simulation was given up; "" where it was not.
    """

    upright: bool
    tilt: np.ndarray
    times: np.ndarray
    rotations: np.ndarray
    shifts: np.ndarray
    failure: str = ""


def drop_test(
    mesh: TetMesh,
    *,
    seconds: float = 3.0,
    height: float = 0.001,
    tilt: float = 0.0,
    friction: float = 1.0,
    frames: int = 60,
) -> Drop:
    """Set a rigid body on the ground from a little above, and see whether it stays upright (MuJoCo; extra ``robots``).

    The body is simulated one metre tall, with the time scaled by the square root of the length (Froude), because MuJoCo's contacts are
    tuned to things of that size. Its mass, centre and inertia are those of the tetrahedra, computed exactly: MuJoCo's own (4.0)
    over-count meshes that are not convex. Its contact is the **convex hull** of its surface, which is what MuJoCo makes of any mesh; a
    table's legs stand as they should, and the hull of a body that leans over something would touch it where the body does not. The
    friction cone is elliptic: the default one is symmetric under quarter turns only.

    Args:
        mesh: z upwards, metres.
        seconds: how long it is watched, on the body's own scale.
        height: from which it is let go, relative to its own height.
        tilt: by which it is tilted about the x axis first, degrees.
        friction: coefficient.
        frames: how many poses are kept.

    Raises:
        ArgumentError: a time, a height or a number that is not positive.

    >>> from erlangen.fields.solids import box
    >>> drop_test(box((0.02, 0.02, 0.04), (1, 1, 1)), seconds=0.5).upright
    True
    """
    for name, value in (("seconds", seconds), ("height", height), ("friction", friction), ("frames", frames)):
        if not 0 < value < math.inf:
            raise ArgumentError(name, "a positive number", repr(value))
    mujoco = engine("robots", "mujoco")
    ground = float(mesh.vertices[:, 2].min())
    unit = float(mesh.size().max())
    middle = mesh.centroid()
    points = (mesh.vertices - middle) / unit
    surface = boundary(mesh)
    spec = mujoco.MjSpec()
    spec.option.gravity = [0, 0, -9.81]
    spec.option.timestep = 0.002
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_PLANE, size=[20, 20, 0.1], friction=[friction, 0.005, 0.0001])
    hull = ((surface.vertices - middle) / unit).numpy()
    spec.add_mesh(name="body", uservert=hull.reshape(-1).tolist(), userface=surface.triangles.reshape(-1).tolist())
    body = spec.worldbody.add_body(name="body")
    body.add_freejoint()
    mass, inertia = _inertia(points, mesh)
    body.explicitinertial = True
    body.mass, body.ipos = mass, [0, 0, 0]
    body.fullinertia = [inertia[0, 0], inertia[1, 1], inertia[2, 2], inertia[0, 1], inertia[0, 2], inertia[1, 2]]
    body.add_geom(type=mujoco.mjtGeom.mjGEOM_MESH, meshname="body", mass=0.0, friction=[friction, 0.005, 0.0001])
    model = spec.compile()
    data = mujoco.MjData(model)
    half = math.radians(tilt) / 2
    turned = points.numpy() @ _about_x(math.radians(tilt)).T
    data.qpos[:] = [0, 0, -turned[:, 2].min() + height, math.cos(half), math.sin(half), 0, 0]
    steps = round(seconds / math.sqrt(unit) / spec.option.timestep)
    every = max(1, steps // frames)
    kept, failure = [], ""
    mujoco.mj_forward(model, data)
    for step in range(steps + 1):
        if step % every == 0 or step == steps:
            kept.append((step, data.body("body").xmat.reshape(3, 3).copy(), data.body("body").xpos.copy()))
        mujoco.mj_step(model, data)
        if not np.isfinite(data.qpos).all() or data.warning[mujoco.mjtWarning.mjWARN_BADQACC].number:
            failure = f"the simulation blew up after {step * spec.option.timestep * math.sqrt(unit):.3g} s"
            break
    rotations = np.stack([rotation for _, rotation, _ in kept])
    # Poses of the mesh as it was given, from those of the one that was simulated about its centre.
    shifts = np.stack([unit * place + [0, 0, ground] for _, _, place in kept]) - rotations @ middle.numpy()
    angle = np.degrees(np.arccos(np.clip(rotations[:, 2, 2], -1, 1)))
    times = np.array([step for step, _, _ in kept]) * spec.option.timestep * math.sqrt(unit)
    return Drop(bool(angle[-1] < UPRIGHT) and not failure, angle, times, rotations, shifts, failure)


def _inertia(points: torch.Tensor, mesh: TetMesh) -> tuple[float, np.ndarray]:
    """Mass and tensor of inertia about the origin at density 1000, exact for tetrahedra."""
    corners = points[mesh.tets]
    a, b, c = (corners[:, i] - corners[:, 0] for i in (1, 2, 3))
    volume = (a * torch.linalg.cross(b, c)).sum(1).abs() / 6
    # The second moment of a tetrahedron: V / 20 (sum of x_i x_i^T + 16 m m^T), m the middle.
    middle = corners.mean(1)
    second = torch.einsum("e,eik,eil->kl", volume / 20, corners, corners) + torch.einsum(
        "e,ek,el->kl", 16 * volume / 20, middle, middle
    )
    inertia = 1000 * (torch.eye(3, dtype=torch.float64) * second.trace() - second)
    return float(1000 * volume.sum()), inertia.numpy()


def _about_x(angle: float) -> np.ndarray:
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
