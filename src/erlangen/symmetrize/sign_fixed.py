"""`SignFixed`: one element per cloud, principal axes whose signs the cloud's skewness decides."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.groups.affine import AffineGroup, Translations
from erlangen.groups.orthogonal import SO
from erlangen.symmetrize.cloud import cloud_of
from erlangen.symmetrize.frames import Frame, Weighted
from erlangen.symmetrize.principal import Principal


class SignFixed(Frame):
    """The principal axes, each pointing to where the cloud's third moment along it is positive: a single element.

    ``2^d`` times cheaper than :class:`Principal` and as exact, but not continuous where a third moment vanishes. Where it does (below
    ``tolerance`` times the cube of the spread), that axis has no sign of its own and the result depends on the eigensolver; a warning
    counts such clouds. For SO(d) and SE(d) the last axis follows from the determinant.

    Args:
        tolerance: third moments below this, relative, count as zero.
        principal: how the axes are found; its settings are those of :class:`Principal`.

    >>> from erlangen.groups import O
    >>> SignFixed()(O(3).vector, torch.randn(8, 20, 3)).elements.shape
    torch.Size([8, 1, 3, 3])
    """

    def __init__(self, tolerance: float = 1e-6, principal: Principal | None = None) -> None:
        super().__init__()
        self.tolerance, self.principal = tolerance, principal or Principal()

    def forward(self, inp: Action, x: Any) -> Weighted:
        every = self.principal(inp, x).elements
        group = inp.group
        if isinstance(group, AffineGroup):
            linear, centre = group.rotation(every), group.translation(every)[:, 0]
            cloud = cloud_of(inp, x) - centre.unsqueeze(1)
            return Weighted(group.element(self._signed(linear[:, 0], cloud, group.linear_group), centre).unsqueeze(1))
        return Weighted(self._signed(every[:, 0], cloud_of(inp, x), group).unsqueeze(1))

    def _signed(self, axes: Tensor, cloud: Tensor, group: Any) -> Tensor:
        along = cloud.detach() @ axes
        third, spread = along.pow(3).mean(1), along.square().mean(1).sqrt()
        weak = third.abs() < self.tolerance * spread.amax(-1, keepdim=True).pow(3)
        if isinstance(group, SO):
            weak = weak[:, :-1]
        if not torch.compiler.is_compiling() and bool(weak.any()):
            warnings.warn(
                f"{int(weak.any(1).sum())} of {len(cloud)} clouds are not skewed along an axis: its sign is arbitrary; "
                "erlangen.frames.Principal() averages over both",
                stacklevel=2,
            )
        signs = torch.where(third < 0, -1.0, 1.0).to(axes.dtype)
        if isinstance(group, SO):
            last = (torch.linalg.det(axes).sign() * signs[:, :-1].prod(1)).unsqueeze(1)
            signs = torch.cat([signs[:, :-1], last], 1)
        return axes * signs.unsqueeze(1)

    def refuse(self, inp: Action) -> str:
        if isinstance(inp.group, Translations):
            return "translations have no axes"
        return self.principal.refuse(inp)
