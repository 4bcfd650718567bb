"""What a linear map must satisfy to commute with a group: one equation per generator, applied axis by axis.

A map from ``V_1 ⊗ ... ⊗ V_k`` to ``W_1 ⊗ ... ⊗ W_l`` is a tensor with axes ``W_1, ..., W_l, V_1*, ..., V_k*``, on which the group acts
one axis at a time. So its constraints are kept as the small matrices of the axes; their Kronecker product or sum is never formed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import UnsupportedError
from erlangen.reps.base import Rep
from erlangen.reps.combine import TensorProduct

#: The most numbers that are ever held at once (2 GiB).
MAX_ENTRIES = 2**28


@dataclass(frozen=True, eq=False)
class Constraint:
    """One generator's equation on tensors: ``drho(A) x = 0`` for an algebra element, ``rho(h) x - x = 0`` for a group element.

    Args:
        matrices: the generator on each axis, ``[d_i, d_i]`` float64.
        infinitesimal: whether the generator is an algebra element, whose axes' actions add up (those of a group element multiply).
    """

    matrices: tuple[Tensor, ...]
    infinitesimal: bool

    @cached_property
    def size(self) -> int:
        """The number of entries of a tensor: the product of its axes."""
        return math.prod(len(m) for m in self.matrices)

    @cached_property
    def scale(self) -> float:
        """A bound on the norm of the operator: what counts as large in ``self(x)`` for a unit ``x``."""
        norms = [float(torch.linalg.matrix_norm(m, 2)) for m in self.matrices]
        return sum(norms) if self.infinitesimal else 1.0 + math.prod(norms)

    @cached_property
    def adjoint(self) -> Constraint:
        """The transposed operator."""
        return Constraint(tuple(m.mT.contiguous() for m in self.matrices), self.infinitesimal)

    def __call__(self, x: Float[Tensor, "size columns"]) -> Float[Tensor, "size columns"]:
        """How far each column is from satisfying the equation."""
        before, total = 1, torch.zeros_like(x) if self.infinitesimal else x
        for m, moves in zip(self.matrices, self._moves):
            if moves:
                # The axes before this one are a batch, those after it (and the columns) are columns of a matrix product.
                source = x if self.infinitesimal else total
                image = (m @ source.reshape(before, len(m), -1)).reshape(x.shape)
                total = total + image if self.infinitesimal else image
            before *= len(m)
        return total if self.infinitesimal else total - x

    @cached_property
    def _moves(self) -> list[bool]:
        """Whether the generator does anything on each axis."""
        rest = [torch.zeros_like(m) if self.infinitesimal else torch.eye(len(m), dtype=m.dtype) for m in self.matrices]
        return [not torch.equal(m, r) for m, r in zip(self.matrices, rest)]

    @property
    def is_void(self) -> bool:
        """Whether the generator moves nothing, so that every tensor satisfies its equation."""
        return not any(self._moves)


@dataclass(frozen=True, eq=False)
class Constraints:
    """All the generators of a group on the tensors of one space of maps.

    Args:
        dims: the axes.
        algebra: per axis the Lie algebra's basis, ``[a, d_i, d_i]`` (``a = 0`` for a discrete group).
        discrete: per axis the discrete generators, ``[h, d_i, d_i]``.

    >>> from erlangen.groups import O
    >>> found = Constraints.of(O(3).tensor(2) >> O(3).tensor(1))
    >>> found.dims, len(list(found)), found.size
    ((3, 3, 3), 4, 27)
    """

    dims: tuple[int, ...]
    algebra: tuple[Tensor, ...]
    discrete: tuple[Tensor, ...]

    @classmethod
    def of(cls, rep: Rep) -> Constraints:
        """The constraints on the invariants of a representation, in float64; each factor of a tensor product is an axis."""
        group, axes = rep.group, rep.parts if isinstance(rep, TensorProduct) else (rep,)
        tangents, generators = group.tangents(torch.float64) if group.dim else None, group.generators
        none = [torch.zeros(0, axis.dim, axis.dim, dtype=torch.float64) for axis in axes]
        return cls(
            tuple(axis.dim for axis in axes),
            tuple(none) if tangents is None else tuple(axis.algebra(tangents).to(torch.float64) for axis in axes),
            tuple(none) if generators is None else tuple(axis.matrix(generators).to(torch.float64) for axis in axes),
        )

    @property
    def size(self) -> int:
        """The number of entries of a tensor."""
        return math.prod(self.dims)

    @property
    def has_algebra(self) -> bool:
        """Whether some algebra element moves these tensors."""
        return any(bool(a.any()) for a in self.algebra)

    def infinitesimal(self) -> Iterator[Constraint]:
        """One equation per basis element of the Lie algebra."""
        return (Constraint(matrices, True) for matrices in zip(*self.algebra))

    def finite(self) -> Iterator[Constraint]:
        """One equation per discrete generator."""
        return (Constraint(matrices, False) for matrices in zip(*self.discrete))

    def __iter__(self) -> Iterator[Constraint]:
        yield from self.infinitesimal()
        yield from self.finite()

    def random_element(self, generator: torch.Generator) -> Constraint:
        """The equation of a random algebra element, with normal coefficients of total variance one.

        Two of them generate a semisimple algebra with probability one, and on a torus one is enough.
        """
        count = len(self.algebra[0])
        weights = torch.randn(count, dtype=torch.float64, generator=generator) / math.sqrt(count)
        return Constraint(tuple(torch.einsum("a,aij->ij", weights, a) for a in self.algebra), True)

    def residual(self, x: Float[Tensor, "size columns"]) -> float:
        """The largest norm of a column's violation over all generators, relative to the generator's size."""
        if not x.shape[1]:
            return 0.0
        return max((float(torch.linalg.vector_norm(c(x), dim=0).max()) / c.scale for c in self if not c.is_void), default=0.0)


def allow(count: int, size: int, what: str) -> None:
    """Refuse to hold more numbers than :data:`MAX_ENTRIES`."""
    if count * size > MAX_ENTRIES:
        raise UnsupportedError(
            f"{what}: {count} tensors of {size} entries are more than the {MAX_ENTRIES} numbers that are held at once; "
            "use smaller tensors; of a finite group erlangen.reps.characters.count_equivariant_maps gives their number alone"
        )
