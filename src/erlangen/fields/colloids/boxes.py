"""Where particles are: open space, a periodic box, walls."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.actions.periodic import into_cell
from erlangen.errors import ArgumentError


class Box(ABC):
    """Where particles are. Components come first inside of the simulation: positions are ``[dim, n]``."""

    #: The largest range that pairs may have: half the smallest distance of two images of a point across the box.
    reach: float = math.inf

    def nearest(self, difference: Float[Tensor, "dim n"]) -> Float[Tensor, "dim n"]:
        """Differences to the nearest image; right wherever that is within :attr:`reach`."""
        return difference

    def wall(self, x: Float[Tensor, "dim n"]) -> Tensor | None:
        """The force of walls, ``[dim, n]``."""
        return None

    def scatter(self, count: int, generator: torch.Generator, dim: int, dtype: torch.dtype) -> Float[Tensor, "dim count"]:
        """Places drawn evenly.

        Raises:
            ArgumentError: there is no bounded place to draw from.
        """
        raise ArgumentError(
            "start", f"positions [n, dim] of several particles in {self}", "None", "space without bounds has no even draw"
        )

    @abstractmethod
    def cell(self) -> Tensor | None:
        """Lattice vectors as rows ``[dim, dim]``; None where nothing repeats."""

    def numbers(self) -> Tensor:
        """What the box was made of, for a file: ``box_of(type(box).__name__, box.numbers())`` is the box again."""
        return torch.zeros(0, dtype=torch.float64)


class Open(Box):
    """Space without bounds.

    >>> Open().cell() is None
    True
    """

    def cell(self) -> Tensor | None:
        return None

    def __repr__(self) -> str:
        return "Open()"


class Periodic(Box):
    """A box that repeats.

    Args:
        cell: its side; its sides ``[dim]``; or lattice vectors as **rows** ``[dim, dim]``, as in ASE. (freud's boxes have them as columns,
            and an untransposed one is wrong without a word: :func:`erlangen.fields.colloids.freud_box` turns them.)
        dim: dimensions, where only a side is given.

    Raises:
        ArgumentError: lengths that are not positive or finite, or vectors that are not independent.

    >>> Periodic(10.0).nearest(torch.tensor([[9.0], [-6.0]])).tolist()
    [[-1.0], [4.0]]
    >>> round(Periodic([[2.0, 0.0], [1.0, 3**0.5]]).reach, 6)                   # half the smallest height
    0.866025
    """

    def __init__(self, cell: Any, dim: int = 2) -> None:
        rows = torch.as_tensor(cell, dtype=torch.float64).detach().clone()
        if rows.ndim == 0:
            rows = rows.expand(dim)
        if rows.ndim == 1:
            if not bool((rows > 0).all()):
                raise ArgumentError("box", "positive sides", repr(cell))
            rows = torch.diag(rows)
        if rows.ndim != 2 or rows.shape[0] != rows.shape[1] or not bool(rows.isfinite().all()):
            raise ArgumentError("box", "a side, sides [dim] or lattice vectors [dim, dim] as rows, finite", repr(cell))
        sizes = rows.norm(dim=1)
        if abs(float(torch.linalg.det(rows))) <= 1e-9 * float(sizes.prod()):
            raise ArgumentError("box", "independent lattice vectors", repr(cell))
        self._rows = rows
        self._inverse = torch.linalg.inv(rows)
        #: Whether the vectors lie along the axes.
        self.straight = bool(torch.equal(rows, torch.diag(rows.diagonal())))
        # Column k of the inverse is perpendicular to the walls that vector k crosses; its length is one over their distance.
        self.reach = float(0.5 / self._inverse.norm(dim=0).max())
        self._lasting: dict[torch.dtype, tuple[Tensor, Tensor]] = {}

    @property
    def volume(self) -> float:
        """Area in two dimensions."""
        return abs(float(torch.linalg.det(self._rows)))

    def cell(self) -> Tensor:
        return self._rows.clone()

    def numbers(self) -> Tensor:
        return self.cell()

    def _as(self, x: Tensor) -> tuple[Tensor, Tensor]:
        kept = self._lasting.get(x.dtype)
        if kept is None:
            if self.straight:
                sides = self._rows.diagonal().unsqueeze(-1)
                kept = (sides.to(x.dtype), (1 / sides).to(x.dtype))
            else:
                kept = (self._rows.T.contiguous().to(x.dtype), self._inverse.T.contiguous().to(x.dtype))
            self._lasting[x.dtype] = kept
        return kept

    def nearest(self, difference: Tensor) -> Tensor:
        cell, inverse = self._as(difference)
        if self.straight:
            return difference - cell * (difference * inverse).round()
        return difference - cell @ (inverse @ difference).round()

    def wrap(self, x: Tensor) -> Tensor:
        """Positions ``[*, dim]`` taken into the box ``[0, 1)`` of fractional coordinates."""
        return into_cell(x @ self._inverse.to(x.dtype)) @ self._rows.to(x.dtype)

    def scatter(self, count: int, generator: torch.Generator, dim: int, dtype: torch.dtype) -> Tensor:
        if dim != len(self._rows):
            raise ArgumentError("box", f"a box of {dim} dimensions", f"one of {len(self._rows)}")
        return (torch.rand(count, dim, generator=generator, dtype=torch.float64) @ self._rows).T.to(dtype)

    def __repr__(self) -> str:
        return f"Periodic({(self._rows.diagonal() if self.straight else self._rows).tolist()})"


def reduced(rows: Float[Tensor, "2 2"]) -> Float[Tensor, "2 2"]:
    """The two shortest vectors that span a lattice of the plane (Lagrange, Gauss), counterclockwise, as rows.

    >>> reduced(torch.tensor([[1.0, 0.0], [7.0, 1.0]])).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    a, b = rows.double()
    while True:
        if float(a @ a) > float(b @ b):
            a, b = b, a
        times = round(float(a @ b) / float(a @ a))
        if not times:
            break
        b = b - times * a
    return torch.stack([a, b if float(a[0] * b[1] - a[1] * b[0]) > 0 else -b])


class Circle(Box):
    """A round wall about the origin (a ball in three dimensions) that pushes back like a spring: ``U = k (rho - radius)^2 / 2`` outside.

    >>> Circle(1.0, 10.0).wall(torch.tensor([[2.0], [0.0]])).tolist()
    [[-10.0], [-0.0]]
    """

    def __init__(self, radius: float, stiffness: float) -> None:
        for name, value in (("radius", radius), ("stiffness", stiffness)):
            if not (math.isfinite(value) and value > 0):
                raise ArgumentError(name, "a positive number", repr(value))
        self.radius, self.stiffness = float(radius), float(stiffness)

    def wall(self, x: Tensor) -> Tensor:
        rho = x.square().sum(0).clamp_min(1e-36).sqrt()
        return x * (-self.stiffness * (1 - self.radius / rho).clamp_min(0.0))

    def scatter(self, count: int, generator: torch.Generator, dim: int, dtype: torch.dtype) -> Tensor:
        directions = torch.randn(dim, count, generator=generator, dtype=torch.float64)
        sizes = torch.rand(count, generator=generator, dtype=torch.float64) ** (1 / dim)
        return (self.radius * sizes * directions / directions.norm(dim=0)).to(dtype)

    def cell(self) -> Tensor | None:
        return None

    def numbers(self) -> Tensor:
        return torch.tensor([self.radius, self.stiffness], dtype=torch.float64)

    def __repr__(self) -> str:
        return f"Circle({self.radius}, {self.stiffness})"


class Trap(Box):
    """A harmonic trap about the origin: ``U = k rho^2 / 2``, softer or stiffer along each axis.

    >>> Trap([1.0, 2.0]).wall(torch.tensor([[1.0], [1.0]])).tolist()
    [[-1.0], [-2.0]]
    """

    def __init__(self, stiffness: Any) -> None:
        self.stiffness = torch.as_tensor(stiffness, dtype=torch.float64)
        if self.stiffness.ndim > 1 or not bool((self.stiffness >= 0).all() and self.stiffness.isfinite().all()):
            raise ArgumentError("stiffness", "one stiffness or one for each axis, finite and not negative", repr(stiffness))

    def wall(self, x: Tensor) -> Tensor:
        k = self.stiffness.to(x)
        return -x * (k.unsqueeze(-1) if k.ndim else k)

    def scatter(self, count: int, generator: torch.Generator, dim: int, dtype: torch.dtype) -> Tensor:
        width = self.stiffness.clamp_min(1e-12).rsqrt()
        return (
            torch.randn(dim, count, generator=generator, dtype=torch.float64) * (width.unsqueeze(-1) if width.ndim else width)
        ).to(dtype)

    def cell(self) -> Tensor | None:
        return None

    def numbers(self) -> Tensor:
        return self.stiffness.clone()

    def __repr__(self) -> str:
        return f"Trap({self.stiffness.tolist()})"


def box_of(name: str, numbers: Tensor) -> Box:
    """The box of this name and these :meth:`Box.numbers`.

    Raises:
        ArgumentError: there is no such box, or the numbers are not those of one.

    >>> box_of("Circle", Circle(1.0, 10.0).numbers())
    Circle(1.0, 10.0)
    """
    if name == "Circle" and numbers.shape == (2,):
        return Circle(*numbers.tolist())
    if name == "Open" and not numbers.numel():
        return Open()
    if name in ("Periodic", "Trap"):
        return Periodic(numbers) if name == "Periodic" else Trap(numbers)
    raise ArgumentError("box", "Open, Periodic, Circle or Trap, and its numbers", f"{name!r} with {numbers.tolist()}")
