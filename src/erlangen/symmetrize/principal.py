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
from erlangen.groups.affine import AffineGroup, Translations
from erlangen.groups.base import Group
from erlangen.groups.orthogonal import SO, O
from erlangen.symmetrize.cloud import Cloud, cloud_of, cloud_refusal
from erlangen.symmetrize.frames import Frame, Weighted

Degenerate = Literal["warn", "raise", "weighted", "ignore"]


class Principal(Frame):
    """The signed principal axes of each cloud: ``2^d`` elements for O(d) and E(d), ``2^(d-1)`` proper ones for SO(d) and SE(d).

    With points as rows ``x``, the axes are the eigenvectors of ``C = (x - t)^T (x - t)``, where ``t`` is the mean for the rigid groups and
    zero for the linear ones. Exact wherever the eigenvalues are distinct; where they are not (a cube, a single point) the axes are not
    defined and neither is the frame, see ``degenerate``.

    Args:
        order: whether axes go from the smallest eigenvalue up (as in the source) or from the largest down.
        degenerate: what to do where neighbouring eigenvalues differ by less than 1e-8 (float64; 1e-4 for float32) of the largest:
            ``"warn"``, ``"raise"``, ``"weighted"`` (take the elements of :class:`~erlangen.symmetrize.Pairs` for those clouds, in the
            plane and in space) or ``"ignore"``. Compiled models do not look: there every setting is ``"ignore"``.
        grad: differentiate the mean and the axes too. By default gradients flow through the canonical coordinates alone, as in the
            source, which is all that training needs; they are then not the gradients of the averaged model by its input, which forces
            as ``-dE/dx`` need.
        of: the part of a dict that spans the frame; by default the first one that moves as points or vectors.
        weights: the part of a dict (with action ``None``) that holds weights of the points or a boolean mask, ``[B, n]``.

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
    ) -> None:
        super().__init__()
        for name, value, known in (
            ("order", order, ("ascending", "descending")),
            ("degenerate", degenerate, ("warn", "raise", "weighted", "ignore")),
        ):
            if value not in known:
                raise ArgumentError(name, f"one of {', '.join(known)}", repr(value))
        self.order, self.degenerate, self.grad, self.of, self.weights = order, degenerate, grad, of, weights

    def forward(self, inp: Action, x: Any) -> Weighted:
        cloud = cloud_of(inp, x, self.of, self.weights)
        cloud = cloud if self.grad else cloud.frozen()
        group = inp.group
        if not isinstance(group, AffineGroup):
            axes, bad = self._axes(cloud)
            return self._robust(Weighted(signed(axes, group)), bad, inp, x)
        centre = cloud.centre()
        if isinstance(group, Translations):
            return Weighted(group.element(translation=centre.unsqueeze(1)))
        axes, bad = self._axes(cloud.minus(centre))
        rotations = signed(axes, group.linear_group)
        found = Weighted(group.element(rotations, centre.unsqueeze(1).expand(*rotations.shape[:2], -1)))
        return self._robust(found, bad, inp, x)

    def gaps(self, inp: Action, x: Any) -> Float[Tensor, " B"]:
        """The smallest difference of neighbouring principal values of each datum, relative to the largest value.

        Zero means that the axes are not defined; gradients with ``grad=True`` grow as its inverse.

        >>> from erlangen.groups import O
        >>> Principal().gaps(O(2).vector, torch.tensor([[[2.0, 0.0], [0.0, 1.0]]]))
        tensor([0.7500])
        """
        cloud = cloud_of(inp, x, self.of, self.weights).frozen()
        if isinstance(inp.group, AffineGroup):
            cloud = cloud.minus(cloud.centre())
        return _gaps(torch.linalg.eigvalsh(_second_moment(cloud))).to(cloud.points.dtype)

    def _axes(self, cloud: Cloud) -> tuple[Float[Tensor, "B d d"], Tensor | None]:
        """The axes as columns, and which clouds do not define them (``None`` when nobody asks)."""
        second = _second_moment(cloud)
        values, axes = torch.linalg.eigh(second)
        dtype, bad = cloud.points.dtype, None
        if self.degenerate != "ignore" and not torch.compiler.is_compiling():
            bad = _gaps(values.detach()) <= (1e-8 if dtype == torch.float64 else 1e-4)
            self._complain(bad)
            if self.grad and self.degenerate == "weighted":
                # These axes will not be used; keep their infinite gradients out.
                apart = torch.arange(second.shape[-1], dtype=second.dtype, device=second.device).diag()
                axes = torch.linalg.eigh(torch.where(bad[:, None, None], apart, second)).eigenvectors
        return (axes.flip(-1) if self.order == "descending" else axes).to(dtype), bad

    def _complain(self, bad: Tensor) -> None:
        if self.degenerate == "weighted" or not bool(bad.any()):
            return
        message = (
            f"{int(bad.sum())} of {len(bad)} clouds have principal axes that are not defined (equal eigenvalues): their average is not "
            "symmetric; degenerate='weighted' gives them a robust frame"
        )
        if self.degenerate == "raise":
            raise ArgumentError("x", "clouds with distinct principal values", message)
        warnings.warn(message, stacklevel=2)

    def _robust(self, found: Weighted, bad: Tensor | None, inp: Action, x: Any) -> Weighted:
        """Give the clouds without axes the elements of :class:`Pairs` instead; every cloud then has slots for both."""
        if self.degenerate != "weighted" or bad is None or not bool(bad.any()):
            return found
        from erlangen.symmetrize.pairs import Pairs

        more = Pairs(of=self.of, weights=self.weights)(inp, x)
        assert more.weights is not None
        k = inp.group.batch_shape(found.elements)[1]
        own = torch.where(bad, 0.0, 1 / k).to(more.weights.dtype).unsqueeze(1).expand(-1, k)
        weights = torch.cat([own, more.weights * bad.unsqueeze(1)], 1)
        return Weighted(torch.cat([found.elements.to(more.elements.dtype), more.elements], 1), weights)

    def refuse(self, inp: Action) -> str:
        group = inp.group
        if isinstance(group, AffineGroup):
            if isinstance(group, Translations):
                return cloud_refusal(inp)
            group = group.linear_group
        if not (isinstance(group, (SO, O)) and group.is_euclidean and group.dim == group.n * (group.n - 1) // 2):
            return f"{inp.group} is none of O(d), SO(d), E(d), SE(d), T(d)"
        if self.degenerate == "weighted" and group.n not in (2, 3):
            return f"degenerate='weighted' serves the plane and space, not {group.n} dimensions"
        return cloud_refusal(inp)


def sign_choices(d: int, group: Group) -> Float[Tensor, "k free"]:
    """The signs that are free: of all ``d`` axes, or of all but the last, which the determinant decides in SO(d)."""
    free = d - 1 if isinstance(group, SO) else d
    return torch.tensor(list(itertools.product([1.0, -1.0], repeat=free)), dtype=torch.float64)


def signed(axes: Float[Tensor, "B d d"], group: Group) -> Float[Tensor, "B k d d"]:
    """All choices of the axes' signs that lie in the group, in the order of :func:`sign_choices`."""
    signs = sign_choices(axes.shape[-1], group).to(axes).expand(len(axes), -1, -1)
    if isinstance(group, SO):
        last = torch.linalg.det(axes.detach()).sign().view(-1, 1, 1) * signs.prod(-1, keepdim=True)
        signs = torch.cat([signs, last], -1)
    return axes.unsqueeze(1) * signs.unsqueeze(-2)


def _second_moment(cloud: Cloud) -> Float[Tensor, "B d d"]:
    return (cloud.points.mT @ cloud.weighted()).double()


def _gaps(values: Float[Tensor, "B d"]) -> Float[Tensor, " B"]:
    if values.shape[-1] == 1:
        return torch.ones_like(values[:, 0])
    return values.diff(dim=-1).amin(-1).clamp_min(0) / values[:, -1].clamp_min(torch.finfo(values.dtype).tiny)
