"""`Principal`: frames from the principal axes of a point cloud, for rotations, reflections and rigid motions."""

from __future__ import annotations

import itertools
import warnings
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.errors import ArgumentError
from erlangen.groups.affine import AffineGroup
from erlangen.groups.base import Group
from erlangen.groups.orthogonal import SO, O
from erlangen.symmetrize.cloud import cloud_of, cloud_refusal
from erlangen.symmetrize.frames import Frame, Weighted

Degenerate = Literal["warn", "raise", "ignore"]


class Principal(Frame):
    """The signed principal axes of each cloud: ``2^d`` elements for O(d) and E(d), ``2^(d-1)`` proper ones for SO(d) and SE(d).

    With points as rows ``x``, the axes are the eigenvectors of ``C = (x - t)^T (x - t)``, where ``t`` is the mean for the rigid groups and
    zero for the linear ones. Exact wherever the eigenvalues are distinct; where they are not (a cube, a single point) the axes are not
    defined and neither is the frame, see ``degenerate``.

    Args:
        order: whether axes go from the smallest eigenvalue up (as in the source) or from the largest down.
        degenerate: what to do where neighbouring eigenvalues differ by less than 1e-8 (float64; 1e-4 for float32) of the largest:
            ``"warn"``, ``"raise"`` or ``"ignore"``.
        grad: differentiate the axes too. By default gradients flow through the canonical coordinates alone, as in the source; they
            are then not the gradients of the averaged model, which forces as ``-dE/dx`` need.

    Source: Puny et al., "Frame Averaging for Invariant and Equivariant Network Design", ICLR 2022, arXiv:2110.03336.

    >>> from erlangen.groups import SE
    >>> Principal()(SE(3).point, torch.randn(8, 20, 3)).elements.shape
    torch.Size([8, 4, 4, 4])
    """

    def __init__(
        self, order: Literal["ascending", "descending"] = "ascending", degenerate: Degenerate = "warn", grad: bool = False
    ) -> None:
        super().__init__()
        for name, value, known in (("order", order, ("ascending", "descending")), ("degenerate", degenerate, ("warn", "raise", "ignore"))):
            if value not in known:
                raise ArgumentError(name, f"one of {', '.join(known)}", repr(value))
        self.order, self.degenerate, self.grad = order, degenerate, grad

    def forward(self, inp: Action, x: Any) -> Weighted:
        cloud = cloud_of(inp, x)
        cloud = cloud if self.grad else cloud.detach()
        group = inp.group
        if isinstance(group, AffineGroup):
            centre = cloud.mean(1)
            if not group.linear_group.dim:  # translations alone
                return Weighted(group.element(translation=centre.unsqueeze(1)))
            axes = self._axes(cloud - centre.unsqueeze(1))
            rotations = _signed(axes, group.linear_group)
            return Weighted(group.element(rotations, centre.unsqueeze(1).expand(*rotations.shape[:2], -1)))
        return Weighted(_signed(self._axes(cloud), group))

    def _axes(self, cloud: Float[Tensor, "B n d"]) -> Float[Tensor, "B d d"]:
        values, axes = torch.linalg.eigh((cloud.mT @ cloud).double())
        if self.degenerate != "ignore" and not torch.compiler.is_compiling():
            self._complain(values, cloud.dtype)
        axes = axes.flip(-1) if self.order == "descending" else axes
        return axes.to(cloud.dtype)

    def _complain(self, values: Tensor, dtype: torch.dtype) -> None:
        tolerance = 1e-8 if dtype == torch.float64 else 1e-4
        gaps = values.diff(dim=-1).amin(-1)
        bad = int((gaps < tolerance * values[:, -1].clamp_min(torch.finfo(dtype).tiny)).sum())
        if not bad:
            return
        message = (
            f"{bad} of {len(values)} clouds have principal axes that are not defined (equal eigenvalues): their average is not symmetric; "
            "a frame without eigenvalues, e.g. erlangen.frames.GramSchmidt(), has none of these cases"
        )
        if self.degenerate == "raise":
            raise ArgumentError("x", "clouds with distinct principal values", message)
        warnings.warn(message, stacklevel=2)

    def refuse(self, inp: Action) -> str:
        group = inp.group
        if isinstance(group, AffineGroup):
            if not group.linear_group.dim and group.space_dim:
                return cloud_refusal(inp)
            group = group.linear_group
        full = isinstance(group, (SO, O)) and group.is_euclidean and group.dim == group.n * (group.n - 1) // 2
        return cloud_refusal(inp) if full else f"{inp.group} is none of O(d), SO(d), E(d), SE(d), T(d)"


def _signed(axes: Float[Tensor, "B d d"], group: Group) -> Float[Tensor, "B k d d"]:
    """All choices of the axes' signs that lie in the group."""
    d = axes.shape[-1]
    proper = isinstance(group, SO)
    free = d - 1 if proper else d
    signs = torch.tensor(list(itertools.product([1.0, -1.0], repeat=free)), dtype=axes.dtype, device=axes.device)
    signs = signs.expand(len(axes), -1, -1)
    if proper:  # the last sign makes the determinant one
        last = torch.linalg.det(axes).sign().view(-1, 1, 1) * signs.prod(-1, keepdim=True)
        signs = torch.cat([signs, last], -1)
    return axes.unsqueeze(1) * signs.unsqueeze(-2)
