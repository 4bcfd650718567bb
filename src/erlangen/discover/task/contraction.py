"""The algebra near a span whose moves are nilpotent where they are nearly so: shears and translations instead of slow turns."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor
from torch.func import jacfwd

from erlangen.discover.task.closure import CLOSED, CLOSED_ENOUGH, STEPS, bracket_defect, homogeneous
from erlangen.discover.task.ideal import NEARLY, reductive
from erlangen.groups.nilpotent import NilpotentIdeal, nilpotent_ideal

#: What may be zero, from the coarsest guess to the finest.
GUESSES = (NEARLY, 0.05, 0.015, 5e-3, 1e-3, 1e-5, 1e-7)
#: What is zero but for rounding.
EXACT = 1e-9
#: Directions with a smaller part of the largest slope are left alone.
FLAT = 1e-4


def contractions(span: Float[Tensor, "k n c"], more_than: int = 0) -> Iterator[Float[Tensor, "k n c"]]:
    """Exact algebras near a span that have more than so many nilpotent moves, the most of them first.

    Algebras with a nilpotent ideal are limits of algebras without: so(1,2) becomes iso(1,1) where two of its three generators commute ever
    more nearly. A span with errors is as near to one as to the other; whether the data allow the simpler one is asked afterwards.

    Args:
        span: orthonormal generators ``(A | b)`` or ``A``, in coordinates in which the data have covariance one.
        more_than: nilpotent moves.

    >>> nearly = torch.zeros(3, 3, 3, dtype=torch.float64)
    >>> nearly[0, 0, 1] = nearly[0, 1, 0] = nearly[1, 0, 2] = nearly[2, 1, 2] = 1.0
    >>> nearly[1, 2, 0], nearly[2, 2, 1] = 0.001, -0.001
    >>> found = next(contractions(nearly))
    >>> float(bracket_defect(found).abs().max()) < 1e-9, len(nilpotent_ideal(found, 1e-9).ideal)
    (True, 2)
    """
    _, n, c = span.shape
    span = torch.linalg.qr(span.flatten(1).mT).Q.mT.view(span.shape)
    matrices = homogeneous(span)
    tried: set[tuple[int, ...]] = set()
    for tolerance in GUESSES:
        near = nilpotent_ideal(matrices, tolerance)
        shape = (len(near.ideal), *near.steps)
        if len(near.ideal) <= max(more_than, 0) or shape in tried:
            continue
        tried.add(shape)
        closed = _closed(near, n, c, near.on_steps)
        if closed is None:
            continue
        settled = nilpotent_ideal(homogeneous(closed), EXACT)
        simple = reductive(settled.on_steps) if len(settled.ideal) == len(near.ideal) else None
        simpler = None if simple is None else _closed(settled, n, c, simple, settled=True)
        if simpler is not None:
            yield simpler
        yield closed


def _closed(near: NilpotentIdeal, n: int, c: int, blocks: Tensor, settled: bool = False) -> Tensor | None:
    """The closed span near the ideal, a strict triangle of blocks, and the rest, with those blocks on the diagonal: settled ones stay."""
    axes, level = near.axes, near.level
    strictly, weakly = level[:, None] < level, level[:, None] <= level
    if c > n:
        # The last axis is the one that stands for the shift: no move has a row there.
        top = level == level[-1]
        last = torch.eye(n + 1, dtype=axes.dtype)[:, -1:]
        others = torch.linalg.svd(axes[:, top].mT @ last, full_matrices=True).U[:, 1:]
        turned = torch.cat([axes[:, ~top], axes[:, top] @ others, last], 1)
        blocks = turned.mT @ axes @ blocks @ axes.mT @ turned
        axes = turned
        weakly = weakly & (torch.arange(n + 1) < n)[:, None]
    ideal, rest = axes.mT @ near.ideal @ axes, axes.mT @ near.rest @ axes
    if settled and len(rest):
        mixed = blocks.flatten(1) @ torch.linalg.pinv((rest * (level[:, None] == level)).flatten(1))
        rest = torch.einsum("ab,bij->aij", mixed, rest)
    start = torch.cat([ideal * strictly, blocks * (level[:, None] == level) + rest * strictly])
    kept = torch.cat([strictly.expand(len(ideal), -1, -1), (strictly if settled else weakly).expand(len(rest), -1, -1)])
    found = _newton(start, kept)
    return None if found is None else (axes @ found @ axes.mT)[:, :n, :c]


def _newton(start: Float[Tensor, "k m m"], free: Tensor) -> Float[Tensor, "k m m"] | None:
    """The closed span near a given one, where each matrix moves by its free entries only; ``None`` where none is reached."""
    k, m, _ = start.shape
    place = free.flatten().nonzero()[:, 0]

    def moved(step: Tensor, rows: Tensor) -> Tensor:
        change = torch.zeros_like(rows).flatten().index_put((place,), step).view(k, -1)
        return torch.linalg.qr((rows + change).mT).Q.mT

    def defects(step: Tensor, rows: Tensor) -> Tensor:
        return bracket_defect(moved(step, rows).view(k, m, m)).flatten()

    zero = start.new_zeros(len(place))
    rows = moved(zero, start.flatten(1))
    for _ in range(STEPS):
        wrong = defects(zero, rows)
        defect = float(wrong.abs().max()) if len(wrong) else 0.0
        if defect <= CLOSED:
            break
        slope = jacfwd(defects)(zero, rows)
        step, size = -torch.linalg.pinv(slope, rtol=FLAT) @ wrong, 1.0
        while size > 1e-3 and float(defects(size * step, rows).abs().max()) >= defect:
            size /= 2
        if size <= 1e-3:
            break
        rows = moved(size * step, rows)
    wrong = defects(zero, rows)
    return rows.view(k, m, m) if not len(wrong) or float(wrong.abs().max()) <= CLOSED_ENOUGH else None
