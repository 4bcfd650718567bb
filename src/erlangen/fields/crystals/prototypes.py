"""Prototypes of crystals from the AFLOW library, as the package `pyriodic-aflow` ships them; its file is read, nothing is imported."""

from __future__ import annotations

import json
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from erlangen.extras import shipped


@dataclass(frozen=True, eq=False)
class Prototype:
    """A crystal structure.

    Attributes:
        name: Pearson symbol and composition, ``"cF8-C"``.
        space_group: its number.
        cell: lattice vectors as rows, float64 ``[3, 3]``, angstrom.
        positions: float64 ``[n, 3]``, angstrom; the file holds them rounded to single precision.
        kinds: which of the structure's elements an atom is, int64 ``[n]``, from 0 up.
    """

    name: str
    space_group: int
    cell: Float[Tensor, "3 3"]
    positions: Float[Tensor, "n 3"]
    kinds: Int[Tensor, " n"]


def prototypes() -> dict[str, Prototype]:
    """All 579 structures by name; a name that several have is followed by ``" (2)"`` and so on.

    Raises:
        MissingExtra: ``pyriodic-aflow`` is not installed.

    Source: M. J. Mehl et al., "The AFLOW library of crystallographic prototypes", Comp. Mat. Sci. 136 (2017); ``pyriodic-aflow`` 0.1.1
    (M. Spellings, GPL-3).
    """
    path = shipped("prototypes", "pyriodic_aflow") / "unit_cells" / "aflow_db.json"
    found: dict[str, Prototype] = {}
    for entry in json.loads(path.read_text()):
        width, depth, height, xy, xz, yz = entry["box"]
        cell = torch.tensor([[width, 0, 0], [xy * depth, depth, 0], [xz * height, yz * height, height]], dtype=torch.float64)
        name, count = entry["name"], 1
        while name in found:
            count += 1
            name = f"{entry['name']} ({count})"
        positions = torch.tensor(entry["positions"], dtype=torch.float64)
        found[name] = Prototype(name, int(entry["space_group"]), cell, positions, torch.tensor(entry["types"]))
    return found
