"""`GWL` and `WL`: can any network of a class tell two geometric graphs apart, and after how many layers?"""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Int
from numpy.typing import NDArray
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.groups import SO, Group, O
from erlangen.groups.names import parse_group
from erlangen.groups.recognise import recognised
from erlangen.measure.gwl.clusters import Gaps, Ints
from erlangen.measure.gwl.graph import Batch, GeometricGraph
from erlangen.measure.gwl.inputs import as_graph
from erlangen.measure.gwl.result import AmbiguousToleranceWarning, Result
from erlangen.measure.gwl.stars import invariant_colours
from erlangen.measure.gwl.trees import Trees

#: The default tolerance, in median edges ...
RELATIVE_TOLERANCE = 1e-5
#: ... but at least so many times the rounding of the vectors: a factor of ten below, copies are still alike.
ROUNDINGS = 10
#: Rounding that makes the default tolerance a larger share of the median edge than this is refused.
COARSEST = 0.05


@dataclass(frozen=True)
class GWL:
    """The geometric Weisfeiler-Leman test, or one of its weaker forms.

    The full test bounds what equivariant message passing can tell apart: after ``t`` iterations each node knows its tree of depth ``t``
    with all vectors, up to one motion of the group. The invariant test (IGWL) hands on no orientation: each node hashes the orbit of its
    own neighbourhood. IGWL(k) looks at a node and ``k - 1`` of its neighbours at a time: 2 sees distances, 3 angles as well.

    The answer is exact, up to the tolerance at which numbers count as equal: frames stand in for a search over permutations. Two
    periodic graphs are compared as the infinite patterns that they stand for: colours by their share of the nodes of a cell.

    Args:
        group: ``O(3)``, ``SO(3)``, ``O(2)`` or ``SO(2)``, as a group or a name.
        body_order: the ``k`` of IGWL(k), at least 2; by default not bounded.
        invariant: the invariant test; implied by ``body_order``.
        max_iter: the most iterations; ``"auto"`` goes on until no later one could change the answer.
        tol: numbers so far apart are equal, in the unit of the positions; by default 1e-5 times the median length of edges, or forty
            units in the last place of the largest coordinate (in the dtype that positions came in) where that is more.
        bare: leave all vectors out: the Weisfeiler-Leman test of abstract graphs, see :func:`WL`.

    Raises:
        ArgumentError: another group, a body order below 2, a bound below 1, or a tolerance that is not positive.

    Source: Joshi, Bodnar, Mathis, Cohen & Lio, "On the expressive power of geometric graph neural networks", ICML 2023, arXiv:2301.09308.

    >>> from erlangen.measure.gwl import kchain
    >>> print(GWL("SO(3)").compare(*kchain(4)))
    GWL under SO(3): distinguished at iteration 3
    >>> print(GWL("SO(3)", invariant=True).compare(*kchain(4)))
    IGWL under SO(3): never distinguished
    """

    group: Group | str = "O(3)"
    body_order: int | None = None
    invariant: bool = False
    max_iter: int | Literal["auto"] = "auto"
    tol: float | None = None
    bare: bool = False

    def __post_init__(self) -> None:
        group = _named(self.group) if isinstance(self.group, str) else recognised(self.group)
        if not isinstance(group, O | SO) or str(group) not in ("O(3)", "SO(3)", "O(2)", "SO(2)"):
            raise ArgumentError("group", "O(3), SO(3), O(2) or SO(2)", repr(self.group))
        object.__setattr__(self, "group", group)
        if self.body_order is not None and self.body_order < 2:
            raise ArgumentError("body_order", "at least 2", repr(self.body_order))
        if self.max_iter != "auto" and (not isinstance(self.max_iter, int) or self.max_iter < 1):
            raise ArgumentError("max_iter", "at least 1, or 'auto'", repr(self.max_iter))
        if self.tol is not None and not (math.isfinite(self.tol) and self.tol > 0):
            raise ArgumentError("tol", "a positive number", repr(self.tol))

    @property
    def level(self) -> str:
        """What the test is called."""
        if self.bare:
            return "WL"
        return f"IGWL({self.body_order})" if self.body_order is not None else "IGWL" if self.invariant else "GWL"

    def compare(self, a: Any, b: Any) -> Result:
        """Compare two graphs.

        Args:
            a, b: :class:`GeometricGraph`, or what :func:`as_graph` takes without a cutoff: a PyG ``Data``, an RDKit ``Mol``, a mapping.

        Raises:
            ArgumentError: graphs that differ in dimension or number of vectors, or do not have the dimension of the group; coordinates
                that are so large that their rounding could decide (more than a two-hundredth of the median edge), and no ``tol``.

        Warns:
            AmbiguousToleranceWarning: a tolerance ten times larger or smaller gives another answer.
            UserWarning: ``tol`` is below the rounding of the positions.
        """
        batch, gaps = self._batch([as_graph(a, name="a"), as_graph(b, name="b")])
        in_a = batch.graph == 0
        colours, iteration, t, final = self._first_difference(batch, gaps, in_a)
        # Where numbers come near to the tolerance the answer may still not depend on it.
        others = [Gaps(factor * gaps.tol) for factor in (0.1, 10.0)] if gaps.ambiguous else []
        ambiguous = any(self._first_difference(batch, other, in_a)[1] != iteration for other in others)
        if ambiguous:
            message = (
                f"another answer within a factor of ten of the tolerance {gaps.tol:.2e}: numbers {gaps.largest_closed:.2e} apart "
            )
            message += f"counted as equal, numbers {gaps.smallest_kept:.2e} apart as different"
            warnings.warn(message, AmbiguousToleranceWarning, stacklevel=2)
        ours, first = torch.from_numpy(colours), int(in_a.sum())
        return Result(
            distinguished=iteration is not None,
            iteration=iteration,
            level=self.level,
            group=str(self.group),
            colors_a=ours[:first],
            colors_b=ours[first:],
            iterations=t,
            final=final,
            tol=gaps.tol,
            min_gap=gaps.smallest_kept,
            max_closed=gaps.largest_closed,
            ambiguous=ambiguous,
        )

    def _first_difference(self, batch: Batch, gaps: Gaps, in_a: NDArray[np.bool_]) -> tuple[Ints, int | None, int, bool]:
        """Colours at the first iteration at which two graphs differ, or at the last; that iteration; how many there were; is it final."""
        t, steps = 0, self._history(batch, gaps)
        colours, final = next(steps)
        while not (apart := _apart(colours, in_a, batch.periodic)) and not final and t != self.max_iter:
            t, (colours, final) = t + 1, next(steps)
        return colours, t if apart else None, t, apart or final

    def colors(self, graphs: Sequence[Any]) -> list[Int[Tensor, " n"]]:
        """The colours of the nodes of each graph after the last iteration, comparable over the whole list.

        Args:
            graphs: as for :meth:`compare`; all of one dimension, with the same number of vectors.

        Warns:
            AmbiguousToleranceWarning: in a long list numbers lie so dense that steps within the tolerance join what is far apart: take
                a smaller ``tol``.

        >>> from erlangen.measure.gwl import kchain
        >>> a, b = kchain(2)
        >>> [sorted(c.tolist()) for c in GWL(invariant=True).colors([a, b])]
        [[0, 0, 1, 1], [0, 0, 1, 1]]
        """
        read = [as_graph(g, name=f"graphs[{i}]") for i, g in enumerate(graphs)]
        batch, gaps = self._batch(read)
        colours = self._last_trees(batch, gaps) if self._equivariant else self._last_stars(batch, gaps)
        if gaps.largest_closed > 2 * gaps.tol:
            message = f"steps within the tolerance {gaps.tol:.2e} join numbers {gaps.largest_closed:.2e} apart; take a smaller tol"
            warnings.warn(message, AmbiguousToleranceWarning, stacklevel=2)
        return list(torch.from_numpy(colours).split([len(g) for g in read]))

    def classes(self, graphs: Sequence[Any]) -> Int[Tensor, " G"]:
        """For each graph the number of its class: two graphs share it when their colours after the last iteration are the same.

        >>> from erlangen.measure.gwl import kchain
        >>> GWL().classes([*kchain(2), *kchain(3)]).tolist()
        [0, 1, 2, 3]
        """
        read = [as_graph(g, name=f"graphs[{i}]") for i, g in enumerate(graphs)]
        if not self._equivariant:
            return _numbered([(g.periodic, *_counted(c, g.periodic)) for g, c in zip(read, self.colors(read))])
        # Only graphs that the invariant test leaves alike need the full one, which tells at least as much.
        coarse = dataclasses.replace(self, invariant=True).classes(read)
        alike = (torch.bincount(coarse)[coarse] > 1).nonzero().squeeze(1).tolist()
        colours = dict(zip(alike, self.colors([read[i] for i in alike]) if alike else []))
        return _numbered(
            [(c, *(_counted(colours[i], read[i].periodic) if i in colours else ())) for i, c in enumerate(coarse.tolist())]
        )

    @property
    def _equivariant(self) -> bool:
        return not (self.bare or self.invariant or self.body_order is not None)

    @property
    def _reflections(self) -> bool:
        return isinstance(self.group, O)

    def _batch(self, graphs: list[GeometricGraph]) -> tuple[Batch, Gaps]:
        batch = Batch.of(graphs, bare=self.bare)
        dim = self.group.n  # type: ignore[union-attr]
        if not self.bare and batch.dim != dim:
            raise ArgumentError("graphs", f"graphs in {dim} dimensions, as {self.group} acts there", f"{batch.dim} dimensions")
        least = ROUNDINGS * batch.rounding
        if self.bare:
            return batch, Gaps(RELATIVE_TOLERANCE if self.tol is None else self.tol)
        if self.tol is None and least > COARSEST * batch.scale:
            raise ArgumentError(
                "graphs",
                f"positions whose rounding is below {COARSEST / ROUNDINGS * batch.scale:.2g}, {COARSEST / ROUNDINGS} of the median edge",
                f"rounding up to {batch.rounding:.2g}: coordinates are large for their dtype",
                "Move structures to the origin before they are rounded, give float64, or pass tol",
            )
        if self.tol is not None and self.tol < batch.rounding:
            message = f"the tolerance {self.tol:.2e} is below the rounding of the positions, {batch.rounding:.2e}: copies may be told apart"
            warnings.warn(message, UserWarning, stacklevel=3)
        return batch, Gaps(max(RELATIVE_TOLERANCE * batch.scale, least) if self.tol is None else self.tol)

    def _history(self, batch: Batch, gaps: Gaps) -> Iterator[tuple[Ints, bool]]:
        """Colours at iteration 0, 1, 2, ..., and whether no later ones can refine them."""
        if not self._equivariant:
            steps = self._stars(batch, gaps)
            colours = next(steps)
            for finer in steps:
                yield colours, False
                colours = finer
            yield colours, True
            return
        yield batch.label, False
        trees = Trees(batch, reflections=self._reflections, gaps=gaps)
        while not trees.finished:
            trees.step()
            yield trees.colours, trees.finished

    def _stars(self, batch: Batch, gaps: Gaps) -> Iterator[Ints]:
        return invariant_colours(batch, reflections=self._reflections, gaps=gaps, body_order=self.body_order)

    def _last_stars(self, batch: Batch, gaps: Gaps) -> Ints:
        rounds = None if self.max_iter == "auto" else self.max_iter + 1
        return deque(islice(self._stars(batch, gaps), rounds), maxlen=1).pop()

    def _last_trees(self, batch: Batch, gaps: Gaps) -> Ints:
        trees = Trees(batch, reflections=self._reflections, gaps=gaps)
        while not trees.finished and trees.depth != self.max_iter:
            trees.step()
        return trees.colours


def WL(max_iter: int | Literal["auto"] = "auto") -> GWL:
    """The Weisfeiler-Leman test of the abstract graphs: labels and edges, no vectors.

    >>> from erlangen.measure.gwl import kchain
    >>> print(WL().compare(*kchain(3)))
    WL: never distinguished
    """
    return GWL(bare=True, max_iter=max_iter)


@lru_cache(maxsize=16)
def _named(name: str) -> Group:
    return recognised(parse_group(name))


def _numbered(rows: list[tuple[int, ...]]) -> Int[Tensor, " G"]:
    number: dict[tuple[int, ...], int] = {}
    return torch.tensor([number.setdefault(row, len(number)) for row in rows])


def _apart(colours: Ints, in_a: NDArray[np.bool_], periodic: bool) -> bool:
    kinds = int(colours.max(initial=-1)) + 1
    one, two = (np.bincount(colours[part], minlength=kinds) for part in (in_a, ~in_a))
    if periodic:  # by share: cells of one pattern may have several times as many nodes
        one, two = one * int((~in_a).sum()), two * int(in_a.sum())
    return not np.array_equal(one, two)


def _counted(colours: Tensor, periodic: bool) -> tuple[int, ...]:
    """The multiset of the colours of one graph; of a periodic one in the smallest cell that could have it."""
    kinds, amount = colours.unique(return_counts=True)
    least = math.gcd(*amount.tolist()) if periodic else 1
    return tuple(kinds.repeat_interleave(amount // least).tolist())
