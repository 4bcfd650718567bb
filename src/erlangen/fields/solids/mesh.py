"""`TetMesh`: a body of linear tetrahedra, in metres, checked and positively oriented."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from erlangen.errors import ArgumentError

#: The faces of a positively oriented tetrahedron, each seen counterclockwise from outside; face i lies opposite to vertex i.
FACES = ((1, 2, 3), (0, 3, 2), (0, 1, 3), (0, 2, 1))

#: Tetrahedra with less volume than this part of their longest edge cubed are flat: rounding alone decides on their orientation.
FLAT = 1e-10


@dataclass(frozen=True, eq=False)
class TetMesh:
    """A body cut into tetrahedra.

    Meshers differ in the order of a tetrahedron's vertices, and some mix both orders in one mesh (scikit-fem's refinement does). Here all
    are made positive; tetrahedra of a mixed mesh that then overlap a neighbour were inverted in space, not in order, and are refused.

    Attributes:
        vertices: positions in **metres**, float64 ``[n, 3]``.
        tets: four vertices each, int64 ``[m, 4]``; ``det[x1 - x0, x2 - x0, x3 - x0] > 0``.

    Raises:
        ArgumentError: shapes that do not fit, coordinates that are not finite, indices out of range, tetrahedra without volume, inverted or
            given twice, vertices of no tetrahedron.

    >>> corner = TetMesh([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], [[1, 0, 2, 3]])
    >>> corner, corner.volumes().tolist(), len(corner.surface()), corner.centroid().tolist()
    (TetMesh(4 vertices, 1 tetrahedron), [0.16666666666666666], 4, [0.25, 0.25, 0.25])
    """

    vertices: Float[Tensor, "n 3"]
    tets: Int[Tensor, "m 4"]

    def __post_init__(self) -> None:
        vertices = _as_tensor(self.vertices, "vertices")
        if vertices.is_complex():
            raise ArgumentError("vertices", "real positions in metres, [n, 3]", f"dtype {vertices.dtype}")
        vertices = vertices.to(torch.float64)
        if vertices.ndim != 2 or vertices.shape[1] != 3 or not len(vertices):
            raise ArgumentError("vertices", "positions in metres, [n, 3]", f"shape {tuple(vertices.shape)}")
        bad = ~vertices.isfinite().all(1)
        if bool(bad.any()):
            at = _first(bad)
            raise ArgumentError("vertices", "finite positions", f"{vertices[at].tolist()!r} at vertex {at}")
        tets = _as_tensor(self.tets, "tets")
        if tets.ndim != 2 or tets.shape[1] != 4 or not len(tets):
            raise ArgumentError("tets", "four vertices a tetrahedron, [m, 4], one at least", f"shape {tuple(tets.shape)}")
        if tets.is_floating_point() or tets.is_complex() or tets.dtype == torch.bool:
            raise ArgumentError("tets", "integer indices of vertices", f"dtype {tets.dtype}")
        tets = tets.to(torch.int64)
        bad = ((tets < 0) | (tets >= len(vertices))).any(1)
        if bool(bad.any()):
            at = _first(bad)
            raise ArgumentError("tets", f"indices from 0 to {len(vertices) - 1}", f"{tets[at].tolist()!r} at tetrahedron {at}")
        six = _edges(vertices, tets).det()
        longest = vertices[tets].unsqueeze(2).sub(vertices[tets].unsqueeze(1)).norm(dim=-1).amax((1, 2))
        flat = six.abs() <= 6 * FLAT * longest**3
        if bool(flat.any()):
            at = _first(flat)
            got = f"volume {float(six[at]) / 6:.3g} m^3 at tetrahedron {at}, vertices {tets[at].tolist()!r}"
            raise ArgumentError("tets", "tetrahedra with a volume", got)
        negative = six < 0
        tets = torch.where(negative.unsqueeze(1), tets[:, [1, 0, 2, 3]], tets)
        again = _repeated(tets, len(vertices))
        if again is not None:
            got = f"tetrahedron {again[1]} again at tetrahedron {again[0]}, vertices {tets[again[0]].tolist()!r}"
            raise ArgumentError("tets", "each tetrahedron once: a second one weighs and holds twice", got)
        unused = torch.ones(len(vertices), dtype=torch.bool)
        unused[tets.flatten()] = False
        if bool(unused.any()):
            got = f"{int(unused.sum())} vertices of none, the first at vertex {_first(unused)}"
            raise ArgumentError("vertices", "vertices of tetrahedra", got, "TetMesh.of_used(vertices, tets) drops them")
        object.__setattr__(self, "vertices", vertices)
        object.__setattr__(self, "tets", tets)
        if bool(negative.any()) and not bool(negative.all()):
            self._refuse_folds(negative)

    @classmethod
    def of_used(cls, vertices: Any, tets: Any) -> TetMesh:
        """The mesh of those vertices that belong to a tetrahedron; files of meshes often carry others.

        >>> TetMesh.of_used([[0, 0, 0], [9, 9, 9], [1, 0, 0], [0, 1, 0], [0, 0, 1]], [[0, 2, 3, 4]])
        TetMesh(4 vertices, 1 tetrahedron)
        """
        vertices, tets = _as_tensor(vertices, "vertices"), _as_tensor(tets, "tets")
        used, places = tets.unique(return_inverse=True)
        if len(used) and (int(used[0]) < 0 or int(used[-1]) >= len(vertices)):
            return cls(vertices, tets)
        return cls(vertices[used], places)

    def __len__(self) -> int:
        """The number of tetrahedra."""
        return len(self.tets)

    @property
    def n_vertices(self) -> int:
        """The number of vertices."""
        return len(self.vertices)

    def moved(self, vertices: Float[Tensor, "n 3"]) -> TetMesh:
        """The same tetrahedra between other positions.

        Raises:
            ArgumentError: a tetrahedron would be inverted, or flat.
        """
        vertices = _as_tensor(vertices, "vertices").to(torch.float64)
        if vertices.shape != self.vertices.shape:
            raise ArgumentError("vertices", f"positions {tuple(self.vertices.shape)}", f"shape {tuple(vertices.shape)}")
        turned = _edges(vertices, self.tets).det() < 0
        if bool(turned.any()):
            raise ArgumentError(
                "vertices", "positions that invert no tetrahedron", f"one that inverts tetrahedron {_first(turned)}"
            )
        return TetMesh(vertices, self.tets)

    def edges(self) -> Float[Tensor, "m 3 3"]:
        """Edges from the first vertex, as columns (the matrix D of finite elements)."""
        return _edges(self.vertices, self.tets)

    def volumes(self) -> Float[Tensor, " m"]:
        """Of the tetrahedra, in cubic metres; all positive."""
        return self.edges().det() / 6

    def volume(self) -> float:
        """Of the body, in cubic metres."""
        return float(self.volumes().sum())

    def centroid(self) -> Float[Tensor, " 3"]:
        """The centre of the body's volume, in metres: the centre of mass where the density is one."""
        volumes = self.volumes()
        return (volumes.unsqueeze(1) * self.vertices[self.tets].mean(1)).sum(0) / volumes.sum()

    def size(self) -> Float[Tensor, " 3"]:
        """Of the box around the body along x, y and z, in metres."""
        return self.vertices.amax(0) - self.vertices.amin(0)

    def surface(self) -> Int[Tensor, "k 3"]:
        """The boundary's triangles, counterclockwise from outside; indices of :attr:`vertices`, in the order of the tetrahedra."""
        faces = self._faces()
        _, place, count = faces.sort(1).values.unique(dim=0, return_inverse=True, return_counts=True)
        return faces[count[place] == 1]

    def components(self) -> Int[Tensor, " n"]:
        """The connected part that each vertex belongs to: 0, 1, ..., numbered by their first vertices."""
        from scipy.sparse import coo_matrix
        from scipy.sparse.csgraph import connected_components

        first, others = self.tets[:, :1].expand(-1, 3).flatten().numpy(), self.tets[:, 1:].flatten().numpy()
        links = coo_matrix((np.ones(len(first)), (first, others)), shape=(len(self.vertices),) * 2)
        _, labels = connected_components(links, directed=False)
        _, start, place = np.unique(labels, return_index=True, return_inverse=True)
        return torch.from_numpy(np.argsort(np.argsort(start))[place])

    def check(self) -> TetMesh:
        """The mesh itself, if its tetrahedra fit together: no face belongs to three, neighbours do not overlap.

        Raises:
            ArgumentError: which do not.
        """
        self._refuse_folds(None)
        return self

    def __repr__(self) -> str:
        return f"TetMesh({len(self.vertices)} vertices, {len(self)} tetrahedr{'a' if len(self) != 1 else 'on'})"

    def _faces(self) -> Tensor:
        return self.tets[:, torch.tensor(FACES)].flatten(0, 1)

    def _refuse_folds(self, negative: Tensor | None) -> None:
        """Two positive tetrahedra side by side run through their common face in opposite senses; in one sense, they overlap."""
        faces = self._faces()
        ordered, order = faces.sort(1)
        even = (order[:, 1] - order[:, 0]) % 3 == 1
        _, place, count = ordered.unique(dim=0, return_inverse=True, return_counts=True)
        if int(count.max()) > 2:
            at = _first(count[place] > 2)
            got = f"three or more at face {faces[at].tolist()!r} of tetrahedron {at // 4}"
            raise ArgumentError("tets", "faces of one tetrahedron or two", got)
        sense = torch.zeros(len(count), dtype=torch.int64).index_add_(0, place, torch.where(even, 1, -1))
        folded = (sense[place].abs() == 2).view(-1, 4).sum(1)
        if bool(folded.any()):
            # Of two that overlap, the one that was given in the rarer order is the inverted one.
            rare = folded > 0 if negative is None else (folded > 0) & (negative == (2 * int(negative.sum()) < len(negative)))
            at = _first(rare if bool(rare.any()) else folded > 0)
            got = f"an inverted one at tetrahedron {at}, vertices {self.tets[at].tolist()!r}"
            raise ArgumentError("tets", "tetrahedra that do not overlap", got)


def _edges(vertices: Tensor, tets: Tensor) -> Tensor:
    corners = vertices[tets]
    return (corners[:, 1:] - corners[:, :1]).mT


def _repeated(tets: Tensor, n: int) -> tuple[int, int] | None:
    """A tetrahedron of the same four vertices as an earlier one, and that one."""
    a, b, c, d = tets.sort(1).values.unbind(1)
    pair = (a * n + b).unique(return_inverse=True)[1]
    _, place, count = (pair * n**2 + c * n + d).unique(return_inverse=True, return_counts=True)
    if int(count.max()) < 2:
        return None
    same = (place == place[_first(count[place] > 1)]).nonzero()[:, 0]
    return int(same[1]), int(same[0])


def _as_tensor(x: Any, name: str) -> Tensor:
    try:
        return (x if isinstance(x, Tensor) else torch.as_tensor(np.array(x))).detach().cpu().clone()
    except (TypeError, ValueError) as bad:
        raise ArgumentError(name, "numbers in an array", type(x).__name__) from bad


def _first(which: Tensor) -> int:
    return int(which.nonzero()[0, 0])
