"""A crystal in a few numbers: distances to the nearest neighbours, and where its elements stand in the periodic table."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.actions.neighbours import neighbours
from erlangen.actions.ragged import to_dense
from erlangen.fields.crystals.composition import NOBLE, group_of
from erlangen.fields.crystals.crystal import Crystal

#: Neighbours of each atom, and how far they are looked for, in units of the cube root of the volume per atom.
NEAREST, REACH = 12, 3.0


def neighbour_fingerprint(crystals: Sequence[Crystal]) -> Float[Tensor, "N 24"]:
    """Mean and standard deviation over atoms of the distances to the twelve nearest neighbours, in order, in units of the cube root of
    the volume per atom. It does not know elements. Neighbours beyond three units count as at three.

    >>> iron = Crystal(2.87 * torch.eye(3), torch.tensor([[0.0, 0, 0], [0.5, 0.5, 0.5]]), ["Fe", "Fe"])
    >>> neighbour_fingerprint([iron])[0, [0, 7, 8, 12]].round(decimals=3)              # eight at once, the next ones farther
    tensor([1.0910, 1.0910, 1.2600, 0.0000], dtype=torch.float64)
    """
    scales = [(one.volume / len(one)) ** (1 / 3) for one in crystals]
    sizes = torch.tensor([len(one) for one in crystals])
    segment = torch.repeat_interleave(torch.arange(len(crystals)), sizes)
    pos = torch.cat([one.cartesian / scale for one, scale in zip(crystals, scales)])
    cell = torch.stack([one.cell / scale for one, scale in zip(crystals, scales)])
    (j, i), images = neighbours(pos, REACH, batch=segment, cell=cell, max_neighbours=NEAREST)
    vectors = pos[j] + (images.to(pos).unsqueeze(1) @ cell[segment[i]]).squeeze(1) - pos[i]
    # Rows of far points make sure that each atom has twelve.
    lengths = torch.cat([vectors.norm(dim=1), pos.new_full((NEAREST * len(pos),), REACH)])
    owner = torch.cat([i, torch.arange(len(pos)).repeat_interleave(NEAREST)])
    order = torch.argsort(owner, stable=True)
    dense, there = to_dense(lengths[order].unsqueeze(1), owner[order])
    nearest = torch.where(there, dense.squeeze(-1), torch.inf).sort(1).values[:, :NEAREST]
    return _moments(nearest, segment, len(crystals))


def element_fingerprint(crystals: Sequence[Crystal]) -> Float[Tensor, "N 6"]:
    """Mean and standard deviation over atoms of the atomic number, the period and the group of the elements."""
    sizes = torch.tensor([len(one) for one in crystals])
    segment = torch.repeat_interleave(torch.arange(len(crystals)), sizes)
    numbers = torch.cat([one.numbers for one in crystals])
    table = [[0.0] * 3] + [[z, 1 + sum(z > noble for noble in NOBLE), group_of(z)] for z in range(1, 119)]
    places = torch.tensor(table, dtype=torch.float64)[numbers]
    return _moments(places, segment, len(crystals))


def _moments(x: Tensor, segment: Tensor, size: int) -> Tensor:
    """Mean and standard deviation of rows over each segment."""
    total = torch.bincount(segment, minlength=size).unsqueeze(1)
    mean = torch.zeros(size, x.shape[1], dtype=x.dtype).index_add(0, segment, x) / total
    off = (x - mean[segment]).square()
    return torch.cat([mean, (torch.zeros_like(mean).index_add(0, segment, off) / total).sqrt()], 1)
