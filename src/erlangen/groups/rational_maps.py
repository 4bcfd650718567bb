"""Exact affine maps of coordinates: integers and rationals, read from and written as ``"-y, x-y, z+1/3"``.

A map of ``R^n`` is an integer tensor ``[*batch, n, k + 1]``: the linear part ``[n, k]`` and, in the last column, the translation in units
of ``1 / denominator``. So products, inverses and comparisons modulo 1 are exact, and batches are tensors like any other.
"""

from __future__ import annotations

import re
from fractions import Fraction

import torch
from jaxtyping import Int
from torch import Tensor

from erlangen.errors import ArgumentError

#: Names of the coordinates.
AXES = "xyz"
#: The translations of all space groups in their standard settings are multiples of 1/24.
STANDARD_DENOMINATOR = 24


def parse_map(text: str, n: int, denominator: int = STANDARD_DENOMINATOR, argument: str = "text") -> Int[Tensor, "n m"]:
    """A map from its coordinates: the linear part and, in the last column, the translation in units of ``1 / denominator``.

    Raises:
        ArgumentError: it is no list of ``n`` sums of ``x, y, z`` and fractions, coefficients are not whole, or a translation is no multiple
            of ``1 / denominator``.

    >>> parse_map("-y, x-y, z+1/3", 3).tolist()
    [[0, -1, 0, 0], [1, -1, 0, 0], [0, 0, 1, 8]]
    """
    parts = text.replace(" ", "").split(",")
    if len(parts) != n:
        raise ArgumentError(argument, f"{n} coordinates such as '{', '.join(AXES[:n])}'", repr(text))
    rows = []
    for part in parts:
        terms = re.findall(r"([+-]?)(\d+(?:/\d+)?)?\*?([xyz])?", part)
        if not part or "".join(sign + number + axis for sign, number, axis in terms) != part.replace("*", ""):
            raise ArgumentError(argument, "sums of x, y, z and fractions", repr(text))
        row = [Fraction(0)] * (n + 1)
        for sign, number, axis in terms:
            if not number and not axis:
                continue
            if axis and AXES.index(axis) >= n:
                raise ArgumentError(argument, f"coordinates of {n} dimensions", repr(text))
            value = Fraction(number or 1) * (-1 if sign == "-" else 1)
            row[AXES.index(axis) if axis else n] += value
        row[n] *= denominator
        if any(value.denominator != 1 for value in row):
            raise ArgumentError(argument, f"whole coefficients, and translations that are multiples of 1/{denominator}", repr(text))
        rows.append([int(value) for value in row])
    return torch.tensor(rows)


def format_map(value: Int[Tensor, "n m"], denominator: int = STANDARD_DENOMINATOR) -> str:
    """The coordinates of a map.

    >>> format_map(torch.tensor([[0, -1, 0, 0], [1, -1, 0, 0], [0, 0, 1, 8]]))
    '-y,x-y,z+1/3'
    """
    parts = []
    for *row, shift in value.tolist():
        text = "".join(f"{'-' if c < 0 else '+'}{'' if abs(c) == 1 else abs(c)}{axis}" for c, axis in zip(row, AXES) if c)
        if shift or not text:
            text += f"{'-' if shift < 0 else '+'}{abs(Fraction(shift, denominator))}"
        parts.append(text.removeprefix("+"))
    return ",".join(parts)


def compose(g: Int[Tensor, "*batch n m"], h: Int[Tensor, "*batch n k"]) -> Int[Tensor, "*batch n k"]:
    """First ``h``, then ``g``; both translations in the same units."""
    linear = g[..., :-1]
    moved = (linear.unsqueeze(-1) * h.unsqueeze(-3)).sum(-2)  # integer matrices have no fast product
    return torch.cat([moved[..., :-1], moved[..., -1:] + g[..., -1:]], -1)


def inverse_map(g: Int[Tensor, "*batch n m"]) -> Int[Tensor, "*batch n m"]:
    """The inverse of maps whose linear part is unimodular."""
    back = torch.linalg.inv(g[..., :-1].to(torch.float64)).round().to(torch.int64)
    return torch.cat([back, -(back * g[..., -1].unsqueeze(-2)).sum(-1, keepdim=True)], -1)


def modulo(g: Int[Tensor, "*batch n m"], denominator: int) -> Int[Tensor, "*batch n m"]:
    """Translations taken into [0, 1)."""
    return torch.cat([g[..., :-1], g[..., -1:] % denominator], -1)


def left_kernel(linear: Int[Tensor, "n k"]) -> Int[Tensor, "r n"]:
    """Integer rows ``N`` with ``N A = 0`` that map the lattice of all integer vectors onto all of ``Z^r``.

    A point ``p`` lies on the image of ``u -> A u + w`` up to whole translations just when ``N (p - w)`` is integer.

    >>> left_kernel(torch.tensor([[1], [2], [0]])).tolist()
    [[-2, 1, 0], [0, 0, 1]]
    """
    n = len(linear)
    rows = torch.cat([linear, torch.eye(n, dtype=torch.int64)], 1).tolist()
    done = 0
    for column in range(linear.shape[1]):
        while len(live := [i for i in range(done, n) if rows[i][column]]) > 1:
            pivot = min(live, key=lambda i: abs(rows[i][column]))
            for i in live:
                if i != pivot:
                    factor = rows[i][column] // rows[pivot][column]
                    rows[i] = [a - factor * b for a, b in zip(rows[i], rows[pivot])]
        if live:
            rows[done], rows[live[0]] = rows[live[0]], rows[done]
            done += 1
    return torch.tensor([row[linear.shape[1] :] for row in rows[done:]], dtype=torch.int64).view(-1, n)
