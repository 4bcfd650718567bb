"""`Action`: how a group acts on data of any kind.

Read this file first. An action needs one method, :meth:`Action.act`. Everything written here once - orbits, stabilizers, orbit
representatives, Reynolds averages - then works for it, whether a datum is a tensor, a Python integer, a Fraction, a polynomial or
a whole record.

Batches. A batch of elements ``[*batch, ...]`` is matched with the **leading** axes of the data, from the left; axes between those
and the datum's own trailing axes are spectators that the element moves all alike. So elements ``[B, 3, 3]`` act on ``[B, 3]``, on
clouds ``[B, n, 3]`` and on scalars ``[B, 1]`` of one record alike. When the data have *fewer* leading axes than the elements, they
are broadcast on the left as everywhere in torch: elements ``[K, 3, 3]`` make ``[K, 3]`` of one vector ``[3]``.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Hashable, Iterator
from fractions import Fraction
from typing import Any

import optree
import torch
from torch import Tensor

from erlangen.actions.frontier import generations
from erlangen.actions.members import Members, Parts, first, is_inexact
from erlangen.errors import ArgumentError, unsupported
from erlangen.groups.base import Element, Group
from erlangen.groups.lasting import Lasting
from erlangen.groups.lookup import nearest
from erlangen.groups.recognise import recognised

#: An orbit larger than this is taken to be infinite.
LARGEST_ORBIT = 1_000_000
#: Tensors are walked together from so many newest members on; fewer are faster one by one.
WIDE = 8


class Action(metaclass=Lasting):
    """How ``group`` acts on some data: ``act(g, x)``, with ``act(g, act(h, x)) == act(g h, x)``.

    A subclass implements :meth:`act`. One whose data are tensors states ``data_shape``, the trailing shape of one datum (``None``
    in it stands for a size that is free); with it come batches and examples for tests.

    >>> from erlangen.groups import Cyclic
    >>> class Hue(Action):
    ...     '''Turn the hue of colours in degrees by sixths of a circle.'''
    ...     data_shape = (1,)
    ...     def act(self, g, x):
    ...         g, x = self.align(g, x)
    ...         return (x + 60.0 * g[..., :1]) % 360.0   # an element of Cyclic(6) is an index map; 0 goes to k
    >>> hue = Hue(Cyclic(6))
    >>> len(hue.orbit(torch.tensor([15.0])))
    6
    """

    #: Trailing shape of one datum when data are tensors; ``None`` in it stands for a free size.
    data_shape: tuple[int | None, ...] = (None,)
    #: Whether ``act`` moves a batch of tensors by a batch of elements, each by its own, and ``compared`` takes such batches: what every
    #: representation does. Orbits are then walked many members at a time.
    moves_batches: bool = False
    #: ``act_inverse(g, x)``, the same as ``act(g^-1, x)``, where that is had without inverting ``g`` first; else ``None``.
    act_inverse: Callable[[Element, Any], Any] | None = None
    #: ``apart(g)``, which all actions of this class under one group, and both ways, take in the place of an element, where there is work to
    #: be saved when it moves several data; else ``None``.
    apart: Callable[[Element], Any] | None = None

    def __init__(self, group: Group) -> None:
        self.group = group

    @abstractmethod
    def act(self, g: Element, x: Any) -> Any:
        """Move ``x`` by ``g``."""

    # ---- tensors ----

    @property
    def data_ndim(self) -> int:
        """How many trailing axes belong to one datum."""
        return len(self.data_shape)

    def align(self, g: Element, x: Tensor) -> tuple[Element, Tensor]:
        """Give ``g`` and ``x`` the same number of leading axes, by the rule at the top of this file.

        Raises:
            ArgumentError: ``x`` lacks the datum's axes, an axis has a wrong length, or the batches do not fit.
        """
        self.check(x)
        batch = self.group.batch_shape(g)
        lead = x.ndim - self.data_ndim
        if lead < len(batch):
            x = x.reshape((1,) * (len(batch) - lead) + tuple(x.shape))
        for size, axis in zip(batch, x.shape):
            if size != axis and 1 not in (size, axis):
                raise ArgumentError(
                    "g",
                    f"a batch of elements that fits the leading axes {tuple(x.shape[: x.ndim - self.data_ndim])} of the data",
                    f"batch {batch}",
                )
        return self.group.reshape(g, *batch, *(1,) * max(lead - len(batch), 0)), x

    def check(self, x: Tensor, argument: str = "x") -> None:
        """Raise ArgumentError unless ``x`` is a tensor that ends in ``data_shape``."""
        if isinstance(x, Tensor) and x.ndim >= self.data_ndim:
            tail = x.shape[x.ndim - self.data_ndim :]
            if all(n is None or n == m for n, m in zip(self.data_shape, tail)):
                return
        wanted = "".join(", any" if n is None else f", {n}" for n in self.data_shape)
        got = f"shape {tuple(x.shape)}" if isinstance(x, Tensor) else type(x).__name__
        raise ArgumentError(argument, f"a tensor [*batch{wanted}] for {self!r}", got)

    def example(self, *batch: int, generator: torch.Generator | None = None, dtype: torch.dtype | None = None) -> Any:
        """Random data ``[*batch, *data_shape]`` for tests; a free size becomes 4."""
        return torch.randn((*batch, *(4 if n is None else n for n in self.data_shape)), generator=generator, dtype=dtype)

    # ---- orbits ----

    def compared(self, x: Any) -> Any:
        """What two data are compared by: themselves.

        An action on data that have several names for one thing (0 and 1 on a circle) overrides this with something that names it once
        and does not jump, such as cosine and sine.
        """
        return x

    def key(self, x: Any) -> Hashable:
        """A name for a datum that can be looked up: its exact parts, and its floating-point numbers rounded relative to size and type.

        Equal data have equal keys where they are exact. Where numbers are rounded, two that differ in their last digits may still fall
        on either side of a rounding boundary: :meth:`same` decides, and orbits and representatives go by it.
        """
        return Parts(self.compared(x)).key()

    def same(self, x: Any, y: Any) -> bool:
        """Whether two data are one: exact parts equal, floating-point numbers up to rounding, relative to their size and type.

        >>> from erlangen.groups import Cyclic
        >>> V = Cyclic(3).irrep(1)
        >>> x = torch.tensor([1e-21, 0.0])
        >>> V.same(x, x * (1 + 1e-7)), V.same(x, 2 * x)
        (True, False)
        """
        return Parts(self.compared(x)).same(Parts(self.compared(y)))

    def orbit(self, x: Any) -> list[Any]:
        """All data that the discrete group makes of ``x``, ``x`` first; each once, by :meth:`same`.

        Tensors under a representation are walked many at a time: 40 320 vectors of R^8 under S_8 take about half a second. The memory
        is that of :mod:`erlangen.actions.frontier`.

        Raises:
            UnsupportedError: the group has a continuous part, or the orbit has more than a million members.
            ArgumentError: a part of the data cannot be hashed, or the number of members does not divide the group's order, so that the
                action is none or rounds numbers where they are compared exactly (inside of sets).
        """
        return [y for y, _ in self._walk(x)]

    def stabilizer(self, x: Any) -> Element:
        """The elements of a finite group that leave ``x`` as it is, ``[count, *element_shape]``."""
        every, here = self.group.elements(), Parts(self.compared(x))
        moved = (self.act(self.group.take(every, i), x) for i in range(int(self.group.order)))
        keep = [i for i, y in enumerate(moved) if here.same(Parts(self.compared(y)))]
        return self.group.take(every, torch.tensor(keep))

    def representative(self, x: Any) -> tuple[Any, Element]:
        """The orbit's first member and an element that moves ``x`` to it: the same (up to rounding) for all of the orbit.

        The order is that of :func:`erlangen.actions.members.first`: numbers by value, text by alphabet, tuples and tensors entry by
        entry, sets by size and then by their sorted members. It is total, so that data without an order of their own (sets, dicts, SymPy
        expressions) have a representative, too.
        """
        walk = list(self._walk(x))
        y, g = walk[first([self.compared(y) for y, _ in walk])]
        return (self.act(g, x) if self.moves_batches else y), g  # a batch may round otherwise than one

    def reynolds(self, x: Any, samples: int = 0, generator: torch.Generator | None = None) -> Any:
        """The average of ``x`` over the group: exact over a finite group, else over ``samples`` random elements of a compact one.

        Tensors keep their dtype; exact objects need ``+`` and division by an int (integers become Fractions).
        """
        if self.group.is_finite and not samples:
            every = self.group.elements()
            count = int(self.group.order)
        else:
            group = self.group if self.group.has_haar else recognised(self.group)
            if not group.is_compact:
                unsupported(group, "invariant probability measure to average over", "average over a compact subgroup")
            if not group.has_haar:
                unsupported(group, f"Haar samples to average over (it draws {group.measure})", "average over a subgroup that has")
            if samples < 1:
                raise ArgumentError("samples", f"a positive number of random elements, for {self.group} is infinite", repr(samples))
            count = samples
            dtype = next(
                (leaf.dtype for leaf in optree.tree_leaves(x) if isinstance(leaf, Tensor) and leaf.is_floating_point()), None
            )
            every = group.sample(samples, generator=generator, dtype=dtype)
        total = self.act(self.group.take(every, 0), x)
        for i in range(1, count):
            total = optree.tree_map(lambda a, b: a + b, total, self.act(self.group.take(every, i), x))
        return optree.tree_map(lambda a: Fraction(a, count) if isinstance(a, int) else a / count, total)

    def _walk(self, x: Any) -> Iterator[tuple[Any, Element]]:
        """Breadth-first over the orbit: members, each with an element that leads to it from ``x``."""
        group = self.group
        gens = None if group.dim else group.generators
        if gens is None:  # connected, or with a continuous part
            unsupported(group, "finite orbits (it has a continuous part)", "sample the orbit with act(group.sample(n), x)")
        if group.is_finite and any(leaf.is_floating_point() for leaf in optree.tree_leaves(gens)):
            gens = nearest(group, gens, group.elements())  # the exact elements that rounded generators stand for
        steps = [group.take(gens, i) for i in range(group.batch_shape(gens)[0])]
        # Moved from x itself, a floating-point member is rounded once, however long the way to it.
        from_start, seen = is_inexact(self.compared(x)), Members()
        seen.add(Parts(self.compared(x)))
        queue, here = [(x, group.identity_like(steps[0]))], 0
        while here < (count := len(queue)):  # the members that the last ones made are a generation
            yield from queue[here:]
            if count - here >= WIDE and self.moves_batches and isinstance(x, Tensor):
                for y, h in generations(self, x, gens, queue, count - here):
                    yield y, h
                    count += 1
                    self._check_count(count)
                break
            for y, h in queue[here:]:
                for step in steps:
                    g = group.multiply(step, h) if from_start else None
                    z = self.act(step, y) if g is None else self.act(g, x)
                    if seen.add(Parts(self.compared(z))):
                        queue.append((z, group.multiply(step, h) if g is None else g))
                self._check_count(len(queue))
            here = count
        if group.is_finite and group.order % count:
            raise ArgumentError(
                "x",
                f"data of which {group} makes a number of members that divides its order {group.order}",
                f"{count} members",
                "numbers inside sets are compared exactly: an action that rounds them needs a tensor or a tuple; else try check_action",
            )

    def _check_count(self, count: int) -> None:
        if count > LARGEST_ORBIT:
            unsupported(self, f"orbit of at most {LARGEST_ORBIT} members", "use a smaller group")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.group})"
