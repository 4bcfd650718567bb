"""Broken surfaces: what is wrong with one, in words and numbers, and what libraries can mend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from erlangen.errors import ArgumentError
from erlangen.extras import engine
from erlangen.fields.solids.crossing import crossing_pairs
from erlangen.fields.solids.surface import TriMesh

#: Vertices nearer than this part of the surface's diagonal are one, where there are gaps: single precision keeps seven digits.
NEAR = 1e-6
#: A part with less than this share of the volume is debris.
DEBRIS = 1e-6
#: Holes with more edges stay open: what belongs there is not known.
LONGEST_HOLE = 200
#: Triangles that lie together count as one dipole for points farther than so many times their radius.
FAR = 4.0


@dataclass(frozen=True)
class Examined:
    """What was found of a surface.

    Attributes:
        triangles: their number.
        parts: connected pieces.
        holes: loops of edges that have a triangle on one side only.
        open_edges: their number, and :attr:`first_open` the two vertices of the first.
        non_manifold: edges with three triangles or more, and :attr:`first_non_manifold` the vertices of the first.
        flipped: edges whose two triangles run the same way: one of them is inside out.
        degenerate: triangles that use a vertex twice.
        repeated: triangles that are there more than once.
        inside_out: the enclosed volume is negative.
        crossings: pairs of triangles that pass through one another, and :attr:`first_crossing` the first.
    """

    triangles: int
    parts: int
    holes: int
    open_edges: int
    first_open: tuple[int, int] | None
    non_manifold: int
    first_non_manifold: tuple[int, int] | None
    flipped: int
    degenerate: int
    repeated: int
    inside_out: bool
    crossings: int
    first_crossing: tuple[int, int] | None

    @property
    def closed(self) -> bool:
        """It encloses a volume: no holes, every edge between two triangles that agree on outside, and not inside out."""
        return not (self.open_edges or self.non_manifold or self.flipped or self.degenerate or self.repeated or self.inside_out)

    @property
    def sound(self) -> bool:
        """Closed, and nowhere through itself: what a mesher of tetrahedra needs."""
        return self.closed and not self.crossings

    @property
    def faults(self) -> tuple[str, ...]:
        """Each in words; none where it is sound. Several parts are no fault."""
        said = []
        if self.degenerate:
            said.append(f"{_many(self.degenerate, 'triangle')} with a vertex twice")
        if self.repeated:
            said.append(
                f"{_many(self.repeated, 'triangle')} that are there twice"
                if self.repeated > 1
                else "a triangle that is there twice"
            )
        if self.non_manifold:
            said.append(
                f"{_many(self.non_manifold, 'non-manifold edge')}, the first between vertices {_pair(self.first_non_manifold)}"
            )
        if self.open_edges:
            loops = _many(self.holes, "hole") if self.holes else "gaps"
            said.append(f"{loops} ({_many(self.open_edges, 'open edge')}, the first between vertices {_pair(self.first_open)})")
        if self.flipped:
            said.append(f"{_many(self.flipped, 'edge')} at which triangles disagree about outside")
        elif self.inside_out:
            said.append("inside out")
        if self.crossings:
            said.append(f"{_many(self.crossings, 'pair')} of triangles that cross, the first {_pair(self.first_crossing)}")
        return tuple(said)

    def __str__(self) -> str:
        of = f"{_many(self.triangles, 'triangle')} in {_many(self.parts, 'part')}"
        return f"{of}: {'; '.join(self.faults) or 'sound'}"


@dataclass(frozen=True)
class Repaired:
    """A surface that was mended.

    Attributes:
        surface: what came of it.
        before, after: what was found.
        done: what was done, in order; nothing where it was sound.
    """

    surface: TriMesh
    before: Examined
    after: Examined
    done: tuple[str, ...]


def examine(surface: TriMesh, crossings: bool = True) -> Examined:
    """What is wrong with a surface, if anything.

    Args:
        surface: any triangles.
        crossings: look for triangles that pass through one another, too; touching without passing through is not counted.

    >>> corner = TriMesh([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], [[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    >>> str(examine(corner)), str(examine(TriMesh(corner.vertices, corner.triangles[1:])))
    ('4 triangles in 1 part: sound', '3 triangles in 1 part: 1 hole (3 open edges, the first between vertices 0 and 1)')
    """
    faces = surface.triangles.numpy()
    ordered = np.sort(faces, 1)
    degenerate = (ordered[:, 0] == ordered[:, 1]) | (ordered[:, 1] == ordered[:, 2])
    _, times = np.unique(ordered[~degenerate], axis=0, return_counts=True)
    edges, senses, counts = _edges(faces[~degenerate])
    once, many = edges[counts == 1], edges[counts > 2]
    flipped = (counts == 2) & (senses != 0)
    pairs = crossing_pairs(surface) if crossings else np.empty((0, 2), dtype=np.int64)
    return Examined(
        triangles=len(faces),
        parts=int(parts_of(faces).max()) + 1,
        holes=_loops(once),
        open_edges=len(once),
        first_open=_first(once),
        non_manifold=len(many),
        first_non_manifold=_first(many),
        flipped=int(flipped.sum()),
        degenerate=int(degenerate.sum()),
        repeated=int((times - 1).sum()),
        inside_out=surface.volume < 0,
        crossings=len(pairs),
        first_crossing=_first(pairs),
    )


def repair(surface: TriMesh) -> Repaired:
    """Mend what can be mended (extra ``solids``), and say what was done; what cannot is left, and is in ``after``.

    Vertices that nearly coincide are joined where there are gaps, triangles that are degenerate or there twice are dropped, triangles
    turned the same way round, holes of up to 200 edges filled with the triangles of least area (a large one in a curved place becomes
    flat), debris is left out, parts turned outside out, and parts that pass through one another united (manifold3d). Cavities stay.

    Raises:
        ArgumentError: nothing with a volume remains.

    >>> open_corner = TriMesh([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], [[0, 2, 1], [0, 1, 3], [1, 2, 3]])
    >>> mended = repair(open_corner)
    >>> mended.done, mended.after.sound
    (('filled 1 hole with 1 triangle',), True)
    """
    before = examine(surface)
    if before.sound and before.parts == 1:
        return Repaired(surface, before, before, ())
    done: list[str] = []
    surface = _cleaned(surface, done)
    if before.open_edges:
        surface = _joined(surface, done)
    surface = _turned(surface, done)
    surface = _filled(surface, done)
    surface = _put_together(surface, done)
    after = examine(surface)
    return Repaired(surface, before, after, tuple(done))


def _cleaned(surface: TriMesh, done: list[str]) -> TriMesh:
    faces = surface.triangles.numpy()
    ordered = np.sort(faces, 1)
    good = (ordered[:, 0] < ordered[:, 1]) & (ordered[:, 1] < ordered[:, 2])
    if not good.all():
        done.append(f"dropped {_many(int((~good).sum()), 'triangle')} with a vertex twice")
    faces, ordered = faces[good], ordered[good]
    _, first = np.unique(ordered, axis=0, return_index=True)
    if len(first) < len(faces):
        done.append(f"dropped {_many(len(faces) - len(first), 'triangle')} that were there already")
    if not len(first):
        raise ArgumentError("surface", "triangles with an area", "none")
    return TriMesh(surface.vertices, torch.from_numpy(faces[np.sort(first)]))


def _joined(surface: TriMesh, done: list[str]) -> TriMesh:
    """Vertices that nearly coincide are one."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    points = surface.vertices.numpy()
    pairs = cKDTree(points).query_pairs(NEAR * float(surface.extents.norm()), output_type="ndarray")
    if not len(pairs):
        return surface
    links = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(points),) * 2)
    _, label = connected_components(links, directed=False)
    _, keep, where = np.unique(label, return_index=True, return_inverse=True)
    done.append(f"joined {_many(len(points) - len(keep), 'vertex')} to another one nearer than {NEAR:g} of the size")
    return _cleaned(TriMesh(surface.vertices[keep], torch.from_numpy(where.reshape(-1)[surface.triangles.numpy()])), done)


def _turned(surface: TriMesh, done: list[str]) -> TriMesh:
    """All triangles of a part the same way round."""
    _, senses, counts = _edges(surface.triangles.numpy())
    if not ((counts == 2) & (senses != 0)).any():
        return surface
    mesh = surface.to_trimesh()
    engine("solids", "trimesh.repair").fix_winding(mesh)
    changed = int((np.asarray(mesh.faces) != surface.triangles.numpy()).any(1).sum())
    done.append(f"turned {_many(changed, 'triangle')} round")
    return TriMesh.from_trimesh(mesh)


def _filled(surface: TriMesh, done: list[str]) -> TriMesh:
    """Holes get triangles."""
    faces = surface.triangles.numpy()
    new, holes = [], 0
    for loop in _open_loops(surface.vertices.numpy(), faces):
        if 3 <= len(loop) <= LONGEST_HOLE:
            new.append(_least_area(surface.vertices.numpy()[loop], loop))
            holes += 1
    if not holes:
        return surface
    added = np.concatenate(new)
    done.append(f"filled {_many(holes, 'hole')} with {_many(len(added), 'triangle')}")
    return TriMesh(surface.vertices, torch.from_numpy(np.concatenate([faces, added])))


def _open_loops(points: np.ndarray, faces: np.ndarray) -> list[np.ndarray]:
    """Closed walks along open edges, the hole on the left; where holes meet in a vertex, over the gap, not over the triangles there."""
    half = {(int(a), int(b)): int(c) for f in faces for a, b, c in ((f[0], f[1], f[2]), (f[1], f[2], f[0]), (f[2], f[0], f[1]))}
    leaving: dict[int, list[int]] = {}
    for a, b in half:
        if (b, a) not in half:
            leaving.setdefault(b, []).append(a)
    loops = []
    while leaving:
        walk = [next(iter(leaving))]
        before = None
        while True:
            here = walk[-1]
            ways = leaving.get(here)
            if not ways:
                break
            if len(ways) > 1 and before is not None:
                same = _other_end(half, before, here)
                ways = sorted(ways, key=lambda w: (w == same, float(np.linalg.norm(points[w] - points[before]))))
            there = ways[0]
            leaving[here].remove(there)
            if not leaving[here]:
                del leaving[here]
            if there in walk:  # a loop of its own is complete; what led to it goes on
                at = walk.index(there)
                loops.append(np.array(walk[at:], dtype=np.int64))
                walk = walk[: at + 1]
                before = walk[-2] if at else None
                if len(walk) == 1:
                    break
                continue
            before = here
            walk.append(there)
    return loops


def _other_end(half: dict[tuple[int, int], int], before: int, here: int) -> int:
    """Over the triangles about a vertex, from the open edge to ``before`` to the other open edge of theirs."""
    at = before
    for _ in range(len(half)):
        if (here, at) not in half:
            break
        at = half[here, at]
    return at


def _least_area(points: np.ndarray, names: np.ndarray) -> np.ndarray:
    """The triangulation of a loop that has the least area (G. Barequet, M. Sharir, 1995), by dynamic programming."""
    n = len(points)
    cost, cut = np.zeros((n, n)), np.zeros((n, n), dtype=int)
    for gap in range(2, n):
        for i in range(n - gap):
            k = i + gap
            between = np.arange(i + 1, k)
            area = np.linalg.norm(np.cross(points[between] - points[i], points[k] - points[i]), axis=1)
            total = cost[i, between] + cost[between, k] + area
            best = int(total.argmin())
            cost[i, k], cut[i, k] = total[best], between[best]
    triangles, todo = [], [(0, n - 1)]
    while todo:
        i, k = todo.pop()
        if k - i > 1:
            j = int(cut[i, k])
            triangles.append((names[i], names[j], names[k]))
            todo += [(i, j), (j, k)]
    return np.array(triangles, dtype=np.int64)


def _put_together(surface: TriMesh, done: list[str]) -> TriMesh:
    """Debris goes, parts are outside out, and those that pass through one another become one."""
    label = parts_of(surface.triangles.numpy())
    parts = [TriMesh(surface.vertices, surface.triangles[torch.from_numpy(label == k)]) for k in range(int(label.max()) + 1)]
    volumes = np.array([part.volume for part in parts])
    largest = np.abs(volumes).max()
    if not largest > 0:
        raise ArgumentError(
            "surface", "one that encloses a volume", f"{_many(len(surface.triangles), 'triangle')} that enclose none"
        )
    kept = [i for i, volume in enumerate(volumes) if abs(volume) > DEBRIS * largest]
    if len(kept) < len(parts):
        done.append(f"left out {_many(len(parts) - len(kept), 'part')} with less than {DEBRIS:g} of the volume")
    parts = [parts[i] for i in kept]
    depth = [sum(_inside(part, other) for other in parts if other is not part) for part in parts]
    for i, part in enumerate(parts):
        # A part inside of another is a cavity if it is inside out; one that stands free cannot be.
        if part.volume < 0 and depth[i] == 0:
            parts[i] = TriMesh(part.vertices, part.triangles.flip(1))
            done.append("turned a part that was inside out")
    solids = [part for part in parts if part.volume > 0]
    swallowed = any(part.volume > 0 and depth[i] % 2 == 1 for i, part in enumerate(parts))
    whole = _joined_parts(parts)
    if len(solids) > 1 and (swallowed or len(crossing_pairs(whole))):
        united = _united(parts)
        if united is not None:
            done.append(f"united {_many(len(parts), 'part')} that pass through one another")
            return united
    return whole


def _united(parts: list[TriMesh]) -> TriMesh | None:
    """The union of solids without the cavities; None where manifold3d takes a part for none."""
    manifold = engine("solids", "manifold3d")
    whole = None
    for part in sorted(parts, key=lambda one: -one.volume):
        used, where = part.triangles.unique(return_inverse=True)
        faces = where.reshape(part.triangles.shape)
        solid = part.volume > 0
        mesh = manifold.Mesh64(part.vertices[used].numpy(), (faces if solid else faces.flip(1)).numpy().astype(np.uint64))
        one = manifold.Manifold(mesh)
        if one.status() != manifold.Error.NoError:
            return None
        whole = one if whole is None else whole + one if solid else whole - one
    if whole is None or whole.is_empty():
        return None
    out = whole.to_mesh64()
    return TriMesh(
        torch.from_numpy(np.array(out.vert_properties[:, :3])), torch.from_numpy(np.array(out.tri_verts).astype(np.int64))
    )


def _joined_parts(parts: list[TriMesh]) -> TriMesh:
    triangles = torch.cat([part.triangles for part in parts])
    used, where = triangles.unique(return_inverse=True)
    return TriMesh(parts[0].vertices[used], where.reshape(triangles.shape))


def winding(surface: TriMesh, points: Any) -> np.ndarray:
    """How often a surface goes round points, ``[k]``: 1 inside of a closed one, 0 outside; a fraction near holes (Jacobson et al., 2013).

    Exact for triangles near by; those far away, in a group, as one dipole (Barill et al., 2018), which errs by about 0.01.

    Args:
        surface: any triangles.
        points: ``[k, 3]``, metres.
    """
    corners = surface.vertices.numpy()[surface.triangles.numpy()]
    where = np.asarray(points, dtype=float).reshape(-1, 3)
    middle = corners.mean(1)
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) / 2
    if len(corners) * len(where) <= 1_000_000:
        return _winding_of(corners, where)
    cells = np.floor((middle - middle.min(0)) / (np.ptp(middle, axis=0).max() / 16 + 1e-300)).astype(int)
    _, group = np.unique(cells, axis=0, return_inverse=True)
    order = np.argsort(group.reshape(-1), kind="stable")
    found = np.zeros(len(where))
    for members in np.split(order, np.flatnonzero(np.diff(group.reshape(-1)[order])) + 1):
        weights = np.linalg.norm(normal[members], axis=1) + 1e-300
        centre = np.average(middle[members], axis=0, weights=weights)
        radius = np.linalg.norm(corners[members] - centre, axis=2).max()
        away = centre - where
        distance = np.linalg.norm(away, axis=1)
        near = distance < FAR * radius
        far = ~near
        found[far] += away[far] @ normal[members].sum(0) / (4 * np.pi * distance[far] ** 3)
        found[near] += _winding_of(corners[members], where[near])
    return found


def _winding_of(corners: np.ndarray, where: np.ndarray) -> np.ndarray:
    found = np.empty(len(where))
    step = max(1, 100_000 // len(corners))
    for start in range(0, len(where), step):
        a, b, c = (corners[None, :, i] - where[start : start + step, None] for i in range(3))
        la, lb, lc = (np.linalg.norm(v, axis=-1) for v in (a, b, c))
        ab, bc, ca = (np.einsum("kmi,kmi->km", p, q) for p, q in ((a, b), (b, c), (c, a)))
        above = np.einsum("kmi,kmi->km", a, np.cross(b, c))
        found[start : start + step] = np.arctan2(above, la * lb * lc + ab * lc + bc * la + ca * lb).sum(1) / (2 * np.pi)
    return found


def _inside(part: TriMesh, other: TriMesh) -> bool:
    """Whether a part's first vertex lies inside of another part."""
    return bool(abs(winding(other, part.vertices[part.triangles[:1, 0]])[0]) > 0.5)


def _edges(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each edge: its vertices, how often it runs upwards less downwards, and how many triangles it has."""
    directed = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    up = np.where(directed[:, 0] < directed[:, 1], 1, -1)
    edges, where, counts = np.unique(np.sort(directed, 1), axis=0, return_inverse=True, return_counts=True)
    return edges, np.bincount(where.reshape(-1), up, len(edges)).astype(int), counts


def parts_of(faces: np.ndarray) -> np.ndarray:
    """Of each triangle the part it belongs to: triangles are connected over shared edges."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    directed = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    _, where = np.unique(np.sort(directed, 1), axis=0, return_inverse=True)
    of = np.tile(np.arange(len(faces)), 3)
    links = coo_matrix((np.ones(len(of)), (of, where.reshape(-1) + len(faces))), shape=(len(faces) + len(directed),) * 2)
    _, label = connected_components(links, directed=False)
    return np.unique(label[: len(faces)], return_inverse=True)[1].reshape(-1)


def _loops(edges: np.ndarray) -> int:
    """Connected pieces of a set of edges."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    if not len(edges):
        return 0
    points, where = np.unique(edges, return_inverse=True)
    where = where.reshape(edges.shape)
    links = coo_matrix((np.ones(len(edges)), (where[:, 0], where[:, 1])), shape=(len(points),) * 2)
    return int(connected_components(links, directed=False)[0])


def _first(rows: np.ndarray) -> tuple[int, int] | None:
    return (int(rows[0, 0]), int(rows[0, 1])) if len(rows) else None


def _pair(of: tuple[int, int] | None) -> str:
    return "" if of is None else f"{of[0]} and {of[1]}"


def _many(count: int, one: str) -> str:
    several = {"vertex": "vertices"}.get(one, f"{one}s")
    return f"{count} {one if count == 1 else several}"
