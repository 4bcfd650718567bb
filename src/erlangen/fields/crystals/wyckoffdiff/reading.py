"""Crystals of any kind as protostructures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from erlangen.errors import ArgumentError
from erlangen.fields.crystals.dataset import CrystalDataset
from erlangen.fields.crystals.icsd import stored_protostructures
from erlangen.fields.crystals.protostructure import Protostructure

#: What a data set says of the symmetry of its rows.
STATED = {"space_group", "letters", "species"}


def protostructures(structures: Any) -> list[Protostructure]:
    """The protostructures of crystals: those that are given, those that a data set states, or those that spglib finds.

    Args:
        structures: protostructures, crystals, ASE Atoms or pymatgen Structures; or a ``CrystalDataset``. Where that has the columns
            ``space_group``, ``letters`` and ``species``, these are taken at their word.

    Raises:
        ArgumentError: no crystals, or one thing that is none.
    """
    if isinstance(structures, CrystalDataset):
        if set(structures.columns) >= STATED and len(structures):
            return stored_protostructures(structures)
        structures = list(structures)
    if not isinstance(structures, Sequence) or isinstance(structures, str) or not len(structures):
        raise ArgumentError("structures", "at least one crystal", repr(structures))
    return [one if isinstance(one, Protostructure) else Protostructure.from_structure(one) for one in structures]
