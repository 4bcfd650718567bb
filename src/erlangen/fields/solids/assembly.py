"""Finite elements of linear tetrahedra: forces, stiffness, and how forces depend on the rest shape, all in closed form and vectorised.

With ``G_a`` the gradients of the shape functions in the rest shape, ``F = sum_a x_a G_a^T`` and ``V`` the volume, an element's forces are
``f_a = V P(F) G_a``. Moving the rest vertex ``b`` by ``d`` changes ``G_a`` by ``-(G_a . d) G_b`` and ``V`` by ``V (G_b . d)``, and so

``f_a`` by ``-(df_a/dx_b) F d + f_a (G_b . d) - f_b (G_a . d)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from erlangen.fields.solids.material import Material


@dataclass(frozen=True, eq=False)
class Elements:
    """Tetrahedra between rest positions ``X`` and positions ``x``, of one material.

    >>> from erlangen.fields.solids import NeoHookean, box
    >>> mesh = box((1.0, 1.0, 1.0), (1, 1, 1))
    >>> elements = Elements(mesh.vertices, 2 * mesh.vertices, mesh.tets, NeoHookean())
    >>> bool(torch.allclose(elements.F, 2 * torch.eye(3, dtype=torch.float64)))
    True
    """

    X: Float[Tensor, "n 3"]
    x: Float[Tensor, "n 3"]
    tets: Int[Tensor, "m 4"]
    material: Material
    #: A symmetric plastic stretch an element, ``[m, 3, 3]``: its rest shape is the stretched one of ``X``, fitting its neighbours or not.
    stretch: Tensor | None = None

    @cached_property
    def _geometry(self) -> tuple[Tensor, Tensor]:
        G, V = shape_gradients(self.X, self.tets)
        return (G, V) if self.stretch is None else (G @ torch.linalg.inv(self.stretch), V * self.stretch.det())

    @property
    def G(self) -> Float[Tensor, "m 4 3"]:
        """Gradients of the shape functions, 1/m."""
        return self._geometry[0]

    @property
    def V(self) -> Float[Tensor, " m"]:
        """Rest volumes, m^3; negative for inverted elements."""
        return self._geometry[1]

    @cached_property
    def F(self) -> Float[Tensor, "m 3 3"]:
        """Deformation gradients."""
        return self.x[self.tets].mT @ self.G

    @cached_property
    def P(self) -> Float[Tensor, "m 3 3"]:
        """First Piola-Kirchhoff stresses, Pa."""
        return self.material.stress(self.F)

    def energy(self) -> Float[Tensor, ""]:
        """The elastic energy, J."""
        return (self.V * self.material.energy(self.F)).sum()

    @cached_property
    def element_forces(self) -> Float[Tensor, "m 4 3"]:
        """``V P G_a``: the energy's derivatives by the positions of the element's vertices, N."""
        return self.V.view(-1, 1, 1) * (self.G @ self.P.mT)

    def forces(self) -> Float[Tensor, "n 3"]:
        """The energy's derivatives by positions, N; in equilibrium they equal the external forces."""
        return torch.zeros_like(self.x).index_add(0, self.tets.flatten(), self.element_forces.flatten(0, 1))

    def stiffness(self, clamped: bool = False) -> Float[Tensor, "m 12 12"]:
        """The energy's second derivatives by positions, an element each, N/m; ``clamped``: negative curvatures are taken for none."""
        A = self._gradient_tangent(clamped)
        return (A.view(-1, 36, 3) @ self.G.mT).view(-1, 12, 3, 4).mT.reshape(-1, 12, 12)

    def rest_jacobian(self) -> Float[Tensor, "m 12 12"]:
        """The derivatives of the forces by rest positions, an element each, N/m; not symmetric."""
        # -(df/dx) F in one product: dF/dX = -F_il G_bj
        moved = (self.F.reshape(-1, 3, 1, 1, 3) * self.G.mT.reshape(-1, 1, 3, 4, 1)).reshape(-1, 9, 12)
        f = self.element_forces
        out = torch.baddbmm(f.reshape(-1, 12, 1) * self.G.reshape(-1, 1, 12), self._gradient_tangent(False), moved, alpha=-1)
        turned = self.G[:, :, None, None, :] * f.mT[:, None, :, :, None]  # a, i, b, l: G_al f_bi
        out.view(-1, 4, 3, 4, 3).sub_(turned)
        return out

    def _gradient_tangent(self, clamped: bool) -> Float[Tensor, "m 12 9"]:
        """``V G_aj dP_ij/dF_kl``: rows (a, i), columns (k, l)."""
        A = self.material.tangent(self.F)
        if clamped:
            A = positive_part(A)
        weighted = (self.G * self.V.view(-1, 1, 1)).unsqueeze(1)
        return (weighted @ A.reshape(-1, 3, 3, 9)).transpose(1, 2).reshape(-1, 12, 9)


def shape_gradients(X: Float[Tensor, "n 3"], tets: Int[Tensor, "m 4"]) -> tuple[Float[Tensor, "m 4 3"], Float[Tensor, " m"]]:
    """Gradients of the shape functions and volumes of tetrahedra, by cross products; differentiable."""
    x0, x1, x2, x3 = X[tets].unbind(1)
    a, b, c = x1 - x0, x2 - x0, x3 - x0
    rows = torch.stack([torch.linalg.cross(b, c), torch.linalg.cross(c, a), torch.linalg.cross(a, b)], 1)
    six = (rows[:, 0] * a).sum(1)
    inner = rows / six.view(-1, 1, 1)
    return torch.cat([-inner.sum(1, keepdim=True), inner], 1), six / 6


def positive_part(A: Float[Tensor, "m k k"]) -> Float[Tensor, "m k k"]:
    """Symmetric matrices with their negative eigenvalues set to zero; only those that have any are decomposed."""
    _, bad = torch.linalg.cholesky_ex(A)
    which = bad.nonzero()[:, 0]
    if not len(which):
        return A
    values, vectors = torch.linalg.eigh(A[which])
    A = A.clone()
    A[which] = (vectors * values.clamp_min(0).unsqueeze(1)) @ vectors.mT
    return A


class Pattern:
    """Where the numbers of element matrices go in the sparse matrix of the free unknowns: found once a mesh, then each assembly is one sum.

    Args:
        tets: ``[m, 4]``.
        free: which vertices may move, ``[n]``.
    """

    def __init__(self, tets: Int[Tensor, "m 4"], free: Bool[Tensor, " n"]) -> None:
        self.tets, self.free = tets, free
        number = np.full(len(free), -1, dtype=np.int64)
        number[free.numpy()] = np.arange(int(free.sum()))
        self.size = 3 * int(free.sum())
        dofs = number[tets.numpy()][:, :, None] * 3 + np.arange(3)
        dofs[number[tets.numpy()] < 0] = -1
        dofs = dofs.reshape(-1, 12)
        rows, cols = np.broadcast_to(dofs[:, :, None], (len(dofs), 12, 12)), np.broadcast_to(dofs[:, None, :], (len(dofs), 12, 12))
        key = np.where((rows >= 0) & (cols >= 0), cols * self.size + rows, self.size**2).ravel()
        unique, place = np.unique(key, return_inverse=True)
        self.nnz = len(unique) - int(unique[-1] == self.size**2)
        unique = unique[: self.nnz]
        self._place = place
        self.indices = (unique % self.size).astype(np.int32)
        self.indptr = np.searchsorted(unique, np.arange(self.size + 1) * self.size).astype(np.int32)

    def matrix(self, blocks: Float[Tensor, "m 12 12"]) -> sp.csc_matrix:
        """The sum of element matrices on the free unknowns, ``[3 n_free, 3 n_free]``."""
        data = np.bincount(self._place, weights=blocks.detach().numpy().ravel(), minlength=self.nnz + 1)[: self.nnz]
        return sp.csc_matrix((data, self.indices, self.indptr), shape=(self.size, self.size))

    def vector(self, nodal: Float[Tensor, "n 3"]) -> np.ndarray:
        """The free unknowns of a field, ``[3 n_free]``."""
        return nodal[self.free].detach().numpy().ravel()

    def field(self, vector: np.ndarray) -> Float[Tensor, "n 3"]:
        """The field whose free unknowns these are, zero where it is fixed."""
        out = torch.zeros(len(self.free), 3, dtype=torch.float64)
        out[self.free] = torch.from_numpy(np.ascontiguousarray(vector)).view(-1, 3)
        return out
