"""Solids as drawings in space: bodies beside one another, coloured by what is asked; how one stands; how it falls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch

from erlangen.errors import ArgumentError
from erlangen.fields.solids.drop import Drop
from erlangen.fields.solids.mesh import TetMesh
from erlangen.fields.solids.standing import Stance
from erlangen.reporting import Figure, Surface, meshes, moving
from erlangen.reporting.meshes import MOST_TRIANGLES

#: Triangles of one body in a drawing of several frames: the page holds them once a frame.
MOST_MOVING = 1500


class Shown(NamedTuple):
    """A body in a drawing.

    Attributes:
        mesh: where it is.
        values: a number at each vertex, ``[n]``, or for each tetrahedron, ``[m]``.
    """

    mesh: TetMesh
    values: Any = None


def draw(bodies: Mapping[str, Shown], *, title: str, colour_label: str = "", caption: str = "", apart: float = 1.25) -> Figure:
    """Bodies beside one another on the ground, in millimetres, one scale of colours for all.

    Args:
        bodies: by name, from left to right.
        colour_label: what the values are, with their unit.
        apart: distance from one to the next, in widths of the widest.

    >>> from erlangen.fields.solids import box
    >>> figure = draw({"a": Shown(box((1.0, 1.0, 1.0), (1, 1, 1))), "b": Shown(box((1.0, 1.0, 1.0), (1, 1, 1)))}, title="two boxes")
    >>> len(figure.plotly_figure.data)
    3
    """
    width = max(float(body.mesh.size()[0]) for body in bodies.values())
    surfaces, low, high = {}, np.full(3, np.inf), np.full(3, -np.inf)
    for number, (name, body) in enumerate(bodies.items()):
        points, triangles, values = _fewer(*_surface(body), MOST_TRIANGLES // len(bodies))
        points = points - [(points[:, 0].min() + points[:, 0].max()) / 2 - number * apart * width, 0, 0]
        points = 1000 * points
        low, high = np.minimum(low, points.min(0)), np.maximum(high, points.max(0))
        surfaces[name] = Surface(points, triangles, values)
    coloured = any(body.values is not None for body in bodies.values())
    meaning = f"Colours: {colour_label}. " if coloured and colour_label else ""
    told = f"{caption} {meaning}Lengths in mm; the frame is the ground.".strip()
    # Only the unit stands over the scale: on a narrow page a longer title takes the room of the bodies.
    figure = meshes(surfaces, _ground(low, high), title=title, colour_label=colour_label.split(", ")[-1], caption=told)
    # From farther away, so that a row fits beside its scale of colours on a narrow page.
    away = 1.0 + 0.25 * (len(bodies) - 1)
    figure.plotly_figure.update_layout(scene_camera_eye={"x": 1.4 * away, "y": -1.6 * away, "z": 0.9 * away})
    return figure


def draw_stance(mesh: TetMesh, stance: Stance, *, title: str, caption: str = "") -> Figure:
    """A body with its base and a plumb line from its centre of mass: it stands where the line ends inside of the base."""
    points, triangles, _ = _fewer(*_surface(Shown(mesh)), MOST_TRIANGLES)
    ground = float(mesh.vertices[stance.contacts, 2].min())
    corners = np.column_stack([stance.hull, np.full(len(stance.hull), ground)])
    sides = np.stack([corners, np.roll(corners, -1, 0)], 1)
    foot = np.array([*stance.centre[:2], ground])
    lines = [*sides, np.stack([foot, foot + np.array([0, 0, stance.centre[2]])])]
    arm = 0.06 * float(mesh.size().max())
    lines += [np.stack([foot - v, foot + v]) for v in (np.array([arm, 0, 0]), np.array([0, arm, 0]))]
    said = "Its base and a plumb line from the centre of mass; lengths in mm."
    return meshes(
        {"body": Surface(1000 * points, triangles, None, 0.55)},
        [1000 * line for line in lines],
        title=title,
        caption=f"{caption} {said}".strip(),
    )


def draw_drop(drops: Mapping[str, tuple[TetMesh, Drop]], *, title: str, frames: int = 24, caption: str = "") -> Figure:
    """Bodies as they fall, or do not, beside one another, with a button that plays."""
    count = min(len(drop.times) for _, drop in drops.values())
    picked = np.unique(np.linspace(0, count - 1, min(frames, count)).astype(int))
    width = max(float(mesh.size().max()) for mesh, _ in drops.values())
    shown = {}
    for name, (mesh, _) in drops.items():
        points, triangles, _ = _fewer(*_surface(Shown(mesh)), MOST_MOVING)
        shown[name] = points, triangles
    figures = []
    for frame in picked:
        surfaces = {}
        for number, (name, (_, drop)) in enumerate(drops.items()):
            points, triangles = shown[name]
            moved = points @ drop.rotations[frame].T + drop.shifts[frame] + [number * 1.6 * width, 0, 0]
            surfaces[name] = Surface(1000 * moved, triangles)
        figures.append(meshes(surfaces, title=""))
    times = next(iter(drops.values()))[1].times
    return moving(figures, [f"t = {times[frame]:.2f} s" for frame in picked], title=title, caption=caption)


def _surface(body: Shown) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    triangles = body.mesh.surface()
    used, where = triangles.unique(return_inverse=True)
    values = None
    if body.values is not None:
        given = torch.as_tensor(body.values, dtype=torch.float64).detach()
        if len(given) == len(body.mesh) != body.mesh.n_vertices:
            # Of tetrahedra to vertices, by volume.
            volumes = body.mesh.volumes()
            total, weight = torch.zeros(2, body.mesh.n_vertices, dtype=torch.float64)
            corners = body.mesh.tets.reshape(-1)
            total = total.index_add(0, corners, (volumes * given).repeat_interleave(4))
            weight = weight.index_add(0, corners, volumes.repeat_interleave(4))
            given = total / weight
        values = given[used].numpy()
    return body.mesh.vertices[used].numpy(), where.reshape(triangles.shape).numpy(), values


def _fewer(
    points: np.ndarray, triangles: np.ndarray, values: np.ndarray | None, most: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """At most so many triangles; values are those of the nearest corner."""
    from scipy.spatial import cKDTree

    from erlangen.fields.solids.remesh import simplify
    from erlangen.fields.solids.surface import TriMesh

    if len(triangles) <= most:
        return points, triangles, values
    try:
        few = simplify(TriMesh(torch.from_numpy(points), torch.from_numpy(triangles)), most)
        corners, left = few.vertices.numpy(), few.triangles.numpy()
    except ArgumentError:
        # Tetrahedra that share an edge alone have a surface that is no manifold.
        corners, left = _clustered(points, triangles, most)
    return corners, left, None if values is None else values[cKDTree(points).query(corners)[1]]


def _clustered(points: np.ndarray, triangles: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Vertices in one cell of a grid are one; the grid is as fine as the number of triangles allows."""
    extent = np.ptp(points, axis=0).max() + 1e-300
    cells, left = 256, triangles
    while len(left) > most or cells == 256:
        cells //= 2
        _, first, where = np.unique(
            np.floor((points - points.min(0)) / extent * cells), axis=0, return_index=True, return_inverse=True
        )
        ordered = np.sort(left := where.reshape(-1)[triangles], 1)
        left = left[(ordered[:, 0] < ordered[:, 1]) & (ordered[:, 1] < ordered[:, 2])]
    return points[first], left


def _ground(low: np.ndarray, high: np.ndarray) -> list[np.ndarray]:
    edge = 0.04 * float((high - low).max())
    (x0, y0, z), (x1, y1, _) = low - np.array([edge, edge, 0]), high + np.array([edge, edge, 0])
    corners = np.array([[x0, y0, z], [x1, y0, z], [x1, y1, z], [x0, y1, z]])
    return list(np.stack([corners, np.roll(corners, -1, 0)], 1))
