"""Universal neural functionals: the most general networks that read weights and respect their permutations.

A layer applies every linear map that commutes with the permutations of a :class:`~erlangen.parameters.WeightSpec`, from every tensor to
every tensor; which these are comes from :mod:`erlangen.maps`. Channels stand before a tensor's own axes: ``[*batch, C, *shape]``.

Source: A. Zhou, C. Finn, J. Harrison, "Universal neural functionals", NeurIPS 2024, arXiv:2402.05232. The bias is complete here (the
source has its constant part), and maps that coincide on short axes are left out.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.groups import Symmetric
from erlangen.maps import Axis, LinearMaps, Space
from erlangen.parameters.layout import Part
from erlangen.parameters.spec import Params, WeightSpec

Bias = Literal["full", "constant"]
Reduction = Literal["mean", "sqrt", "sum"]
#: How many channels each tensor has: one number for all, or one for each name.
Channels = int | Mapping[str, int]

#: Terms between two tensors from which a warning is given, and more than which are refused: Bell numbers of 8 and 9.
MANY_TERMS, MAX_TERMS = 4140, 21147


class TypedLinear(nn.Module):
    """All equivariant linear maps with channels from some typed tensors to others, with a bias.

    Weights are one tensor for each output, ``[C_out, columns]``; its columns go through the inputs, for each through the terms in the
    order of :attr:`erlangen.maps.LinearMaps.terms`, for each through the channels. So files do not depend on how maps are evaluated.

    Args:
        sources, targets: the typed tensors.
        in_channels, out_channels: of each.
        bias: ``"full"``: every invariant tensor of an output has a coefficient (a matrix ``(h, h)``: one for all entries, one for the
            diagonal); ``"constant"``: the first alone.
        reduction: whether inputs are summed, averaged, or summed and divided by the root of their number.

    >>> h = Axis(Symmetric(5), "h")
    >>> layer = TypedLinear([Space((h, h))], [Space((h,))], [3], [4])
    >>> layer([torch.randn(2, 3, 5, 5)])[0].shape, sum(p.numel() for p in layer.parameters())
    (torch.Size([2, 4, 5]), 64)
    """

    def __init__(
        self,
        sources: Sequence[Space],
        targets: Sequence[Space],
        in_channels: Sequence[int],
        out_channels: Sequence[int],
        bias: Bias = "full",
        reduction: Reduction = "mean",
        max_terms: int = MAX_TERMS,
    ) -> None:
        super().__init__()
        if bias not in ("full", "constant"):
            raise ArgumentError("bias", "'full' or 'constant'", repr(bias))
        if bias == "full":  # the maps from a number that is always one
            sources, in_channels = [*sources, Space()], [*in_channels, 1]
        self.bias, self.in_channels, self.out_channels = bias, list(in_channels), list(out_channels)
        self.maps = LinearMaps(sources, targets, reduction, max_diagrams=max_terms)
        self.widths = [
            [len(self.maps.terms[l, m]) * c for m, c in enumerate(self.in_channels)] for l in range(len(self.out_channels))
        ]
        self.weight = nn.ParameterList(
            nn.Parameter(torch.empty(c, sum(widths))) for c, widths in zip(self.out_channels, self.widths)
        )
        self.offset = nn.ParameterList(nn.Parameter(torch.empty(c)) for c in self.out_channels if bias == "constant")
        self.reset_parameters()

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Normal weights of variance one over the number of terms and channels that an output sums; no bias."""
        with torch.no_grad():
            for weight, widths in zip(self.weight, self.widths):
                own = sum(widths) - (widths[-1] if self.bias == "full" else 0)
                weight.normal_(0.0, max(own, 1) ** -0.5, generator=generator)
                weight[:, own:] = 0
            for offset in self.offset:
                offset.zero_()

    def pairs(self) -> dict[tuple[int, int], Tensor]:
        """The weights by output and input, ``[terms, C_out, C_in]``, as :class:`erlangen.maps.LinearMaps` takes them."""
        found = {}
        for l, (weight, widths) in enumerate(zip(self.weight, self.widths)):
            for m, columns in enumerate(weight.split(widths, 1)):
                found[l, m] = columns.unflatten(1, (-1, self.in_channels[m])).transpose(0, 1)
        return found

    def forward(self, xs: Sequence[Tensor]) -> list[Tensor]:
        xs = list(xs)
        if self.bias == "full":
            first = xs[0]
            lead = first.shape[: first.ndim - 1 - len(self.maps.sources[0].axes)]
            xs.append(first.new_ones(()).expand(*lead, 1))
        outs = self.maps.apply(self.pairs(), xs)
        if self.bias == "constant":
            spaces = self.maps.targets
            outs = [y + b.reshape(-1, *[1] * len(space.axes)) for y, b, space in zip(outs, self.offset, spaces)]
        return outs

    def extra_repr(self) -> str:
        terms = sum(map(len, self.maps.terms.values()))
        return f"{len(self.in_channels)} -> {len(self.out_channels)} typed tensors, {terms} terms, bias={self.bias!r}"


class UNFLinear(nn.Module):
    """Every equivariant linear map from weights to weights (their gradients, masks, ...), with channels.

    Args:
        spec: which axes are permuted together.
        in_channels, out_channels: how many numbers each weight has, for all tensors alike or by name.
        bias, reduction: see :class:`TypedLinear`.
        max_terms: refuse more terms than this between two tensors.

    Raises:
        ArgumentError: more terms than ``max_terms`` between two tensors (they are named), or channels that do not fit.

    >>> spec = WeightSpec({"w": (6, 4), "b": (6,)}, {"w": ("out", "in"), "b": ("out",)})
    >>> layer = UNFLinear(spec, 1, 8)
    >>> {name: y.shape for name, y in layer({"w": torch.randn(3, 1, 6, 4), "b": torch.randn(3, 1, 6)}).items()}
    {'w': torch.Size([3, 8, 6, 4]), 'b': torch.Size([3, 8, 6])}
    """

    def __init__(
        self,
        spec: WeightSpec,
        in_channels: Channels,
        out_channels: Channels,
        bias: Bias = "full",
        reduction: Reduction = "mean",
        max_terms: int = MAX_TERMS,
    ) -> None:
        super().__init__()
        self.spec = spec
        spaces = spaces_of(spec, max_terms)
        ins, outs = folded_channels(spec, in_channels, "in_channels"), folded_channels(spec, out_channels, "out_channels")
        self.linear = TypedLinear(spaces, spaces, ins, outs, bias, reduction, max_terms)

    @property
    def terms(self) -> dict[tuple[str, str], int]:
        """How many maps there are to each tensor from each (the biases left out)."""
        names = [name for name, _ in self.spec.parts]
        counts: Counter[tuple[str, str]] = Counter()
        for (l, m), terms in self.linear.maps.terms.items():
            if m < len(names):
                counts[names[l], names[m]] += len(terms)
        return dict(counts)

    def forward(self, params: Params) -> dict[str, Tensor]:
        return self.spec.unfold(self.linear(self.spec.fold(params)))


class UNF(nn.Module):
    """A deep equivariant functional: weights to weights.

    Between layers every typed tensor has ``width`` channels; fixed axes are channels of the first and the last layer alone.

    Args:
        spec, in_channels, out_channels, bias, reduction, max_terms: see :class:`UNFLinear`.
        width: channels inside.
        layers: how many linear layers.
        norm: divide each tensor by its size after each hidden layer (layer normalisation over its channels and axes).

    >>> spec = WeightSpec({"w": (6, 4), "b": (6,)}, {"w": ("out", None), "b": ("out",)})
    >>> net = UNF(spec, 1, 1, width=8, layers=3)
    >>> net({"w": torch.randn(3, 1, 6, 4), "b": torch.randn(3, 1, 6)})["w"].shape
    torch.Size([3, 1, 6, 4])
    """

    def __init__(
        self,
        spec: WeightSpec,
        in_channels: Channels,
        out_channels: Channels,
        width: int = 16,
        layers: int = 2,
        norm: bool = False,
        bias: Bias = "full",
        reduction: Reduction = "mean",
        max_terms: int = MAX_TERMS,
    ) -> None:
        super().__init__()
        if layers < 1:
            raise ArgumentError("layers", "at least one layer", repr(layers))
        self.spec = spec
        spaces = spaces_of(spec, max_terms)
        ins, outs = folded_channels(spec, in_channels, "in_channels"), folded_channels(spec, out_channels, "out_channels")
        channels = [ins, *[[width] * len(spaces)] * (layers - 1), outs]
        self.stack = TypedStack(spaces, channels, layers - 1, norm, bias, reduction, max_terms)

    def forward(self, params: Params) -> dict[str, Tensor]:
        return self.spec.unfold(self.stack(self.spec.fold(params)))


class InvariantUNF(nn.Module):
    """A deep invariant functional: weights to ``outputs`` numbers that no permutation changes.

    After the equivariant layers every invariant of every tensor (of ``(h, h)``: mean of the diagonal and mean of all) is read by a
    perceptron.

    Args:
        spec, in_channels, bias, reduction, max_terms: see :class:`UNFLinear`.
        outputs: numbers that come out.
        width, layers, norm: of the equivariant part, see :class:`UNF`.
        head: widths of the perceptron's hidden layers, at least one.

    >>> spec = WeightSpec({"w": (6, 4), "b": (6,)}, {"w": ("out", None), "b": ("out",)})
    >>> InvariantUNF(spec, 1, 2, width=8)({"w": torch.randn(3, 1, 6, 4), "b": torch.randn(3, 1, 6)}).shape
    torch.Size([3, 2])
    """

    def __init__(
        self,
        spec: WeightSpec,
        in_channels: Channels = 1,
        outputs: int = 1,
        width: int = 32,
        layers: int = 2,
        head: Sequence[int] = (64,),
        norm: bool = False,
        bias: Bias = "full",
        reduction: Reduction = "mean",
        max_terms: int = MAX_TERMS,
    ) -> None:
        super().__init__()
        if layers < 1 or not head:
            raise ArgumentError("layers" if layers < 1 else "head", "at least one layer", layers if layers < 1 else tuple(head))
        self.spec = spec
        spaces = spaces_of(spec, max_terms)
        inside = [width] * len(spaces)
        channels = [folded_channels(spec, in_channels, "in_channels"), *[inside] * layers]
        self.stack = TypedStack(spaces, channels, layers, norm, bias, reduction, max_terms)
        self.pool = TypedLinear(spaces, [Space()], inside, [head[0]], "constant", reduction, max_terms)
        self.head = perceptron([*head, outputs])

    def forward(self, params: Params) -> Tensor:
        (pooled,) = self.pool(self.stack(self.spec.fold(params)))
        return self.head(pooled.relu())


class TypedStack(nn.Module):
    """Linear layers between lists of typed tensors; the first ``rectified`` of them are followed by a ReLU, normalised before it."""

    def __init__(
        self,
        spaces: Sequence[Space],
        channels: Sequence[Sequence[int]],
        rectified: int,
        norm: bool,
        bias: Bias,
        reduction: Reduction,
        max_terms: int,
    ) -> None:
        super().__init__()
        self.rectified = rectified
        self.layers = nn.ModuleList(
            TypedLinear(spaces, spaces, a, b, bias, reduction, max_terms) for a, b in itertools.pairwise(channels)
        )
        self.norms = nn.ModuleList(TypedNorm(spaces, a) for a in channels[1 : 1 + rectified] if norm)

    def forward(self, xs: list[Tensor]) -> list[Tensor]:
        for i, layer in enumerate(self.layers):
            xs = layer(xs)
            if i < self.rectified:
                xs = [x.relu() for x in (self.norms[i](xs) if len(self.norms) else xs)]
        return xs


class TypedNorm(nn.Module):
    """Layer normalisation of each typed tensor over its channels and axes, with an affine map for each channel."""

    def __init__(self, spaces: Sequence[Space], channels: Sequence[int]) -> None:
        super().__init__()
        self.ndims = [len(space.axes) for space in spaces]
        self.weight = nn.ParameterList(nn.Parameter(torch.ones(c)) for c in channels)
        self.bias = nn.ParameterList(nn.Parameter(torch.zeros(c)) for c in channels)

    def forward(self, xs: Sequence[Tensor]) -> list[Tensor]:
        outs = []
        for x, ndim, weight, bias in zip(xs, self.ndims, self.weight, self.bias):
            dims = tuple(range(-ndim - 1, 0))
            x = (x - x.mean(dims, keepdim=True)) * (x.var(dims, unbiased=False, keepdim=True) + 1e-5).rsqrt()
            outs.append(x * weight.reshape(-1, *[1] * ndim) + bias.reshape(-1, *[1] * ndim))
        return outs


def perceptron(widths: Sequence[int]) -> nn.Sequential:
    """Linear layers with ReLU between them."""
    layers: list[nn.Module] = []
    for a, b in itertools.pairwise(widths):
        layers += [nn.ReLU()] * bool(layers) + [nn.Linear(a, b)]
    return nn.Sequential(*layers)


def folded_channels(spec: WeightSpec, channels: Channels, argument: str) -> list[int]:
    """The channels of each typed tensor of a spec, given those of each weight tensor."""
    if isinstance(channels, Mapping):
        for name in [*spec.shapes, *channels]:
            if name not in channels or name not in spec.shapes:
                raise ArgumentError(argument, f"channels for each of {list(spec.shapes)}", f"'{name}'")
    counts = channels if isinstance(channels, Mapping) else dict.fromkeys(spec.shapes, channels)
    for name, count in counts.items():
        if not isinstance(count, int) or count < 1:
            raise ArgumentError(argument, "a positive number of channels", f"{count} for '{name}'")
    return [counts[name] * part.channels for name, part in spec.parts]


def spaces_of(spec: WeightSpec, max_terms: int = MAX_TERMS) -> list[Space]:
    """The typed tensors of a spec as spaces of :mod:`erlangen.maps`, after a look at how many maps there would be between them.

    Raises:
        ArgumentError: more than ``max_terms`` between two of them; they are named.
    """
    counts = [Counter(part.labels) for _, part in spec.parts]
    most = max(range(len(counts)), key=lambda i: _terms(spec.parts[i][1], spec.parts[i][1]))
    name, part = spec.parts[most]
    terms = _terms(part, part)
    if terms > max_terms:
        hint = f"Give some of its axes other labels, fix one, or raise max_terms to {terms}"
        raise ArgumentError(name, f"at most {max_terms} maps from a tensor to itself", f"{terms}, axes {part.labels}", hint)
    if terms >= MANY_TERMS:
        warnings.warn(f"there are {terms} maps from '{name}' to itself; building and applying them takes long", stacklevel=3)
    axes = {label: Axis(Symmetric(n), label) for label, n in spec.labels.items()}
    return [Space(tuple(axes[label] for label in part.labels)) for _, part in spec.parts]


def _terms(a: Part, b: Part) -> int:
    """The number of maps between two typed tensors on long axes: a Bell number for each label."""
    counts = Counter((*a.labels, *b.labels))
    return math.prod(_bell(k) for k in counts.values())


def _bell(k: int) -> int:
    row = [1]
    for _ in range(k):
        following = [row[-1]]
        for value in row:
            following.append(following[-1] + value)
        row = following
    return row[0]
