"""Bases that vectors span, as isometries of a form: Gram-Schmidt with a sign for every axis, decided by what rounding leaves certain.

Where vectors move along with the group, their sums, residuals and inner products do too, so a basis made of them alone is a frame. Two
things make it delicate. A residual may have length zero without being zero (a massless momentum); then another vector, or the sum of two,
gives the axis. And vectors may span less than the space; then axes are completed at will, and elements of the group that leave the
vectors as they are turn one completion into another: an average has to run over these.
"""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.groups.membership import may_look
from erlangen.symmetrize.robust import rotations

#: How many times its noise a length must be, to be none of it.
CERTAIN = 4


class Basis(NamedTuple):
    """Pseudo-orthonormal bases of a batch of sets of vectors.

    Attributes:
        element: the isometries that take the form's standard basis to the vectors' own.
        rank: how many axes the vectors defined, before the first that they did not.
        lightlike: where axes had to be completed although vectors were left, which have length zero all of them.
        completed: which columns of the basis were completed.
    """

    element: Float[Tensor, "B d d"]
    rank: Int[Tensor, " B"]
    lightlike: Bool[Tensor, " B"]
    completed: Bool[Tensor, "B d"]


class Candidates(NamedTuple):
    """Vectors that axes are taken from, in float64, and how far rounding may have moved each."""

    vectors: Float[Tensor, "B m d"]
    noise: Float[Tensor, "B m"]

    @classmethod
    def rounded(
        cls, vectors: Float[Tensor, "B m d"], eps: float, group: Any, largest: Float[Tensor, " B"] | None = None
    ) -> Candidates:
        """Vectors of numbers of precision ``eps``, off by ``largest``, or if that is left out by as much as the largest number says.

        A boost makes some momenta much larger than others and rounds each at its own size, which is what counts unless they were seen from
        their centre: then their sum is nothing, and all were rounded alike.
        """
        own = (vectors.shape[-1] + 1) * eps * vectors.detach().double().abs().amax(-1)
        all_alike = own.amax(1) if largest is None else largest.to(own)
        if 0 in group.signature:
            return cls(vectors.double(), all_alike.unsqueeze(1).expand_as(own))
        centred = vectors.detach().double().sum(1).abs().amax(-1) <= CERTAIN * vectors.shape[1] * all_alike
        return cls(vectors.double(), torch.where(centred.unsqueeze(1), all_alike.unsqueeze(1), own))


def by_size(group: Any, own: Candidates, eps: float, others: Candidates | None = None) -> Basis:
    """First the sum of all vectors, where it has a length and is not nearly lightlike; then what is left of the vector that has most left.

    Ties must not be decided by rounding (the residuals of the last two vectors of a cloud always tie, for their sum is gone): among
    vectors within rounding of the most, the one that is longest along the first axis is taken, and where that ties too, the first.

    Args:
        group: one with a ``form``.
        own: the vectors.
        eps: the relative precision of the numbers as they came.
        others: more vectors, for axes that the former do not define.
    """
    total = Candidates(own.vectors.sum(1, keepdim=True), own.noise.sum(1, keepdim=True))
    every = Candidates(torch.cat([total.vectors, own.vectors], 1), torch.cat([total.noise, own.noise], 1))
    return _basis(group, every, others, eps ** (1 / 3), ordered=False)


def in_order(group: Any, own: Candidates, eps: float) -> Basis:
    """The first vector that has a length, then what is left of the next one that still has some, ...; where none has, sums of two.

    A vector that is nearly lightlike counts as such where its axis would keep less than two thirds of the digits: what an axis loses is
    how much shorter its square is than the largest.

    Args:
        group: one with a ``form``.
        own: the vectors.
        eps: the relative precision of the numbers as they came.
    """
    n = own.vectors.shape[1]
    if 0 in group.signature:
        return _basis(group, own, None, eps ** (1 / 3), ordered=True)
    i, j = torch.triu_indices(n, n, 1, device=own.vectors.device)
    sums = Candidates(own.vectors[:, i] + own.vectors[:, j], own.noise[:, i] + own.noise[:, j])
    every = Candidates(torch.cat([own.vectors, sums.vectors], 1), torch.cat([own.noise, sums.noise], 1))
    return _basis(group, every, None, eps ** (1 / 3), ordered=True)


def _basis(group: Any, own: Candidates, others: Candidates | None, least: float, ordered: bool) -> Basis:
    """``least``: what part of the largest square a vector must have that is taken although others have more, the cube root of precision."""
    vectors, blur = own if others is None else (torch.cat(both, 1) for both in zip(own, others))
    form = group.form.to(vectors)
    reference = group.standard_basis().to(vectors)  # columns b_i with b_i^T J b_j = diag(signs)
    p, q = group.signature
    signs = torch.tensor([1.0] * p + [-1.0] * q, dtype=vectors.dtype, device=vectors.device)
    size, given, dim = vectors.shape
    stretch = form.abs().max().sqrt()

    def inner(a: Tensor, b: Tensor) -> Tensor:
        return ((a @ form) * b).sum(-1)

    axes_of_space = _with_sums(reference.mT) if p and q else reference.mT
    residuals = torch.cat([vectors, axes_of_space.expand(size, *axes_of_space.shape)], 1)
    # How far a residual may be off, in units in which axes have length one; a boosted axis spreads errors over its own length.
    blur = CERTAIN * stretch * blur
    boost = torch.ones_like(vectors[:, :1, 0])
    along_first, off_first = torch.zeros_like(vectors[..., 0]), blur
    widest = torch.zeros_like(boost)  # the largest square since all axes that are missing have one sign
    rank = torch.zeros(size, dtype=torch.int64, device=vectors.device)
    lightlike = torch.zeros(size, dtype=torch.bool, device=vectors.device)
    # A lone sign (time) comes first; the other axes by size.
    lone = 0 if p == 1 else dim - 1 if q == 1 else None
    axes: list[tuple[Tensor, Tensor]] = []
    completed: list[Tensor] = []
    for step in range(dim):
        norms = inner(residuals, residuals)
        used = torch.stack([sign for _, sign in axes], -1) if axes else norms.new_zeros(size, 0)
        plus, minus = (
            p - (used > 0).sum(-1, keepdim=True),
            q - (used < 0).sum(-1, keepdim=True),
        )  # how many of either sign are missing
        definite = (plus == 0) | (minus == 0)
        strength = norms.abs() * torch.where(norms > 0, plus > 0, minus > 0)
        error = blur * boost
        size_of = torch.where(definite, strength[:, :given].sqrt(), (residuals[:, :given] @ form).norm(dim=-1) / stretch)
        error = error * (size_of + error)
        sure = strength[:, :given].detach() > error.detach()
        # What is left after others shows no direction where it keeps less than half of its digits.
        sure = sure & ~(definite & (strength[:, :given].detach() < least**3 * widest))
        widest = torch.where(definite, torch.maximum(widest, strength[:, :given].detach().amax(1, keepdim=True)), widest)
        if step == 0 and lone is not None and not ordered:
            # Vectors of the other sign alone span that axis, too: it comes later.
            timelike = sure & (norms[:, :given].sign() == signs[lone])
            sure = torch.where(timelike.any(1, keepdim=True), timelike, sure)
        mine = sure.clone()
        mine[:, own.vectors.shape[1] :] = False  # the others' turn comes when none of its own is left
        sure = torch.where(mine.any(1, keepdim=True), mine, sure)
        if ordered or step == 0:
            # In their order, vectors count that keep half of their digits; of size, the sum of all has no such claim.
            at = _first_strong(strength[:, :given], sure, torch.where(definite, least**3, least) if ordered else least)
        if not ordered:
            strongest = _strongest(strength[:, :given], error, sure, along_first, off_first * boost)
            at = strongest if step else torch.where(at == 0, at, strongest)
        from_data = sure.any(1)
        left = (residuals[:, :given].norm(dim=-1) * stretch > CERTAIN * blur * boost.square()).any(1)
        lightlike = lightlike | (~from_data & ~definite[:, 0] & left)
        rank = rank + (from_data & ~lightlike)
        completed.append(~from_data)
        at = torch.where(from_data, at, strength[:, given:].argmax(1) + given)
        vector = residuals.gather(1, at.view(size, 1, 1).expand(size, 1, dim)).squeeze(1)
        # Subtract the earlier axes once more: the first subtraction lost digits to cancellation.
        for axis, sign in axes:
            vector = vector - (sign * inner(vector, axis)).unsqueeze(-1) * axis
        norm = inner(vector, vector)
        axis, sign = vector / norm.abs().sqrt().unsqueeze(-1), norm.sign().detach()
        axes.append((axis, sign))
        if step == 0:
            along_first = inner(vectors, axis.unsqueeze(1)).abs()
        along = inner(residuals, axis.unsqueeze(1))
        residuals = residuals - (sign.unsqueeze(-1) * along).unsqueeze(-1) * axis.unsqueeze(1)
        # An axis is off by the error of its vector over its length, and hands that on to what it is subtracted from.
        turned = torch.where(
            from_data, blur.gather(1, at.clamp_max(given - 1).unsqueeze(1))[:, 0] / norm.detach().abs().sqrt(), 0.0
        )
        if step == 0:
            off_first = blur + stretch * vectors.detach().norm(dim=-1) * turned.unsqueeze(1)
        blur = blur + along[:, :given].detach().abs() * turned.unsqueeze(1)
        boost = torch.maximum(boost, stretch * axis.detach().norm(dim=-1, keepdim=True))
    basis, free = torch.stack([axis for axis, _ in axes], -1), torch.stack(completed, -1)
    # Positive axes first, in the order found.
    order = torch.stack([sign for _, sign in axes], -1).argsort(dim=-1, descending=True, stable=True)
    basis, free = basis.gather(-1, order.unsqueeze(1).expand_as(basis)), free.gather(-1, order)
    # One Newton step towards basis^T J basis = diag(signs).
    gram = signs.unsqueeze(-1) * (basis.mT @ form @ basis)
    basis = basis @ (1.5 * torch.eye(dim, dtype=basis.dtype, device=basis.device) - 0.5 * gram)
    inverse_reference = signs.unsqueeze(-1) * (reference.mT @ form)
    basis = _oriented(group, basis, inverse_reference, free)
    return Basis(group.into_component(basis @ inverse_reference), rank, lightlike, free)


def _with_sums(rows: Float[Tensor, "d d"]) -> Tensor:
    """Rows, and sums of two: where all residuals of the rows are lightlike, one of the sums' is not."""
    i, j = torch.triu_indices(len(rows), len(rows), 1)
    return torch.cat([rows, rows[i] + rows[j]])


def _strongest(strength: Tensor, error: Tensor, sure: Tensor, along_first: Tensor, off: Tensor) -> Tensor:
    """Where the largest strength of those that are sure stands, ties by length along the first axis, which is ``off`` by rounding."""
    strength = torch.where(sure, strength, 0.0)
    best, at = strength.max(1, keepdim=True)
    # The sum of all came first, so the others' residuals sum to zero: a large one, known badly, may tie with a small one, known well.
    tied = sure & (strength >= best - 2 * torch.maximum(error, error.gather(1, at)).minimum(0.1 * best))
    longest, at = torch.where(tied, along_first, -1.0).max(1, keepdim=True)
    near = tied & (along_first >= longest - 2 * off.gather(1, at))
    return near.long().argmax(1)


def _first_strong(strength: Tensor, sure: Tensor, least: Tensor | float) -> Tensor:
    """The first that is sure and at least this part of the largest."""
    strength = torch.where(sure, strength, 0.0)
    best, at = strength.max(1, keepdim=True)
    enough = sure & (strength >= least * best)
    return torch.where(enough.any(1), enough.long().argmax(1), at[:, 0])


def _oriented(group: Any, basis: Tensor, inverse_reference: Tensor, free: Tensor) -> Tensor:
    """Turn completed axes around, where there are any, to get the orientations that the group keeps: no other axis may do that."""
    if not group.is_proper:
        return basis
    p, q = group.signature
    standard = group.standard_basis().to(basis).inverse() @ basis
    together = [slice(0, p + q)] if not (group.generators is None and p and q) else [slice(0, p), slice(p, p + q)]
    flips = torch.ones_like(basis[..., 0, :])
    for block in together:
        sign = torch.linalg.det(standard[..., block, block]).sign()
        places = torch.arange(p + q, device=basis.device)[block]
        last = torch.where(free[:, block], places, -1).amax(1, keepdim=True)
        flips = torch.where(torch.arange(p + q, device=basis.device) == last, sign.unsqueeze(1), flips)
    return basis * flips.detach().unsqueeze(-2)


class Spread(NamedTuple):
    """Elements for each datum.

    Attributes:
        elements, weights: as of a frame; ``None``: one element.
        arbitrary: where the elements are one choice of many: outputs that move are exact within the vectors' span alone, and where only
            lightlike vectors are left, none are.
    """

    elements: Float[Tensor, "B k d d"]
    weights: Float[Tensor, "B k"] | None
    arbitrary: Bool[Tensor, " B"]


def over_completions(group: Any, basis: Basis, rank: int) -> Spread:
    """The isometries with completed axes turned in finitely many ways whose average, of tensors of up to this rank, is that of all ways.

    Where the completed axes have both signs there is no such average (boosts have no uniform measure), and one completion is taken. A
    compiled model always takes one.

    Raises:
        ArgumentError: more than three axes are completed, and ``rank`` is more than 3.
    """
    one, free = basis.element.unsqueeze(1), basis.completed
    p, _ = group.signature
    # Where a lightlike vector is all that is left, an axis is completed at will, and the next, read off the vector, depends on it.
    mixed = basis.lightlike | (free[:, :p].any(1) & free[:, p:].any(1))
    if not may_look(free) or not bool(free.any()):
        return Spread(one, None, mixed)
    counts = torch.where(mixed, 0, free.sum(1))
    ways = {int(k): _turns(int(k), group.is_proper, max(rank, 1)) for k in counts.unique()}
    most = max(len(turns) for turns, _ in ways.values())
    reference = group.standard_basis().to(basis.element)
    back = torch.linalg.inv(reference)
    columns = basis.element @ reference
    # Completed columns last, turned, and back to their places.
    order = free.long().argsort(dim=1, stable=True)
    sorted_columns = columns.gather(-1, order.unsqueeze(1).expand_as(columns))
    every = one.expand(-1, most, -1, -1).clone()
    weights = torch.zeros(len(every), most, dtype=torch.float64, device=every.device)
    dim = columns.shape[-1]
    for k, (turns, shares) in ways.items():
        rows = (counts == k).nonzero()[:, 0]
        full = torch.eye(dim, dtype=every.dtype, device=every.device).repeat(len(turns), 1, 1)
        full[:, dim - k :, dim - k :] = turns.to(full)
        turned = sorted_columns[rows].unsqueeze(1) @ full
        places = order[rows].argsort(1).view(-1, 1, 1, dim).expand(turned.shape)
        every[rows, : len(turns)] = turned.gather(-1, places) @ back
        weights[rows, : len(turns)] = shares.to(weights)
    return Spread(every, weights, mixed)


def _turns(k: int, proper: bool, rank: int) -> tuple[Float[Tensor, "t k k"], Float[Tensor, " t"]]:
    """Orthogonal matrices with weights that average tensors of up to this rank as all of O(k), or SO(k), do."""
    eye = torch.eye(k, dtype=torch.float64)
    if k < 2:
        turns, shares = eye[None], torch.ones(1, dtype=torch.float64)
    elif k == 2:
        angle = torch.arange(rank + 1, dtype=torch.float64) * (2 * torch.pi / (rank + 1))
        c, s = angle.cos(), angle.sin()
        turns = torch.stack([torch.stack([c, -s], -1), torch.stack([s, c], -1)], -2)
        shares = torch.full((rank + 1,), 1 / (rank + 1), dtype=torch.float64)
    elif k == 3:
        turns, shares = rotations(rank)
    else:
        if rank > 3:
            raise ArgumentError("rank", f"at most 3 for data that leave {k} axes open", repr(rank))
        # Signs leave nothing of odd tensors and of products of different coordinates; shifts make what is left alike.
        flips = torch.tensor(list(itertools.product([1.0, -1.0], repeat=k)), dtype=torch.float64)
        found = [torch.diag(flip) @ eye.roll(shift, 0) for shift in range(k) for flip in flips]
        turns = torch.stack(found)
        turns = turns[torch.linalg.det(turns) > 0] if proper else turns
        return turns, torch.full((len(turns),), 1 / len(turns), dtype=torch.float64)
    if k and not proper:
        mirrored = turns.clone()
        mirrored[..., -1] = -mirrored[..., -1]
        turns, shares = torch.cat([turns, mirrored]), torch.cat([shares, shares]) / 2
    return turns, shares
