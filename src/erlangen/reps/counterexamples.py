"""Inputs that show that a point-wise activation does not commute with a matrix, whatever matrix is allowed on the other side."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.reps.classify import CoordinateFunctions

#: Where one or two coordinates are tried.
LEVELS = (0.0, 0.2, 0.45, 0.8, 1.0, 1.7, 2.6, 4.0)
#: Values that all other coordinates take together where the function does not vanish at 0.
COMMON = (-1.3, 0.6, 2.0)
#: How many rows and pairs of columns are tried.
ROWS, PAIRS = 3, 2
#: A relative error that no other could exceed by much.
ENOUGH = 0.3


class Witness(NamedTuple):
    """A counterexample.

    Attributes:
        g: a group element.
        x: an input ``[dim]`` in which one or two coordinates are chosen and the others are zero (if ``f(0) != 0``, equal).
        error: how far ``f(rho(g) x)`` is from ``R f(x)`` in the offending coordinate, relative to the larger of the two, for the ``R``
            that fits best all inputs of this kind (least squares over a grid): no output representation does away with it.
    """

    g: Any
    x: Tensor
    error: float


def counterexample(f: CoordinateFunctions, matrix: Float[Tensor, "n n"], rows: list[int], element: Any) -> Witness:
    """The worst input on a small grid, over some offending rows of ``rho(g)``."""
    best = Witness(element, torch.zeros(len(matrix), dtype=torch.float64), 0.0)
    for i in rows[:ROWS]:
        order = matrix[i].abs().argsort(descending=True)[: PAIRS + 1].tolist()
        present = [j for j in order if matrix[i, j].abs() > 1e-10 * matrix[i].abs().max()]
        choices = [present] if len(present) == 1 else [[present[0], j] for j in present[1:]]
        for columns in choices:
            if best.error > ENOUGH:
                return best
            x, error = _worst(f, matrix, i, columns)
            if error > best.error:
                best = Witness(element, x, error)
    return best


def at_zero(f: CoordinateFunctions, matrix: Float[Tensor, "n n"], element: Any) -> Witness:
    """The input 0, for ``a t + b``: the output ``b`` of every coordinate is not fixed by the matrix."""
    x = torch.zeros(len(matrix), dtype=torch.float64)
    value = f(x)
    moved = matrix @ value
    return Witness(element, x, float((value - moved).norm() / torch.maximum(value.norm(), moved.norm())))


def _worst(f: CoordinateFunctions, matrix: Tensor, i: int, columns: list[int]) -> tuple[Tensor, float]:
    n = len(matrix)
    rest = [k for k in range(n) if k not in columns]
    levels = torch.tensor([s * v for v in LEVELS for s in ((1.0, -1.0) if v else (1.0,))], dtype=torch.float64)
    # Where f(0) is not 0 the other coordinates add a constant of any size, unless they vary, too.
    shared = bool(rest) and bool((f(torch.zeros(n, dtype=torch.float64))[rest] != 0).any())
    common = torch.tensor(COMMON if shared else (0.0,), dtype=torch.float64)
    axes = torch.cartesian_prod(*[levels] * len(columns), common).view(-1, len(columns) + 1)
    x = axes[:, -1:].repeat(1, n)
    x[:, columns] = axes[:, :-1]
    here, there = f(x), f(x @ matrix.mT)
    # Row i of R f(x) for any R: free numbers times the values at the chosen coordinates, and one times that at the others.
    design = here[:, [*columns, rest[0]]] if shared else here[:, columns]
    finite = torch.isfinite(design).all(1) & torch.isfinite(there).all(1)
    design, there, x = design[finite], there[finite], x[finite]
    fitted = design @ torch.linalg.lstsq(design, there[:, i : i + 1], driver="gelsd").solution
    gap = (there[:, i] - fitted[:, 0]).abs()
    size = torch.maximum(there.norm(dim=1), fitted[:, 0].abs())
    error = torch.where(gap > 1e-13 * there.abs().max(), gap / size, torch.zeros_like(gap))
    worst = int(error.argmax())
    return x[worst], float(error[worst])
