"""`audit`: what a reviewer asks of a model - is it equivariant, do its explanations move along, what does it cost?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optree
import torch
from torch import Tensor

from erlangen.actions.batches import batch_size
from erlangen.actions.records import as_action
from erlangen.equivariance.error import call_model, equivariance_error
from erlangen.groups.base import Element
from erlangen.measure.cost import Cost, measure_cost
from erlangen.measure.explain.pullback import explanation_equivariance
from erlangen.measure.explain.table import ExplainerRow, explanation_rows
from erlangen.verdict import Verdict


@dataclass(frozen=True)
class Audit:
    """The answer of :func:`audit`: verdicts and cost, printable, and a report in one HTML file.

    Attributes:
        subject, group, data: what was audited, under which group, on what.
        equivariance: of the model.
        explanations: whether gradients move along with the data, by the chain rule; ``None`` where the output has no invariant size.
        cost: of one call.
        inexact: the layers that were made with ``allow_inexact=True``: their names, and the verdict on them.
        robustness: a row for each explainer: its score, what is guaranteed beforehand, and its cost.
        left_out: what was not measured, and why: explanations of a model without gradients, of exact data.
    """

    subject: str
    group: str
    data: str
    equivariance: Verdict
    explanations: Verdict | None
    cost: Cost
    inexact: Mapping[str, Verdict] = field(default_factory=dict)
    robustness: tuple[ExplainerRow, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [f"audit of {self.subject} under {self.group} on {self.data}", f"  equivariance: {self.equivariance}"]
        if self.explanations is not None:
            lines.append(f"  explanations: {self.explanations}")
        lines += [f"    {row}" for row in self.robustness]
        lines += [f"  not measured: {name}: {reason}" for name, reason in self.left_out.items()]
        lines += [f"  inexact on purpose: {name}: {verdict}" for name, verdict in self.inexact.items()]
        lines.append(f"  cost: {self.cost.samples_per_second:,.0f} samples/s, {self.cost.parameters:,} parameters")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """Every number, ready for JSON."""
        return {
            "subject": self.subject,
            "group": self.group,
            "data": self.data,
            "equivariance": self.equivariance.as_dict(),
            "explanations": None if self.explanations is None else self.explanations.as_dict(),
            "robustness": [row.as_dict() for row in self.robustness],
            "cost": vars(self.cost).copy(),
            "left_out": dict(self.left_out),
            "inexact": {name: verdict.as_dict() for name, verdict in self.inexact.items()},
        }

    def report(self, path: str | Path) -> Path:
        """Write a self-contained HTML page, atomically, and return its path."""
        from erlangen.measure.audit_report import write_report

        return write_report(self, Path(path))


def audit(
    model: Callable[..., Any],
    x: Any,
    inp: Any,
    out: Any,
    *,
    elements: int | Element = 32,
    tolerance: float | None = None,
    generator: torch.Generator | None = None,
    scale: float = 1.0,
    explainers: Mapping[str, Any] | Iterable[Any] = (),
    target: Any = None,
) -> Audit:
    """Audit any callable under a group.

    Explanations are scored on at most 16 data and 8 elements: the gradient, input times gradient, integrated gradients and (for small data)
    feature ablation, and the given ones; :class:`erlangen.measure.ExplanationRobustness` scores one of them thoroughly. What cannot be
    measured (gradients of a model that has none, of exact data) is left out, with the reason.

    Args:
        model, x, inp, out, elements, tolerance, scale: as for :func:`erlangen.equivariance_error`.
        generator: source of randomness; by default each measure has one with a fixed seed.
        explainers: more explainers of ``model`` to score, by name or in a list: methods of captum, functions ``(x, target)`` ...
        target: what is explained: a class, or classes ``[B]``; by default the sum of scalar outputs, or the squared norm of others.

    Returns:
        an :class:`Audit`: ``print`` it, or write ``audit.report("audit.html")``. Explanations are left out (``None``) where the output
        has no invariant size to explain.

    >>> import erlangen as er
    >>> G = er.SO(3)
    >>> result = er.audit(torch.nn.Linear(3, 3), torch.randn(16, 3), G.vector, G.vector)
    >>> result.equivariance.holds
    False
    """
    inp, out = as_action(inp, "inp"), as_action(out, "out")
    options: dict[str, Any] = {"elements": elements, "generator": generator, "scale": scale}
    equivariance = equivariance_error(model, x, inp, out, tolerance=tolerance, **options)
    left_out: dict[str, str] = {}
    explanations: Verdict | None = None
    rows: tuple[ExplainerRow, ...] = ()
    shapes = ", ".join(str(tuple(t.shape)) for t in optree.tree_leaves(x) if isinstance(t, Tensor))
    if shapes:
        size, about = batch_size(inp, x), f"data of shape {shapes}"
        try:
            explanations = explanation_equivariance(model, x, inp, out, **options)
        except Exception as error:
            left_out["explanations"] = f"{error}"
        if explanations is not None and explanations["degenerate"] == 1:
            left_out["explanations"] = (
                "all gradients are zero, to rounding, as where an output vanishes by symmetry: they explain nothing"
            )
            explanations = None
        else:
            rows = explanation_rows(model, x, inp, out, explainers=explainers, target=target, left_out=left_out, **options)
    else:
        size, about = len(x), "exact data"
        left_out["explanations"] = "exact data have no gradients"
    return Audit(
        subject=getattr(model, "__name__", type(model).__name__),
        group=str(inp.group),
        data=f"{size} {about}",
        equivariance=equivariance,
        explanations=explanations,
        cost=measure_cost(lambda: call_model(model, inp, x) if shapes else [call_model(model, inp, d) for d in x], size, model),
        inexact=inexact_layers(model),
        robustness=rows,
        left_out=left_out,
    )


def inexact_layers(model: Any) -> dict[str, Verdict]:
    """The layers of a model that say of themselves that they are not equivariant (:class:`erlangen.nn.PointwiseActivation`)."""
    if not isinstance(model, torch.nn.Module):
        return {}
    verdicts = ((name, getattr(module, "verdict", None)) for name, module in model.named_modules())
    return {name or "model": verdict for name, verdict in verdicts if isinstance(verdict, Verdict) and not verdict}
