"""`Planar`: principal axes of a cloud's shadow on the plane across an axis, for slabs and everything else that stands upright."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.groups.axial import across
from erlangen.groups.base import Group
from erlangen.groups.recognise import recognised
from erlangen.symmetrize.cloud import Cloud, CloudFrame
from erlangen.symmetrize.frames import Weighted
from erlangen.symmetrize.pairs import refuse_moving
from erlangen.symmetrize.principal import Degenerate, Principal
from erlangen.symmetrize.symmetrized import Batch


class Planar(CloudFrame):
    """The signed principal axes across an axis, which stays as it is: 4 elements with reflections, 2 without.

    Serves the groups that keep an axis of space, which say what else they contain: ``SO(2, axis="z")`` and ``AxialO("z")`` (no
    translations), ``AxialSE("z")`` and ``AxialE("z")`` (translations across the axis: heights are left alone),
    ``AffineGroup(SO(2, axis="z"))`` (all translations).

    Args:
        order, degenerate, grad, of, weights, rank: as for :class:`Principal`, of the planar cloud.

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
        rank: int = 3,
    ) -> None:
        super().__init__()
        self.of, self.weights, self.others = of, weights, degenerate == "weighted"
        self.flat = Principal(order, degenerate, grad, rank=rank)
        self.differentiable = grad

    def prepared(self, cloud: Cloud) -> Cloud:
        return self.flat.prepared(cloud)

    def spanned(self, batch: Batch, cloud: Cloud) -> Weighted:
        group: Any = batch.outline.group
        plane, axis = across(group.axis).to(cloud.points), torch.tensor(group.axis).to(cloud.points)
        found, loose = self.flat.axes(cloud.across(plane), group.is_proper)
        if loose is not None:
            refuse_moving(batch, _lifted(loose, plane, axis))
        return found._replace(elements=_lifted(found.elements, plane, axis))

    def refuse_linear(self, group: Group) -> str:
        if getattr(recognised(group), "axis", None) is None:
            return "keeps no axis; there are SO(2, axis='z'), AxialO, AxialSE and AxialE"
        return ""

    def refuse_output(self, out: Action) -> str:
        return self.flat.refuse_output(out)


def _lifted(turns: Tensor, plane: Tensor, axis: Tensor) -> Tensor:
    """Maps of the plane ``[..., 2, 2]`` as maps of space that leave the axis alone."""
    plane, axis = plane.to(turns.dtype), axis.to(turns.dtype)
    return plane @ turns @ plane.T + torch.outer(axis, axis)
