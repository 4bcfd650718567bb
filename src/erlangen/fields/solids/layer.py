"""Equilibrium as a differentiable function of rest shape, material and loads; and a material fitted to a shape that was seen."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.optimize import minimize
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.fields.solids.assembly import Elements
from erlangen.fields.solids.loads import Loads
from erlangen.fields.solids.material import Material, NeoHookean
from erlangen.fields.solids.mesh import TetMesh
from erlangen.fields.solids.static import is_whole, minimise
from erlangen.fields.solids.system import System
from erlangen.reporting import progress


def equilibrium(
    X: Float[Tensor, "n 3"],
    E: Float[Tensor, " *m"] | float,
    loads: Loads | None = None,
    *,
    tets: Int[Tensor, "m 4"],
    fixed: Any = None,
    nu: Float[Tensor, " *m"] | float = 0.45,
    rho: Float[Tensor, " *m"] | float = 1000.0,
    material: Material | None = None,
    start: Float[Tensor, "n 3"] | None = None,
    tolerance: float = 1e-12,
) -> Float[Tensor, "n 3"]:
    """Positions in equilibrium, differentiable by the rest shape, by moduli and densities (one, or one an element), and by the loads'
    tensors.

    The gradient is that of the implicit function: one linear system with the stiffness in the equilibrium, no matter how many steps
    led there.

    Args:
        X: rest positions, m, float64.
        E: Young's modulus, Pa.
        loads: by default gravity; :attr:`Loads.gravity`, ``forces`` and ``masses`` may ask for gradients; what a potential holds gets none.
        tets: of the mesh.
        fixed: vertices that stay at their rest positions, a mask or indices; by default those on the ground.
        nu, rho: Poisson's ratio; density, kg/m^3.
        material: of which kind; its own parameters are replaced. By default neo-Hookean.
        start: positions to start from.
        tolerance: of the residual, relative to the largest load. Gradients are as exact as the equilibrium is.

    Raises:
        ArgumentError: parts that do not fit; no equilibrium was found.

    >>> from erlangen.fields.solids import column
    >>> mesh = column(0.2, 0.02, (1, 8))
    >>> E = torch.tensor(3e6, dtype=torch.float64, requires_grad=True)
    >>> top = equilibrium(mesh.vertices, E, tets=mesh.tets, nu=0.0)[:, 2].max()
    >>> slope = torch.autograd.grad(top, E)[0]                      # z = L - rho g L^2 / 2 E, and so dz/dE = (L - z) / E
    >>> bool(torch.isclose(slope, (0.2 - top) / E, rtol=0.01))
    True
    """
    if not isinstance(X, Tensor) or X.dtype != torch.float64:
        raise ArgumentError("X", "rest positions in float64, [n, 3]", getattr(X, "dtype", type(X).__name__))
    kind = NeoHookean() if material is None else material
    loads = Loads() if loads is None else loads
    made = kind.replace(E=E, nu=nu, rho=rho)
    mesh = TetMesh(X, tets)
    system = System(mesh, kind.replace(**{n: getattr(made, n).detach() for n in ("E", "nu", "rho")}), _detached(loads), fixed)
    # The mesh may have turned vertices of a tetrahedron around, which changes nothing but their order.
    begin = mesh.vertices.clone() if start is None else torch.as_tensor(start, dtype=torch.float64).detach().clone()
    begin[system.fixed] = mesh.vertices[system.fixed]
    given = (X, made.E, made.nu, made.rho, loads.gravity, *(t for t in (loads.forces, loads.masses) if t is not None))
    return _Implicit.apply(system, loads, kind, begin, tolerance, *given)


class _Implicit(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, system: System, loads: Loads, kind: Material, begin: Tensor, tolerance: float, *given: Tensor) -> Tensor:
        X = system.mesh.vertices
        x, residuals, good = minimise(system, X, begin, tolerance=tolerance, max_steps=300)
        if not good:
            raise ArgumentError("loads", "loads under which the body comes to rest", f"a residual of {residuals[-1]:.3g} N")
        if not is_whole(system, x):
            warnings.warn("tetrahedra are turned inside out in this equilibrium: the body is too soft for its loads", stacklevel=3)
        ctx.system, ctx.loads, ctx.kind = system, loads, kind
        ctx.save_for_backward(x, *given)
        return x

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        system: System = ctx.system
        x, *given = ctx.saved_tensors
        here = system.elements(system.mesh.vertices, x)
        free = ~system.fixed.unsqueeze(1)
        adjoint = system.step(system.stiffness(here), torch.where(free, grad, 0.0))  # -K^-1 grad
        wanted = [i for i, needed in enumerate(ctx.needs_input_grad[5:]) if needed]
        with torch.enable_grad():
            own = [t.detach().requires_grad_(i in wanted) for i, t in enumerate(given)]
            X, E, nu, rho, gravity, *rest = own
            names = [name for name in ("forces", "masses") if getattr(ctx.loads, name) is not None]
            loads = ctx.loads.replace(gravity=gravity, **dict(zip(names, rest)))
            held = torch.where(free, x, X)
            forces = Elements(X, held, system.tets, ctx.kind.replace(E=E, nu=nu, rho=rho)).forces()
            work = (adjoint * (forces - loads.dead(X, system.tets, rho))).sum() + (torch.where(free, 0.0, X) * grad).sum()
            slopes = torch.autograd.grad(work, [own[i] for i in wanted], allow_unused=True)
        out: list[Tensor | None] = [None] * len(given)
        for i, slope in zip(wanted, slopes):
            out[i] = slope
        return (None, None, None, None, None, *out)


def _detached(loads: Loads) -> Loads:
    names = ("gravity", "forces", "masses")
    return loads.replace(**{n: getattr(loads, n).detach() for n in names if getattr(loads, n) is not None})


@dataclass(frozen=True)
class FittedMaterial:
    """A modulus that explains a shape.

    Attributes:
        material: with the fitted modulus.
        distance: root mean square distance of its equilibrium to what was seen, m.
        history: of the moduli that were tried, m.
        converged: whether the distance stopped falling.
    """

    material: Material
    distance: float
    history: tuple[float, ...]
    converged: bool


def fit_material(
    rest: TetMesh,
    seen: Float[Tensor, "n 3"],
    material: Material | None = None,
    loads: Loads | None = None,
    fixed: Any = None,
    *,
    parts: Int[Tensor, " m"] | None = None,
    max_steps: int = 60,
    quiet: bool = True,
) -> FittedMaterial:
    """The Young's modulus with which a body of known rest shape comes to rest as it was seen: least squares in its logarithm (L-BFGS).

    Args:
        rest: the rest shape.
        seen: positions of its vertices in equilibrium, m.
        material: where to start.
        loads, fixed: as in :func:`solve_static`.
        parts: a number ``0, 1, ...`` an element: a modulus for each part. By default one for all.
        max_steps: of L-BFGS.
        quiet: no line of progress.

    Raises:
        ArgumentError: parts that do not fit each other.

    >>> from erlangen.fields.solids import beam, solve_static
    >>> mesh = beam(0.1, 0.02, (6, 1))
    >>> root = mesh.vertices[:, 0] == 0
    >>> seen = solve_static(mesh, NeoHookean(E=4e5), fixed=root).mesh.vertices
    >>> found = fit_material(mesh, seen, NeoHookean(E=1e6), fixed=root)
    >>> bool(torch.isclose(found.material.E, torch.tensor(4e5, dtype=torch.float64), rtol=1e-4))
    True
    """
    start = NeoHookean() if material is None else material
    seen = torch.as_tensor(seen, dtype=torch.float64)
    if seen.shape != rest.vertices.shape or not bool(seen.isfinite().all()):
        raise ArgumentError("seen", f"finite positions, [{rest.n_vertices}, 3]", f"shape {tuple(seen.shape)}")
    if parts is None:
        parts = torch.zeros(len(rest), dtype=torch.int64)
    if parts.shape != (len(rest),) or parts.is_floating_point() or int(parts.min()) < 0:
        raise ArgumentError(
            "parts", f"a number from 0 for each of {len(rest)} elements", f"{parts.dtype}, shape {tuple(parts.shape)}"
        )
    size = float(rest.size().max())
    history: list[float] = []
    place = {"x": rest.vertices}
    unit: list[float] = []

    def squared(log_E: np.ndarray) -> tuple[float, np.ndarray]:
        own = torch.from_numpy(log_E.copy()).requires_grad_()
        common = {"tets": rest.tets, "fixed": fixed, "nu": start.nu, "rho": start.rho, "material": start, "start": place["x"]}
        x = equilibrium(rest.vertices, own.exp()[parts], loads, **common)
        place["x"] = x.detach()
        value = (x - seen).square().sum(1).mean()
        slope = torch.autograd.grad(value, own)[0]
        told = float(value.detach())
        # In units of the first distance, so that the search's tolerances mean something.
        unit.append(max(told, 1e-24 * size**2))
        history.append(told**0.5)
        return told / unit[0], slope.numpy() / unit[0]

    begin = np.full(int(parts.max()) + 1, float(start.E.detach().log().mean()))
    with progress(None, "modulus", quiet) as bar:
        found = minimize(
            squared,
            begin,
            jac=True,
            method="L-BFGS-B",
            callback=lambda _: bar.advance(1, distance=history[-1]),
            options={"maxiter": max_steps, "ftol": 1e-18, "gtol": 1e-10},
        )
    E = torch.from_numpy(found.x).exp()
    # At the end of its digits the line search gives up: the distance no longer falls.
    converged = bool(found.success) or found.nit < max_steps
    last = (float(found.fun) * unit[0]) ** 0.5
    return FittedMaterial(start.replace(E=E[0] if len(E) == 1 else E[parts]), last, tuple(history), converged)
