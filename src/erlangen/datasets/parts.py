"""Random solids from boxes, cylinders, cones and balls, joined and cut, as clouds of surface points with exact normals."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.extras import engine

SEGMENTS = 32  # of every circle


class Parts(NamedTuple):
    """Clouds on the surfaces of solids.

    Attributes:
        points: float64 ``[N, n, 3]``, centred, with unit root mean square distance from the centre.
        normals: float64 ``[N, n, 3]``, outward, of unit length.
    """

    points: Float[Tensor, "N n 3"]
    normals: Float[Tensor, "N n 3"]


def machine_parts(count: int, points: int = 512, seed: int = 0) -> Parts:
    """``count`` random solids, each of three to six pieces whose axes lie along the coordinate axes, as drawn parts are.

    A box, cylinder, cone or ball of random size is joined to what is there or cut from it. Points are uniform on the surface; a normal
    is that of the facet (circles have 32 sides). About 10 ms for each solid.

    Raises:
        ArgumentError: a count is not positive, or ``seed`` is negative.
        MissingExtra: manifold3d or trimesh are not installed.

    >>> machine_parts(2, points=16).normals.norm(dim=-1).amin() > 0.999
    tensor(True)
    """
    for name, number, least in (("count", count, 1), ("points", points, 1), ("seed", seed, 0)):
        if number < least:
            raise ArgumentError(name, f"at least {least}", number)
    trimesh = engine("solids", "trimesh")
    random = np.random.default_rng(seed)
    clouds, normals = np.empty((count, points, 3)), np.empty((count, points, 3))
    for i in range(count):
        mesh = _solid(random).to_mesh()
        surface = trimesh.Trimesh(mesh.vert_properties[:, :3], mesh.tri_verts, process=False)
        clouds[i], faces = trimesh.sample.sample_surface(surface, points, seed=int(random.integers(2**31)))
        normals[i] = surface.face_normals[faces]
    cloud = torch.from_numpy(clouds)
    cloud = cloud - cloud.mean(1, keepdim=True)
    cloud = cloud / cloud.square().sum(-1, keepdim=True).mean(1, keepdim=True).sqrt()
    return Parts(cloud, torch.from_numpy(normals))


def _solid(random: np.random.Generator) -> Any:
    """A solid that is not empty."""
    whole = _piece(random)
    for _ in range(random.integers(2, 6)):
        piece = _piece(random).translate(random.uniform(-0.8, 0.8, 3).tolist())
        changed = whole - piece if random.random() < 0.4 else whole + piece
        if changed.volume() > 0.1:
            whole = changed
    return whole


def _piece(random: np.random.Generator) -> Any:
    Manifold = engine("solids", "manifold3d").Manifold
    kind, size = random.integers(4), random.uniform(0.3, 1.5, 3).tolist()
    if kind == 0:
        return Manifold.cube(size, True)
    if kind == 1:
        return Manifold.sphere(size[0] / 1.5, SEGMENTS)
    top = size[1] / 2 if kind == 2 else size[1] * random.uniform(0.1, 0.4)
    upright = Manifold.cylinder(size[0] * 1.5, size[1] / 2, top, SEGMENTS, True)
    turn = [0.0, 0.0, 0.0]
    turn[random.integers(2)] = 90.0 * random.integers(2)
    return upright.rotate(turn)
