"""`Labelled`: structures with their energies and forces, in memory and as one ``.npz`` file."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.actions import AtomBatch
from erlangen.errors import ArgumentError
from erlangen.serialization import write_bytes


@dataclass(frozen=True, eq=False)
class Labelled:
    """``B`` structures with labels.

    Attributes:
        batch: the structures.
        energy: eV, ``[B]``.
        forces: eV per angstrom, ``[N, 3]``.
    """

    batch: AtomBatch
    energy: Float[Tensor, " B"]
    forces: Float[Tensor, "N 3"]

    def __post_init__(self) -> None:
        if tuple(self.energy.shape) != (len(self.batch),):
            raise ArgumentError("energy", f"[{len(self.batch)}], one for each structure", list(self.energy.shape))
        if self.forces.shape != self.batch.pos.shape:
            raise ArgumentError("forces", f"{list(self.batch.pos.shape)}, as positions", list(self.forces.shape))

    def __len__(self) -> int:
        return len(self.batch)

    def select(self, structures: Sequence[int] | Tensor) -> Labelled:
        """Some structures, by number, in that order.

        Raises:
            ArgumentError: there is no such structure.
        """
        chosen = torch.as_tensor(structures)
        if not len(chosen) or int(chosen.min()) < 0 or int(chosen.max()) >= len(self):
            raise ArgumentError("structures", f"numbers from 0 to {len(self) - 1}", chosen.tolist()[:5])
        atoms = torch.cat([(self.batch.batch == int(i)).nonzero().squeeze(1) for i in chosen])
        return Labelled(self.batch.select(chosen), self.energy[chosen], self.forces[atoms])

    def to(self, dtype: torch.dtype) -> Labelled:
        """In another precision."""
        return Labelled(self.batch.to(dtype), self.energy.to(dtype), self.forces.to(dtype))

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write everything but edges, in full precision, in one step."""
        memory = io.BytesIO()
        parts: dict[str, Any] = {
            name: value.numpy() for name, value in self.batch.replace(edge_index=None, cell_offsets=None).record().items()
        }
        np.savez_compressed(memory, energy=self.energy.numpy(), forces=self.forces.numpy(), **parts)
        return write_bytes(path, memory.getvalue())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Labelled:
        """Read what :meth:`save` wrote.

        Raises:
            ArgumentError: the file lacks a part.
        """
        with np.load(path, allow_pickle=False) as file:
            names = ("pos", "numbers", "batch", "cell", "pbc", "tags", "energy", "forces")
            if missing := [name for name in names if name not in file]:
                raise ArgumentError("path", f"a file with {', '.join(names)}", f"no {missing[0]}")
            parts = {name: torch.as_tensor(file[name]) for name in names}
        energy, forces = parts.pop("energy"), parts.pop("forces")
        return cls(AtomBatch(**parts), energy, forces)
