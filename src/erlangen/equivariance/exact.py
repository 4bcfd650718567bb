"""Equivariance on exact data: rankings, allocations, words, curves. Nothing is rounded, so a difference is a counterexample."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from erlangen.actions.base import Action
from erlangen.actions.records import Record
from erlangen.errors import ArgumentError
from erlangen.groups.base import Element
from erlangen.verdict import Verdict


@dataclass(frozen=True)
class Counterexample:
    """Where a model is not equivariant (the ``witness`` of a verdict that does not hold).

    Attributes:
        element: a group element ``g``.
        index: which datum of the list ``x`` is.
        datum: ``x`` itself.
        got: ``model(g x)``.
        wanted: ``g model(x)``, which is something else.
    """

    element: Element
    index: int
    datum: Any
    got: Any
    wanted: Any


def exact_verdict(
    model: Callable[..., Any],
    x: Any,
    inp: Action,
    out: Action,
    elements: Element,
    *,
    exhaustive: bool,
    confidence: float = 0.95,
) -> Verdict:
    """Whether ``model(g x) == g model(x)``, for each of the data and each of the elements.

    Args:
        model: takes one datum (a tuple of actions: several arguments).
        x: a list of data.
        inp, out: how the group acts on a datum and on what the model makes of it.
        elements: ``[m, *element_shape]``.
        exhaustive: whether these are the whole group.
        confidence: of the bound on how many of all elements may fail, where only some were tried and none does.

    Returns:
        a :class:`Verdict` with numbers ``failures`` (pairs of an element and a datum), ``mean`` (their share), ``worst`` (1 or 0) and
        ``tolerance`` (0), and the first :class:`Counterexample` as its witness. What has ``key`` equal is equal.

    Raises:
        ArgumentError: ``x`` is no list, or empty.

    >>> from erlangen.groups import Symmetric
    >>> class Ballot(Action):
    ...     def act(self, g, x):
    ...         return tuple(int(g[i]) for i in x)
    >>> act = Ballot(Symmetric(3))
    >>> verdict = exact_verdict(lambda p: tuple(sorted(p)), [(1, 2, 0)], act, act, Symmetric(3).elements(), exhaustive=True)
    >>> bool(verdict), verdict["failures"], verdict.witness.got, verdict.witness.wanted
    (False, 5.0, (0, 1, 2), (0, 2, 1))
    """
    if not isinstance(x, list) or not x:
        raise ArgumentError(
            "x",
            "a batch of tensors, or a list of exact data",
            f"an array of shape {x.shape}" if hasattr(x, "shape") else f"{type(x).__name__} {x!r}",
            "a single datum goes in a list",
        )
    several = isinstance(inp, Record) and isinstance(inp.parts, tuple)
    run = (lambda datum: model(*datum)) if several else model
    group = inp.group
    (count,) = group.batch_shape(elements)
    outputs = [run(datum) for datum in x]
    failures, first = 0, None
    for i in range(count):
        g = group.take(elements, i)
        for index, (datum, y) in enumerate(zip(x, outputs)):
            got, wanted = run(inp.act(g, datum)), out.act(g, y)
            if out.key(got) != out.key(wanted):
                failures += 1
                first = first or Counterexample(g, index, datum, got, wanted)
    share = failures / (count * len(x))
    return Verdict(
        holds=not failures,
        claim=f"{getattr(model, '__name__', type(model).__name__)} is {group}-equivariant",
        how="exhaustive" if exhaustive else "statistical",
        tried=count,
        numbers={"worst": float(failures > 0), "mean": share, "failures": float(failures), "tolerance": 0.0},
        # None of n random elements failing, the share that fail is below this with the confidence asked for.
        interval=None if exhaustive or failures else (0.0, 1 - (1 - confidence) ** (1 / count)),
        confidence=confidence,
        witness=first,
        reason=f"exact equality on {len(x)} data",
    )
