"""`GramSchmidt`: the frame of a form's isometries (Lorentz, Euclidean), from the vectors of a cloud in order of size."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.groups.affine import AffineGroup
from erlangen.groups.base import Group
from erlangen.groups.orthogonal import FormGroup
from erlangen.symmetrize.cloud import cloud_of, cloud_refusal
from erlangen.symmetrize.frames import Frame, Weighted


class GramSchmidt(Frame):
    """One element per datum: the pseudo-orthonormal basis that the datum's own vectors span.

    The first axis is the sum of all vectors (of collider jets, the total momentum, which is timelike); each next axis is what is left
    of the vector with the largest ``|<r, r>|``. Sums, residuals and pivots only use the form, so the basis moves along with the datum,
    exactly. Everything is computed in float64 and corrected once to the group, because nearly massless, nearly parallel momenta lose
    many digits.

    A datum that spans fewer directions than space has (two particles in four dimensions) is completed from the coordinate axes. What
    is left open are the elements that fix the datum, so invariant outputs are exact; vector outputs are exact within the span only.
    Data whose sum is lightlike have no such frame.

    For Euclidean and special Euclidean groups the origin is the mean.

    Source: the construction for O(1, d) in Villar et al., "Scalars are universal", NeurIPS 2021, arXiv:2106.06610, and minimal frames
    of Lin et al., ICML 2024, arXiv:2406.07598.

    >>> from erlangen.groups import SO
    >>> frame = GramSchmidt()(SO(1, 3, connected=True).vector, torch.rand(8, 5, 4) + torch.tensor([3.0, 0, 0, 0]))
    >>> frame.elements.shape
    torch.Size([8, 1, 4, 4])
    """

    def forward(self, inp: Action, x: Any) -> Weighted:
        cloud = cloud_of(inp, x).detach().to(torch.float64)
        group = inp.group
        if isinstance(group, AffineGroup):
            centre = cloud.mean(1)
            basis = pseudo_orthonormal(group.linear_group, cloud - centre.unsqueeze(1))
            return Weighted(group.element(basis, centre).unsqueeze(1))
        return Weighted(pseudo_orthonormal(group, cloud).unsqueeze(1))

    def refuse(self, inp: Action) -> str:
        linear = inp.group.linear_group if isinstance(inp.group, AffineGroup) else inp.group
        if not isinstance(linear, FormGroup) or linear.dim != linear.n * (linear.n - 1) // 2:
            return f"{inp.group} is not the isometry group of a form"
        return cloud_refusal(inp)


def pseudo_orthonormal(group: Group, cloud: Float[Tensor, "B n d"]) -> Float[Tensor, "B d d"]:
    """The element of an isometry group that takes the standard basis of its form to the basis that the cloud spans."""
    assert isinstance(group, FormGroup)
    form = group.form.to(cloud)
    reference = group.standard_basis().to(cloud)  # columns b_i with b_i^T J b_j = diag(signs)
    p, q = group.signature
    signs = torch.tensor([1.0] * p + [-1.0] * q, dtype=cloud.dtype, device=cloud.device)
    size, dim = len(cloud), cloud.shape[-1]

    def inner(a: Tensor, b: Tensor) -> Tensor:
        return ((a @ form) * b).sum(-1)

    total = cloud.sum(1, keepdim=True)
    residuals = torch.cat([total, cloud, reference.mT.expand(size, dim, dim)], 1)
    own = cloud.shape[1] + 1  # the candidates that come from the data
    noise = 64 * torch.finfo(cloud.dtype).eps * residuals[:, :own].square().amax((1, 2))
    # A lone sign (time) comes first; the other axes by size.
    lone = 0 if p == 1 else dim - 1 if q == 1 else None
    axes: list[tuple[Tensor, Tensor]] = []
    for step in range(dim):
        norms = inner(residuals, residuals)
        wanted = _wanted(norms, signs, axes, lone if step == 0 else None)
        strength = norms.abs() * wanted
        data_best, data_at = _first_largest(strength[:, :own])
        if step == 0:  # the sum, where it is not negligible
            take_total = strength[:, 0] > noise
            data_best, data_at = torch.where(take_total, strength[:, 0], data_best), data_at.masked_fill(take_total, 0)
        axis_at = _first_largest(strength[:, own:])[1] + own
        at = torch.where(data_best > noise, data_at, axis_at)
        vector = residuals.gather(1, at.view(size, 1, 1).expand(size, 1, dim)).squeeze(1)
        # Subtract the earlier axes once more: the first subtraction lost digits to cancellation.
        for axis, sign in axes:
            vector = vector - (sign * inner(vector, axis)).unsqueeze(-1) * axis
        norm = inner(vector, vector)
        axis, sign = vector / norm.abs().sqrt().unsqueeze(-1), norm.sign()
        axes.append((axis, sign))
        residuals = residuals - (sign.unsqueeze(-1) * inner(residuals, axis.unsqueeze(1))).unsqueeze(-1) * axis.unsqueeze(1)
    basis = torch.stack([axis for axis, _ in axes], -1)
    # Positive axes first, in the order found.
    order = torch.stack([sign for _, sign in axes], -1).argsort(dim=-1, descending=True, stable=True)
    basis = basis.gather(-1, order.unsqueeze(1).expand_as(basis))
    # One Newton step towards basis^T J basis = diag(signs).
    gram = signs.unsqueeze(-1) * (basis.mT @ form @ basis)
    basis = basis @ (1.5 * torch.eye(dim, dtype=cloud.dtype, device=cloud.device) - 0.5 * gram)
    inverse_reference = signs.unsqueeze(-1) * (reference.mT @ form)
    return group.into_component(basis @ inverse_reference)


def _first_largest(strength: Tensor) -> tuple[Tensor, Tensor]:
    """The largest entry of each row, and the first place that comes within a millionth of it: ties (the two residuals of two vectors
    always tie) must not be decided by rounding."""
    best = strength.amax(1)
    places = torch.arange(strength.shape[1], device=strength.device)
    near = strength >= best.unsqueeze(1) * (1 - 1e-6)
    return best, torch.where(near, places, strength.shape[1]).amin(1)


def _wanted(norms: Tensor, signs: Tensor, axes: list[tuple[Tensor, Tensor]], lone: int | None) -> Tensor:
    """Which candidates have a sign that is still missing from the signature, as 0 or 1."""
    if lone is not None:
        return (norms.sign() == signs[lone]).to(norms.dtype)
    used = torch.stack([sign for _, sign in axes], -1) if axes else norms.new_zeros(len(norms), 0)
    left_plus = int((signs > 0).sum()) - (used > 0).sum(-1, keepdim=True)
    left_minus = int((signs < 0).sum()) - (used < 0).sum(-1, keepdim=True)
    return torch.where(norms > 0, left_plus > 0, left_minus > 0).to(norms.dtype)
