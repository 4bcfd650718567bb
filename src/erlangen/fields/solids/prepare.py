"""From a file that anyone may have made to tetrahedra, and what had to be done on the way."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

import torch

from erlangen.errors import ArgumentError
from erlangen.fields.solids.files import Units, boundary, is_tetrahedra, read_surface, read_tets
from erlangen.fields.solids.material import Material
from erlangen.fields.solids.mesh import TetMesh
from erlangen.fields.solids.remesh import simplify, wrapped
from erlangen.fields.solids.repair import Examined, examine, repair
from erlangen.fields.solids.standing import flatten_base, stance
from erlangen.fields.solids.surface import TriMesh
from erlangen.fields.solids.tetrahedra import tetrahedralize

#: Cells along the longest side of the grid for a new surface.
CELLS = 40
#: Triangles that a surface keeps by default: with more, the inverse problem takes minutes.
TRIANGLES = 3000
Up = Literal["x", "y", "z"]


@dataclass(frozen=True)
class Prepared:
    """A model that is ready for mechanics.

    Attributes:
        mesh: tetrahedra, z upwards, the lowest point at z = 0.
        surface: as it was meshed.
        found: what was wrong with the file's surface; None of a file of tetrahedra.
        done: what was done, in order.
    """

    mesh: TetMesh
    surface: TriMesh
    found: Examined | None
    done: tuple[str, ...]


def prepare(
    model: str | os.PathLike[str] | TriMesh,
    units: Units | None = None,
    *,
    up: Up = "z",
    flatten: float | None = None,
    size: float | None = None,
    triangles: int = TRIANGLES,
    rewrap: bool | None = None,
    cells: int = CELLS,
    cache: bool = True,
) -> Prepared:
    """Read a model, mend it, set it upright on the ground and fill it with tetrahedra.

    Args:
        model: a file of a surface or of tetrahedra, or a surface.
        units: of the file's lengths; 3MF files say them.
        up: which of the file's axes points upwards: z in printing, y in most of computer graphics.
        flatten: cut off so much at the bottom, metres.
        size: length of edge of the tetrahedra, metres.
        triangles: simplify the surface to so many.
        rewrap: make a new surface around the mended one; by default where mending leaves faults.
        cells: of the grid of such a surface, along its longest side.
        cache: of the tetrahedra, see :func:`tetrahedralize`.

    Raises:
        ArgumentError: what the readers, the mender and the mesher refuse; several parts that do not touch.
    """
    try:
        return _prepare(model, units, up, flatten, size, triangles, rewrap, cells, cache)
    except ArgumentError as problem:
        # What readers and menders call their argument is this one's model, or how much to cut off.
        here = {"path": "model", "surface": "model", "vertices": "model", "tets": "model", "height": "flatten"}
        if problem.argument in here:
            raise ArgumentError(here[problem.argument], problem.expected, problem.got, problem.hint) from None
        raise


def _prepare(
    model: str | os.PathLike[str] | TriMesh,
    units: Units | None,
    up: Up,
    flatten: float | None,
    size: float | None,
    triangles: int,
    rewrap: bool | None,
    cells: int,
    cache: bool,
) -> Prepared:
    if up not in ("x", "y", "z"):
        raise ArgumentError("up", "'x', 'y' or 'z'", repr(up))
    turn = {
        "z": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        "y": [[1, 0, 0], [0, 0, -1], [0, 1, 0]],
        "x": [[0, -1, 0], [0, 0, -1], [1, 0, 0]],
    }[up]
    if triangles < 100:
        raise ArgumentError("triangles", "100 or more", repr(triangles))
    rotation = torch.tensor(turn, dtype=torch.float64)
    if not isinstance(model, TriMesh) and is_tetrahedra(model):
        mesh = read_tets(model, units)
        mesh = TetMesh(mesh.vertices @ rotation.T, mesh.tets)
        if flatten is None and size is None:
            mesh = TetMesh(
                mesh.vertices - torch.stack([*(mesh.vertices.amin(0) + mesh.vertices.amax(0))[:2] / 2, mesh.vertices[:, 2].min()]),
                mesh.tets,
            )
            _refuse_parts(int(mesh.components().max()) + 1)
            return Prepared(mesh, boundary(mesh), None, ())
        raw, found, done = boundary(mesh), None, ["meshed anew"]
    else:
        raw = model if isinstance(model, TriMesh) else read_surface(model, units)
        raw = raw.turned(rotation)
        found, done = None, []
    mended = repair(raw)
    found = mended.before if found is None else found
    done += mended.done
    surface = mended.surface
    if rewrap or (rewrap is None and not mended.after.sound):
        extent = float(surface.extents.max())
        surface, lost = wrapped(surface, cells)
        why = "" if rewrap else f", because of what was left: {'; '.join(mended.after.faults)}"
        finest = f"on a grid of {cells} cells, so that what is thinner than {2000 * extent / cells:.3g} mm may be lost"
        done.append(f"made a new surface around it, {finest}{why}")
        if lost:
            done.append(f"the new surface {lost}")
    surface = surface.on_ground()
    if len(surface.triangles) > triangles:
        before = len(surface.triangles)
        simpler = simplify(surface, triangles)
        # Where simplifying makes triangles cross, fewer are taken away.
        while not examine(simpler).sound and len(simpler.triangles) < before / 2:
            simpler = simplify(surface, 2 * len(simpler.triangles))
        left = examine(simpler)
        if left.sound:
            surface = simpler
            done.append(f"simplified {before} triangles to {len(surface.triangles)}")
        else:
            done.append(f"kept all {before} triangles, since with fewer there are {'; '.join(left.faults)}")
    if flatten is not None:
        surface = flatten_base(surface, flatten).on_ground()
        done.append(f"cut {flatten:.4g} m off the bottom")
    _refuse_parts(examine(surface, crossings=False).parts, surface)
    mesh = tetrahedralize(surface, size=size, cache=cache)
    return Prepared(mesh, surface, found, tuple(done))


def softness(mesh: TetMesh, material: Material, gravity: float = 9.8) -> float:
    """``rho g L / E``, L the largest extent: what decides how much a body sags; a wrong unit of length shows here."""
    return (
        float(torch.as_tensor(material.rho).max()) * gravity * float(mesh.size().max()) / float(torch.as_tensor(material.E).min())
    )


def refuse_edge(mesh: TetMesh) -> None:
    """Raises ArgumentError for a body that touches the ground in a point or a line only: it turns about what holds it."""
    touched = len(stance(mesh).hull)
    if touched < 3:
        where = "a point" if touched == 1 else "a line"
        hint = "cut the base flat: flatten in metres, or --flatten in millimetres at the prompt; or name the axis that is up"
        raise ArgumentError("model", "a body that touches the ground in an area", f"one that touches it in {where}", hint)


def _refuse_parts(parts: int, surface: TriMesh | None = None) -> None:
    """Parts that do not touch; cavities are none."""
    if parts > 1 and surface is not None:
        from erlangen.fields.solids.repair import parts_of

        label = torch.from_numpy(parts_of(surface.triangles.numpy()))
        parts = sum(TriMesh(surface.vertices, surface.triangles[label == k]).volume > 0 for k in range(parts))
    if parts > 1:
        hint = "join them in the program that made the model, or take them one by one"
        raise ArgumentError("model", "one body", f"{parts} parts that do not touch", hint)
