"""How well an explanation moves along with the data: the gradient's equivariance, as a cosine."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import optree
import torch
from torch import Tensor

from erlangen.actions.records import as_action
from erlangen.equivariance.error import call_model, elements_of, mean_interval, seeded
from erlangen.equivariance.vanishing import PRECISIONS, attempted, distorted, in_precision, rounded_scale
from erlangen.errors import ArgumentError, UnsupportedError
from erlangen.groups.base import Element
from erlangen.linalg.relative import ROUNDINGS, relative_error
from erlangen.measure.explain.gradients import gradients, warn_partial
from erlangen.measure.explain.similarity import cosine
from erlangen.measure.shared import without_shared
from erlangen.reps.base import Rep
from erlangen.verdict import Verdict


def explanation_equivariance(
    model: Callable[..., Any],
    x: Any,
    inp: Any,
    out: Any,
    *,
    elements: int | Element = 16,
    threshold: float = 0.99,
    generator: torch.Generator | None = None,
    scale: float = 1.0,
    confidence: float = 0.95,
) -> Verdict:
    """Compare the gradient explanation of ``model`` at ``x`` with that at ``g x``, pulled back by ``g``.

    For an invariant quantity ``s`` the chain rule gives ``grad s(x) = (D act_g)^T grad s(g x)`` exactly; a model without the symmetry
    gives other gradients, so other explanations, for data that mean the same. The explained quantity is the sum of a scalar output,
    or the squared norm of an output that moves by an orthogonal representation.

    Args:
        model, x, inp, out, elements, generator, scale, confidence: as for :func:`erlangen.equivariance_error`.
        threshold: the mean cosine from which the explanation counts as equivariant.

    Returns:
        a :class:`Verdict` with numbers ``mean_cosine``, ``worst_cosine``, ``mean_relative_error`` and ``degenerate``, the share of pairs of
        gradients that are zero or nothing but rounding, whose cosine is NaN and counts nowhere; the interval is that of the mean cosine
        over elements; the witness is the matrix of cosines ``[elements, B]``.

    Raises:
        ArgumentError: there are no data.
        UnsupportedError: the output is neither scalar nor moved by an orthogonal representation, the batch is ragged, or no gradient of
            the output reaches the data.

    Warns:
        UserWarning: the gradient is not what the output does, for a part of the model has none.

    Source: Crabbe & van der Schaar, "Evaluating the Robustness of Interpretability Methods through Explanation Invariance and
    Equivariance", NeurIPS 2023, arXiv:2304.06715.

    >>> import erlangen as er
    >>> G, x = er.SO(3), torch.randn(4, 3, dtype=torch.float64)
    >>> verdict = explanation_equivariance(lambda v: (v * v).sum(-1), x, G.vector, G.scalar)
    >>> round(verdict["mean_cosine"], 10)
    1.0
    """
    from erlangen.actions.ragged import segment_of

    inp, out = as_action(inp, "inp"), as_action(out, "out")
    if not (isinstance(out, Rep) and out.is_orthogonal):
        raise UnsupportedError(f"explanations are of scalar outputs or of orthogonal representations; out is {out!r}")
    if segment_of(inp, x) is not None:
        raise UnsupportedError("explanations are compared datum by datum, which a ragged batch does not allow; pad it")
    if inp.group != out.group:
        raise ArgumentError("out", f"an action of {inp.group}, as inp", f"one of {out.group}")
    is_scalar = not out.data_shape

    model, inp, x = without_shared(model, inp, x)
    parts, tree = optree.tree_flatten(x)
    real = [i for i, part in enumerate(parts) if part.is_floating_point()]
    if not real:
        raise UnsupportedError("gradients are by real numbers, and the data that the group moves have none")
    if not len(parts[real[0]]):
        raise ArgumentError("x", "at least one datum", "none")
    group = inp.group
    g = elements_of(group, elements, seeded(generator), parts[real[0]].dtype, scale)
    (count,) = group.batch_shape(g)

    leaves = [parts[i] for i in real]

    def quantity(move: Callable[[Any], Any]) -> Callable[..., Tensor]:
        """The explained quantity at ``move(x)``, as a function of the real parts of ``x``."""

        def value(leaves: Sequence[Tensor], rows: Tensor | None = None) -> Tensor:
            every = list(parts) if rows is None else [part[rows.to(part.device)] for part in parts]
            for i, leaf in zip(real, leaves):
                every[i] = leaf
            y = call_model(model, inp, move(optree.tree_unflatten(tree, every)))
            return y if is_scalar else y.square()

        return value

    def moving(i: int) -> Callable[[Any], Any]:
        element = group.take(g, i)
        return lambda t: inp.act(element, t)

    here = _flat(gradients(quantity(lambda t: t), leaves))
    warn_partial(quantity(lambda t: t), leaves)
    moved = [_flat(gradients(quantity(moving(i)), leaves)) for i in range(count)]
    there = torch.stack(moved)
    cosines = cosine(here.expand_as(there), there)
    # Two gradients of zero agree on nothing, nor do two that are nothing but rounding.
    least = 0.0
    if not float(cosines.mean()) >= threshold:

        def typical(version: Any, data: Any) -> float:
            """The size of gradients of this model at these data."""
            numbers = optree.tree_leaves(data)

            def value(leaves: Sequence[Tensor]) -> Tensor:
                every = [leaves[real.index(i)] if i in real else part for i, part in enumerate(numbers)]
                y = call_model(version, inp, optree.tree_unflatten(tree, every))
                return y if is_scalar else y.square()

            found = attempted(lambda: _size(_flat(gradients(value, [numbers[i] for i in real]))))
            return 0.0 if found is None else found

        rounded = rounded_scale({dtype: typical(*in_precision(model, x, dtype)) for dtype in PRECISIONS})
        largest = max(_size(there), rounded, typical(model, distorted(inp, x, seeded(generator))))
        least = ROUNDINGS * torch.finfo(leaves[0].dtype).eps * largest
    empty = (here.norm(dim=-1) <= least) & (there.norm(dim=-1) <= least)
    cosines = torch.where(empty, torch.nan, cosines)
    away = (there - here).norm(dim=-1)
    size, summed = (t.norm(dim=-1).square().mean().sqrt() for t in (here, there))
    relative = torch.where(empty, 0.0, relative_error(away, size, summed))
    each = cosines.nanmean(1)
    mean, interval = mean_interval(each[~each.isnan()], confidence) if not empty.all() else (math.nan, (-math.inf, math.inf))
    reason = f"cosine of gradients on {here.shape[0]} data"
    if empty.any():
        reason += f"; {int(empty.sum())} of {empty.numel()} pairs of gradients are zero, to rounding, and say nothing"
    return Verdict(
        holds=mean >= threshold,
        claim=f"the gradient explanation is {group}-equivariant",
        how="statistical",
        tried=count,
        numbers={
            "mean_cosine": mean,
            "worst_cosine": float(cosines[~empty].min()) if not empty.all() else math.nan,
            "mean_relative_error": float(relative.mean()),
            "threshold": threshold,
            "degenerate": float(empty.double().mean()),
        },
        interval=(max(interval[0], -1.0), min(interval[1], 1.0)) if math.isfinite(interval[0]) else None,
        confidence=confidence,
        witness=cosines,
        reason=reason,
    )


def _size(gradients: Tensor) -> float:
    """Root mean square size of gradients ``[..., d]``."""
    return float(gradients.norm(dim=-1).square().mean().sqrt())


def _flat(parts: list[Tensor]) -> Tensor:
    return torch.cat([p.flatten(1) for p in parts], 1).double()
