"""`System`: a body's equations of equilibrium on its free vertices, or on the symmetric ones among their displacements."""

from __future__ import annotations

from typing import Any

import scipy.sparse as sp
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.fields.solids.assembly import Elements, Pattern
from erlangen.fields.solids.loads import Loads, as_supports
from erlangen.fields.solids.material import Material, NeoHookean
from erlangen.fields.solids.mesh import TetMesh
from erlangen.fields.solids.sparse import Solver

#: Rounding of the largest element force that one vertex collects, relative to modulus x volume x gradient.
ROUNDING = 1e-14


class System:
    """Equilibrium of a body: elastic forces equal to the loads at the vertices that may move.

    Args:
        mesh: gives tetrahedra, and the place where supports are looked for.
        material: by default :class:`~erlangen.fields.solids.NeoHookean`.
        loads: by default gravity.
        fixed: vertices that may not move, a mask or indices; by default those on the ground.
        symmetry: a :class:`~erlangen.fields.solids.MeshSymmetry`; solutions are looked for among the symmetric ones.

    Attributes:
        n_unknowns: numbers to be found.
    """

    def __init__(
        self, mesh: TetMesh, material: Material | None = None, loads: Loads | None = None, fixed: Any = None, symmetry: Any = None
    ) -> None:
        if not isinstance(mesh, TetMesh):
            raise ArgumentError("mesh", "a TetMesh", type(mesh).__name__)
        self.mesh, self.tets = mesh, mesh.tets
        self.material = NeoHookean() if material is None else material
        if not isinstance(self.material, Material):
            raise ArgumentError("material", "a Material, such as NeoHookean(E=5e5)", repr(material))
        self.material.fits(len(mesh))
        self.loads = Loads() if loads is None else loads
        if not isinstance(self.loads, Loads):
            raise ArgumentError("loads", "Loads", repr(loads))
        self.loads.fits(mesh.n_vertices)
        self.loads.refuse_coupling(mesh.vertices)
        self.fixed: Bool[Tensor, " n"] = as_supports(fixed, mesh)
        self.pattern = Pattern(self.tets, ~self.fixed)
        self.solver = Solver()
        self.symmetry = symmetry
        self.basis: sp.csr_matrix | None = None
        if symmetry is not None:
            symmetry.refuse_unless_invariant(self)
            self.basis = symmetry.invariant_basis(self.pattern.free)

    @property
    def n_unknowns(self) -> int:
        return self.pattern.size if self.basis is None else self.basis.shape[1]

    def elements(self, X: Tensor, x: Tensor) -> Elements:
        """The tetrahedra between rest and current positions."""
        return Elements(X, x, self.tets, self.material)

    def dead(self, X: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        """Loads that do not depend on the position, N."""
        return self.loads.dead(X, self.tets, self.material.rho)

    def energy(self, elements: Elements, dead: Tensor) -> float:
        """Elastic energy and that of the loads, J."""
        value = float(elements.energy()) - float((dead * elements.x).sum())
        return value if self.loads.potential is None else value + float(self.loads.potential_terms(elements.x)[0])

    def residual(self, elements: Elements, dead: Tensor) -> Float[Tensor, "n 3"]:
        """Elastic forces less the loads, N, zero where the body is held."""
        r = elements.forces() - dead
        if self.loads.potential is not None:
            r = r + self.loads.potential_terms(elements.x)[1]
        return r.masked_fill(self.fixed.unsqueeze(1), 0.0)

    def stiffness(self, elements: Elements, clamped: bool = False) -> sp.csc_matrix:
        """Second derivatives of the energy on the free unknowns (all of them, symmetric or not), N/m."""
        K = self.pattern.matrix(elements.stiffness(clamped))
        if self.loads.potential is not None:
            curve = self.loads.potential_terms(elements.x)[2][self.pattern.free]
            if clamped:
                values, vectors = torch.linalg.eigh((curve + curve.mT) / 2)
                curve = (vectors * values.clamp_min(0).unsqueeze(1)) @ vectors.mT
            # Diagonal blocks are in the pattern already, which the solver's ordering counts on.
            K = (K + sp.block_diag(list(curve.numpy()), format="csc")).tocsc()
        return K

    def rest_jacobian(self, elements: Elements, loads_share: float = 1.0) -> sp.csc_matrix:
        """Derivatives of the residual by rest positions; ``loads_share`` of the weight depends on them where masses are not given."""
        blocks = elements.rest_jacobian()
        if self.loads.masses is None and loads_share and bool(self.loads.gravity.any()):
            quarter = (self.material.rho * elements.V / 4 * loads_share).view(-1, 1, 1)
            pull = self.loads.gravity.repeat(4).view(1, 12, 1) * elements.G.view(-1, 1, 12)
            blocks = blocks - quarter * pull
        return self.pattern.matrix(blocks)

    def step(self, A: sp.csc_matrix, r: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        """The solution of ``A d = -r``, as a field.

        Raises:
            numpy.linalg.LinAlgError: the matrix is singular.
        """
        b = -self.pattern.vector(r)
        if self.basis is None:
            return self.pattern.field(self.solver.solve(A, b))
        reduced = (self.basis.T @ A @ self.basis).tocsc()
        reduced.sort_indices()
        return self.pattern.field(self.basis @ self.solver.solve(reduced, self.basis.T @ b))

    def symmetric(self, r: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        """The symmetric part of a field on the free vertices, where there is a symmetry."""
        if self.basis is None:
            return r
        return self.pattern.field(self.basis @ (self.basis.T @ self.pattern.vector(r)))

    def floor(self, X: Float[Tensor, "n 3"]) -> float:
        """The residual that rounding leaves, N: stresses of stiff elements cancel to much less than their parts.

        Far from the origin positions have fewer digits than the edges between them.
        """
        elements = self.elements(X, X)
        mu, lam = self.material.lame()
        slope = elements.G.norm(dim=2)
        far = self.mesh.vertices.abs().max() * slope.amax(1, keepdim=True) / 100
        size = ((2 * mu + lam.abs()) * elements.V.abs()).unsqueeze(1) * slope * far.clamp_min(1)
        return ROUNDING * float(torch.zeros(len(X), dtype=X.dtype).index_add(0, self.tets.flatten(), size.flatten()).max())

    def softness(self) -> float:
        """``rho g L / E`` with the body's longest side ``L``: how much of itself it is strained by its weight."""
        g = float(self.loads.gravity.norm())
        rho, E = float(self.material.rho.detach().mean()), float(self.material.E.detach().mean())
        return rho * g * float(self.mesh.size().max()) / E


def largest(field: Tensor) -> float:
    """The largest component."""
    return float(field.abs().max()) if len(field) else 0.0
