"""Robots drawn: capsules as triangles, one robot or a course, standing or moving."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from erlangen.errors import ArgumentError
from erlangen.fields.robots.physics import mujoco
from erlangen.fields.robots.spec import RobotSpec
from erlangen.reporting import Figure, Surface, meshes, moving

#: Sides of a capsule, and rings of each of its caps.
SIDES, RINGS = 8, 2
#: Pictures of a moving robot, at most.
MOST = 60


def surface(spec: RobotSpec, positions: np.ndarray | None = None) -> Surface:
    """A robot's surface, coloured by leg: the ball is 0, the first leg 1.

    Args:
        spec: the robot.
        positions: the engine's ``qpos``; by default the robot stands at its start.

    >>> surface(RobotSpec.regular(3)).points.shape[1]
    3
    """
    mj = mujoco()
    model = spec.compile()
    data = mj.MjData(model)
    if positions is not None:
        positions = np.asarray(positions, dtype=np.float64)
        if positions.shape != (model.nq,) or not np.isfinite(positions).all():
            raise ArgumentError("positions", f"{model.nq} finite numbers", f"shape {positions.shape}")
        data.qpos[:] = positions
    mj.mj_kinematics(model, data)
    points, triangles, values, count = [], [], [], 0
    legs = [0.0, *(leg + 1.0 for leg, _ in spec.joints)]
    for leg, geom in zip(legs, range(1, model.ngeom)):  # the first is the ground
        half = 0.0 if model.geom_type[geom] == mj.mjtGeom.mjGEOM_SPHERE else model.geom_size[geom, 1]
        corners, faces = _capsule(float(model.geom_size[geom, 0]), float(half))
        points.append(corners @ data.geom_xmat[geom].reshape(3, 3).T + data.geom_xpos[geom])
        triangles.append(faces + count)
        values.append(np.full(len(corners), leg))
        count += len(corners)
    return Surface(np.concatenate(points), np.concatenate(triangles), np.concatenate(values))


def draw(robots: Mapping[str, RobotSpec], title: str, caption: str = "") -> Figure:
    """Robots side by side at their start, legs in colours.

    >>> draw({"D_4": RobotSpec.regular(4)}, "A robot").title
    'A robot'
    """
    if not robots:
        raise ArgumentError("robots", "at least one", "none")
    apart = 2 * max(_reach(spec) for spec in robots.values()) + 0.4
    placed = {}
    for number, (name, spec) in enumerate(robots.items()):
        one = surface(spec)
        placed[name] = one._replace(points=one.points + np.array([number * apart, 0.0, 0.0]))
    return meshes(placed, title=title, caption=caption)


def strip(spec: RobotSpec, path: np.ndarray, step: float, title: str, frames: int = 7, caption: str = "") -> Figure:
    """A course in one picture: the robot at so many times, evenly, where it then is.

    Args:
        spec: the robot.
        path: ``qpos`` over time, ``[times, nq]``.
        step: seconds from one time to the next.
    """
    _check_path(path)
    chosen = np.linspace(0, len(path) - 1, frames).round().astype(int)
    shown = {}
    for number, at in enumerate(chosen):
        one = surface(spec, path[at])
        shown[f"{at * step:.1f} s"] = one._replace(opacity=0.35 + 0.65 * number / max(1, frames - 1))
    return meshes(shown, _ground(path), title=title, caption=caption)


def film(spec: RobotSpec, path: np.ndarray, step: float, title: str, caption: str = "") -> Figure:
    """A course that plays: at most 60 pictures in the time that it takes."""
    _check_path(path)
    every = max(1, -(-len(path) // MOST))
    times = range(0, len(path), every)
    figures = [meshes({"robot": surface(spec, path[at])}, _ground(path), title=title) for at in times]
    return moving(figures, [f"t = {at * step:.2f} s" for at in times], title=title, seconds=every * step, caption=caption)


def _check_path(path: np.ndarray) -> None:
    if np.ndim(path) != 2 or not len(path):
        raise ArgumentError("path", "positions over time, shape (times, nq)", f"shape {np.shape(path)}")


def _reach(spec: RobotSpec) -> float:
    ends = np.cumsum(spec.values[..., :2], axis=1)
    return max(0.25, float(np.linalg.norm(ends, axis=-1).max()) + 0.1)


def _ground(path: np.ndarray) -> Any:
    """A grid of metres under a course."""
    low, high = np.floor(path[:, :2].min(0) - 0.3), np.ceil(path[:, :2].max(0) + 0.3)
    lines = [[[x, low[1], 0.0], [x, high[1], 0.0]] for x in np.arange(low[0], high[0] + 0.5)]
    lines += [[[low[0], y, 0.0], [high[0], y, 0.0]] for y in np.arange(low[1], high[1] + 0.5)]
    return np.array(lines)


def _capsule(radius: float, half: float) -> tuple[np.ndarray, np.ndarray]:
    """Corners and outward triangles of a capsule along the third axis."""
    rises = np.arange(1, RINGS + 1) * np.pi / 2 / (RINGS + 1)
    heights = np.concatenate([-np.sin(rises[::-1]) * radius - half, [-half], [half], half + np.sin(rises) * radius])
    widths = radius * np.concatenate([np.cos(rises[::-1]), [1.0], [1.0], np.cos(rises)])
    around = 2 * np.pi * np.arange(SIDES) / SIDES
    rings = np.stack([np.outer(widths, np.cos(around)), np.outer(widths, np.sin(around)), np.tile(heights[:, None], SIDES)], -1)
    corners = np.concatenate([rings.reshape(-1, 3), [[0, 0, -half - radius], [0, 0, half + radius]]])
    count, south, north = len(heights), len(corners) - 2, len(corners) - 1
    i = np.arange(SIDES)
    j = (i + 1) % SIDES
    faces = [
        np.stack([np.full(SIDES, south), j, i], 1),
        np.stack([np.full(SIDES, north), *((count - 1) * SIDES + k for k in (i, j))], 1),
    ]
    for ring in range(count - 1):
        a, b = ring * SIDES, (ring + 1) * SIDES
        faces += [np.stack([a + i, a + j, b + j], 1), np.stack([a + i, b + j, b + i], 1)]
    return corners, np.concatenate(faces)
