"""Static equilibrium: the positions of a body of given rest shape that have the least energy, by Newton's method with line search."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.fields.solids.loads import Loads
from erlangen.fields.solids.material import Material
from erlangen.fields.solids.mesh import FLAT, TetMesh
from erlangen.fields.solids.stability import Stability, lowest, stability_of
from erlangen.fields.solids.system import System, largest
from erlangen.reporting import progress

#: Armijo's condition: a step must bring this part of what its slope promises.
ARMIJO = 1e-4

#: Steps with clamped stiffnesses in a row before the lowest eigenvalue is asked for.
CLAMPED = 12

Stiffness = Literal["true", "clamped", "shifted"]


@dataclass(frozen=True, eq=False)
class Equilibrium:
    """A body at rest under its loads.

    Attributes:
        status: ``"stable"``; ``"unstable"``, where it balances on a saddle; ``"converged"``, where stability was not asked for;
            ``"failed"``, also where tetrahedra are turned inside out, as energies that stay finite allow and no body does.
        mesh: where it came to rest; the rest shape where it failed inside out.
        rest: its rest shape.
        residual: the largest component of the forces that are left, N.
        steps: Newton's steps.
        stability: its lowest eigenvalues and modes.
        system: its equations.
        residuals: step by step, N.
        inverted: whether it failed with tetrahedra inside out.
    """

    status: str
    mesh: TetMesh
    rest: TetMesh
    residual: float
    steps: int
    stability: Stability | None
    system: System = field(repr=False)
    residuals: tuple[float, ...] = field(default=(), repr=False)
    inverted: bool = False

    @property
    def lambda_min(self) -> float | None:
        """The lowest eigenvalue of the stiffness on the free vertices, N/m."""
        return None if self.stability is None else self.stability.lambda_min

    @property
    def displacement(self) -> Float[Tensor, "n 3"]:
        """From the rest shape, m."""
        return self.mesh.vertices - self.rest.vertices

    @property
    def sag(self) -> float:
        """The largest displacement, m; NaN where no equilibrium was found."""
        return float(self.displacement.norm(dim=1).max()) if self.status != "failed" else float("nan")

    def report(self) -> str:
        """What was found, in a few lines."""
        lines = [
            f"{self.status}: largest displacement {self.sag:.4g} m, residual {self.residual:.2g} N after {self.steps} steps",
            f"rho g L / E = {self.system.softness():.3g}",
        ]
        if self.status == "failed":
            lines.append(
                "tetrahedra turn inside out: this body is too soft for its loads" if self.inverted else "no equilibrium was found"
            )
        return "\n".join(lines + ([] if self.stability is None else self.stability.lines()))


def solve_static(
    mesh: TetMesh,
    material: Material | None = None,
    loads: Loads | None = None,
    fixed: Any = None,
    *,
    start: Float[Tensor, "n 3"] | None = None,
    symmetry: Any = None,
    stability: bool = True,
    tolerance: float = 1e-9,
    max_steps: int = 300,
    quiet: bool = True,
) -> Equilibrium:
    """The equilibrium of a body with a given rest shape.

    Newton's steps take element stiffnesses without their negative curvatures while far away, so that each goes downhill, and the true ones
    near the end, where the residual then falls quadratically. If the end is a saddle, as it can be for a symmetric body, it is left along
    the lowest mode, unless a symmetry is asked for.

    Args:
        mesh: the rest shape.
        material: by default :class:`NeoHookean`, E = 5e5 Pa.
        loads: by default gravity on the rest shape's mass.
        fixed: vertices held where the rest shape has them, a mask or indices; by default those on the ground.
        start: positions to start from.
        symmetry: a :class:`MeshSymmetry`: solve among the symmetric displacements only.
        stability: find the lowest eigenvalues of the stiffness too.
        tolerance: of the residual, relative to the largest load; rounding sets a floor to it.
        max_steps: of Newton's method.
        quiet: no line of progress.

    Raises:
        ArgumentError: parts that do not fit each other; loads that are not invariant.

    >>> from erlangen.fields.solids import NeoHookean, column
    >>> mesh = column(0.2, 0.02, (2, 10))
    >>> found = solve_static(mesh, NeoHookean(E=3e6, nu=0.0))
    >>> top = mesh.vertices[:, 2] == 0.2
    >>> found.status, round(-1e6 * float(found.displacement[top, 2].mean()))            # rho g L^2 / 2 E = 65 micrometres
    ('stable', 65)
    """
    system = System(mesh, material, loads, fixed, symmetry)
    X = mesh.vertices
    x = X.clone() if start is None else torch.as_tensor(start, dtype=torch.float64).detach().clone()
    if x.shape != X.shape or not bool(x.isfinite().all()):
        raise ArgumentError("start", f"finite positions, [{len(X)}, 3]", f"shape {tuple(x.shape)}")
    x[system.fixed] = X[system.fixed]
    return settle(system, X, x, stability=stability, tolerance=tolerance, max_steps=max_steps, quiet=quiet)


def settle(
    system: System, X: Tensor, x: Tensor, *, stability: bool, tolerance: float, max_steps: int, quiet: bool = True
) -> Equilibrium:
    """As :func:`solve_static`, of equations that are there already."""
    x, residuals, converged = minimise(system, X, x, tolerance=tolerance, max_steps=max_steps, quiet=quiet)
    told = None
    if converged and stability:
        told = stability_of(system, X, x)
        for _ in range(3):
            if told.lambda_min >= 0 or system.basis is not None:
                break
            away = told.modes[0] / told.modes[0].norm(dim=1).max() * 1e-3 * float(system.mesh.size().max())
            x, more, converged = minimise(system, X, x + away, tolerance=tolerance, max_steps=max_steps, quiet=quiet)
            residuals = residuals + more
            if not converged:
                break
            told = stability_of(system, X, x)
    status = "failed" if not converged else "converged" if told is None else "stable" if told.lambda_min > 0 else "unstable"
    rest = TetMesh(X, system.tets)
    # Positions may be inside out; they are shown as they are only where they make a mesh.
    whole = is_whole(system, x)
    if not whole:
        status, told = "failed", None
    where = rest.moved(x) if whole else rest
    return Equilibrium(status, where, rest, residuals[-1], len(residuals) - 1, told, system, tuple(residuals), not whole)


def is_whole(system: System, x: Float[Tensor, "n 3"]) -> bool:
    """Whether these positions make a mesh: finite, all volumes positive."""
    corners = x[system.tets]
    edges = corners[:, 1:] - corners[:, :1]
    if not bool(x.isfinite().all()):
        return False
    longest = edges.norm(dim=2).amax(1)
    return bool((edges.det() > 12 * FLAT * longest.clamp_min(1e-300) ** 3).all())


def minimise(
    system: System, X: Tensor, x: Tensor, *, tolerance: float, max_steps: int, quiet: bool = True
) -> tuple[Tensor, list[float], bool]:
    """Positions of least energy downhill from ``x``, the residuals on the way, and whether they got below the tolerance."""
    dead = system.dead(X)
    goal = max(tolerance * largest(dead[~system.fixed]), system.floor(X))
    elements = system.elements(X, x)
    energy, r = system.energy(elements, dead), system.symmetric(system.residual(elements, dead))
    residuals, careful, uphill = [largest(r)], 2, 0
    with progress(None, "equilibrium", quiet) as bar:
        for _ in range(max_steps):
            if residuals[-1] <= goal:
                break
            moved = None
            if careful <= 0:
                moved = _try(system, X, elements, dead, energy, r, "true")
                if moved is None:
                    careful = 3
            if moved is None:
                uphill += 1
                # Bodies that fall over do so along few directions: clamping every element hides these, a shift of all does not.
                moved = _try(system, X, elements, dead, energy, r, "clamped" if uphill <= CLAMPED else "shifted")
                if moved is None:
                    break
            else:
                uphill = 0
            elements, energy, r, length = moved
            # The true stiffness is tried once clamped steps are taken whole.
            careful = careful - 1 if length == 1.0 else max(careful, 1)
            residuals.append(largest(r))
            bar.advance(1, residual=residuals[-1])
    return elements.x, residuals, residuals[-1] <= goal


def _try(
    system: System, X: Tensor, elements: Any, dead: Tensor, energy: float, r: Tensor, stiffness: Stiffness
) -> tuple[Any, float, Tensor, float] | None:
    """One step with one of the stiffnesses, or nothing if it does not go downhill."""
    try:
        K = system.stiffness(elements, clamped=stiffness == "clamped")
        if stiffness == "shifted":
            below = min(0.0, float(lowest(K, 1)[0][0]))
            K = (K + (1.5 * abs(below) + 1e-12 * float(K.diagonal().max())) * sp.eye(K.shape[0], format="csc")).tocsc()
        d = system.step(K, r)
    except np.linalg.LinAlgError:
        return None
    slope = float((r * d).sum())
    if slope >= 0:
        return None
    length = 1.0
    for _ in range(1 if stiffness == "true" else 40):
        there = system.elements(X, elements.x + length * d)
        value = system.energy(there, dead)
        left = system.symmetric(system.residual(there, dead))
        # Near the end the energy has no digits left to fall by; there the residual must.
        flat = abs(slope) <= 1e-11 * (abs(energy) + float((dead * elements.x).abs().sum()))
        if value <= energy + ARMIJO * length * slope or (flat and largest(left) < largest(r)):
            if stiffness != "true" and length == 1.0 and not flat:
                return _farther(system, X, elements, dead, d, (there, value, left, length))
            return there, value, left, length
        length /= 2
    return None


def _farther(
    system: System, X: Tensor, elements: Any, dead: Tensor, d: Tensor, best: tuple[Any, float, Tensor, float]
) -> tuple[Any, float, Tensor, float]:
    """Twice as far, and again, while the energy falls: without its negative curvatures a body that bends away seems too stiff."""
    for k in range(1, 8):
        there = system.elements(X, elements.x + 2.0**k * d)
        value = system.energy(there, dead)
        if not value < best[1]:
            break
        best = there, value, system.symmetric(system.residual(there, dead)), 2.0**k
    return best
