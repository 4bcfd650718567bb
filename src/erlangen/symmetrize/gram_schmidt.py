"""`GramSchmidt`: the frame of a form's isometries (Lorentz, Euclidean), from the vectors of a cloud in order of size."""

from __future__ import annotations

import warnings
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.errors import ArgumentError
from erlangen.groups.affine import AffineGroup
from erlangen.groups.orthogonal import FormGroup
from erlangen.symmetrize.cloud import cloud_of, cloud_refusal
from erlangen.symmetrize.frames import Frame, Weighted, may_look


class GramSchmidt(Frame):
    """One element per datum: the pseudo-orthonormal basis that the datum's own vectors span.

    The first axis is the sum of all vectors (of collider jets, the total momentum, which is timelike); each next axis is what is left
    of the vector with the largest ``|<r, r>|``. Sums, residuals and pivots only use the form, so the basis moves along with the datum,
    exactly. Everything is computed in float64, each axis orthogonalised twice and the whole corrected once to the group, because
    nearly massless, nearly parallel momenta lose many digits; what error remains is within a factor of three of what rounding the
    moved input alone makes. Where two pivots tie, the result jumps.

    A datum that spans fewer directions than space has (two particles in four dimensions; see :meth:`rank`) is completed from the
    coordinate axes. What is left open are the elements that fix the datum, so invariant outputs are exact; of vector outputs, only the
    components within the span are.

    For Euclidean and special Euclidean groups the origin is the mean.

    Args:
        degenerate: what to do with data that define no axes although they are not zero, because what is left of them is lightlike (a
            single photon, parallel photons): ``"warn"``, ``"raise"`` or ``"ignore"``.
        of: the part of a dict that spans the frame; by default the first one that moves as points or vectors.
        weights: the part of a dict (with action ``None``) that holds weights of the points or a boolean mask, ``[B, n]``.

    Source: the construction for O(1, d) in Villar et al., "Scalars are universal", NeurIPS 2021, arXiv:2106.06610, and minimal frames
    of Lin et al., ICML 2024, arXiv:2406.07598.

    >>> from erlangen.groups import SO
    >>> frame = GramSchmidt()(SO(1, 3, connected=True).vector, torch.rand(8, 5, 4) + torch.tensor([3.0, 0, 0, 0]))
    >>> frame.elements.shape
    torch.Size([8, 1, 4, 4])
    """

    def __init__(
        self,
        degenerate: Literal["warn", "raise", "ignore"] = "warn",
        of: str | None = None,
        weights: str | None = None,
    ) -> None:
        super().__init__()
        if degenerate not in ("warn", "raise", "ignore"):
            raise ArgumentError("degenerate", "one of warn, raise, ignore", repr(degenerate))
        self.degenerate, self.of, self.weights = degenerate, of, weights

    def forward(self, inp: Action, x: Any) -> Weighted:
        group = inp.group
        basis, centre = self._basis(inp, x)
        if self.degenerate != "ignore" and may_look(basis.lightlike):
            self._complain(basis.lightlike)
        element = basis.element if centre is None else group.element(basis.element, centre)  # type: ignore[attr-defined]
        return Weighted(element.unsqueeze(1))

    def rank(self, inp: Action, x: Any) -> Int[Tensor, " B"]:
        """How many axes each datum's own vectors define; below the dimension, only invariant outputs are exact.

        >>> from erlangen.groups import SO
        >>> GramSchmidt().rank(SO(1, 3).vector, torch.tensor([[[5.0, 3.0, 0.0, 0.0], [5.0, 0.0, 4.0, 0.0]]]))
        tensor([2])
        """
        return self._basis(inp, x)[0].rank

    def _basis(self, inp: Action, x: Any) -> tuple[Basis, Tensor | None]:
        found = cloud_of(inp, x, self.of, self.weights)
        precision = torch.finfo(found.points.dtype).eps
        cloud, group = found.frozen(torch.float64), inp.group
        if not isinstance(group, AffineGroup):
            return pseudo_orthonormal(group, cloud.weighted(), precision), None
        centre = cloud.centre()
        return pseudo_orthonormal(group.linear_group, cloud.minus(centre).weighted(), precision), centre

    def _complain(self, lightlike: Tensor) -> None:
        if not bool(lightlike.any()):
            return
        message = f"{int(lightlike.sum())} of {len(lightlike)} data have only lightlike vectors left: they define no frame"
        if self.degenerate == "raise":
            raise ArgumentError("x", "data that span timelike and spacelike directions", message)
        warnings.warn(f"{message}, and their outputs are not symmetric", stacklevel=2)

    def refuse(self, inp: Action) -> str:
        linear = inp.group.linear_group if isinstance(inp.group, AffineGroup) else inp.group
        if not isinstance(linear, FormGroup) or linear.dim != linear.n * (linear.n - 1) // 2:
            return f"{inp.group} is not the isometry group of a form"
        return cloud_refusal(inp)


class Basis(NamedTuple):
    """Pseudo-orthonormal bases of a batch of clouds.

    Attributes:
        element: the isometries that take the form's standard basis to the clouds' own.
        rank: how many axes the cloud's vectors defined, before the first that they did not.
        lightlike: where axes had to be completed although vectors were left.
    """

    element: Float[Tensor, "B d d"]
    rank: Int[Tensor, " B"]
    lightlike: Bool[Tensor, " B"]


def pseudo_orthonormal(group: Any, cloud: Float[Tensor, "B n d"], precision: float = 2.2e-16) -> Basis:
    """The basis that each cloud spans, as an element of an isometry group.

    Args:
        group: a group with a ``form``.
        cloud: float64 vectors.
        precision: the relative rounding error of the data as they came.
    """
    form = group.form.to(cloud)
    reference = group.standard_basis().to(cloud)  # columns b_i with b_i^T J b_j = diag(signs)
    p, q = group.signature
    signs = torch.tensor([1.0] * p + [-1.0] * q, dtype=cloud.dtype, device=cloud.device)
    size, dim = len(cloud), cloud.shape[-1]

    def inner(a: Tensor, b: Tensor) -> Tensor:
        return ((a @ form) * b).sum(-1)

    vectors = torch.cat([cloud.sum(1, keepdim=True), cloud], 1)
    own = vectors.shape[1]  # the candidates that come from the data
    residuals = torch.cat([vectors, reference.mT.expand(size, dim, dim)], 1)
    largest = vectors.square().sum(-1).amax(1)
    noise = 64 * torch.finfo(cloud.dtype).eps * largest
    tie = 1e-6 if precision < 1e-12 else 1e-2
    rank = torch.zeros(size, dtype=torch.int64, device=cloud.device)
    lightlike = torch.zeros(size, dtype=torch.bool, device=cloud.device)
    along_first = torch.zeros_like(vectors[..., 0])
    # A lone sign (time) comes first; the other axes by size.
    lone = 0 if p == 1 else dim - 1 if q == 1 else None
    axes: list[tuple[Tensor, Tensor]] = []
    for step in range(dim):
        norms = inner(residuals, residuals)
        strength = norms.abs() * _wanted(norms, signs, axes, lone if step == 0 else None)
        if step == 0 and lone is not None:
            # Vectors of the other sign alone span that axis, too: it comes later.
            alone = strength[:, :own].amax(1, keepdim=True) > noise.unsqueeze(1)
            strength = torch.where(alone, strength, norms.abs() * _wanted(norms, signs, axes, None))
        best, at = _pivot(strength[:, :own], along_first, tie)
        if step == 0:  # the sum, where it is not negligible
            take_total = strength[:, 0] > noise
            best, at = torch.where(take_total, strength[:, 0], best), at.masked_fill(take_total, 0)
        from_data = best > noise
        left = residuals[:, :own].square().sum(-1).amax(1)
        lightlike = lightlike | (~from_data & (left > 1e-6 * largest))
        rank = rank + (from_data & ~lightlike)
        axis_at = strength[:, own:].argmax(1) + own
        at = torch.where(from_data, at, axis_at)
        vector = residuals.gather(1, at.view(size, 1, 1).expand(size, 1, dim)).squeeze(1)
        # Subtract the earlier axes once more: the first subtraction lost digits to cancellation.
        for axis, sign in axes:
            vector = vector - (sign * inner(vector, axis)).unsqueeze(-1) * axis
        norm = inner(vector, vector)
        axis, sign = vector / norm.abs().sqrt().unsqueeze(-1), norm.sign()
        axes.append((axis, sign))
        if step == 0:
            along_first = inner(vectors, axis.unsqueeze(1)).abs()
        residuals = residuals - (sign.unsqueeze(-1) * inner(residuals, axis.unsqueeze(1))).unsqueeze(-1) * axis.unsqueeze(1)
    basis = torch.stack([axis for axis, _ in axes], -1)
    # Positive axes first, in the order found.
    order = torch.stack([sign for _, sign in axes], -1).argsort(dim=-1, descending=True, stable=True)
    basis = basis.gather(-1, order.unsqueeze(1).expand_as(basis))
    # One Newton step towards basis^T J basis = diag(signs).
    gram = signs.unsqueeze(-1) * (basis.mT @ form @ basis)
    basis = basis @ (1.5 * torch.eye(dim, dtype=cloud.dtype, device=cloud.device) - 0.5 * gram)
    inverse_reference = signs.unsqueeze(-1) * (reference.mT @ form)
    return Basis(group.into_component(basis @ inverse_reference), rank, lightlike)


def _pivot(strength: Tensor, along_first: Tensor, tie: float) -> tuple[Tensor, Tensor]:
    """The largest strength of each row, and where. Ties must not be decided by rounding (the residuals of the last two vectors of a
    cloud always tie, for their sum is gone): among places within ``tie`` of the best, the vector that is longest along the first axis
    is taken, and where that ties too, the first."""
    best = strength.amax(1, keepdim=True)
    longest = torch.where(strength >= best * (1 - tie), along_first, -1.0)
    places = torch.arange(strength.shape[1], device=strength.device)
    near = longest >= longest.amax(1, keepdim=True) * (1 - tie)
    return best[:, 0], torch.where(near, places, strength.shape[1]).amin(1)


def _wanted(norms: Tensor, signs: Tensor, axes: list[tuple[Tensor, Tensor]], lone: int | None) -> Tensor:
    """Which candidates have a sign that is still missing from the signature, as 0 or 1."""
    if lone is not None:
        return (norms.sign() == signs[lone]).to(norms.dtype)
    used = torch.stack([sign for _, sign in axes], -1) if axes else norms.new_zeros(len(norms), 0)
    left_plus = int((signs > 0).sum()) - (used > 0).sum(-1, keepdim=True)
    left_minus = int((signs < 0).sum()) - (used < 0).sum(-1, keepdim=True)
    return torch.where(norms > 0, left_plus > 0, left_minus > 0).to(norms.dtype)
