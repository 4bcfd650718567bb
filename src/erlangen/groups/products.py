"""Direct and semidirect products: elements are tuples of the factors' elements."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from typing import Any

import optree
import torch
from torch import Tensor

from erlangen.errors import ArgumentError, unsupported
from erlangen.groups.abelian import LARGEST_LIST
from erlangen.groups.algebra import LieAlgebra
from erlangen.groups.base import Element, Group
from erlangen.groups.membership import may_look


class _Tuples(Group):
    """What both products share: elements are tuples ``(g_1, ..., g_m)`` of the factors' elements, with one batch shape."""

    factors: tuple[Group, ...]

    def _set_factors(self, factors: tuple[Group, ...]) -> None:
        self.factors = factors
        self.element_shape = tuple(f.element_shape for f in factors)
        self.is_compact = all(f.is_compact for f in factors)
        laws = dict.fromkeys(f.measure for f in factors)
        self.measure = "Haar" if all(f.has_haar for f in factors) else "product of " + ", ".join(laws)

    @property
    def order(self) -> int | float:  # type: ignore[override]
        return math.prod(f.order for f in self.factors)

    def _shapes(self) -> list[tuple[int, ...]]:
        return [shape for f in self.factors for shape in f._shapes()]

    def _dtypes(self) -> list[torch.dtype | None]:
        return [dtype for f in self.factors for dtype in f._dtypes()]

    def _parts(self, g: Element) -> Element:
        """``g``, one part for each factor.

        Raises:
            ArgumentError: it has another number of parts, which would be left out without a word.
        """
        if not isinstance(g, (tuple, list)) or len(g) != len(self.factors):
            got = f"{len(g)} parts" if isinstance(g, (tuple, list)) else type(g).__name__
            raise ArgumentError("g", f"elements of {self}, tuples of {len(self.factors)} parts", got)
        return g

    def identity(self, *batch: int, dtype: torch.dtype | None = None, device: torch.device | None = None) -> Element:
        return tuple(f.identity(*batch, dtype=dtype, device=device) for f in self.factors)

    def sample(
        self,
        *batch: int,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | None = None,
        scale: float = 1.0,
    ) -> Element:
        return tuple(f.sample(*batch, generator=generator, dtype=dtype, device=device, scale=scale) for f in self.factors)

    def contains(self, g: Element, atol: float | None = None) -> Tensor:
        inside = [f.contains(part, atol) for f, part in zip(self.factors, self._parts(g))]
        return torch.stack(torch.broadcast_tensors(*inside)).all(0)

    def elements(self) -> Element:
        if not self.is_finite:
            return super().elements()
        if self.order > LARGEST_LIST:
            unsupported(self, f"list of elements (order {self.order})", "draw some with .sample(n)")
        index = torch.cartesian_prod(*[torch.arange(int(f.order)) for f in self.factors]).view(-1, len(self.factors))
        return tuple(f.take(f.elements(), i) for f, i in zip(self.factors, index.T))

    @property
    def generators(self) -> Element | None:
        """Each factor's generators, with the identity in the other places."""
        blocks: list[Any] = []
        for i, f in enumerate(self.factors):
            own = f.generators
            if own is not None:
                (count,) = f.batch_shape(own)
                dtype = next((t.dtype for t in optree.tree_leaves(own) if t.is_floating_point()), torch.float64)
                blocks.append(tuple(own if j == i else h.identity(count, dtype=dtype) for j, h in enumerate(self.factors)))
        if not blocks:
            return None
        return self.join(blocks)

    def include(self, i: int, g: Element) -> Element:
        """An element of factor ``i`` as an element of the product."""
        f = self.factors[i]
        batch = f.batch_shape(g)
        leaves = optree.tree_leaves(g)
        dtype = next((leaf.dtype for leaf in leaves if leaf.is_floating_point()), None)
        return tuple(g if j == i else h.identity(*batch, dtype=dtype, device=leaves[0].device) for j, h in enumerate(self.factors))


class DirectProduct(_Tuples):
    """``G_1 x ... x G_m``: factors multiply by themselves. Nested products are kept flat.

    >>> from erlangen.groups import SO, Symmetric
    >>> G = DirectProduct(SO(3), Symmetric(4))
    >>> g = G.sample(8)
    >>> [part.shape for part in g], G.dim
    ([torch.Size([8, 3, 3]), torch.Size([8, 4])], 3)
    """

    def __init__(self, *factors: Group) -> None:
        if not factors:
            raise ArgumentError("factors", "at least one group", "none")
        flat = tuple(h for f in factors for h in (f.factors if isinstance(f, DirectProduct) else (f,)))
        self._set_factors(flat)
        self.name = " x ".join(f.name for f in flat)

    def equality_key(self) -> Hashable:
        return self.factors

    def multiply(self, g: Element, h: Element) -> Element:
        return tuple(f.multiply(a, b) for f, a, b in zip(self.factors, self._parts(g), self._parts(h)))

    def inverse(self, g: Element) -> Element:
        return tuple(f.inverse(part) for f, part in zip(self.factors, self._parts(g)))

    @property
    def algebra(self) -> LieAlgebra | None:
        """The sum of the factors' algebras, as block-diagonal matrices (an algebra element of the group is a tuple, though)."""
        algebras = [f.algebra for f in self.factors if f.algebra is not None]
        if not algebras:
            return None
        size, start, blocks = sum(a.n for a in algebras), 0, []
        for a in algebras:
            block = torch.zeros(a.dim, size, size, dtype=torch.float64)
            block[:, start : start + a.n, start : start + a.n] = a.basis
            start += a.n
            blocks.append(block)
        return LieAlgebra(torch.cat(blocks), name=" + ".join(a.name for a in algebras))

    def tangents(self, dtype: torch.dtype | None = None) -> Element | None:
        """A basis as tuples; a discrete factor, which does not move, has its identity in its place."""
        if not self.dim:
            return None
        dtype = dtype or torch.get_default_dtype()
        parts, before = [], 0
        for f in self.factors:
            own = f.tangents(dtype)
            if own is None:
                parts.append(f.identity(self.dim, dtype=dtype))
                continue
            after = self.dim - before - f.dim

            def pad(t: Tensor, before: int = before, after: int = after) -> Tensor:
                return torch.cat([t.new_zeros(before, *t.shape[1:]), t, t.new_zeros(after, *t.shape[1:])])

            parts.append(optree.tree_map(pad, own))
            before += f.dim
        return tuple(parts)

    def exp(self, a: Element) -> Element:
        if not self.dim:
            return super().exp(a)
        return tuple(f.exp(part) if f.dim else f.identity(*_leading(f, part)) for f, part in zip(self.factors, self._parts(a)))

    def log(self, g: Element) -> Element:
        if not self.dim:
            return super().log(g)
        for f, part in zip(self.factors, self._parts(g)):
            if not f.dim and may_look(*optree.tree_leaves(part)) and not bool(f.equal(part, f.identity()).all()):
                unsupported(self, f"logarithm of an element whose part in {f} is not the identity", "it lies in another component")
        return tuple(f.log(part) if f.dim else part for f, part in zip(self.factors, self._parts(g)))

    def project(self, i: int) -> Callable[[Element], Element]:
        """The homomorphism onto factor ``i``."""
        return _Projection(i)

    def lift(self, i: int, rep: Any) -> Any:
        """A representation of factor ``i`` as one of the product: the other factors do not act.

        >>> from erlangen.groups import SO, Symmetric
        >>> G = SO(3) * Symmetric(4)
        >>> (G.lift(0, SO(3).vector) @ G.lift(1, Symmetric(4).vector)).dim
        12
        """
        if rep.group != self.factors[i]:
            raise ArgumentError("rep", f"a representation of {self.factors[i]}", f"one of {rep.group}")
        return rep.restrict(self, embed=_Projection(i))

    def __repr__(self) -> str:
        return self.name


class SemidirectProduct(_Tuples):
    """``N : H``, where ``H`` acts on ``N`` by automorphisms: ``(n, h) (n', h') = (n h.n', h h')``.

    Args:
        normal: the group ``N``.
        acting: the group ``H``.
        action: ``action(h, n)``, batched, an automorphism of ``N`` for each ``h`` and a homomorphism in ``h``.
        name: a name for people.

    Equality of two such groups includes that of their action functions.

    >>> from erlangen.groups import Cyclic
    >>> N, H = Cyclic(7), Cyclic(3)
    >>> F21 = SemidirectProduct(N, H, lambda h, n: N.element(2 ** H.exponent(h) * N.exponent(n) % 7))
    >>> F21.order
    21
    """

    def __init__(self, normal: Group, acting: Group, action: Callable[[Element, Element], Element], name: str = "") -> None:
        if normal.dim or acting.dim:
            unsupported("a semidirect product of Lie groups", "tuple form", "write it as a matrix group, as SE(n) is")
        self._set_factors((normal, acting))
        self.normal, self.acting, self.action = normal, acting, action
        self.name = name or f"{normal.name} : {acting.name}"

    def equality_key(self) -> Hashable:
        return (self.factors, self.action)

    def multiply(self, g: Element, h: Element) -> Element:
        g, h = self._parts(g), self._parts(h)
        return (self.normal.multiply(g[0], self.action(g[1], h[0])), self.acting.multiply(g[1], h[1]))

    def inverse(self, g: Element) -> Element:
        g = self._parts(g)
        back = self.acting.inverse(g[1])
        return (self.action(back, self.normal.inverse(g[0])), back)


class _Projection:
    """The projection onto one factor; a value, so that representations lifted through it compare equal."""

    def __init__(self, i: int) -> None:
        self.i = i

    def __call__(self, g: Element) -> Element:
        return g[self.i]

    derivative = __call__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Projection) and other.i == self.i

    def __hash__(self) -> int:
        return hash(("projection", self.i))


def _leading(factor: Group, part: Any) -> tuple[int, ...]:
    """The batch axes of what stands for a factor without an algebra, whose numbers may have been scaled: no elements any more."""
    leaf = optree.tree_leaves(part)[0]
    return tuple(leaf.shape[: leaf.ndim - len(factor._shapes()[0])])
