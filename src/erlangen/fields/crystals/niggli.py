"""The Niggli cell: one basis of a lattice among the infinitely many, with the crystal's hand kept."""

from __future__ import annotations

from typing import Any

import torch

from erlangen.actions.periodic import into_cell
from erlangen.errors import ArgumentError
from erlangen.extras import engine
from erlangen.fields.crystals.dataset import CrystalDataset

#: How far from whole numbers a change between two bases of one lattice may be.
WHOLE = 1e-3


def niggli(structures: Any) -> CrystalDataset:
    """Crystals in Niggli-reduced, right-handed cells: a along x, b in the plane of x and y. Each keeps its hand.

    Reduction is by spglib (extra ``crystals``), in place: the reduced basis spans the same lattice, and fractions are changed with it.
    Rebuilding from lengths and angles, as is usual, would mirror those whose basis is left-handed.

    Args:
        structures: a :class:`CrystalDataset`, or crystals in a list (ours, ASE's, pymatgen's). Columns are kept.

    Raises:
        ArgumentError: a cell that cannot be reduced; the message says which.

    Source: Grosse-Kunstleve, Sauter & Adams, "Numerically stable algorithms for the computation of reduced unit cells", Acta Cryst. A60
    (2004) 1.

    >>> from erlangen.fields.crystals import Crystal
    >>> long = Crystal(torch.tensor([[3.0, 0, 0], [0, 4, 0], [6, 4, 5]]), torch.tensor([[0.1, 0.2, 0.3]]), ["Po"])
    >>> [round(edge, 6) for edge in niggli([long])[0].lengths_angles()[0]]
    [3.0, 4.0, 5.0]
    """
    data = CrystalDataset.from_structures(structures)
    spglib, reduction = engine("crystals", "spglib"), engine("crystals", "ase.geometry")
    made = []
    for i, cell in enumerate(data.cells.numpy()):
        # spglib gives up on very skewed cells: those are shortened first.
        found = spglib.niggli_reduce(cell)
        if found is None:
            found = spglib.niggli_reduce(reduction.minkowski_reduce(cell)[0])
        if found is None:
            raise ArgumentError("structures", "cells that can be reduced", f"number {i}, with rows {cell.tolist()}")
        made.append(torch.from_numpy(found.copy()))
    reduced = torch.stack(made)
    change = reduced @ torch.linalg.inv(data.cells)
    whole = change.round()
    far = ((change - whole).abs().amax((1, 2)) > WHOLE) | (torch.linalg.det(whole).abs() - 1).abs().gt(0.5)
    if bool(far.any()):
        bad = int(far.nonzero()[0])
        raise ArgumentError("structures", "cells that can be reduced", f"number {bad}, with rows {data.cells[bad].tolist()}")
    # A left-handed basis becomes right-handed by changing all three signs, which is a change of basis like any other.
    reduced, whole = whole @ data.cells, whole * torch.linalg.det(whole @ data.cells).sign().reshape(-1, 1, 1)
    upright = torch.linalg.cholesky(reduced @ reduced.mT)
    fractional = data.fractional.unsqueeze(1) @ torch.linalg.inv(whole)[data.segment]
    return CrystalDataset(upright, into_cell(fractional.squeeze(1)), data.numbers, data.offsets, data.columns)
