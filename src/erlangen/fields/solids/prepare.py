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
from erlangen.fields.solids.tetrahedra import WANTED, tetrahedralize

#: Cells along the longest side of the grid for a new surface.
CELLS = 40
#: Triangles that a surface keeps by default: with more, the inverse problem takes minutes. Fewer than the second number are not tried.
TRIANGLES, FEWEST = 3000, 1000
#: Tetrahedra above which a mesh of no named size is made coarser.
MOST = 3 * WANTED // 2
#: Radius of the circumscribed ball over the shortest edge in such a mesh, and the change of volume that fewer triangles may make.
COARSE, KEPT = 2.0, 0.02
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
    triangles: int | None = None,
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
        size: length of edge of the tetrahedra, metres; by default so that there are about 8000, or more where the surface asks for
            them in spite of what is tried against it above 12000.
        triangles: simplify the surface to so many; by default to 3000, and where these ask for too many tetrahedra, to 1000 at the
            fewest. What was done is told.
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
    triangles: int | None,
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
    if triangles is not None and triangles < 100:
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
    whole = surface
    surface, told = _simplified(whole, TRIANGLES if triangles is None else triangles)
    done += told
    surface, cut = _cut(surface, flatten)
    _refuse_parts(examine(surface, crossings=False).parts, surface)
    mesh = tetrahedralize(surface, size=size, cache=cache)
    if size is None and len(mesh) > MOST:
        mesh, surface, told = _coarser(mesh, surface, whole, flatten, triangles is None, cache)
        done += told
    return Prepared(mesh, surface, found, (*done, *cut))


def _simplified(surface: TriMesh, triangles: int) -> tuple[TriMesh, list[str]]:
    before = len(surface.triangles)
    if before <= triangles:
        return surface, []
    simpler = simplify(surface, triangles)
    # Where simplifying makes triangles cross, fewer are taken away.
    while not examine(simpler).sound and len(simpler.triangles) < before / 2:
        simpler = simplify(surface, 2 * len(simpler.triangles))
    left = examine(simpler)
    if not left.sound:
        return surface, [f"kept all {before} triangles, since with fewer there are {'; '.join(left.faults)}"]
    return simpler, [f"simplified {before} triangles to {len(simpler.triangles)}"]


def _cut(surface: TriMesh, flatten: float | None) -> tuple[TriMesh, list[str]]:
    if flatten is None:
        return surface, []
    return flatten_base(surface, flatten).on_ground(), [f"cut {flatten:.4g} m off the bottom"]


def _coarser(
    mesh: TetMesh, surface: TriMesh, whole: TriMesh, flatten: float | None, fewer: bool, cache: bool
) -> tuple[TetMesh, TriMesh, list[str]]:
    """Longer and flatter tetrahedra; then, if that is allowed, fewer triangles too, as long as the surface stays sound."""
    best, kept = mesh, surface
    parts, volume = examine(surface, crossings=False).parts, surface.volume
    before = triangles = len(surface.triangles)
    made = _meshed(surface, cache)
    if made is not None and len(made) < len(best):
        best = made
    while len(best) > MOST and fewer and triangles > FEWEST:
        triangles = max(FEWEST, int(triangles * min(0.9, max(0.7, MOST / len(best)))))
        try:
            simpler = simplify(whole, triangles)
        except ArgumentError:  # fewer would leave nothing of it
            break
        # Simplifying may make triangles cross with one number of them and not with the next.
        if not examine(simpler).sound:
            continue
        surface, _ = _cut(simpler, flatten)
        left = examine(surface)
        if abs(surface.volume / volume - 1) > KEPT:
            break
        made = _meshed(surface, cache) if left.sound and left.parts == parts else None
        if made is not None and len(made) < len(best):
            best, kept = made, surface
    told = []
    if len(kept.triangles) < before:
        told.append(f"simplified further, from {before} to {len(kept.triangles)} triangles, volume {kept.volume / volume - 1:+.2%}")
    if best is not mesh:
        told.append(
            f"made {len(best)} tetrahedra in place of {len(mesh)}, flatter ones and longer inside; size or triangles say otherwise"
        )
    if len(best) > MOST:
        told.append(
            f"{len(best)} tetrahedra are more than aimed at: this surface asks for them; a new one by cells may ask for fewer"
        )
    return best, kept, told


def _meshed(surface: TriMesh, cache: bool) -> TetMesh | None:
    """Inside twice as long as usual; nothing where tetgen cannot mesh what was simplified."""
    try:
        return tetrahedralize(surface, size=4 * (surface.volume / WANTED) ** (1 / 3), quality=COARSE, cache=cache)
    except ArgumentError:
        return None


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
