"""Which samples are the same: copies of one must not be on both sides of a split, nor count as evidence twice."""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Tensor


def distinct(x: Tensor) -> Int[Tensor, " N"]:
    """For each sample ``[N, ...]`` the number of its kind, counted in order of appearance.

    Samples are the same where every number agrees to about three quarters of the digits that its dtype has for its column: of the
    column's root mean square, or of its standard deviation where the numbers lie far from zero.

    >>> distinct(torch.tensor([[1.0, 2.0], [3.0, 4.0], [1.0, 2.0 + 1e-7]])).tolist()
    [0, 1, 0]
    """
    x = torch.view_as_real(x) if x.is_complex() else x
    eps = torch.finfo(x.dtype).eps if x.is_floating_point() else 1e-16
    if not x.numel():
        return torch.zeros(len(x), dtype=torch.int64)
    rows = x.detach().to("cpu", torch.float64).reshape(len(x), -1)
    finite = torch.where(rows.isfinite(), rows, torch.nan)
    noise = eps * finite.square().nanmean(0).sqrt()
    spread = (finite - finite.nanmean(0)).square().nanmean(0).sqrt()
    step = (noise**0.75 * spread**0.25).maximum(noise).nan_to_num().clamp_min(1e-300)
    kinds: dict[bytes, int] = {}
    # Adding zero makes one of both zeros.
    return torch.tensor([kinds.setdefault(row.tobytes(), len(kinds)) for row in ((rows / step).round() + 0.0).numpy()])


def arranged(kinds: Int[Tensor, " N"], generator: torch.Generator | None) -> Int[Tensor, " N"]:
    """A random order of samples in which those of one kind stand together.

    >>> order = arranged(torch.tensor([0, 1, 0, 2]), torch.Generator().manual_seed(0))
    >>> sorted(order.tolist()), int((order == 0).nonzero() - (order == 2).nonzero())
    ([0, 1, 2, 3], -1)
    """
    place = torch.randperm(int(kinds.max()) + 1, generator=generator).argsort()
    return place[kinds].argsort(stable=True)


def boundary(kinds: Int[Tensor, " N"], order: Int[Tensor, " N"], count: int) -> int:
    """The first place from ``count`` on at which this order can be cut without parting samples of one kind.

    >>> boundary(torch.tensor([0, 1, 0, 2]), torch.tensor([1, 0, 2, 3]), 2)
    3
    """
    there = kinds[order].tolist()
    while 0 < count < len(there) and there[count] == there[count - 1]:
        count += 1
    return count
