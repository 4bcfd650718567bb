"""`rest_shape`: the shape to make, so that the wanted one is what gravity leaves of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.fields.solids.inverse import solve_direct
from erlangen.fields.solids.loads import Loads, lumped_masses
from erlangen.fields.solids.material import Material, NeoHookean
from erlangen.fields.solids.mesh import TetMesh
from erlangen.fields.solids.plastic import solve_plastic
from erlangen.fields.solids.stability import Stability, stability_of
from erlangen.fields.solids.static import Equilibrium, is_whole, minimise, settle
from erlangen.fields.solids.system import System, largest

Method = Literal["direct", "plastic", "fixed point", "naive"]
METHODS = ("direct", "plastic", "fixed point", "naive")


@dataclass(frozen=True, eq=False)
class RestShape:
    """A rest shape for a wanted equilibrium.

    Attributes:
        status: ``"stable"``: the equilibrium is there, and the body returns to it; ``"unstable"``: it is there, and the body buckles
            or topples
            out of it; ``"converged"``: stability was not asked for; ``"failed"``: the loads could be followed up to :attr:`reached` only,
            or an equilibrium on the way was not found, or is one of inverted tetrahedra.
        mesh: the rest shape.
        target: the wanted shape.
        residual: the largest component of the forces that are left in the equilibrium, N.
        reached: the share of the loads that this rest shape carries; 1 if all.
        steps: Newton's steps of the direct method, rest shapes tried by the others.
        stability: of the equilibrium.
        equilibrium: where the body comes to rest: the wanted shape for the direct method; found by the others.
        history: of the direct method the residuals, N; of the others the mean squared distance to the target, m^2, rest shape by rest
            shape.
    """

    status: str
    mesh: TetMesh
    target: TetMesh
    residual: float
    reached: float
    steps: int
    method: str
    stability: Stability | None
    equilibrium: TetMesh
    system: System = field(repr=False)
    history: tuple[float, ...] = field(default=(), repr=False)

    @property
    def lambda_min(self) -> float | None:
        """The lowest eigenvalue of the stiffness in the equilibrium, N/m."""
        return None if self.stability is None else self.stability.lambda_min

    @property
    def change(self) -> Float[Tensor, "n 3"]:
        """From the wanted shape to the rest shape, m."""
        return self.mesh.vertices - self.target.vertices

    @property
    def volume_change(self) -> float:
        """Of the rest shape, relative to the wanted one."""
        return self.mesh.volume() / self.target.volume() - 1

    def settle(self, tolerance: float = 1e-9, max_steps: int = 300) -> Equilibrium:
        """The rest shape, left to its loads: the independent check.

        It starts unloaded and goes downhill, and so ends in a stable equilibrium.
        """
        return settle(
            self.system, self.mesh.vertices, self.mesh.vertices.clone(), stability=True, tolerance=tolerance, max_steps=max_steps
        )

    @cached_property
    def matching(self) -> tuple[float, float]:
        """Mean and largest distance of the equilibrium to the wanted shape, m, by :meth:`settle`; infinite where it finds none."""
        settled = self.settle()
        return (
            distances(settled.mesh.vertices, self.target.vertices) if settled.status != "failed" else (float("inf"), float("inf"))
        )

    def report(self) -> str:
        """What was found, in a few lines."""
        lines = [
            f"{self.status}: rest shape by the {self.method} method, volume {100 * self.volume_change:+.3g} %, "
            f"up to {float(self.change.norm(dim=1).max()):.4g} m from the wanted one",
            f"residual {self.residual:.2g} N after {self.steps} steps; rho g L / E = {self.system.softness():.3g}",
        ]
        if self.status == "failed":
            lines.append(self._why())
        return "\n".join(lines + ([] if self.stability is None else self.stability.lines()))

    def _why(self) -> str:
        """What a failure says."""
        material = self.system.material
        unstrained = material.stress(torch.eye(3, dtype=torch.float64).repeat(len(self.target), 1, 1))
        if not float(unstrained.abs().max()) <= 1e-6 * float(material.E.max()):
            return "this material is under stress at rest, and so no body has a rest shape"
        if self.method != "direct":
            return "an equilibrium on the way was not found, or tetrahedra were turned inside out in it"
        if self.reached < 1:
            return f"a rest shape was found for {100 * self.reached:.3g} % of the loads only: this body is too soft for its loads"
        return "all loads were followed, but forces are left that are larger than rounding leaves"


def rest_shape(
    target: TetMesh,
    material: Material | None = None,
    loads: Loads | None = None,
    fixed: Any = None,
    *,
    method: Method = "direct",
    mass: Literal["target", "rest"] = "target",
    symmetry: Any = None,
    stability: bool = True,
    max_steps: int = 200,
    quiet: bool = True,
) -> RestShape:
    """The rest shape that sags to the wanted shape.

    Gravity bends what it is given; treating a picture of a soft thing as its rest shape bends it twice. The direct method solves for the
    rest shape exactly; the equilibrium may then be one out of which the body buckles, which :attr:`RestShape.status` says, with the
    mode's symmetry.

    Args:
        target: the wanted shape, **in metres**: what matters is ``rho g L / E``, in which a body of 25 mm is a thousandth of one of 25 m.
        material: by default ``NeoHookean(E=5e5, nu=0.45, rho=1000)``.
        loads: by default gravity.
        fixed: vertices that stay where the target has them, a mask or indices; by default those on the ground.
        method: ``"direct"``; ``"plastic"``, descent over a plastic stretch of each tetrahedron, which follows stable equilibria and
            ends with an error; ``"fixed point"``, ``X <- X + target - equilibrium(X)``; ``"naive"``, the target itself.
        mass: ``"target"`` takes the weight of the wanted shape as a dead load, as the source does; ``"rest"`` that of the rest shape,
            which is what a body made of it has.
        symmetry: a :class:`MeshSymmetry` of target and loads: solve among the symmetric rest shapes only.
        stability: find the lowest eigenvalues too.
        max_steps: rest shapes that the plastic and the fixed-point method try.
        quiet: no line of progress.

    Raises:
        ArgumentError: parts that do not fit each other; loads that are not invariant; a body that nothing holds.

    Source: M. Guo, B. Wang, P. Ma, T. Zhang, C. E. Owens, C. Gan, J. B. Tenenbaum, K. He, W. Matusik, "Physically compatible 3D object
    modeling from a single image", NeurIPS 2024, arXiv:2405.20510.

    >>> from erlangen.fields import solids
    >>> beam = solids.beam(0.1, 0.02, (10, 2))
    >>> rest = solids.rest_shape(beam, solids.NeoHookean(E=2e5), fixed=beam.vertices[:, 0] == 0)
    >>> rest.status, rest.residual < 1e-11, rest.matching[1] < 1e-8
    ('stable', True, True)
    """
    if method not in METHODS:
        raise ArgumentError("method", f"one of {METHODS}", repr(method))
    if mass not in ("target", "rest"):
        raise ArgumentError("mass", "'target' or 'rest'", repr(mass))
    if not isinstance(target, TetMesh):
        raise ArgumentError("target", "a TetMesh", type(target).__name__)
    loads = Loads() if loads is None else loads
    if mass == "target" and isinstance(loads, Loads) and loads.masses is None:
        rho = 1000.0 if material is None else material.rho
        loads = loads.replace(masses=lumped_masses(target.vertices, target.tets, rho))
    system = System(target, material, loads, fixed, symmetry)
    wanted = target.vertices
    if method == "direct":
        X, reached, residuals, last, good = solve_direct(system, wanted, quiet=quiet)
        told = stability_of(system, X, wanted) if good and stability else None
        status = "failed" if not good else "converged" if told is None else "stable" if told.lambda_min > 0 else "unstable"
        rest = TetMesh(X, target.tets)
        return RestShape(status, rest, target, last, reached, len(residuals), method, told, target, system, tuple(residuals))
    if method == "plastic":
        X, x, history, good = solve_plastic(system, wanted, max_steps=max_steps, quiet=quiet)
    else:
        X, x, history, good = _fixed_point(system, wanted, max_steps if method == "fixed point" else 0)
    good = good and is_whole(system, x) and is_whole(system, X)
    X = X if is_whole(system, X) else wanted
    dead = system.dead(X)
    last = largest(system.symmetric(system.residual(system.elements(X, x), dead)))
    told = stability_of(system, X, x) if good and stability else None
    status = "failed" if not good else "converged" if told is None else "stable" if told.lambda_min > 0 else "unstable"
    rest = TetMesh(X, target.tets)
    where = rest.moved(x) if good else rest
    return RestShape(status, rest, target, last, 1.0, len(history) - 1, method, told, where, system, tuple(history))


def distances(x: Float[Tensor, "n 3"], target: Float[Tensor, "n 3"]) -> tuple[float, float]:
    """Mean and largest distance of vertices, m."""
    each = (x - target).norm(dim=1)
    return float(each.mean()), float(each.max())


def _fixed_point(system: System, target: Tensor, steps: int) -> tuple[Tensor, Tensor, list[float], bool]:
    """``X <- X + target - equilibrium(X)`` while that brings the equilibrium nearer; no steps: the target itself."""
    X, x = target.clone(), target.clone()
    x, _, good = minimise(system, X, x, tolerance=1e-9, max_steps=300)
    history = [float((x - target).square().sum(1).mean())]
    while good and len(history) <= steps:
        there = X + target - x
        if not is_whole(system, there):
            break
        moved, _, found = minimise(system, there, x, tolerance=1e-9, max_steps=300)
        now = float((moved - target).square().sum(1).mean())
        if not found or not now < history[-1]:
            break
        X, x = there, moved
        history.append(now)
    return X, x, history, good


def critical_stiffness(
    target: TetMesh,
    material: Material | None = None,
    loads: Loads | None = None,
    fixed: Any = None,
    *,
    tolerance: float = 1e-3,
    **options: Any,
) -> float:
    """The modulus below which the exact rest shape's equilibrium is unstable, Pa: where the lowest eigenvalue changes sign.

    Each rest shape gives an estimate of it, which is exact when the load's part of the stiffness does not depend on the modulus, and
    is the next one tried.

    Args:
        target, material, loads, fixed, options: as in :func:`rest_shape`. Moduli that differ by element are scaled together; their
            mean is returned.
        tolerance: relative.

    Raises:
        ArgumentError: no rest shape was found on the way.

    >>> from erlangen.fields import solids
    >>> E = critical_stiffness(solids.column(0.2, 0.02, (2, 20)), solids.NeoHookean(E=4e5, nu=0.0))
    >>> round(E / 1e3)                                    # Greenhill's column: 300 kPa; coarse linear tetrahedra are too stiff
    189
    """
    material = NeoHookean() if material is None else material
    E = float(material.E.mean())
    for _ in range(20):
        found = rest_shape(target, material.replace(E=material.E * (E / float(material.E.mean()))), loads, fixed, **options)
        if found.stability is None:
            raise ArgumentError("material", "a modulus for which there is a rest shape", f"E = {E:.4g} Pa: {found.status}")
        # Never more than half the way down at once: the rest shape must still exist.
        there = max(found.stability.critical_E, E / 2)
        if abs(there - E) <= tolerance * E:
            return there
        E = there
    return E
