"""Mechanisms that order reports along axes: medians with and without phantoms, percentiles, end points."""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.fields.mechanisms.location.mechanism import ALWAYS, Mechanism, Property, on_the_line
from erlangen.groups import O


def _median_is_optimal(n: int, d: int, norm: float) -> bool:
    """Where a median of each coordinate, the lower one of an even number, is Pareto optimal in the coordinates' own axes.

    On the line always; with the Manhattan norm it minimises the total cost; in the Euclidean plane it is in the hull of an odd
    number of points, and three unit vectors, or two points, show the rest.
    """
    return d == 1 or norm == 1 or n == 1 or (d == 2 and n % 2 == 1)


def _separable(n: int, d: int, norm: float) -> bool:
    """Coordinates separate: a false report moves each coordinate of the place away from the truth or not at all, which no p-norm
    rewards."""
    return True


class Median(Mechanism):
    """The median of each coordinate, the lower one of an even number, in an orthonormal basis of one's choice.

    Anonymous and strategy-proof, since each coordinate is the business of its own median (H. Moulin, Public Choice 35, 1980; K. Kim and
    F. Roush, 1984; H. Peters, H. van der Stel and T. Storcken, 1993). Averaging the two middle reports instead would not be: an agent
    drags the middle by exaggerating.

    Args:
        basis: an orthogonal matrix ``[d, d]`` whose rows are the axes; by default the coordinates' own.

    Raises:
        ArgumentError: the basis is not orthonormal.

    >>> Median()(torch.tensor([[0.0, 0.0], [4.0, 1.0], [1.0, 3.0]]))
    tensor([[1., 1.]])
    """

    def __init__(self, basis: Any = None) -> None:
        self.basis: Tensor | None = None
        self.name = "coordinate-wise median"
        turned = basis is not None
        if turned:
            self.basis = _orthonormal(basis)
            self.name = "coordinate-wise median in a basis of its own"
            self.dimension = len(self.basis)
        # Turned axes keep Euclidean distances, and no others.
        own = (lambda n, d, norm: True if norm == 2 or d == 1 else None) if turned else _separable
        hull = (
            (lambda n, d, norm: _median_is_optimal(n, d, 2) if norm == 2 or d == 1 else None)
            if turned
            else (lambda n, d, norm: _median_is_optimal(n, d, norm) if norm in (1, 2) or d == 1 else None)
        )
        self._known = {
            "ANON": ALWAYS,
            "UNAN": ALWAYS,
            "DUP": ALWAYS,
            "SP": Property("with the Euclidean norm" if turned else "with every p-norm: coordinates separate", own),
            "PO": Property(
                "on the line; in the Euclidean plane of an odd number of people; with the Manhattan norm always (in its axes)", hull
            ),
            "TRANS": ALWAYS,
            "SCALE": ALWAYS,
            "REFL": Property("of an odd number of people", lambda n, d, norm: None if turned else n % 2 == 1),
            "SWAP": Property("in the coordinates' own axes", lambda n, d, norm: None if turned else True),
            "ROT": Property("on the line", lambda n, d, norm: d == 1 or n == 1),
        }

    def locate(self, x: Float[Tensor, "*batch n d"]) -> Float[Tensor, "*batch 1 d"]:
        if self.basis is None:
            return x.median(-2, keepdim=True).values
        if self.basis.shape[-1] != x.shape[-1]:
            raise ArgumentError("X", f"{self.basis.shape[-1]} coordinates, as the basis has", f"shape {tuple(x.shape)}")
        basis = self.basis.to(x)
        return (x @ basis.mT).median(-2, keepdim=True).values @ basis


class GeneralizedMedian(Mechanism):
    """Moulin's medians: of the reports and of fixed phantoms, coordinate by coordinate.

    On the line, the anonymous and strategy-proof rules that look at the highest points of single-peaked preferences are exactly those with
    ``n + 1`` phantoms, and the Pareto-optimal ones among them those with ``n - 1`` (H. Moulin, Public Choice 35, 1980).

    Args:
        phantoms: ``[m]``, the same for each coordinate, or ``[m, d]``; ``m = n - 1`` or ``n + 1``, infinities allowed.

    >>> GeneralizedMedian([0.0, 10.0])(torch.tensor([[1.0], [7.0], [8.0]]))
    tensor([[7.]])
    """

    def __init__(self, phantoms: Any) -> None:
        given = torch.as_tensor(phantoms, dtype=torch.float64)
        if given.ndim not in (1, 2) or bool(given.isnan().any()):
            raise ArgumentError(
                "phantoms", "numbers [m] or [m, d]", f"shape {tuple(given.shape)}" if given.ndim else repr(phantoms)
            )
        self.phantoms, self.name = given, f"median with {len(given)} phantoms"
        self.dimension = given.shape[1] if given.ndim == 2 else None
        fewer = lambda n: len(given) == n - 1  # noqa: E731 - of many, told apart by n
        self._known = {
            "ANON": ALWAYS,
            "SP": Property("with every p-norm", _separable),
            "UNAN": Property(
                "with n - 1 phantoms, or where the n + 1 reach from -inf to inf",
                lambda n, d, norm: True if fewer(n) or self._reach() else None,
            ),
            "PO": Property(
                "on the line with n - 1 phantoms, or where the n + 1 reach from -inf to inf",
                lambda n, d, norm: True if d == 1 and (fewer(n) or self._reach()) else None,
            ),
        }

    def _reach(self) -> bool:
        return bool((self.phantoms.amin(0) == -math.inf).all() and (self.phantoms.amax(0) == math.inf).all())

    def locate(self, x: Float[Tensor, "*batch n d"]) -> Float[Tensor, "*batch 1 d"]:
        n, d = x.shape[-2:]
        phantoms = self.phantoms if self.phantoms.ndim == 2 else self.phantoms.unsqueeze(-1).expand(-1, d)
        if len(phantoms) not in (n - 1, n + 1):
            raise ArgumentError("phantoms", f"n - 1 = {n - 1} or n + 1 = {n + 1} of them for n = {n} people", str(len(phantoms)))
        if phantoms.shape[-1] != d:
            raise ArgumentError("phantoms", f"{d} coordinates, as the profiles have", str(phantoms.shape[-1]))
        every = torch.cat([x, phantoms.to(x).expand(*x.shape[:-2], *phantoms.shape)], -2)
        return every.median(-2, keepdim=True).values


class Percentile(Mechanism):
    """Order statistics: place ``j`` stands, in each coordinate, at the percentile ``q_j`` of the reports.

    Strategy-proof for any number of places on the line (X. Sui, C. Boutilier and T. Sandholm, 2013), and of one place in any dimension.

    Args:
        q: shares between 0 (the least report) and 1 (the largest), ``[k]``, the same in every coordinate, or ``[k, d]``.
        name: for people.

    >>> Percentile([0.0, 1.0])(torch.tensor([[3.0], [1.0], [2.0]])).flatten()
    tensor([1., 3.])
    """

    def __init__(self, q: Any, name: str = "") -> None:
        given = torch.as_tensor(q, dtype=torch.float64)
        given = given.unsqueeze(0) if given.ndim == 0 else given
        if given.ndim not in (1, 2) or not bool(((given >= 0) & (given <= 1)).all()):
            raise ArgumentError("q", "shares between 0 and 1, [k] or [k, d]", repr(q))
        self.q, self.k = given, len(given)
        self.dimension = given.shape[1] if given.ndim == 2 else None
        self.name = name or "percentiles " + ", ".join(f"{100 * share:g} %" for share in given.flatten().tolist())
        self._known = {
            "ANON": ALWAYS,
            "UNAN": ALWAYS,
            "SP": Property(
                "on the line; of one place with every p-norm",
                lambda n, d, norm: True if d == 1 or self.k == 1 else None,
            ),
            "PO": Property("of one place on the line", lambda n, d, norm: True if d == 1 and self.k == 1 else None),
            "TRANS": ALWAYS,
            "SCALE": ALWAYS,
        }

    def ranks(self, n: int) -> Tensor:
        """Which of ``n`` ordered reports each place takes, from 0, ``[k]`` or ``[k, d]``."""
        return (self.q * (n - 1) + 1e-9).floor().to(torch.int64)

    def locate(self, x: Float[Tensor, "*batch n d"]) -> Float[Tensor, "*batch k d"]:
        n, d = x.shape[-2:]
        ranks = self.ranks(n)
        if ranks.ndim == 2 and ranks.shape[-1] != d:
            raise ArgumentError("X", f"{ranks.shape[-1]} coordinates, as the percentiles have", f"shape {tuple(x.shape)}")
        ordered = x.sort(-2).values
        if ranks.ndim == 1:
            return ordered.index_select(-2, ranks.to(x.device))
        return ordered.gather(-2, ranks.to(x.device).expand(*x.shape[:-2], *ranks.shape))


class OrderStatistic(Percentile):
    """The report at one rank from below, coordinate by coordinate: 0 is the least one, -1 the largest.

    >>> OrderStatistic(-1)(torch.tensor([[3.0], [1.0], [2.0]])).item()
    3.0
    """

    def __init__(self, rank: int) -> None:
        if not isinstance(rank, int) or isinstance(rank, bool):
            raise ArgumentError("rank", "a whole number", repr(rank))
        super().__init__([0.5], f"order statistic {rank}")
        self.rank = rank

    def ranks(self, n: int) -> Tensor:
        if not -n <= self.rank < n:
            raise ArgumentError("rank", f"one of {n} reports: {-n} to {n - 1}", repr(self.rank))
        return torch.tensor([self.rank % n])


class EndPoint(Percentile):
    """Two places on the line: at the leftmost and at the rightmost report (A. Procaccia and M. Tennenholtz, 2013).

    >>> EndPoint()(torch.tensor([[3.0], [1.0], [2.0]])).flatten()
    tensor([1., 3.])
    """

    def __init__(self) -> None:
        super().__init__([0.0, 1.0], "end points")
        self.dimension = 1
        self._known = {
            **self._known,
            "PO": Property("on the line", always_on_the_line),
            "DUP": ALWAYS,
            "REFL": ALWAYS,
            "ROT": Property("on the line", always_on_the_line),
        }

    def locate(self, x: Float[Tensor, "*batch n 1"]) -> Float[Tensor, "*batch 2 1"]:
        on_the_line(x, self.name)
        return super().locate(x)


class InnerPoint(Mechanism):
    """Two places on the line: at the two middle reports, which are one report of an odd number.

    >>> InnerPoint()(torch.tensor([[3.0], [1.0], [2.0], [9.0]])).flatten()
    tensor([2., 3.])
    """

    k, name, dimension = 2, "inner points", 1

    def __init__(self) -> None:
        self._known = {
            "ANON": ALWAYS,
            "UNAN": ALWAYS,
            "SP": Property("on the line", always_on_the_line),
            "PO": Property("of two people", lambda n, d, norm: n <= 2),
            "TRANS": ALWAYS,
            "SCALE": ALWAYS,
            "REFL": ALWAYS,
        }

    def locate(self, x: Float[Tensor, "*batch n 1"]) -> Float[Tensor, "*batch 2 1"]:
        on_the_line(x, self.name)
        n = x.shape[-2]
        return x.sort(-2).values.index_select(-2, torch.tensor([(n - 1) // 2, n // 2], device=x.device))


def always_on_the_line(n: int, d: int, norm: float) -> bool | None:
    """True on the line, not known elsewhere."""
    return True if d == 1 else None


def _orthonormal(basis: Any) -> Tensor:
    given = basis if isinstance(basis, Tensor) and basis.is_floating_point() else torch.as_tensor(basis, dtype=torch.float64)
    if given.ndim != 2 or given.shape[0] != given.shape[1]:
        raise ArgumentError("basis", "a square matrix [d, d] with orthonormal rows", f"shape {tuple(given.shape)}")
    if not bool(O(len(given)).contains(given)):
        off = float((given @ given.mT - torch.eye(len(given)).to(given)).abs().max())
        raise ArgumentError("basis", "orthonormal rows", f"a matrix whose product with its transpose is {off:.3g} off the identity")
    exact = given.to(torch.float64)  # one given in less is taken to mean the orthogonal matrix next to it
    return exact @ (3 * torch.eye(len(exact), dtype=torch.float64) - exact.mT @ exact) / 2
