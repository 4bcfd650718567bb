"""Representations of finite groups: the regular one, and the real irreducible ones of cyclic and dihedral groups."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Hashable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from erlangen.errors import ArgumentError, unsupported
from erlangen.groups.base import Element, Group
from erlangen.groups.cyclic import LARGEST_KEPT
from erlangen.groups.finite import inverse_positions, multiplication_table
from erlangen.groups.haar import planar_rotation
from erlangen.groups.lookup import Lookup
from erlangen.reps.base import Rep
from erlangen.reps.basic import Trivial

if TYPE_CHECKING:
    from erlangen.groups.cyclic import Cyclic, Dihedral


class Regular(Rep):
    """A finite group on the functions of its elements: ``(g f)(h) = f(g^-1 h)``, in the order of ``group.elements()``.

    Acts by looking up a row of the multiplication table, without any matrix.

    >>> from erlangen.groups import Dihedral
    >>> V = Dihedral(8).regular
    >>> V.dim, V.act(Dihedral(8).sample(10), torch.randn(10, 16)).shape
    (16, torch.Size([10, 16]))
    """

    symbol, is_orthogonal = "R[G]", True

    def __init__(self, group: Group) -> None:
        if not group.is_finite:
            unsupported(group, "regular representation of finite dimension", "use a finite subgroup, or irreps")
        super().__init__(group)
        self.dim = int(group.order)
        table = multiplication_table(group)
        self._rows = table[inverse_positions(table)]  # rows[i, j]: the position of g_i^-1 h_j
        # A closed form looks itself at what it does not read.
        self._position = getattr(group, "index", None) or Lookup(group).find

    def equality_key(self) -> Hashable:
        return ()

    def _gather_index(self, g: Element) -> Tensor:
        position = self._position(g)
        try:
            return self._rows.to(position.device).index_select(0, position.flatten()).view(*position.shape, self.dim)
        except IndexError:  # positions that a closed form found outside of the list
            self.group.check(g)
            raise

    def matrix(self, g: Element) -> Tensor:
        return torch.nn.functional.one_hot(self._gather_index(g), self.dim).to(torch.float64)

    def apply(self, g: Element, x: Tensor) -> Tensor:
        index = self._gather_index(g).unsqueeze(-2)
        shape = torch.broadcast_shapes(index.shape, x.shape)
        return x.expand(shape).gather(-1, index.expand(shape))


class _PolygonIrrep(Rep):
    """A representation of a polygon's group; where the group is small, its matrices are read from a list."""

    is_orthogonal = True

    @abstractmethod
    def _at(self, position: Tensor) -> Tensor:
        """The matrices, float64, of the elements at these positions."""

    #: The matrices of all elements, ``None`` where they are many; made with the representation, for compiled functions keep nothing.
    _kept: Tensor | None

    def _keep(self) -> None:
        small = self.group.element_shape[0] <= LARGEST_KEPT
        self._kept = self._at(torch.arange(int(self.group.order))) if small else None

    def matrix(self, g: Tensor) -> Tensor:
        position = self.group.index(g)  # type: ignore[attr-defined]
        if self._kept is None:
            return self._at(position)
        rows = self._kept.to(position.device).index_select(0, position.flatten())
        return rows.view(*position.shape, self.dim, self.dim)


class CyclicIrrep(_PolygonIrrep):
    """The real irreducible representation of a cyclic group by ``k``-fold rotation of the plane.

    Frequency 0 is trivial and, for even order, ``n/2`` is the sign; both are one-dimensional.

    Args:
        group: ``Cyclic(n)``.
        k: the frequency, ``1 .. floor(n/2)``.

    >>> from erlangen.groups import Cyclic
    >>> C = Cyclic(4)
    >>> C.irrep(1)(C.element(1)).round().int()
    tensor([[ 0, -1],
            [ 1,  0]], dtype=torch.int32)
    """

    def __init__(self, group: Cyclic, k: int) -> None:
        n = int(group.order)
        if not isinstance(k, int) or not 0 < k <= n // 2:
            raise ArgumentError("k", f"a frequency from 1 to {n // 2} ({group} has no other non-trivial real irrep)", repr(k))
        super().__init__(group)
        self.k, self.symbol = k, f"ρ{k}"
        self.dim = 1 if 2 * k == n else 2
        self._keep()

    def equality_key(self) -> Hashable:
        return self.k

    def _at(self, position: Tensor) -> Tensor:
        return _rotation_power(position * self.k, int(self.group.order), self.dim)


class DihedralIrrep(_PolygonIrrep):
    """A real irreducible representation of a dihedral group.

    Args:
        group: ``Dihedral(n)``.
        label: a frequency ``1 <= k < n/2`` (two-dimensional: rotations by ``2 pi k / n``, the flip is ``diag(1, -1)``), or
            ``"flip"`` (-1 on every reflection); for even ``n`` also ``"turn"`` (-1 on odd rotations) and ``"turn-flip"`` (both).

    >>> from erlangen.groups import Dihedral
    >>> [Dihedral(4).irrep(label).dim for label in (1, "flip", "turn", "turn-flip")]
    [2, 1, 1, 1]
    """

    def __init__(self, group: Dihedral, label: int | str) -> None:
        n = int(group.order) // 2
        names = ("flip", "turn", "turn-flip") if n % 2 == 0 else ("flip",)
        if not (label in names if isinstance(label, str) else 0 < label < n / 2):
            largest = (n - 1) // 2
            wanted = f"one of {', '.join(map(repr, names))}" + (f" or a frequency from 1 to {largest}" if largest else "")
            raise ArgumentError("label", wanted, repr(label))
        super().__init__(group)
        self.label, self.symbol = label, f"ρ{label}" if isinstance(label, int) else label
        self.dim = 1 if isinstance(label, str) else 2
        self._keep()

    def equality_key(self) -> Hashable:
        return self.label

    def _at(self, position: Tensor) -> Tensor:
        corners = int(self.group.order) // 2
        turns, flip = position % corners, position // corners
        mirror = 1 - 2 * flip.to(torch.float64)
        if isinstance(self.label, str):
            odd = 1 - 2 * (turns % 2).to(mirror.dtype)
            return {"flip": mirror, "turn": odd, "turn-flip": odd * mirror}[self.label][..., None, None]
        rotation = _rotation_power(turns * self.label, corners, 2)
        return torch.stack([rotation[..., 0], rotation[..., 1] * mirror[..., None]], -1)


def cyclic_irreps(group: Cyclic) -> list[Rep]:
    """All real irreducible representations of ``Cyclic(n)``: the trivial one, then by frequency."""
    return [Trivial(group), *(CyclicIrrep(group, k) for k in range(1, int(group.order) // 2 + 1))]


def dihedral_irreps(group: Dihedral) -> list[Rep]:
    """All irreducible representations of ``Dihedral(n)``: one-dimensional ones first."""
    n = int(group.order) // 2
    names = ("flip", "turn", "turn-flip") if n % 2 == 0 else ("flip",)
    return [Trivial(group), *(DihedralIrrep(group, label) for label in [*names, *range(1, (n + 1) // 2)])]


def _rotation_power(steps: Tensor, n: int, dim: int) -> Tensor:
    """Rotation by ``steps`` n-ths of a turn; for ``dim`` 1, where steps are multiples of n/2, its sign."""
    angle = (2 * math.pi / n) * (steps % n).to(torch.float64)
    if dim == 1:
        return torch.cos(angle).round()[..., None, None].to(torch.float64)
    return planar_rotation(angle)
