"""`TableGroup`: a small finite group known by its multiplication table, of any exact objects whatever."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.groups.base import Group
from erlangen.groups.closure import close_objects
from erlangen.groups.membership import unwrapped

#: The largest position that an int64 holds: outside of every list.
LARGEST = 2**63 - 1


class TableGroup(Group):
    """Elements are positions ``[*batch]`` (int64) in a list of objects; the table says how they multiply.

    Args:
        table: ``[n, n]``, ``table[i, j]`` the position of the product; position 0 is the identity.
        objects: what the positions stand for: Fractions, matrices of them, polynomials, anything; by default the positions.
        name: a name for people.

    Raises:
        ArgumentError: the table is not that of a group; the message says which law fails, and where.

    >>> units = TableGroup.generated_by([3], lambda a, b: a * b % 10, identity=1, name="units modulo 10")
    >>> units.order, [units.objects[i] for i in units.elements()]
    (4, [1, 3, 9, 7])
    """

    is_compact = True
    measure = "Haar"
    element_dtype = torch.int64

    def __init__(
        self, table: Int[Tensor, "n n"] | Sequence[Sequence[int]], objects: Sequence[Any] | None = None, name: str = ""
    ) -> None:
        table = torch.as_tensor(table).detach().cpu().clone()  # nobody else writes into it, and it serves training
        self._inverses = _check(table)
        self.table = table
        self.objects = list(range(len(table))) if objects is None else list(objects)
        if len(self.objects) != len(table):
            raise ArgumentError("objects", f"{len(table)} objects, one for each row", len(self.objects))
        self.name = name or f"group of order {len(table)}"

    @classmethod
    def generated_by(
        cls,
        generators: Sequence[Any],
        multiply: Callable[[Any, Any], Any],
        *,
        identity: Any,
        key: Callable[[Any], Hashable] = lambda x: x,
        largest: int = 5_000,
        name: str = "",
    ) -> TableGroup:
        """The group that exact objects generate under a given product.

        Args:
            generators: objects.
            multiply: the product of two of them.
            identity: the neutral object.
            key: what makes two objects the same; by default they must be hashable themselves.
            largest: give up beyond this order.

        Raises:
            ArgumentError: more than ``largest`` products.
        """
        gens = list(generators)
        closed = close_objects(identity, gens, multiply, key, largest)
        if closed is None:
            raise ArgumentError(
                "generators", f"generators of a group of at most {largest} elements", f"more than {largest} products"
            )
        objects, where = closed
        for x in objects:
            if not key(multiply(identity, x)) == key(x) == key(multiply(x, identity)):
                raise ArgumentError("identity", "an object that changes nothing", f"one that changes {x!r}")
        # Products with generators decide all others: row x of the table is that of y, moved by s, where x = s y.
        left = torch.tensor([[where[key(multiply(s, x))] for x in objects] for s in gens]).view(len(gens), len(objects))
        table = torch.arange(len(objects)).repeat(len(objects), 1)
        done = 1
        for y in range(len(objects)):
            for step in left:
                if int(step[y]) == done:  # objects stand in the order in which this walk finds them
                    table[done] = step[table[y]]
                    done += 1
        for s in gens:
            for i, x in enumerate(objects):
                if where.get(key(multiply(x, s))) != int(table[i, where[key(s)]]):
                    raise ArgumentError("multiply", "an associative product", f"another with {x!r} and {s!r}")
        return cls(table, objects, name)

    def equality_key(self) -> Hashable:
        return tuple(map(tuple, self.table.tolist()))

    @property
    def order(self) -> int:  # type: ignore[override]
        return len(self.table)

    @property
    def generators(self) -> Int[Tensor, " m"]:
        """A generating set: each member is the first outside of what the earlier ones generate."""
        return torch.tensor(_generating(self.table) or [0])

    def identity(self, *batch: int, dtype: torch.dtype | None = None, device: torch.device | None = None) -> Tensor:
        return torch.zeros(batch, dtype=torch.int64, device=device)

    def multiply(self, g: Tensor, h: Tensor) -> Tensor:
        self.batch_shape(g)
        self.batch_shape(h)
        try:
            # The highest bit tells of both at once whether one is negative; then the left position becomes the largest number there is.
            left = (g | h).bitwise_right_shift_(63).bitwise_or_(g).bitwise_and_(LARGEST)
            return self.table.to(g.device)[left, h]
        except IndexError:
            self.check(g)
            self.check(h)
            raise

    def inverse(self, g: Tensor) -> Tensor:
        self.batch_shape(g)
        try:
            return self._inverses.to(g.device).index_select(0, g.flatten()).view(g.shape)
        except IndexError:
            self.check(g)
            raise

    def sample(
        self,
        *batch: int,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | None = None,
        scale: float = 1.0,
    ) -> Tensor:
        return torch.randint(self.order, batch, generator=generator).to(device)

    def elements(self) -> Int[Tensor, order]:
        return torch.arange(self.order)

    def index(self, g: Int[Tensor, "*batch"]) -> Int[Tensor, "*batch"]:
        """The position in :meth:`elements`: the element itself, and a negative one far out of the list."""
        self.batch_shape(g)
        return unwrapped(g)

    def contains(self, g: Tensor, atol: float | None = None) -> Tensor:
        self.batch_shape(g)
        return (g >= 0) & (g < self.order)

    def find(self, obj: Any) -> Tensor:
        """The element that stands for an object."""
        if obj not in self.objects:
            raise ArgumentError("obj", f"one of the {self.order} objects of {self}", repr(obj))
        return torch.tensor(self.objects.index(obj))


def _check(table: Tensor) -> Tensor:
    """The inverses, after the laws of a group are found to hold."""
    n = len(table)
    here = torch.arange(n)
    if table.ndim != 2 or table.shape != (n, n) or n == 0 or table.is_floating_point():
        raise ArgumentError("table", "integers [n, n]", f"{table.dtype} {tuple(table.shape)}")
    if int(table.min()) < 0 or int(table.max()) >= n:
        raise ArgumentError("table", f"positions from 0 to {n - 1}", f"{int(table.min())} to {int(table.max())}")
    if not (torch.equal(table[0], here) and torch.equal(table[:, 0], here)):
        raise ArgumentError("table", "a table whose element 0 is the identity", f"first row {table[0].tolist()[:8]}")
    has = table == 0
    if not bool((has.sum(1) == 1).all()):
        bad = int((has.sum(1) != 1).nonzero()[0])
        raise ArgumentError("table", "exactly one inverse of each element", f"{int(has[bad].sum())} for element {bad}")
    # Elements b with (a b) c = a (b c) for all a and c are closed under products (Light's test): generators are enough.
    for b in _generating(table):
        left, right = table[table[:, b]], table[:, table[b]]
        if not torch.equal(left, right):
            a, c = (left != right).nonzero()[0].tolist()
            raise ArgumentError("table", "an associative product", f"(a b) c and a (b c) differ for a, b, c = {a}, {b}, {c}")
    return has.to(torch.uint8).argmax(1)


def _generating(table: Tensor) -> list[int]:
    """Positions whose products, multiplied from the left on, reach all: each is the first that the earlier ones do not reach."""
    found: list[int] = []
    inside = torch.zeros(len(table), dtype=torch.bool)
    inside[0] = True
    while not bool(inside.all()):
        found.append(int(inside.to(torch.uint8).argmin()))
        fresh, steps = inside.nonzero().flatten(), torch.tensor(found)
        while len(fresh):
            reached = table[fresh][:, steps].unique()
            fresh = reached[~inside[reached]]
            inside[fresh] = True
    return found
