"""`CrystalDataset`: many crystals of different sizes in flat arrays, with columns of what is known of each."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from erlangen.actions.ragged import to_dense
from erlangen.errors import ArgumentError
from erlangen.fields.crystals.composition import formula_of, reduced
from erlangen.fields.crystals.crystal import Crystal, as_crystal


class CrystalDataset:
    """Crystals as one ragged batch.

    Attributes:
        cells: lattice vectors as rows, float64 ``[N, 3, 3]``, angstrom.
        fractional: coordinates of all atoms, float64 ``[A, 3]``.
        numbers: their atomic numbers, int64 ``[A]``.
        offsets: where each crystal's atoms begin, int64 ``[N + 1]``, the last number is ``A``.
        columns: name -> one value for each crystal; arrays or object arrays ``[N]``.

    >>> salt = Crystal(5.64 * torch.eye(3) / 2 @ (1 - torch.eye(3)), torch.tensor([[0.0, 0, 0], [0.5, 0.5, 0.5]]), ["Na", "Cl"])
    >>> data = CrystalDataset.from_structures([salt, salt], energy=[-3.4, -3.4])
    >>> len(data), data[0], data[:1], data.columns["energy"].tolist()
    (2, Crystal('NaCl', 2 atoms), CrystalDataset(1 crystal, 2 atoms; energy), [-3.4, -3.4])
    >>> {name: tuple(part.shape) for name, part in data.padded().items()}
    {'cell': (2, 3, 3), 'frac': (2, 2, 3), 'numbers': (2, 2), 'mask': (2, 2)}
    """

    def __init__(
        self,
        cells: Float[Tensor, "N 3 3"],
        fractional: Float[Tensor, "A 3"],
        numbers: Int[Tensor, " A"],
        offsets: Int[Tensor, " N+1"],
        columns: Mapping[str, Any] | None = None,
    ) -> None:
        if len(offsets) != len(cells) + 1 or len(fractional) != len(numbers) or int(offsets[-1]) != len(numbers):
            got = f"{len(cells)} cells, {len(fractional)} places, {len(numbers)} elements, offsets to {int(offsets[-1])}"
            raise ArgumentError("offsets", "where each crystal's atoms begin, and their number", got)
        if int(offsets[0]) != 0 or bool((offsets.diff() < 1).any()):
            raise ArgumentError(
                "offsets", "ascending numbers from 0, one atom at least in each crystal", repr(offsets.tolist()[:10])
            )
        self.cells, self.fractional, self.numbers, self.offsets = cells.double(), fractional.double(), numbers, offsets
        self.columns = {name: _column(name, values, len(cells)) for name, values in (columns or {}).items()}

    @classmethod
    def from_structures(cls, structures: Iterable[Any], **columns: Any) -> CrystalDataset:
        """From crystals of ours, ASE's ``Atoms`` or pymatgen's ``Structure``; ``columns`` have a value for each.

        Raises:
            ArgumentError: no structures, one that is no crystal (the message says which), or a column of another length.
        """
        if isinstance(structures, Crystal) or hasattr(structures, "get_scaled_positions") or hasattr(structures, "frac_coords"):
            hint = "Of one crystal make a list: [crystal]"
            raise ArgumentError("structures", "several crystals, in a list", f"one {type(structures).__name__}", hint)
        if not isinstance(structures, Iterable):
            raise ArgumentError("structures", "crystals, in a list", type(structures).__name__)
        if isinstance(structures, CrystalDataset):
            each_column = {**structures.columns, **columns}
            return cls(structures.cells, structures.fractional, structures.numbers, structures.offsets, each_column)
        each = [as_crystal(one, f"structures[{i}]") for i, one in enumerate(structures)]
        if not each:
            raise ArgumentError("structures", "at least one crystal", "none")
        counts = torch.tensor([0, *(len(one) for one in each)])
        return cls(
            torch.stack([one.cell for one in each]),
            torch.cat([one.fractional for one in each]),
            torch.cat([one.numbers for one in each]),
            counts.cumsum(0),
            columns,
        )

    @classmethod
    def from_flat(
        cls,
        cells: Float[Tensor, "N 3 3"],
        fractional: Float[Tensor, "A 3"],
        numbers: Int[Tensor, " A"],
        *,
        num_atoms: Int[Tensor, " N"] | None = None,
        batch: Int[Tensor, " A"] | None = None,
        **columns: Any,
    ) -> CrystalDataset:
        """From arrays of all atoms one after another, as graph libraries have them: how many atoms each crystal has, or whose each is.

        Args:
            cells: lattice vectors as rows, angstrom.
            fractional: coordinates, of any cell.
            numbers: atomic numbers.
            num_atoms: of each crystal; or
            batch: the number of the crystal that each atom belongs to, ascending from 0.
            columns: a value for each crystal.

        Raises:
            ArgumentError: neither or both; shapes that do not fit; atoms out of order; a crystal that :class:`Crystal` refuses.

        >>> flat = CrystalDataset.from_flat(
        ...     4 * torch.eye(3).expand(2, 3, 3), torch.rand(3, 3), torch.tensor([55, 17, 84]), batch=torch.tensor([0, 0, 1]))
        >>> flat, {name: tuple(part.shape) for name, part in flat.flat().items()}
        (CrystalDataset(2 crystals, 3 atoms), {'cells': (2, 3, 3), 'fractional': (3, 3), 'numbers': (3,), 'num_atoms': (2,), 'batch': (3,)})
        """
        cells, fractional, numbers = (torch.as_tensor(one).detach().cpu() for one in (cells, fractional, numbers))
        if (num_atoms is None) == (batch is None):
            raise ArgumentError("num_atoms", "num_atoms or batch, one of them", "neither" if batch is None else "both")
        if cells.ndim != 3 or fractional.ndim != 2 or numbers.ndim != 1 or len(fractional) != len(numbers):
            got = f"cells {tuple(cells.shape)}, fractional {tuple(fractional.shape)}, numbers {tuple(numbers.shape)}"
            raise ArgumentError("fractional", "cells [N, 3, 3], fractional [A, 3] and numbers [A]", got)
        name, given = ("num_atoms", num_atoms) if batch is None else ("batch", batch)
        counts = torch.as_tensor(given).detach().cpu()
        if counts.ndim != 1 or counts.is_floating_point() or counts.dtype == torch.bool:
            raise ArgumentError(name, "whole numbers in one row", f"{counts.dtype} {tuple(counts.shape)}")
        counts = counts.long()
        if batch is not None:
            if (
                len(counts) != len(numbers)
                or bool((counts.diff() < 0).any())
                or not bool(((counts >= 0) & (counts < len(cells))).all())
            ):
                expected = f"for each of {len(numbers)} atoms its crystal, ascending, below {len(cells)}"
                raise ArgumentError(name, expected, f"{len(counts)} numbers: {counts[:10].tolist()}")
            counts = torch.bincount(counts, minlength=len(cells))
        if len(counts) != len(cells) or int(counts.sum()) != len(numbers) or bool((counts < 1).any()):
            expected = f"at least one atom for each of {len(cells)} crystals, {len(numbers)} in all"
            raise ArgumentError(name, expected, f"{counts.tolist()[:10]}, {int(counts.sum())} in all")
        offsets = [0, *counts.cumsum(0).tolist()]
        each = (slice(a, b) for a, b in itertools.pairwise(offsets))
        return cls.from_structures((Crystal(cell, fractional[rows], numbers[rows]) for cell, rows in zip(cells, each)), **columns)

    def flat(self) -> dict[str, Tensor]:
        """``cells [N, 3, 3]``, ``fractional [A, 3]``, ``numbers [A]``, ``num_atoms [N]`` and ``batch [A]``, as for :meth:`from_flat`."""
        return {
            "cells": self.cells,
            "fractional": self.fractional,
            "numbers": self.numbers,
            "num_atoms": self.sizes,
            "batch": self.segment,
        }

    def __len__(self) -> int:
        return len(self.cells)

    @property
    def sizes(self) -> Int[Tensor, " N"]:
        """Atoms of each crystal."""
        return self.offsets.diff()

    @property
    def segment(self) -> Int[Tensor, " A"]:
        """Which crystal each atom belongs to."""
        return torch.repeat_interleave(torch.arange(len(self)), self.sizes)

    @property
    def volumes(self) -> Float[Tensor, " N"]:
        """Of the cells, in cubic angstrom."""
        return torch.linalg.det(self.cells).abs()

    def formulas(self) -> list[str]:
        """The reduced formula of each crystal."""
        flat, offsets = self.numbers.tolist(), self.offsets.tolist()
        known: dict[tuple[tuple[int, int], ...], str] = {}
        made = []
        for start, stop in itertools.pairwise(offsets):
            counts: dict[int, int] = {}
            for number in flat[start:stop]:
                counts[number] = counts.get(number, 0) + 1
            key = tuple(sorted(reduced(counts).items()))
            if key not in known:
                known[key] = formula_of(dict(key))
            made.append(known[key])
        return made

    def __getitem__(self, which: Any) -> Any:
        if isinstance(which, int | np.integer) and not isinstance(which, bool):
            i = range(len(self))[which]
            rows = slice(int(self.offsets[i]), int(self.offsets[i + 1]))
            return Crystal(self.cells[i], self.fractional[rows], self.numbers[rows])
        try:
            asked = which if isinstance(which, slice) else np.asarray(which)
            if isinstance(asked, np.ndarray) and not asked.size and asked.dtype != bool:
                asked = asked.astype(np.int64)
            chosen = np.arange(len(self))[asked]
        except (IndexError, TypeError, ValueError) as problem:
            raise IndexError(f"crystals are chosen by numbers, a mask or a slice, of {len(self)}: {problem}") from None
        if chosen.ndim == 0:
            return self[int(chosen)]
        if chosen.ndim != 1:
            raise IndexError(f"crystals are chosen by one list of numbers or one mask, not by an array of {chosen.ndim} dimensions")
        index = torch.from_numpy(chosen.copy())
        sizes = self.sizes[index]
        offsets = torch.cat([torch.zeros(1, dtype=torch.int64), sizes.cumsum(0)])
        inside = torch.arange(int(offsets[-1])) - torch.repeat_interleave(offsets[:-1], sizes)
        atoms = torch.repeat_interleave(self.offsets[:-1][index], sizes) + inside
        columns = {name: values[index.numpy()] for name, values in self.columns.items()}
        return CrystalDataset(self.cells[index], self.fractional[atoms], self.numbers[atoms], offsets, columns)

    def __iter__(self) -> Iterator[Crystal]:
        return (self[i] for i in range(len(self)))

    def padded(self) -> dict[str, Tensor]:
        """``cell [N, 3, 3]``, ``frac [N, n, 3]``, ``numbers [N, n]`` and ``mask [N, n]``, 0 where there is no atom."""
        if not len(self):
            raise ArgumentError("dataset", "at least one crystal", "none")
        frac, mask = to_dense(self.fractional, self.segment)
        numbers, _ = to_dense(self.numbers, self.segment)
        return {"cell": self.cells, "frac": frac, "numbers": numbers, "mask": mask}

    def __repr__(self) -> str:
        names = f"; {', '.join(self.columns)}" if self.columns else ""
        return f"CrystalDataset({len(self)} crystal{'s' if len(self) != 1 else ''}, {len(self.numbers)} atoms{names})"


def _column(name: str, values: Any, size: int) -> np.ndarray:
    if isinstance(values, np.ndarray):
        made = values
    elif isinstance(values, Sequence) and values and isinstance(values[0], list | tuple | dict):
        made = np.empty(len(values), dtype=object)
        made[:] = values
    else:
        made = np.asarray(values)
    if made.shape[:1] != (size,):
        raise ArgumentError(name, f"one value for each of {size} crystals", f"shape {made.shape}")
    return made
