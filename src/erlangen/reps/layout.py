"""`Layout`: a feature vector as tensors of a space R^d, the same for every candidate group that acts on that space."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Int
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.groups.base import Element
from erlangen.reps import Determinant, DirectSum, Dual, MatrixRep, Rep, TensorProduct, Trivial


@dataclass(frozen=True, order=True)
class TensorType:
    """Tensors ``V^p ⊗ V*^q`` over the space ``V = R^d``, whatever group acts on it.

    Args:
        p, q: how many axes are vectors, and how many are linear forms (duals).
        twisted: changes by the determinant too: pseudoscalars and axial vectors.
        weight: is divided by the ``weight``-th power of a length, which a scaling ``s`` multiplies by ``s`` (``|det g|^(-weight/d)``).

    >>> TensorType(2), TensorType(1, 1), TensorType()
    (T2, T(1,1), S)
    >>> from erlangen.groups import Scalings
    >>> TensorType(1, 1).rep(Scalings(3).vector)
    V⊗V* of Scalings(3)
    """

    p: int = 0
    q: int = 0
    twisted: bool = False
    weight: int = 0

    def __post_init__(self) -> None:
        for name, value in (("p", self.p), ("q", self.q)):
            if not isinstance(value, int) or value < 0:
                raise ArgumentError(name, "a number of axes, at least 0", repr(value))

    @property
    def rank(self) -> int:
        return self.p + self.q

    def rep(self, vector: Rep) -> Rep:
        """These tensors for the group that acts on ``V`` by ``vector``."""
        group = vector.group
        factors = [vector] * self.p + [vector.dual] * self.q
        if self.twisted:
            factors.append(group.pseudoscalar)
        if self.weight and not vector.is_orthogonal:
            factors.append(_length(vector, -self.weight))
        product = group.scalar
        for factor in factors:
            product = factor if isinstance(product, Trivial) else product @ factor
        return product

    def __repr__(self) -> str:
        base = ("S", "V")[self.p] if not self.q and self.p < 2 else (f"T{self.p}" if not self.q else f"T({self.p},{self.q})")
        return base + ("'" if self.twisted else "") + (f"/r^{self.weight}" if self.weight else "")


def _length(vector: Rep, power: int) -> Rep:
    """The character by which ``power`` lengths are multiplied."""

    def character(g: Element) -> Tensor:
        # A square root of a square instead of |det|: its derivative at the identity is exact.
        return torch.linalg.det(vector.matrix(g)).square().pow(power / (2 * vector.dim))[..., None, None]

    return MatrixRep(vector.group, character, 1, f"r^{power}")


SCALAR, VECTOR = TensorType(), TensorType(1)


@dataclass(frozen=True)
class Layout:
    """What the entries of a feature vector are: tensors of ``R^d``, one after another.

    Args:
        d: dimension of the space.
        parts: types and how many copies of each, in the order in which they stand.

    >>> x = Layout(3, [(SCALAR, 5), (VECTOR, 5)])
    >>> x, x.dim
    (5·S + 5·V of R^3, 20)
    >>> from erlangen.groups import O
    >>> Layout.of(O(3).vector ** 2 + O(3).scalar, 3)
    T2 + S of R^3
    """

    d: int
    parts: Sequence[tuple[TensorType, int]]

    def __post_init__(self) -> None:
        for kind, count in self.parts:
            if not isinstance(kind, TensorType) or not isinstance(count, int) or count < 0:
                raise ArgumentError("parts", "pairs of a TensorType and a number of copies", (kind, count))
        merged: list[tuple[TensorType, int]] = []
        for kind, count in self.parts:
            if merged and merged[-1][0] == kind:
                merged[-1] = kind, merged[-1][1] + count
            elif count:
                merged.append((kind, count))
        object.__setattr__(self, "parts", tuple(merged))
        if not merged:
            raise ArgumentError("parts", "at least one tensor", repr(self.parts))

    @classmethod
    def of(cls, what: Layout | Rep | int, d: int, argument: str = "rep") -> Layout:
        """The layout of a representation made of a group's vectors, duals, scalars and pseudoscalars; a number: so many vectors.

        Raises:
            ArgumentError: a part is no tensor of ``R^d``, so that other groups would not know how to move it.
        """
        if isinstance(what, Layout):
            if what.d != d:
                raise ArgumentError(argument, f"tensors of R^{d}, on which the groups act", f"tensors of R^{what.d}")
            return what
        if isinstance(what, int) and not isinstance(what, bool) and what > 0:
            return cls(d, [(VECTOR, what)])
        if not isinstance(what, Rep):
            raise ArgumentError(argument, "a representation, a Layout or a number of vectors", type(what).__name__)
        parts = what.parts if isinstance(what, DirectSum) else (what,)
        return cls(d, [(_type_of(part, d, argument), 1) for part in parts])

    @property
    def dim(self) -> int:
        """The length of the feature vector."""
        return sum(count * self.d**kind.rank for kind, count in self.parts)

    @cached_property
    @torch.inference_mode(False)  # what is kept must serve training too
    def places(self) -> dict[TensorType, Int[Tensor, "copies size"]]:
        """For each type, where the entries of its copies are."""
        found: dict[TensorType, list[Tensor]] = {}
        start = 0
        for kind, count in self.parts:
            size = self.d**kind.rank
            found.setdefault(kind, []).append(torch.arange(start, start + count * size).view(count, size))
            start += count * size
        return {kind: torch.cat(places) for kind, places in found.items()}

    def rep(self, vector: Rep) -> Rep:
        """The same tensors, moved by the group that acts on ``R^d`` by ``vector``."""
        parts = [part for kind, count in self.parts for part in [kind.rep(vector)] * count]
        return parts[0] if len(parts) == 1 else DirectSum(tuple(parts))

    def __iter__(self) -> Iterator[tuple[TensorType, int]]:
        return iter(self.parts)

    def __add__(self, other: Layout) -> Layout:
        return Layout(self.d, [*self.parts, *other.parts])

    def __mul__(self, count: int) -> Layout:
        return Layout(self.d, list(self.parts) * count)

    __rmul__ = __mul__

    def __repr__(self) -> str:
        return " + ".join(f"{kind}" if count == 1 else f"{count}·{kind}" for kind, count in self.parts) + f" of R^{self.d}"


def hidden_layout(width: int, d: int, dual: bool = False) -> Layout:
    """Hidden features of exactly this width: about as many numbers for each tensor rank 0 .. r, as high as fits.

    ``r`` is the largest with ``(r + 1) d^r <= width``; what is left over is spread in the same way over lower ranks.

    Args:
        width: how many numbers.
        d: dimension of the space.
        dual: share each rank among vectors and duals, which non-orthogonal groups tell apart.

    Source: the heuristic of M. Finzi et al., arXiv:2104.09459, with the rank found anew for the remainder.

    >>> hidden_layout(128, 3), hidden_layout(128, 3).dim
    (38·S + 12·V + 3·T2 + T3 of R^3, 128)
    """
    for name, value in (("width", width), ("d", d)):
        if not isinstance(value, int) or value < 1:
            raise ArgumentError(name, "a positive number", repr(value))
    counts: dict[int, int] = {}
    left = width
    while left:
        top = max(r for r in range(64) if (r + 1) * d**r <= left or r == 0) if d > 1 else 0
        share = left // (top + 1)
        for rank in range(top + 1):
            copies = share // d**rank
            counts[rank] = counts.get(rank, 0) + copies
            left -= copies * d**rank
    parts = []
    for rank in sorted(counts):
        ways = rank + 1 if dual else 1
        for q in range(ways):
            parts.append((TensorType(rank - q, q), counts[rank] // ways + (q < counts[rank] % ways)))
    return Layout(d, parts)


def _type_of(part: Rep, d: int, argument: str) -> TensorType:
    p = q = 0
    twisted = False
    for factor in part.parts if isinstance(part, TensorProduct) else (part,):
        if isinstance(factor, Trivial):
            continue
        if isinstance(factor, Determinant):
            twisted = not twisted
        elif factor == factor.group.vector and factor.dim == d:
            if q:
                raise ArgumentError(argument, "tensor products with duals behind vectors", part)
            p += 1
        elif isinstance(factor, Dual) and factor.rep == factor.group.vector and factor.dim == d:
            q += 1
        else:
            raise ArgumentError(argument, f"tensors of vectors of R^{d}, on which the groups act", part)
    return TensorType(p, q, twisted)
