"""Deep sets on weights: each tensor is a bag of numbers. The baseline of functionals that know which axis is which, and a cheap layer."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.parameters.spec import Params, WeightSpec
from erlangen.parameters.unf import perceptron

Form = Literal["both", "difference"]


class DeepSetLayer(nn.Module):
    """``x A + mean(x) B + c`` on the channels of each tensor, where the mean is over all of its entries.

    Args:
        spec: names and shapes of the tensors (their labels do not matter).
        in_channels, out_channels: numbers of each weight, the same for all tensors.
        shared: one ``A``, ``B``, ``c`` for all tensors, or one for each.
        form: ``"both"``, as above; ``"difference"``: ``(x - mean(x)) A + c``, with half the weights.

    Source: M. Zaheer et al., "Deep sets", NeurIPS 2017, arXiv:1703.06114.

    >>> spec = WeightSpec({"w": (6, 4), "b": (6,)}, {"w": (None, None), "b": (None,)})
    >>> layer = DeepSetLayer(spec, 2, 8)
    >>> layer({"w": torch.randn(3, 2, 6, 4), "b": torch.randn(3, 2, 6)})["w"].shape
    torch.Size([3, 8, 6, 4])
    """

    def __init__(self, spec: WeightSpec, in_channels: int, out_channels: int, shared: bool = False, form: Form = "both") -> None:
        super().__init__()
        if form not in ("both", "difference"):
            raise ArgumentError("form", "'both' or 'difference'", repr(form))
        self.spec, self.shared, self.form = spec, shared, form
        columns = in_channels * (2 if form == "both" else 1)
        self.maps = nn.ModuleList(nn.Linear(columns, out_channels) for _ in range(1 if shared else len(spec.shapes)))

    def forward(self, params: Params) -> dict[str, Tensor]:
        found = {}
        for i, (name, x) in enumerate(self.spec.select(params).items()):
            linear: Any = self.maps[0 if self.shared else i]
            ndim = len(self.spec.shapes[name])
            flat = x.flatten(x.ndim - ndim) if ndim else x.unsqueeze(-1)
            mean = flat.mean(-1, keepdim=True)
            if self.form == "difference":
                y = linear.weight @ (flat - mean) + linear.bias.unsqueeze(-1)
            else:
                own, pooled = linear.weight.chunk(2, 1)
                y = own @ flat + (pooled @ mean + linear.bias.unsqueeze(-1))
            found[name] = y.reshape(*x.shape[: x.ndim - ndim - 1], -1, *self.spec.shapes[name])
        return found


class DeepSet(nn.Module):
    """Deep sets with ReLU between, weights to weights.

    Args:
        spec, in_channels, out_channels, shared, form: see :class:`DeepSetLayer`.
        width: channels inside.
        layers: how many.

    >>> spec = WeightSpec({"w": (6, 4)}, {"w": (None, None)})
    >>> sum(p.numel() for p in DeepSet(spec, 19, 1, width=32, layers=4, shared=True, form="difference").parameters())
    2785
    """

    def __init__(
        self,
        spec: WeightSpec,
        in_channels: int,
        out_channels: int,
        width: int = 32,
        layers: int = 2,
        shared: bool = False,
        form: Form = "both",
    ) -> None:
        super().__init__()
        channels = [in_channels, *[width] * (layers - 1), out_channels]
        self.layers = nn.ModuleList(DeepSetLayer(spec, a, b, shared, form) for a, b in itertools.pairwise(channels))

    def forward(self, params: Params) -> dict[str, Tensor]:
        x = dict(params)
        for i, layer in enumerate(self.layers):
            x = layer(x if i == 0 else {name: value.relu() for name, value in x.items()})
        return x


class InvariantDeepSet(nn.Module):
    """Deep sets, then the mean of every tensor's channels, then a perceptron: weights to ``outputs`` numbers.

    >>> spec = WeightSpec({"w": (6, 4)}, {"w": (None, None)})
    >>> InvariantDeepSet(spec, 1, 2)({"w": torch.randn(3, 1, 6, 4)}).shape
    torch.Size([3, 2])
    """

    def __init__(
        self,
        spec: WeightSpec,
        in_channels: int = 1,
        outputs: int = 1,
        width: int = 32,
        layers: int = 2,
        head: Sequence[int] = (64,),
    ) -> None:
        super().__init__()
        self.spec = spec
        self.deep = DeepSet(spec, in_channels, width, width, layers)
        self.head = perceptron([width * len(spec.shapes), *head, outputs])

    def forward(self, params: Params) -> Tensor:
        pooled = []
        for name, x in self.deep(params).items():
            ndim = len(self.spec.shapes[name])
            x = x.relu()
            pooled.append(x.flatten(x.ndim - ndim).mean(-1) if ndim else x)
        return self.head(torch.cat(pooled, -1))
