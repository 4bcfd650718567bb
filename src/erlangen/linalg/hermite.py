"""Hermite normal form: the one name of a lattice of integer vectors, and whether a vector lies in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from erlangen.linalg.exact import IntMatrix, _integer_rows


def hermite_normal_form(a: Any) -> IntMatrix:
    """The echelon basis of the lattice that the rows of an integer matrix [m, n] generate, in exact integers.

    Pivots are positive and move to the right from row to row; what stands above a pivot is from 0 up to less than it. Two matrices
    generate one lattice exactly when their forms are equal.

    Returns: rows [rank, n]; rows of zeros are left out.

    >>> hermite_normal_form([[2, 2], [2, -2]]), hermite_normal_form([[4, 0], [2, 2], [6, 2]])
    ([[2, 2], [0, 4]], [[2, 2], [0, 4]])
    """
    rows, columns = _integer_rows(a)
    rows = [row[:] for row in rows]
    done = 0
    for column in range(columns):
        while True:
            left = [i for i in range(done, len(rows)) if rows[i][column]]
            if not left:
                break
            pivot = min(left, key=lambda i: abs(rows[i][column]))
            rows[done], rows[pivot] = rows[pivot], rows[done]
            if rows[done][column] < 0:
                rows[done] = [-x for x in rows[done]]
            for i in range(done + 1, len(rows)):
                _subtract(rows, i, done, column)
            if len(left) == 1:
                for i in range(done):
                    _subtract(rows, i, done, column)
                done += 1
                break
        if done == len(rows):
            break
    return rows[:done]


def in_lattice(form: IntMatrix, vector: Sequence[int]) -> bool:
    """Whether an integer vector lies in the lattice with this Hermite normal form.

    >>> form = hermite_normal_form([[2, 2], [2, -2]])
    >>> in_lattice(form, [4, 0]), in_lattice(form, [2, 0])
    (True, False)
    """
    rest = list(vector)
    for row in form:
        column = next(i for i, x in enumerate(row) if x)
        times, over = divmod(rest[column], row[column])
        if over:
            return False
        rest = [x - times * y for x, y in zip(rest, row)]
    return not any(rest)


def _subtract(rows: IntMatrix, i: int, j: int, column: int) -> None:
    times = rows[i][column] // rows[j][column]
    if times:
        rows[i] = [x - times * y for x, y in zip(rows[i], rows[j])]
