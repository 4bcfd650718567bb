"""The rank of a matrix whose rows come in blocks: by QR and singular values, by a sparse random sketch, or exactly over a prime field."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from erlangen.linalg import rank_mod_p

Method = Literal["auto", "svd", "sketch", "exact"]
#: How many buckets each row is added to. With one, two directions that are held by one row each meet in a bucket and one is lost, which
#: happens with many rare regions; with three that needs four such rows in the same three buckets.
COPIES = 3


@dataclass(frozen=True, eq=False)
class Decision:
    """A numerical rank, and how clear it was.

    Attributes:
        rank: how many singular values are above ``tolerance``.
        gap: the last that is kept over the first that is not; infinite when that is zero or there is none.
        values: all singular values, descending ``[D]``.
        tolerance: ``max(rows, columns) * eps`` times the largest.
    """

    rank: int
    gap: float
    values: Tensor
    tolerance: float


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
    """Each row times a random number, added to three of ``3 D`` buckets: ``O(D)`` for each row.

    The rank of the result is that of all rows with probability one as long as no ``k`` independent rows share fewer than ``k``
    buckets, which for three buckets each has probability O(1/D^2) or less.

    Args:
        columns: D.
        generator: of signs and buckets.
        p: a prime, to add in its field (int64) and not in the reals.
    """

    def __init__(self, columns: int, generator: torch.Generator, p: int | None = None) -> None:
        self.p, self.columns, self.generator = p, columns, generator
        self.buckets = torch.zeros(COPIES * columns, columns, dtype=torch.float64 if p is None else torch.int64)

    def add(self, block: Tensor) -> None:
        count = len(block)
        for copy in range(COPIES):
            where = torch.randint(self.columns, (count,), generator=self.generator) + copy * self.columns
            if self.p is None:
                weight = torch.randn(count, 1, generator=self.generator, dtype=torch.float64)
                self.buckets.index_add_(0, where, block * weight)
            else:
                weight = torch.randint(1, self.p, (count, 1), generator=self.generator)
                self.buckets.index_add_(0, where, block * weight % self.p)
        if self.p is not None:
            self.buckets %= self.p

    def factor(self) -> Tensor:
        """``[D, D]`` triangular over the reals; the buckets themselves over a prime field."""
        return torch.linalg.qr(self.buckets, mode="r").R if self.p is None else self.buckets


def decide(factor: Tensor) -> Decision:
    """The rank from the singular values of a matrix with the same rows' span.

    Nothing but double precision will do: of deep networks the smallest value that counts is 1e-9 of the largest, and rounding 1e-16.
    """
    values = torch.linalg.svdvals(factor)
    values = torch.cat([values, values.new_zeros(factor.shape[1] - len(values))])
    top = float(values[0]) if len(values) else 0.0
    tolerance = max(factor.shape) * torch.finfo(torch.float64).eps * top
    rank = int((values > tolerance).sum())
    after = float(values[rank]) if rank < len(values) else 0.0
    gap = float(values[rank - 1]) / after if rank and after > 0 else float("inf")
    return Decision(rank, gap, values, tolerance)


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
