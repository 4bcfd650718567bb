"""BMS3 as a group of the library's core, truncated to a grid, and its actions on boundary data at both ends.

So ``er.equivariance_error`` audits maps of boundary data: the link of both ends, charges, the trace of the monodromy.
"""

from __future__ import annotations

import math
from collections.abc import Hashable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.errors import ArgumentError
from erlangen.fields.spacetime import elements, series
from erlangen.fields.spacetime.diffeos import flow
from erlangen.fields.spacetime.elements import BMS3Element
from erlangen.fields.spacetime.fields import CircleField
from erlangen.fields.spacetime.series import circle
from erlangen.fields.spacetime.vectors import BMS3Vector
from erlangen.groups.base import Group

#: An element ``(h, alpha)``: the displacement ``f - phi`` and the supertranslation, each ``[*batch, n]``.
Pair = tuple[Tensor, Tensor]


class BMS3(Group):
    """The semidirect product of the circle's diffeomorphisms and the vector fields on it, **truncated** to ``n`` points.

    Elements are tuples ``(h, alpha)`` of tensors ``[*batch, n]``, ``f = phi + h``; ``h`` and ``h + 2 pi`` are the same one. The product is
    *first the second, then the first*, as everywhere in the library (see :class:`BMS3Element`, which is the same for one's own use).

    What truncation means: two elements compose exactly at the grid's points, and the result is taken for the trigonometric polynomial
    through these. So the laws of a group hold only as far as what is composed is resolved. Samples have modes up to ``band`` and slopes
    ``f'`` within ``min(scale, 1) / 2`` of 1; they and products of a few of them obey the laws to 1e-9 from 64 points on at ``scale =
    0.5``, as :func:`erlangen.testing.check_group` finds, and move data, by third derivatives, to 1e-8 from 96 points on;
    :class:`Unresolved` warns of others. Brackets of modes leave any finite set of them, so there is no truncated Lie algebra:
    ``algebra`` is ``None``; :meth:`exp` takes any generator ``(T, Y)``, and brackets are :meth:`BMS3Vector.bracket`. The group is
    connected, not compact, and infinite-dimensional: orbits have no list.

    Args:
        n: points, even, at least 16.
        band: the highest mode of samples.

    >>> group = BMS3(64)
    >>> h, alpha = group.sample(3, generator=torch.Generator().manual_seed(0))
    >>> h.shape, group
    (torch.Size([3, 64]), BMS3(64 points))
    """

    measure = "random modes up to a band, no invariant measure"

    def __init__(self, n: int = 96, band: int = 3) -> None:
        circle(n)
        if n < 16:
            raise ArgumentError("n", "at least 16 points", repr(n))
        if not isinstance(band, int) or not 1 <= band <= n // 8:
            raise ArgumentError("band", f"a highest mode from 1 to {n // 8}", repr(band))
        self.n, self.band = n, band
        self.element_shape = ((n,), (n,))
        self.name = f"BMS3({n} points)"

    def _shapes(self) -> list[tuple[int, ...]]:
        return [(self.n,), (self.n,)]

    def _dtypes(self) -> list[torch.dtype | None]:
        return [None, None]

    def equality_key(self) -> Hashable:
        return self.n

    @property
    def generators(self) -> None:
        """None: the group is connected."""
        return None

    def identity(self, *batch: int, dtype: torch.dtype | None = None, device: torch.device | None = None) -> Pair:
        zero = torch.zeros(*batch, self.n, dtype=dtype or torch.float64, device=device)
        return zero, zero.clone()

    def multiply(self, g: Pair, h: Pair) -> Pair:
        self.batch_shape(g), self.batch_shape(h)
        return elements.multiplied(*g, *h)

    def inverse(self, g: Pair) -> Pair:
        self.batch_shape(g)
        return elements.inverted(*g)

    def exp(self, a: Pair) -> Pair:
        """The flow of a generator ``(T, Y)``, values ``[*batch, n]``: the element ``(h, alpha)``."""
        self.batch_shape(a)
        return flow(*a)

    def sample(
        self,
        *batch: int,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | None = None,
        scale: float = 1.0,
    ) -> Pair:
        slope = 0.5 * min(scale, 1.0)
        g = BMS3Element.random(self.n, *batch, band=self.band, slope=slope, generator=generator)
        kind = dtype or torch.get_default_dtype()
        return g.h.to(kind).to(device), (scale * g.alpha).to(kind).to(device)

    def contains(self, g: Pair, atol: float | None = None) -> Bool[Tensor, "*batch"]:
        """Whether ``f' > 0`` on the grid, and all is finite."""
        self.batch_shape(g)
        h, alpha = torch.broadcast_tensors(*g)
        return (1 + series.derivatives(h, 1)[0] > 0).all(-1) & h.isfinite().all(-1) & alpha.isfinite().all(-1)

    def equal(self, g: Pair, h: Pair, atol: float | None = None) -> Bool[Tensor, "*batch"]:
        """Whether elements agree, ``f`` modulo ``2 pi``."""
        turn = 2 * math.pi * ((g[0] - h[0]).mean(-1, keepdim=True) / (2 * math.pi)).round()
        return super().equal((g[0] - turn, g[1]), h, atol)

    def element(self, g: Pair) -> BMS3Element:
        """The same as a :class:`BMS3Element`."""
        self.check(g)
        return elements.built(*g)


class OnData(Action):
    """How BMS3 moves boundary data ``[*batch, 2, n]``: ``Theta`` and ``Xi``, at either end.

    >>> from erlangen.testing import check_action
    >>> check_action(OnData(BMS3(96)), atol=1e-8).holds
    True
    """

    moves_batches = True

    def __init__(self, group: BMS3) -> None:
        super().__init__(group)
        self.n, self.data_shape = group.n, (2, group.n)

    def act(self, g: Pair, x: Float[Tensor, "*batch 2 n"]) -> Float[Tensor, "*batch 2 n"]:
        (h, alpha), x = self.align(g, x)
        return torch.stack(elements.moved(h.to(x), alpha.to(x), x[..., 0, :], x[..., 1, :]), -2)

    def example(
        self, *batch: int, generator: torch.Generator | None = None, dtype: torch.dtype | None = None
    ) -> Float[Tensor, "*batch 2 n"]:
        """Random smooth data."""
        data = CircleField.random(self.n, *batch, 2, band=3, generator=generator).values
        return data.to(dtype or torch.get_default_dtype())


class OnLinked(OnData):
    """How an element that is named at one end moves data at the other: as its antipode, ``f(phi + pi) - pi, alpha(phi + pi)``.

    ``er.equivariance_error(link_values, x, OnData(group), OnLinked(group))`` says that the link commutes with BMS3.
    """

    def act(self, g: Pair, x: Float[Tensor, "*batch 2 n"]) -> Float[Tensor, "*batch 2 n"]:
        return super().act((series.shifted(g[0], math.pi), series.shifted(g[1], math.pi)), x)


class OnGenerators(Action):
    """How BMS3 moves generators ``[*batch, 2, n]``, ``T`` and ``Y``: the adjoint action."""

    moves_batches = True

    def __init__(self, group: BMS3) -> None:
        super().__init__(group)
        self.n, self.data_shape = group.n, (2, group.n)

    def act(self, g: Pair, x: Float[Tensor, "*batch 2 n"]) -> Float[Tensor, "*batch 2 n"]:
        (h, alpha), x = self.align(g, x)
        moved = elements.built(h.to(x), alpha.to(x)).adjoint(BMS3Vector(x[..., 0, :], x[..., 1, :]))
        return torch.stack(torch.broadcast_tensors(moved.T, moved.Y), -2)

    def example(
        self, *batch: int, generator: torch.Generator | None = None, dtype: torch.dtype | None = None
    ) -> Float[Tensor, "*batch 2 n"]:
        """Random smooth generators."""
        data = CircleField.random(self.n, *batch, 2, band=3, generator=generator).values
        return data.to(dtype or torch.get_default_dtype())
