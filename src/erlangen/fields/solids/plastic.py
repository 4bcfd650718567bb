"""The source's route to a rest shape: descent over a plastic stretch of each tetrahedron, a new equilibrium after each step."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.fields.solids.assembly import Elements
from erlangen.fields.solids.loads import Loads
from erlangen.fields.solids.static import minimise
from erlangen.fields.solids.system import System
from erlangen.reporting import progress

#: Largest change of a stretch in the first step.
FIRST = 0.02
#: Eigenvalues of a stretch stay above this.
THINNEST = 1e-5
#: Steps are given up when the largest move of a vertex is below this, relative to the body's size.
STILL = 1e-7
#: An equilibrium on the way, relative to the largest load.
TOLERANCE = 1e-8


class _Stretched(System):
    """Equilibrium of a target whose elements have plastic stretches, in the place of rest positions."""

    def __init__(self, system: System, loads: Loads | None = None) -> None:
        self.__dict__.update(system.__dict__)
        self._floor = system.floor(system.mesh.vertices)
        if loads is not None:
            self.loads = loads

    def elements(self, X: Float[Tensor, "m 3 3"], x: Float[Tensor, "n 3"]) -> Elements:
        return Elements(self.mesh.vertices, x, self.tets, self.material, X)

    def dead(self, X: Tensor) -> Float[Tensor, "n 3"]:
        return super().dead(self.mesh.vertices)

    def floor(self, X: Tensor) -> float:
        return self._floor


def solve_plastic(
    system: System, target: Float[Tensor, "n 3"], *, max_steps: int, quiet: bool = True
) -> tuple[Float[Tensor, "n 3"], Float[Tensor, "n 3"], list[float], bool]:
    """Rest positions by descent of ``|x - target|^2 / 2`` over symmetric stretches ``S``, elements having the energy ``V det S Psi(F
    S^-1)``.

    The gradient comes from one adjoint solve a step. Steps have the length of Barzilai and Borwein and are halved until the distance
    falls, so
    that it falls monotonically. Stretches need not fit together: the rest shape is where the stretched elements come to rest without
    loads, and the last equilibrium is that of this shape.

    Returns:
        The rest positions, their equilibrium under the loads, the mean squared distance of the stretched body step by step (m^2), and
        whether all equilibria were found.

    Source: M. Guo et al., arXiv:2405.20510 (fixed steps of 0.2 there); J. Barzilai, J. M. Borwein, IMA J. Numer. Anal. 8 (1988).
    """
    stretched = _Stretched(system)
    eye = torch.eye(3, dtype=torch.float64)
    S = eye.repeat(len(system.tets), 1, 1)
    x, _, good = minimise(stretched, S, target.clone(), tolerance=TOLERANCE, max_steps=300)
    if not good:
        return target.clone(), x, [float((x - target).square().sum(1).mean())], False
    history = [float((x - target).square().sum(1).mean())]
    before: tuple[Tensor, Tensor] | None = None
    size = float(system.mesh.size().max())
    with progress(max_steps, "plastic stretches", quiet) as bar:
        for _ in range(max_steps):
            slope = _gradient(stretched, S, x, target)
            top = float(slope.abs().max())
            if not top:
                break
            length = FIRST / top
            if before is not None:
                dS, dg = S - before[0], slope - before[1]
                curved = float((dS * dg).sum())
                length = float(dS.square().sum()) / curved if curved > 0 else 2 * length
                length = min(length, 10 * FIRST / top)
            found = None
            for _ in range(20):
                there = _admissible(S - length * slope)
                moved, _, came = minimise(stretched, there, x.clone(), tolerance=TOLERANCE, max_steps=60)
                now = float((moved - target).square().sum(1).mean())
                if came and now < history[-1]:
                    found = there, moved, now
                    break
                length /= 2
            if found is None:
                break
            before = (S, slope)
            still = float((found[1] - x).norm(dim=1).max()) < STILL * size
            S, x, now = found
            history.append(now)
            bar.advance(1, distance=now**0.5)
            if still:
                break
    unloaded = _Stretched(system, Loads(gravity=(0.0, 0.0, 0.0)))
    X, _, rested = minimise(unloaded, S, target.clone(), tolerance=TOLERANCE, max_steps=300)
    if not rested:
        return target.clone(), x, history, False
    x, _, good = minimise(system, X, x, tolerance=1e-9, max_steps=300)
    return X, x, history, good


def _gradient(system: _Stretched, S: Tensor, x: Tensor, target: Tensor) -> Tensor:
    """Of half the squared distance by the stretches, symmetric: the adjoint ``K d = x - target`` against the forces' derivatives."""
    away = system.symmetric((x - target).masked_fill(system.fixed.unsqueeze(1), 0.0))
    adjoint = -system.step(system.stiffness(system.elements(S, x)), away)
    own = S.clone().requires_grad_()
    with torch.enable_grad():
        work = (system.elements(own, x).forces() * adjoint).sum()
        slope = torch.autograd.grad(work, own)[0]
    return -(slope + slope.mT) / 2


def _admissible(S: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh((S + S.mT) / 2)
    return (vectors * values.clamp_min(THINNEST).unsqueeze(1)) @ vectors.mT
