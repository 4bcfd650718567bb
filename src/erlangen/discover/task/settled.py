"""The exact algebra of a span with errors: closed, of a simple kind, on standard axes and about the origin, where data allow that."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.discover.task.closure import CLOSED_ENOUGH, homogeneous, nearest_closed
from erlangen.discover.task.contraction import EXACT, contractions
from erlangen.discover.task.coordinates import Coordinates
from erlangen.discover.task.ideal import idealised
from erlangen.groups.affine_algebra import AffineAlgebra, affine_algebra
from erlangen.groups.algebra import LieAlgebra
from erlangen.groups.named_algebras import nearest_named
from erlangen.groups.nilpotent import nilpotent_ideal

#: What is found may turn by this angle, in degrees, to become an exact algebra.
FARTHEST = 12.0
#: Overlap with standard matrices from which on they are tried.
ALIKE = 0.9


def exact_algebra(span: Float[Tensor, "k n c"], stands: Callable[[Tensor], bool]) -> tuple[Float[Tensor, "k n c"] | None, float]:
    """An exact algebra near a span: of those that the data allow, one of a simple kind with many nilpotent moves.

    Args:
        span: orthonormal generators ``(A | b)`` or ``A``, in coordinates in which the data have covariance one.
        stands: whether the data allow an algebra.

    Returns:
        the algebra, ``None`` where none is near; and the angle to the nearest that was looked at, in degrees.
    """
    closed, defect, way = nearest_closed(span)
    nearest = math.degrees(way)
    found = closed if defect <= CLOSED_ENOUGH and nearest <= FARTHEST else None
    if found is None:
        # A span of translations and turns has many neighbours that are closed; the simple one may be nearer.
        plain = idealised(torch.linalg.qr(span.flatten(1).mT).Q.mT.unflatten(1, span.shape[1:]))
        if plain is not None:
            closed, defect, way = nearest_closed(plain)
            nearest = _degrees(span, closed)
            found = closed if defect <= CLOSED_ENOUGH and math.degrees(way) <= FARTHEST else None
    simple = None if found is None else idealised(found)
    settled = simple is not None and stands(simple)
    found = simple if settled else found
    nilpotent = -1 if found is None else len(nilpotent_ideal(homogeneous(found), EXACT).ideal) - (not settled)
    for candidate in contractions(span, nilpotent):
        angle = _degrees(span, candidate)
        nearest = min(nearest, angle) if found is None else nearest
        if angle <= FARTHEST and stands(candidate):
            return candidate, angle
    return found, nearest


def on_axes(closed: Float[Tensor, "k n c"], coordinates: Coordinates, stands: Callable[[Tensor], bool]) -> AffineAlgebra:
    """The algebra in the given coordinates, on standard axes and about the origin, where the data do not object.

    Args:
        closed: in coordinates in which the data have covariance one.
        coordinates: those.
        stands: whether the data allow an algebra, in those.
    """
    outside = coordinates.out(closed)
    units, origin = coordinates.scale, coordinates.shift
    own = affine_algebra(outside, units, origin)
    candidates = [outside]
    n, turns = own.n, own.linear
    moves = outside.new_zeros(len(own.translations), n, n + 1)
    moves[..., n] = own.translations
    if own.centre is not None:
        candidates.append(_with_shifts(turns))
    if len(turns) and len(moves) in (0, n):
        named = nearest_named(LieAlgebra(turns))
        if named.algebra.dim == len(turns) and named.overlap > ALIKE:
            candidates.append(torch.cat([_with_shifts(named.algebra.basis), moves]))
        diagonal = torch.diag_embed(turns.diagonal(dim1=1, dim2=2))
        if own.weights is not None and int(torch.linalg.matrix_rank(diagonal.flatten(1))) == len(turns):
            candidates.append(torch.cat([_with_shifts(diagonal), moves]))
    for candidate in reversed(candidates[1:]):
        if len(candidate) == len(closed) and stands(coordinates.into(candidate)):
            return affine_algebra(candidate, units, origin)
    return own


def _with_shifts(linear: Float[Tensor, "l n n"]) -> Float[Tensor, "l n m"]:
    return torch.cat([linear, torch.zeros_like(linear[..., :1])], 2)


def _degrees(a: Tensor, b: Tensor) -> float:
    first, second = (torch.linalg.qr(span.flatten(1).mT).Q for span in (a, b))
    return math.degrees(float(torch.arccos(torch.linalg.svdvals(first.mT @ second).min().clamp(max=1))))
