"""Lattices in log-polar coordinates: six numbers of which a crystal family leaves some free and fixes the others."""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from erlangen.errors import ArgumentError

#: Symmetric matrices, orthogonal to each other: three shears, two changes of shape, and the size.
BASIS = torch.tensor(
    [
        [[0, 1, 0], [1, 0, 0], [0, 0, 0]],
        [[0, 0, 1], [0, 0, 0], [1, 0, 0]],
        [[0, 0, 0], [0, 0, 1], [0, 1, 0]],
        [[1, 0, 0], [0, -1, 0], [0, 0, 0]],
        [[1, 0, 0], [0, 1, 0], [0, 0, -2]],
        [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    ],
    dtype=torch.float64,
)
#: Which of the six are free; of a hexagonal cell the first is fixed by its angle of 120 degrees, all others that are not free are 0.
FREE = {
    "triclinic": (True, True, True, True, True, True),
    "monoclinic": (False, True, False, True, True, True),
    "orthorhombic": (False, False, False, True, True, True),
    "tetragonal": (False, False, False, False, True, True),
    "trigonal": (False, False, False, False, True, True),
    "hexagonal": (False, False, False, False, True, True),
    "cubic": (False, False, False, False, False, True),
}
HEXAGONAL = -math.log(3) / 4


def family(crystal_system: str) -> tuple[Bool[Tensor, " 6"], Float[Tensor, " 6"]]:
    """Which coordinates of a conventional cell in its standard setting are free, and what the others are.

    Monoclinic cells have b as their axis, trigonal ones are in hexagonal axes.

    Raises:
        ArgumentError: there is no such crystal system.

    >>> free, fixed = family("cubic")
    >>> free.tolist()
    [False, False, False, False, False, True]
    """
    if crystal_system not in FREE:
        raise ArgumentError("crystal_system", ", ".join(FREE), repr(crystal_system))
    fixed = torch.zeros(6, dtype=torch.float64)
    if crystal_system in ("trigonal", "hexagonal"):
        fixed[0] = HEXAGONAL
    return torch.tensor(FREE[crystal_system]), fixed


def log_polar(cell: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 6"]:
    """Coordinates ``k`` of ``S`` in ``L = exp(S) Q``, rows lattice vectors: its stretch, whatever its orientation and hand.

    The last is the logarithm of the cube root of the volume.

    Source: Jiao et al., "Space group constrained crystal generation", ICLR 2024, arXiv:2402.03992.

    >>> log_polar(torch.eye(3) * math.e)
    tensor([0., 0., 0., 0., 0., 1.])
    """
    values, vectors = torch.linalg.eigh(cell @ cell.mT)
    stretch = (vectors * (0.5 * values.log()).unsqueeze(-2)) @ vectors.mT
    basis = BASIS.to(cell)
    return torch.einsum("...ij,kij->...k", stretch, basis) / basis.square().sum((1, 2))


def from_log_polar(k: Float[Tensor, "*batch 6"]) -> Float[Tensor, "*batch 3 3"]:
    """A lattice with these coordinates: ``exp(S)``, symmetric and right-handed.

    >>> k = torch.tensor([0.1, -0.2, 0.3, 0.1, 0.0, 1.2], dtype=torch.float64)
    >>> bool((log_polar(from_log_polar(k)) - k).abs().max() < 1e-12)
    True
    """
    return torch.linalg.matrix_exp(torch.einsum("...k,kij->...ij", k, BASIS.to(k)))  # type: ignore[no-any-return]
