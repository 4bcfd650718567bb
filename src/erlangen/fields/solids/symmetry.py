"""Symmetries of a mesh: found or given, their action on fields of vectors, symmetric unknowns, and the type of a mode."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Bool, Float, Int
from scipy.spatial import cKDTree
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.errors import ArgumentError
from erlangen.fields.solids.mesh import TetMesh
from erlangen.groups.base import Element
from erlangen.groups.finite import index_of
from erlangen.groups.matrix import MatrixGroup
from erlangen.reps.block_diagonalize import block_diagonalize

#: Vertices nearer than this part of the body's size are one.
NEAR = 1e-9
#: Loads that differ by less than this part of the largest are the same.
EQUAL = 1e-9
#: Groups up to this order are taken apart into irreducible representations.
LARGEST = 24


class VectorFields(Action):
    """The symmetries of a mesh on its fields of vectors ``[*batch, n, 3]``: ``(g u)(g a) = g u(a)``.

    >>> from erlangen.fields.solids import MeshSymmetry, box, mirrored
    >>> found = MeshSymmetry.detect(mirrored(box((0.1, 0.2, 0.3), (1, 1, 1))))
    >>> found.fields.group.order
    2
    """

    def __init__(self, group: MatrixGroup, images: Int[Tensor, "order n"]) -> None:
        super().__init__(group)
        self._source = images.argsort(1)
        self.data_shape = (images.shape[1], 3)

    def act(self, g: Element, x: Float[Tensor, "*batch n 3"]) -> Float[Tensor, "*batch n 3"]:
        g, x = self.align(g, x)
        source = self._source[index_of(self.group, g)]
        lead = torch.broadcast_shapes(source.shape[:-1], x.shape[:-2])
        index = source.expand(*lead, -1).unsqueeze(-1).expand(*lead, x.shape[-2], 3)
        return x.expand(*lead, *self.data_shape).gather(-2, index) @ g.to(x).mT


class MeshSymmetry:
    """Rotations and reflections about a centre that take a mesh onto itself, vertices and tetrahedra.

    Args:
        mesh: the body.
        matrices: that generate the group, orthogonal ``[g, 3, 3]``.
        centre: a point that stays, m; by default the mean of the vertices.

    Attributes:
        group: all of them, a :class:`~erlangen.groups.MatrixGroup`.
        images: where each takes each vertex, ``[order, n]``, in the order of ``group.elements()``.
        fields: the group's action on fields of vectors.

    Raises:
        ArgumentError: a matrix is not orthogonal, or one does not take the mesh onto itself; the message names the vertex.

    >>> from erlangen.fields.solids import box, mirrored
    >>> mesh = mirrored(box((0.1, 0.2, 0.3), (1, 1, 1)))
    >>> MeshSymmetry(mesh, torch.diag(torch.tensor([-1.0, 1.0, 1.0]))[None])
    MeshSymmetry(order 2)
    """

    def __init__(self, mesh: TetMesh, matrices: Float[Tensor, "g 3 3"], centre: Any = None) -> None:
        given = torch.as_tensor(matrices, dtype=torch.float64)
        if given.ndim != 3 or given.shape[1:] != (3, 3) or not len(given):
            raise ArgumentError("matrices", "orthogonal matrices [g, 3, 3]", f"shape {tuple(given.shape)}")
        if float((given @ given.mT - torch.eye(3, dtype=torch.float64)).abs().max()) > 1e-9:
            raise ArgumentError("matrices", "orthogonal matrices", repr(given[0].tolist()))
        self.mesh = mesh
        self.centre = mesh.vertices.mean(0) if centre is None else torch.as_tensor(centre, dtype=torch.float64)
        self.group = MatrixGroup(generators=given)
        if not self.group.is_finite:
            raise ArgumentError("matrices", "generators of a finite group", repr(given[0].tolist()))
        self.images = _images(mesh, self.group.elements(), self.centre)
        self.fields = VectorFields(self.group, self.images)

    @classmethod
    def detect(cls, mesh: TetMesh, tolerance: float = 1e-7) -> MeshSymmetry:
        """All symmetries of a mesh, the identity alone if there is no other.

        Three vertices that span space, of the rarest kinds, are taken to all others of their kinds at the same distances; what is
        orthogonal and takes vertices to vertices and tetrahedra to tetrahedra is a symmetry.

        Args:
            mesh: the body.
            tolerance: in places, relative to the body's size.

        >>> from erlangen.fields.solids import box
        >>> MeshSymmetry.detect(box((1.0, 1.0, 1.0), (2, 2, 2)))             # that of a cube with a marked diagonal
        MeshSymmetry(order 12)
        """
        near = tolerance * float(mesh.size().norm())
        x = (mesh.vertices - mesh.vertices.mean(0)).numpy()
        kind = _kinds(x, mesh.tets.numpy(), near)
        found = []
        for R in _candidates(x, kind, near):
            images = _matched(x, x @ R.T, near)
            if images is not None and _keeps_tets(mesh.tets, torch.from_numpy(images)):
                found.append(_polished(x, images))
        return cls._of(mesh, np.stack(found), near)

    @classmethod
    def _of(cls, mesh: TetMesh, matrices: np.ndarray, near: float) -> MeshSymmetry:
        new = cls.__new__(cls)
        new.mesh, new.centre = mesh, mesh.vertices.mean(0)
        new.group = MatrixGroup(generators=torch.from_numpy(matrices))
        new.images = _images(mesh, new.group.elements(), new.centre, near)
        new.fields = VectorFields(new.group, new.images)
        return new

    @property
    def order(self) -> int:
        """The number of symmetries."""
        return int(self.group.order)

    @property
    def matrices(self) -> Float[Tensor, "order 3 3"]:
        """All of them, the identity first."""
        return self.group.elements()

    def __repr__(self) -> str:
        return f"MeshSymmetry(order {self.order})"

    # ---- loads ----

    def broken_by(self, system: Any) -> list[tuple[int, str]]:
        """Which elements the loads, supports and materials of a system are not invariant under, and why."""
        dead = system.dead(self.mesh.vertices)
        scale = float(dead.abs().max())
        moved = self.fields.act(self.matrices, dead)
        out = []
        for g in range(self.order):
            if not torch.equal(system.fixed[self.images[g]], system.fixed):
                out.append((g, "the supports are not"))
            elif scale and float((moved[g] - dead).abs().max()) > EQUAL * scale:
                at = int((moved[g] - dead).norm(dim=1).argmax())
                out.append((g, f"load not invariant, at vertex {at}"))
            elif system.loads.potential is not None and not self._keeps_potential(g, system):
                out.append((g, "load not invariant: the potential"))
            elif not self._keeps_material(g, system.material):
                out.append((g, "the material is not"))
        return out

    def refuse_unless_invariant(self, system: Any) -> None:
        """Raise if the loads, supports or materials of a system are not invariant.

        Raises:
            ArgumentError: they are not; the message says which, and under what.
        """
        if self.mesh.n_vertices != system.mesh.n_vertices or not torch.equal(self.mesh.tets, system.mesh.tets):
            raise ArgumentError("symmetry", "symmetries of this mesh", f"those of {self.mesh!r}")
        for g, why in self.broken_by(system):
            got = f"{why} under {self.matrices[g].round(decimals=6).tolist()!r}"
            raise ArgumentError("loads", "loads, supports and materials that the symmetry leaves as they are", got)

    def kept_by(self, system: Any) -> MeshSymmetry:
        """The symmetries that the loads, supports and materials of a system leave."""
        broken = {g for g, _ in self.broken_by(system)}
        kept = [g for g in range(self.order) if g not in broken]
        return MeshSymmetry._of(self.mesh, self.matrices[kept].numpy(), NEAR * 100 * float(self.mesh.size().norm()))

    def _keeps_material(self, g: int, material: Any) -> bool:
        per_element = [v for v in (material.E, material.nu, material.rho) if v.ndim]
        if not per_element:
            return True
        place = _tet_images(self.mesh.tets, self.images[g])
        return all(torch.allclose(v[place], v, rtol=EQUAL, atol=0) for v in per_element)

    def _keeps_potential(self, g: int, system: Any) -> bool:
        slope = system.loads.potential_terms(self.mesh.vertices)[1]
        moved = self.fields.act(self.matrices[g], slope)
        return float((moved - slope).abs().max()) <= 1e-7 * max(float(slope.abs().max()), 1e-300)

    # ---- unknowns ----

    def invariant_basis(self, free: Bool[Tensor, " n"]) -> sp.csr_matrix:
        """An orthonormal basis of the invariant fields on free vertices, ``[3 n_free, k]``; about ``n / order`` unknowns."""
        images, R = self.images.numpy(), self.matrices.numpy()
        n = images.shape[1]
        orbit = images.min(0)  # the first vertex of each orbit
        taker = np.empty(n, dtype=np.int64)
        for g in range(len(images) - 1, -1, -1):
            firsts = np.flatnonzero(orbit == np.arange(n))
            taker[images[g, firsts]] = g
        firsts = np.flatnonzero((orbit == np.arange(n)) & free.numpy())
        stays = (images[:, firsts] == firsts).astype(np.float64)
        mean = np.einsum("gf,gij->fij", stays / stays.sum(0), R)
        values, vectors = np.linalg.eigh((mean + mean.transpose(0, 2, 1)) / 2)
        which_first, which_axis = np.nonzero(values > 0.5)
        column_axes = vectors[which_first, :, which_axis]  # [k, 3]
        size = np.bincount(orbit, minlength=n)
        number = np.full(n, -1, dtype=np.int64)
        number[free.numpy()] = np.arange(int(free.sum()))
        # Every vertex takes the axes of its orbit's first one, turned by an element that leads there.
        start = np.searchsorted(which_first, np.arange(len(firsts)))
        count = np.bincount(which_first, minlength=len(firsts))
        vertices = np.flatnonzero(free.numpy())
        f = np.searchsorted(firsts, orbit[vertices])
        vertex = np.repeat(vertices, count[f])
        column = np.concatenate([np.arange(start[i], start[i] + count[i]) for i in f]) if len(f) else np.zeros(0, dtype=np.int64)
        entries = np.einsum("eij,ej->ei", R[taker[vertex]], column_axes[column]) / np.sqrt(size[orbit[vertex]])[:, None]
        rows = (3 * number[vertex])[:, None] + np.arange(3)
        shape = (3 * int(free.sum()), len(which_first))
        return sp.csr_matrix((entries.ravel(), (rows.ravel(), np.repeat(column, 3))), shape=shape)

    # ---- types ----

    @cached_property
    def characters(self) -> list[tuple[str, Float[Tensor, " order"], int, int]]:
        """Real irreducible representations: name, character, dimension and that of its endomorphisms; the trivial one first.

        Names: ``symmetric``; of a group of two, ``antisymmetric``; else the dimension with a letter. Of groups of more than 24 elements
        only the trivial one is told.
        """
        ones = torch.ones(self.order, dtype=torch.float64)
        out = [("symmetric", ones, 1, 1)]
        if self.order == 1 or self.order > LARGEST:
            return out
        matrices = self.group.regular.matrix(self.matrices)
        found = block_diagonalize(matrices, noisy=False)
        seen: set[int] = set()
        letters: dict[int, int] = {}
        for kind, size, block in zip(found.isotypes, found.sizes, found.blocks(matrices)):
            if kind in seen:
                continue
            seen.add(kind)
            character = block.diagonal(dim1=1, dim2=2).sum(1)
            if bool((character - 1).abs().max() < 1e-6):
                continue
            own = round(float(character.square().mean()))
            letter = letters[size] = letters.get(size, 0) + 1
            name = "antisymmetric" if self.order == 2 else f"{size}{'abcdefghijklmnopqrstuvwxyz'[letter - 1]}"
            out.append((name, character, size, own))
        return out

    def project(self, name: str, u: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        """The part of a field that belongs to a representation, by its isotypic projector."""
        for known, character, dim, own in self.characters:
            if known == name:
                # Orthogonal representations: the character of the inverse is that of the element.
                moved = self.fields.act(self.matrices, u)
                return dim / (own * self.order) * torch.einsum("g,gni->ni", character, moved)
        raise ArgumentError("name", f"one of {[name for name, *_ in self.characters]}", repr(name))

    def shares(self, u: Float[Tensor, "n 3"]) -> dict[str, float]:
        """How much of a field's square belongs to each representation; they sum to one (up to order 24)."""
        total = float(u.square().sum())
        return {name: float(self.project(name, u).square().sum()) / total for name, *_ in self.characters}


def _images(mesh: TetMesh, matrices: Tensor, centre: Tensor, near: float | None = None) -> Tensor:
    near = 1e-7 * float(mesh.size().norm()) if near is None else near
    x = (mesh.vertices - centre).numpy()
    out = []
    for R in matrices.numpy():
        images = _matched(x, x @ R.T, near)
        if images is None:
            distance, _ = cKDTree(x).query(x @ R.T)
            got = f"vertex {int(distance.argmax())} goes {distance.max():.3g} m beside any under {R.round(6).tolist()!r}"
            raise ArgumentError("matrices", "symmetries of the mesh", got)
        if not _keeps_tets(mesh.tets, torch.from_numpy(images)):
            raise ArgumentError("matrices", "symmetries of the mesh", f"tetrahedra are cut otherwise under {R.round(6).tolist()!r}")
        out.append(torch.from_numpy(images))
    return torch.stack(out)


def _matched(x: np.ndarray, moved: np.ndarray, near: float) -> np.ndarray | None:
    distance, images = cKDTree(x).query(moved)
    if distance.max() > near or len(np.unique(images)) != len(x):
        return None
    return images.astype(np.int64)


def _tet_key(tets: Tensor, n: int) -> Tensor:
    a, b, c, d = tets.sort(1).values.unbind(1)
    # Three vertices tell a face's tetrahedron up to its side; two keys of two keep within 63 bits.
    return torch.stack([a * n + b, c * n + d], 1)


def _tet_images(tets: Tensor, images: Tensor) -> Tensor:
    """Where each tetrahedron goes."""
    n = int(tets.max()) + 1
    both = torch.cat([_tet_key(tets, n), _tet_key(images[tets], n)])
    place = both.unique(dim=0, return_inverse=True)[1]
    where = torch.empty(int(place.max()) + 1, dtype=torch.int64)
    where[place[: len(tets)]] = torch.arange(len(tets))
    return where[place[len(tets) :]]


def _keeps_tets(tets: Tensor, images: Tensor) -> bool:
    n = int(tets.max()) + 1
    both = torch.cat([_tet_key(tets, n), _tet_key(images[tets], n)])
    return len(both.unique(dim=0)) == len(tets)


def _kinds(x: np.ndarray, tets: np.ndarray, near: float) -> np.ndarray:
    """A number for each vertex, equal where distance from the centre and tetrahedra around are."""
    r = np.linalg.norm(x, axis=1)
    order = np.argsort(r)
    shell = np.empty(len(x), dtype=np.int64)
    shell[order] = np.concatenate([[0], np.cumsum(np.diff(r[order]) > near)])
    valence = np.bincount(tets.ravel(), minlength=len(x))
    return np.unique(np.stack([shell, valence], 1), axis=0, return_inverse=True)[1].ravel()


def _candidates(x: np.ndarray, kind: np.ndarray, near: float) -> list[np.ndarray]:
    """Matrices that take three rare vertices to others of their kinds, angles and distances kept."""
    count = np.bincount(kind)
    size = float(np.linalg.norm(x, axis=1).max())
    order = np.argsort(count[kind], kind="stable")
    # Whether vertices span space is asked in units of the body's own three widths: it may be slender.
    widths, axes = np.linalg.eigh(x.T @ x / len(x))
    round_ = x @ axes / np.sqrt(widths)
    chosen: list[int] = []
    for i in order:
        if np.linalg.svd(round_[[*chosen, i]], compute_uv=False)[-1] > 0.3:
            chosen.append(int(i))
        if len(chosen) == 3:
            break
    if len(chosen) < 3:
        return [np.eye(3)]
    a, b, c = chosen
    inverse = np.linalg.inv(x[chosen])
    gram = x[chosen] @ x[chosen].T
    slack = 4 * near * size
    A, B, C = (np.flatnonzero(kind == kind[i]) for i in (a, b, c))
    out = []
    for i in A:
        for j in B[np.abs(x[B] @ x[i] - gram[0, 1]) <= slack]:
            for k in C[(np.abs(x[C] @ x[i] - gram[0, 2]) <= slack) & (np.abs(x[C] @ x[j] - gram[1, 2]) <= slack)]:
                R = (inverse @ x[[i, j, k]]).T
                if np.abs(R @ R.T - np.eye(3)).max() < 100 * near / size + 1e-9:
                    out.append(R)
    return out


def _polished(x: np.ndarray, images: np.ndarray) -> np.ndarray:
    """The orthogonal matrix that takes all vertices best to their images (Kabsch), entries that are whole numbers made so."""
    U, _, Vh = np.linalg.svd(x[images].T @ x)
    R = U @ Vh
    whole = np.rint(R)
    return np.where(np.abs(R - whole) < 1e-9, whole, R)
