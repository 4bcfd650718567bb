"""`Rows`: which datum each number of a part belongs to, and which numbers there are. Dense with or without a mask, or ragged."""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from erlangen.errors import ArgumentError


class Rows:
    """How the numbers of one part of a batch are laid out over its ``size`` data.

    Args:
        size: ``B``, the number of data.
        segment: of a ragged part ``[N, ...]``, the datum of each row, int64 ``[N]``; without it a part is dense, ``[B, ...]``.
        mask: which entries of a dense part there are, bool with the part's leading axes, ``[B]`` or ``[B, n]`` or more; what is not
            there is kept at 0 and takes part in nothing.

    Raises:
        ArgumentError: both a segment and a mask, or of a wrong type or shape, or rows of data that there are not.

    >>> rows = Rows(2, segment=torch.tensor([0, 0, 1]))
    >>> rows.total(torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))
    tensor([10., 11.])
    """

    def __init__(self, size: int, segment: Int[Tensor, " N"] | None = None, mask: Bool[Tensor, "B ..."] | None = None) -> None:
        if segment is not None and mask is not None:
            raise ArgumentError("mask", "no mask for a ragged part: what is not there has no row", f"a mask {tuple(mask.shape)}")
        if segment is not None and (segment.ndim != 1 or segment.dtype != torch.int64):
            raise ArgumentError("segment", "int64 [N], the datum of each row", f"{segment.dtype} {tuple(segment.shape)}")
        if mask is not None and (mask.dtype != torch.bool or not mask.ndim or len(mask) != size):
            raise ArgumentError("mask", f"bool [{size}, ...]", f"{mask.dtype} {tuple(mask.shape)}")
        if segment is not None and segment.device.type == "cpu" and len(segment):
            least, most = int(segment.min()), int(segment.max())
            if least < 0 or most >= size:
                raise ArgumentError("segment", f"rows of data 0 to {size - 1}", f"of {least} to {most}")
        self.size, self.segment, self.mask = size, segment, mask

    def check(self, x: Tensor, argument: str = "x") -> None:
        """Raise ArgumentError unless a part is laid out so."""
        length = self.size if self.segment is None else len(self.segment)
        if not isinstance(x, Tensor) or not x.ndim or len(x) != length:
            got = f"shape {tuple(x.shape)}" if isinstance(x, Tensor) else type(x).__name__
            what = "data" if self.segment is None else "rows"
            raise ArgumentError(argument, f"a tensor of {length} {what}, [{length}, ...]", got)
        if self.mask is not None and tuple(x.shape[: self.mask.ndim]) != tuple(self.mask.shape):
            raise ArgumentError("mask", f"the leading axes of a part of shape {tuple(x.shape)}", f"shape {tuple(self.mask.shape)}")

    def spread(self, values: Tensor, x: Tensor) -> Tensor:
        """One number for each datum, ``[B]``, beside the entries of a part ``x``: broadcasts with it."""
        if values.shape != (self.size,):
            raise ArgumentError("t", f"one for each datum, [{self.size}]", f"shape {tuple(values.shape)}")
        values = values if self.segment is None else values[self.segment]
        return values.reshape(-1, *(1,) * (x.ndim - 1))

    def blank(self, x: Tensor) -> Tensor:
        """A part with zeros where there is nothing."""
        return x if self.mask is None else torch.where(self._there(x), x, torch.zeros_like(x))

    def total(self, values: Tensor) -> Float[Tensor, " B"]:
        """The sum of a part's entries over each datum, in float32 at least."""
        rows = precise(self.blank(values)).reshape(len(values), math.prod(values.shape[1:])).sum(1)
        return rows if self.segment is None else rows.new_zeros(self.size).index_add(0, self.segment, rows)

    def count(self, x: Tensor) -> Float[Tensor, " B"]:
        """How many entries of a part each datum has."""
        dtype = x.dtype if x.is_floating_point() else torch.get_default_dtype()
        return self.total(torch.ones(x.shape, dtype=dtype, device=x.device))

    def centred(self, x: Float[Tensor, "... d"]) -> Tensor:
        """Points with each datum's mean taken away: over ``n`` of a dense part ``[B, n, d]``, over its rows of a ragged one ``[N, d]``."""
        if self.segment is not None:
            number, full = torch.bincount(self.segment, minlength=self.size).clamp(min=1), precise(x)
            mean = full.new_zeros(self.size, x.shape[-1]).index_add(0, self.segment, full) / number.unsqueeze(-1)
            return x - mean[self.segment].to(x.dtype)
        if self.mask is None:
            return x - x.mean(1, keepdim=True)
        x = self.blank(x)
        return self.blank(x - x.sum(1, keepdim=True) / self._there(x).sum(1, keepdim=True).clamp(min=1))

    def _there(self, x: Tensor) -> Tensor:
        assert self.mask is not None
        return self.mask.reshape(*self.mask.shape, *(1,) * (x.ndim - self.mask.ndim))


def precise(x: Tensor) -> Tensor:
    """Numbers in float32 at least: sums in half precision stop growing, and differences of laws vanish in it."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def dense(x: Tensor) -> Rows:
    """The rows of a dense part without a mask."""
    return Rows(len(x))
