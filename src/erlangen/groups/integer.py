"""Groups of integer matrices, exact, if wanted modulo a number: lattices' symmetries, space groups with fractional translations."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.groups.base import Group
from erlangen.groups.closure import close_objects

if TYPE_CHECKING:
    from erlangen.reps.base import Rep

#: Largest number that an element's entries can hold.
LARGEST_ENTRY = 2**63 - 1


class IntegerMatrixGroup(Group):
    """The finite group that invertible integer matrices generate, computed in integers.

    With a ``modulus`` the entries are residues: a space group with translations in 24ths is the group of the matrices
    ``[[W, 24 w], [0, 1]]`` modulo 24, its quotient by the lattice.

    Args:
        generators: ``[m, n, n]`` integers.
        modulus: reduce entries modulo this.
        largest: give up beyond this order.
        name: a name for people.

    Raises:
        ArgumentError: not integers, not invertible, more than ``largest`` elements, or an element whose entries do not fit 64 bits.

    >>> quarter = torch.tensor([[0, -1], [1, 0]])
    >>> IntegerMatrixGroup([quarter]).order
    4
    """

    is_compact = True
    measure = "Haar"
    element_dtype = torch.int64

    def __init__(
        self, generators: Int[Tensor, "m n n"] | Sequence[Tensor], modulus: int | None = None, largest: int = 20_000, name: str = ""
    ) -> None:
        gens = torch.stack([torch.as_tensor(g) for g in generators])
        if gens.is_floating_point() or gens.ndim != 3 or gens.shape[-1] != gens.shape[-2]:
            raise ArgumentError("generators", "integer matrices [m, n, n]", f"{gens.dtype} {tuple(gens.shape)}")
        self.modulus, self.n = modulus, gens.shape[-1]
        if modulus is not None and not 2 <= modulus <= (largest_modulus := math.isqrt(LARGEST_ENTRY // self.n)):
            raise ArgumentError("modulus", f"an integer from 2 to {largest_modulus}, so that products fit 64 bits", repr(modulus))
        self._generators = self._reduce(gens.to(torch.int64))
        self.element_shape = (self.n, self.n)
        self._largest = largest
        self.name = name or f"IntegerMatrixGroup(n={self.n}" + (f", modulus={modulus})" if modulus else ")")
        # Elements of a finite group have finite order; a singular matrix never returns to the identity.
        if modulus is None:
            for g in self._generators.tolist():
                if abs(determinant := _determinant(g)) != 1:
                    raise ArgumentError("generators", "matrices of determinant 1 or -1", f"one of determinant {determinant}")
        _ = self._listed

    def _reduce(self, g: Tensor) -> Tensor:
        return g if self.modulus is None else g % self.modulus

    def equality_key(self) -> Hashable:
        return (self.modulus, tuple(self._generators.flatten().tolist()))

    @cached_property
    @torch.inference_mode(False)  # what is kept must serve training too
    def _listed(self) -> Tensor:
        gens = [g.numpy() for g in self._generators]

        def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
            return a @ b if self.modulus is None else a @ b % self.modulus

        closed = close_objects(np.eye(self.n, dtype=np.int64), gens, product, lambda a: a.tobytes(), self._largest)
        if closed is None:
            raise ArgumentError(
                "generators", f"generators of a group of at most {self._largest} elements", f"more than {self._largest}"
            )
        every = torch.from_numpy(np.stack(closed[0]))
        if self.modulus is None:
            _check_no_overflow(np.stack(gens), every.numpy())
        for g in self._generators:
            if not bool((self.multiply(g, every) == self.identity()).flatten(1).all(1).any()):
                modulo = f" modulo {self.modulus}" if self.modulus else ""
                raise ArgumentError("generators", f"matrices that are invertible{modulo}", f"the singular {g.tolist()}")
        return every

    @property
    def order(self) -> int:  # type: ignore[override]
        return len(self._listed)

    @property
    def is_proper(self) -> bool:
        return self.modulus is None and all(_determinant(g) == 1 for g in self._generators.tolist())

    @property
    def generators(self) -> Int[Tensor, "m n n"]:
        return self._generators

    def elements(self) -> Int[Tensor, "order n n"]:
        return self._listed.clone()

    def identity(self, *batch: int, dtype: torch.dtype | None = None, device: torch.device | None = None) -> Tensor:
        return torch.eye(self.n, dtype=torch.int64, device=device).repeat(*batch, 1, 1)

    def multiply(self, g: Tensor, h: Tensor) -> Tensor:
        return self._reduce(g @ h)

    def inverse(self, g: Tensor) -> Tensor:
        from erlangen.groups.finite import index_of

        return self._listed.to(g.device)[self._inverses.to(g.device)[index_of(self, g)]]

    @cached_property
    @torch.inference_mode(False)  # what is kept must serve training too
    def _inverses(self) -> Tensor:
        from erlangen.groups.lookup import Lookup

        return Lookup(self).find(self.power(self._listed, self.order - 1))

    def sample(
        self,
        *batch: int,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | None = None,
        scale: float = 1.0,
    ) -> Tensor:
        return self._listed[torch.randint(self.order, batch, generator=generator)].to(device)

    @property
    def vector(self) -> Rep:
        """``Z^n`` and ``R^n`` by multiplication (without a modulus; integer data stay integers)."""
        if self.modulus is not None:
            return super().vector
        from erlangen.reps.basic import Defining

        return Defining(self)  # type: ignore[arg-type]  # it only needs n and the generators


def _determinant(rows: list[list[int]]) -> int:
    """The exact determinant of an integer matrix."""
    from sympy import ZZ
    from sympy.polys.matrices import DomainMatrix

    return int(DomainMatrix(rows, (len(rows), len(rows)), ZZ).det())


def _check_no_overflow(gens: np.ndarray, every: np.ndarray) -> None:
    """Refuse a list closed under products modulo 2^64 that is not closed under products.

    Sums that overflow on the way are harmless: a result that fits 64 bits is exact all the same. So where entries are too large for
    a bound, generators are multiplied with all elements once more in integers of any size.
    """
    largest = len(gens[0]) * _largest_entry(gens) * _largest_entry(every)
    if largest > LARGEST_ENTRY:
        products = gens.astype(object)[:, None] @ every.astype(object)[None]
        largest = _largest_entry(products)
    if largest > LARGEST_ENTRY:
        raise ArgumentError("generators", "matrices whose products have entries of at most 63 bits", f"{largest.bit_length()} bits")


def _largest_entry(a: np.ndarray) -> int:
    return max(-int(a.min()), int(a.max()))
