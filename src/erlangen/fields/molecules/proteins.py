"""Proteins as beads, one at the centroid of each residue, and the atoms that a coarse model leaves out."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.extras import shipped

RESIDUES = (
    "ALA", "ARG", "ASN", "ASP", "CYS", "GLN", "GLU", "GLY", "HIS", "ILE",
    "LEU", "LYS", "MET", "PHE", "PRO", "SER", "THR", "TRP", "TYR", "VAL",
)  # fmt: skip
#: Beads of neighbours in the chain that are farther than this are on the other side of a gap, angstrom.
GAP = 10.0


@dataclass(frozen=True, eq=False)
class Protein:
    """Heavy atoms of the usual twenty residues.

    Attributes:
        positions: angstrom, float64 ``[N, 3]``.
        names: of the atoms: ``"CA"``.
        residue: of each atom, from 0 up in the order of the file, int64 ``[N]``.
        kinds: of each residue, its place in :data:`RESIDUES`, int64 ``[R]``.
        chains: of each residue, and its number there.
    """

    positions: Float[Tensor, "N 3"]
    names: tuple[str, ...]
    residue: Int[Tensor, " N"]
    kinds: Int[Tensor, " R"]
    chains: tuple[tuple[str, int], ...]

    def beads(self) -> Float[Tensor, "R 3"]:
        """The centroid of each residue's heavy atoms."""
        count = torch.bincount(self.residue, minlength=len(self.kinds)).unsqueeze(1)
        return torch.zeros(len(self.kinds), 3, dtype=torch.float64).index_add(0, self.residue, self.positions) / count


@dataclass(frozen=True, eq=False)
class Residues:
    """Residues with the beads about them.

    Attributes:
        r: from the residue's own bead to beads, its own first, then those before and after it in the chain, then the nearest others,
            angstrom ``[M, n, 3]``.
        around: kinds of the beads' residues, int64 ``[M, n]``.
        atoms: from the residue's bead to its atoms, padded with zeros, ``[M, L, 3]``.
        labels: kinds of these atoms, places in ``kinds``, int64 ``[M, L]``.
        there: which are atoms, ``[M, L]``.
        protein: which protein a residue is of, int64 ``[M]``.
        kinds: pairs of residue and atom, ``("ALA", "CA")``.
    """

    r: Float[Tensor, "M n 3"]
    around: Int[Tensor, "M n"]
    atoms: Float[Tensor, "M L 3"]
    labels: Int[Tensor, "M L"]
    there: Bool[Tensor, "M L"]
    protein: Int[Tensor, " M"]
    kinds: tuple[tuple[str, str], ...]

    def __len__(self) -> int:
        return len(self.r)

    def __getitem__(self, some: slice | Tensor) -> Residues:
        names = ("r", "around", "atoms", "labels", "there", "protein")
        return replace(self, **{name: getattr(self, name)[some] for name in names})

    def features(self) -> Float[Tensor, "M n 24"]:
        """One-hot kinds of the beads, and which is the residue's own, the one before, the one after, another."""
        kind = torch.nn.functional.one_hot(self.around, len(RESIDUES))
        role = torch.nn.functional.one_hot(torch.arange(self.r.shape[1]).clamp_max(3), 4).expand(len(self), -1, -1)
        return torch.cat([kind, role], -1).to(self.r)


def read_protein(path: str | Path) -> Protein:
    """The first model of a PDB file, also a gzipped one; of alternatives the first.

    Raises:
        ArgumentError: it has no atoms of the usual residues.
    """
    path = Path(path)
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    chains: dict[tuple[str, int, str], int] = {}
    kinds, names, residue, positions = [], [], [], []
    seen: set[tuple[int, str]] = set()
    for line in raw.decode("latin-1").splitlines():
        if line.startswith("ENDMDL"):
            break
        name, kind = line[12:16].strip(), line[17:20]
        if (
            not line.startswith("ATOM")
            or kind not in RESIDUES
            or line[16] not in " A1"
            or name.lstrip("0123456789").startswith("H")
        ):
            continue
        key = (line[21], int(line[22:26]), line[26])
        if key not in chains:
            chains[key] = len(chains)
            kinds.append(RESIDUES.index(kind))
        if (chains[key], name) in seen:
            continue
        seen.add((chains[key], name))
        residue.append(chains[key])
        names.append(name)
        positions.append([float(line[a : a + 8]) for a in (30, 38, 46)])
    if not positions:
        raise ArgumentError("path", "a PDB file with atoms of the usual residues", str(path))
    return Protein(
        torch.tensor(positions, dtype=torch.float64),
        tuple(names),
        torch.tensor(residue),
        torch.tensor(kinds),
        tuple((chain, number) for chain, number, _ in chains),
    )


def shipped_proteins() -> list[Protein]:
    """The 50 chains of 79 to 173 residues with which MDAnalysis tests its assignment of secondary structure.

    Raises:
        MissingExtra: ``MDAnalysisTests`` is not installed; it is not imported.
    """
    folder = shipped("proteins", "MDAnalysisTests") / "data" / "dssp"
    found = [read_protein(path) for path in sorted(folder.glob("*.pdb.gz")) if "failing" not in path.name]
    return [protein for protein in found if len(protein.kinds) >= 30]


def residues(proteins: Iterable[Protein], beads: int = 8) -> Residues:
    """All residues that have a neighbour on either side in the chain, with the beads about them.

    Args:
        proteins: their order numbers them.
        beads: of each, at least 3.

    Raises:
        ArgumentError: fewer than 3 beads, a protein that has fewer, or no residue.
    """
    if beads < 3:
        raise ArgumentError("beads", "at least 3: a residue's own and its neighbours'", repr(beads))
    kinds: dict[tuple[str, str], int] = {}
    r, around, atoms, labels, owner = [], [], [], [], []
    for number, protein in enumerate(proteins):
        centre = protein.beads()
        if len(centre) < beads:
            raise ArgumentError("beads", f"at most {len(centre)}, what protein {number} has", repr(beads))
        distance = torch.cdist(centre, centre)
        place = {chain: i for i, chain in enumerate(protein.chains)}
        mine: list[list[int]] = [[] for _ in protein.kinds]
        for atom, residue in enumerate(protein.residue.tolist()):
            mine[residue].append(atom)
        for (chain, count), i in place.items():
            before, after = place.get((chain, count - 1)), place.get((chain, count + 1))
            if before is None or after is None or float(distance[i, [before, after]].max()) > GAP:
                continue
            others = [j for j in distance[i].argsort().tolist() if j not in (i, before, after)]
            index = [i, before, after, *others][:beads]
            r.append(centre[index] - centre[i])
            around.append(protein.kinds[index])
            atoms.append(protein.positions[mine[i]] - centre[i])
            name = RESIDUES[int(protein.kinds[i])]
            labels.append(torch.tensor([kinds.setdefault((name, protein.names[a]), len(kinds)) for a in mine[i]]))
            owner.append(number)
    if not r:
        raise ArgumentError("proteins", "at least one residue with neighbours in its chain", "none")
    pad = torch.nn.utils.rnn.pad_sequence
    sizes = torch.tensor([len(a) for a in atoms])
    there = torch.arange(int(sizes.max())) < sizes.unsqueeze(1)
    return Residues(
        torch.stack(r), torch.stack(around), pad(atoms, True), pad(labels, True), there, torch.tensor(owner), tuple(kinds)
    )  # fmt: skip
