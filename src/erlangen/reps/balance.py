"""Balancing: coordinates in which a representation turns rather than stretches, so that no unit of measurement decides a rank.

A group that turns (x, p) in units of 1 and 1e-4 has entries of 1e4 and 1e-4, and an equation that it violates by 200 % is then smaller than
the rounding of another. In coordinates in which its matrices are orthogonal every equation is of size one. For a compact group they are
those of the invariant form, the mean of ``g^T g``; for any other one, those in which all matrices together are shortest, or, where none
are, units that make rows and columns equally long.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import optree
import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.groups.base import Group
from erlangen.groups.products import DirectProduct
from erlangen.linalg import matrix_exp
from erlangen.reps.base import Rep
from erlangen.reps.characters import largest_matrix

#: Matrices this near to orthogonal (algebra elements: to skew) are left alone: their coordinates are as good as the best.
NEARLY = 0.1
#: Numbers in all matrices of a finite group for which its form is the exact mean.
_EXACT = 2**24
#: Of other compact groups the mean is that of random elements, so many at a time, until the form stays.
_DRAWS, _ROUNDS = 12, 60
#: Real parts of eigenvalues above this part of the largest are no rounding.
_GROWS = 0.1
#: A form worse conditioned than this is none: the group is not compact.
_WORST = 1e14
#: An algebra element that acts by so little against its own size, in parts of the one that acts by most, does nothing.
_NOTHING = 1e-14
#: A violation this small against the size of its operator is rounding.
ROUNDING = 1e-12
#: The shortest matrices are looked for in so many steps, until they commute with their transposes to this part of their squares.
_STEPS, _SETTLED = 400, 0.01


def balancing(rep: Rep, algebra: Float[Tensor, "a d d"], discrete: Float[Tensor, "h d d"]) -> Float[Tensor, "d d"] | None:
    """``T`` for which ``T m T^-1`` is as nearly orthogonal (of algebra elements: skew) as it can be; ``None`` where ``m`` is already.

    Args:
        rep: a representation.
        algebra, discrete: its matrices for a basis of the Lie algebra and for the discrete generators, in float64.

    >>> from erlangen.groups import MatrixGroup
    >>> turn = torch.tensor([[0.0, -1e-4], [1e4, 0.0]], dtype=torch.float64)
    >>> V = MatrixGroup(generators=[turn]).vector
    >>> change = balancing(V, torch.zeros(0, 2, 2, dtype=torch.float64), turn[None])
    >>> in_coordinates(change, turn).abs().round(decimals=9)
    tensor([[0., 1.],
            [1., 0.]], dtype=torch.float64)
    """
    if rep.is_orthogonal or defect(algebra, discrete) <= NEARLY:
        return None
    sizes = units(torch.cat([algebra, discrete, torch.linalg.inv(discrete)]))
    change = torch.diag(sizes)
    if defect(in_coordinates(change, algebra), in_coordinates(change, discrete)) <= NEARLY:
        return change
    group = rep.group
    if group.is_finite:
        if int(group.order) * largest_matrix(rep) > _EXACT:
            return change
        every = rep.matrix(group.elements()).to(torch.float64)
        for _ in range(2):  # the second time the numbers are of size one, and so are their errors
            step = _root(in_coordinates(change, every))
            if step is None:
                return change
            change = step @ change
        return change
    a, h = (in_coordinates(change, m).detach().contiguous().numpy().tobytes() for m in (algebra, discrete))
    return _settled(a, h, len(change)) @ change


@lru_cache(maxsize=256)
@torch.inference_mode(False)  # what is kept must serve training too
def _settled(algebra: bytes, discrete: bytes, d: int) -> Tensor:
    """The coordinates of an infinite group with these matrices; found once, for many spaces of maps have the same axes."""
    a, h = (torch.tensor(np.frombuffer(m)).view(len(m) // (8 * d * d), d, d) for m in (algebra, discrete))
    found = _averaged(a, h, torch.Generator().manual_seed(0))
    return _shortest(a, h) if found is None else found


def _shortest(algebra: Tensor, discrete: Tensor) -> Tensor:
    """Coordinates in which the matrices' squares add up to the least, the given ones where they have no least sum.

    A group that is closed under transposition in some basis has it there, however skew the basis that it is given in; others (translations,
    shears) grow ever shorter on the way to none.

    Source: G. Kempf and L. Ness, "The length of vectors in representation spaces", Springer LNM 732 (1979).
    """
    sizes = torch.linalg.matrix_norm(algebra, keepdim=True).clamp_min(torch.finfo(torch.float64).tiny)
    moved = torch.cat([algebra / sizes, discrete, torch.linalg.inv(discrete)])
    eye = torch.eye(moved.shape[-1], dtype=torch.float64)
    whole, pace = eye, 0.25
    for _ in range(_STEPS):
        length = float(moved.square().sum())
        slope = (moved @ moved.mT - moved.mT @ moved).sum(0)
        if float(slope.norm()) <= _SETTLED * length:
            return whole
        step = matrix_exp(slope * (-pace / length))
        tried = in_coordinates(step, moved)
        if not float(tried.square().sum()) < length:
            pace /= 2
            continue
        whole, moved, pace = step @ whole, tried, 1.5 * pace
        if not float(torch.linalg.cond(whole)) < _WORST**0.5:
            break
    return eye


def _averaged(algebra: Tensor, discrete: Tensor, generator: torch.Generator) -> Tensor | None:
    """A form that a compact group keeps, by averages over random elements; ``None`` where there is none."""
    whole = torch.eye((algebra if len(algebra) else discrete).shape[-1], dtype=torch.float64)
    for _ in range(_ROUNDS):
        a, h = in_coordinates(whole, algebra), in_coordinates(whole, discrete)
        if defect(a, h) <= 1e-9:
            break
        elements = _random_elements(a, h, generator)
        step = None if elements is None else _root(torch.cat([torch.eye(len(whole), dtype=torch.float64)[None], elements]))
        if step is None:
            return None
        whole = step @ whole
        if not float(torch.linalg.cond(whole)) < _WORST:
            return None
    return whole if defect(in_coordinates(whole, algebra), in_coordinates(whole, discrete)) <= NEARLY else None


def _random_elements(algebra: Tensor, discrete: Tensor, generator: torch.Generator) -> Tensor | None:
    d = (algebra if len(algebra) else discrete).shape[-1]
    found = torch.eye(d, dtype=torch.float64).expand(_DRAWS, d, d)
    if len(algebra):
        weights = torch.randn(_DRAWS, len(algebra), dtype=torch.float64, generator=generator)
        a = torch.einsum("na,aij->nij", weights, algebra)
        # Several turns: the eigenvalues say how fast an element turns, the norm also how skew the coordinates are. Elements of a compact
        # group do nothing but turn: those that clearly grow have no form, however many are averaged.
        values = torch.linalg.eigvals(a)
        speed = values.abs().amax(-1)
        grows = values.real.abs().amax(-1) > _GROWS * speed
        if bool(grows.any()) or not bool((speed > 1e-9 * torch.linalg.matrix_norm(a)).all()):
            return None
        turns = 8 * torch.rand(_DRAWS, dtype=torch.float64, generator=generator) / speed
        found = matrix_exp(a * turns[:, None, None])
    if len(discrete):
        for _ in range(4):
            found = found @ discrete[torch.randint(len(discrete), (_DRAWS,), generator=generator)]
    return found if bool(torch.isfinite(found).all()) else None


def _root(elements: Tensor) -> Tensor | None:
    """``T`` with ``T^T T`` the mean of ``g^T g``, from the elements themselves: their squares would have half the digits."""
    root = torch.linalg.qr(elements.flatten(0, 1) / len(elements) ** 0.5, mode="r").R
    values = torch.linalg.svdvals(root)
    return root if bool(torch.isfinite(root).all()) and float(values[0]) < _WORST * float(values[-1]) else None


def units(matrices: Float[Tensor, "n d d"]) -> Float[Tensor, " d"]:
    """Powers of two by which coordinates are multiplied so that rows and columns of all the matrices together are about equally long.

    Source: E. E. Osborne, J. ACM 7 (1960), for several matrices at once.
    """
    squares = matrices.square().sum(0)
    squares.fill_diagonal_(0)
    d = len(squares)
    found = torch.ones(d, dtype=torch.float64)
    for _ in range(32 * d):
        rows, columns = squares.sum(1), squares.sum(0)
        free = (rows > 0) & (columns > 0)
        wanted = torch.where(free, (columns / rows.clamp_min(torch.finfo(torch.float64).tiny)) ** 0.25, 1.0)
        # One coordinate at a time, the worst first: all at once may overshoot and never settle.
        step = torch.where(free, torch.exp2(torch.log2(wanted.clamp(1e-100, 1e100)).round()), 1.0)
        worst = int(torch.log2(step).abs().argmax())
        if float(step[worst]) == 1.0:
            break
        factor = float(step[worst])
        found[worst] *= factor
        squares[worst] *= factor**2
        squares[:, worst] /= factor**2
    return found


def of_one_size(group: Group, algebras: Sequence[Float[Tensor, "a ?d ?d"]]) -> list[Float[Tensor, "a ?d ?d"]]:
    """The matrices of a Lie algebra's basis on several axes, each element brought to size one on the axis where it is largest.

    In units of their own, one equation would hide another. What an element does to these axes is rounding where it is next to nothing
    against its own size, whatever that is; it is then zero.

    >>> from erlangen.groups import MatrixGroup, SO
    >>> group = MatrixGroup(algebra=1e-9 * SO(3).algebra.basis)
    >>> torch.allclose(of_one_size(group, [group.algebra.basis])[0].norm(dim=(1, 2)), torch.ones(3, dtype=torch.float64))
    True
    """
    if not len(algebras[0]):
        return list(algebras)
    sizes = torch.stack([torch.linalg.matrix_norm(a) for a in algebras]).amax(0)
    seen = sizes / _sizes_of_tangents(group)
    factors = torch.where(seen > _NOTHING * seen.max(), 1 / sizes, 0.0)
    return [a * factors[:, None, None] for a in algebras]


def _sizes_of_tangents(group: Group) -> Tensor:
    if isinstance(group, DirectProduct):  # one factor's basis after another's
        return torch.cat([_sizes_of_tangents(factor) for factor in group.factors if factor.dim])
    tangents = group.tangents(torch.float64)
    assert tangents is not None
    leaves = [leaf.flatten(1) for leaf in optree.tree_leaves(tangents) if leaf.is_floating_point()]
    return torch.cat(leaves, 1).norm(dim=1).clamp_min(torch.finfo(torch.float64).tiny)


def rounding_in(changes: Sequence[Tensor | None]) -> float:
    """What rounding of the given matrices amounts to in these coordinates, relative to their size: skew coordinates hide digits."""
    conditions = [1.0 if t is None or _is_diagonal(t) else float(torch.linalg.cond(t)) for t in changes]
    return max(ROUNDING, min(1e-3, 8 * torch.finfo(torch.float64).eps * sum(c**2 for c in conditions)))


def _is_diagonal(t: Tensor) -> bool:
    return torch.equal(t, torch.diag(t.diagonal()))


def in_coordinates(change: Tensor | None, matrices: Float[Tensor, "*batch d d"]) -> Float[Tensor, "*batch d d"]:
    """``T m T^-1``."""
    return matrices if change is None or not len(matrices) else change @ matrices @ torch.linalg.inv(change)


def defect(algebra: Tensor, discrete: Tensor) -> float:
    """How far matrices are from skew, relative to their size, and from orthogonal."""
    return max(_skew_defect(algebra), _orthogonal_defect(discrete))


def _skew_defect(algebra: Tensor) -> float:
    if not len(algebra):
        return 0.0
    size = torch.linalg.matrix_norm(algebra).clamp_min(torch.finfo(torch.float64).tiny)
    return float((torch.linalg.matrix_norm(algebra + algebra.mT) / size).max())


def _orthogonal_defect(discrete: Tensor) -> float:
    if not len(discrete):
        return 0.0
    eye = torch.eye(discrete.shape[-1], dtype=discrete.dtype)
    return float((discrete.mT @ discrete - eye).flatten(1).abs().max())
