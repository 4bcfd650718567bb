"""When a tensor counts as an element: how far from exact a matrix may be, when values may be looked at, and positions that do not wrap."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch import Tensor

#: By type, relative to the size of the matrix: above what products round, below what tells elements apart.
LOOSE = {torch.float64: 1e-9, torch.float32: 1e-4, torch.float16: 1e-2, torch.bfloat16: 1e-1}


def tolerance(g: Tensor, atol: float | None) -> float:
    """``atol``, or what the type of ``g`` deserves by default: 1e-9 in float64, 1e-4 in float32, 1e-2 in float16, 1e-1 in bfloat16."""
    return LOOSE.get(g.dtype, 1e-4) if atol is None else atol


def may_look(*tensors: Tensor) -> bool:
    """Whether a check may look at values: not while a graph is traced, nor at a batch of ``torch.func.vmap``, where there are none."""
    if torch.compiler.is_compiling():
        return False
    functorch = torch._C._functorch
    for t in tensors:
        while functorch.is_gradtrackingtensor(t):
            t = functorch.get_unwrapped(t)
        if functorch.is_batchedtensor(t):
            return False
    return True


def looks_cheap(g: Tensor) -> bool:
    """Whether looking at the values of an element stops nothing: where it may be done, on the CPU, and at no tensor of a kind of its own (a
    fake one, which has no values)."""
    if not may_look(g) or g.device.type != "cpu" or type(g) is not Tensor:
        return False
    return not torch._C._len_torch_dispatch_stack()  # type: ignore[attr-defined]


def unwrapped(positions: Tensor) -> Tensor:
    """Positions as they are, negative ones far out of every list: indexing refuses them instead of counting from the end.

    >>> unwrapped(torch.tensor([2, -1])).tolist()
    [2, -1099511627777]
    """
    return positions.add(positions.clamp_max(0), alpha=2**40)


def decided_in_single(contains: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A test of membership of elements in half precision in float32, which has the determinants and products that it takes."""

    @wraps(contains)
    def decide(self: Any, g: Tensor, atol: float | None = None) -> Tensor:
        if g.dtype not in (torch.float16, torch.bfloat16):
            return contains(self, g, atol)
        return contains(self, g.float(), tolerance(g, atol))

    return decide
