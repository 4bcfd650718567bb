"""`EquivariantMLP`: linear layers and non-linearities that a group's representations admit, from the first layer to the last."""

from __future__ import annotations

import warnings
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.groups.permutation import Alternating
from erlangen.groups.recognise import recognised
from erlangen.maps.base import SymmetricOnly
from erlangen.maps.contraction import Normalize
from erlangen.maps.typed_axes import Space, copies_of
from erlangen.nn.gated import Gated
from erlangen.nn.linear import EquivariantLinear
from erlangen.nn.norm_activation import NormActivation
from erlangen.nn.pointwise import PointwiseActivation
from erlangen.nn.tensor_product import TensorProduct
from erlangen.reps import DirectSum, Rep, admissible

#: Up to this order a finite group's hidden layers are copies of its regular representation.
_REGULAR = 64
#: Up to this dimension hidden features that are no tensors are multiplied with each other in full.
_PRODUCTS = 32


class EquivariantMLP(nn.Module):
    """A multilayer perceptron whose every layer commutes with the group.

    Between :class:`EquivariantLinear` layers stands a non-linearity that the hidden representation admits. A point-wise activation that it
    does not admit is refused at construction, for it would silently destroy the equivariance; ``None`` takes ReLU where it is admissible
    (permutations) and gates with tensor products where nothing point-wise is (rotations).

    Args:
        source, target: representations of one group; data are ``[*batch, source.dim]`` to ``[*batch, target.dim]``.
        hidden: the representation between layers, or one for each; by default of permutation groups the tensors of the highest order in
            ``source`` and ``target``, of O, SO and Sp scalars, vectors and second-rank tensors, of small finite groups the regular
            representation, of others scalars and the parts of ``source`` and ``target``.
        channels: copies of it.
        layers: how many hidden layers.
        activation: a point-wise activation (module, function or name), ``"gated"``, ``"norm"``, or ``None``.
        products: append products of tensors (:class:`TensorProduct`) to the hidden features; ``None``: where a group has no admissible
            point-wise activation and they stay small.
        normalize: see :class:`EquivariantLinear`.
        require_parity: of an alternating group, refuse architectures that cannot tell it from the symmetric group.
        generator: for the initial weights.
        tolerance: see :class:`EquivariantLinear`.

    Raises:
        NotEquivariantError: the activation is not admissible; the message has the theorem's reason, a counterexample and other choices.
        ArgumentError: ``require_parity`` cannot be met.

    Sources: M. Finzi et al., arXiv:2104.09459; M. Pacini et al., arXiv:2401.09235.

    >>> from erlangen.groups import SO
    >>> V = SO(3).vector
    >>> net = EquivariantMLP(2 * V, V + V.group.scalar, channels=8)
    >>> net(torch.randn(32, 6)).shape
    torch.Size([32, 4])
    """

    def __init__(
        self,
        source: Rep,
        target: Rep,
        hidden: Rep | list[Rep] | None = None,
        channels: int = 32,
        layers: int = 2,
        activation: Any = None,
        *,
        products: bool | None = None,
        normalize: Normalize = "sqrt",
        require_parity: bool = True,
        generator: torch.Generator | None = None,
        tolerance: float | None = None,
    ) -> None:
        super().__init__()
        for name, value in (("channels", channels), ("layers", layers)):
            if not isinstance(value, int) or value < 1:
                raise ArgumentError(name, "a positive number", repr(value))
        self.source, self.target = self.inp, self.out = source, target
        between = hidden if isinstance(hidden, list) else [hidden or _default(source, target)] * layers
        if not between:
            raise ArgumentError("hidden", "at least one representation", repr(hidden))
        pointwise = activation is not None and activation not in ("gated", "norm")
        if activation is None:
            relu = all(admissible(rep, "relu") for rep in between)
            activation, pointwise = (nn.ReLU(), True) if relu else ("gated", False)
        if products is None:
            products = not pointwise and all(copies_of(rep) is not None or rep.dim <= _PRODUCTS for rep in between)
        linears, nonlinears, products_of = [], [], []
        rep, width = source, 1
        options: dict[str, Any] = {"normalize": normalize, "generator": generator, "tolerance": tolerance}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SymmetricOnly)  # what counts is the whole network: see below
            for wanted in between:
                step = _nonlinearity(activation, pointwise, wanted)
                made = getattr(step, "input_rep", wanted)
                linears.append(EquivariantLinear(rep, made, (width, channels), **options))
                nonlinears.append(step)
                rep, width = getattr(step, "output_rep", wanted), channels
                if products:
                    products_of.append(TensorProduct(rep, rep, max_order=_order(rep)))
                    rep = rep + products_of[-1].output_rep
            linears.append(EquivariantLinear(rep, target, (width, 1), **options))
        self.linears, self.nonlinears, self.products = nn.ModuleList(linears), nn.ModuleList(nonlinears), nn.ModuleList(products_of)
        if isinstance(known := recognised(source.group), Alternating):
            _check_parity(known, linears, require_parity)

    def forward(self, x: Float[Tensor, "*batch inp"]) -> Float[Tensor, "*batch out"]:
        if x.shape[-1] != self.source.dim:
            raise ArgumentError("x", f"shape [*batch, {self.source.dim}], as {self.source}", tuple(x.shape))
        x = x.unsqueeze(-2)
        for i, step in enumerate(self.nonlinears):
            x = step(self.linears[i](x))
            if len(self.products):
                # Neighbouring channels, for the antisymmetric part of a product with itself is zero.
                x = torch.cat([x, self.products[i](x, x.roll(1, -2))], -1)
        return self.linears[-1](x).squeeze(-2)


def _nonlinearity(activation: Any, pointwise: bool, rep: Rep) -> nn.Module:
    if pointwise:
        return PointwiseActivation(rep, activation)
    return Gated(rep) if activation == "gated" else NormActivation(rep, nn.SiLU())


def _default(source: Rep, target: Rep) -> Rep:
    group, parts = source.group, (copies_of(source), copies_of(target))
    if parts[0] is not None and parts[1] is not None:
        spaces = [*parts[0], *parts[1]]
        kinds = {a.kind for s in spaces for a in s.axes}
        if kinds <= {"S", "A"} and len({a.label for s in spaces for a in s.axes}) <= 1:
            return group.vector ** max(1, *(len(s.axes) for s in spaces))
        if kinds and len({a.label for s in spaces for a in s.axes}) == 1:
            return group.scalar + group.vector + group.vector**2
    if group.is_finite and group.order <= _REGULAR:
        return group.regular
    reps = [group.scalar]
    for rep in (source, target):
        for part in rep.parts if isinstance(rep, DirectSum) else (rep,):
            if part not in reps:
                reps.append(part)
    return sum(reps[1:], start=reps[0])


def _order(rep: Rep) -> int:
    return max((len(space.axes) for space in copies_of(rep) or [Space()]), default=0)


def _check_parity(group: Alternating, linears: list[EquivariantLinear], required: bool) -> None:
    if group.n < 3 or any(d.heads for layer in linears for terms in layer.maps.diagrams.values() for d in terms):
        return
    orders = [_order(rep) for layer in linears for rep in (layer.source, layer.target)]
    most = max(a + b for a, b in pairwise(orders))
    if not required:
        warnings.warn(
            f"this network of {group} is one of Symmetric({group.n}): jellyfish need {group.n - 1} axes in all",
            SymmetricOnly,
            stacklevel=3,
        )
        return
    raise ArgumentError(
        "hidden",
        f"a layer with at least {group.n - 1} axes, of input and output together, to tell {group} from Symmetric({group.n})",
        f"at most {most}",
        "use tensors of a higher order, or require_parity=False",
    )
