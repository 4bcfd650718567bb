"""`EquivariantLinear`: the complete linear layer between two representations."""

from __future__ import annotations

import copy
import warnings
from functools import lru_cache
from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.groups.base import Group
from erlangen.maps import EquivariantMaps
from erlangen.maps.base import Basis
from erlangen.maps.contraction import Normalize
from erlangen.maps.typed_axes import spaces_of
from erlangen.reps import Defining, Determinant, DirectSum, Permutation, Rep, Sign, TensorProduct, Trivial

#: Networks have many layers between few representations: so many maps are kept in memory for the next layer like them.
KEPT = 16


class EquivariantLinear(nn.Module):
    """``y = sum_k W[k] B_k x + b``: every linear map from ``source`` to ``target`` that commutes with the group, and every invariant bias.

    Weights are one number for each map and pair of channels, in the order of ``layer.maps.labels``; they are saved under that order however
    the product is evaluated. With ``normalize="mean"`` they mean the same for every size of a symmetric group.

    Args:
        source, target: representations of one group.
        channels: ``(C_in, C_out)``, for data ``[*batch, C_in, source.dim]``; ``None`` for data ``[*batch, source.dim]``.
        bias: add the invariant vectors of ``target``, one set of weights for each output channel.
        basis: ``"diagram"`` or ``"orbit"``; see :class:`erlangen.maps.EquivariantMaps`.
        normalize: what sums over n entries are divided by: ``"sqrt"`` sqrt(n), keeps the variance; ``"mean"`` n; ``"sum"`` 1.
        generator: for the initial weights, normal with the variance that keeps that of the data.
        tolerance: of a learned Lie algebra, how large its error is; see :func:`erlangen.maps.numeric.numeric_basis`.
        dtype, device: of the parameters.

    Sources: H. Maron et al., ICLR 2019, arXiv:1812.09902; E. Pearce-Crump, arXiv:2212.08648, arXiv:2212.08630, arXiv:2301.10152.

    >>> from erlangen.groups import Symmetric
    >>> V = Symmetric(10).vector
    >>> layer = EquivariantLinear(V ** 2, V ** 2, channels=(4, 8))
    >>> tuple(layer.weight.shape), layer(torch.randn(32, 4, 100)).shape
    ((15, 8, 4), torch.Size([32, 8, 100]))
    """

    def __init__(
        self,
        source: Rep,
        target: Rep,
        channels: tuple[int, int] | None = None,
        *,
        bias: bool = True,
        basis: Literal["diagram", "orbit"] = "diagram",
        normalize: Normalize = "sqrt",
        generator: torch.Generator | None = None,
        tolerance: float | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__()
        if channels is not None and (len(channels) != 2 or any(not isinstance(c, int) or c < 1 for c in channels)):
            raise ArgumentError("channels", "two positive numbers (C_in, C_out), or None", repr(channels))
        self.channels = channels
        found = _maps_between(source, target, basis, "sum" if basis == "orbit" else normalize, tolerance)
        for warning in found.told:
            warnings.warn(warning, stacklevel=2)
        self.maps, self._spread = found.maps_of(source, target), found.deviations
        scalar = source.group.scalar
        # What could be told of a bias is no news.
        self.bias_maps = _maps_between(scalar, target, "diagram", "sum", tolerance).maps_of(scalar, target) if bias else None
        # Made now: torch.compile would hash the spaces.
        self._masks = _mask_plan(source), _mask_plan(target)
        inputs, outputs = channels or (1, 1)
        self.weight = nn.Parameter(torch.empty(self.maps.dim, outputs, inputs, dtype=dtype, device=device))
        self.bias = nn.Parameter(torch.empty(self.bias_maps.dim, outputs, dtype=dtype, device=device)) if self.bias_maps else None
        self.reset_parameters(generator)
        if not self.maps.dim:
            rest = "its output is the bias alone" if bias and self.bias_maps and self.bias_maps.dim else "its output is zero"
            warnings.warn(f"no linear map {source.symbol} -> {target.symbol} commutes with {source.group}: {rest}", stacklevel=2)

    @property
    def source(self) -> Rep:
        return self.maps.source

    @property
    def target(self) -> Rep:
        return self.maps.target

    @property
    def inp(self) -> Rep:
        """What comes in: ``source``."""
        return self.source

    @property
    def out(self) -> Rep:
        """What goes out: ``target``."""
        return self.target

    def example(self, *batch: int, generator: torch.Generator | None = None, dtype: torch.dtype | None = None) -> Tensor:
        """Random data for tests, with the layer's channels."""
        channels = () if self.channels is None else (self.channels[0],)
        return self.source.example(*batch, *channels, generator=generator, dtype=dtype)

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw the weights anew; biases are zero."""
        with torch.no_grad():
            drawn = torch.randn(self.weight.shape, generator=generator, dtype=torch.float64)
            drawn *= (self._spread / self.weight.shape[2] ** 0.5)[:, None, None].to(drawn.device)
            self.weight.copy_(drawn)
            if self.bias is not None:
                self.bias.zero_()

    def forward(self, x: Float[Tensor, "*batch inp"], mask: Bool[Tensor, "*b n"] | None = None) -> Float[Tensor, "*batch out"]:
        """Apply the layer.

        Args:
            x: ``[*batch, C_in, source.dim]``, or ``[*batch, source.dim]`` without channels.
            mask: of padded sets, which of the n things are real, ``[*batch, n]``: others are taken as zero, whatever stands there (also
                NaN), means divide by the true number, and outputs are zero outside.
        """
        if x.ndim < 1 + (self.channels is not None) or x.shape[-1] != self.source.dim:
            wanted = f"[*batch, {self.channels[0]}, {self.source.dim}]" if self.channels else f"[*batch, {self.source.dim}]"
            raise ArgumentError("x", f"shape {wanted}, the last axis being that of {self.source}", tuple(x.shape))
        plain = self.channels is None
        if plain:
            x = x.unsqueeze(-2)
        counts = None
        if mask is not None:
            x = torch.where(_spread_mask(self.source, self._masks[0], mask).unsqueeze(-2), x, 0)
            counts = {0: mask.sum(-1).flatten()}
        y = self.maps(self.weight, x, counts)
        if self.bias is not None and self.bias_maps is not None and self.bias_maps.dim:
            y = y + self.bias_maps(self.bias.unsqueeze(-1), self.bias.new_ones(1, 1))
        if mask is not None:
            y = torch.where(_spread_mask(self.target, self._masks[1], mask).unsqueeze(-2), y, 0)
        return y.squeeze(-2) if plain else y

    def over(self, group: Group) -> EquivariantLinear:
        """The same layer, sharing its parameters, for another size: ``layer.over(Symmetric(9))`` of one made for ``Symmetric(5)``.

        Raises:
            ArgumentError: for that size there are more or fewer maps.
        """
        layer = EquivariantLinear(
            rep_over(self.source, group), rep_over(self.target, group), self.channels,
            bias=self.bias is not None, basis="orbit" if self.maps.basis_name == "orbit" else "diagram",
            normalize="sqrt" if self.maps.basis_name == "orbit" else self.maps.normalize, device="meta",
        )  # fmt: skip
        if layer.maps.labels != self.maps.labels:
            raise ArgumentError("group", f"one with the {self.maps.dim} maps of this layer", f"{group}, with {layer.maps.dim}")
        layer.weight, layer.bias = self.weight, self.bias
        return layer

    def extra_repr(self) -> str:
        channels = "" if self.channels is None else f", channels {self.channels[0]} -> {self.channels[1]}"
        return f"{self.source.symbol} -> {self.target.symbol} of {self.source.group}, {self.maps.dim} maps{channels}"


def rep_over(rep: Rep, group: Group) -> Rep:
    """The representation of the same form, of another group of the family.

    >>> from erlangen.groups import Symmetric
    >>> rep_over(Symmetric(3).vector ** 2, Symmetric(5)).dim
    25
    """
    if isinstance(rep, (DirectSum, TensorProduct)):
        return type(rep)(tuple(rep_over(p, group) for p in rep.parts))
    if isinstance(rep, Trivial):
        return group.scalar
    if isinstance(rep, (Permutation, Defining)):
        return group.vector
    if isinstance(rep, (Sign, Determinant)):
        return group.pseudoscalar
    raise ArgumentError("rep", "sums and products of vectors, scalars and pseudoscalars", repr(rep))


class _Found(NamedTuple):
    """The maps between two representations, ready for use, the spread of weights that keeps variances, and what making them warned of."""

    maps: EquivariantMaps
    deviations: Tensor
    told: tuple[Warning, ...]

    def maps_of(self, source: Rep, target: Rep) -> EquivariantMaps:
        """The maps between these very representations, which equal those they were made for."""
        maps = copy.copy(self.maps)
        maps.source, maps.target = source, target
        return maps


@lru_cache(maxsize=KEPT)
def _maps_between(source: Rep, target: Rep, basis: Basis, normalize: Normalize, tolerance: float | None) -> _Found:
    # What is kept must serve training, and other devices, too.
    with torch.inference_mode(False), torch.device("cpu"), warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        maps = EquivariantMaps(source, target, basis=basis, normalize=normalize, tolerance=tolerance).prepare()
        return _Found(maps, maps.deviations(), tuple(w.message for w in told if isinstance(w.message, Warning)))


class _MaskPlan(NamedTuple):
    """How a mask of n things becomes one of entries: how many axes each tensor has, and where the entries of all of them go."""

    n: int
    axes: tuple[int, ...]
    order: Tensor


@lru_cache(maxsize=KEPT)
def _mask_plan(rep: Rep) -> _MaskPlan | None:
    """``None`` where the representation has no tensors of one permutation group."""
    with torch.inference_mode(False), torch.device("cpu"):
        return _planned(rep)


def _planned(rep: Rep) -> _MaskPlan | None:
    parts = spaces_of(rep)
    if (
        parts is None
        or not rep.group.element_shape
        or len({a.label for s in parts for a in s.axes}) > 1
        or any(a.kind not in ("S", "A") for s in parts for a in s.axes)
    ):
        return None
    copies = [(len(space.axes), places) for space, found in parts.items() for places in found]
    return _MaskPlan(rep.group.element_shape[0], tuple(k for k, _ in copies), torch.cat([places for _, places in copies]).argsort())


def _spread_mask(rep: Rep, plan: _MaskPlan | None, mask: Tensor) -> Tensor:
    """Which entries of the last axis are real, ``[*batch, dim]``: those whose every index is."""
    if plan is None:
        raise ArgumentError("mask", "none for this representation: masks are of tensors of one permutation group", rep)
    mask = mask.bool()
    if mask.shape[-1] != plan.n:
        raise ArgumentError("mask", f"shape [*batch, {plan.n}]", tuple(mask.shape))
    pieces = []
    for axes in plan.axes:
        one = mask.new_ones(*mask.shape[:-1], 1)
        for _ in range(axes):
            one = (one.unsqueeze(-1) & mask.unsqueeze(-2)).flatten(-2)
        pieces.append(one)
    return torch.cat(pieces, -1)[..., plan.order.to(mask.device)]
