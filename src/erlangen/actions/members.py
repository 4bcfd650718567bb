"""Which data are the same, and which of several comes first: what orbits are walked and represented by.

Exact data (integers, fractions, text, sets, SymPy expressions, integer tensors) are the same when they are equal; so are numbers inside of
sets, which have no order in which rounding could be told. Floating-point numbers
are the same when they differ by rounding only, which depends on their type and on the size of the tensor that they are part of: entries
may differ by :data:`ROUNDING` times the largest of the tensor (bare Python floats: the largest of the datum), whatever the unit. NaN equals
itself, each infinity itself, and -0.0 equals 0.0.

No number is rounded on the way, so there is no boundary that two members could fall on either side of: candidates are found by a
projection, whose neighbouring cells are looked at as well, and the numbers themselves decide.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Hashable, Mapping, Sequence, Set
from fractions import Fraction
from typing import Any

import numpy as np
import optree
import torch
from torch import Tensor

from erlangen.errors import ArgumentError

#: How far two equal numbers may be apart, by type, relative to the largest of their tensor: above what one action rounds.
ROUNDING = {torch.float64: 1e-10, torch.float32: 4e-6, torch.float16: 4e-3, torch.bfloat16: 3e-2}


#: The numbers of a datum that is exact.
NOTHING = np.zeros(0)


class Parts:
    """A datum taken apart: its structure and exact parts, and its inexact numbers as float64, leaf by leaf with what each may be off by.

    >>> Parts((1, torch.tensor([0.5, -2.0]))).numbers
    array([ 0.5, -2. ])
    """

    __slots__ = ("_sizes", "counts", "exact", "numbers", "tolerances")

    def __init__(self, x: Any) -> None:
        leaves, structure = optree.tree_flatten(x, none_is_leaf=True)
        exact: list[Hashable] = [structure]
        pieces: list[np.ndarray] = []
        self.tolerances: list[float] = []
        bare: list[complex] = []
        for leaf in leaves:
            if (piece := _inexact(leaf)) is not None:
                exact.append((leaf.dtype, tuple(leaf.shape)))
                pieces.append(piece)
                self.tolerances.append(rounding(leaf))
            elif isinstance(leaf, (float, complex)):
                exact.append(float)
                bare.append(leaf)
            else:
                exact.append(hashable(leaf))
        if bare:
            pieces.append(np.array(bare, dtype=complex).view(np.float64))
            self.tolerances.append(ROUNDING[torch.float64])
        self.numbers = NOTHING
        self._sizes: list[float] | None = None
        if pieces:
            self.counts = [len(piece) for piece in pieces]
            together = np.concatenate(pieces) if len(pieces) > 1 else pieces[0]
            if not np.isfinite(together).all():
                odd = ~np.isfinite(together)
                exact.append(np.where(odd, np.nan_to_num(together, nan=3.0, posinf=2.0, neginf=1.0), 0.0).tobytes())
                together = np.where(odd, 0.0, together)
            self.numbers = together + 0.0  # -0.0 becomes 0.0
        self.exact: tuple[Hashable, ...] = tuple(exact)

    @property
    def sizes(self) -> list[float]:
        """The largest number of each leaf."""
        if self._sizes is None:
            self._sizes = [float(np.abs(part).max(initial=0.0)) for part in self._leaves(self.numbers)]
        return self._sizes

    def _leaves(self, numbers: np.ndarray) -> list[np.ndarray]:
        return [numbers] if len(self.counts) == 1 else np.split(numbers, np.cumsum(self.counts)[:-1])

    def scaled(self) -> np.ndarray:
        """The numbers, each relative to the largest of its leaf."""
        parts = [part / size if size else part for part, size in zip(self._leaves(self.numbers), self.sizes)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def same(self, other: Parts) -> bool:
        """Whether the two are the same datum."""
        if self.exact != other.exact:
            return False
        if self.numbers is NOTHING:
            return True
        apart = self._leaves(np.abs(self.numbers - other.numbers))
        reach = [tolerance * max(a, b) for tolerance, a, b in zip(self.tolerances, self.sizes, other.sizes)]
        return all(bool((part <= most).all()) for part, most in zip(apart, reach))

    def key(self) -> Hashable:
        """Exact parts, and numbers rounded to what their types and sizes allow: nearly always the same for the same datum."""
        if self.numbers is NOTHING:
            return self.exact
        digits = math.floor(-math.log10(4 * max(self.tolerances)))
        sizes = tuple(float(f"{size:.{digits}g}") for size in self.sizes)
        return (self.exact, sizes, tuple((np.round(self.scaled(), digits) + 0.0).tolist()))


class Members:
    """Data found so far, each once.

    >>> seen = Members()
    >>> [seen.add(Parts(torch.tensor([v]))) for v in (1e-21, 2e-21, 1e-21 * (1 + 1e-7))]
    [True, True, False]
    """

    def __init__(self) -> None:
        self._same: set[Hashable] = set()
        self._cells: dict[tuple[Hashable, int], list[Parts]] = {}
        self._direction = np.zeros(0)

    def add(self, parts: Parts) -> bool:
        """Take up a datum; False if it was known."""
        if parts in self:
            return False
        self._same.add(self._name(parts))
        if parts.numbers is not NOTHING:
            here, reach = self._place(parts)
            self._cells.setdefault((parts.exact, math.floor(here / (4 * reach))), []).append(parts)
        return True

    def __contains__(self, parts: Parts) -> bool:
        """Whether a datum was found, up to rounding."""
        if self._name(parts) in self._same:
            return True
        if parts.numbers is NOTHING:
            return False
        here, reach = self._place(parts)
        width = 4 * reach
        cells = range(math.floor((here - reach) / width), math.floor((here + reach) / width) + 1)
        return any(parts.same(known) for cell in cells for known in self._cells.get((parts.exact, cell), ()))

    def _name(self, parts: Parts) -> Hashable:
        return parts.exact if parts.numbers is NOTHING else (parts.exact, parts.numbers.tobytes())

    def _place(self, parts: Parts) -> tuple[float, float]:
        """The projection of inexact numbers, and how far those of the same datum may lie from it."""
        if len(self._direction) != len(parts.numbers):
            self._direction = direction_of(len(parts.numbers))
        # Relative to its size a member may be off by twice the tolerance: it, and the size.
        return float(parts.scaled() @ self._direction), 2.5 * max(parts.tolerances)


def direction_of(count: int) -> np.ndarray:
    """A fixed direction to project numbers along: projections differ by no more than the largest difference of numbers."""
    direction = np.random.default_rng(0).uniform(0.5, 1.5, (count,))
    return direction / max(float(np.sum(direction)), 1.0)


def is_inexact(x: Any) -> bool:
    """Whether some part of a datum is a floating-point number, which actions round."""
    return any(isinstance(leaf, (float, complex)) or _inexact(leaf) is not None for leaf in optree.tree_leaves(x))


def first(data: Sequence[Any]) -> int:
    """The place of the first of some data by a total order, the same one whatever the order in which they are given.

    Data are compared leaf by leaf: numbers by value, text by alphabet, tuples and tensors entry by entry (after their shapes), sets by
    size and then by their sorted members, mappings by their sorted items, SymPy expressions by ``sympy.default_sort_key``, other
    objects by their class and ``repr``. ``None`` comes before numbers, numbers before text, text before containers; infinities stand
    at their ends, NaN behind them. Floating-point numbers that differ by rounding count as equal, and the next number decides.

    Raises:
        ArgumentError: an object has no ``repr`` of its own to be compared by.

    >>> first([frozenset({2, 3}), frozenset({1, 3}), frozenset({1})])
    2
    >>> first([torch.tensor([0.1 + 0.2, 1.0]), torch.tensor([0.3, 0.5])])
    1
    """
    if len(data) == 1:
        return 0
    if all(isinstance(x, Tensor) for x in data) and len({(x.dtype, x.shape) for x in data}) == 1:
        return _first_tensor(torch.stack(list(data)))
    flat = [optree.tree_flatten(x, none_is_leaf=True) for x in data]
    structures = [str(structure) for _, structure in flat]
    least = min(structures)
    left = [i for i, structure in enumerate(structures) if structure == least]
    for k in range(len(flat[left[0]][0])):
        if len(left) == 1:
            break
        left = _first_leaves([flat[i][0][k] for i in left], left)
    return left[0]


def _first_leaves(leaves: list[Any], places: list[int]) -> list[int]:
    """Of the places whose leaves these are, those whose leaf comes first, all of them that are the same up to rounding."""
    if not all(isinstance(leaf, (float, complex)) or _inexact(leaf) is not None for leaf in leaves):
        orders = [ordering(leaf) for leaf in leaves]
        least = min(orders)
        return [place for place, order in zip(places, orders) if order == least]
    shapes = [tuple(getattr(leaf, "shape", ())) for leaf in leaves]
    kept = [i for i, shape in enumerate(shapes) if shape == min(shapes)]
    rows = [_inexact(leaves[i]) for i in kept]
    table = np.stack([np.array([leaves[i]], dtype=complex).view(np.float64) if row is None else row for i, row in zip(kept, rows)])
    tolerance = max(ROUNDING[torch.float64] if row is None else rounding(leaves[i]) for i, row in zip(kept, rows))
    return [places[kept[i]] for i in _first_rows(table, tolerance)]


def _first_tensor(data: Tensor) -> int:
    """The place of the first of tensors ``[count, *shape]``."""
    rows = inexact_rows(data)
    if rows is not None:
        return int(_first_rows(rows, rounding(data))[0])
    exact = data.detach().cpu().reshape(len(data), -1).numpy()
    here = np.arange(len(exact))
    for column in range(exact.shape[1]):
        here = here[exact[here, column] == exact[here, column].min()]
    return int(here[0])


def _first_rows(table: np.ndarray, tolerance: float) -> np.ndarray:
    """Of rows of numbers those that come first, all of them that are the same up to rounding."""
    finite = np.where(np.isfinite(table), table, 0.0)
    # -inf, numbers, inf, NaN
    rank = np.select([np.isnan(table), np.isposinf(table), np.isneginf(table)], [2, 1, -1], 0)
    reach = tolerance * float(np.abs(finite).max(initial=0.0))
    here = np.arange(len(table))
    for column in range(table.shape[1]):
        if len(here) == 1:
            break
        here = here[rank[here, column] == rank[here, column].min()]
        values = finite[here, column]
        here = here[values <= values.min() + reach]
    return here


def hashable(value: Any) -> Hashable:
    """An exact part of a datum as something that equal ones share.

    Raises:
        ArgumentError: the object cannot be hashed.
    """
    if isinstance(value, (Tensor, np.ndarray)):
        array = value.detach().cpu().numpy() if isinstance(value, Tensor) else value
        if array.dtype == object:
            return (array.shape, tuple(hashable(v) for v in array.ravel().tolist()))
        return (array.shape, array.astype(np.int64).tobytes() if array.dtype.kind in "biu" else array.tobytes())
    if isinstance(value, Set):
        return frozenset(map(hashable, value))
    if isinstance(value, Mapping):
        return frozenset((hashable(k), hashable(v)) for k, v in value.items())
    if isinstance(value, (list, tuple)):
        return tuple(map(hashable, value))
    if hasattr(value, "as_immutable"):  # SymPy's matrices
        return value.as_immutable()
    try:
        hash(value)
    except TypeError as error:
        raise ArgumentError("x", "data whose parts can be hashed", type(value).__name__) from error
    return value


def ordering(value: Any) -> tuple[Any, ...]:
    """A key that puts exact objects of any kinds in one order; see :func:`first`."""
    if value is None:
        return (0,)
    if isinstance(value, numbers.Rational):  # Python's, NumPy's and SymPy's alike
        return (1, Fraction(int(value.numerator), int(value.denominator)))
    if isinstance(value, (bool, np.bool_)):
        return (1, Fraction(int(value)))
    if isinstance(value, str):
        return (2, str(value))
    if isinstance(value, bytes):
        return (3, value)
    if hasattr(value, "sort_key") and hasattr(value, "free_symbols"):
        from sympy import default_sort_key

        return (4, default_sort_key(value))
    if isinstance(value, (tuple, list)):
        return (5, tuple(map(ordering, value)))
    if isinstance(value, Set):
        return (6, len(value), sorted(map(ordering, value)))
    if isinstance(value, Mapping):
        return (7, sorted((ordering(k), ordering(v)) for k, v in value.items()))
    if isinstance(value, (Tensor, np.ndarray)):
        return (8, tuple(value.shape), tuple(map(ordering, value.flatten().tolist())))
    if isinstance(value, (float, complex, np.number)):
        z = complex(value)
        parts = [(2, 0.0) if math.isnan(v) else (0, v + 0.0) for v in (z.real, z.imag)]
        return (1.5, *parts)
    if type(value).__repr__ is object.__repr__:
        raise ArgumentError(
            "x", "data with an order: numbers, text, containers, or objects with a repr of their own", type(value).__name__
        )
    return (9, type(value).__qualname__, repr(value))


def inexact_rows(data: Tensor) -> np.ndarray | None:
    """The floating-point numbers of tensors ``[count, *shape]`` in float64, ``[count, numbers]``, complex ones as pairs; ``None`` of exact
    ones."""
    if not (data.is_floating_point() or data.is_complex()):
        return None
    data = data.detach()
    if data.is_complex():
        data = torch.view_as_real(data.resolve_conj())
    return data.to("cpu", torch.float64).reshape(len(data), -1).numpy() + 0.0  # -0.0 becomes 0.0


def _inexact(leaf: Any) -> np.ndarray | None:
    """The floating-point numbers of a tensor or array, in float64, complex ones as pairs; ``None`` of anything else."""
    if isinstance(leaf, Tensor):
        rows = inexact_rows(leaf.unsqueeze(0))
        return None if rows is None else rows[0]
    if isinstance(leaf, (np.ndarray, np.floating, np.complexfloating)) and leaf.dtype.kind in "fc":
        wide = np.asarray(leaf, dtype=np.complex128 if leaf.dtype.kind == "c" else np.float64).ravel()
        return wide.view(np.float64)
    return None


def rounding(leaf: Any) -> float:
    """How far two equal numbers of a tensor or array may be apart, relative to the largest."""
    if isinstance(leaf, Tensor):
        dtype = leaf.dtype.to_real() if leaf.is_complex() else leaf.dtype
        return ROUNDING.get(dtype, max(ROUNDING.values()))
    bits = leaf.dtype.itemsize * (4 if leaf.dtype.kind == "c" else 8)
    return ROUNDING[{64: torch.float64, 32: torch.float32, 16: torch.float16}.get(bits, torch.float64)]
