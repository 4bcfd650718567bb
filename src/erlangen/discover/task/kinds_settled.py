"""The exact algebra near what was found of tokens of several kinds: own translations, one point that stays, standard axes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.discover.task.closure import CLOSED_ENOUGH, bracket_defect
from erlangen.discover.task.equations import Spectrum
from erlangen.discover.task.ideal import NEARLY, idealised
from erlangen.discover.task.kinds import JointCoordinates
from erlangen.groups.algebra import LieAlgebra
from erlangen.groups.named_algebras import nearest_named
from erlangen.groups.parts_algebra import allowed_entries, split_by_parts

#: A named algebra must overlap so much with what it takes the place of.
AGREES = 0.9


def idealised_kinds(span: Float[Tensor, "k n c"], sizes: Sequence[int]) -> Float[Tensor, "k n c"] | None:
    """Translations of each kind by itself, linear parts of simple eigenvalues, a point of each kind that stays; ``None`` where no such
    algebra is near.

    Args:
        span: orthonormal generators ``(A | b)``, nearly closed, in coordinates in which the tokens of each kind have covariance one.
        sizes: the dimensions of the kinds' spaces.

    >>> moves = torch.zeros(1, 2, 3, dtype=torch.float64)
    >>> moves[0, :, 2] = torch.tensor([0.999, 0.04])
    >>> idealised_kinds(moves, (1, 1))[0, :, 2].tolist()
    [1.0, 0.0]
    """
    k, n, c = span.shape
    left, sizes_, _ = torch.linalg.svd(span[..., :n].flatten(1), full_matrices=True)
    values = torch.cat([sizes_, sizes_.new_zeros(max(k - len(sizes_), 0))])[:k]
    rank = int((values > NEARLY).sum())
    mixed = (left.mT @ span.flatten(1)).unflatten(1, (n, c))
    shifts = _own_shifts(mixed[rank:, :, n], sizes)
    moves = span.new_zeros(len(shifts), n, c)
    moves[..., n] = shifts
    if not rank:
        return moves
    turning = mixed[:rank]
    linear = idealised(torch.linalg.qr(turning[..., :n].flatten(1).mT).Q.mT.unflatten(1, (n, n)))
    if linear is None:
        return None
    linear = linear * allowed_entries(sizes)[:, :n]
    coefficients = linear.flatten(1) @ torch.linalg.pinv(turning[..., :n].flatten(1))
    wanted = torch.einsum("ij,jn->in", coefficients, turning[..., n])
    # What translations do is taken out; of the rest, one point stays where it is.
    wanted = wanted - (wanted @ shifts.mT) @ shifts
    point = torch.linalg.pinv(linear.flatten(0, 1), rtol=1e-6) @ -wanted.flatten()
    about = -(linear @ point)
    about = about - (about @ shifts.mT) @ shifts
    return torch.cat([torch.cat([linear, about[..., None]], 2), moves])


def _own_shifts(shifts: Float[Tensor, "t n"], sizes: Sequence[int]) -> Float[Tensor, "t n"]:
    """Orthonormal translations, of each kind by itself where they nearly are."""
    if not len(shifts):
        return shifts
    basis = torch.linalg.qr(shifts.mT).Q.mT
    rows, ends = [], [0, *torch.tensor(sizes).cumsum(0).tolist()]
    for start, end in pairwise(ends):
        inside = torch.zeros_like(basis)
        inside[:, start:end] = basis[:, start:end]
        _, values, right = torch.linalg.svd(inside, full_matrices=False)
        many = int((values > 0.5).sum())
        if bool(((values > NEARLY) & (values < (1 - NEARLY**2) ** 0.5)).any()):
            return basis
        rows.append(torch.eye(basis.shape[1], dtype=basis.dtype)[start:end] if many == end - start else right[:many])
    own = torch.cat(rows)
    return own if len(own) == len(basis) else basis


def standard_candidates(generators: Float[Tensor, "k n c"], sizes: Sequence[int]) -> list[Float[Tensor, "k n c"]]:
    """Simpler algebras near an exact one in the given coordinates, the simplest last: about the origin, and on standard axes, alike where
    kinds move together.

    Args:
        generators: ``(A | b)``, closed; ``A`` block diagonal.
        sizes: of the blocks.
    """
    n = generators.shape[1]
    A = generators[..., :n].flatten(1)
    left, values, right = torch.linalg.svd(A, full_matrices=True)
    rank = int((values > 1e-7 * values[0]).sum()) if len(values) and float(values[0]) > 0 else 0
    shifts = (left.mT @ generators[..., n])[rank:]
    moves = torch.zeros(len(shifts), n, n + 1, dtype=generators.dtype)
    moves[..., n] = _own_shifts(shifts, sizes) if len(shifts) else shifts
    linear = right[:rank].unflatten(1, (n, n))

    def whole(turns: Tensor) -> Tensor:
        return torch.cat([torch.cat([turns, turns.new_zeros(len(turns), n, 1)], 2), moves])

    found = [whole(linear)]
    if not rank:
        return found
    padded = torch.cat([linear, linear.new_zeros(rank, n, 1)], 2)
    split = [(parts, rows[..., :n]) for parts, rows in split_by_parts(padded, sizes)]
    for standard in (_each, _alike):
        pieces = [(standard(rows, parts, sizes), rows) for parts, rows in split]
        found.append(whole(torch.cat([rows if named is None else named for named, rows in pieces])))
    return found


def _alike(linear: Float[Tensor, "l n n"], parts: Sequence[int], sizes: Sequence[int]) -> Float[Tensor, "l n n"] | None:
    """A named algebra that moves all kinds of a piece by the same matrices."""
    blocks = [_inside(linear, part, sizes) for part in parts]
    if len({block.shape for block in blocks}) > 1:
        return None
    named = _named(blocks[0])
    if named is None:
        return None
    found = linear.new_zeros(linear.shape)
    for part in parts:
        start = sum(sizes[:part])
        found[:, start : start + sizes[part], start : start + sizes[part]] = named
    return found


def _each(linear: Float[Tensor, "l n n"], parts: Sequence[int], sizes: Sequence[int]) -> Float[Tensor, "l n n"] | None:
    """A named algebra of a piece that moves one kind."""
    return _alike(linear, parts, sizes) if len(parts) == 1 else None


def _inside(linear: Tensor, part: int, sizes: Sequence[int]) -> Tensor:
    start = sum(sizes[:part])
    return linear[:, start : start + sizes[part], start : start + sizes[part]]


def _named(block: Float[Tensor, "l m m"]) -> Float[Tensor, "l m m"] | None:
    if int(torch.linalg.matrix_rank(block.flatten(1), rtol=1e-7)) < len(block):
        return None
    named = nearest_named(LieAlgebra(block))
    return named.algebra.basis if named.algebra.dim == len(block) and named.overlap > AGREES else None


def settled_kinds(
    closed: Float[Tensor, "k r c"], coordinates: JointCoordinates, sizes: Sequence[int], spectrum: Spectrum, allowed: float
) -> Float[Tensor, "k n m"]:
    """The simplest exact algebra near a closed span that the data do not object to, in the given coordinates.

    Args:
        closed: in the coordinates in which tokens of each kind have covariance one.
        coordinates: those.
        sizes: dimensions of the kinds' spaces as given.
        spectrum: what the data say.
        allowed: a violation that is afforded.
    """

    def stands(candidate: Tensor) -> bool:
        inside = coordinates.into(candidate)
        if len(candidate) != len(closed) or spectrum.of(inside.flatten(1)) > allowed:
            return False
        defects = bracket_defect(torch.linalg.qr(inside.flatten(1).mT).Q.mT.unflatten(1, inside.shape[1:]))
        return not defects.numel() or float(defects.abs().max()) <= CLOSED_ENOUGH

    simple = idealised_kinds(closed, [part.dim for part in coordinates.parts])
    outside = coordinates.out(closed)
    if simple is not None and stands(coordinates.out(simple)):
        outside = coordinates.out(simple)
    return next((candidate for candidate in reversed(standard_candidates(outside, sizes)) if stands(candidate)), outside)
