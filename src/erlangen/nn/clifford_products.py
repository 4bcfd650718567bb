"""What geometric-algebra attention sees of a tuple: products of its vectors or multivectors, their invariants and covariants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.groups.clifford_space import even_times_vector, multivector, odd_times_vector, parts, spatial_product

Mode = Literal["single", "partial", "full"]
Parity = Literal["so3", "o3"]
MODES = ("single", "partial", "full")
#: A part of a product that is smaller than so many units of rounding of the whole is zero.
ROUNDINGS = 16
#: The least norm that a product is divided by.
SMALLEST = 1e-7


def safe_norm(x: Float[Tensor, "*batch c"], whole: Float[Tensor, "*batch 1"] | None = None) -> Float[Tensor, "*batch 1"]:
    """``|x|`` over the last axis, whose derivatives of every order are zero where it is zero.

    Args:
        x: vectors.
        whole: the square of what ``x`` is a part of. Where ``x`` is nothing but its rounding, as the cross product of collinear vectors is,
            the norm is zero and has no direction, instead of a random one.

    >>> x = torch.zeros(3, requires_grad=True)
    >>> torch.autograd.grad(safe_norm(x).sum(), x)[0]
    tensor([0., 0., 0.])
    """
    square = x.square().sum(-1, keepdim=True)
    least = 0.0 if whole is None else (ROUNDINGS * torch.finfo(x.dtype).eps) ** 2 * whole.detach()
    zero = square <= least
    if whole is not None:
        zero = zero & whole.isfinite()  # a square that there is no number for is no zero
    return torch.where(zero, 0.0, torch.where(zero, 1.0, square).sqrt())


def lengths(rank: int, mode: Mode) -> list[int]:
    """The lengths of the products of a mode, in their order.

    >>> lengths(3, "full")
    [3, 2, 1, 2, 1, 1]
    """
    starts = range(rank if mode == "full" else 1)
    return [rank] if mode == "single" else [length for start in starts for length in range(rank - start, 0, -1)]


@dataclass(frozen=True)
class VectorTerm:
    """A product of ``length`` vectors, or a sum of such products of one parity.

    Attributes:
        length: how many; odd ones are a vector and a trivector, even ones a scalar and a bivector.
        scalar: the scalar or trivector, ``[..., 1]``; ``None`` is zero.
        vector: the vector, or the dual of the bivector, ``[..., 3]``.
    """

    length: int
    scalar: Tensor | None
    vector: Tensor

    @property
    def odd(self) -> bool:
        """Whether it is a vector and a trivector."""
        return bool(self.length % 2)

    def square(self) -> Tensor:
        """The sum of all squares, ``[..., 1]``: of one product, the product of the vectors' squares."""
        square = self.vector.square().sum(-1, keepdim=True)
        return square if self.scalar is None else square + self.scalar.square()

    def times(self, factor: Tensor) -> VectorTerm:
        """Multiplied by numbers ``[..., 1]``."""
        return VectorTerm(self.length, None if self.scalar is None else self.scalar * factor, self.vector * factor)


class VectorProducts:
    """Products of vectors of space (or of the plane, with a zero third component).

    Args:
        dim: 3, or 2.
        parity: ``"so3"`` keeps the sign of trivectors (in the plane, of bivectors), ``"o3"`` their size alone.

    >>> r = [torch.tensor(x) for x in ([1.0, 0.2, -0.3], [-0.5, 0.8, 0.1], [0.3, -0.7, 1.1])]
    >>> single = VectorProducts(3, "so3").terms(r, "single")
    >>> round(VectorProducts(3, "so3").invariants(single[0])[1].item(), 3)         # the volume
    1.033
    """

    #: Signs, and signs of duals, that a linear term can give a product.
    operations = 2

    def __init__(self, dim: int, parity: Parity) -> None:
        self.dim, self.signed = dim, parity == "so3"

    def size(self, length: int, linear: bool = False) -> int:
        """How many invariants a product has."""
        if self.dim == 2:
            return 1 if length % 2 else 2
        return 1 if length == 1 and not linear else 2

    def lift(self, r: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch 3"]:
        """Vectors of the plane in space."""
        return r if self.dim == 3 else torch.nn.functional.pad(r, (0, 1))

    def terms(self, factors: Sequence[Tensor], mode: Mode) -> list[VectorTerm]:
        """The products of a mode: from each start position the longest first."""
        rank, found = len(factors), []
        for start in range(rank if mode == "full" else 1):
            scalar, vector = None, factors[start]
            series = [VectorTerm(1, scalar, vector)]
            for r in factors[start + 1 :]:
                if len(series) % 2:
                    scalar, vector = odd_times_vector(scalar, vector, r)
                else:
                    assert scalar is not None  # of an even product there is one
                    scalar, vector = even_times_vector(scalar, vector, r)
                series.append(VectorTerm(len(series) + 1, scalar, vector))
            found += series[:-2:-1] if mode == "single" else series[::-1]
        return found

    def invariants(self, term: VectorTerm) -> Float[Tensor, "*batch q"]:
        """``|v|`` of one vector, ``|v|, t`` of odd products, ``s, |b|`` of even ones; in the plane ``|v|`` and ``s, p``."""
        if self.dim == 2 and not term.odd:
            p = term.vector[..., 2:]
            return torch.cat([_scalar(term), p if self.signed else p.abs()], -1)
        norm = safe_norm(term.vector, None if term.scalar is None else term.square())
        if term.scalar is None or self.dim == 2:
            return norm
        if term.odd:
            return torch.cat([norm, term.scalar if self.signed else term.scalar.abs()], -1)
        return torch.cat([term.scalar, norm], -1)

    def covariant(self, term: VectorTerm) -> Float[Tensor, "*batch d"]:
        """The vector part, polar, or the dual of the bivector, axial."""
        return term.vector[..., : self.dim]

    def moves(self, length: int) -> bool:
        """Whether the covariant of a product turns along: not the axial one under reflections, nor where it is a number."""
        return bool(length % 2) or (self.dim == 3 and self.signed)

    def normalized(self, term: VectorTerm) -> VectorTerm:
        """Divided by the norm of the product."""
        whole = term.square()
        zero = whole == 0
        return term.times(1 / torch.where(zero, 1.0, whole).sqrt().clamp_min(SMALLEST))

    def linear(self, terms: Sequence[VectorTerm], kernel: Float[Tensor, "terms 2"], rank: int) -> VectorTerm:
        """The sum of products by ``plus - minus``, each by its dual where its parity is not that of the tuple."""
        scalar, vector = 0.0, 0.0
        for term, (plus, minus) in zip(terms, kernel):
            weight = plus - minus
            if term.length % 2 == rank % 2:
                s, v = _scalar(term), term.vector
            else:  # even to odd by -I: (v, t) = (b, -s); odd to even by I: (s, b) = (-t, v)
                s, v = -_scalar(term), term.vector
            scalar, vector = scalar + weight * s, vector + weight * v
        return VectorTerm(rank, torch.as_tensor(scalar), torch.as_tensor(vector))


@dataclass(frozen=True)
class MultivectorTerm:
    """A product of ``length`` multivectors ``[..., 8]``."""

    length: int
    x: Tensor


class MultivectorProducts:
    """Products of multivectors of Cl(3, 0).

    >>> x = [torch.randn(5, 8) for _ in range(3)]
    >>> [term.length for term in MultivectorProducts(3, "so3").terms(x, "full")]
    [3, 2, 1, 2, 1, 1]
    """

    operations = 4

    def __init__(self, dim: int, parity: Parity) -> None:
        self.dim, self.signed = 8, parity == "so3"

    def size(self, length: int, linear: bool = False) -> int:
        """How many invariants a product has."""
        return 4

    def lift(self, r: Float[Tensor, "*batch 8"]) -> Float[Tensor, "*batch 8"]:
        """Multivectors as they are."""
        return r

    def terms(self, factors: Sequence[Tensor], mode: Mode) -> list[MultivectorTerm]:
        """The products of a mode: from each start position the longest first."""
        found = []
        for start in range(len(factors) if mode == "full" else 1):
            series = [factors[start]]
            for y in factors[start + 1 :]:
                series.append(spatial_product(series[-1], y))
            terms = [MultivectorTerm(i + 1, x) for i, x in enumerate(series)]
            found += terms[:-2:-1] if mode == "single" else terms[::-1]
        return found

    def invariants(self, term: MultivectorTerm) -> Float[Tensor, "*batch 4"]:
        """Scalar, norms of vector and bivector, trivector."""
        s, v, b, t = parts(term.x)
        whole = None if term.length == 1 else term.x.square().sum(-1, keepdim=True)
        return torch.cat([s, safe_norm(v, whole), safe_norm(b, whole), t if self.signed else t.abs()], -1)

    def covariant(self, term: MultivectorTerm) -> Float[Tensor, "*batch 8"]:
        """The product itself."""
        return term.x

    def moves(self, length: int) -> bool:
        """Every product does."""
        return True

    def normalized(self, term: MultivectorTerm) -> MultivectorTerm:
        """Divided by the norm over all coefficients."""
        return MultivectorTerm(term.length, term.x / safe_norm(term.x).clamp_min(SMALLEST))

    def linear(self, terms: Sequence[MultivectorTerm], kernel: Float[Tensor, "terms 4"], rank: int) -> MultivectorTerm:
        """The sum of products by ``plus - minus`` and of their duals, right products with ``e123``, by the other two."""
        total: Tensor | float = 0.0
        for term, (plus, minus, plus_dual, minus_dual) in zip(terms, kernel):
            s, v, b, t = parts(term.x)
            total = total + (plus - minus) * term.x + (plus_dual - minus_dual) * multivector(-t, -b, v, s)
        return MultivectorTerm(rank, torch.as_tensor(total))


def _scalar(term: VectorTerm) -> Tensor:
    return torch.zeros_like(term.vector[..., :1]) if term.scalar is None else term.scalar
