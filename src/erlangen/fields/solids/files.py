"""Solids in files: surfaces as STL, OBJ, PLY, 3MF and OFF, tetrahedra as Gmsh, VTK and Vega; always with the unit of length."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from erlangen.errors import ArgumentError
from erlangen.extras import engine
from erlangen.fields.solids.mesh import TetMesh
from erlangen.fields.solids.surface import TriMesh

Units = Literal["mm", "cm", "m", "in"]
#: Metres in a unit.
METRES: Mapping[str, float] = {"mm": 1e-3, "cm": 1e-2, "m": 1.0, "in": 0.0254}
#: What a 3MF file says of its unit.
_SAID = {"micron": 1e-6, "millimeter": 1e-3, "centimeter": 1e-2, "inch": 0.0254, "foot": 0.3048, "meter": 1.0}
SURFACES = (".stl", ".obj", ".ply", ".3mf", ".off")
#: The format that meshio is told, by suffix: left alone it writes ``.msh`` as ANSYS Fluent (5.3.5), which it reads back itself.
TETRAHEDRA = {".msh": "gmsh", ".vtu": "vtu", ".vtk": "vtk", ".veg": "veg"}


def read_surface(path: str | os.PathLike[str], units: Units | None = None) -> TriMesh:
    """A surface from an STL, OBJ, PLY, 3MF or OFF file (extra ``solids``), in metres.

    Vertices at the very same place are one (STL files repeat them for each triangle); nothing else is repaired, see
    :func:`~erlangen.fields.solids.repair`. Parts of a 3MF file stand where its scene puts them. Polygons are cut into triangles.

    Args:
        path: the file.
        units: of its lengths. A 3MF file says its own; all others must be told: a thing of 25 mm and one of 25 m are different things.

    Raises:
        ArgumentError: no such file, another kind of file, no triangles in it, an infinite coordinate, or no unit.
    """
    file = _existing(path, SURFACES)
    trimesh = engine("solids", "trimesh")
    try:
        loaded = trimesh.load(file, process=False)
        mesh = loaded.to_mesh() if hasattr(loaded, "to_mesh") else loaded
    except Exception as problem:
        # Readers of a dozen formats fail in as many ways on a file that is none.
        raise ArgumentError(
            "path", f"a readable {file.suffix} file", repr(str(path)), f"{type(problem).__name__}: {problem}"
        ) from None
    faces = getattr(mesh, "faces", None)
    if faces is None or not len(faces):
        raise ArgumentError("path", "a file with triangles", f"none in {str(path)!r}")
    points = np.asarray(mesh.vertices, dtype=float)
    triangles = np.asarray(faces, dtype=np.int64)
    if file.suffix.lower() == ".3mf":
        scale = _SAID.get(str(getattr(loaded, "units", None)), 1e-3)
        if units is not None and METRES[_unit(units)] != scale:
            raise ArgumentError("units", f"none: the file says {loaded.units}", repr(units))
    else:
        scale = _metres(units, points[np.unique(triangles)])
    surface = TriMesh(torch.from_numpy(points * scale), torch.from_numpy(triangles))
    corners, where = np.unique(surface.vertices.numpy(), axis=0, return_inverse=True)
    return TriMesh(torch.from_numpy(corners), torch.from_numpy(where.reshape(-1)[triangles]))


def read_tets(path: str | os.PathLike[str], units: Units | None = None) -> TetMesh:
    """Tetrahedra from a Gmsh (.msh), VTK (.vtu, .vtk) or Vega (.veg) file (extra ``solids``), in metres.

    Of a file with other elements too, only the tetrahedra are taken; vertices that none of them uses are left out.

    Args:
        path: the file.
        units: of its lengths, which must be told.

    Raises:
        ArgumentError: no such file, another kind of file, no tetrahedra in it, one that is inverted or flat, or no unit.
    """
    file = _existing(path, tuple(TETRAHEDRA))
    points, tets = _veg_read(file) if file.suffix.lower() == ".veg" else _meshio_read(file)
    used, where = np.unique(tets, return_inverse=True)
    points, tets = points[used], where.reshape(tets.shape)
    a, b, c, d = (points[tets[:, i]] for i in range(4))
    signed = np.einsum("ni,ni->n", b - a, np.cross(c - a, d - a))
    if (signed < 0).all():
        tets = tets[:, [0, 2, 1, 3]]  # another convention, not a fault: some meshers count all of them the other way round
    scale = _metres(units, points)
    return TetMesh(torch.from_numpy(points * scale), torch.from_numpy(tets.astype(np.int64)))


def is_tetrahedra(path: str | os.PathLike[str]) -> bool:
    """Whether a file's name says that it holds tetrahedra; a surface otherwise."""
    return Path(path).suffix.lower() in TETRAHEDRA


def write_surface(mesh: TriMesh | TetMesh, path: str | os.PathLike[str], units: Units = "mm") -> Path:
    """Write a surface, or the surface of tetrahedra, for printing (extra ``solids``): STL, OBJ, PLY, 3MF or OFF, in one step.

    A 3MF file is always in millimetres, and says so; the others are in ``units`` and cannot say it. OBJ, 3MF and OFF keep all digits;
    STL and PLY are single precision by their format.

    Raises:
        ArgumentError: another suffix.
    """
    target = Path(path)
    suffix = target.suffix.lower()
    if suffix not in SURFACES:
        raise ArgumentError("path", f"a name that ends with one of {', '.join(SURFACES)}", repr(str(path)))
    surface = mesh if isinstance(mesh, TriMesh) else boundary(mesh)
    # trimesh 5.2 writes "millimeter" into every 3MF, whatever the mesh's own units say.
    scale = 1 / METRES["mm" if suffix == ".3mf" else _unit(units)]
    made = surface.scaled(scale).to_trimesh()
    # Eight digits of an OBJ in metres would be 10 nanometres.
    options = {"digits": 17} if suffix in (".obj", ".off") else {}
    return _in_one_step(target, lambda part: made.export(part, file_type=suffix[1:], **options))


def write_tets(
    mesh: TetMesh,
    path: str | os.PathLike[str],
    units: Units = "m",
    *,
    point_data: Mapping[str, Any] | None = None,
    cell_data: Mapping[str, Any] | None = None,
) -> Path:
    """Write tetrahedra as .msh, .vtu, .vtk or .veg (extra ``solids``), all digits kept, in one step.

    Args:
        mesh: in metres.
        path: the file; its suffix says the format.
        units: of the lengths in the file, which none of these formats can say.
        point_data: numbers at each vertex, ``[n]`` or ``[n, k]``, by name; VTK alone keeps them.
        cell_data: numbers of each tetrahedron.

    Raises:
        ArgumentError: another suffix.
    """
    target = Path(path)
    kind = TETRAHEDRA.get(target.suffix.lower())
    if kind is None:
        raise ArgumentError("path", f"a name that ends with one of {', '.join(TETRAHEDRA)}", repr(str(path)))
    points, tets = mesh.vertices.numpy() / METRES[_unit(units)], mesh.tets.numpy()
    if kind == "veg":
        return _in_one_step(target, lambda part: part.write_text(_veg_text(points, tets), encoding="ascii"))
    meshio = engine("solids", "meshio")
    kept = kind.startswith("vt")
    made = meshio.Mesh(
        points,
        [("tetra", tets)],
        point_data={k: _array(v) for k, v in (point_data or {}).items()} if kept else None,
        cell_data={k: [_array(v)] for k, v in (cell_data or {}).items()}
        if kept
        else {name: [np.ones(len(tets), np.int32)] for name in ("gmsh:physical", "gmsh:geometrical")},
    )
    return _in_one_step(target, lambda part: made.write(part, file_format="gmsh22" if kind == "gmsh" else kind))


def boundary(mesh: TetMesh) -> TriMesh:
    """The surface of tetrahedra, outside out, with the vertices on it alone."""
    triangles = mesh.surface()
    used, where = triangles.unique(return_inverse=True)
    return TriMesh(mesh.vertices[used], where.reshape(triangles.shape))


def sizes_under(extents: Any) -> str:
    """How large a thing is if its numbers are millimetres, or metres: what a message asks a user to choose from."""
    size = " x ".join(f"{float(v):.4g}" for v in extents)
    return f"the file says {size}; is that mm, cm, m or in?"


def _metres(units: str | None, points: np.ndarray) -> float:
    if units is None:
        raise ArgumentError("units", "the unit of the file's lengths", "none", sizes_under(points.max(0) - points.min(0)))
    return METRES[_unit(units)]


def _unit(units: str) -> str:
    if units not in METRES:
        raise ArgumentError("units", f"one of {', '.join(METRES)}", repr(units))
    return units


def _existing(path: str | os.PathLike[str], suffixes: tuple[str, ...]) -> Path:
    file = Path(path)
    if file.suffix.lower() not in suffixes:
        raise ArgumentError("path", f"a name that ends with one of {', '.join(suffixes)}", repr(str(path)))
    if not file.is_file():
        raise ArgumentError("path", "an existing file", repr(str(path)))
    return file


def _array(values: Any) -> np.ndarray:
    return values.detach().numpy() if isinstance(values, torch.Tensor) else np.asarray(values)


def _meshio_read(file: Path) -> tuple[np.ndarray, np.ndarray]:
    import contextlib
    import io

    meshio = engine("solids", "meshio")
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            mesh = meshio.read(file, file_format=TETRAHEDRA[file.suffix.lower()])
    except (Exception, SystemExit) as problem:  # meshio 5.3.5 leaves the process where it can make nothing of a file
        why = " ".join(said.getvalue().split()) or f"{type(problem).__name__}: {problem}"
        hint = f"{why}; where another program reads it, save it as .vtu there"
        raise ArgumentError("path", f"a readable {file.suffix} file", repr(str(file)), hint) from None
    blocks = [np.asarray(block.data) for block in mesh.cells if block.type == "tetra"]
    if not blocks:
        others = ", ".join(sorted({block.type for block in mesh.cells})) or "no cells"
        hint = "cells of other shapes are not cut into tetrahedra here; a surface can be filled with them: .stl, .obj, .ply"
        raise ArgumentError("path", "a file with tetrahedra", f"{others} in {str(file)!r}", hint)
    points = np.asarray(mesh.points, dtype=float)
    return np.pad(points, ((0, 0), (0, 3 - points.shape[1]))), np.concatenate(blocks)


def _veg_read(file: Path) -> tuple[np.ndarray, np.ndarray]:
    """Vega's text: a block of vertices and one of elements, which count from 0 or from 1 as the first index of a block says."""
    rows = [line.split("#")[0].strip() for line in file.read_text(encoding="utf-8", errors="replace").splitlines()]
    rows = [row for row in rows if row]
    try:
        upper = [row.upper() for row in rows]
        if any(row.startswith("*INCLUDE") for row in upper):
            raise ValueError("it includes other files; put them into one")
        at = upper.index("*VERTICES") + 1
        count = int(rows[at].split()[0])
        vertices = [row.split() for row in rows[at + 1 : at + 1 + count]]
        names = {int(row[0]): i for i, row in enumerate(vertices)}
        points = np.array([[float(v) for v in row[1:4]] for row in vertices])
        at = upper.index("*ELEMENTS") + 1
        if upper[at] not in ("TET", "TETS"):
            raise ValueError(f"its elements are {rows[at]}")
        count = int(rows[at + 1].split()[0])
        tets = np.array([[names[int(v)] for v in row.split()[1:5]] for row in rows[at + 2 : at + 2 + count]])
        if len(points) != len(names) or points.shape[1:] != (3,) or tets.shape != (count, 4):
            raise ValueError("fewer lines than it says")
    except (ValueError, IndexError, KeyError) as problem:
        raise ArgumentError("path", "a readable .veg file with tetrahedra", repr(str(file)), str(problem)) from None
    return points, tets


def _veg_text(points: np.ndarray, tets: np.ndarray) -> str:
    lines = ["*VERTICES", f"{len(points)} 3 0 0"]
    lines += [f"{i} {x!r} {y!r} {z!r}" for i, (x, y, z) in enumerate(points.tolist(), 1)]
    lines += ["", "*ELEMENTS", "TET", f"{len(tets)} 4 0"]
    lines += [f"{i} {' '.join(str(v + 1) for v in tet)}" for i, tet in enumerate(tets.tolist(), 1)]
    return "\n".join(lines) + "\n"


def _in_one_step(target: Path, write: Callable[[Path], object]) -> Path:
    """Written beside the target, then moved there: a file is whole or not there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.stem}.{secrets.token_hex(4)}{target.suffix}")
    try:
        write(part)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
    return target
