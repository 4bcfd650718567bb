"""Sums that neither overflow nor stall: half precision is computed in float32, whatever autocast says."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

_NARROW = (torch.float16, torch.bfloat16)
_T = TypeVar("_T")


def narrow(x: Tensor) -> torch.dtype | None:
    """The type that results of ``x`` are to have where it is too narrow to add up in: that of autocast, or of ``x``; else ``None``.

    >>> narrow(torch.zeros(3)), narrow(torch.zeros(3).half())
    (None, torch.float16)
    """
    device = x.device.type
    if x.dtype != torch.float64 and torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device):
        low = torch.get_autocast_dtype(device)
        return low if low in _NARROW else None
    return x.dtype if x.dtype in _NARROW else None


def wide(x: Tensor) -> Tensor:
    """``x``, in float32 where it is in half precision.

    >>> wide(torch.zeros(3).half()).dtype
    torch.float32
    """
    return x.float() if x.dtype in _NARROW else x


def in_float32(function: Callable[..., _T], *tensors: Tensor) -> _T:
    """``function`` of these tensors as float32, with autocast off.

    A sum over 5000 entries of 20 is beyond float16 although the mean is not, so that dividing afterwards comes too late.
    """
    with torch.autocast(tensors[0].device.type, enabled=False):
        return function(*(t.float() for t in tensors))


class Constants:
    """Tensors in the dtype and on the device of data, converted once for each.

    >>> Constants(torch.eye(2, dtype=torch.float64)).like(torch.zeros(3))[0].dtype
    torch.float32
    """

    def __init__(self, *tensors: Tensor) -> None:
        self._tensors = tensors
        self._kept: dict[tuple[torch.dtype, torch.device], tuple[Tensor, ...]] = {}

    def like(self, data: Tensor) -> tuple[Tensor, ...]:
        """The tensors as the data are."""
        if torch.compiler.is_compiling() or torch.compiler.is_exporting():  # what is seen there is not to be kept
            return self._converted(data)
        key = (data.dtype, data.device)
        if key not in self._kept:
            with torch.inference_mode(False):  # what is kept must serve training too
                self._kept[key] = self._converted(data)
        return self._kept[key]

    def _converted(self, data: Tensor) -> tuple[Tensor, ...]:
        return tuple(t.to(data.device, data.dtype) for t in self._tensors)
