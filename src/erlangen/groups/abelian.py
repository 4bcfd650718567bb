"""Finite abelian groups: residues, relations by the Smith normal form, and the dual group of characters."""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from erlangen.errors import ArgumentError, unsupported
from erlangen.groups.base import Group

#: Sums of two residues fit 64 bits.
LARGEST_MODULUS = 2**62
#: Largest number that an element's entries and positions can hold.
LARGEST_NUMBER = 2**63 - 1
#: Largest order for which elements are listed.
LARGEST_LIST = 100_000_000


class FiniteAbelian(Group):
    """``Z/n_1 x ... x Z/n_r``: elements are residues ``[*batch, r]`` (int64), added.

    Elements are the residues from 0 up to ``n_i - 1``, and :meth:`contains` is about these. Any other integer stands for its residue in
    products, inverses, positions and pairings, which reduce it.

    Args:
        moduli: ``n_1, ..., n_r``, each at least 1 and at most ``2^62``, so that sums of residues fit 64 bits.

    Raises:
        ArgumentError: a modulus is no such number.

    >>> A = FiniteAbelian(4, 6)
    >>> A.order, A.invariant_factors
    (24, (2, 12))
    >>> A == FiniteAbelian(6, 4), A.is_isomorphic(FiniteAbelian(2, 12))
    (False, True)
    """

    is_compact = True
    measure = "Haar"
    element_dtype = torch.int64

    def __init__(self, *moduli: int) -> None:
        if not moduli or any(not isinstance(n, int) or not 1 <= n <= LARGEST_MODULUS for n in moduli):
            raise ArgumentError("moduli", "integers from 1 to 2^62, whose sums fit 64 bits", repr(moduli))
        self.moduli = moduli
        self.element_shape = (len(moduli),)
        self.name = " x ".join(f"Z/{n}" for n in moduli)

    @classmethod
    def from_relations(cls, relations: Any) -> tuple[FiniteAbelian, Int[Tensor, "r k"]]:
        """The abelian group of ``k`` generators with the given relations (rows of an integer matrix ``[m, k]``).

        Returns:
            the group, and the images of the generators as the columns of ``[r, k]``.

        Raises:
            ArgumentError: the group is infinite.

        >>> group, images = FiniteAbelian.from_relations([[2, 0], [0, 3]])
        >>> group, images.shape
        (Z/6, torch.Size([1, 2]))
        """
        from erlangen.linalg import smith_normal_form

        rows = [[int(v) for v in row] for row in relations]
        columns = [list(column) for column in zip(*rows)]  # Z^k modulo the span of these columns
        form = smith_normal_form(columns)
        factors = form.invariants + [0] * (len(columns) - len(form.invariants))
        if 0 in factors:
            raise ArgumentError(
                "relations", f"relations of rank {len(columns)} (a finite group)", f"rank {len(columns) - factors.count(0)}"
            )
        kept = [i for i, n in enumerate(factors) if n > 1] or [0]
        group = cls(*[factors[i] for i in kept])
        images = torch.tensor([[form.u[i][j] % factors[i] for j in range(len(columns))] for i in kept])
        return group, images

    def equality_key(self) -> Hashable:
        return self.moduli

    @property
    def order(self) -> int:  # type: ignore[override]
        return math.prod(self.moduli)

    @property
    def generators(self) -> Int[Tensor, "r r"]:
        return torch.eye(len(self.moduli), dtype=torch.int64) % self._modulus()

    def _modulus(self, device: torch.device | None = None) -> Tensor:
        return torch.tensor(self.moduli, device=device)

    def identity(self, *batch: int, dtype: torch.dtype | None = None, device: torch.device | None = None) -> Tensor:
        return torch.zeros(*batch, len(self.moduli), dtype=torch.int64, device=device)

    def multiply(self, g: Tensor, h: Tensor) -> Tensor:
        self.batch_shape(g)
        self.batch_shape(h)  # else residues of another group would be broadcast
        return (g + h) % self._modulus(g.device)

    def inverse(self, g: Tensor) -> Tensor:
        self.batch_shape(g)
        return -g % self._modulus(g.device)

    def sample(
        self,
        *batch: int,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | None = None,
        scale: float = 1.0,
    ) -> Tensor:
        parts = [torch.randint(n, batch, generator=generator) for n in self.moduli]
        return torch.stack(parts, -1).to(device)

    def elements(self) -> Int[Tensor, "order r"]:
        if self.order > LARGEST_LIST:
            unsupported(self, f"list of elements (order {self.order})", "draw some with .sample(n)")
        return torch.cartesian_prod(*[torch.arange(n) for n in self.moduli]).view(-1, len(self.moduli))

    def index(self, g: Int[Tensor, "*batch r"]) -> Int[Tensor, "*batch"]:
        """The position in :meth:`elements`.

        Raises:
            ArgumentError: not integers ``[*batch, r]``.
            UnsupportedError: positions do not fit 64 bits.
        """
        self.batch_shape(g)
        if self.order > LARGEST_NUMBER:
            unsupported(self, "positions of elements that fit 64 bits", "compare elements with .equal")
        place = torch.zeros_like(g[..., 0])
        for i, n in enumerate(self.moduli):
            place = place * n + g[..., i] % n
        return place

    def contains(self, g: Tensor, atol: float | None = None) -> Tensor:
        self.batch_shape(g)
        return ((g >= 0) & (g < self._modulus(g.device))).all(-1)

    @property
    def invariant_factors(self) -> tuple[int, ...]:
        """``d_1 | d_2 | ...``, those above 1: they decide the group up to isomorphism."""
        from erlangen.linalg import smith_normal_form

        diagonal = [[n if i == j else 0 for j in range(len(self.moduli))] for i, n in enumerate(self.moduli)]
        return tuple(d for d in smith_normal_form(diagonal).invariants if d > 1)

    def is_isomorphic(self, other: FiniteAbelian) -> bool:
        """Whether the groups are the same up to names."""
        return self.invariant_factors == other.invariant_factors

    def dual(self) -> FiniteAbelian:
        """The group of characters: isomorphic, its elements are frequencies for :meth:`pairing`."""
        return FiniteAbelian(*self.moduli)

    def pairing(self, character: Int[Tensor, "*batch r"], g: Int[Tensor, "*batch r"]) -> Float[Tensor, "*batch"]:
        """The phase ``sum_i k_i g_i / n_i`` modulo one turn, in turns (float64): the character's value is ``exp(2 pi i phase)``.

        Computed with integers over the exponent of the group, so equal phases are equal numbers.

        Raises:
            UnsupportedError: the products on the way do not fit 64 bits (moduli above 3e9, or too many of them).
        """
        exponent = math.lcm(*self.moduli)
        if max(max(self.moduli) ** 2, exponent * len(self.moduli)) > LARGEST_NUMBER:
            unsupported(self, "phases that integers of 64 bits can hold", "split it into factors of smaller moduli")
        weights = torch.tensor([exponent // n for n in self.moduli], device=g.device)
        return ((character * g % self._modulus(g.device) * weights).sum(-1) % exponent).to(torch.float64) / exponent

    def characters(self) -> Tensor:
        """The character table, ``[order, order]`` complex128: row ``k`` is the character of ``dual().elements()[k]``."""
        every = self.elements()
        return torch.exp(2j * math.pi * self.pairing(every[:, None], every[None]))
