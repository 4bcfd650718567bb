"""Bodies whose tetrahedra are regular: boxes, columns and beams cut in Kuhn's way, and bodies put together from mirror images."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.fields.solids.mesh import TetMesh


def box(size: Sequence[float], cells: Sequence[int], origin: Sequence[float] = (0.0, 0.0, 0.0)) -> TetMesh:
    """A box of equal cells, each cut into the six tetrahedra around its long diagonal (H. W. Kuhn, 1960).

    All cells are cut alike, so that neighbours fit; the diagonals all point one way, so that **the mesh has fewer symmetries
    than the box**: use :func:`mirrored` where symmetry matters.

    Args:
        size: along x, y, z, in metres.
        cells: along x, y, z.
        origin: the corner with the smallest coordinates.

    >>> box((0.1, 0.02, 0.02), (20, 4, 4))
    TetMesh(525 vertices, 1920 tetrahedra)
    """
    if len(size) != 3 or not all(float(one) > 0 for one in size):
        raise ArgumentError("size", "three positive lengths in metres", repr(tuple(size)))
    if len(cells) != 3 or not all(isinstance(one, int) and one > 0 for one in cells):
        raise ArgumentError("cells", "three positive numbers of cells", repr(tuple(cells)))
    axes = [torch.linspace(0, float(s), c + 1, dtype=torch.float64) + float(o) for s, c, o in zip(size, cells, origin, strict=True)]
    vertices = torch.cartesian_prod(*axes)
    steps = torch.tensor([(cells[1] + 1) * (cells[2] + 1), cells[2] + 1, 1])
    corner = torch.cartesian_prod(*(torch.arange(c) for c in cells)) @ steps
    paths = []
    for order in permutations(range(3)):
        walk = torch.cat([torch.zeros(1, dtype=torch.int64), steps[list(order)].cumsum(0)])
        # An odd order of the axes walks a left-handed tetrahedron.
        sign = sum(order[i] > order[j] for i in range(3) for j in range(i + 1, 3)) % 2
        paths.append(walk[[1, 0, 2, 3]] if sign else walk)
    return TetMesh(vertices, (corner[:, None, None] + torch.stack(paths)).flatten(0, 1))


def column(height: float, width: float, cells: tuple[int, int]) -> TetMesh:
    """An upright square column, its foot on z = 0 and its axis the z axis; ``cells`` across and along.

    >>> column(0.2, 0.02, (2, 20)).size().tolist()
    [0.02, 0.02, 0.2]
    """
    across, along = cells
    return box((width, width, height), (across, across, along), (-width / 2, -width / 2, 0.0))


def beam(length: float, width: float, cells: tuple[int, int]) -> TetMesh:
    """A square beam along x, its end on x = 0; ``cells`` along and across. Hold it by ``fixed=beam.vertices[:, 0] == 0``.

    >>> beam(0.1, 0.02, (20, 4))
    TetMesh(525 vertices, 1920 tetrahedra)
    """
    along, across = cells
    return box((length, width, width), (along, across, across))


def mirrored(half: TetMesh, normal: Sequence[float] = (1.0, 0.0, 0.0)) -> TetMesh:
    """A body and its image in the plane through the origin, welded there: **exactly** invariant under that reflection.

    Mesh one half of a symmetric body, on one side of the plane, and reflect it. A mesh of the whole is symmetric only by luck, and its
    solutions then err by the mesh's asymmetry, not by rounding. Vertices nearer to the plane than 1e-9 of the body's size are put on it.

    Args:
        half: no vertex beyond the plane.
        normal: of the plane.

    Raises:
        ArgumentError: the half reaches through the plane, or does not touch it.

    >>> mirrored(box((0.1, 0.1, 0.1), (2, 2, 2)))
    TetMesh(45 vertices, 96 tetrahedra)
    """
    unit = torch.as_tensor(normal, dtype=torch.float64)
    if unit.shape != (3,) or not bool(unit.isfinite().all()) or not float(unit.norm()) > 0:
        raise ArgumentError("normal", "a vector of three finite numbers that is not zero", repr(list(normal)))
    unit = unit / unit.norm()
    height = half.vertices @ unit
    near = 1e-9 * float(half.size().norm())
    on = height.abs() <= near
    if bool((height > near).any()) and bool((height < -near).any()):
        at = int(height.abs().where(height.sign() != height.sum().sign(), 0).argmax())
        raise ArgumentError(
            "half", "a body on one side of the plane", f"a vertex beyond it, vertex {at} at {float(height[at])!r} m"
        )
    if not bool(on.any()):
        raise ArgumentError("half", "a body that touches the plane", f"one {float(height.abs().min())!r} m away from it")
    vertices = half.vertices - torch.where(on, height, 0.0).unsqueeze(1) * unit
    image = _reflected(vertices, unit)
    place = torch.empty(len(vertices), dtype=torch.int64)
    place[on] = on.nonzero()[:, 0]
    place[~on] = len(vertices) + torch.arange(int((~on).sum()))
    # A reflection turns tetrahedra inside out: two of their vertices change places.
    return TetMesh(torch.cat([vertices, image[~on]]), torch.cat([half.tets, place[half.tets][:, [1, 0, 2, 3]]]))


def _reflected(x: Float[Tensor, "n 3"], unit: Float[Tensor, " 3"]) -> Tensor:
    """Bitwise a change of sign where the plane is one of the axes'."""
    axis = unit.abs().argmax()
    if bool(unit.abs()[axis] == 1):
        sign = torch.ones(3, dtype=torch.float64)
        sign[axis] = -1
        return x * sign
    return x - 2 * (x @ unit).unsqueeze(1) * unit
