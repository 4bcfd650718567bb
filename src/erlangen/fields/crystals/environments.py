"""What an atom of a noisy crystal sees: the nearest of its neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from erlangen.actions.neighbours import neighbours
from erlangen.actions.ragged import to_dense
from erlangen.errors import ArgumentError
from erlangen.fields.crystals.prototypes import Prototype

#: Neighbours that noise may bring among the nearest: all within so many shortest distances.
REACH = 2.6


@dataclass(frozen=True, eq=False)
class Environments:
    """Atoms of several crystals with their nearest neighbours, the nearest first.

    Attributes:
        r: differences to the neighbours, ``[M, n, 3]``, in units of the crystal's shortest distance.
        centre: the kind of each atom, int64 ``[M]``.
        around: those of its neighbours, int64 ``[M, n]``.
        label: which crystal, int64 ``[M]``.
        noise: of the positions, ``[M]``.
    """

    r: Float[Tensor, "M n 3"]
    centre: Int[Tensor, " M"]
    around: Int[Tensor, "M n"]
    label: Int[Tensor, " M"]
    noise: Float[Tensor, " M"]

    def __len__(self) -> int:
        return len(self.r)

    def __getitem__(self, some: slice | Tensor) -> Environments:
        return Environments(self.r[some], self.centre[some], self.around[some], self.label[some], self.noise[some])

    def features(self) -> Float[Tensor, "M n 2k"]:
        """For each neighbour the difference and the sum of the one-hot kinds of it and of the atom."""
        size = int(max(self.centre.max(), self.around.max())) + 1
        i = torch.nn.functional.one_hot(self.centre, size).unsqueeze(1)
        j = torch.nn.functional.one_hot(self.around, size)
        return torch.cat([j - i, j + i], -1).to(self.r)


def environments(
    crystals: Sequence[Prototype], count: int, noises: Sequence[float] = (1e-3, 0.05, 0.1), nearest: int = 12, seed: int = 0
) -> Environments:
    """So many atoms of each crystal at each noise, drawn anew: of infinite crystals, all of whose atoms are moved independently.

    Args:
        crystals: their order makes the labels.
        count: atoms of each, for each noise.
        noises: standard deviations of each coordinate, in units of the shortest distance.
        nearest: neighbours of each.
        seed: of atoms and noise.

    Raises:
        ArgumentError: a count below 1, noise above 0.3, more neighbours than lie within reach.

    Source: M. Spellings, ``flowws-keras-geometry`` 0.5.1; the crystals of its example are ``hP2-Mg``, ``cI2-W``, ``cF4-Cu``, ``cF8-C``,
    ``cF8-SZn``, ``cP46-Si``, ``cF136-Si`` and ``cP2-ClCs``.
    """
    for name, number in (("count", count), ("nearest", nearest)):
        if not isinstance(number, int) or number < 1:
            raise ArgumentError(name, "a positive integer", repr(number))
    if not all(0 <= noise <= 0.3 for noise in noises):
        raise ArgumentError("noises", "numbers from 0 to 0.3", list(noises))
    generator = torch.Generator().manual_seed(seed)
    parts: list[Environments] = []
    for label, crystal in enumerate(crystals):
        around, there, kinds = _ideal(crystal)
        if int(there.sum(1).min()) < nearest:
            raise ArgumentError("nearest", f"at most {int(there.sum(1).min())} neighbours of {crystal.name}", repr(nearest))
        for noise in noises:
            which = torch.randint(len(around), (count,), generator=generator)
            moved = noise * torch.randn(count, around.shape[1] + 1, 3, generator=generator, dtype=torch.float64)
            r = around[which] + moved[:, 1:] - moved[:, :1]
            far = torch.where(there[which], r.norm(dim=-1), torch.inf)
            order = far.argsort(1)[:, :nearest]
            r = r.gather(1, order.unsqueeze(-1).expand(-1, -1, 3))
            same = torch.full((count,), label)
            parts.append(
                Environments(
                    r, crystal.kinds[which], kinds[which].gather(1, order), same, torch.full((count,), noise, dtype=torch.float64)
                )
            )
    names = ("r", "centre", "around", "label", "noise")
    return Environments(*(torch.cat([getattr(part, name) for part in parts]) for name in names))


def _ideal(crystal: Prototype) -> tuple[Tensor, Tensor, Tensor]:
    """Differences to all neighbours within reach, which places hold one, their kinds; the shortest distance is 1."""
    cell = crystal.cell.unsqueeze(0)
    far = float(crystal.cell.norm(dim=1).max()) * 1.01
    edges, images = neighbours(crystal.positions, far, cell=cell)
    shortest = float(_differences(crystal, edges, images).norm(dim=1).min())
    edges, images = neighbours(crystal.positions, REACH * shortest, cell=cell)
    around, there = to_dense(_differences(crystal, edges, images) / shortest, edges[1])
    kinds, _ = to_dense(crystal.kinds[edges[0]], edges[1])
    return around, there, kinds


def _differences(crystal: Prototype, edges: Tensor, images: Tensor) -> Tensor:
    j, i = edges
    return crystal.positions[j] + images.double() @ crystal.cell - crystal.positions[i]
