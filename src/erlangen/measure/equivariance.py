"""How equivariant is a callable? Measured on random group elements, with a confidence interval and the worst case."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import optree
import torch
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.actions.records import Record, as_action
from erlangen.errors import ArgumentError
from erlangen.groups.base import Element
from erlangen.verdict import Verdict


@dataclass(frozen=True)
class EquivarianceErrors:
    """Every number behind an equivariance verdict (its ``witness``).

    Attributes:
        relative: ``[elements, B]``: ``|f(g x) - g f(x)| / rms over the batch of |g f(x)|``, the largest over output parts.
        absolute: ``[elements, B]``: the numerator, the largest over output parts.
        elements: the group elements tried, ``[elements, *element_shape]``.
        worst_element: the one with the largest relative error.
        worst_index: which datum of the batch that was.
    """

    relative: Tensor
    absolute: Tensor
    elements: Element
    worst_element: Element
    worst_index: int

    def per_element(self) -> Tensor:
        """Mean relative error of each element, ``[elements]``."""
        return self.relative.mean(1)


def equivariance_error(
    model: Callable[..., Any],
    x: Any,
    inp: Any,
    out: Any,
    *,
    elements: int | Element = 32,
    tolerance: float | None = None,
    generator: torch.Generator | None = None,
    scale: float = 1.0,
    confidence: float = 0.95,
) -> Verdict:
    """Compare ``model(g x)`` with ``g model(x)`` for a batch ``x`` and random group elements ``g``.

    Args:
        model: any callable; takes what ``inp`` acts on (a tuple of actions: several arguments).
        x: a batch of data, leading axis ``B``. In or out of distribution is the caller's choice of ``x`` and ``elements``.
        inp, out: how the group acts on input and output, as for :func:`erlangen.symmetrize`.
        elements: how many to draw, or the elements themselves ``[m, *element_shape]``. A finite group of at most that many
            elements is gone through exhaustively.
        tolerance: the largest relative error that counts as zero; by default 1e-10 for float64 data, else 1e-4.
        generator: source of randomness.
        scale: widens the sampling of groups that are not compact (see :meth:`Group.sample`).
        confidence: level of the interval of the mean.

    Returns:
        a :class:`Verdict` with numbers ``worst``, ``mean``, ``median`` (relative) and ``worst_absolute``, the interval of the mean
        over elements, and :class:`EquivarianceErrors` as its witness.

    Raises:
        ArgumentError: ``inp`` and ``out`` disagree in their group, or the model's output does not fit ``out``.

    >>> import erlangen as er
    >>> double = lambda x: 2 * x
    >>> verdict = er.equivariance_error(double, torch.randn(4, 3, dtype=torch.float64), er.SO(3).vector, er.SO(3).vector)
    >>> verdict.holds, verdict["worst"] < 1e-12
    (True, True)
    """
    inp, out = as_action(inp, "inp"), as_action(out, "out")
    group = inp.group
    if group != out.group:
        raise ArgumentError("out", f"an action of {group}, as inp", f"one of {out.group}")
    leaf = next((t for t in optree.tree_leaves(x) if isinstance(t, Tensor) and t.is_floating_point()), None)
    dtype = torch.get_default_dtype() if leaf is None else leaf.dtype
    tolerance = tolerance if tolerance is not None else (1e-10 if dtype == torch.float64 else 1e-4)
    exhaustive = isinstance(elements, int) and group.order <= elements
    if not isinstance(elements, int):
        g = elements
    elif exhaustive:
        g = group.elements()
    else:
        if elements < 1:
            raise ArgumentError("elements", "a positive number of group elements", elements)
        g = group.sample(elements, generator=generator, dtype=dtype, scale=scale)
    (count,) = group.batch_shape(g)

    with torch.no_grad():
        y = call_model(model, inp, x)
        relative, absolute = [], []
        for i in range(count):
            element = group.take(g, i)
            errors = _errors(out, call_model(model, inp, inp.act(element, x)), out.act(element, y))
            relative.append(errors[0])
            absolute.append(errors[1])
    rel, abs_ = torch.stack(relative), torch.stack(absolute)
    worst = int(rel.argmax())
    mean, interval = mean_interval(rel.mean(1), confidence)
    return Verdict(
        holds=bool(rel.max() <= tolerance),
        claim=f"{getattr(model, '__name__', type(model).__name__)} is {group}-equivariant",
        how="exhaustive" if exhaustive else "statistical",
        tried=count,
        numbers={
            "worst": float(rel.max()),
            "mean": mean,
            "median": float(rel.median()),
            "worst_absolute": float(abs_.max()),
            "tolerance": tolerance,
        },
        interval=(max(interval[0], 0.0), interval[1]),
        confidence=confidence,
        witness=EquivarianceErrors(rel, abs_, g, group.take(g, worst // rel.shape[1]), worst % rel.shape[1]),
        reason=f"relative errors on {rel.shape[1]} data in {str(dtype).removeprefix('torch.')}",
    )


def assert_equivariant(model: Callable[..., Any], x: Any, inp: Any, out: Any, **options: Any) -> Verdict:
    """Like :func:`equivariance_error`, but raise AssertionError with the verdict when it does not hold."""
    verdict = equivariance_error(model, x, inp, out, **options)
    if not verdict:
        raise AssertionError(str(verdict))
    return verdict


def call_model(model: Callable[..., Any], inp: Action, x: Any) -> Any:
    """``model(x)``, or ``model(*x)`` where ``inp`` is a tuple of actions; with a copy, which a model that works in place may spoil."""
    x = optree.tree_map(lambda t: t.clone() if isinstance(t, Tensor) else t, x)
    return model(*x) if isinstance(inp, Record) and isinstance(inp.parts, tuple) else model(x)


def _errors(out: Action, got: Any, wanted: Any) -> tuple[Tensor, Tensor]:
    """Relative and absolute error of each datum, ``[B]``, the largest over the output's parts."""
    if isinstance(out, Record):
        parts = [(a, b) for action, a, b in zip(out.leaves, out.flatten(got), out.flatten(wanted)) if action is not None]
    else:
        parts = [(got, wanted)]
    relative, absolute = [], []
    for a, b in parts:
        if a.shape != b.shape:
            raise ArgumentError("model", f"outputs of one shape {tuple(b.shape)}", tuple(a.shape))
        difference = (a - b).reshape(len(a), -1).double().norm(dim=1)
        size = b.reshape(len(b), -1).double().norm(dim=1).square().mean().sqrt()
        absolute.append(difference)
        relative.append(torch.where(difference == 0, 0.0, difference / size))
    if len({len(r) for r in relative}) > 1:  # parts per node beside parts per datum: only their worst can be compared
        relative, absolute = ([e.amax(0, keepdim=True) for e in errors] for errors in (relative, absolute))
    return torch.stack(relative).amax(0), torch.stack(absolute).amax(0)


def mean_interval(values: Tensor, confidence: float) -> tuple[float, tuple[float, float]]:
    """The mean of independent values ``[n]`` and its Student interval (infinite for a single value)."""
    n, mean = len(values), float(values.mean())
    if n < 2:
        return mean, (-math.inf, math.inf)
    from scipy.stats import t

    half = float(t.ppf(0.5 + confidence / 2, n - 1)) * float(values.double().std()) / math.sqrt(n)
    return mean, (mean - half, mean + half)
