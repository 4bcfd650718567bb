"""Fragments of the real molecules of the G2 set, with their masses, and their tensors of inertia.

The G2 set's 162 geometries come with ASE (A. Larsen et al., J. Phys. Condens. Matter 29 (2017) 273002): L. Curtiss, K. Raghavachari,
P. Redfern and J. Pople, J. Chem. Phys. 106 (1997) 1063. Molecules stand there in their own standard orientation, as a data base has them.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.extras import engine

#: Every fourth molecule, by name, is kept for testing.
HELD = 4


class Fragments(NamedTuple):
    """Groups of atoms.

    Attributes:
        masses: in u, ``[N, atoms]``.
        positions: in angstrom about the centre of mass, ``[N, atoms, 3]``.
        molecules: the formula each was taken from.
    """

    masses: Float[Tensor, "N atoms"]
    positions: Float[Tensor, "N atoms 3"]
    molecules: tuple[str, ...]


def g2_fragments(
    count: int, atoms: int = 5, *, split: Literal["train", "test"] = "train", generator: torch.Generator | None = None
) -> Fragments:
    """Random atoms, in random order, of random molecules of the G2 set; the two splits share no molecule.

    Args:
        count: how many fragments.
        atoms: of each; molecules with fewer are left out.
        split: three quarters of the molecules, or the rest.

    Raises:
        MissingExtra: ASE is not installed.
        ArgumentError: no molecule has so many atoms.
    """
    if count < 1:
        raise ArgumentError("count", "a positive number", repr(count))
    if split not in ("train", "test"):
        raise ArgumentError("split", "'train' or 'test'", repr(split))
    g2 = engine("molecules", "ase.collections").g2
    every = [(name, g2[name]) for name in sorted(g2.names)]
    large = [pair for pair in every if len(pair[1]) >= atoms > 0]
    kept = [pair for i, pair in enumerate(large) if (i % HELD == HELD - 1) == (split == "test")]
    if not kept:
        raise ArgumentError("atoms", f"1 to {max(len(m) for _, m in every) - 1} atoms", repr(atoms))
    masses, positions, names = [], [], []
    for which in torch.randint(len(kept), (count,), generator=generator).tolist():
        name, molecule = kept[which]
        chosen = torch.randperm(len(molecule), generator=generator)[:atoms].numpy()
        masses.append(torch.from_numpy(molecule.get_masses()[chosen]))
        positions.append(torch.from_numpy(molecule.positions[chosen]))
        names.append(name)
    weight, place = torch.stack(masses), torch.stack(positions)
    centre = (weight.unsqueeze(-1) * place).sum(1, keepdim=True) / weight.sum(1)[:, None, None]
    return Fragments(weight, place - centre, tuple(names))


def inertia_tensor(
    masses: Float[Tensor, "*batch atoms"], positions: Float[Tensor, "*batch atoms 3"]
) -> Float[Tensor, "*batch 3 3"]:
    """``sum m (|r|^2 1 - r r^T)`` about the origin.

    >>> inertia_tensor(torch.tensor([2.0]), torch.tensor([[0.0, 0.0, 3.0]]))
    tensor([[18.,  0.,  0.],
            [ 0., 18.,  0.],
            [ 0.,  0.,  0.]])
    """
    outer = torch.einsum("...a,...ai,...aj->...ij", masses, positions, positions)
    trace = outer.diagonal(dim1=-2, dim2=-1).sum(-1)[..., None, None]
    return trace * torch.eye(3, dtype=positions.dtype, device=positions.device) - outer
