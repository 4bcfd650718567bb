"""The rank of a matrix whose rows come in blocks: by QR and singular values, by a sparse random sketch, or exactly over a prime field."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple, Protocol

import torch
from torch import Tensor

from erlangen.linalg import rank_mod_p
from erlangen.linalg.gap import CLEAR_GAP

Method = Literal["auto", "svd", "sketch", "exact"]
#: How many buckets each row is added to. With one, two directions that are held by one row each meet in a bucket and one is lost, which
#: happens with many rare regions; with three that needs four such rows in the same three buckets.
COPIES = 3


class Decision(NamedTuple):
    """A numerical rank, and how clear it was: the last singular value that counts over the first that does not, and whether that is
    large, also where the first that does not is put at rounding."""

    rank: int
    gap: float
    clear: bool


class Collector(Protocol):
    """Takes blocks of rows and keeps a small matrix with the same row space."""

    def add(self, block: Tensor) -> None: ...

    def factor(self) -> Tensor: ...


class Triangle:
    """QR of the rows so far: exact to rounding; ``O(D^2)`` for each row.

    >>> t = Triangle(2)
    >>> t.add(torch.ones(5, 2, dtype=torch.float64))
    >>> decide(t.factor()).rank
    1
    """

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self._rows: list[Tensor] = [torch.zeros(0, columns, dtype=torch.float64)]

    def add(self, block: Tensor) -> None:
        self._rows.append(block)
        # Many blocks at once: each reduction costs as much as its rows and the columns together.
        if sum(map(len, self._rows)) > 4 * self.columns:
            self._rows = [self.factor()]

    def factor(self) -> Tensor:
        rows = torch.cat(self._rows)
        return torch.linalg.qr(rows, mode="r").R if len(rows) > self.columns else rows


class Sketch:
    """Each row times a random number, added to three of ``3 D / 2`` buckets: ``O(D)`` for each row.

    The rank of the result is that of all rows with probability one, unless ``k`` independent rows share fewer than ``k`` buckets. With
    three buckets for each row that is improbable up to 0.9 rows for each bucket (as in cuckoo hashing), and there are 0.67 at most.

    Args:
        columns: D.
        generator: of factors and buckets.
        p: a prime, to add in its field (int64) and not in the reals.
    """

    def __init__(self, columns: int, generator: torch.Generator, p: int | None = None) -> None:
        self.p, self.generator, self.share = p, generator, (columns + 1) // 2 + 4
        self.buckets = torch.zeros(COPIES * self.share, columns, dtype=torch.float64 if p is None else torch.int64)

    def add(self, block: Tensor) -> None:
        """Add a block of rows."""
        count = len(block)
        for part in self.parts():
            where = torch.randint(self.share, (count,), generator=self.generator)
            if self.p is None:
                part.index_add_(0, where, block * torch.randn(count, 1, generator=self.generator, dtype=torch.float64))
            else:
                weight = torch.randint(1, self.p, (count, 1), generator=self.generator)
                part.index_add_(0, where, block * weight % self.p).remainder_(self.p)

    def parts(self) -> tuple[Tensor, ...]:
        """The buckets ``[D / 2, D]`` that each of the copies of a row goes to; to be added to in place."""
        return self.buckets.split(self.share)

    def factor(self) -> Tensor:
        """The buckets."""
        return self.buckets


def decide(rows: Tensor) -> Decision:
    """The rank of a matrix: singular values above ``max(shape) * eps`` of the largest count.

    Nothing but double precision will do: of deep networks the smallest value that counts is 1e-9 of the largest, and rounding 1e-16.
    """
    values = torch.linalg.svdvals(rows)
    if not len(values):
        return Decision(0, float("inf"), True)
    eps = torch.finfo(torch.float64).eps
    rank = int((values > max(rows.shape) * eps * values[0]).sum())
    after = float(values[rank]) if rank < len(values) else 0.0
    clear = not rank or float(values[rank - 1]) >= CLEAR_GAP * max(after, eps * float(values[0]))
    return Decision(rank, float(values[rank - 1]) / after if rank and after > 0 else float("inf"), clear)


def exact_rank(blocks: Iterable[Tensor], columns: int, count: int, p: int, generator: torch.Generator) -> int:
    """The rank modulo ``p`` of rows in blocks (int64 below ``p``); many of them are first sketched in the field."""
    if count > 4 * columns:
        sketch = Sketch(columns, generator, p)
        for block in blocks:
            sketch.add(block)
        rows = sketch.factor()
    else:
        rows = torch.cat(list(blocks))
    return rank_mod_p(rows, p)


def collector_for(method: Method, rows: int, columns: int, generator: torch.Generator) -> tuple[Collector, Method]:
    """What collects so many rows with this method, and the method that ``"auto"`` stands for."""
    if method == "auto":
        method = "sketch" if rows > 4 * columns else "svd"
    # The exact method keeps floating-point rows, too: singular values and null spaces come from them.
    quick = method == "sketch" or (method == "exact" and rows > 4 * columns)
    return (Sketch(columns, generator) if quick else Triangle(columns)), method
