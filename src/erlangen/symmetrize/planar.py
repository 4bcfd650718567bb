"""`Planar`: principal axes of a cloud's shadow on the plane across an axis, for slabs and everything else that stands upright."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.actions.records import Record
from erlangen.groups.affine import AffineGroup
from erlangen.groups.axial import AxialO, AxialSE, across
from erlangen.groups.matrix import MatrixGroup
from erlangen.groups.orthogonal import SO, O
from erlangen.symmetrize.cloud import cloud_of, cloud_refusal
from erlangen.symmetrize.frames import Frame, Weighted
from erlangen.symmetrize.principal import Degenerate, Principal


class Planar(Frame):
    """The signed principal axes across an axis, which stays as it is: 4 elements with reflections, 2 without.

    Serves the groups that keep an axis of space, which say what else they contain: ``SO(2, axis="z")`` and ``AxialO("z")`` (no
    translations), ``AxialSE("z")`` and ``AxialE("z")`` (translations across the axis: heights are left alone),
    ``AffineGroup(SO(2, axis="z"))`` (all translations).

    Args:
        order, degenerate, grad, of, weights: as for :class:`Principal`, of the planar cloud.

    Source: the 2-D frames of Duval et al., "FAENet: Frame Averaging Equivariant GNN for Materials Modeling", ICML 2023, arXiv:2305.05577.

    >>> from erlangen.groups.axial import AxialE
    >>> g = Planar()(AxialE("z").point, torch.randn(8, 20, 3)).elements
    >>> g.shape, bool((g[..., 2, :] == torch.tensor([0.0, 0, 1, 0])).all())
    (torch.Size([8, 4, 4, 4]), True)
    """

    def __init__(
        self,
        order: Literal["ascending", "descending"] = "descending",
        degenerate: Degenerate = "warn",
        grad: bool = False,
        of: str | None = None,
        weights: str | None = None,
    ) -> None:
        super().__init__()
        self.of, self.weights = of, weights
        self.flat = Principal(order, degenerate, grad, weights="counts")

    def forward(self, inp: Action, x: Any) -> Weighted:
        group = inp.group
        assert isinstance(group, MatrixGroup)
        linear = group.linear_group if isinstance(group, AffineGroup) else group
        assert isinstance(linear, (SO, AxialO))
        assert linear.axis is not None
        cloud = cloud_of(inp, x, self.of, self.weights)
        plane = across(linear.axis).to(cloud.points)
        turns: MatrixGroup = SO(2) if isinstance(linear, SO) else O(2)
        centre = None
        if isinstance(group, AffineGroup):
            centre = cloud.centre() if self.flat.grad else cloud.frozen().centre()
            cloud = cloud.minus(centre)
            if isinstance(group, AxialSE):
                centre = centre @ plane @ plane.T
        counts = torch.ones_like(cloud.points[..., 0]) if cloud.weights is None else cloud.weights[..., 0]
        found = self.flat(Record({"points": turns.vector, "counts": None}), {"points": cloud.points @ plane, "counts": counts})
        elements = _lifted(found.elements, plane, torch.tensor(linear.axis).to(cloud.points))
        if centre is not None and isinstance(group, AffineGroup):
            centre = centre.to(elements.dtype).unsqueeze(1).expand(*elements.shape[:2], -1)
            elements = group.element(elements, centre)
        return found._replace(elements=elements)

    def refuse(self, inp: Action) -> str:
        group = inp.group.linear_group if isinstance(inp.group, AffineGroup) else inp.group
        if not isinstance(group, (SO, AxialO)) or getattr(group, "axis", None) is None:
            return f"{inp.group} keeps no axis; there are SO(2, axis='z'), AxialO, AxialSE and AxialE"
        return cloud_refusal(inp)


def _lifted(turns: Tensor, plane: Tensor, axis: Tensor) -> Tensor:
    """Maps of the plane ``[..., 2, 2]`` as maps of space that leave the axis alone."""
    plane, axis = plane.to(turns.dtype), axis.to(turns.dtype)
    return plane @ turns @ plane.T + torch.outer(axis, axis)
