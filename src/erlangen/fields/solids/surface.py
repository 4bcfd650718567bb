"""`TriMesh`: a surface of triangles in space, in metres."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from erlangen.errors import ArgumentError
from erlangen.extras import engine


@dataclass(frozen=True)
class TriMesh:
    """A surface of triangles, closed or not; counterclockwise seen from outside.

    Args:
        vertices: ``[n, 3]``, metres; kept as float64.
        triangles: indices ``[m, 3]``; kept as int64.

    Raises:
        ArgumentError: another shape, a vertex that is not finite, or a triangle of vertices that are not there; with its index.

    >>> corner = TriMesh([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], [[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    >>> round(corner.volume, 12), corner.extents.tolist()
    (0.166666666667, [1.0, 1.0, 1.0])
    """

    vertices: torch.Tensor
    triangles: torch.Tensor

    def __post_init__(self) -> None:
        vertices = torch.as_tensor(self.vertices).detach().to(torch.float64)
        triangles = torch.as_tensor(self.triangles).detach()
        if vertices.ndim != 2 or vertices.shape[1] != 3:
            raise ArgumentError("vertices", "shape [n, 3]", f"shape {tuple(vertices.shape)}")
        if triangles.ndim != 2 or triangles.shape[1] != 3 or triangles.is_floating_point():
            raise ArgumentError("triangles", "whole numbers [m, 3]", f"{triangles.dtype} of shape {tuple(triangles.shape)}")
        if not len(triangles):
            raise ArgumentError("triangles", "at least one triangle", "none")
        if len(bad := (~vertices.isfinite().all(1)).nonzero()):
            raise ArgumentError("vertices", "finite coordinates", f"{vertices[bad[0, 0]].tolist()} at vertex {int(bad[0, 0])}")
        triangles = triangles.long()
        if len(bad := ((triangles < 0) | (triangles >= len(vertices))).any(1).nonzero()):
            at = int(bad[0, 0])
            raise ArgumentError("triangles", f"vertices 0 to {len(vertices) - 1}", f"{triangles[at].tolist()} in triangle {at}")
        object.__setattr__(self, "vertices", vertices)
        object.__setattr__(self, "triangles", triangles)

    @property
    def volume(self) -> float:
        """What it encloses, by the divergence theorem; negative where it is inside out, without meaning where it is open."""
        # About the middle, so that a surface far from the origin loses no digits.
        a, b, c = (self.vertices - self.vertices.mean(0))[self.triangles].unbind(1)
        return float((a * torch.linalg.cross(b, c)).sum() / 6)

    @property
    def area(self) -> float:
        """Of all triangles."""
        a, b, c = self.vertices[self.triangles].unbind(1)
        return float(torch.linalg.cross(b - a, c - a).norm(dim=1).sum() / 2)

    @property
    def extents(self) -> torch.Tensor:
        """Size along x, y and z, ``[3]``."""
        used = self.vertices[self.triangles.reshape(-1)]
        return used.max(0).values - used.min(0).values

    def scaled(self, factor: float) -> TriMesh:
        """All lengths times ``factor``."""
        return TriMesh(self.vertices * factor, self.triangles)

    def moved(self, shift: Any) -> TriMesh:
        """Shifted by ``[3]``."""
        return TriMesh(self.vertices + torch.as_tensor(shift, dtype=torch.float64), self.triangles)

    def turned(self, rotation: Any) -> TriMesh:
        """Turned about the origin by a matrix ``[3, 3]``; a reflection also turns the triangles round, so that outside stays outside."""
        matrix = torch.as_tensor(rotation, dtype=torch.float64)
        triangles = self.triangles if torch.linalg.det(matrix) > 0 else self.triangles.flip(1)
        return TriMesh(self.vertices @ matrix.T, triangles)

    def on_ground(self) -> TriMesh:
        """Moved so that its lowest point has z = 0, and its middle x = y = 0."""
        used = self.vertices[self.triangles.reshape(-1)]
        low, high = used.min(0).values, used.max(0).values
        return self.moved(torch.stack([-(low[0] + high[0]) / 2, -(low[1] + high[1]) / 2, -low[2]]))

    def to_trimesh(self) -> Any:
        """As a ``trimesh.Trimesh`` (extra ``solids``), vertices as they are."""
        return engine("solids", "trimesh").Trimesh(self.vertices.numpy(), self.triangles.numpy(), process=False)

    @classmethod
    def from_trimesh(cls, mesh: Any) -> TriMesh:
        """From a ``trimesh.Trimesh`` whose coordinates are metres."""
        import numpy as np

        return cls(torch.from_numpy(np.array(mesh.vertices, dtype=float)), torch.from_numpy(np.array(mesh.faces, dtype=np.int64)))
