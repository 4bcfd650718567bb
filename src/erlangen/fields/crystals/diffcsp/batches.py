"""Batches of crystals of about one size, and others cut into pieces: pairs of atoms are what costs time and memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.utils.data import Dataset

#: Pairs of atoms at once without gradients: some hundred megabytes for each layer of 256 features.
PAIRS = 120_000


class BySize(Dataset[dict[str, Tensor]]):
    """A padded record of crystals, asked for in windows of its order by size: so that little of a batch is padding.

    Crystals of one size stand in an order that is drawn anew whenever windows are asked for, from torch's generator; each crystal is in
    one window. With crystals of up to 20 atoms, as many as there are in the ICSD, three times as fast as batches of all sizes.

    Args:
        record: with ``mask`` ``[N, n]``.
        window: about how many crystals.
        shuffled: ``False`` leaves crystals of one size as they come.
    """

    def __init__(self, record: dict[str, Tensor], window: int, shuffled: bool = True) -> None:
        self.record, self.shuffled = record, shuffled
        self.sizes = record["mask"].sum(1)
        self.windows = max(1, round(len(self.sizes) / window))

    def __len__(self) -> int:
        return self.windows

    def __getitems__(self, chosen: list[int]) -> list[dict[str, Tensor]]:
        """One record of all crystals of these windows."""
        place = torch.rand(len(self.sizes)) if self.shuffled else torch.arange(len(self.sizes)) / len(self.sizes)
        order = (self.sizes + place).argsort(stable=True).tensor_split(self.windows)
        rows = torch.cat([order[i] for i in chosen])
        return [cut({name: part[rows] for name, part in self.record.items()})]


def cut(record: dict[str, Tensor]) -> dict[str, Tensor]:
    """A record without the columns in which no crystal has an atom."""
    wide = record["mask"].shape[1]
    most = max(1, int(record["mask"].sum(1).max()))
    return {name: part[:, :most] if name != "lattice" and part.shape[1:2] == (wide,) else part for name, part in record.items()}


def pieces(chosen: Sequence[int], sizes: Sequence[int], most: int) -> Iterator[list[int]]:
    """Crystals in the order of their sizes, so many at once that their pairs of atoms fit into memory."""
    batch: list[int] = []
    for i in chosen:
        if batch and (len(batch) >= most or (len(batch) + 1) * sizes[i] ** 2 > PAIRS):
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch
