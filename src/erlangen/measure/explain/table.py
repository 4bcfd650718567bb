"""What an audit says of explanations: a row for each explainer, its score beside what is guaranteed, and what it costs."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import optree
import torch
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.actions.batches import batch_size
from erlangen.actions.records import Record
from erlangen.equivariance.error import call_model, elements_of, seeded
from erlangen.errors import UnsupportedError
from erlangen.groups.base import Element
from erlangen.measure.explain.explainers import Explainer, as_explainer
from erlangen.measure.explain.gradients import InputXGradient, IntegratedGradients, Saliency, chosen
from erlangen.measure.explain.guarantees import guarantee
from erlangen.measure.explain.moving import movement
from erlangen.measure.explain.perturbations import FeatureAblation
from erlangen.measure.explain.robustness import ExplanationRobustness
from erlangen.measure.shared import without_shared
from erlangen.reps.base import Rep
from erlangen.training.modes import evaluating
from erlangen.verdict import Verdict

#: Data and group elements that an audit's explanations are compared on: an audit answers in seconds.
DATA, ELEMENTS = 16, 8
#: Data of more real entries are not ablated one by one in an audit.
MOST_ENTRIES = 64


@dataclass(frozen=True)
class ExplainerRow:
    """One explainer in an audit.

    Attributes:
        name: of the explainer.
        score: the verdict of :meth:`ExplanationRobustness.score`; where the explainer cannot be used on this model, one that tried nothing,
            whose reason says why and whose numbers are NaN.
        guarantee: what :func:`guarantee` says beforehand.
        seconds: of explaining one datum, by the batch.
    """

    name: str
    score: Verdict
    guarantee: str
    seconds: float

    def __str__(self) -> str:
        if not self.score.tried:
            return f"{self.name}: {self.score.reason}"
        worst, mean = self.score["worst"], self.score["mean"]
        time_ = f"{1e6 * self.seconds:,.0f} microseconds each"
        return f"{self.name}: {self.score.claim.rsplit('-', 1)[-1]} to {mean:.4f} (worst {worst:.4f}), {self.guarantee}; {time_}"

    def as_dict(self) -> dict[str, Any]:
        """Every number, ready for JSON."""
        return {"name": self.name, "guarantee": self.guarantee, "seconds": self.seconds, "score": self.score.as_dict()}


def explanation_rows(
    model: Callable[..., Any],
    x: Any,
    inp: Action,
    out: Action,
    *,
    explainers: Mapping[str, Any] | Iterable[Any] = (),
    target: Any = None,
    elements: int | Element = ELEMENTS,
    generator: torch.Generator | None = None,
    scale: float = 1.0,
    left_out: dict[str, str] | None = None,
) -> tuple[ExplainerRow, ...]:
    """Score the library's quick explainers and the given ones on a few data.

    Explained is the output of the target's class, or the sum of scalar outputs, or the squared norm of outputs that an orthogonal
    representation moves. Where the group does not act linearly (translations of points) attributions entry by entry have no action, and
    only the given explainers are scored. Parts that the whole batch shares are held fixed.

    Where ``left_out`` is given, an explainer that cannot explain the model (one without gradients) leaves its reason there instead of
    raising it.

    >>> import erlangen as er
    >>> C = er.Cyclic(6)
    >>> rows = explanation_rows(lambda x: x.square().sum(-1), torch.randn(4, 6), C.vector, C.scalar)
    >>> [(row.name, row.guarantee) for row in rows][:2]
    [('Saliency', 'guaranteed'), ('Input x Gradient', 'guaranteed')]
    """
    from erlangen.actions.ragged import segment_of, some_of

    if segment_of(inp, x) is not None and not explainers:
        return ()
    some = some_of(inp, x, slice(DATA)) if segment_of(inp, x) is None else x
    classes = target[:DATA] if isinstance(target, Tensor) and target.ndim else target
    options = _elements(inp, some, elements, generator, scale)
    rows = []

    def add(name: str, asked: Any, explainer: Any, action: Action, how: str, data: Any, wanted: Any) -> None:
        try:
            rows.append(_row(name, asked, explainer, action, how, data, wanted, options))
        except Exception as error:
            if left_out is None:
                raise
            left_out[name] = f"{error}"

    with evaluating(model):
        held, moving, parts = without_shared(model, inp, some)
        explained = _quantity(held, moving, out, classes)
        if explained is not None:
            explanation = "dual" if movement(moving) == "linear" else "same"
            for own in _own(explained, moving, parts):
                how = explanation if isinstance(own, Saliency) else "same"
                add(own.name, explained, own, moving, how, parts, None)
        for name, given in _named(explainers):
            add(name, model, given, inp, "same", some, classes)
    return tuple(rows)


def _own(explained: Callable[..., Any], inp: Action, x: Any) -> list[Explainer]:
    leaves = [t for t in optree.tree_leaves(x) if isinstance(t, Tensor) and t.is_floating_point()]
    if not leaves or movement(inp) == "other":
        return []
    found: list[Explainer] = [Saliency(explained), InputXGradient(explained), IntegratedGradients(explained, steps=8)]
    if sum(t[0].numel() for t in leaves) <= MOST_ENTRIES:
        found.append(FeatureAblation(explained))
    return found


def _named(explainers: Mapping[str, Any] | Iterable[Any]) -> list[tuple[str, Explainer]]:
    if isinstance(explainers, Mapping):
        return [(name, as_explainer(given)) for name, given in explainers.items()]
    return [(given.name, given) for given in map(as_explainer, explainers)]


def _quantity(model: Callable[..., Any], inp: Action, out: Action, target: Any) -> Callable[..., Any] | None:
    """The invariant number that is explained; ``None`` where the output has none."""
    if not (isinstance(out, Rep) and out.is_orthogonal):
        return None
    several = isinstance(inp, Record) and isinstance(inp.parts, tuple)

    def quantity(*args: Any) -> Tensor:
        y = call_model(model, inp, args if several else args[0])
        if out.data_shape:
            return y.reshape(len(y), -1).square().sum(1)
        if isinstance(target, Tensor) and target.ndim and y.ndim > 1:
            # Copies of data stand together, so each class is repeated as often as they are.
            return chosen(y, target.repeat_interleave(len(y) // len(target), 0))
        return chosen(y, target)

    return quantity


def _elements(inp: Action, x: Any, elements: int | Element, generator: torch.Generator | None, scale: float) -> dict[str, Any]:
    group = inp.group
    if not isinstance(elements, int):
        return {"elements": group.take(elements, slice(ELEMENTS))}
    count = min(elements, ELEMENTS)
    if group.order <= count:
        return {}
    leaf = next((t for t in optree.tree_leaves(x) if isinstance(t, Tensor) and t.is_floating_point()), None)
    dtype = torch.get_default_dtype() if leaf is None else leaf.dtype
    return {"elements": elements_of(group, count, seeded(generator), dtype, scale)}


def _row(
    name: str, model: Any, explainer: Explainer, inp: Action, explanation: str, x: Any, target: Any, options: dict[str, Any]
) -> ExplainerRow:
    explainer = explainer.bound(inp)
    start = time.perf_counter()
    try:
        explainer(x, target)
    except UnsupportedError as error:
        return _impossible(name, explainer, inp, str(error))
    seconds = (time.perf_counter() - start) / batch_size(inp, x)
    score = ExplanationRobustness(model, explainer, inp, explanation).score(x, target, **options)
    return ExplainerRow(name, score, guarantee(explainer, model, inp, x, explanation=explanation), seconds)


def _impossible(name: str, explainer: Explainer, inp: Action, reason: str) -> ExplainerRow:
    """The row of an explainer that cannot explain this model."""
    unknown = dict.fromkeys(("mean", "worst", "standard_error", "model_invariance", "threshold", "degenerate"), math.nan)
    claim = f"explanations by {explainer.name} are {inp.group}-{explainer.kind[:-2]}t"
    return ExplainerRow(name, Verdict(False, claim, "statistical", numbers=unknown, reason=reason), f"none: {reason}", math.nan)
