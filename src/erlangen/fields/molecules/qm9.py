"""QM9: 133,885 small organic molecules with relaxed geometries and quantum-chemical properties, read one by one."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.extras import shipped

#: Atomic numbers of the five elements.
NUMBERS = {"H": 1, "C": 6, "N": 7, "O": 8, "F": 9}
BRACKETS = str.maketrans("", "", "[]")
#: Atoms nearer than this are bonded, angstrom: with hydrogen, and without. In QM9 no pair without a bond is nearer than 1.8.
WITH_HYDROGEN, HEAVY = 1.3, 1.75


class Molecule(NamedTuple):
    """One molecule.

    Attributes:
        name, smiles: what it is called.
        numbers: atomic numbers.
        pos: positions in angstrom, float64 ``[n, 3]``.
        dipole: length of the dipole moment, debye.
        homo: energy of the highest occupied orbital, hartree.
    """

    name: str
    smiles: str
    numbers: list[int]
    pos: Float[Tensor, "n 3"]
    dipole: float
    homo: float

    def bonds(self) -> Int[Tensor, "2 E"]:
        """Both directions of every bond, told by distances."""
        return self.bonded(self.numbers, torch.cdist(self.pos, self.pos))

    @staticmethod
    def bonded(numbers: list[int], distances: Float[Tensor, "n n"]) -> Int[Tensor, "2 E"]:
        """Both directions of every bond between atoms of these elements, so far from one another."""
        light = torch.tensor(numbers) == 1
        reach = torch.where(light[:, None] | light, WITH_HYDROGEN, HEAVY).masked_fill(light[:, None] & light, 0.0)
        return (distances < reach).fill_diagonal_(False).nonzero().T


def read_qm9() -> Iterator[Molecule]:
    """The molecules in the order of their files: from small to large.

    Raises:
        MissingExtra: the package ``qm9pack`` is not installed (extra ``qm9``, 103 MB). Its files are read; it is not imported.
        ArgumentError: a file of it is not there.

    Source: Ramakrishnan, Dral, Rupp & von Lilienfeld, Scientific Data 2014, doi:10.1038/sdata.2014.22.
    """
    folder = shipped("qm9", "qm9pack") / "data"
    for part in (1, 2, 3):
        path = folder / f"qm9_part{part}.csv"
        if not path.is_file():
            raise ArgumentError("qm9pack", f"a file {path.name} in the package", "none")
        with path.open(newline="") as lines:
            for row in csv.DictReader(lines):
                elements = json.loads(row["Elements"].replace("'", '"'))
                # Some numbers are written 0. or 2.*^-6, which is no JSON.
                numbers = row["XYZ_Ang"].translate(BRACKETS).replace("*^", "e").split(",")
                pos = torch.tensor([float(x) for x in numbers], dtype=torch.float64).reshape(-1, 3)
                yield Molecule(
                    row["XYZ_file"].removesuffix(".xyz"),
                    row["SMILES"],
                    [NUMBERS[e] for e in elements],
                    pos,
                    float(row["Dipole_debye"].replace("*^", "e")),
                    float(row["HOMO_au"].replace("*^", "e")),
                )
