"""Bodies from one picture, each by an assumption of symmetry: inflated, revolved, extruded, or raised from a map of depths."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from erlangen.errors import ArgumentError
from erlangen.extras import engine
from erlangen.fields.solids.remesh import isosurface
from erlangen.fields.solids.surface import TriMesh

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".gif")


@dataclass(frozen=True)
class Axis:
    """A mirror axis of a silhouette.

    Attributes:
        angle: of the axis to the picture's upward direction, degrees, counterclockwise.
        point: a place on it, ``(row, column)``.
        score: intersection over union of the silhouette and its mirror image; 1 is a perfect symmetry.
    """

    angle: float
    point: tuple[float, float]
    score: float


def silhouette(picture: str | os.PathLike[str] | Any, threshold: float | None = None) -> np.ndarray:
    """What is thing in a picture and what is ground, ``[rows, columns]``: the largest connected thing (extras ``images``, ``solids``).

    Args:
        picture: a file, or an array: of booleans (True is the thing), of grey values ``[rows, columns]``, or of colours ``[rows,
            columns, 3 or 4]``. Where there is transparency, the thing is what is not transparent.
        threshold: of grey values, 0 to 1; by default Otsu's. The thing is the side that touches the border less.

    Raises:
        ArgumentError: nothing is left, or the thing touches the border: then it is cut off, and its shape is not known.
    """
    if isinstance(picture, (str, os.PathLike)):
        if Path(picture).suffix.lower() not in PICTURES:
            raise ArgumentError("picture", f"a name that ends with one of {', '.join(PICTURES)}", repr(str(picture)))
        try:
            with engine("images", "PIL.Image").open(picture) as opened:
                values = np.asarray(opened.convert("RGBA"), dtype=float) / 255
        except OSError as problem:
            raise ArgumentError("picture", "a picture that can be read", repr(str(picture)), str(problem)) from None
    else:
        values = np.asarray(picture)
    if values.dtype == bool:
        if values.ndim != 2:
            raise ArgumentError("picture", "a mask [rows, columns]", f"shape {values.shape}")
        return checked(_largest(values))
    if (
        values.ndim not in (2, 3)
        or (values.ndim == 3 and values.shape[2] not in (3, 4))
        or not np.isfinite(values.astype(float)).all()
    ):
        raise ArgumentError("picture", "finite values [rows, columns] or [rows, columns, 3 or 4]", f"{values.dtype} {values.shape}")
    values = values / 255 if np.issubdtype(values.dtype, np.integer) else values.astype(float)
    if values.ndim == 3 and values.shape[2] == 4 and (values[..., 3] < 0.5).any():
        return checked(_largest(values[..., 3] >= 0.5))
    grey = values if values.ndim == 2 else values[..., :3] @ [0.2125, 0.7154, 0.0721]
    if np.ptp(grey) == 0:
        raise ArgumentError("picture", "a thing on a ground", "a picture of one colour")
    level = float(engine("solids", "skimage.filters").threshold_otsu(grey)) if threshold is None else threshold
    bright = grey > level
    border = np.concatenate([bright[0], bright[-1], bright[:, 0], bright[:, -1]])
    return checked(_largest(~bright if border.mean() > 0.5 else bright))


def checked(mask: Any) -> np.ndarray:
    """A mask that is not empty and does not touch the border."""
    values = np.asarray(mask)
    if values.ndim != 2 or values.dtype != bool:
        raise ArgumentError("mask", "booleans [rows, columns]", f"{values.dtype} {values.shape}")
    if values.sum() < 16:
        raise ArgumentError("mask", "a thing of 16 pixels or more", f"{int(values.sum())} pixels: an empty mask")
    if values[0].any() or values[-1].any() or values[:, 0].any() or values[:, -1].any():
        side = next(
            name
            for name, edge in (("top", values[0]), ("bottom", values[-1]), ("left", values[:, 0]), ("right", values[:, -1]))
            if edge.any()
        )
        raise ArgumentError(
            "mask", "a thing inside of the picture", f"one that touches the {side} border", "what is cut off has no known shape"
        )
    return values


def inflate(mask: Any, height: float, *, thickness: float = 1.0, cells: int = 72) -> TriMesh:
    """A body whose half thickness is ``sqrt(u)``, with ``-Laplace u = 4`` inside of a silhouette and 0 at its rim: round where it is round.

    A disc becomes a ball exactly. Front and back are mirror images, a **symmetry that is assumed**. The picture's right is x, its upward
    direction z, the depth y.

    Args:
        mask: ``[rows, columns]``, True inside; see :func:`silhouette`.
        height: of the body, metres.
        thickness: the depth is multiplied by this.
        cells: of the grid of the surface, along the longest side.

    Raises:
        ArgumentError: an empty mask, one that touches the border, or a size that is not positive.

    >>> rows, columns = np.indices((44, 44)) - 21.5
    >>> ball = inflate(rows**2 + columns**2 < 20**2, 0.4, cells=32)
    >>> abs(ball.volume / (4 / 3 * np.pi * 0.2**3) - 1) < 0.03
    True
    """
    inside = checked(mask)
    for name, value in (("height", height), ("thickness", thickness)):
        if not 0 < value < float("inf"):
            raise ArgumentError(name, "a positive number", repr(value))
    if not 16 <= cells <= 200:
        raise ArgumentError("cells", "16 to 200", repr(cells))
    u = _extended(torsion(inside), inside)
    deep = thickness * float(np.sqrt(u.max()))
    rows, columns = np.nonzero(inside)
    top, bottom, left, right = rows.min(), rows.max(), columns.min(), columns.max()
    step = max(bottom - top + 1, right - left + 1, 2 * deep) / cells
    # Grid points lie half a step beside the plane of symmetry, on both sides alike.
    across = np.arange(left - 0.5 - 3 * step, right + 0.5 + 3 * step + step, step)
    upwards = np.arange(top - 0.5 - 3 * step, bottom + 0.5 + 3 * step + step, step)
    count = int(np.ceil(deep / step)) + 3
    depth = (np.arange(-count, count) + 0.5) * step
    from scipy.ndimage import map_coordinates

    x, z = np.meshgrid(across, upwards, indexing="ij")
    flat = map_coordinates(u, [z, x], order=1, mode="nearest")
    field = flat[:, None, :] - (depth[None, :, None] / thickness) ** 2
    # Edges of the grid are outside, however the silhouette lies.
    field[[0, -1]] = field[:, [0, -1]] = field[:, :, [0, -1]] = -step * step
    made = isosurface(field, step, np.array([across[0], depth[0], upwards[0]]))
    # Rows count downwards: a half turn about x, so that hands are kept.
    turned = made.turned([[1, 0, 0], [0, -1, 0], [0, 0, -1]])
    return turned.scaled(height / (bottom - top + 1)).on_ground()


def mirror_axis(mask: Any) -> Axis:
    """The best mirror axis of a silhouette: what its mirror image covers best, over all angles and offsets.

    Every third degree through the centroid is tried, which a perfect mirror axis passes through; the best are refined in both.
    """
    from scipy.optimize import minimize

    inside = checked(mask)
    rows, columns = np.nonzero(inside)
    middle = np.array([rows.mean(), columns.mean()])

    def score(at: np.ndarray) -> float:
        return _mirrored_overlap(inside, at[0], middle, at[1])

    tried = sorted(((score(np.array([angle, 0.0])), angle) for angle in range(-90, 90, 3)), reverse=True)[:3]
    best = max(
        (minimize(lambda at: -score(at), [angle, 0.0], method="Nelder-Mead", options={"initial_simplex": [[angle, 0], [angle + 1.5, 0],
        [angle, 1.0]], "xatol": 0.01, "fatol": 1e-5}) for _, angle in tried), key=lambda found: -found.fun,
    )  # fmt: skip
    angle, offset = (float(v) for v in best.x)
    if -best.fun <= tried[0][0]:
        angle, offset = float(tried[0][1]), 0.0
    normal = _normal(angle)
    return Axis((angle + 90) % 180 - 90, tuple((middle + offset * normal).tolist()), score(np.array([angle, offset])))


def revolve(mask: Any, height: float, *, around: int = 64) -> tuple[TriMesh, Axis]:
    """A body of revolution (SO(2) **assumed**) about the best mirror axis of a silhouette, and that axis with its score.

    Args:
        mask: ``[rows, columns]``, True inside.
        height: of the silhouette, metres; the body keeps the tilt that its axis has in the picture.
        around: corners of the circles.

    Raises:
        ArgumentError: as :func:`inflate`.
    """
    from scipy.ndimage import affine_transform

    inside = checked(mask)
    if not 0 < height < float("inf"):
        raise ArgumentError("height", "a positive number", repr(height))
    if not 8 <= around <= 512:
        raise ArgumentError("around", "8 to 512", repr(around))
    axis = mirror_axis(inside)
    along, normal = _along(axis.angle), _normal(axis.angle)
    reach = int(np.ceil(np.hypot(*inside.shape)))
    # Rows of the turned picture run down the axis, columns across it.
    matrix = np.column_stack([-along, normal])
    offset = np.array(axis.point) - matrix @ np.array([reach, reach])
    turned = affine_transform(inside.astype(float), matrix, offset, output_shape=(2 * reach + 1, 2 * reach + 1), order=1)
    radius = turned.sum(1) / 2
    used = np.flatnonzero(radius > 0.25)
    first, last = int(used.min()), int(used.max())
    heights = np.concatenate([[first - 0.5], np.arange(first, last + 1), [last + 0.5]])
    radii = np.concatenate([[radius[first]], np.maximum(radius[first : last + 1], 0.25), [radius[last]]])
    angles = 2 * np.pi * np.arange(around) / around
    ring = np.stack([np.cos(angles), np.sin(angles)], 1)
    points = np.concatenate([np.column_stack([r * ring, np.full(around, reach - h)]) for h, r in zip(heights, radii)])
    points = np.concatenate([points, [[0, 0, reach - heights[0]], [0, 0, reach - heights[-1]]]])
    i = np.arange(around)
    j, n = (i + 1) % around, len(heights)
    faces = [np.column_stack([i, j, np.full(around, n * around)])[:, [0, 1, 2]]]
    for k in range(n - 1):
        a, b = k * around, (k + 1) * around
        faces += [np.column_stack([a + i, b + i, a + j]), np.column_stack([a + j, b + i, b + j])]
    faces.append(np.column_stack([(n - 1) * around + j, (n - 1) * around + i, np.full(around, n * around + 1)]))
    made = TriMesh(torch.from_numpy(points), torch.from_numpy(np.concatenate(faces)))
    made = made if made.volume > 0 else TriMesh(made.vertices, made.triangles.flip(1))
    t = np.radians(axis.angle)
    tilt = [[np.cos(t), 0, -np.sin(t)], [0, 1, 0], [np.sin(t), 0, np.cos(t)]]
    rows = np.flatnonzero(inside.any(1))
    return made.turned(tilt).scaled(height / (rows.max() - rows.min() + 1)).on_ground(), axis


def extrude(mask: Any, height: float, depth: float) -> TriMesh:
    """A plate in the form of a silhouette (translations **assumed**), its rim smoothed to a tenth of a pixel (extra ``solids``).

    Args:
        mask: ``[rows, columns]``, True inside.
        height, depth: of the body, metres.
    """
    inside = checked(mask)
    for name, value in (("height", height), ("depth", depth)):
        if not 0 < value < float("inf"):
            raise ArgumentError(name, "a positive number", repr(value))
    measure, manifold = engine("solids", "skimage.measure"), engine("solids", "manifold3d")
    rows = np.flatnonzero(inside.any(1))
    scale = height / (rows.max() - rows.min() + 1)
    loops = [measure.approximate_polygon(loop, 0.4)[:-1] for loop in measure.find_contours(inside.astype(float), 0.5)]
    outline = manifold.CrossSection(
        [loop[:, ::-1] * [scale, -scale] for loop in loops if len(loop) >= 3], manifold.FillRule.EvenOdd
    )
    made = outline.extrude(depth).to_mesh64()
    surface = TriMesh(
        torch.from_numpy(np.array(made.vert_properties[:, :3])), torch.from_numpy(np.array(made.tri_verts).astype(np.int64))
    )
    return surface.turned([[1, 0, 0], [0, 0, -1], [0, 1, 0]]).on_ground()


def raise_depth(depth: Any, mask: Any, height: float, *, relief: float, base: float, cells: int = 72) -> TriMesh:
    """A relief with a flat back: a map of depths inside of a silhouette. Its back is **assumed**.

    Args:
        depth: ``[rows, columns]``, nearer is larger (a disparity as it is; a distance with its sign changed).
        mask: True inside.
        height: of the body, metres.
        relief: from the farthest to the nearest place, metres.
        base: thickness below the farthest place, metres.
        cells: of the grid, along the longest side.
    """
    from scipy.ndimage import distance_transform_edt, map_coordinates

    inside = checked(mask)
    values = np.asarray(depth, dtype=float)
    if values.shape != inside.shape or not np.isfinite(values[inside]).all():
        raise ArgumentError("depth", f"values {inside.shape}, finite inside of the mask", f"shape {values.shape}")
    for name, value in (("height", height), ("relief", relief), ("base", base)):
        if not 0 < value < float("inf"):
            raise ArgumentError(name, "a positive number", repr(value))
    rows, columns = np.nonzero(inside)
    scale = height / (rows.max() - rows.min() + 1)
    span = float(np.ptp(values[inside])) or 1.0
    thick = (base + relief * (values - values[inside].min()) / span) / scale
    nearest = distance_transform_edt(~inside, return_distances=False, return_indices=True)
    thick = thick[tuple(nearest)]
    rim = distance_transform_edt(inside) - distance_transform_edt(~inside)
    rim = rim - 0.5 * np.sign(rim)
    step = max(np.ptp(rows) + 1, np.ptp(columns) + 1) / cells
    across = np.arange(columns.min() - 0.5 - 3 * step, columns.max() + 0.5 + 4 * step, step)
    upwards = np.arange(rows.min() - 0.5 - 3 * step, rows.max() + 0.5 + 4 * step, step)
    y = np.arange(-2.5 * step, float(thick[inside].max()) + 3 * step, step)
    x, z = np.meshgrid(across, upwards, indexing="ij")
    flat, edge = (map_coordinates(v, [z, x], order=1, mode="nearest") for v in (thick, rim))
    field = np.minimum(np.minimum(flat[:, None] - y[None, :, None], y[None, :, None]), edge[:, None])
    field[[0, -1]] = field[:, [0, -1]] = field[:, :, [0, -1]] = -step
    made = isosurface(field, step, np.array([across[0], y[0], upwards[0]]))
    return made.turned([[1, 0, 0], [0, -1, 0], [0, 0, -1]]).scaled(scale).on_ground()


def torsion(inside: np.ndarray) -> np.ndarray:
    """``-Laplace u = 4`` on pixels, u = 0 on the edges between inside and outside: the stress function of a twisted bar, times 2."""
    import scipy.sparse as sp
    from scipy.sparse.linalg import spsolve

    number = np.full(inside.shape, -1)
    count = int(inside.sum())
    number[inside] = np.arange(count)
    diagonal = np.full(count, 0.0)
    rows, columns = [], []
    for axis, shift in ((0, 1), (0, -1), (1, 1), (1, -1)):
        beside = np.roll(number, -shift, axis)[inside]
        # Half a step away there is zero: such a neighbour counts twice.
        diagonal += np.where(beside >= 0, 1.0, 2.0)
        rows.append(np.flatnonzero(beside >= 0))
        columns.append(beside[beside >= 0])
    r, c = np.concatenate(rows), np.concatenate(columns)
    A = sp.diags(diagonal) - sp.coo_matrix((np.ones(len(r)), (r, c)), shape=(count, count))
    u = np.zeros(inside.shape)
    u[inside] = spsolve(A.tocsc(), np.full(count, 4.0))
    return u


def _extended(u: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Continued below zero outside, with the slope that it has at the rim."""
    from scipy.ndimage import distance_transform_edt

    distance, nearest = distance_transform_edt(~inside, return_indices=True)
    return np.where(inside, u, -u[tuple(nearest)] * np.maximum(2 * distance - 1, 0))


def _along(angle: float) -> np.ndarray:
    """The axis's upward direction as ``(row, column)``."""
    t = np.radians(angle)
    return np.array([-np.cos(t), -np.sin(t)])


def _normal(angle: float) -> np.ndarray:
    t = np.radians(angle)
    return np.array([-np.sin(t), np.cos(t)])


def _mirrored_overlap(inside: np.ndarray, angle: float, middle: np.ndarray, offset: float) -> float:
    from scipy.ndimage import affine_transform

    normal = _normal(angle)
    reflect = np.eye(2) - 2 * np.outer(normal, normal)
    point = middle + offset * normal
    values = inside.astype(float)
    image = affine_transform(values, reflect, point - reflect @ point, order=1)
    return float(np.minimum(values, image).sum() / np.maximum(values, image).sum())


def _largest(mask: np.ndarray) -> np.ndarray:
    """The largest connected piece."""
    from scipy.ndimage import label

    pieces, count = label(mask)
    return mask if count < 2 else pieces == 1 + np.bincount(pieces.reshape(-1))[1:].argmax()
