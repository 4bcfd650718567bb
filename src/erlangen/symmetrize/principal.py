"""`Principal`: frames from the principal axes of a point cloud, for rotations, reflections and rigid motions."""

from __future__ import annotations

import itertools
import math
import warnings
from functools import cache
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.errors import ArgumentError
from erlangen.groups.base import Group
from erlangen.groups.membership import looks_cheap
from erlangen.symmetrize import noise
from erlangen.symmetrize.cloud import Cloud, CloudFrame, cloud_of, cloud_refusal, rounding_of_moment
from erlangen.symmetrize.frames import Weighted
from erlangen.symmetrize.pairs import refuse_moving, refuse_rank
from erlangen.symmetrize.robust import beside, robust_bases
from erlangen.symmetrize.symmetrized import Batch

Degenerate = Literal["warn", "raise", "weighted", "ignore"]

#: A gap of principal values counts as none below so many times what rounding likely makes of it. That takes every point to be off by its
#: bound, eight times what it is: axes are off by a thirty-second at most.
SAFETY = 4
#: With ``degenerate="weighted"`` the robust frame comes in below this gap, relative to the largest principal value.
NEAR = 1e-2


class Principal(CloudFrame):
    """The signed principal axes of each cloud: ``2^d`` elements for O(d) and E(d), ``2^(d-1)`` proper ones for SO(d) and SE(d).

    With points as rows ``x``, the axes are the eigenvectors of ``C = (x - t)^T (x - t)``, where ``t`` is the mean for the rigid groups and
    zero for the linear ones. Exact wherever the eigenvalues are distinct; where they are not (a cube, a single point) the axes are not
    defined and neither is the frame, see ``degenerate``.

    Args:
        order: whether axes go from the smallest eigenvalue up (as in the source) or from the largest down.
        degenerate: what to do where neighbouring eigenvalues are equal: differ by less than half the digits of the data, relative to the
            largest (1.5e-8 for float64, 3.5e-4 for float32, 0.03 for float16), or by less than lets the axes be known to a thirty-second,
            as the data came (far from the origin that is more). ``"warn"``, ``"raise"``, ``"ignore"``, or ``"weighted"``: the weight goes
            over to the elements of :class:`Pairs`, in the plane and in space, as the gap goes from 1e-2 to zero, so
            that nothing jumps where eigenvalues cross. Compiled models do not look: there every setting is ``"ignore"``.
        grad: differentiate the mean and the axes too. By default gradients flow through the canonical coordinates alone, as in the
            source, which is all that training needs; they are then not the gradients of the averaged model by its input, which forces
            as ``-dE/dx`` need.
        of: the part of a dict that spans the frame; by default the first one that moves as points or vectors.
        weights: the part of a dict (with action ``None``) that holds weights of the points or a boolean mask, ``[B, n]``.
        rank: with ``degenerate="weighted"``: as for :class:`Pairs`.

    Source: Puny et al., "Frame Averaging for Invariant and Equivariant Network Design", ICLR 2022, arXiv:2110.03336.

    >>> from erlangen.groups import SE
    >>> Principal()(SE(3).point, torch.randn(8, 20, 3)).elements.shape
    torch.Size([8, 4, 4, 4])
    """

    def __init__(
        self,
        order: Literal["ascending", "descending"] = "ascending",
        degenerate: Degenerate = "warn",
        grad: bool = False,
        of: str | None = None,
        weights: str | None = None,
        rank: int = 3,
    ) -> None:
        super().__init__()
        for name, value, known in (
            ("order", order, ("ascending", "descending")),
            ("degenerate", degenerate, ("warn", "raise", "weighted", "ignore")),
        ):
            if value not in known:
                raise ArgumentError(name, f"one of {', '.join(known)}", repr(value))
        if rank < 0:
            raise ArgumentError("rank", "a tensor rank of at least 0", repr(rank))
        self.order, self.degenerate, self.grad, self.of, self.weights = order, degenerate, grad, of, weights
        self.differentiable = grad
        self.rank, self.others = rank, degenerate == "weighted"

    def prepared(self, cloud: Cloud) -> Cloud:
        return cloud if self.grad else cloud.frozen(torch.float64)

    def spanned(self, batch: Batch, cloud: Cloud) -> Weighted:
        found, loose = self.axes(cloud, batch.outline.is_proper)
        if loose is not None:
            refuse_moving(batch, loose)
        return found

    def axes(self, cloud: Cloud, proper: bool) -> tuple[Weighted, Tensor | None]:
        """The elements for vectors, and where the robust frame was needed, the rotations that leave a datum as it is, ``[B, d, d]``."""
        second = cloud.second_moment()
        values, axes = torch.linalg.eigh(second)
        dtype, looks = cloud.dtype, self.degenerate != "ignore" and cloud.looks
        if not looks or self.degenerate != "weighted":
            if looks:
                self._complain(cloud, values.detach())
            return Weighted(signed(self._ordered(axes).to(dtype), proper)), None
        # A share that turns with the datum: a function of the gap alone, not of the rounding, which depends on the pose.
        gaps = _gaps(values)
        share = noise.smooth(gaps / max(NEAR, 16 * cloud.eps))  # of these axes; the rest is the robust frame's
        share = share * (values.detach()[:, -1] > 16 * _counts(cloud) * cloud.noise.square())  # a point has none
        if self.grad and bool((bad := gaps.detach() <= torch.finfo(gaps.dtype).eps).any()):
            # These axes have no weight; keep their infinite gradients out.
            apart = torch.arange(second.shape[-1], dtype=second.dtype, device=second.device).diag()
            axes = torch.linalg.eigh(torch.where(bad[:, None, None], apart, second)).eigenvectors
        elements = signed(self._ordered(axes).to(dtype), proper)
        near = (share.detach() < 1).nonzero().squeeze(1)
        if not len(near):
            return Weighted(elements), None
        every, weights, loose = beside(elements, share, near, robust_bases(cloud.rows(near), proper, self.rank))
        return Weighted(every, weights), loose

    def gaps(self, inp: Action, x: Any) -> Float[Tensor, " B"]:
        """The smallest difference of neighbouring principal values of each datum, relative to the largest value.

        Zero means that the axes are not defined; gradients with ``grad=True`` grow as its inverse.

        >>> from erlangen.groups import O
        >>> Principal().gaps(O(2).vector, torch.tensor([[[2.0, 0.0], [0.0, 1.0]]]))
        tensor([0.7500])
        """
        cloud = cloud_of(Batch(inp, x), self.of, self.weights).frozen()
        if inp.group.translates:
            cloud = cloud.minus(cloud.centre())
        return _gaps(torch.linalg.eigvalsh(cloud.second_moment())).to(cloud.dtype)

    def _ordered(self, axes: Float[Tensor, "B d d"]) -> Float[Tensor, "B d d"]:
        return axes.flip(-1) if self.order == "descending" else axes

    def _complain(self, cloud: Cloud, values: Float[Tensor, "B d"]) -> None:
        if _are_distinct(cloud, values) or not bool((bad := _are_equal(cloud, values)).any()):
            return
        message = (
            f"{int(bad.sum())} of {len(bad)} clouds have principal axes that are not defined (equal eigenvalues): their average is not "
            "symmetric; degenerate='weighted' gives them a robust frame"
        )
        if self.degenerate == "raise":
            raise ArgumentError("x", "clouds with distinct principal values", message)
        warnings.warn(message, stacklevel=2)

    def refuse_linear(self, group: Group) -> str:
        if group.order == 1:
            return ""
        if not group.is_rotations:
            return "is none of O(d), SO(d), E(d), SE(d), T(d)"
        if self.degenerate == "weighted" and group.element_shape[0] not in (2, 3):
            return f"turns {group.element_shape[0]} dimensions, and degenerate='weighted' serves the plane and space"
        return ""

    def refuse(self, inp: Action) -> str:
        if inp.group.linear_part.order == 1 and not inp.group.translates:
            return f"{inp.group} moves nothing"
        if reason := self.refuse_linear(inp.group.linear_part):
            return f"{inp.group} {reason}"
        return cloud_refusal(inp)

    def refuse_output(self, out: Action) -> str:
        return refuse_rank(out, self.rank) if self.degenerate == "weighted" else ""


def sign_choices(d: int, proper: bool) -> list[tuple[float, ...]]:
    """The signs of ``d`` right-handed axes; in SO(d) all but the last are free, which the determinant decides."""
    free = itertools.product([1.0, -1.0], repeat=d - 1 if proper else d)
    return [(*signs, math.prod(signs)) if proper else signs for signs in free]


def signed(axes: Float[Tensor, "B d d"], proper: bool) -> Float[Tensor, "B k d d"]:
    """All choices of the axes' signs that lie in the group, in the order of :func:`sign_choices`."""
    choices = _known_signs if looks_cheap(axes) else _signs
    return (_right_handed(axes) if proper else axes).unsqueeze(1) * choices(axes.shape[-1], proper, axes.dtype, axes.device)


def _signs(d: int, proper: bool, dtype: torch.dtype, device: torch.device) -> Float[Tensor, "k 1 d"]:
    return torch.tensor(sign_choices(d, proper), dtype=dtype, device=device).unsqueeze(1)


@cache
def _known_signs(d: int, proper: bool, dtype: torch.dtype, device: torch.device) -> Float[Tensor, "k 1 d"]:
    """The same, kept; never while a graph is traced, and of a kind that autograd can save."""
    with torch.inference_mode(False):
        return _signs(d, proper, dtype, device)


def _right_handed(axes: Float[Tensor, "B d d"]) -> Float[Tensor, "B d d"]:
    """The last axis turned over where the determinant is negative."""
    if axes.shape[-1] == 3:
        first, second, _ = axes.split_with_sizes((1, 1, 1), -1)
        return torch.cat([first, second, torch.linalg.cross(first, second, dim=-2)], -1)
    sign = torch.linalg.det(axes.detach()).sign().view(-1, 1, 1)
    return torch.cat([axes[..., :-1], axes[..., -1:] * sign], -1)


def _gaps(values: Float[Tensor, "B d"]) -> Float[Tensor, " B"]:
    if values.shape[-1] == 1:
        return torch.ones_like(values[:, 0])
    return values.diff(dim=-1).amin(-1).clamp_min(0) / values[:, -1].clamp_min(torch.finfo(values.dtype).tiny)


def _counts(cloud: Cloud) -> Float[Tensor, " B"] | int:
    """The sum of the points' weights."""
    return cloud.points.shape[1] if cloud.weights is None else cloud.weights.detach().double().sum((1, 2))


def _are_distinct(cloud: Cloud, values: Float[Tensor, "B d"]) -> bool:
    """Whether even the largest value and the largest rounding of all data would make no gap of any of them none: true of most batches."""
    d = values.shape[-1]
    if d == 1 or not values.numel():
        return True
    gap, largest = float((values.narrow(-1, 1, d - 1) - values.narrow(-1, 0, d - 1)).min()), max(float(values.max()), 0.0)
    return gap > max(SAFETY * rounding_of_moment(d * largest, cloud.most), cloud.eps**0.5 * largest)


def _are_equal(cloud: Cloud, values: Float[Tensor, "B d"]) -> Bool[Tensor, " B"]:
    """Of which data neighbouring principal values are equal: to half their digits, or to what rounding likely made of the moment."""
    if values.shape[-1] == 1:
        return torch.zeros_like(values[:, 0], dtype=torch.bool)
    rest = values.shape[-1] - 1
    gaps, largest = (values.narrow(-1, 1, rest) - values.narrow(-1, 0, rest)).amin(-1), values.select(-1, rest)
    return gaps <= torch.maximum(SAFETY * rounding_of_moment(values.sum(-1), cloud.noise), cloud.eps**0.5 * largest)
