"""`symmetrize_explainer`: any explainer made to respect a group, by the code that symmetrizes models."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.actions.batches import batch_size
from erlangen.actions.records import Record, as_action
from erlangen.errors import ArgumentError
from erlangen.measure.explain.drawing import LARGEST_GROUP
from erlangen.measure.explain.explainers import Explainer, Kind, Needs, as_explainer
from erlangen.measure.explain.fixed import FixedElements
from erlangen.measure.explain.moving import explanation_action
from erlangen.measure.explain.robustness import ROWS
from erlangen.symmetrize.frames import AllElements


class SymmetrizedExplainer(Explainer):
    """An explainer averaged over a group; made by :func:`symmetrize_explainer`.

    Attributes:
        as_data: explanations have the structure of the data.
        averaged: the :class:`~erlangen.symmetrize.Symmetrized` map from data to explanations.
        is_exact: whether all elements are averaged over.
    """

    def __init__(
        self, explainer: Explainer, inp: Action, out: Action, kind: Kind, n: int | None, seed: int, round: bool, as_data: bool
    ) -> None:
        from erlangen.symmetrize.choose import symmetrize

        self.explainer, self.inp, self.kind, self.round = explainer, inp, kind, round
        self.as_data = as_data
        self.stochastic, self.is_exact = explainer.stochastic, n is None or n == inp.group.order
        self.name = f"{explainer.name}, averaged" if self.is_exact else f"{explainer.name}, averaged over {n}"
        frame = AllElements() if self.is_exact else FixedElements.drawn(inp.group, n or 1, seed)
        self.averaged: Any = symmetrize(_Numbers(explainer, inp), inp, out, frame=frame, check=False)  # type: ignore[arg-type]

    @property
    def batchwise(self) -> bool:  # type: ignore[override]
        return self.explainer.batchwise

    def explain(self, x: Any, target: Any) -> Any:
        size = batch_size(self.inp, x)
        averaged = copy.copy(self.averaged)
        # One element at a time keeps the batch as it is, where explanations depend on it.
        averaged.chunk = 1 if self.batchwise else max(1, ROWS // max(1, size))
        if self.as_data and isinstance(self.inp, Record):  # parts without real numbers have no attributions
            real = [isinstance(part, Tensor) and part.is_floating_point() for part in self.inp.flatten(x)]
            kept = [leaf if is_real else None for leaf, is_real in zip(averaged.out.leaves, real)]
            averaged.out = Record(self.inp.unflatten(kept), self.inp.group)
        if isinstance(target, int):
            target = torch.full((size,), target)
        keywords = {} if target is None else {"target": target}
        found = averaged(x, **keywords) if not isinstance(x, tuple) else averaged(*x, **keywords)
        # Averages of yes and no; half of them is yes, whatever the rounding of the sum.
        return found >= 0.5 - 1e-6 if self.round else found

    def needs(self, x: Any) -> Needs | None:
        if self.is_exact:
            return Needs(chance="explanations that are averaged are random" if self.stochastic else "", any_model=True)
        return self.explainer.needs(x)


class _Numbers:
    """An explainer as a model: called with the data and ``target=``; what says yes or no becomes numbers."""

    def __init__(self, explainer: Explainer, inp: Action) -> None:
        self.explainer, self.inp = explainer, inp

    def __call__(self, *args: Any, target: Any = None, **record: Any) -> Tensor:
        x = record or (args if len(args) > 1 else args[0])
        if (
            isinstance(target, Tensor) and target.ndim
        ):  # a keyword is shared; copies of a datum stand together, and so do their targets
            target = target.repeat_interleave(batch_size(self.inp, x) // len(target), 0)
        found = self.explainer(x, target)
        return found if not isinstance(found, Tensor) or found.is_floating_point() else found.double()


def symmetrize_explainer(
    explainer: Any,
    inp: Any,
    kind: str | None = None,
    n: int | None = None,
    *,
    explanation: Any = "same",
    round: bool = False,
    seed: int = 0,
) -> SymmetrizedExplainer:
    """Average an explainer over a group, so that its explanations respect it whatever the model.

    An explanation is a map from data to attributions, so this is :func:`erlangen.symmetrize` of it: with ``kind="equivariant"`` the
    Reynolds average ``1/|G| sum_g rho'(g)^-1 e(g x)``, with ``kind="invariant"`` the plain one ``1/|G| sum_g e(g x)``.

    Args:
        explainer: an :class:`Explainer`, a method of captum, or a function ``(x, target)``.
        inp: how the group, a finite one, acts on the data.
        kind: ``"equivariant"`` or ``"invariant"``; by default what suits the explainer.
        n: average over the identity and ``n - 1`` other elements, drawn once without replacement: cheaper, and only approximate. By
            default over all.
        explanation: how explanations move, as for :class:`ExplanationRobustness`.
        round: explanations that say yes or no say so again after averaging.
        seed: of the elements.

    Raises:
        ArgumentError: ``kind`` is unknown, ``n`` is not between 1 and the order, or the group is too large to be gone through.

    Source: Crabbé & van der Schaar 2023, arXiv:2304.06715, section 3.

    >>> import erlangen as er
    >>> C, x = er.Cyclic(4), torch.tensor([[1.0, 2.0, 3.0, 4.0]])
    >>> symmetrize_explainer(lambda x, target: x.cumsum(1), C.vector, "invariant")(x)
    tensor([[ 2.5000,  5.0000,  7.5000, 10.0000]])
    """
    inp = as_action(inp, "inp")
    explainer = as_explainer(explainer).bound(inp)
    kinds: dict[str, Kind] = {"equivariant": "equivariance", "invariant": "invariance"}
    kind = kind or f"{explainer.kind[:-2]}t"
    if kind not in kinds:
        raise ArgumentError("kind", "'equivariant' or 'invariant'", repr(kind))
    order = inp.group.order
    if n is None and (order > LARGEST_GROUP):
        raise ArgumentError("n", f"a number of elements, for {inp.group} is too large to go through", repr(n))
    if n is not None and (not isinstance(n, int) or not 1 <= n <= order):
        raise ArgumentError("n", f"a number of elements from 1 to the order, {order}", repr(n))
    out = explanation_action(inp, explanation) if kind == "equivariant" else inp.group.scalar
    as_data = kind == "equivariant" and isinstance(explanation, str)
    return SymmetrizedExplainer(explainer, inp, out, kinds[kind], n, seed, round, as_data)
