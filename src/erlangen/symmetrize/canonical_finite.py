"""Learned canonicalization for finite groups: the element whose moved copy a network likes best, or that an equivariant network names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from erlangen.actions.base import Action
from erlangen.errors import ArgumentError
from erlangen.symmetrize.choice import Choice, every_element
from erlangen.symmetrize.frames import Frame, for_network
from erlangen.symmetrize.generators import unit
from erlangen.symmetrize.outline import lacks
from erlangen.symmetrize.symmetrized import Batch, canonical

if TYPE_CHECKING:
    from erlangen.nn.lifting import Lifting


class Energy(Choice):
    """Of all elements the one whose canonical form ``g^-1 x`` has the least energy, by any network ``u``: ``a_g(x) = -u(g^-1 x)``.

    The activations move along with the datum exactly, without any symmetric layer: ``order`` evaluations of a (tiny) network, in one
    batch.

    Args:
        network: canonical forms (one argument, leading axis ``B order``) to an energy each, ``[B order]`` or ``[B order, 1]``.
        options: those of :class:`Choice`.

    Source: Kaba et al., ICML 2023, arXiv:2211.06489, section 3.2.

    >>> from erlangen.actions import Images
    >>> from erlangen.groups import Cyclic
    >>> _ = torch.manual_seed(0)  # no datum near a tie
    >>> frame = Energy(nn.Sequential(nn.Flatten(), nn.Linear(36, 1)))
    >>> frame.eval()(Images(Cyclic(4).irrep(1)), torch.randn(8, 1, 6, 6)).elements.shape
    torch.Size([8, 1, 4])
    """

    def __init__(self, network: nn.Module, **options: Any) -> None:
        super().__init__(**options)
        self.network = network

    def activations(self, inp: Action, x: Any) -> tuple[Float[Tensor, "B n"], dict[str, Tensor]]:
        elements = every_element(inp, x)
        energy = self.network(for_network(self.network, canonical(inp, x, elements)))
        return -_per_copy(energy, inp.group.batch_shape(elements)), {}


class Reference(Choice):
    """The element whose canonical form a network maps nearest to a fixed direction: ``a_g(x) = cos(u(g^-1 x), r)``.

    Its loss ``"distinct"``, the mean ``|cos|`` between copies of one datum, keeps them apart, so that the choice has a margin.

    Args:
        network: canonical forms (leading axis ``B order``) to vectors ``[B order, dim]``.
        dim: their length.
        distinct: weight of that loss.
        seed: of the reference direction ``r``, which is kept with the weights.
        options: those of :class:`Choice`.

    Source: Panigrahi & Mondal 2024, arXiv:2405.14089.

    >>> from erlangen.actions import Images
    >>> from erlangen.groups import Cyclic
    >>> frame = Reference(nn.Sequential(nn.Flatten(), nn.Linear(36, 128)), distinct=0.1)
    >>> sorted(frame(Images(Cyclic(4).irrep(1)), torch.randn(8, 1, 6, 6)).losses)
    ['distinct']
    """

    direction: Tensor

    def __init__(self, network: nn.Module, dim: int = 128, *, distinct: float = 1.0, seed: int = 0, **options: Any) -> None:
        super().__init__(**options)
        if distinct < 0:
            raise ArgumentError("distinct", "a weight of at least 0", repr(distinct))
        self.network, self.distinct = network, distinct
        direction = torch.randn(dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        self.register_buffer("direction", (direction / direction.norm()).to(torch.get_default_dtype()))

    def activations(self, inp: Action, x: Any) -> tuple[Float[Tensor, "B n"], dict[str, Tensor]]:
        elements = every_element(inp, x)
        batch = inp.group.batch_shape(elements)
        found = self.network(for_network(self.network, canonical(inp, x, elements)))
        if found.shape != (batch[0] * batch[1], len(self.direction)):
            raise ArgumentError("network", f"vectors [{batch[0] * batch[1]}, {len(self.direction)}]", tuple(found.shape))
        directions = unit(found).unflatten(0, batch)
        likeness = (directions @ directions.mT).abs()
        n = batch[1]
        apart = (likeness.sum((1, 2)) - likeness.diagonal(dim1=1, dim2=2).sum(1)) / max(n * (n - 1), 1)
        return directions @ self.direction.to(found.dtype), {"distinct": self.distinct * apart.mean()}


class Lift(Choice):
    """The element that a lifting convolution names: an equivariant network with one output for each element. Images only.

    Exact for quarter turns and flips; a group with finer rotations interpolates, and does not count as an exact frame.

    Args:
        network: a :class:`~erlangen.nn.Lifting` network, made with the action that moves the images.
        of: the image's name in a dict; by default the first part that moves as the network's images do.
        options: those of :class:`Choice`.

    >>> from erlangen.actions import Images
    >>> from erlangen.groups import Cyclic
    >>> act = Images(Cyclic(4).irrep(1))
    >>> from erlangen.nn import Lifting
    >>> _ = torch.manual_seed(0)  # no datum near a tie
    >>> Lift(Lifting(act, 1, kernel=3)).eval()(act, torch.randn(8, 1, 6, 6)).elements.shape
    torch.Size([8, 1, 4])
    """

    def __init__(self, network: Lifting, *, of: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        from erlangen.nn.lifting import Lifting

        if not isinstance(network, Lifting):
            raise ArgumentError(
                "network", "an erlangen.nn.Lifting network", type(network).__name__, "LiftedPose takes an erlangen.nn.LieConvNet"
            )
        self.network, self.of = network, of
        self.is_exact = self.is_exact and network.action.keeps_grid

    def activations(self, inp: Action, x: Any) -> tuple[Float[Tensor, "B n"], dict[str, Tensor]]:
        part = next(part for name, action, part in Batch(inp, x).named if self._is_image(name, action))
        return self.network(for_network(self.network, part)), {}

    def _is_image(self, name: str | None, action: Any) -> bool:
        own = self.network.action
        return self.of in (None, name) and isinstance(action, type(own)) and (action.space, action.value) == (own.space, own.value)

    def refuse(self, inp: Action) -> str:
        return lacks(inp, self.of, self._is_image, f"moves as the network's {self.network.action!r}")


class FiniteShift(Choice):
    """An exact frame ``h0`` of few elements moved on by an element that any network chooses: ``h0(x) k(h0(x)^-1 x)``.

    What :class:`~erlangen.symmetrize.Shifted` is for Lie groups. One evaluation of the network for each element of ``h0``, on its canonical
    form; where there are several (ties), the best of all is chosen.

    Args:
        base: a frame, best with one element for most data.
        network: canonical forms (one argument) to scores ``[B, order]`` in the order of ``group.elements()``.
        options: those of :class:`Choice`; the prior is towards ``h0`` itself.
    """

    def __init__(self, base: Frame, network: nn.Module, **options: Any) -> None:
        super().__init__(**options)
        self.base, self.network = base, network
        self.is_exact = self.is_exact and base.is_exact
        self.differentiable = self.differentiable and base.differentiable

    def candidates(self, inp: Action, x: Any) -> Any:
        group, found = inp.group, self.base(inp, x)
        here = group.map(lambda e, shape: e.unsqueeze(2), found.elements)
        every = group.map(lambda e, shape: e.unsqueeze(1), every_element(inp, x))
        return group.map(lambda e, shape: e.flatten(1, 2), group.multiply(here, every))

    def activations(self, inp: Action, x: Any) -> tuple[Float[Tensor, "B n"], dict[str, Tensor]]:
        found = self.base(inp, x)
        size, k = inp.group.batch_shape(found.elements)
        scores = self.network(for_network(self.network, canonical(inp, x, found.elements)))
        order = int(inp.group.order)
        if not isinstance(scores, Tensor) or scores.shape != (size * k, order):
            got = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
            raise ArgumentError("network", f"scores [{size * k}, {order}]", got)
        scores = scores.unflatten(0, (size, k))
        if found.weights is not None:  # elements that only fill up a batch
            scores = scores.masked_fill((found.weights == 0).unsqueeze(2), -torch.inf)
        return scores.flatten(1), dict(found.losses)

    def refuse(self, inp: Action) -> str:
        return super().refuse(inp) or self.base.refuse(inp)


def _per_copy(energy: Any, batch: tuple[int, ...]) -> Float[Tensor, "B n"]:
    count = batch[0] * batch[1]
    if not isinstance(energy, Tensor) or energy.shape not in ((count,), (count, 1)):
        got = tuple(energy.shape) if isinstance(energy, Tensor) else type(energy).__name__
        raise ArgumentError("network", f"one energy for each copy, [{count}] or [{count}, 1]", got)
    return energy.reshape(batch)
