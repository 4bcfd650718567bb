"""Balancing: coordinates in which a representation turns rather than stretches, so that no unit of measurement decides a rank.

A group that turns (x, p) in units of 1 and 1e-4 has entries of 1e4 and 1e-4, and an equation that it violates by 200 % is then smaller than
the rounding of another. In coordinates in which its matrices are orthogonal every equation is of size one. For a compact group they are
those of the invariant form, the mean of ``g^T g``; for any other one, units are chosen that make rows and columns equally long.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.reps.base import Rep
from erlangen.reps.characters import largest_matrix

#: Matrices this near to orthogonal (algebra elements: to skew) are left alone: their coordinates are as good as the best.
NEARLY = 0.1
#: Numbers in all matrices of a finite group for which its form is the exact mean.
_EXACT = 2**24
#: Of other compact groups the mean is that of random elements, so many at a time, until the form stays.
_DRAWS, _ROUNDS = 12, 60
#: A form worse conditioned than this is none: the group is not compact.
_WORST = 1e14


def balancing(
    rep: Rep, algebra: Float[Tensor, "a d d"], discrete: Float[Tensor, "h d d"], generator: torch.Generator
) -> Float[Tensor, "d d"] | None:
    """``T`` for which ``T m T^-1`` is as nearly orthogonal (of algebra elements: skew) as it can be; ``None`` where ``m`` is already.

    Args:
        rep: a representation.
        algebra, discrete: its matrices for a basis of the Lie algebra and for the discrete generators, in float64.
        generator: of the random elements by which a compact infinite group is averaged.

    >>> from erlangen.groups import MatrixGroup
    >>> turn = torch.tensor([[0.0, -1e-4], [1e4, 0.0]], dtype=torch.float64)
    >>> V = MatrixGroup(generators=[turn]).vector
    >>> change = balancing(V, torch.zeros(0, 2, 2, dtype=torch.float64), turn[None], torch.Generator())
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
    return _averaged(in_coordinates(change, algebra), in_coordinates(change, discrete), change, generator)


def _averaged(algebra: Tensor, discrete: Tensor, change: Tensor, generator: torch.Generator) -> Tensor:
    """A form that a compact group keeps, by averages over random elements; ``change`` itself where there is none."""
    whole, start = torch.eye(len(change), dtype=torch.float64), change
    for _ in range(_ROUNDS):
        a, h = in_coordinates(whole, algebra), in_coordinates(whole, discrete)
        if defect(a, h) <= 1e-9:
            break
        elements = _random_elements(a, h, generator)
        step = None if elements is None else _root(torch.cat([torch.eye(len(whole), dtype=torch.float64)[None], elements]))
        if step is None:
            return start
        whole = step @ whole
        if not float(torch.linalg.cond(whole)) < _WORST:
            return start
    return whole @ start if defect(in_coordinates(whole, algebra), in_coordinates(whole, discrete)) <= NEARLY else start


def _random_elements(algebra: Tensor, discrete: Tensor, generator: torch.Generator) -> Tensor | None:
    d = (algebra if len(algebra) else discrete).shape[-1]
    found = torch.eye(d, dtype=torch.float64).expand(_DRAWS, d, d)
    if len(algebra):
        weights = torch.randn(_DRAWS, len(algebra), dtype=torch.float64, generator=generator)
        a = torch.einsum("na,aij->nij", weights, algebra)
        # Several turns: the eigenvalues say how fast an element turns, the norm also how skew the coordinates are.
        speed = torch.linalg.eigvals(a).abs().amax(-1)
        if not bool((speed > 1e-9 * torch.linalg.matrix_norm(a)).all()):
            return None
        turns = 8 * torch.rand(_DRAWS, dtype=torch.float64, generator=generator) / speed
        found = torch.linalg.matrix_exp(a * turns[:, None, None])
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
