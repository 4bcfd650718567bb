"""Exact linear algebra over the rationals, the integers and prime fields; every result is checked before it leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import gcd, lcm
from numbers import Rational
from typing import Any

import numpy as np
from torch import Tensor

from erlangen.errors import ArgumentError

IntMatrix = list[list[int]]

#: The largest prime whose products fit in int64.
DEFAULT_PRIME = 2**31 - 1


@dataclass(frozen=True)
class SmithForm:
    """``u @ a @ v = d`` over the integers.

    Args:
        u, v: unimodular [m, m] and [n, n]; ``u_inverse`` and ``v_inverse`` undo them.
        d: diagonal [m, n]; each entry is non-negative and divides the next.
    """

    u: IntMatrix
    d: IntMatrix
    v: IntMatrix
    u_inverse: IntMatrix
    v_inverse: IntMatrix

    @property
    def invariants(self) -> list[int]:
        """The diagonal, zeros included: Z^m / a Z^n is the sum of Z / d_i (and of Z for each row beyond)."""
        return [self.d[i][i] for i in range(min(len(self.u), len(self.v)))]


def rank_mod_p(a: Any, p: int = DEFAULT_PRIME) -> int:
    """Rank of an integer or rational matrix over the field with ``p`` elements.

    Never above the rational rank, and equal to it unless ``p`` divides certain minors.

    Args:
        a: integer tensor or array [m, n], or rows of ints or Fractions.
        p: a prime below 2^31.

    >>> rank_mod_p([[2, 0], [0, 1]]), rank_mod_p([[2, 0], [0, 1]], p=2)
    (2, 1)
    """
    from sympy import isprime

    if not (1 < p < 2**31 and isprime(p)):
        raise ArgumentError("p", "a prime below 2^31", repr(p))
    m = _residues(a, p)
    if m.size == 0:
        return 0
    rank = 0
    for column in range(m.shape[1]):
        pivots = np.flatnonzero(m[rank:, column])
        if not pivots.size:
            continue
        pivot = rank + int(pivots[0])
        m[[rank, pivot]] = m[[pivot, rank]]
        m[rank] = m[rank] * pow(int(m[rank, column]), -1, p) % p
        below = m[rank + 1 :]
        touched = np.flatnonzero(below[:, column])
        below[touched] = (below[touched] - below[touched, column, None] * m[rank] % p) % p
        rank += 1
        if rank == m.shape[0]:
            break
    return rank


def _residues(a: Any, p: int) -> np.ndarray:
    """The entries modulo p, int64; integers without a detour over fractions."""
    if isinstance(a, Tensor) and a.ndim == 2 and not (a.is_floating_point() or a.is_complex()):
        return np.mod(a.detach().cpu().long().numpy(), p)
    rows, _ = _rational_rows(a)
    for row in rows:
        for x in row:
            if x.denominator % p == 0:
                raise ArgumentError("p", "a prime that divides no denominator", f"{p} with entry {x}")
    return np.array([[x.numerator * pow(x.denominator, -1, p) % p for x in row] for row in rows], dtype=np.int64)


def null_space_exact(a: Any) -> IntMatrix:
    """A basis of the rational null space as primitive integer vectors (no common factor, first entry positive).

    Args:
        a: integer tensor or array [m, n], or rows of ints or Fractions.

    Returns: rows [k, n] of Python ints with ``a @ row = 0`` exactly.

    >>> null_space_exact([[1, 2, 3]])
    [[2, -1, 0], [3, 0, -1]]
    """
    from sympy import QQ
    from sympy.polys.matrices import DomainMatrix

    rows, columns = _rational_rows(a)
    if not rows:
        return _identity(columns)
    matrix = DomainMatrix([[QQ(x.numerator, x.denominator) for x in row] for row in rows], (len(rows), columns), QQ)
    basis = []
    for vector in matrix.to_sparse().nullspace().to_list():
        fractions = [Fraction(int(x.numerator), int(x.denominator)) for x in vector]
        scale = lcm(*(x.denominator for x in fractions))
        integers = [int(x * scale) for x in fractions]
        factor = gcd(*integers) * (1 if next(x for x in integers if x) > 0 else -1)
        primitive = [x // factor for x in integers]
        if any(sum(c * x for c, x in zip(row, primitive)) != 0 for row in rows):
            raise ArithmeticError("the elimination returned a vector that the matrix does not annihilate")
        basis.append(primitive)
    return basis


def smith_normal_form(a: Any) -> SmithForm:
    """Smith normal form of an integer matrix [m, n] with the unimodular transforms, in exact integers.

    Row and column operations with the smallest remaining entry as pivot; the result is verified
    (``u a v = d``, both inverses, the chain of divisors) before it is returned.

    >>> smith_normal_form([[2, 4], [6, 8]]).invariants
    [2, 4]
    """
    given, columns = _integer_rows(a)
    size = len(given)
    d = [row[:] for row in given]
    u, ui, v, vi = _identity(size), _identity(size), _identity(columns), _identity(columns)

    def row_add(i: int, j: int, q: int) -> None:  # row i += q * row j
        for m in (d, u):
            m[i] = [x + q * y for x, y in zip(m[i], m[j])]
        for row in ui:
            row[j] -= q * row[i]

    def column_add(i: int, j: int, q: int) -> None:  # column i += q * column j
        for m in (d, v):
            for row in m:
                row[i] += q * row[j]
        vi[j] = [x - q * y for x, y in zip(vi[j], vi[i])]

    def row_swap(i: int, j: int) -> None:
        for m in (d, u):
            m[i], m[j] = m[j], m[i]
        for row in ui:
            row[i], row[j] = row[j], row[i]

    def column_swap(i: int, j: int) -> None:
        for m in (d, v):
            for row in m:
                row[i], row[j] = row[j], row[i]
        vi[i], vi[j] = vi[j], vi[i]

    for t in range(min(size, columns)):
        while True:
            entries = [(abs(d[i][j]), i, j) for i in range(t, size) for j in range(t, columns) if d[i][j]]
            if not entries:
                break
            _, i, j = min(entries)
            row_swap(t, i)
            column_swap(t, j)
            pivot = d[t][t]
            for i in range(t + 1, size):
                if d[i][t]:
                    row_add(i, t, -(d[i][t] // pivot))
            for j in range(t + 1, columns):
                if d[t][j]:
                    column_add(j, t, -(d[t][j] // pivot))
            if any(d[i][t] for i in range(t + 1, size)) or any(d[t][t + 1 :]):
                continue
            # Each pivot must divide what follows; bring up a row that it does not divide and reduce again.
            bad = next((i for i in range(t + 1, size) if any(x % pivot for x in d[i][t + 1 :])), None)
            if bad is None:
                break
            row_add(t, bad, 1)
        if d[t][t] < 0:
            d[t], u[t] = [-x for x in d[t]], [-x for x in u[t]]
            for row in ui:
                row[t] = -row[t]
    form = SmithForm(u, d, v, ui, vi)
    _check_smith(given, form)
    return form


def _check_smith(a: IntMatrix, form: SmithForm) -> None:
    diagonal = form.invariants
    sound = (
        _product(_product(form.u, a), form.v) == form.d
        and _product(form.u, form.u_inverse) == _identity(len(form.u))
        and _product(form.v, form.v_inverse) == _identity(len(form.v))
        and all(x == 0 or i == j for i, row in enumerate(form.d) for j, x in enumerate(row))
        and all((y % x == 0) if x else y == 0 for x, y in pairwise(diagonal))
    )
    if not sound:
        raise ArithmeticError("the reduction to Smith normal form did not verify")


def _identity(n: int) -> IntMatrix:
    return [[int(i == j) for j in range(n)] for i in range(n)]


def _product(a: IntMatrix, b: IntMatrix) -> IntMatrix:
    columns = list(zip(*b))
    return [[sum(x * y for x, y in zip(row, column)) for column in columns] for row in a]


def _rational_rows(a: Any) -> tuple[list[list[Fraction]], int]:
    """Rows of Fractions and the number of columns, whatever exact form the matrix came in."""
    if isinstance(a, Tensor | np.ndarray):
        kind = a.dtype.is_floating_point or a.dtype.is_complex if isinstance(a, Tensor) else a.dtype.kind in "fc"
        if a.ndim != 2 or kind:
            raise ArgumentError("a", "an integer matrix [m, n]", f"{a.dtype} of shape {tuple(a.shape)}")
        columns = a.shape[1]
        a = a.tolist()
    elif isinstance(a, Sequence):
        columns = len(a[0]) if len(a) else 0
    else:
        raise ArgumentError("a", "an integer tensor or array, or rows of ints or Fractions", type(a).__name__)
    rows = [[_fraction(x) for x in row] for row in a]
    if any(len(row) != columns for row in rows):
        raise ArgumentError("a", "rows of one length", f"lengths {sorted({len(row) for row in rows})}")
    return rows, columns


def _fraction(x: Any) -> Fraction:
    if isinstance(x, Rational):  # int, bool, Fraction, NumPy integers
        return Fraction(int(x.numerator), int(x.denominator))
    if getattr(x, "is_Rational", False):  # SymPy
        return Fraction(int(x.p), int(x.q))
    raise ArgumentError("a", "exact entries (int, Fraction, SymPy Rational)", f"{x!r} of type {type(x).__name__}")


def _integer_rows(a: Any) -> tuple[IntMatrix, int]:
    rows, columns = _rational_rows(a)
    for row in rows:
        for x in row:
            if x.denominator != 1:
                raise ArgumentError("a", "an integer matrix", f"entry {x}")
    return [[x.numerator for x in row] for row in rows], columns
