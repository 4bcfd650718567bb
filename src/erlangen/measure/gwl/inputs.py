"""`as_graph`: a geometric graph from what people have: PyG, ASE, RDKit, mappings. None of these is imported here."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from erlangen.actions.clouds import AtomBatch
from erlangen.actions.neighbours import neighbours
from erlangen.errors import ArgumentError
from erlangen.measure.gwl.graph import GeometricGraph, rounding_of

CUTOFF = "Pass as_graph(data, cutoff=...), or --cutoff on the command line"


def as_graph(data: Any, *, cutoff: float | None = None, name: str = "data") -> GeometricGraph:
    """A :class:`GeometricGraph` from another kind of object.

    Args:
        data: one of

            - a :class:`GeometricGraph`;
            - an RDKit ``Mol`` with a conformer: bonds are the edges, atomic numbers the labels;
            - an ASE ``Atoms``, or an :class:`~erlangen.actions.clouds.AtomBatch` of one structure: all pairs within the cutoff are edges,
              to periodic images too;
            - a PyG ``Data`` of one graph or a mapping: ``pos``, ``edge_index`` or a cutoff, and as far as there are ``z`` (or ``labels``,
              ``numbers``, ``atomic_numbers``, or integers in ``x``), ``vec`` (vectors of nodes), ``edge_vec`` or ``cell_offsets``,
              ``cell``, ``pbc``.

            What repeats becomes a periodic graph: two cells of one crystal are the same then.

        cutoff: take all pairs that are nearer than this, in the unit of the positions, for edges, whatever edges there are.
        name: what errors call it.

    Raises:
        ArgumentError: edges are neither given nor asked for; a batch of several graphs; edges of a periodic structure that do not say
            which images they join; a molecule that is a drawing in the plane; nothing of the above.

    >>> graph = as_graph({"pos": torch.eye(3), "z": [6, 1, 1]}, cutoff=1.5)
    >>> graph.edge_index.shape, graph.labels.tolist()
    (torch.Size([2, 6]), [6, 1, 1])
    """
    if cutoff is not None and not cutoff > 0:
        raise ArgumentError("cutoff", "a positive length", repr(cutoff))
    if isinstance(data, GeometricGraph):
        if cutoff is None:
            return data
        _need(not data.periodic, name, "a periodic graph, which has no cell", "Pass the structure itself with the cutoff")
        found = _within(data.pos, data.labels, cutoff, vectors=data.vectors)
        return dataclasses.replace(found, rounding=max(found.rounding, data.rounding))
    if hasattr(data, "GetConformer"):
        return _from_rdkit(data, cutoff, name)
    if hasattr(data, "get_positions") and hasattr(data, "numbers"):
        _need(cutoff is not None, name, "ASE Atoms have no edges")
        data = AtomBatch.from_ase(data, dtype=torch.float64)
    if isinstance(data, AtomBatch):
        return _from_atoms(data, cutoff, name)
    if isinstance(data, Mapping) or hasattr(data, "pos"):
        return _from_names(data, cutoff, name)
    raise ArgumentError(name, "a GeometricGraph, a mapping, PyG Data, ASE Atoms or an RDKit Mol", type(data).__name__)


def _from_atoms(atoms: AtomBatch, cutoff: float | None, name: str) -> GeometricGraph:
    if len(atoms) != 1:
        raise ArgumentError(name, "one structure", f"{len(atoms)} structures")
    if cutoff is not None:
        return _within(atoms.pos, atoms.numbers, cutoff, cell=atoms.cell, pbc=atoms.pbc)
    _need(atoms.edge_index is not None, name, "an AtomBatch without edges")
    return GeometricGraph.from_index(
        atoms.pos,
        atoms.edge_index,
        labels=atoms.numbers,
        edge_vec=atoms.to(torch.float64).vectors(),
        periodic=bool(atoms.pbc.any()),
        rounding=_rounding(atoms.pos, atoms.cell),
    )


def _from_rdkit(mol: Any, cutoff: float | None, name: str) -> GeometricGraph:
    if not mol.GetNumConformers():
        raise ArgumentError(name, "a molecule with a conformer", "one without", "rdkit.Chem.AllChem.EmbedMolecule makes one")
    pos = torch.tensor(mol.GetConformer().GetPositions(), dtype=torch.float64).reshape(-1, 3)
    labels = [atom.GetAtomicNum() for atom in mol.GetAtoms()]
    if _is_drawing(mol, pos):
        hint = "rdkit.Chem.AllChem.EmbedMolecule makes one"
        raise ArgumentError(name, "a molecule with a conformer in space", "a drawing in the plane, which has no handedness", hint)
    if cutoff is not None:
        return _within(pos, torch.tensor(labels), cutoff)
    return GeometricGraph.of(pos, [(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in mol.GetBonds()], labels=labels)


def _is_drawing(mol: Any, pos: Tensor) -> bool:
    """Flat, and either marked as a drawing or with stereocentres, which no flat molecule has."""
    centred = pos - pos.mean(0)
    extent = torch.linalg.svdvals(centred)
    if len(pos) < 4 or float(extent[-1]) > 1e-3 * float(extent[0]):
        return False
    return not mol.GetConformer().Is3D() or any(str(a.GetChiralTag()).startswith("CHI_TETRAHEDRAL") for a in mol.GetAtoms())


def _from_names(data: Any, cutoff: float | None, name: str) -> GeometricGraph:
    def part(*names: str) -> Any:
        for one in names:
            value = data.get(one) if isinstance(data, Mapping) else getattr(data, one, None)
            if value is not None:
                return value
        return None

    pos, batch = part("pos"), part("batch")
    if pos is None:
        raise ArgumentError(name, "positions, as 'pos'", "none")
    graphs = 1 if batch is None else int(torch.as_tensor(batch).max()) + 1
    if graphs > 1:
        raise ArgumentError(name, "one graph", f"a batch of {graphs}", "Take them one by one; a PyG Batch has to_data_list()")
    labels = part("labels", "z", "numbers", "atomic_numbers")
    if labels is None and (features := part("x")) is not None:
        features = torch.as_tensor(features)
        if features.is_floating_point() or features[0].numel() != 1:
            raise ArgumentError(
                name, "one integer for each node in 'z', 'labels' or 'x'", f"'x' {list(features.shape)} of {features.dtype}"
            )
        labels = features.reshape(-1)
    pos, cell, pbc = _floats(pos), part("cell"), part("pbc")
    if cutoff is not None:
        kinds = torch.zeros(len(pos), dtype=torch.int64) if labels is None else torch.as_tensor(labels)
        return _within(pos, kinds, cutoff, vectors=part("vec"), cell=cell, pbc=pbc)
    edges, edge_vec, offsets = part("edge_index"), part("edge_vec"), part("cell_offsets")
    _need(edges is not None, name, "no 'edge_index'")
    periodic = _repeats(cell, pbc)
    rounding = None
    if edge_vec is None and offsets is not None and cell is not None:
        cell, edges = _floats(cell).reshape(3, 3), torch.as_tensor(edges)
        exact = pos.double()
        edge_vec = exact[edges[0]] - exact[edges[1]] + torch.as_tensor(offsets).double() @ cell.double()
        rounding = _rounding(pos, cell)
    elif edge_vec is None:
        _need(not periodic, name, "edges of a periodic structure without 'edge_vec' or 'cell_offsets'")
    return GeometricGraph.from_index(
        pos, edges, labels=labels, vectors=part("vec"), edge_vec=edge_vec, periodic=periodic, rounding=rounding
    )


def _within(
    pos: Tensor, labels: Tensor, cutoff: float, *, vectors: Any = None, cell: Any = None, pbc: Any = None
) -> GeometricGraph:
    """All pairs nearer than the cutoff, with the vectors to the images that are meant; points in one place are not joined."""
    pos = pos.detach().cpu()
    if pos.ndim != 2 or pos.shape[1] not in (2, 3):
        raise ArgumentError("pos", "positions [n, 2] or [n, 3]", f"shape {list(pos.shape)}")
    if not bool(pos.isfinite().all()):
        raise ArgumentError("pos", "finite numbers", "NaN or infinity")
    dim = pos.shape[1]
    lattice = None if cell is None else _floats(cell).cpu().reshape(1, 3, 3)
    repeats = None if pbc is None else torch.as_tensor(pbc, dtype=torch.bool).cpu().reshape(1, 3)
    # In the dtype that they come in: by it the list knows how exact they are.
    edges, images = neighbours(torch.nn.functional.pad(pos, (0, 3 - dim)), cutoff, cell=lattice, pbc=repeats)
    space = torch.nn.functional.pad(pos.double(), (0, 3 - dim))
    vector = space[edges[0]] - space[edges[1]]
    if lattice is not None:
        vector = vector + images.double() @ lattice[0].double()
    rounding = max(_rounding(pos, lattice), rounding_of([], vectors))
    return GeometricGraph.from_index(
        pos,
        edges,
        labels=labels,
        vectors=vectors,
        edge_vec=vector[:, :dim],
        periodic=_repeats(lattice, repeats),
        rounding=rounding,
    )


def _floats(value: Any) -> Tensor:
    """As a tensor of the dtype that it has; Python's numbers are float64."""
    if isinstance(value, Tensor):
        return value if value.is_floating_point() else value.double()
    array = np.asarray(value)
    return torch.as_tensor(array if array.dtype.kind == "f" and hasattr(value, "dtype") else array.astype(np.float64))


def _repeats(cell: Any, pbc: Any) -> bool:
    if cell is None:
        return False
    return bool((_floats(cell) != 0).any() if pbc is None else torch.as_tensor(pbc, dtype=torch.bool).any())


def _rounding(pos: Tensor, cell: Tensor | None) -> float:
    """Of differences of positions and lattice vectors."""
    return max(rounding_of(pos), 0.0 if cell is None else rounding_of(cell))


def _need(there: bool, name: str, what: str, hint: str = CUTOFF) -> None:
    if not there:
        raise ArgumentError(name, "edges, or a cutoff that makes them", what, hint)
