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
from erlangen.symmetrize.noise import smooth
from erlangen.symmetrize.robust import rotations

#: How many times its noise a length must be, to be none of it.
CERTAIN = 4
#: Vectors nearer than this in what decides between them, relative to the largest, both give a basis.
TIE = 5e-3
#: How much the length along the first axis counts beside what is left.
FIRST = 1 / 8
#: From a bound to so many times it shares go over from what comes next to what is above.
TWICE = 8.0
TINY = torch.finfo(torch.float64).tiny


class Basis(NamedTuple):
    """Pseudo-orthonormal bases of a batch of sets of vectors: one for each datum, or, near ties, a few with shares.

    Attributes:
        element: the isometries that take the form's standard basis to the vectors' own.
        rank: how many axes the vectors defined, before the first that they did not.
        lightlike: where axes had to be completed although vectors were left, which have length zero all of them.
        completed: which columns of the basis were completed.
        datum: whose each basis is, ascending.
        share: its part of the datum; those of a datum sum to one.
        nearly: where axes were completed although vectors show a little of them.
        doubt: how far rounding, which depends on the pose, may have a say: by how much it turned an axis, at worst, or by how much the
            share would be another if it were taken for none.
    """

    element: Float[Tensor, "R d d"]
    rank: Int[Tensor, " R"]
    lightlike: Bool[Tensor, " R"]
    completed: Bool[Tensor, "R d"]
    datum: Int[Tensor, " R"]
    share: Float[Tensor, " R"]
    nearly: Bool[Tensor, " R"]
    doubt: Float[Tensor, " R"]


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

    What is left counts the less, the smaller it is beside the vector's length along the first axis, for so much worse it is known; and
    of vectors with as much left (the residuals of the last two vectors of a cloud always have, for their sum is gone) the one that is
    longer along the first axis goes first. None of this depends on the order of the vectors. Where two come nearer than :data:`TIE` both
    give a basis, with shares that go over from one to the other.

    Args:
        group: one with a ``form``.
        own: the vectors.
        eps: the relative precision of the numbers as they came.
        others: more vectors, for axes that the former do not define.
    """
    total = Candidates(own.vectors.sum(1, keepdim=True), own.noise.sum(1, keepdim=True))
    every = Candidates(torch.cat([total.vectors, own.vectors], 1), torch.cat([total.noise, own.noise], 1))
    return _basis(group, every, others, eps ** (1 / 3), ordered=False, single=False)


def in_order(group: Any, own: Candidates, eps: float, single: bool = False) -> Basis:
    """The first vector that has a length, then what is left of the next one that still has some, ...; where none has, that of the sum of
    all (of massless momenta it is the one that is known best), and of sums of two.

    A vector whose axis would keep less than two thirds of the digits is passed over: what an axis loses is how much shorter its square is
    than the largest. Shares go over from one to the next where it comes to that.

    Args:
        group: one with a ``form``.
        own: the vectors.
        eps: the relative precision of the numbers as they came.
        single: one basis for each datum, that with the largest share.
    """
    n = own.vectors.shape[1]
    if 0 in group.signature:
        return _basis(group, own, None, eps ** (1 / 3), ordered=True, single=single)
    i, j = torch.triu_indices(n, n, 1, device=own.vectors.device)
    total = Candidates(own.vectors.sum(1, keepdim=True), own.noise.sum(1, keepdim=True))
    pairs = Candidates(own.vectors[:, i] + own.vectors[:, j], own.noise[:, i] + own.noise[:, j])
    every = Candidates(*(torch.cat(parts, 1) for parts in zip(own, total, pairs)))
    return _basis(group, every, None, eps ** (1 / 3), ordered=True, single=single)


class _Rows(NamedTuple):
    """What is known of each basis while axes are added: tensors ``[R, ...]``."""

    datum: Tensor
    share: Tensor
    vectors: Tensor
    residuals: Tensor
    blur: Tensor
    boost: Tensor
    along_first: Tensor
    spread: Tensor
    widest: Tensor
    rank: Tensor
    lightlike: Tensor
    nearly: Tensor
    doubt: Tensor
    closed: Tensor
    axes: Tensor
    signs: Tensor
    completed: Tensor


def _basis(group: Any, own: Candidates, others: Candidates | None, least: float, ordered: bool, single: bool) -> Basis:
    """``least``: what part of the largest square a vector must have that is taken although others have more, the cube root of precision."""
    vectors, blur = own if others is None else (torch.cat(both, 1) for both in zip(own, others))
    form = group.form.to(vectors)
    reference = group.standard_basis().to(vectors)  # columns b_i with b_i^T J b_j = diag(signs)
    p, q = group.signature
    signs = torch.tensor([1.0] * p + [-1.0] * q, dtype=vectors.dtype, device=vectors.device)
    size, given, dim = vectors.shape
    mine = None if others is None else torch.arange(given, device=vectors.device) < own.vectors.shape[1]
    stretch = form.abs().max().sqrt()

    def inner(a: Tensor, b: Tensor) -> Tensor:
        return ((a @ form) * b).sum(-1)

    axes_of_space = _with_sums(reference.mT) if p and q else reference.mT
    none, some = torch.zeros_like(vectors[..., 0]), torch.ones_like(vectors[:, 0, 0])
    no = torch.zeros_like(some, dtype=torch.bool)
    rows = _Rows(
        datum=torch.arange(size, device=vectors.device),
        share=some,
        vectors=vectors,
        residuals=torch.cat([vectors, axes_of_space.expand(size, *axes_of_space.shape)], 1),
        # How far a residual may be off, in units in which axes have length one; a boosted axis spreads errors over its own length.
        blur=CERTAIN * stretch * blur,
        boost=some.unsqueeze(1),
        along_first=none,
        spread=none,  # squares of residuals since all axes that are missing have one sign
        widest=-some.unsqueeze(1),  # the largest of the datum's own; none yet
        rank=no.long(),
        lightlike=no,
        nearly=no,
        doubt=torch.zeros_like(some),
        closed=no,
        axes=vectors[:, :0],
        signs=none[:, :0],
        completed=no[:, None][:, :0],
    )
    # A lone sign (time) comes first; the other axes by size.
    lone = 0 if p == 1 else dim - 1 if q == 1 else None
    for step in range(dim):
        norms = inner(rows.residuals, rows.residuals)
        # How many of either sign are missing.
        plus, minus = p - (rows.signs > 0).sum(-1, keepdim=True), q - (rows.signs < 0).sum(-1, keepdim=True)
        definite = (plus == 0) | (minus == 0)
        strength = norms.abs() * torch.where(norms > 0, plus > 0, minus > 0)
        left = strength[:, :given]
        error = rows.blur * rows.boost
        size_of = torch.where(definite, left.detach().sqrt(), (rows.residuals[:, :given].detach() @ form).norm(dim=-1) / stretch)
        error = error * (size_of + error)
        first_definite = definite & (rows.widest < 0)
        rows = rows._replace(
            spread=torch.where(first_definite, left, rows.spread),
            widest=torch.where(first_definite, (left if mine is None else left * mine).amax(1, keepdim=True), rows.widest),
        )
        # What is left after others shows no direction where it keeps less than half of its digits.
        floor = torch.where(definite, torch.maximum(error, least**3 * rows.widest.detach().clamp_min(0)), error)
        sure = (left.detach() > floor) & ~rows.closed.unsqueeze(1)
        if step == 0 and lone is not None and not ordered:
            # Vectors of the other sign alone span that axis, too: it comes later.
            timelike = sure & (norms[:, :given].sign() == signs[lone])
            sure = torch.where(timelike.any(1, keepdim=True), timelike, sure)
        found = sure.any(1)
        remains = (rows.residuals[:, :given].detach().norm(dim=-1) * stretch > CERTAIN * rows.blur * rows.boost.square()).any(1)
        lightlike = rows.lightlike | (~found & ~rows.closed & ~definite[:, 0] & remains)
        rows = rows._replace(lightlike=lightlike, rank=rows.rank + (found & ~lightlike))
        shares, rest, doubt = _shares(rows, left, floor, sure, mine, definite, least, step, ordered)
        rows = rows._replace(doubt=torch.maximum(rows.doubt, rows.share.detach() * doubt))
        if step == dim - 1:
            options = _by_sign(shares, rest, rows.residuals[:, :given], inner, found, group.is_proper)
        else:
            options = _Options.of_each(torch.cat([shares, rest.unsqueeze(1)], 1))
        row, at, way, share = options.taken(single)
        at_will = (strength[:, given:].detach().argmax(1) + given)[row]
        definite, share = definite[row], share * rows.share[row]
        if row.shape[0] != rows.datum.shape[0]:
            rows = _Rows(*(t[row] for t in rows))
        completed = at == given
        at = torch.where(completed, at_will, at)
        rows = rows._replace(
            share=share,
            closed=rows.closed | (completed & definite[:, 0]),
            nearly=rows.nearly | (completed & remains[row]),
            completed=torch.cat([rows.completed, completed.unsqueeze(1)], 1),
        )
        count = rows.datum.shape[0]  # no length: of a free batch it has none
        vector = rows.residuals.gather(1, at.view(-1, 1, 1).expand(count, 1, dim)).squeeze(1)
        # Subtract the earlier axes once more: the first subtraction lost digits to cancellation.
        for axis, sign in zip(rows.axes.unbind(1), rows.signs.unbind(1)):
            vector = vector - (sign * inner(vector, axis)).unsqueeze(-1) * axis
        norm = inner(vector, vector)
        axis, sign = way.unsqueeze(1) * vector / norm.abs().sqrt().unsqueeze(-1), norm.sign().detach()
        along = inner(rows.residuals, axis.unsqueeze(1))
        # An axis is off by the error of its vector over its length, and hands that on to what it is subtracted from.
        turned = torch.where(
            completed, 0.0, rows.blur.gather(1, at.clamp_max(given - 1).unsqueeze(1))[:, 0] / norm.detach().abs().sqrt()
        )
        rows = rows._replace(
            axes=torch.cat([rows.axes, axis.unsqueeze(1)], 1),
            signs=torch.cat([rows.signs, sign.unsqueeze(1)], 1),
            residuals=rows.residuals - (sign.unsqueeze(-1) * along).unsqueeze(-1) * axis.unsqueeze(1),
            along_first=rows.along_first if step else inner(rows.vectors, axis.unsqueeze(1)).abs(),
            blur=rows.blur + along[:, :given].detach().abs() * turned.unsqueeze(1),
            doubt=torch.maximum(rows.doubt, rows.share.detach() * turned * rows.boost[:, 0] / CERTAIN),
            boost=torch.maximum(rows.boost, stretch * axis.detach().norm(dim=-1, keepdim=True)),
        )
    basis, free = rows.axes.mT, rows.completed
    # Positive axes first, in the order found.
    order = rows.signs.argsort(dim=-1, descending=True, stable=True)
    basis, free = basis.gather(-1, order.unsqueeze(1).expand_as(basis)), free.gather(-1, order)
    # One Newton step towards basis^T J basis = diag(signs).
    gram = signs.unsqueeze(-1) * (basis.mT @ form @ basis)
    basis = basis @ (1.5 * torch.eye(dim, dtype=basis.dtype, device=basis.device) - 0.5 * gram)
    inverse_reference = signs.unsqueeze(-1) * (reference.mT @ form)
    basis = _oriented(group, basis, inverse_reference, free)
    element = group.into_component(basis @ inverse_reference)
    return Basis(element, rows.rank, rows.lightlike, free, rows.datum, rows.share, rows.nearly, rows.doubt)


def _shares(
    rows: _Rows,
    left: Tensor,
    floor: Tensor,
    sure: Tensor,
    mine: Tensor | None,
    definite: Tensor,
    least: float,
    step: int,
    ordered: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """The part of each vector ``[R, m]`` in the next axis, by what is ``left`` of it (squares), and what is left open, ``[R]``.

    Functions of inner products alone: the rounding, which depends on the pose, only says what is nothing. How much that is beside the ways
    over which shares change is the last, ``[R]``.
    """
    own = sure if mine is None else sure & mine
    surplus = (left - floor).clamp_min(0)
    # How far a datum's own vectors, and each other one, are off the space of the axes so far, beside their sizes: squares of that over
    # the fourth root of precision, for completed axes are turned so often that its fourth power counts.
    scale = rows.widest if mine is None else torch.where(mine, rows.widest, rows.spread)
    off = torch.where(scale > 0, surplus / torch.where(scale > 0, scale, 1.0), 0.0) / least**1.5
    told = torch.where(definite[:, 0], smooth((off * own).amax(1)), 1.0) * own.any(1)
    seen = left if mine is None else left * mine
    without = smooth(seen.amax(1) / (least**1.5 * rows.widest[:, 0]).clamp_min(TINY))
    doubt = torch.where(definite[:, 0] & ~rows.closed & (rows.widest[:, 0] > 0), without - told, 0.0)
    if ordered:
        ratio = torch.where(own, left, 0.0) / torch.where(own, left, 0.0).amax(1, keepdim=True).clamp_min(TINY)
        bound = torch.where(definite, least**2, least)
        enough = smooth((ratio / bound - 1) / (TWICE - 1)) * own
        passed = torch.cat([torch.ones_like(enough[:, :1]), (1 - enough).cumprod(1)[:, :-1]], 1)
        shares = enough * passed
    else:
        shares = _by_score(left, own, rows.along_first, least, step)
        if not step:
            ratio = left[:, :1] / torch.where(own, left, 0.0).amax(1, keepdim=True).clamp_min(TINY)
            enough = smooth((ratio / least - 1) / (TWICE - 1)) * own[:, :1]  # the sum comes first
            alone = torch.arange(left.shape[1], device=left.device) == 0
            others = _by_score(left, own & ~alone, rows.along_first, least, step)
            nothing = others.sum(1, keepdim=True) == 0
            shares = torch.where(nothing, shares, enough * alone + (1 - enough) * others)
    shares, rest = shares * told.unsqueeze(1), 1 - told
    if mine is not None:
        beside = sure & ~mine
        more = _by_score(off, beside, rows.along_first, least, 0)
        told = torch.where(definite[:, 0], smooth((off * beside).amax(1)), 1.0) * beside.any(1)
        shares, rest = shares + more * (rest * told).unsqueeze(1), rest * (1 - told)
    return shares, rest, doubt.detach()


def _by_score(left: Tensor, sure: Tensor, along_first: Tensor, least: float, step: int) -> Tensor:
    """Shares of the vectors with most left, and of those within :data:`TIE` of it; rows sum to one, or to zero where nothing is sure."""
    left = torch.where(sure, left, 0.0)
    if step:
        known = left / (least**2 * along_first.square()).clamp_min(TINY)
        left = left * torch.where(along_first > 0, smooth(known), 1.0)
    score = left / left.amax(1, keepdim=True).clamp_min(TINY)
    if step:
        score = score + FIRST * along_first / along_first.amax(1, keepdim=True).clamp_min(TINY)
    score = torch.where(sure, score, -1.0)
    shares = smooth(1 - (score.amax(1, keepdim=True) - score) / TIE) * sure
    return shares / shares.sum(1, keepdim=True).clamp_min(TINY)


class _Options(NamedTuple):
    """What the next axis of each basis may be, ``[R, options]``.

    Attributes:
        shares: parts of the basis; rows sum to one.
        at: which vector gives the axis; the number after the last: none does, and it is completed.
        ways: its sign.
    """

    shares: Tensor
    at: Tensor
    ways: Tensor

    @classmethod
    def of_each(cls, shares: Tensor) -> _Options:
        """Every vector, as it is, and none."""
        return cls(shares, torch.arange(shares.shape[1], device=shares.device).expand(shares.shape), torch.ones_like(shares))

    def taken(self, single: bool) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Those with a share: which basis they go on from, the vector, the sign and the share. ``single``, or compiled: one for each."""
        if single or not may_look(self.shares):
            row = torch.arange(self.shares.shape[0], device=self.shares.device)
            option = self.shares.argmax(1)
            return row, self.at[row, option], self.ways[row, option], torch.ones_like(self.shares[:, 0])
        row, option = (self.shares > 0).nonzero(as_tuple=True)
        return row, self.at[row, option], self.ways[row, option], self.shares[row, option]


def _by_sign(shares: Tensor, rest: Tensor, residuals: Tensor, inner: Any, found: Tensor, proper: bool) -> _Options:
    """The options for the last axis, which is known but for its sign: each way of the vector that shows it best, or none.

    The determinant decides the sign in groups that keep it.
    """
    at = inner(residuals, residuals).detach().abs().argmax(1)
    best = residuals.gather(1, at.view(-1, 1, 1).expand(-1, 1, residuals.shape[-1]))
    along = inner(residuals, best) * inner(best, best).sign()
    there = torch.ones_like(rest) if proper else (shares * (along > 0)).sum(1) + rest / 2
    options = torch.stack([there, 1 - there, torch.zeros_like(rest)], 1)
    none = options.new_tensor([0.0, 0.0, 1.0])
    at = torch.stack([at, at, torch.full_like(at, residuals.shape[1])], 1)
    return _Options(torch.where(found.unsqueeze(1), options, none), at, options.new_tensor([1.0, -1.0, 1.0]).expand(options.shape))


def _with_sums(rows: Float[Tensor, "d d"]) -> Tensor:
    """Rows, and sums of two: where all residuals of the rows are lightlike, one of the sums' is not."""
    i, j = torch.triu_indices(len(rows), len(rows), 1)
    return torch.cat([rows, rows[i] + rows[j]])


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
        loose: an element that leaves the vectors as they are, where completed axes are turned; else the identity.
        doubt: how far rounding may have a say, see :class:`Basis`.
    """

    elements: Float[Tensor, "B k d d"]
    weights: Float[Tensor, "B k"] | None
    arbitrary: Bool[Tensor, " B"]
    loose: Float[Tensor, "B d d"]
    doubt: Float[Tensor, " B"]


def over_completions(group: Any, basis: Basis, rank: int) -> Spread:
    """The isometries with completed axes turned in finitely many ways whose average, of tensors of up to this rank, is that of all ways.

    Where the completed axes have both signs there is no such average (boosts have no uniform measure), and one completion is taken. A
    compiled model always takes one.

    Raises:
        ArgumentError: more than three axes are completed, and ``rank`` is more than 3.
    """
    one, free, size = basis.element.unsqueeze(1), basis.completed, _count(basis)
    p, _ = group.signature
    # Where a lightlike vector is all that is left, an axis is completed at will, and the next, read off the vector, depends on it.
    mixed = basis.lightlike | (free[:, :p].any(1) & free[:, p:].any(1))
    loose = torch.eye(one.shape[-1], dtype=one.dtype, device=one.device).expand(size, *one.shape[2:])
    if not may_look(free) or not (bool(free.any()) or one.shape[0] > size):
        return Spread(one, None, mixed, loose, basis.doubt)
    # What is only nearly left open changes a little under turns: more of them average that, too.
    counts = torch.where(mixed, 0, free.sum(1))
    more = basis.nearly & (counts > 1) & (counts < 4)
    reference = group.standard_basis().to(basis.element)
    back = torch.linalg.inv(reference)
    columns = basis.element @ reference
    # Completed columns last, turned, and back to their places.
    order = free.long().argsort(dim=1, stable=True)
    sorted_columns = columns.gather(-1, order.unsqueeze(1).expand_as(columns))
    dim = columns.shape[-1]
    found: list[tuple[Tensor, Tensor, Tensor]] = []
    for kind in (2 * counts + more).unique().tolist():
        k, extra = divmod(kind, 2)
        turns, shares = _turns(k, group.is_proper, max(rank, 1) + 3 * extra)
        rows = ((counts == k) & (more == bool(extra))).nonzero()[:, 0]
        full = torch.eye(dim, dtype=one.dtype, device=one.device).repeat(len(turns), 1, 1)
        full[:, dim - k :, dim - k :] = turns.to(full)
        turned = sorted_columns[rows].unsqueeze(1) @ full
        places = order[rows].argsort(1).view(-1, 1, 1, dim).expand(turned.shape)
        turned = turned.gather(-1, places) @ back
        weights = basis.share[rows].unsqueeze(1) * shares.to(basis.share)
        found.append((basis.datum[rows].repeat_interleave(len(turns)), turned.flatten(0, 1), weights.flatten()))
        if len(turns) > 1:
            loose = loose.index_copy(0, basis.datum[rows], turned[:, 1] @ group.inverse(turned[:, 0]))
    elements, weights = _gathered(size, *(torch.cat(parts) for parts in zip(*found)))
    arbitrary = torch.zeros_like(loose[:, 0, 0], dtype=torch.bool).index_put((basis.datum[mixed],), mixed[mixed])
    return Spread(elements, weights, arbitrary, loose, loose.new_zeros(size).scatter_reduce(0, basis.datum, basis.doubt, "amax"))


def _count(basis: Basis) -> int:
    """How many data the bases are of."""
    if not may_look(basis.share) or not basis.datum.shape[0]:
        return basis.datum.shape[0]
    return int(basis.datum[-1]) + 1


def _gathered(size: int, datum: Tensor, elements: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Elements and weights of each datum in as many columns as the one with most needs, filled up with weight zero."""
    order = datum.argsort(stable=True)
    datum, elements, weights = datum[order], elements[order], weights[order]
    counts = torch.bincount(datum, minlength=size)
    starts = counts.cumsum(0) - counts
    place = torch.arange(len(datum), device=datum.device) - starts[datum]
    most = int(counts.max())
    every = elements[starts].unsqueeze(1).expand(-1, most, -1, -1).index_put((datum, place), elements)
    return every, weights.new_zeros(size, most).index_put((datum, place), weights)


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
