"""`growing_basis`: sparse invariant polynomials learned term by term from statistical queries about the square of the target."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.measure.hardness.sparse_invariant import SparsePolynomial, products_of, radial_polynomials, square_coefficient

#: A query counts as positive from so many standard errors on; an absolute threshold would depend on the scale of the target.
STANDARD_ERRORS = 5.0


@dataclass(frozen=True)
class Grown:
    """What was found.

    Attributes:
        polynomial: the terms and their coefficients; it has no rows if nothing was found.
        queries: how many averages over the samples were asked for.
        residual: variance of what is left over that of the target.
    """

    polynomial: SparsePolynomial
    queries: int
    residual: float


def growing_basis(x: Float[Tensor, "B n m"], y: Float[Tensor, " B"], degree: int, terms: int) -> Grown:
    """Find a sum of few products of one-block polynomials ``h_l(|x_i|^2)`` from samples, each block uniform in the unit ball.

    The square of the target tells what its correlations do not: if ``l`` is the highest degree of block ``i`` in any term, then
    ``E f^2 h_2l(|x_i|^2) = kappa_l * (sum of the squared coefficients of the terms that have it) > 0``, because ``h_l^2`` is the only
    product that reaches ``h_2l``. Multiplied into the weight, ``h_2l / kappa_l`` restricts ``f^2`` to these terms. So a term grows block by
    block, each time by the one whose average stands out most, until no average does; its coefficient is ``E f H``. Coefficients are fitted
    together, what they explain is subtracted, and the next term is looked for: at most ``n * degree * (degree + 1) / 2`` queries for each,
    where an orthonormal family has ``C(n, degree)`` members (Andoni, Panigrahy, Valiant & Zhang 2014, who take the blocks in order; the
    most conspicuous first needs fewer samples).

    Inputs must be bounded: with Gaussian ones the averages have tails so heavy that millions of samples do not do.

    Args:
        x: inputs, ``[B, n, m]``; numbers in ``[-1, 1]`` are blocks with ``m = 1``.
        y: values of the target.
        degree: largest total degree of a term in the squared lengths, half of that in ``x``.
        terms: at most so many.

    Returns:
        the polynomial, with as many terms as were found.

    Raises:
        ArgumentError: shapes do not fit, inputs leave the unit ball, or ``degree`` or ``terms`` is below 1.

    >>> from erlangen.measure.hardness import SparseInvariant
    >>> family = SparseInvariant(6, 2)
    >>> generator = torch.Generator().manual_seed(0)
    >>> f, x = family.polynomial([1.0, -0.5], generator), family.sample_inputs(20_000, generator)
    >>> found = growing_basis(x, f(x), degree=2, terms=5)
    >>> found.polynomial.terms().keys() == f.terms().keys(), found.residual < 1e-6
    (True, True)
    """
    _check(x, y, degree, terms)
    x, y = x.double(), y.double()
    n, m = x.shape[1:]
    h = radial_polynomials(x, 2 * degree)[..., 2::2].permute(1, 2, 0).contiguous()  # [n, degree, B]: h_2, h_4, ... of each block
    squares = h.square()
    kappa = [square_coefficient(l, m) for l in range(1, degree + 1)]
    rows: list[list[int]] = []
    rest, coefficients, queries = y, y.new_zeros(0), 0
    while len(rows) < terms:
        weight, row, left = rest.square(), [0] * n, degree
        while left:
            free = torch.tensor([not l for l in row])
            scores = _scores(h[:, :left] @ weight, squares[:, :left] @ weight.square(), len(x))
            queries += left * int(free.sum())
            found = (scores > STANDARD_ERRORS) & free[:, None]
            if not found.any():
                break
            # Of each block the highest degree that stands out, for a lower one would not restrict to terms that have it.
            top = torch.where(found, torch.arange(1, left + 1), 0).amax(1)
            i = int(torch.where(top > 0, scores.gather(1, (top - 1).clamp_min(0)[:, None])[:, 0], -math.inf).argmax())
            row[i] = int(top[i])
            weight = weight * h[i, row[i] - 1] / kappa[row[i] - 1]
            left -= row[i]
        basis = products_of(torch.tensor([*rows, row]), x)
        product = rest * basis[:, -1]
        queries += 1
        if row in rows or abs(float(_scores(product.sum(), product.square().sum(), len(x)))) <= STANDARD_ERRORS:
            break
        rows.append(row)
        coefficients = torch.linalg.lstsq(basis, y.unsqueeze(1)).solution[:, 0]
        rest = y - basis @ coefficients
        if float(rest.square().mean()) < 1e-18 * float(y.square().mean()):
            break
    variance = float(y.var())
    polynomial = SparsePolynomial(torch.tensor(rows, dtype=torch.int64).reshape(len(rows), n), coefficients)
    return Grown(polynomial, queries, float(rest.var()) / variance if variance else 0.0)


def _scores(total: Tensor, square: Tensor, count: int) -> Tensor:
    """Means in standard errors, from sums of values and of their squares; a constant that is not zero is beyond all doubt."""
    mean = total / count
    return mean / ((square / count - mean.square()).clamp_min(0) / count).sqrt().clamp_min(1e-300)


def _check(x: Tensor, y: Tensor, degree: int, terms: int) -> None:
    if x.ndim != 3 or len(x) < 2:
        raise ArgumentError("x", "at least two inputs [B, n, m]", f"shape {tuple(x.shape)}")
    if tuple(y.shape) != (len(x),):
        raise ArgumentError("y", f"a number for each of {len(x)} inputs", f"shape {tuple(y.shape)}")
    largest = float(x.square().sum(-1).max())
    if not largest <= 1 + 1e-5:
        raise ArgumentError(
            "x", "blocks in the unit ball", f"a length of {math.sqrt(largest):.3g}", "for heavy tails the averages mislead"
        )
    for name, value in (("degree", degree), ("terms", terms)):
        if not isinstance(value, int) or value < 1:
            raise ArgumentError(name, "an integer of at least 1", repr(value))
