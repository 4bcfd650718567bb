"""`Frame`: a function from a datum to a (weighted) handful of group elements.

Read this file first. Every way to make a model symmetric is a choice of frame. A frame ``F`` that moves along with the data,
``F(g x) = g F(x)`` (as a set, weights included), makes the weighted average over it exactly symmetric for *any* model (Puny et al.,
arXiv:2110.03336; weighted frames: Dym, Lawrence & Siegel, arXiv:2402.16077).

A new frame is a subclass with one method, :meth:`Frame.forward`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import optree
import torch
from torch import Tensor, nn

from erlangen.actions.base import Action
from erlangen.actions.batches import a_tensor, batch_size
from erlangen.errors import ArgumentError
from erlangen.groups.base import Element

if TYPE_CHECKING:
    from erlangen.symmetrize.symmetrized import Batch


class Weighted(NamedTuple):
    """What a frame returns for a batch of ``B`` data: ``k`` elements each.

    Attributes:
        elements: group elements ``[B, k, *element_shape]``.
        weights: ``[B, k]``, non-negative, rows summing to one; ``None`` means equal weights ``1/k``.
        losses: what a learned frame asks to be added to the training loss, by name, scalars; see
            :meth:`~erlangen.symmetrize.Symmetrized.with_losses`.
        info: anything worth looking at, by name, ``[B, ...]``: margins, activations, residuals.
        mixed: the weights do not average outputs: the model sees one datum, the mixture ``sum_i w_i g_i^-1 x``, and what it returns
            goes back by the mixture of the ``g_i``. This is how choices are trained: with weights that are 0 and 1 in value and soft
            in gradient, one evaluation serves.
        skips: a weight of zero has no derivative either (it came there smoothly), so that its element need not be evaluated in training.
            Without gradients such elements are left out anyhow.
    """

    elements: Element
    weights: Tensor | None = None
    losses: Mapping[str, Tensor] = MappingProxyType({})
    info: Mapping[str, Tensor] = MappingProxyType({})
    mixed: bool = False
    skips: bool = False


class Frame(nn.Module, ABC):
    """A frame; it may have parameters (a learned canonicalization does).

    A subclass implements ``forward(inp, x) -> Weighted``: for data ``x`` (leading axis: the batch) on which the group acts by
    ``inp``, the elements ``g_i`` such that the ``g_i^-1 x`` are the canonical forms.

    >>> from erlangen.groups import Cyclic
    >>> C = Cyclic(4)
    >>> frame = AllElements()
    >>> frame(C.vector, torch.randn(8, 4)).elements.shape
    torch.Size([8, 4, 4])
    """

    #: Whether averaging over the frame is exactly symmetric (else only in distribution, or as an approximation), for data that the group
    #: moves exactly; see :meth:`exact_on`.
    is_exact: bool = True
    #: Whether an averaged energy is differentiated through the frame: its elements and weights carry their own derivatives by the data,
    #: or have none (the same elements for all data, or finitely many, which jump). Else they are constants to autograd although they
    #: turn with the data, and the gradient of the averaged energy is not its derivative. :class:`erlangen.nn.GradientForces` asks.
    differentiable: bool = False

    @abstractmethod
    def forward(self, inp: Action, x: Any) -> Weighted:
        """The frame of each datum."""

    def of_batch(self, batch: Batch) -> Weighted:
        """The frame of data that were taken apart already: :meth:`forward`, or the work behind it for the library's frames of clouds."""
        return self(batch.inp, batch.x)

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "forward" in cls.__dict__ and "of_batch" not in cls.__dict__:  # it means its own, though its base has another way
            cls.of_batch = Frame.of_batch  # type: ignore[method-assign]

    def refuse(self, inp: Action) -> str:
        """Why this frame cannot serve ``inp``; empty when it can."""
        return ""

    def refuse_output(self, out: Action) -> str:
        """Why an average over this frame is not symmetric for such an output, though for others it is; empty when it is."""
        return ""

    def exact_on(self, inp: Action) -> bool:
        """Whether the average is exact for these data: images that a group turns off their grid are interpolated, which no frame mends.

        >>> from erlangen.actions import Images
        >>> from erlangen.groups import Cyclic
        >>> [AllElements().exact_on(Images(Cyclic(n).irrep(1))) for n in (4, 8)]
        [True, False]
        """
        leaves = getattr(inp, "leaves", [inp])
        return self.is_exact and all(getattr(leaf, "keeps_grid", True) for leaf in leaves)


class AllElements(Frame):
    """Group averaging: every element of a finite group. Exact; costs ``order`` evaluations.

    >>> from erlangen.groups import Symmetric
    >>> AllElements().refuse(Symmetric(3).vector)
    ''
    """

    differentiable = True

    def forward(self, inp: Action, x: Any) -> Weighted:
        group = inp.group
        every = group.elements()
        size, order = batch_size(inp, x), int(group.order)
        leaf = a_tensor(x)
        every = group.map(lambda e, shape: e.to(leaf.device), every)
        return Weighted(group.map(lambda e, shape: e.expand(size, order, *shape), every))

    def refuse(self, inp: Action) -> str:
        return "" if inp.group.is_finite else f"{inp.group} is infinite"


class Haar(Frame):
    """Averaging over ``k`` random elements of a compact group: symmetric in distribution, with an error of order ``k^-1/2``.

    Draws anew at every call, in training and evaluation alike, from ``generator`` (torch's global one by default, as dropout does).

    >>> from erlangen.groups import SO
    >>> Haar(16)(SO(3).vector, torch.randn(8, 5, 3)).elements.shape
    torch.Size([8, 16, 3, 3])
    """

    is_exact = False
    differentiable = True

    def __init__(self, k: int = 8, generator: torch.Generator | None = None) -> None:
        super().__init__()
        if k < 1:
            raise ArgumentError("k", "a positive number of elements", repr(k))
        self.k, self.generator = k, generator

    def forward(self, inp: Action, x: Any) -> Weighted:
        leaf = a_tensor(x)
        return Weighted(
            inp.group.sample(batch_size(inp, x), self.k, generator=self.generator, dtype=leaf.dtype, device=leaf.device)
        )

    def refuse(self, inp: Action) -> str:
        if inp.group.has_haar:
            return ""
        if not inp.group.is_compact:
            return f"{inp.group} is not compact: it has no uniform probability measure"
        return f"{inp.group} draws no Haar samples ({inp.group.measure})"


def for_network(network: nn.Module, x: Any) -> Any:
    """Data in the precision of a network's parameters: a frame's own network need not have that of the data."""
    weight = next((p for p in network.parameters() if p.is_floating_point()), None)
    if weight is None:
        return x
    return optree.tree_map(lambda t: t.to(weight.dtype) if isinstance(t, Tensor) and t.is_floating_point() else t, x)
