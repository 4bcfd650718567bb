"""Surfaces anew: around one that is broken beyond mending, or with fewer triangles."""

from __future__ import annotations

import warnings

import numpy as np
import torch

from erlangen.errors import ArgumentError
from erlangen.extras import engine
from erlangen.fields.solids.repair import examine, parts_of, winding
from erlangen.fields.solids.surface import TriMesh

#: A part of a wrapped surface with less than this share of the largest one's volume is a crumb that the grid left.
CRUMB = 0.01


def isosurface(values: np.ndarray, spacing: float, origin: np.ndarray) -> TriMesh:
    """Where values on a grid change their sign, positive inside: the closed surface, outside out (extra ``solids``).

    scikit-image (0.26) winds the triangles of ``marching_cubes`` inwards, while its normals point outwards: they are turned round here.

    Args:
        values: ``[nx, ny, nz]``, negative on the border.
        spacing: of the grid, in metres.
        origin: of point 0, 0, 0, ``[3]``.

    Raises:
        ArgumentError: nothing is positive, or something on the border is: the surface would be open.
    """
    if not (values > 0).any():
        raise ArgumentError("values", "something inside", "none that is positive")
    if max(values[[0, -1]].max(), values[:, [0, -1]].max(), values[:, :, [0, -1]].max()) >= 0:
        raise ArgumentError("values", "negative ones on the border of the grid", "positive ones: the surface would be open")
    # A value of 0 at a grid point makes triangles without an area.
    smallest = 1e-6 * np.abs(values).max()
    values = np.where(np.abs(values) < smallest, -smallest, values)
    points, faces, _, _ = engine("solids", "skimage.measure").marching_cubes(values.astype(float), 0.0, allow_degenerate=False)
    made = TriMesh(torch.from_numpy(points.astype(float) * spacing + origin), torch.from_numpy(faces.astype(np.int64)))
    return made if made.volume > 0 else TriMesh(made.vertices, made.triangles.flip(1))


def wrap(surface: TriMesh, cells: int = 40) -> TriMesh:
    """A new closed surface around triangles that may have holes, cross, or be there twice (extra ``solids``).

    A point is inside where the surface goes round it more than half a time (the winding number of Jacobson et al. 2013, which gaps
    change little), and the new surface is where a signed distance on a grid vanishes. Details smaller than two cells of the grid are
    lost, thin walls and legs too; what then lies apart with less than 1 % of the largest part's volume is left out, with a warning that
    says how much. Triangles that are inside out all together are taken the other way round.

    Args:
        surface: any triangles that go round something.
        cells: of the grid, along the longest side.

    Warns:
        UserWarning: pieces were left out.

    Raises:
        ArgumentError: ``cells`` out of 8 to 160, or triangles that go round nothing.

    >>> box = TriMesh.from_trimesh(engine("solids", "trimesh").creation.box((1.0, 1.0, 1.0)))
    >>> around = wrap(TriMesh(box.vertices, box.triangles[1:]), 24)
    >>> examine(around).sound, abs(around.volume - 1) < 0.05
    (True, True)
    """
    made, lost = wrapped(surface, cells)
    if lost:
        warnings.warn(f"the new surface {lost}; more cells keep more", UserWarning, stacklevel=2)
    return made


def wrapped(surface: TriMesh, cells: int = 40) -> tuple[TriMesh, str]:
    """As :func:`wrap`, and in words what was left out of it, empty where nothing was."""
    from scipy.spatial import cKDTree

    if not 8 <= cells <= 160:
        raise ArgumentError("cells", "8 to 160 along the longest side", repr(cells))
    corners = surface.vertices[surface.triangles]
    low, high = corners.amin((0, 1)).numpy(), corners.amax((0, 1)).numpy()
    # Flat faces that lay in planes of the grid would leave their sign to rounding: it is shifted by an odd part of a cell.
    spacing = float((high - low).max()) / cells
    origin = low - 3.37 * spacing
    shape = tuple(int(v) for v in np.ceil((high - origin) / spacing) + 4)
    grid = np.stack(np.meshgrid(*(o + spacing * np.arange(n) for o, n in zip(origin, shape)), indexing="ij"), -1)
    distance = cKDTree(_sampled(corners.numpy(), spacing / 3)).query(grid.reshape(-1, 3))[0].reshape(shape)
    around = winding(surface, grid.reshape(-1, 3)).reshape(shape)
    inside = around > 0.5
    if not inside.any():
        inside = around < -0.5
    inside[[0, -1]] = inside[:, [0, -1]] = inside[:, :, [0, -1]] = False
    if not inside.any():
        raise ArgumentError("surface", "triangles that go round something", f"{len(surface.triangles)} that go round nothing")
    made = isosurface(np.where(inside, distance, -distance), spacing, origin)
    return _largest_parts(made)


def simplify(surface: TriMesh, triangles: int) -> TriMesh:
    """At most so many triangles, by collapsing edges where the surface moves least (manifold3d; extra ``solids``).

    Args:
        surface: closed.
        triangles: at most; 100 or more.

    Raises:
        ArgumentError: an open surface, or a number below 100.
    """
    if triangles < 100:
        raise ArgumentError("triangles", "100 or more", repr(triangles))
    if len(surface.triangles) <= triangles:
        return surface
    manifold = engine("solids", "manifold3d")
    body = manifold.Manifold(manifold.Mesh64(surface.vertices.numpy(), surface.triangles.numpy().astype(np.uint64)))
    if body.status() != manifold.Error.NoError:
        raise ArgumentError("surface", "a closed surface", "; ".join(examine(surface).faults) or str(body.status()))
    low, high, best = -7.0, -1.0, None
    for _ in range(12):
        middle = (low + high) / 2
        made = body.simplify(10**middle * float(surface.extents.norm()))
        if 0 < made.num_tri() <= triangles:
            high, best = middle, made
        elif made.num_tri() == 0:
            high = middle
        else:
            low = middle
    if best is None:
        raise ArgumentError("triangles", "a number to which the surface can be simplified", repr(triangles))
    out = best.to_mesh64()
    return TriMesh(
        torch.from_numpy(np.array(out.vert_properties[:, :3])), torch.from_numpy(np.array(out.tri_verts).astype(np.int64))
    )


def _sampled(corners: np.ndarray, step: float) -> np.ndarray:
    """Points on triangles, none of them farther from its neighbours than a step."""
    longest = np.linalg.norm(corners - np.roll(corners, 1, 1), axis=2).max(1)
    cuts = np.maximum(1, np.ceil(longest / step)).astype(int)
    # Triangles of one number of cuts together; numbers are rounded up to powers of 2, so that there are few kinds.
    cuts = 2 ** np.ceil(np.log2(cuts)).astype(int)
    points = []
    for n in np.unique(cuts):
        i, j = (a.reshape(-1) for a in np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij"))
        weights = np.stack([i, j, n - i - j], 1)[i + j <= n] / n
        points.append((weights @ corners[cuts == n]).reshape(-1, 3))
    return np.concatenate(points)


def _largest_parts(surface: TriMesh) -> tuple[TriMesh, str]:
    """Without crumbs that the grid left, and what these were."""
    label = torch.from_numpy(parts_of(surface.triangles.numpy()))
    parts = [surface.triangles[label == k] for k in range(int(label.max()) + 1)]
    volumes = [abs(TriMesh(surface.vertices, part).volume) for part in parts]
    large = [volume > CRUMB * max(volumes) for volume in volumes]
    triangles = torch.cat([part for part, kept in zip(parts, large) if kept])
    used, where = triangles.unique(return_inverse=True)
    lost = [volume for volume, kept in zip(volumes, large) if not kept]
    said = ""
    if lost:
        pieces = "1 piece" if len(lost) == 1 else f"{len(lost)} pieces, each"
        said = f"leaves out {pieces} with less than {CRUMB:.0%} of the largest one's volume ({sum(lost) / sum(volumes):.2g} of all)"
    return TriMesh(surface.vertices[used], where.reshape(triangles.shape)), said
