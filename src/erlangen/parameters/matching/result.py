"""`Match`: what a search for the closest permutation has found."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

import torch
from torch import Tensor, nn

from erlangen.groups.base import Element
from erlangen.parameters.spec import WeightSpec

Given = TypeVar("Given", nn.Module, dict[str, Tensor])


@dataclass(frozen=True)
class Match(Generic[Given]):
    """A permutation that brings a network ``b`` close to another, ``a``.

    Attributes:
        permutation: an element of ``spec.group``, for ``spec.apply_permutation``.
        moved: ``b`` moved by it, of the kind that was given; it computes what ``b`` computes.
        objective: what was made large: the inner product of the weights of ``a`` with those of ``moved``, or the sum of the
            correlations of their units.
        history: the objective before and after each step of the best start; it never falls.
        spec: which permutation moves what.
    """

    permutation: Element
    moved: Given
    objective: float
    history: tuple[float, ...]
    spec: WeightSpec


def moved_weights(b: Given, spec: WeightSpec, permutation: Element) -> Given:
    """A copy of a network whose weights are moved; a tensor that a dict holds under several names is moved under all."""
    if not isinstance(b, nn.Module):
        new = spec.apply_permutation(b, permutation)
        shared = {_place(b[name]): name for name in spec.shapes}
        return cast(Given, {name: new[shared.get(_place(t), name)] if _place(t) in shared else t for name, t in b.items()})
    model = copy.deepcopy(b)
    own = weights_of(model)
    with torch.no_grad():
        for name, t in spec.apply_permutation({name: own[name].detach().clone() for name in spec.shapes}, permutation).items():
            own[name].copy_(t)
    return model


def weights_of(network: nn.Module | Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Parameters and buffers by name."""
    return dict([*network.named_parameters(), *network.named_buffers()] if isinstance(network, nn.Module) else network)


def _place(t: Tensor) -> tuple[object, ...]:
    return (t.data_ptr(), tuple(t.shape), t.stride(), t.dtype) if t.numel() else (id(t),)
