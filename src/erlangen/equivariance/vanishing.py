"""Outputs that vanish by symmetry are nothing but rounding: what they are to be measured by, for no error is relative to zero."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import optree
import torch
from torch import Tensor, nn

from erlangen.actions.base import Action
from erlangen.actions.records import Record
from erlangen.linalg.relative import ROUNDINGS

#: An output below this part of what distorted data give vanishes by symmetry: its error is measured by theirs.
VANISHING = 1e-3
#: By these rounding is told from small numbers.
PRECISIONS = (torch.float32, torch.float64)


def distorted(inp: Action, x: Any, generator: torch.Generator) -> Any:
    """Data moved by a tenth of their spread, which have no symmetry left."""

    def distort(action: Action, part: Any) -> Any:
        if not isinstance(part, Tensor) or not part.is_floating_point():
            return part
        wide = part.double()
        spread = wide.std() if part.numel() > 1 else wide.abs().sum()
        spread = torch.where(spread > 0, spread, wide.square().mean().sqrt())
        noise = torch.randn(part.shape, generator=generator, dtype=torch.float64, device=generator.device).to(part.device)
        return (wide + 0.1 * spread * noise).to(part.dtype)

    return inp.map(distort, x) if isinstance(inp, Record) else distort(inp, x)


def in_precision(model: Any, x: Any, dtype: torch.dtype) -> tuple[Any, Any]:
    """A copy of the model, if it is a module, and data in another precision."""

    def cast(t: Any) -> Any:
        return t.to(dtype) if isinstance(t, Tensor) and t.is_floating_point() else t

    version = copy.deepcopy(model).to(dtype) if isinstance(model, nn.Module) else model
    return version, optree.tree_map(cast, x, none_is_leaf=True)


def rounded_scale(sizes: dict[torch.dtype, float]) -> float:
    """How large the numbers are whose rounding a result is, told by its sizes in two precisions; 0 where it is more than rounding.

    A result that is rounding alone grows with the unit of rounding, one that is not is the same in both precisions. So sums of pair forces
    that cancel are told from small forces, in whatever units.

    Args:
        sizes: of the result, in a fine and in a coarse precision.

    >>> rounded_scale({torch.float64: 2e-16, torch.float32: 1e-7}) > 0.5
    True
    >>> rounded_scale({torch.float64: 2e-16, torch.float32: 2e-16})
    0.0
    """
    fine, coarse = sorted(sizes, key=lambda dtype: torch.finfo(dtype).eps)
    scale = sizes[coarse] / torch.finfo(coarse).eps
    return scale if sizes[fine] <= ROUNDINGS * torch.finfo(fine).eps * scale else 0.0


def attempted(call: Callable[[], Any]) -> Any:
    """What a call gives; ``None`` where a model does not take such data."""
    try:
        return call()
    except Exception:  # whatever a model raises that is made for other data
        return None
