"""Tetrahedra inside of a closed surface."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from erlangen.data.packaged import cache_folder
from erlangen.errors import ArgumentError
from erlangen.extras import engine
from erlangen.fields.solids.mesh import TetMesh
from erlangen.fields.solids.repair import examine, parts_of, winding
from erlangen.fields.solids.structured import mirrored
from erlangen.fields.solids.surface import TriMesh
from erlangen.serialization import write_bytes

#: Tetrahedra that are aimed at where no size is named: the inverse problem then takes seconds.
WANTED = 8000
#: Goes into the names of cached meshes: another way of meshing is another mesh.
_VERSION = 1


def tetrahedralize(
    surface: TriMesh,
    *,
    size: float | None = None,
    quality: float = 1.5,
    mirror: Sequence[float] | None = None,
    cache: bool = True,
) -> TetMesh:
    """Fill a closed surface with tetrahedra by Delaunay refinement (tetgen, H. Si 2015; extra ``tetrahedra``, AGPL).

    The surface's triangles become faces of tetrahedra. The result is the same for the same surface: tetgen is deterministic.

    Args:
        surface: closed, nowhere through itself: see :func:`~erlangen.fields.solids.repair`. Cavities (inner parts that are inside out)
            stay empty.
        size: length of edge, in metres, that tetrahedra should not exceed by much; by default so that there are about 8000, or more where
            the surface's triangles ask for it.
        quality: radius of the circumscribed ball over the shortest edge, at most; 1.2 to 2.
        mirror: normal ``[3]`` of a mirror plane through the origin. One half is meshed, reflected and welded: the mesh is then
            **exactly** invariant, which no mesh of the whole is. The other half of the surface is not looked at.
        cache: keep the mesh in the user's cache folder by the surface's content, and read it from there.

    Returns:
        Positively oriented tetrahedra.

    Raises:
        ArgumentError: the surface has holes, crosses itself, or is inside out (with the first place), or tetgen cannot mesh it.
        MissingExtra: tetgen is not installed.

    >>> cube = TriMesh.from_trimesh(engine("solids", "trimesh").creation.box((0.02, 0.02, 0.02)))
    >>> mesh = tetrahedralize(cube, size=0.01, cache=False)
    >>> abs(mesh.volume() - 8e-6) < 1e-18, len(mesh) > 40
    (True, True)
    """
    if size is not None and not 0 < size < float("inf"):
        raise ArgumentError("size", "a positive length in metres", repr(size))
    if not 1.1 <= quality < float("inf"):
        raise ArgumentError("quality", "1.1 or more; Delaunay refinement need not end below", repr(quality))
    half = surface if mirror is None else _half(surface, mirror)
    found = examine(half)
    if not found.sound:
        hint = "solids.repair mends what it can; solids.wrap, --cells at the prompt, makes a new surface around it"
        raise ArgumentError("surface", "a closed surface that does not pass through itself", "; ".join(found.faults), hint)
    # An eighth of an edge cubed: a regular tetrahedron has 0.118, and most are smaller than the largest allowed.
    largest = half.volume / WANTED * (2 if mirror is None else 4) if size is None else size**3 / 8
    key = hashlib.sha256()
    for part in (half.vertices.numpy().tobytes(), half.triangles.numpy().tobytes(), repr((largest, quality, _VERSION)).encode()):
        key.update(part)
    kept = cache_folder() / "tetrahedra" / f"{key.hexdigest()[:32]}.npz"
    mesh = _read(kept) if cache else None
    if mesh is None:
        mesh = _tetgen(half, largest, quality)
        if cache:
            _write(kept, mesh)
    return mesh if mirror is None else mirrored(mesh, mirror)


def _tetgen(surface: TriMesh, largest: float, quality: float) -> TetMesh:
    tetgen = engine("tetrahedra", "tetgen")
    # tetgen's tolerances are relative, but its Steiner points near 1e-8 m suffer: it is given a body of size 1.
    shift, unit = surface.vertices.mean(0), float(surface.extents.max())
    points = ((surface.vertices - shift) / unit).numpy()
    maker = tetgen.TetGen(np.ascontiguousarray(points), np.ascontiguousarray(surface.triangles.numpy().astype(np.int32)))
    for point in _cavities(surface):
        maker.add_hole(((point - shift.numpy()) / unit).tolist())
    try:
        vertices, tets = maker.tetrahedralize(minratio=quality, fixedvolume=True, maxvolume=largest / unit**3, quiet=True)[:2]
    except RuntimeError as problem:
        hint = "solids.wrap, --cells at the prompt, makes a new surface around it, of triangles of one size"
        raise ArgumentError("surface", "one that tetgen can mesh", f"'{problem}'", hint) from None
    return TetMesh.of_used(torch.from_numpy(np.array(vertices)) * unit + shift, torch.from_numpy(np.array(tets, dtype=np.int64)))


def _cavities(surface: TriMesh) -> list[np.ndarray]:
    """A point in each cavity: of the parts that are inside out."""
    label = parts_of(surface.triangles.numpy())
    found = []
    for k in range(int(label.max()) + 1):
        part = TriMesh(surface.vertices, surface.triangles[torch.from_numpy(label == k)])
        if part.volume >= 0:
            continue
        corners = part.vertices[part.triangles]
        normals = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        inwards = normals / normals.norm(dim=1, keepdim=True)
        for depth in (0.3, 0.1, 0.01, 1e-3, 1e-4):
            points = (corners.mean(1) + depth * float(part.extents.min()) * inwards)[:64]
            inside = np.abs(winding(part, points)) > 0.5
            if inside.any():
                found.append(points.numpy()[inside][0])
                break
    return found


def _half(surface: TriMesh, normal: Sequence[float]) -> TriMesh:
    """What lies on the normal's side of the plane through the origin, closed there (manifold3d)."""
    manifold = engine("solids", "manifold3d")
    unit = np.asarray(normal, dtype=float)
    if unit.shape != (3,) or not np.isfinite(unit).all() or not np.linalg.norm(unit) > 0:
        raise ArgumentError("mirror", "a normal of three finite numbers, not zero", repr(list(normal)))
    unit = unit / np.linalg.norm(unit)
    body = manifold.Manifold(manifold.Mesh64(surface.vertices.numpy(), surface.triangles.numpy().astype(np.uint64)))
    if body.status() != manifold.Error.NoError:
        found = examine(surface)
        raise ArgumentError(
            "surface", "a closed surface", "; ".join(found.faults) or str(body.status()), "solids.repair mends what it can"
        )
    made = body.trim_by_plane(tuple(unit.tolist()), 0.0).to_mesh64()
    if not len(made.tri_verts):
        raise ArgumentError("mirror", "a plane through the origin that cuts the surface", f"the normal {list(normal)!r}")
    points = np.array(made.vert_properties[:, :3])
    height = points @ unit
    near = np.abs(height) < 1e-9 * float(surface.extents.norm())
    points[near] -= height[near, None] * unit
    return TriMesh(torch.from_numpy(points), torch.from_numpy(np.array(made.tri_verts).astype(np.int64)))


def _read(path: Path) -> TetMesh | None:
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as kept:
            return TetMesh(torch.from_numpy(kept["vertices"]), torch.from_numpy(kept["tets"]))
    except (OSError, ValueError, KeyError, EOFError):
        return None  # a file that was damaged is made anew


def _write(path: Path, mesh: TetMesh) -> None:
    kept = io.BytesIO()
    np.savez_compressed(kept, vertices=mesh.vertices.numpy(), tets=mesh.tets.numpy())
    write_bytes(path, kept.getvalue())
