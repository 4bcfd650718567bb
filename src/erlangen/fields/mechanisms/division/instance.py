"""`Instance`: people, items, and what each item is worth to each of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from numbers import Rational
from typing import Any

import numpy as np
import torch
from torch import Tensor

from erlangen.data.labelled import Labelled
from erlangen.errors import ArgumentError

#: Relative to what all items together are worth to a person: utilities of floating-point numbers that differ by less count as equal.
#: Of arrays of fewer digits than float64 it is eight times the spacing of their numbers.
TOLERANCE = 1e-9
#: Sums of exact numbers are kept in int64 where no sum that is formed can exceed this, else in Python's integers.
LARGEST_INT = 2**62


class Instance:
    """Who values what how much: additive utilities ``u[i][o]`` of any sign, agents in rows and items in columns.

    Integers, Fractions, Decimals and floating-point numbers that are whole (and not beyond the whole numbers that their digits hold, 2^53
    of float64) are computed with exactly, over one common denominator (in int64 where it is certain that nothing overflows, else in
    Python's integers). Where a number is none of these, all are floating-point, and comparisons allow for ``tolerance``, relative to
    the sum of a person's ``|u|``; what an item is worth up to that counts as nothing, so that 0.1 + 0.2 - 0.3 is neither good nor bad.

    Args:
        u: rows of numbers, an array ``[n, m]``, a pandas DataFrame (index: agents), a :class:`~erlangen.data.Labelled` (rows: agents), or
            ``{agent: {item: number}}``.
        agents: their names, each once; by default those that ``u`` has, else ``agent 1`` and on.
        items: their names, each once; by default those that ``u`` has, else ``item 1`` and on.
        tolerance: of floating-point numbers; by default 1e-9, or what the dtype of an array of fewer digits allows (1e-6 of float32); 0
            takes each number for exactly the binary fraction that it is.

    Attributes:
        agents, items: names.
        numbers: ``[n, m]`` int64, Python integers (``object``) or float64, read-only; utilities are ``numbers / denominator``.
        denominator: 1 for floating-point numbers.

    Raises:
        ArgumentError: no agents, rows of several lengths, a cell that is missing, no number, NaN or infinite, names that do not fit.

    >>> inst = Instance({"Ann": {"cook": 2, "clean": -1}, "Bob": {"cook": Fraction(1, 3), "clean": -1}})
    >>> inst.n, inst.m, inst.denominator, inst.numbers.tolist(), inst.value("Bob", ["cook", "clean"])
    (2, 2, 3, [[6, -3], [1, -3]], Fraction(-2, 3))
    """

    def __init__(
        self,
        u: Any,
        agents: Sequence[Any] | None = None,
        items: Sequence[Any] | None = None,
        *,
        tolerance: float | None = None,
    ) -> None:
        given = isinstance(tolerance, (int, float)) and not isinstance(tolerance, bool) and 0 <= tolerance < 1
        if tolerance is not None and not given:
            raise ArgumentError("tolerance", "a number from 0 up, below 1", repr(tolerance))
        rows, own_agents, own_items = _rows(u)
        spacing = _spacing(u)
        tolerance = spacing if tolerance is None else tolerance
        largest = 2**53 if spacing == TOLERANCE else 16 / spacing
        n, m = len(rows), len(rows[0]) if len(rows) else 0
        if not n:
            raise ArgumentError("u", "at least one agent (a row)", "none")
        self.agents = _names("agents", agents, own_agents, n, "agent")
        self.items = _names("items", items, own_items, m, "item")
        self.denominator, self.tolerance, self.exact = 1, 0.0, True
        self.numbers: np.ndarray
        if isinstance(rows, np.ndarray) and rows.dtype.kind in "iu" and (not m or int(np.abs(rows // 2).max()) < LARGEST_INT // 4):
            self.numbers = rows.astype(np.int64)
            if (n + 1) * np.abs(self.numbers.astype(float)).max(0, initial=0).sum() > 0.99 * LARGEST_INT:
                self.numbers = rows.astype(object)
        else:
            for name, row in zip(self.agents, rows):
                if len(row) != m:
                    raise ArgumentError("u", f"{m} numbers in each row", f"{len(row)} in that of {name!r}")
            self._keep(
                [[_cell(v, a, o, largest) for v, o in zip(row, self.items)] for a, row in zip(self.agents, rows)], float(tolerance)
            )
        self.numbers.flags.writeable = False

    def _keep(self, cells: list[list[Any]], tolerance: float) -> None:
        """Take cells of ints, Fractions and floats for the numbers."""
        n, m = self.n, self.m
        if tolerance == 0:
            cells = [[Fraction(v) if isinstance(v, float) else v for v in row] for row in cells]
        self.exact = not any(isinstance(v, float) for row in cells for v in row)
        if self.exact:
            self.denominator = math.lcm(*{v.denominator for row in cells for v in row})
            whole = [[v.numerator * (self.denominator // v.denominator) for v in row] for row in cells]
            # n times a person's sum is the largest number that a check forms.
            small = (n + 1) * sum(max(abs(row[o]) for row in whole) for o in range(m)) < LARGEST_INT
            self.numbers = np.array(whole, dtype=np.int64 if small else object).reshape(n, m)
            return
        self.tolerance = tolerance
        try:
            self.numbers = np.array([[float(v) for v in row] for row in cells], dtype=np.float64).reshape(n, m)
        except OverflowError:
            raise ArgumentError(
                "u", "numbers that are all exact, or none beyond 1.8e308", "one beyond it beside floating-point numbers"
            ) from None
        with np.errstate(over="ignore"):
            if not np.isfinite((n + 1) * np.abs(self.numbers).sum()):
                raise ArgumentError("u", "numbers whose sums are finite", "numbers that overflow when they are added")
        self.numbers[np.abs(self.numbers) <= tolerance * np.abs(self.numbers).sum(1, keepdims=True)] = 0

    @property
    def n(self) -> int:
        """How many agents."""
        return len(self.agents)

    @property
    def m(self) -> int:
        """How many items."""
        return len(self.items)

    @cached_property
    def slack(self) -> np.ndarray:
        """What counts as rounding of a sum of each agent's, ``[n]``, in units of ``numbers``: zero where they are exact."""
        if self.exact:
            return np.zeros(self.n, dtype=self.numbers.dtype)
        return self.tolerance * np.abs(self.numbers).sum(1)

    @cached_property
    def totals(self) -> np.ndarray:
        """What all items together are worth to each, ``[n]``, in units of ``numbers``."""
        return self.numbers.sum(1) if self.m else np.zeros(self.n, dtype=self.numbers.dtype)

    @property
    def within(self) -> str:
        """Up to what comparisons hold, in words; nothing where they are exact."""
        return "" if self.exact else f"within a relative {self.tolerance:g}"

    def in_units(self, number: Any) -> Any:
        """A sum of ``numbers`` as a utility: an int where it is whole, a Fraction, or a float."""
        if not self.exact:
            return float(number)
        value = Fraction(int(number), self.denominator)
        return value.numerator if value.denominator == 1 else value

    def value(self, agent: Any, items: Sequence[Any]) -> Any:
        """What some items together are worth to an agent; both by name or by number."""
        i = self.agent(agent)
        held = [self.numbers[i, self.item(o)] for o in items]
        return self.in_units(sum(map(int, held)) if self.exact else math.fsum(held))

    def agent(self, which: Any) -> int:
        """The number of an agent, by name or number."""
        return _which("agent", which, self.agents)

    def item(self, which: Any) -> int:
        """The number of an item, by name or number."""
        return _which("item", which, self.items)

    @cached_property
    def utility_classes(self) -> tuple[str, ...]:
        """The classes of utilities that it belongs to, the most special first; see :data:`~.classes.CLASSES`."""
        from erlangen.fields.mechanisms.division.classes import classes_of

        return classes_of(self)

    @property
    def utility_class(self) -> str:
        """The most special class of utilities that it belongs to."""
        return self.utility_classes[0]

    def take(self, agents: Sequence[int] | np.ndarray, items: Sequence[int] | np.ndarray) -> Instance:
        """The instance of these agents and items, by number, in this order."""
        part = object.__new__(Instance)
        part.agents, part.items = tuple(self.agents[i] for i in agents), tuple(self.items[o] for o in items)
        part.exact, part.tolerance, part.denominator = self.exact, self.tolerance, self.denominator
        part.numbers = self.numbers[np.ix_(np.asarray(agents, int), np.asarray(items, int))]
        part.numbers.flags.writeable = False
        return part

    def scaled(self, factors: Sequence[Any]) -> Instance:
        """Each agent's utilities times a positive number: another unit for each."""
        if len(factors) != self.n or not all(f > 0 for f in factors):
            raise ArgumentError("factors", f"{self.n} positive numbers", repr(list(factors)))
        rows = [[self.in_units(v) * f for v in row] for row, f in zip(self.numbers, factors)]
        return Instance(rows, self.agents, self.items, tolerance=self.tolerance or None)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Instance):
            return NotImplemented
        same = (self.agents, self.items, self.denominator, self.exact, self.tolerance) == (
            other.agents,
            other.items,
            other.denominator,
            other.exact,
            other.tolerance,
        )
        return same and bool((self.numbers == other.numbers).all())

    def __hash__(self) -> int:
        return hash((self.agents, self.items, self.denominator, tuple(map(tuple, self.numbers.tolist()))))

    def __repr__(self) -> str:
        return f"Instance({self.n} agents, {self.m} items, {self.utility_class})"


def _rows(u: Any) -> tuple[Any, list[Any] | None, list[Any] | None]:
    """Rows of cells, lists or an array, and the names that they came with."""
    if isinstance(u, Labelled):
        return [list(row) for row in u.values], list(u.rows), list(u.columns)
    if isinstance(u, Mapping):
        agents = list(u)
        for agent in agents:
            if not isinstance(u[agent], Mapping):
                raise ArgumentError("u", f"a dict of items for {agent!r}", type(u[agent]).__name__)
        items = list(u[agents[0]]) if agents else []
        for agent in agents:
            for item in [*items, *u[agent]]:
                if item not in u[agent] or item not in u[agents[0]]:
                    who = agent if item not in u[agent] else agents[0]
                    raise ArgumentError("u", "the same items for all agents", f"no {item!r} of {who!r}")
        return [[u[agent][item] for item in items] for agent in agents], agents, items
    if hasattr(u, "columns") and hasattr(u, "index") and hasattr(u, "to_numpy"):  # a pandas DataFrame
        return [list(row) for row in u.to_numpy(dtype=object)], list(u.index), list(u.columns)
    if isinstance(u, Tensor):
        u = u.detach().cpu()
        u = (u.double() if u.is_floating_point() else u).numpy()
    if isinstance(u, np.ndarray):
        if u.ndim != 2:
            raise ArgumentError("u", "a matrix [n, m], agents in rows", f"shape {u.shape}")
        return u if u.dtype.kind in "iu" else u.tolist(), None, None
    if isinstance(u, (list, tuple)) and all(isinstance(row, (list, tuple, np.ndarray)) for row in u):
        return [list(row) for row in u], None, None
    raise ArgumentError("u", "rows of numbers, an array, a DataFrame, a Labelled or {agent: {item: number}}", type(u).__name__)


def _spacing(u: Any) -> float:
    """The tolerance that the digits of an array allow."""
    if isinstance(u, Tensor):
        return max(TOLERANCE, 8 * torch.finfo(u.dtype).eps) if u.is_floating_point() else TOLERANCE
    dtypes = [u.dtype] if isinstance(u, np.ndarray) else list(u.dtypes) if hasattr(u, "dtypes") else []
    if isinstance(u, (list, tuple)):
        dtypes = [row.dtype for row in u if isinstance(row, np.ndarray)]
        dtypes += [v.dtype for row in u if isinstance(row, (list, tuple)) for v in row if isinstance(v, np.floating)]
    if isinstance(u, Mapping):
        dtypes = [v.dtype for row in u.values() for v in row.values() if isinstance(v, np.floating)]
    kinds = [np.dtype(d) for d in dtypes if isinstance(d, np.dtype) and d.kind == "f"]
    return float(max([TOLERANCE, *(8 * np.finfo(d).eps for d in kinds)]))


def _cell(value: Any, agent: str, item: str, largest: float) -> Any:
    """An int, a Fraction, or a float that is no whole number, or beyond those that its digits hold."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, (bool, int)):
        return int(value)
    if isinstance(value, Rational):
        return Fraction(int(value.numerator), int(value.denominator))
    if isinstance(value, (float, Decimal)) and math.isfinite(value):
        if isinstance(value, Decimal):
            return Fraction(value)
        return int(value) if value.is_integer() and abs(value) <= largest else value
    raise ArgumentError("u", "a finite number in every cell", f"{value!r} for {agent!r} and {item!r}")


def _names(argument: str, given: Sequence[Any] | None, own: list[Any] | None, count: int, what: str) -> tuple[str, ...]:
    if isinstance(given, str):
        raise ArgumentError(argument, "a list of names", repr(given))
    names = [str(name) for name in (given if given is not None else own if own is not None else [])]
    if given is None and own is None:
        names = [f"{what} {k + 1}" for k in range(count)]
    if len(names) != count:
        raise ArgumentError(argument, f"{count} names, one for each {what}", f"{len(names)}")
    twice = next((name for k, name in enumerate(names) if name in names[:k]), None) if len(set(names)) < count else None
    if twice is not None:
        raise ArgumentError(argument, f"a name of its own for each {what}", f"{twice!r} twice")
    return tuple(names)


def _which(argument: str, which: Any, names: tuple[str, ...]) -> int:
    if isinstance(which, (int, np.integer)) and not isinstance(which, bool) and 0 <= which < len(names):
        return int(which)
    if isinstance(which, str) and which in names:
        return names.index(which)
    raise ArgumentError(argument, f"a name, or a number from 0 to {len(names) - 1}", repr(which))
