"""`guarantee`: whether an explainer is bound to respect a symmetry, known before anything is scored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import optree
import torch
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.actions.records import Record, as_action
from erlangen.equivariance.error import call_model
from erlangen.groups.base import Element
from erlangen.linalg import relative_error
from erlangen.measure.explain.explainers import Needs, as_explainer
from erlangen.measure.explain.moving import movement
from erlangen.training.modes import evaluating

#: The paper's table: family, members, what is guaranteed, on which condition.
TABLE = (
    (
        "gradients",
        "Saliency, Input x Gradient, Integrated Gradients, DeepLift, GradientShap",
        "equivariance",
        "the group permutes entries (Saliency: keeps lengths), and the baseline is invariant; random baselines and noise break it",
    ),
    (
        "perturbations",
        "Feature Ablation, Occlusion, Feature Permutation, KernelShap",
        "equivariance",
        "the group permutes entries, the replacement is invariant, and masks are mapped to masks; random masks break it",
    ),
    ("losses of examples", "TracIn, influence functions", "invariance", "the model is invariant for all weights of its last layer"),
    ("representations of examples", "SimplEx, RepSim", "invariance", "the layer is invariant"),
    ("concepts", "CAV, CAR", "invariance", "the layer is invariant"),
)

_ENOUGH = {
    "permutation": ("permutation",),
    "isometry": ("permutation", "isometry"),
    "linear": ("permutation", "isometry", "linear"),
    "other": ("permutation", "isometry", "linear", "other"),
}


def guarantee(
    explainer: Any,
    model: Callable[..., Any],
    inp: Any,
    x: Any = None,
    *,
    kind: str | None = None,
    explanation: Any = "same",
    tolerance: float | None = None,
) -> str:
    """Whether explanations of an invariant model must respect its symmetry.

    The conditions are looked at, not assumed: how the group moves entries, whether the baseline moves, whether masks are mapped to masks,
    whether the layer or the model is invariant on ``x`` (under generators and a few random elements). It never scores explanations.

    Args:
        explainer: an :class:`Explainer`, a method of captum, or a function.
        model: what is explained.
        inp: how the group acts on the data.
        x: data on which the model is seen to be invariant or not; without them that stays a condition.
        kind: ``"equivariance"`` or ``"invariance"``; by default what suits the explainer.
        explanation: how explanations should move, as for :class:`ExplanationRobustness`.
        tolerance: relative error that counts as invariant; by default 1e-8 in float64, else 1e-4.

    Returns:
        ``"guaranteed"``, ``"conditional: ..."`` with what is left to hold, or ``"none: ..."`` with the reason.

    Source: Crabbé & van der Schaar 2023, arXiv:2304.06715, propositions 1 to 5.

    >>> import erlangen as er
    >>> from erlangen.measure.explain import IntegratedGradients
    >>> ring, C = lambda x: (x * x.roll(1, -1)).sum(-1), er.Cyclic(5)
    >>> guarantee(IntegratedGradients(ring), ring, C.vector, torch.randn(4, 5))
    'guaranteed'
    >>> guarantee(IntegratedGradients(ring, baseline=torch.arange(5.0)), ring, C.vector, torch.randn(4, 5))
    'none: the baseline is moved'
    >>> guarantee(IntegratedGradients(ring), ring, er.SO(5).vector)
    'none: the group does not permute entries'
    """
    explainer, inp = as_explainer(explainer), as_action(inp, "inp")
    kind = kind or explainer.kind
    with evaluating(model):
        needs = explainer.needs(x)
        if needs is None:
            return f"none: nothing is known of {explainer.name}"
        if kind != explainer.kind:
            return f"none: explanations by {explainer.name} are to be {explainer.kind[:-2]}t, not {kind[:-2]}t"
        left = [needs.chance] if needs.chance else []
        reason = _moves(needs, inp, explanation, left) if kind == "equivariance" else ""
        reason = reason or _represents(needs, inp, x, left, tolerance)
        # An invariant layer is all that representations need; the model then need not even be asked.
        if not reason and needs.represent is None and not needs.any_model:
            reason = _invariant(lambda t: call_model(model, inp, t), inp, x, left, tolerance, "the model")
    if reason:
        return f"none: {reason}"
    return f"conditional: {'; '.join(left)}" if left else "guaranteed"


def _moves(needs: Needs, inp: Action, explanation: Any, left: list[str]) -> str:
    """Why explanations cannot be bound to move along; what is left to hold is appended."""
    needed = needs.movement
    by_dual = isinstance(explanation, str) and explanation == "dual"
    if needed == "isometry" and by_dual:
        needed = "linear"
    found = movement(inp)
    if found not in _ENOUGH[needed]:
        return {
            "permutation": "the group does not permute entries",
            "isometry": "the group does not keep lengths; gradients move by the dual action (explanation='dual')",
            "linear": "the group does not act linearly",
        }[needed]
    if needed != "other" and not isinstance(explanation, str) and explanation is not inp:
        left.append("explanations move as the data do")
    if isinstance(needs.baseline, Tensor) and needs.baseline.ndim and needed == "permutation":
        if isinstance(inp, Record):
            left.append("the baseline is invariant")
        elif not _stays(inp, needs.baseline):
            return "the baseline is moved"
    if needs.masks is not None:
        if isinstance(inp, Record):
            left.append("masks are mapped to masks")
        elif not _maps_to_itself(inp, needs.masks):
            return "masks are not mapped to masks"
    return ""


def _represents(needs: Needs, inp: Action, x: Any, left: list[str], tolerance: float | None) -> str:
    if needs.represent is None:
        return ""
    return _invariant(needs.represent, inp, x, left, tolerance, "the layer")


def _invariant(what: Callable[[Any], Any], inp: Action, x: Any, left: list[str], tolerance: float | None, name: str) -> str:
    leaf = next((t for t in optree.tree_leaves(x) if isinstance(t, Tensor) and t.is_floating_point()), None)
    if x is None or (leaf is not None and not leaf.numel()):
        left.append(f"{name} is invariant")
        return ""
    wide = leaf is not None and leaf.dtype == torch.float64
    precision = torch.float64 if leaf is None else leaf.dtype
    limit = tolerance if tolerance is not None else (1e-8 if wide else 1e-4)
    with torch.no_grad():
        here = what(x)
        for batch in probes(inp, torch.float64 if wide else torch.float32):
            (count,) = inp.group.batch_shape(batch)
            for i in range(count):
                change = what(inp.act(inp.group.take(batch, i), x)) - here
                summed = torch.stack([t.double().norm() for t in (here, leaf) if t is not None]).amax()
                error = float(relative_error(change.double().norm(), here.double().norm(), summed, precision))
                if not error <= limit:
                    return f"{name} is not invariant (relative error {error:.1e})"
    return ""


def probes(action: Action, dtype: torch.dtype) -> list[Element]:
    """Elements that an invariance is tried on: the discrete generators, and six at random."""
    group = action.group
    found = [group.sample(6, generator=torch.Generator().manual_seed(1), dtype=dtype)]
    if group.generators is not None:
        found.append(group.generators)
    return found


def _stays(inp: Action, baseline: Tensor) -> bool:
    for g in probes(inp, torch.float64):
        moved = inp.act(g, baseline.double().unsqueeze(0))
        if (moved - baseline.double()).abs().max() > 1e-9 * baseline.abs().max():
            return False
    return True


def _maps_to_itself(inp: Action, masks: Tensor) -> bool:
    """Whether the set of masks ``[m, *datum]`` is mapped to itself by every generator and a few more."""
    own = {row.tobytes() for row in masks.flatten(1).numpy()}
    for batch in probes(inp, torch.float64):
        (count,) = inp.group.batch_shape(batch)
        for i in range(count):
            moved = inp.act(inp.group.take(batch, i), masks.double()).round().bool().flatten(1)
            if any(row.tobytes() not in own for row in moved.numpy()):
                return False
    return True
