"""Cyclic and dihedral groups, as permutations of the corners of a polygon, in closed form."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import torch
from jaxtyping import Int
from torch import Tensor

from erlangen.groups.membership import looks_cheap
from erlangen.groups.permutation import PermutationGroup, check_degree

if TYPE_CHECKING:
    from erlangen.reps.base import Rep


#: Polygons of at most so many corners keep their elements in a list (1 MB), for looking at an element by its position.
LARGEST_KEPT = 256


class _Polygon(PermutationGroup):
    """A group of a polygon's rotations and reflections, of whose elements the first one or two images tell the position."""

    @cached_property
    @torch.inference_mode(False)  # what is kept must serve training too
    def _kept(self) -> Tensor | None:
        return self.elements() if self.n <= LARGEST_KEPT else None

    def _look(self, g: Tensor, position: Tensor) -> None:
        """Refuse elements that are not those at their positions in the list."""
        if not looks_cheap(g):
            return
        if self._kept is not None:
            try:
                if torch.equal(self._kept.index_select(0, position.flatten()).view(g.shape), g):
                    return
            except IndexError:  # no position in the list
                pass
        self.check(g)


class Cyclic(_Polygon):
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
        self.batch_shape(g)
        first = g[..., 0]
        self._look(g, first)
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


class Dihedral(_Polygon):
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
        position = self.index(g)
        return position % self.corners, position // self.corners

    def index(self, g: Int[Tensor, "*batch n"]) -> Int[Tensor, "*batch"]:
        """The position in :meth:`elements`: ``k + n s``.

        Raises:
            ArgumentError: a permutation is no symmetry of the polygon.
        """
        self.batch_shape(g)
        position = self._position(g)
        self._look(g, position)
        return position

    def _position(self, g: Tensor) -> Tensor:
        """``k + n s`` by where the first two corners go: ``k`` to ``k + 1``, or back."""
        turned = g[..., 0]
        k = turned if self._step == 1 else turned // self._step
        return torch.where((g[..., 1] - turned) % self.n == 1, k, k + self.corners)

    def elements(self) -> Int[Tensor, "order n"]:
        i = torch.arange(2 * self.corners)
        return self.element(i % self.corners, i // self.corners)

    def sample(self, *batch: int, generator=None, dtype=None, device=None, scale: float = 1.0) -> Tensor:
        i = torch.randint(2 * self.corners, batch, generator=generator)
        return self.element(i % self.corners, i // self.corners).to(device)

    def contains(self, g: Tensor, atol: float | None = None) -> Tensor:
        self.batch_shape(g)
        position = self._position(g)
        return (g == self.element(position % self.corners, position // self.corners)).all(-1)

    def irrep(self, *label: int | str) -> Rep:
        """A real irreducible representation: a frequency, ``"flip"``, ``"turn"`` or ``"turn-flip"``; 0 is the scalar."""
        from erlangen.reps.finite import DihedralIrrep

        return self.scalar if label == (0,) else DihedralIrrep(self, *label)

    @cached_property
    @torch.inference_mode(False)  # what is kept must serve training too
    def plane(self) -> Rep:
        """The plane in which the polygon lies, corner 0 on the first axis: rotations by ``2 pi k / n``, ``(0, 1)`` is ``diag(1, -1)``.

        Irreducible for ``n > 2``; a sum of two lines for the groups of order 2 and 4.

        >>> Dihedral(2).plane(Dihedral(2).element(1, 0))
        tensor([[-1.,  0.],
                [ 0., -1.]], dtype=torch.float64)
        """
        if self.corners == 1:
            return self.scalar + self.irrep("flip")
        return self.irrep(1) if self.corners > 2 else self.irrep("turn") + self.irrep("turn-flip")
