"""Crystals as classes on the Wyckoff positions of their groups: one element or none on a point, so many orbits of each element elsewhere.

A position without a free coordinate holds one orbit, of one element: a *point*, class 0 (vacant) to ``E``. One with free coordinates may
hold several orbits of several elements: *counts*, a class from 0 to ``C`` for each of the ``E`` elements. Crystals of different groups
have different numbers of both, so a batch is flat: rows of points and rows of counts, each with the number of its crystal.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.fields.crystals.protostructure import Protostructure
from erlangen.groups import SpaceGroup

Batch = dict[str, Tensor]

#: Space groups are numbered from 1.
GROUPS = 231
#: Wyckoff positions of the group with the most, Pmmm.
POSITIONS = 27
#: What a ragged part or context is numbered by.
SEGMENTS = {"points": "points_of", "points_at": "points_of", "counts": "counts_of", "counts_at": "counts_of"}


class PositionTable(NamedTuple):
    """The Wyckoff positions of all groups.

    Attributes:
        number: of positions of each group, ``[231]``; 0 of group 0, which there is not.
        row: the number of a position among the 616 points of all groups, or among the 1115 others, ``[231, 27]``; 0 where there is none.
        multiplicity: ``[231, 27]``; 0 where there is no position.
        dof: free coordinates, ``[231, 27]``; -1 where there is no position.
    """

    number: Int[Tensor, " 231"]
    row: Int[Tensor, "231 27"]
    multiplicity: Int[Tensor, "231 27"]
    dof: Int[Tensor, "231 27"]


@lru_cache(maxsize=1)
@torch.inference_mode(False)
def position_table() -> PositionTable:
    """The table of all 230 groups.

    >>> table = position_table()
    >>> int(table.number.sum()), int(table.multiplicity[225, 0]), int(table.dof[225, 0])
    (1731, 4, 0)
    """
    number = torch.zeros(GROUPS, dtype=torch.int64)
    multiplicity, dof = number.new_zeros(GROUPS, POSITIONS), number.new_full((GROUPS, POSITIONS), -1)
    for group in range(1, GROUPS):
        positions = SpaceGroup(group).wyckoff_positions
        number[group] = len(positions)
        multiplicity[group, : len(positions)] = torch.tensor([one.multiplicity for one in positions])
        dof[group, : len(positions)] = torch.tensor([one.dof for one in positions])
    row = torch.zeros_like(dof)
    for kind in (dof == 0, dof > 0):
        row[kind] = torch.arange(int(kind.sum()))
    return PositionTable(number, row, multiplicity, dof)


def vacant(groups: Int[Tensor, " B"], elements: int) -> Batch:
    """A batch of empty crystals of these groups, with ``elements`` counts on each position that has free coordinates.

    >>> batch = vacant(torch.tensor([225, 1]), 94)
    >>> batch["points_at"].tolist(), batch["counts"].shape, batch["counts_of"].tolist()
    ([0, 1, 2, 3], torch.Size([9, 94]), [0, 0, 0, 0, 0, 0, 0, 0, 1])
    """
    if (
        groups.dtype != torch.int64
        or groups.ndim != 1
        or (len(groups) and not 1 <= int(groups.min()) <= int(groups.max()) < GROUPS)
    ):
        raise ArgumentError("space_group", "numbers from 1 to 230, int64", repr(groups.tolist()[:8]))
    dof = position_table().dof[groups]
    points_of, points_at = (dof == 0).nonzero().unbind(1)
    counts_of, counts_at = (dof > 0).nonzero().unbind(1)
    return {
        "group": groups,
        "points": torch.zeros_like(points_at),
        "points_at": points_at,
        "points_of": points_of,
        "counts": torch.zeros(len(counts_at), elements, dtype=torch.int64),
        "counts_at": counts_at,
        "counts_of": counts_of,
    }


def encode(crystals: Sequence[Protostructure], elements: int, most: int) -> Batch:
    """A batch of protostructures.

    Args:
        crystals: what is where.
        elements: ``E``: atomic numbers go from 1 to this.
        most: ``C``, the largest number of orbits of one element on one position.

    Raises:
        ArgumentError: none; an element beyond ``E``, or more than ``C`` orbits of one.
    """
    if not len(crystals):
        raise ArgumentError("structures", "at least one crystal", "none")
    batch = vacant(torch.tensor([one.space_group for one in crystals]), elements)
    sites = torch.tensor([(i, *site) for i, one in enumerate(crystals) for site in one.sites])
    of, at, element, count = sites.unbind(1)
    if int(element.max()) > elements:
        raise ArgumentError("elements", f"at least {int(element.max())}, for there is an atom of it", repr(elements))
    if int(count.max()) > most:
        expected = f"at least {int(count.max())}, for so many orbits of one element share a position"
        raise ArgumentError("most", expected, repr(most), "Give a larger `most`")
    point = position_table().dof[batch["group"][of], at] == 0
    batch["points"][_row_of(batch, "points")[of[point], at[point]]] = element[point]
    batch["counts"][_row_of(batch, "counts")[of[~point], at[~point]], element[~point] - 1] = count[~point]
    return batch


def _row_of(batch: Batch, part: str) -> Tensor:
    """The row of each crystal's positions in a part, ``[B, 27]``."""
    rows = batch["group"].new_full((len(batch["group"]), POSITIONS), -1)
    rows[batch[f"{part}_of"], batch[f"{part}_at"]] = torch.arange(len(batch[f"{part}_at"]))
    return rows


def decode(batch: Batch) -> list[Protostructure | None]:
    """The protostructures of a batch; None of a crystal without an atom."""
    sites: list[list[tuple[int, int, int]]] = [[] for _ in batch["group"]]
    occupied = batch["points"].nonzero().flatten()
    for of, at, element in zip(*(batch[name][occupied].tolist() for name in ("points_of", "points_at", "points"))):
        sites[of].append((at, element, 1))
    rows, kinds = batch["counts"].nonzero().unbind(1)
    numbers = batch["counts"][rows, kinds].tolist()
    for of, at, kind, number in zip(batch["counts_of"][rows].tolist(), batch["counts_at"][rows].tolist(), kinds.tolist(), numbers):
        sites[of].append((at, kind + 1, number))
    return [Protostructure(group, tuple(sorted(found))) if found else None for group, found in zip(batch["group"].tolist(), sites)]


class States:
    """Many crystals, kept flat, that batches are taken from.

    Args:
        batch: all of them as one batch, crystal by crystal.
    """

    def __init__(self, batch: Batch) -> None:
        self.group, size = batch["group"], len(batch["group"])
        self.parts: Batch = {name: batch[name] for name in SEGMENTS}
        if not batch["counts"].numel() or int(batch["counts"].max()) <= torch.iinfo(torch.int16).max:
            self.parts["counts"] = batch["counts"].to(torch.int16)  # nine of ten numbers of a state stand here, and are small
        self.first = {
            name: torch.cat([torch.zeros(1, dtype=torch.int64), torch.bincount(batch[f"{name}_of"], minlength=size).cumsum(0)])
            for name in ("points", "counts")
        }

    def __len__(self) -> int:
        return len(self.group)

    def __getitem__(self, index: Int[Tensor, " B"]) -> Batch:
        """The batch of these crystals."""
        batch = {"group": self.group[index]}
        for name, first in self.first.items():
            length = first[index + 1] - first[index]
            of = torch.repeat_interleave(length)
            within = torch.arange(len(of)) - (length.cumsum(0) - length)[of]
            rows = first[index][of] + within
            batch[name], batch[f"{name}_at"] = self.parts[name][rows].long(), self.parts[f"{name}_at"][rows]
            batch[f"{name}_of"] = of
        return batch
