"""`Pairs`: weighted frames from pairs of points: continuous and exact for every cloud in the plane and in space."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.errors import ArgumentError
from erlangen.groups.affine import AffineGroup
from erlangen.groups.base import Group
from erlangen.groups.orthogonal import SO, O
from erlangen.symmetrize.cloud import cloud_of
from erlangen.symmetrize.frames import Frame, Weighted
from erlangen.symmetrize.principal import Principal


class Pairs(Frame):
    """Robust frames: one element for each point (plane) or ordered pair of points (space), weighted by how well it is defined.

    In the plane each point ``x_i`` gives the rotation that takes the first axis to its direction, weighted by its length. In space
    each ordered pair gives the Gram-Schmidt basis of ``x_i, x_j`` (the third axis by the cross product), weighted by
    ``|x_i cross x_j|``. With reflections each basis comes twice, with both signs of the last axis. No unweighted finite frame can be
    continuous for these groups; this one is, as it costs ``n`` or ``n^2`` elements: use it for small or symmetric clouds, or draw from
    it with :class:`Stochastic`.

    Collinear clouds in space have no pair of positive weight; then each point gives a basis with an arbitrary completion. What is left
    open are rotations about the line, which do not move the cloud: the turns needed to average them away up to tensors of rank
    ``rank`` are included. A datum whose points all lie in the origin (for rigid motions: in one place) is fixed by every rotation;
    its invariant outputs are exact, others are not.

    Args:
        rank: the highest rank of the tensors that come out (0: scalars, 1: vectors, ...), for collinear clouds.
        of, weights: as for :class:`Principal`.

    Source: Dym, Lawrence & Siegel, ICML 2024, arXiv:2402.16077.

    >>> from erlangen.groups import SO
    >>> Pairs()(SO(3).vector, torch.randn(2, 4, 3)).elements.shape
    torch.Size([2, 24, 3, 3])
    """

    def __init__(self, rank: int = 1, of: str | None = None, weights: str | None = None) -> None:
        super().__init__()
        if rank < 0:
            raise ArgumentError("rank", "a tensor rank of at least 0", rank)
        self.rank, self.of, self.weights = rank, of, weights

    def forward(self, inp: Action, x: Any) -> Weighted:
        found = cloud_of(inp, x, self.of, self.weights).frozen(torch.float64)
        group = inp.group
        linear: Group = group
        if isinstance(group, AffineGroup):
            centre = found.centre()
            found, linear = found.minus(centre), group.linear_group
        cloud = found.weighted()  # a point without weight defines no direction
        bases, weights = _plane(cloud) if cloud.shape[-1] == 2 else _space(cloud, self.rank)
        if isinstance(linear, O):
            mirrored = torch.cat([bases[..., :-1], -bases[..., -1:]], -1)
            bases, weights = torch.cat([bases, mirrored], 1), torch.cat([weights, weights], 1)
        total = weights.sum(1, keepdim=True)
        weights = torch.where(total > 0, weights / total.clamp_min(torch.finfo(weights.dtype).tiny), 1 / weights.shape[1])
        if isinstance(group, AffineGroup):
            bases = group.element(bases, centre.unsqueeze(1).expand(*bases.shape[:2], -1))
        return Weighted(bases, weights)

    def refuse(self, inp: Action) -> str:
        group = inp.group.linear_group if isinstance(inp.group, AffineGroup) else inp.group
        if not isinstance(group, (SO, O)) or group.n not in (2, 3):
            return f"{inp.group} does not rotate the plane or space"
        return Principal().refuse(inp)


def _plane(cloud: Tensor) -> tuple[Tensor, Tensor]:
    lengths = cloud.norm(dim=-1)
    first = cloud / lengths.clamp_min(torch.finfo(cloud.dtype).tiny).unsqueeze(-1)
    first = torch.where(lengths.unsqueeze(-1) > 0, first, torch.tensor([1.0, 0.0], dtype=cloud.dtype, device=cloud.device))
    second = torch.stack([-first[..., 1], first[..., 0]], -1)
    return torch.stack([first, second], -1), lengths


def _space(cloud: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    size, n, _ = cloud.shape
    a, b = cloud.unsqueeze(2).expand(size, n, n, 3).flatten(1, 2), cloud.unsqueeze(1).expand(size, n, n, 3).flatten(1, 2)
    distinct = ~torch.eye(n, dtype=torch.bool, device=cloud.device).flatten()
    pair_bases = _completed(a[:, distinct], b[:, distinct])
    areas = torch.linalg.cross(a[:, distinct], b[:, distinct]).norm(dim=-1)
    scale = cloud.square().sum((1, 2)).clamp_min(torch.finfo(cloud.dtype).tiny)
    flat = (
        areas.amax(1, keepdim=True) <= 1e-12 * scale.unsqueeze(1)
        if n > 1
        else torch.ones(size, 1, dtype=torch.bool, device=cloud.device)
    )
    # One basis for each point, completed by the coordinate axis that it is least along, turned about it.
    helper = torch.nn.functional.one_hot(cloud.abs().argmin(-1), 3).to(cloud.dtype)
    line = _completed(cloud, helper)
    turns = rank + 2
    angle = torch.arange(turns, dtype=cloud.dtype, device=cloud.device) * (2 * torch.pi / turns)
    c, s, one, zero = angle.cos(), angle.sin(), torch.ones_like(angle), torch.zeros_like(angle)
    about = torch.stack([torch.stack([one, zero, zero], -1), torch.stack([zero, c, -s], -1), torch.stack([zero, s, c], -1)], -2)
    line = (line.unsqueeze(2) @ about).flatten(1, 2)
    lengths = cloud.norm(dim=-1).unsqueeze(-1).expand(size, n, turns).flatten(1) * flat
    return torch.cat([pair_bases, line], 1), torch.cat([areas * ~flat, lengths], 1)


def _completed(a: Tensor, b: Tensor) -> Tensor:
    """Right-handed bases with the first axis along ``a`` and the second towards ``b``; any basis where that is not defined."""
    tiny = torch.finfo(a.dtype).tiny ** 0.5
    first = a / a.norm(dim=-1, keepdim=True).clamp_min(tiny)
    rest = b - (b * first).sum(-1, keepdim=True) * first
    second = rest / rest.norm(dim=-1, keepdim=True).clamp_min(tiny)
    basis = torch.stack([first, second, torch.linalg.cross(first, second)], -1)
    proper = (torch.linalg.det(basis) - 1).abs() < 1e-6
    return torch.where(proper[..., None, None], basis, torch.eye(3, dtype=a.dtype, device=a.device))
