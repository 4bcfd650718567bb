"""Which samples a step sees, and how they are fetched: a function of the seed and the step alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset, default_collate

from erlangen.errors import ArgumentError
from erlangen.training.randomness import MODULUS, generators_of

Data = Sequence[Tensor] | Dataset[Any]


class Shuffle:
    """The batches of a training: consecutive pieces of a shuffle that is renewed each epoch (a rest too small is left out).

    Args:
        samples: how many there are.
        size: of a batch; at most ``samples`` are taken.
        seed: of the shuffles.

    >>> shuffle = Shuffle(6, 3, seed=0)
    >>> sorted(torch.cat([shuffle.batch(step) for step in (0, 1)]).tolist())
    [0, 1, 2, 3, 4, 5]
    """

    def __init__(self, samples: int, size: int, seed: int) -> None:
        self.samples, self.size, self.seed = samples, min(size, samples), seed
        self._epoch, self._order = -1, torch.empty(0, dtype=torch.int64)

    def batch(self, step: int) -> Tensor:
        """Sample indices [size] of a step; asking in any order gives the same."""
        epoch, piece = divmod(step, self.samples // self.size)
        if epoch != self._epoch:  # only saves time: a whole shuffle for every step would cost more than the step
            generator = torch.Generator().manual_seed((self.seed * 1_000_003 + epoch) % MODULUS)
            self._epoch, self._order = epoch, torch.randperm(self.samples, generator=generator)
        return self._order[piece * self.size : (piece + 1) * self.size]


class Samples:
    """Data on a device, or a dataset that is asked sample by sample, behind one indexing.

    Args:
        data: tensors of one length, the sample axis first; or a map-style torch dataset, whose samples torch's ``default_collate`` batches.
        name: the argument that errors name.
    """

    def __init__(self, data: Data, name: str = "data") -> None:
        if isinstance(data, DataLoader):
            raise ArgumentError(name, "tensors or a dataset", "a DataLoader", "pass loader.dataset: batches follow from the config")
        self.dataset: Any = None
        self.tensors: list[Tensor] = []
        if isinstance(data, Dataset):
            if not hasattr(data, "__len__") or isinstance(data, IterableDataset):
                expected = "a dataset with a length whose samples can be asked for by number"
                raise ArgumentError(name, expected, type(data).__name__, "list(data) makes one of what can be run through")
            self.dataset = data
            lengths = {len(data)}
        else:
            self.tensors = list(data)
            lengths = {len(t) if t.ndim else 0 for t in self.tensors}
        if len(lengths) != 1 or 0 in lengths:
            raise ArgumentError(name, "tensors of one positive length", sorted(lengths))
        self.length = lengths.pop()
        self.generators: list[Any] = generators_of(self.dataset)

    def to(self, device: torch.device) -> Samples:
        """The same with its tensors on a device; a dataset's batches are moved as they are asked for."""
        moved = Samples.__new__(Samples)
        moved.dataset, moved.length, moved._device = self.dataset, self.length, device
        moved.generators = self.generators
        moved.tensors = [t.to(device) for t in self.tensors]
        return moved

    _device: torch.device = torch.device("cpu")

    def part(self, rows: range) -> Samples:
        """A part of the samples; of tensors a view."""
        taken = self.to(self._device)
        taken.length = len(rows)
        taken.tensors = [t[rows.start : rows.stop : rows.step] for t in self.tensors]
        taken.dataset = None if self.dataset is None else Subset(self.dataset, rows)
        return taken

    def __getitem__(self, index: Tensor) -> list[Any]:
        """The batch of the samples ``index`` [B] (for tensors any shape of indices will do).

        Samples that are dictionaries come as one, of batches; text comes as a list.
        """
        if self.dataset is None:
            index = index.to(self._device)
            return [t[index] for t in self.tensors]
        chosen = index.tolist()
        fetch = getattr(self.dataset, "__getitems__", None)
        batch = default_collate(fetch(chosen) if fetch else [self.dataset[i] for i in chosen])
        parts = batch if isinstance(batch, list | tuple) else [batch]
        return [each_tensor(part, lambda t: t.to(self._device)) for part in parts]

    def everything(self) -> list[Any]:
        """All samples as one batch."""
        return self.tensors if self.dataset is None else self[torch.arange(self.length)]


def each_tensor(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """A batch with its tensors changed, within dictionaries, lists and tuples, too.

    >>> each_tensor({"x": torch.zeros(2), "names": ["a", "b"]}, lambda t: t + 1)
    {'x': tensor([1., 1.]), 'names': ['a', 'b']}
    """
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, Mapping):
        return {name: each_tensor(part, change) for name, part in value.items()}
    if isinstance(value, list | tuple):
        parts = [each_tensor(part, change) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    return value
