"""Crystals as what a diffusion model is trained on, and back."""

from __future__ import annotations

import torch
from torch import Tensor

from erlangen.fields.crystals.crystal import FLAT, Crystal
from erlangen.fields.crystals.dataset import CrystalDataset
from erlangen.fields.crystals.diffcsp.network import ELEMENTS

#: Cells of a smaller volume, in cubic angstrom, are no crystals.
SMALLEST = 0.1


def record(data: CrystalDataset, types: bool, dtype: torch.dtype) -> dict[str, Tensor]:
    """``lattice [B, 3, 3]``, ``frac [B, n, 3]``, ``mask [B, n]``, and ``numbers [B, n]`` or, one-hot, ``types [B, n, 100]``."""
    padded = data.padded()
    made = {"lattice": padded["cell"].to(dtype), "frac": padded["frac"].to(dtype), "mask": padded["mask"]}
    return {**made, **kinds(padded["numbers"], padded["mask"], types, dtype)}


def empty(numbers: list[list[int]], types: bool, dtype: torch.dtype) -> dict[str, Tensor]:
    """A record that says of which atoms there shall be crystals, and nothing else."""
    sizes = torch.tensor([len(one) for one in numbers])
    mask = torch.arange(int(sizes.max())) < sizes.unsqueeze(1)
    padded = torch.zeros(mask.shape, dtype=torch.int64)
    padded[mask] = torch.tensor([number for one in numbers for number in one])
    made = {"lattice": torch.zeros(len(mask), 3, 3, dtype=dtype), "frac": torch.zeros(*mask.shape, 3, dtype=dtype), "mask": mask}
    return {**made, **kinds(padded, mask, types, dtype)}


def kinds(numbers: Tensor, mask: Tensor, types: bool, dtype: torch.dtype) -> dict[str, Tensor]:
    """What the atoms are, as numbers or as vectors."""
    if not types:
        return {"numbers": numbers}
    one_hot = torch.nn.functional.one_hot((numbers - 1).clamp(min=0), ELEMENTS).to(dtype)
    return {"types": torch.where(mask.unsqueeze(-1), one_hot, 0)}


def crystals(made: dict[str, Tensor], as_is: bool = False) -> list[Crystal | None]:
    """The crystals of a record, in right-handed cells unless ``as_is``; ``None`` for a cell without volume."""
    numbers = made["numbers"] if "numbers" in made else made["types"].argmax(-1) + 1
    found: list[Crystal | None] = []
    for cell, frac, number, there in zip(made["lattice"].double(), made["frac"].double(), numbers, made["mask"]):
        if not has_volume(cell) or not bool(frac.isfinite().all()):
            found.append(None)
        else:
            one = Crystal(cell, frac[there], number[there])
            found.append(one if as_is else one.right_handed())
    return found


def has_volume(cell: Tensor) -> bool:
    """Whether a lattice can be that of a crystal."""
    if not bool(cell.isfinite().all()):
        return False
    box, volume = float(cell.norm(dim=1).prod()), abs(float(torch.linalg.det(cell)))
    return volume > max(SMALLEST, 10 * FLAT * box)
