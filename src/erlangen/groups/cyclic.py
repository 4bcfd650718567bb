"""Cyclic and dihedral groups, as permutations of the corners of a polygon, in closed form."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from jaxtyping import Int
from torch import Tensor

from erlangen.groups.membership import looks_cheap
from erlangen.groups.permutation import PermutationGroup, check_degree

if TYPE_CHECKING:
    from erlangen.reps.base import Rep


class Cyclic(PermutationGroup):
    """The rotations of a regular polygon: element ``k`` takes corner ``i`` to ``i + k`` modulo ``n``.

    >>> C = Cyclic(6)
    >>> C.exponent(C.multiply(C.element(4), C.element(5)))
    tensor(3)
    """

    def __init__(self, n: int) -> None:
        check_degree(n, 1)
        super().__init__([[(i + 1) % n for i in range(n)]], name=f"C_{n}")
        self._irrep_names, self._scalar_symbol = f"frequencies 0 to {n // 2} as ρ0, ρ1 ..", "ρ0"

    @property
    def order(self) -> int:  # type: ignore[override]
        return self.n

    def element(self, k: int | Int[Tensor, "*batch"]) -> Int[Tensor, "*batch n"]:
        """The rotation by ``k`` corners."""
        k = torch.as_tensor(k)
        return (k.unsqueeze(-1) + torch.arange(self.n, device=k.device)) % self.n

    def exponent(self, g: Int[Tensor, "*batch n"]) -> Int[Tensor, "*batch"]:
        """By how many corners an element rotates: where it takes the first one.

        Raises:
            ArgumentError: a permutation is no rotation of the polygon.
        """
        first = g[..., 0]
        if looks_cheap(g) and not torch.equal(self.element(first), g):
            self.check(g)
        return first

    def index(self, g: Int[Tensor, "*batch n"]) -> Int[Tensor, "*batch"]:
        """The position in :meth:`elements`."""
        return self.exponent(g)

    def elements(self) -> Int[Tensor, "order n"]:
        return self.element(torch.arange(self.n))

    def sample(self, *batch: int, generator=None, dtype=None, device=None, scale: float = 1.0) -> Tensor:
        return self.element(torch.randint(self.n, batch, generator=generator)).to(device)

    def contains(self, g: Tensor, atol: float | None = None) -> Tensor:
        self.batch_shape(g)
        return (g == self.element(g[..., 0])).all(-1) & (g[..., 0] >= 0) & (g[..., 0] < self.n)

    def irrep(self, *label: int) -> Rep:
        """The real irreducible representation of frequency ``k``; 0 is the scalar."""
        from erlangen.reps.finite import CyclicIrrep

        return self.scalar if label == (0,) else CyclicIrrep(self, *label)


class Dihedral(PermutationGroup):
    """The rotations and reflections of a regular polygon, ``2 n`` elements.

    Element ``(k, s)`` takes corner ``i`` to ``k + i`` (``s = 0``) or ``k - i`` (``s = 1``) modulo ``n``. With fewer than three corners
    those maps would coincide, so ``Dihedral(1)`` and ``Dihedral(2)`` act on a hexagon's corners in the same way, by every sixth and
    every third of a turn.

    >>> D = Dihedral(4)
    >>> k, s = D.parts(D.multiply(D.element(1, 1), D.element(1, 0)))
    >>> int(k), int(s), D.order
    (0, 1, 8)
    """

    def __init__(self, n: int) -> None:
        check_degree(n, 1)
        self.corners = n
        points = n if n > 2 else 6
        self._step = points // n
        turn = [(i + self._step) % points for i in range(points)]
        flip = [-i % points for i in range(points)]
        super().__init__([turn, flip] if n > 1 else [flip], name=f"D_{n}")
        names = "flip, turn, turn-flip" if n % 2 == 0 else "flip"
        self._irrep_names, self._scalar_symbol = f"{names}, frequencies 0 to {(n - 1) // 2} as ρ0, ρ1 ..", "ρ0"

    @property
    def order(self) -> int:  # type: ignore[override]
        return 2 * self.corners

    def element(self, k: int | Int[Tensor, "*batch"], s: int | Int[Tensor, "*batch"] = 0) -> Int[Tensor, "*batch n"]:
        """The rotation by ``k`` steps, after the reflection that fixes corner 0 if ``s`` is 1."""
        turns, flips = torch.broadcast_tensors(torch.as_tensor(k), torch.as_tensor(s))
        points = torch.arange(self.n, device=turns.device)
        return (turns.unsqueeze(-1) * self._step + (1 - 2 * flips).unsqueeze(-1) * points) % self.n

    def parts(self, g: Int[Tensor, "*batch n"]) -> tuple[Int[Tensor, "*batch"], Int[Tensor, "*batch"]]:
        """``(k, s)`` of elements.

        Raises:
            ArgumentError: a permutation is no symmetry of the polygon.
        """
        k, s = self._read(g)
        if looks_cheap(g) and not torch.equal(self.element(k, s), g):
            self.check(g)
        return k, s

    def _read(self, g: Tensor) -> tuple[Tensor, Tensor]:
        """``(k, s)`` by where the first two corners go."""
        turned = g[..., 0]
        return turned // self._step, (g[..., 1] != (turned + 1) % self.n).to(torch.int64)

    def index(self, g: Int[Tensor, "*batch n"]) -> Int[Tensor, "*batch"]:
        """The position in :meth:`elements`: ``k + n s``."""
        k, s = self.parts(g)
        return k + self.corners * s

    def elements(self) -> Int[Tensor, "order n"]:
        i = torch.arange(2 * self.corners)
        return self.element(i % self.corners, i // self.corners)

    def sample(self, *batch: int, generator=None, dtype=None, device=None, scale: float = 1.0) -> Tensor:
        i = torch.randint(2 * self.corners, batch, generator=generator)
        return self.element(i % self.corners, i // self.corners).to(device)

    def contains(self, g: Tensor, atol: float | None = None) -> Tensor:
        self.batch_shape(g)
        k, s = self._read(g)
        return (g == self.element(k, s)).all(-1)

    def irrep(self, *label: int | str) -> Rep:
        """A real irreducible representation: a frequency, ``"flip"``, ``"turn"`` or ``"turn-flip"``; 0 is the scalar."""
        from erlangen.reps.finite import DihedralIrrep

        return self.scalar if label == (0,) else DihedralIrrep(self, *label)
