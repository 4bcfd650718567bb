"""Closing a handful of generators to a finite group, breadth first: floating-point matrices up to a tolerance, anything else exactly."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

#: Matrices nearer than this (entry-wise, relative to their size) count as the same element. Generators given in float32 stay far
#: below it, and two elements of a group of 20 000 orthogonal matrices stay above it.
CLOSE = 1e-5

#: A generator this near to the identity is it, where generators are known to float32 and where they are known to float64. One between this
#: and :data:`CLOSE` is a small step of an infinite group, and no rounding.
NARROW, WIDE = 2e-6, 1e-9

#: Steps of the average that makes generators about orthogonal; the frame need only be good to a factor of ten.
AVERAGES = 100


def close_objects(
    identity: Any,
    generators: Sequence[Any],
    multiply: Callable[[Any, Any], Any],
    key: Callable[[Any], Hashable],
    largest: int,
) -> tuple[list[Any], dict[Hashable, int]] | None:
    """All products of exact objects: the elements, identity first, and where each key stands; ``None`` beyond ``largest``.

    >>> elements, where = close_objects(1, [2], lambda a, b: a * b % 7, lambda a: a, 100)
    >>> elements
    [1, 2, 4]
    """
    elements, where = [identity], {key(identity): 0}
    for x in elements:
        for g in generators:
            y = multiply(g, x)
            if (name := key(y)) not in where:
                if len(elements) == largest:
                    return None
                where[name] = len(elements)
                elements.append(y)
    return elements, where


def close_matrices(generators: Float[Tensor, "m n n"], largest: int, *, narrow: bool = False) -> Float[Tensor, "order n n"] | None:
    """All products of given invertible matrices, the identity first, then by length of word; ``None`` beyond ``largest``.

    ``narrow``: they are known to float32 alone, so that a rotation by 1e-6 is the identity; in float64 it generates an infinite group.

    Elements are told apart by their distance, not by rounding, so no entry can fall on a rounding boundary, and in a basis where those
    of a finite group are about orthogonal: where entries have very different sizes, as in a strongly sheared basis, a tolerance relative
    to the largest would hide what happens in the small ones. The result is then
    polished: averaging ``rho(s h) rho(h)^-1`` over the group turns a nearly multiplicative map into a multiplicative one,
    quadratically (the argument behind Kazhdan, "On epsilon-representations", 1982), so generators known to float32 alone give
    elements that multiply exactly to float64.

    >>> quarter = torch.tensor([[[0.0, -1.0], [1.0, 0.0]]], dtype=torch.float64)
    >>> close_matrices(quarter, 100).shape
    torch.Size([4, 2, 2])
    >>> close_matrices(2 * quarter, 100) is None
    True
    """
    gens = generators.detach().to(torch.float64).cpu().numpy()
    n = gens.shape[-1]
    # A finite group's elements have determinant +-1: no need to walk the powers of a scaling.
    if (np.abs(np.abs(np.linalg.det(gens)) - 1) > n * 10 * CLOSE * max(1.0, np.abs(gens).max()) ** n).any():
        return None
    units = _units(gens)
    turned = _frame(units[:, None] * gens / units)
    frame = turned * units
    framed = frame @ gens @ np.linalg.inv(frame)
    # Elements of a finite group of this size are farther from 1 than CLOSE, or they are 1.
    away = np.abs(framed - np.eye(n)).max((-2, -1))
    rounding = NARROW if narrow else max(WIDE, 64 * np.finfo(np.float64).eps * np.linalg.cond(turned) ** 2)
    if ((away > rounding) & (away < 2 * CLOSE)).any():
        return None
    known = _Known(n)
    known.add(np.eye(n))
    images: list[list[int]] = []  # images[i][s]: where generator s takes element i
    parents: list[tuple[int, int]] = [(0, 0)]
    start = 0
    while start < len(known):
        level = np.stack(known.matrices[start:])
        products = framed[None] @ level[:, None]
        if not (np.abs(products) < 1e100).all():
            return None  # no finite group has such elements in a basis that numbers can express
        for i, row in enumerate(products):
            images.append([])
            for s, product in enumerate(row):
                where = known.find(product)
                if where is None:
                    if len(known) == largest:
                        return None
                    where = known.add(product)
                    parents.append((start + i, s))
                images[-1].append(where)
        start += len(level)
    return torch.from_numpy(_polish(gens, np.array(images), parents))


class _Known:
    """Matrices found so far, looked up within the tolerance through cells of a one-dimensional projection.

    A cell is as wide as the tolerance at the size of its matrices (their largest entry, to a power of 2), so that however large the
    entries, only two cells are looked at (four where the size is at a power of 2).
    """

    def __init__(self, n: int) -> None:
        self.matrices: list[np.ndarray] = []
        self._cells: dict[tuple[int, int], list[int]] = {}
        direction = np.random.default_rng(0).standard_normal((n, n))
        self._direction = direction / np.abs(direction).sum()  # |projection of x - y| <= max |x - y|

    def __len__(self) -> int:
        return len(self.matrices)

    def add(self, x: np.ndarray) -> int:
        octave = _octave(_size(x))
        cell = math.floor(self._project(x) / _width(octave))
        self._cells.setdefault((octave, cell), []).append(len(self.matrices))
        self.matrices.append(x)
        return len(self.matrices) - 1

    def find(self, x: np.ndarray) -> int | None:
        size, here = _size(x), self._project(x)
        reach = CLOSE * size
        # A matrix within reach has a size within reach, which may lie in the next octave.
        for octave in {_octave(max(1.0, size - reach)), _octave(size + reach)}:
            width = _width(octave)
            for cell in range(math.floor((here - reach) / width), math.floor((here + reach) / width) + 1):
                for i in self._cells.get((octave, cell), ()):
                    if np.abs(self.matrices[i] - x).max() <= reach:
                        return i
        return None

    def _project(self, x: np.ndarray) -> float:
        return float(np.vdot(self._direction, x))


def _size(x: np.ndarray) -> float:
    """The largest entry, at least 1: what the tolerance is relative to."""
    return max(1.0, float(np.abs(x).max()))


def _octave(size: float) -> int:
    """The power of 2 at or below a size."""
    return math.frexp(size)[1] - 1


def _width(octave: int) -> float:
    """The width of the cells of matrices of this size: that of the widest search among them, to either side."""
    return 4 * CLOSE * 2.0**octave


def _units(gens: np.ndarray) -> np.ndarray:
    """Units of the coordinates that are added to others and take nothing from them, such that what they add is of size one.

    A translation has units of its own: one of 5e-10 metres is no less a translation, and averages cannot tell, for they never come back.
    """
    squares = (gens**2).sum(0)
    np.fill_diagonal(squares, 0)
    takes, adds = squares.sum(1), squares.sum(0)
    return np.sqrt(np.where((takes == 0) & (adds > 0), adds, 1.0))


def _frame(gens: np.ndarray) -> np.ndarray:
    """A change of basis after which the generators are about orthogonal, if they generate a finite group: a root of the mean of
    ``h^T h`` over random words ``h``, which in the mean over the whole group is invariant (Weyl's unitary trick)."""
    n = gens.shape[-1]
    if np.abs(gens @ gens.swapaxes(-1, -2) - np.eye(n)).max() < CLOSE:
        return np.eye(n)
    frame = np.eye(n)
    for _ in range(4):
        turned, form = frame @ gens @ np.linalg.inv(frame), np.eye(n)
        for _ in range(AVERAGES):
            form = (form + (turned.swapaxes(-1, -2) @ form @ turned).sum(0)) / (1 + len(gens))
            form = (form + form.T) * (n / np.trace(form) / 2)
        values, vectors = np.linalg.eigh(form)
        frame = np.sqrt(values.clip(1e-10 * values[-1]))[:, None] * vectors.T @ frame
        if values[0] >= 1e-10 * values[-1]:
            break  # else the form was too skewed for its small eigenvalues to be known: once more from the better frame
    return frame


def _polish(gens: np.ndarray, images: np.ndarray, parents: list[tuple[int, int]]) -> np.ndarray:
    """The elements as words in the generators, after making those multiply as their Cayley graph says."""
    orthogonal = np.abs(gens @ gens.swapaxes(-1, -2) - np.eye(gens.shape[-1])).max() < CLOSE
    elements = _words(gens, parents)
    for _ in range(4):
        error = np.abs(gens[None] @ elements[:, None] - elements[images]).max()
        if orthogonal:
            error = max(error, np.abs(gens @ gens.swapaxes(-1, -2) - np.eye(gens.shape[-1])).max())
        if error < 2e-15 * max(1.0, np.abs(elements).max()):
            break
        inverses = np.linalg.inv(elements)
        gens = np.stack([(elements[images[:, s]] @ inverses).mean(0) for s in range(len(gens))])
        if orthogonal:
            left, _, right = np.linalg.svd(gens)
            gens = left @ right
        elements = _words(gens, parents)
    return elements


def _words(gens: np.ndarray, parents: list[tuple[int, int]]) -> np.ndarray:
    """Every element as a generator times an earlier element; the first is the identity."""
    elements = np.empty((len(parents), *gens.shape[1:]))
    elements[0] = np.eye(gens.shape[-1])
    for i, (parent, s) in enumerate(parents[1:], start=1):
        elements[i] = gens[s] @ elements[parent]
    return elements
