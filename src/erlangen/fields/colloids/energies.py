"""Energies of perfect lattices under a program, and their phonons."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.fields.colloids.boxes import Box, Periodic
from erlangen.fields.colloids.lattices import Lattice
from erlangen.fields.colloids.neighbours import near_pairs
from erlangen.fields.colloids.programs import Program


def program_energy(program: Program, x: Float[Tensor, "two n"], box: Box, pairs: tuple[Tensor, Tensor] | None = None) -> Tensor:
    """The energy of one configuration ``[dim, n]`` without delays; differentiable.

    Args:
        pairs: neighbours in both orders within the program's range, where they are known.
    """
    if pairs is None:
        pairs = near_pairs(x.detach(), x.detach(), program.range, 1, x.shape[1], box)
    i, j = pairs
    rho = box.nearest(x[:, i] - x[:, j]).square().sum(0).clamp_min(1e-36).sqrt()
    total = x.new_zeros(())
    for potential in (program.cross, program.core):
        if potential is not None:
            total = total + potential.energy(rho).sum() / 2
    for many in program.many:
        total = total + many.energy(x, pairs, box)
    return total


def lattice_energy(program: Program, lattice: Lattice) -> float:
    """Energy per particle of a perfect lattice."""
    if program.many:
        points, cell, _ = lattice.repeated(program.range)
        return float(program_energy(program, points.T.contiguous(), Periodic(cell))) / len(points)
    rho = torch.cat(lattice.vectors(program.range)).norm(dim=1)
    total = sum(p.energy(rho).sum() for p in (program.cross, program.core) if p is not None)
    return float(total) / 2 / len(lattice.motif)


def best_spacing(program: Program, lattice: Lattice, low: float, high: float) -> tuple[float, float]:
    """The lowest energy per particle over nearest-neighbour distances, and that distance."""
    from scipy.optimize import minimize_scalar

    if not program.many:
        return _best_of_pairs(program, lattice, low, high)

    def energy(a: float) -> float:
        return lattice_energy(program, lattice.scaled(a))

    tried = torch.linspace(low, high, 23).tolist()
    values = [energy(a) for a in tried]
    best = min(range(len(tried)), key=values.__getitem__)
    bounds = (tried[max(0, best - 1)], tried[min(len(tried) - 1, best + 1)])
    found = minimize_scalar(energy, bounds=bounds, method="bounded", options={"xatol": 1e-4})
    return (float(found.fun), float(found.x)) if found.fun < values[best] else (values[best], tried[best])


def _best_of_pairs(program: Program, lattice: Lattice, low: float, high: float) -> tuple[float, float]:
    """All spacings at once, on a grid that is made finer twice."""
    unit = lattice.scaled(1.0)
    rho = torch.cat(unit.vectors(program.range / low)).norm(dim=1)
    value, where = math.inf, low
    for _ in range(3):
        a = torch.linspace(low, high, 201, dtype=torch.float64)
        scaled = a.unsqueeze(1) * rho
        total = torch.zeros_like(a)
        for potential in (program.cross, program.core):
            if potential is not None:
                total = total + potential.energy(scaled).sum(1)
        energies = total / 2 / len(lattice.motif)
        best = int(energies.argmin())
        value, where = float(energies[best]), float(a[best])
        low, high = float(a[max(0, best - 2)]), float(a[min(len(a) - 1, best + 2)])
    return value, where


@dataclass(frozen=True, eq=False)
class Phonons:
    """Squared frequencies of an overdamped lattice are the rates at which displacements relax, times the friction.

    Attributes:
        k: fractional wave vectors ``[m, 2]``.
        squared: eigenvalues of the dynamical matrix, ascending, ``[m, bands]``.
        stable: all but the two translations at ``k = 0`` are positive.
        floppy: none is negative, but some vanish.
        lowest: the smallest but those, relative to the largest.
    """

    k: Tensor
    squared: Tensor
    lowest: float

    @property
    def stable(self) -> bool:
        return self.lowest > 1e-6

    @property
    def floppy(self) -> bool:
        return -1e-6 < self.lowest <= 1e-6


def phonons(program: Program, lattice: Lattice, points: int = 8) -> Phonons:
    """The dynamical matrix ``D(k) = sum_R d^2E / du_0 du_R exp(i k R)`` by automatic differentiation, on a grid of wave vectors.

    Args:
        program: pair potentials and many-body programs, taken without delay.
        lattice: where particles are at rest.
        points: along each reciprocal vector.

    Raises:
        ArgumentError: particles are not at rest there.
    """
    reach = program.range * (2 if program.many else 1)
    x, cell, repeats = lattice.repeated(reach)
    box = Periodic(cell)
    m, dim = len(lattice.motif), 2
    x = x.T.contiguous()
    pairs = near_pairs(x, x, program.range * (1 + 1e-9), 1, x.shape[1], box)
    u = torch.zeros_like(x, requires_grad=True)
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(program_energy(program, x + u, box, pairs), u, create_graph=True)
        rows = [torch.autograd.grad(gradient[axis, atom], u, retain_graph=True)[0] for atom in range(m) for axis in range(dim)]
    hessian = torch.stack(rows).detach()  # [m * dim, dim, all]
    scale = float(hessian.abs().max())
    if float(gradient.detach().abs().max()) > 1e-3 * max(scale, 1e-300):
        raise ArgumentError(
            "lattice",
            "one whose particles are at rest under the program",
            f"forces up to {float(gradient.detach().abs().max()):.3g}",
        )
    shifts = torch.cartesian_prod(*[torch.arange(r) for r in repeats]).double()
    # The nearest image of every cell of the supercell; which one of equally far ones does not matter, forces have ended there.
    shifts = shifts - torch.tensor(repeats) * (shifts / torch.tensor(repeats)).round()
    blocks = hessian.reshape(m * dim, dim, len(shifts), m).permute(2, 0, 3, 1).reshape(len(shifts), m * dim, m * dim)
    k = torch.cartesian_prod(torch.arange(points), torch.arange(points)).double() / points
    phase = torch.exp(2j * math.pi * (k @ shifts.T))
    matrix = torch.einsum("kr,rab->kab", phase, blocks.to(phase.dtype))
    squared = torch.linalg.eigvalsh((matrix + matrix.mH) / 2)
    largest = float(squared.max().clamp_min(1e-300))
    # The two translations at k = 0 are exact zeros, wherever they stand among the others.
    optical = squared[0][squared[0].abs().argsort()[2:]]
    rest = torch.cat([optical, squared[1:].flatten()])
    return Phonons(k, squared, float(rest.min()) / largest)
