"""`SignFixed`: one element per cloud, principal axes whose signs the cloud's skewness decides."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.errors import ArgumentError
from erlangen.groups.affine import AffineGroup, Translations
from erlangen.groups.orthogonal import SO
from erlangen.symmetrize.cloud import Cloud, cloud_of
from erlangen.symmetrize.frames import Frame, Weighted
from erlangen.symmetrize.principal import Principal, sign_choices


class SignFixed(Frame):
    """The principal axes, each pointing to where the cloud's third moment along it is positive: a single element.

    ``2^d`` times cheaper than :class:`Principal` and as exact, but not continuous where a third moment vanishes. An axis along which the
    third moment is below ``tolerance`` times the second moment times the largest spread (of a flat or a symmetric cloud) has no sign of
    its own; then both are averaged over, as in :class:`Principal`. A batch with such a cloud is evaluated at as many elements as that one
    needs, with zero weights where others do not. A compiled model cannot change the number of elements: it always evaluates all.

    For SO(d) and SE(d) one sign follows from the determinant: that of the weak axis, else of the last.

    Args:
        tolerance: relative third moments below this count as zero.
        order, degenerate, of, weights: as for :class:`Principal`; ``degenerate="weighted"`` is not available.

    >>> from erlangen.groups import O
    >>> SignFixed()(O(3).vector, torch.randn(8, 20, 3)).elements.shape
    torch.Size([8, 1, 3, 3])
    """

    def __init__(
        self,
        tolerance: float = 1e-6,
        order: Literal["ascending", "descending"] = "ascending",
        degenerate: Literal["warn", "raise", "ignore"] = "warn",
        of: str | None = None,
        weights: str | None = None,
    ) -> None:
        super().__init__()
        if degenerate == "weighted":
            raise ArgumentError("degenerate", "one of warn, raise, ignore", repr(degenerate), "Principal has 'weighted'")
        self.tolerance, self.principal = tolerance, Principal(order, degenerate, of=of, weights=weights)

    def forward(self, inp: Action, x: Any) -> Weighted:
        every = self.principal(inp, x).elements
        cloud = cloud_of(inp, x, self.principal.of, self.principal.weights)
        group = linear = inp.group
        rotations = every
        if isinstance(group, AffineGroup):
            linear, rotations = group.linear_group, group.rotation(every)
            cloud = cloud.minus(group.translation(every)[:, 0])
        third, second = _moments(cloud.frozen(), rotations[:, 0].detach())
        # What rounding of the points, relative to the largest spread, makes of a third moment.
        weak = third.abs() <= self.tolerance * second * second.amax(-1, keepdim=True).sqrt()
        # Signs of the elements' axes relative to the first element's; a choice fits when it makes all third moments that count positive.
        signs = sign_choices(rotations.shape[-1], linear).to(third)
        if isinstance(linear, SO):
            # The determinant decides the sign of the weak axis, else of the last.
            signs = torch.cat([signs, signs.prod(-1, keepdim=True)], -1)
            last = torch.arange(third.shape[1], device=third.device) == third.shape[1] - 1
            undecided = weak.sum(1) > 1
            weak = weak | (last & ~weak.any(1, keepdim=True))
        else:
            undecided = weak.any(1)
        fits = (weak.unsqueeze(1) | (signs * third.unsqueeze(1) > 0)).all(-1).to(third.dtype)
        weights = fits / fits.sum(1, keepdim=True)
        if torch.compiler.is_compiling():
            return Weighted(every, weights)
        needed = int(fits.sum(1).max()) if bool(undecided.any()) else 1
        best = fits.argsort(dim=1, descending=True, stable=True)[:, :needed]
        chosen = group.take(every, (torch.arange(len(best), device=best.device).unsqueeze(1), best))
        return Weighted(chosen) if needed == 1 else Weighted(chosen, weights.gather(1, best))

    def refuse(self, inp: Action) -> str:
        if isinstance(inp.group, Translations):
            return "translations have no axes"
        return self.principal.refuse(inp)


def _moments(cloud: Cloud, axes: Tensor) -> tuple[Tensor, Tensor]:
    """Third and second moments along each axis, ``[B, d]``."""
    along = cloud.points @ axes
    weights = torch.ones_like(along[..., :1]) if cloud.weights is None else cloud.weights
    total = weights.sum(1)
    return (weights * along.pow(3)).sum(1) / total, (weights * along.square()).sum(1) / total
