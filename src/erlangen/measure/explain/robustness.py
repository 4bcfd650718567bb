"""`ExplanationRobustness`: does an explanation respect the symmetry of what it explains? Two scores, batched over the group."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import optree
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from erlangen.actions.batches import batch_size
from erlangen.actions.records import as_action
from erlangen.equivariance.error import call_model, seeded
from erlangen.errors import ArgumentError
from erlangen.groups.base import Element
from erlangen.linalg.relative import ROUNDINGS
from erlangen.measure.explain.drawing import Elements, elements_for, inverse
from erlangen.measure.explain.explainers import as_explainer, as_target
from erlangen.measure.explain.moving import explanation_action, flat, move
from erlangen.measure.explain.similarity import SIMILARITIES, hoeffding, similarity_for
from erlangen.training.modes import evaluating
from erlangen.verdict import Verdict

#: Moved data that are explained in one batch: enough to forget what a call costs, few enough for a processor's cache.
ROWS = 128


@dataclass(frozen=True)
class ExplanationScores:
    """Every number behind a robustness verdict (its ``witness``).

    Attributes:
        scores: ``[B, k]``: the similarity of each datum's explanation under each element; NaN where both explanations are zero, which is no
            agreement.
        model_invariance: ``[B]``: the mean similarity of the model's outputs, at most 1.
        elements: the elements, ``[k, *element_shape]``, or ``[B, k, ...]`` when each datum had its own.
    """

    scores: Float[Tensor, "B k"]
    model_invariance: Float[Tensor, " B"]
    elements: Element

    @property
    def per_example(self) -> Float[Tensor, " B"]:
        """The score of each datum, the mean over elements; NaN where all of its explanations are zero."""
        return self.scores.nanmean(1)

    @property
    def degenerate(self) -> Bool[Tensor, "B k"]:
        """Where both explanations are zero."""
        return self.scores.isnan()


class ExplanationRobustness:
    """How invariant or equivariant the explanations of a model are under a group that acts on its data.

    Args:
        model: what is explained; called with the data. Its own invariance is reported beside every score.
        explainer: an :class:`Explainer`, a method of captum, or a function ``(x, target)``.
        inp: how the group acts on the data, as for :func:`erlangen.symmetrize`.
        explanation: how it should act on explanations: ``"same"`` as on the data, ``"dual"`` (gradients under actions that do not
            keep lengths), or an action.
        similarity: ``"cosine"``, ``"accuracy"`` (the default for explanations that say yes or no), ``"relative_l2"``, or
            ``"cosine_offset"``, the reference implementation's.
        rows: at most so many moved data are explained in one batch.

    Source: Crabbé & van der Schaar, "Evaluating the Robustness of Interpretability Methods through Explanation Invariance and
    Equivariance", NeurIPS 2023, arXiv:2304.06715.

    >>> import erlangen as er
    >>> from erlangen.measure.explain import IntegratedGradients
    >>> ring = lambda x: (x * x.roll(1, -1)).sum(-1)
    >>> C, x = er.Cyclic(5), torch.tensor([[1.0, 2.0, 3.0, -1.0, 0.5]], dtype=torch.float64)
    >>> verdict = ExplanationRobustness(ring, IntegratedGradients(ring), C.vector).score(x)
    >>> verdict.how, round(verdict["mean"], 12)
    ('exhaustive', 1.0)
    """

    def __init__(
        self,
        model: Callable[..., Any],
        explainer: Any,
        inp: Any,
        explanation: Any = "same",
        *,
        similarity: str | None = None,
        rows: int = ROWS,
    ) -> None:
        self.model, self.inp = model, as_action(inp, "inp")
        self.explainer = as_explainer(explainer).bound(self.inp)
        self.explanation = explanation_action(self.inp, explanation) if self.explainer.kind == "equivariance" else None
        if rows < 1:
            raise ArgumentError("rows", "a positive number of data in one batch", repr(rows))
        similarity_for(similarity, torch.empty(0))
        self._spec, self.similarity, self.rows = explanation, similarity, rows

    def score(
        self,
        x: Any,
        y: Any = None,
        kind: str | None = None,
        n: int | None = None,
        *,
        elements: Element | None = None,
        generator: torch.Generator | None = None,
        threshold: float = 0.9999,
        confidence: float = 0.95,
    ) -> Verdict:
        """The mean similarity of explanations of moved data with (moved) explanations of the data.

        Args:
            x: a batch of data, leading axis ``B``.
            y: what is explained, ``[B]`` classes, one class, or ``None``.
            kind: ``"equivariance"`` compares ``e(g x)`` with ``g e(x)``, ``"invariance"`` with ``e(x)``; by default what suits the
                explainer.
            n: so many random elements for each datum; by default all elements of the group. Of a group without Haar samples the mean
                is by the law that it draws from, and the verdict's reason names it.
            elements: these elements instead, ``[k, *element_shape]``, closed under the product or not.
            generator: source of randomness; by default one with a fixed seed.
            threshold: the mean score from which the answer is yes.
            confidence: level of the interval.

        Returns:
            a :class:`Verdict` with numbers ``mean``, ``worst`` (example), ``standard_error``, ``model_invariance`` and ``degenerate``, the
            share of pairs of explanations that are both zero and count nowhere (with nothing else the answer is no, and the mean NaN), and
            :class:`ExplanationScores` as witness. Gone through all elements, scores of these data are exact: there is no interval, and
            the standard error is that over examples. With ``n`` the interval is Hoeffding's, for the exact score of these data, and so
            is the standard error.

        Raises:
            ArgumentError: there are no data, ``kind`` is unknown, the group is too large to go through, or explanations
                have NaN or do not move.

        Warns:
            UserWarning: the model gives the same data different outputs, so that scores hold its chance, too.
        """
        kind, generator = kind or self.explainer.kind, seeded(generator)
        if kind not in ("equivariance", "invariance"):
            raise ArgumentError("kind", "'equivariance' or 'invariance'", repr(kind))
        action = None
        if kind == "equivariance":
            action = self.explanation or explanation_action(self.inp, self._spec)
        size, y = batch_size(self.inp, x), as_target(y)
        if not size:
            raise ArgumentError("x", "at least one datum", "none")
        with evaluating(self.model):
            here = self.explainer(x, y, generator)
            explainer = self.explainer.again()
            # Data that are one tensor reach the explainer's model as they reach this one.
            own = isinstance(x, Tensor) and getattr(explainer, "model", None) is self.model
            every = elements_for(self.inp, x, size, n, elements, generator)
            outputs = self._outputs(x)
            _warn_random(outputs, self._outputs(x))
            similarity = similarity_for(self.similarity, optree.tree_leaves(here)[0])
            least = _rounding(flat(None, here, size, 1))
            scores, alike = [], []
            for g in self._chunks(every.per_datum, size):
                seen, k = self._moved(x, g), self.inp.group.batch_shape(g)[1]
                target = y.repeat_interleave(k, 0) if isinstance(y, Tensor) and y.ndim else y
                explained, told = explainer.with_outputs(seen, target, generator)
                there = flat(action, explained, size, k)
                want = flat(None, here, size, 1) if action is None else move(action, g, here, x)
                if there.shape[-1] != want.shape[-1]:
                    got = f"{there.shape[-1]} numbers for moved data, {want.shape[-1]} for the data"
                    raise ArgumentError("explanation", "explanations of one size", got)
                scores.append(_scores(similarity, there, want.expand_as(there), least))
                moved = self._outputs(seen) if told is None or not own else _rows(told)
                alike.append(_outputs_alike(moved.unflatten(0, (size, k)), outputs.unsqueeze(1)))
        found = ExplanationScores(torch.cat(scores, 1).double(), torch.cat(alike, 1).double().mean(1), every.elements)
        return self._verdict(kind, found, every, similarity, threshold, confidence)

    # ---- parts ----

    def _outputs(self, x: Any) -> Float[Tensor, "B c"]:
        with torch.no_grad():
            return _rows(call_model(self.model, self.inp, x))

    def _moved(self, x: Any, g: Element) -> Any:
        """``g x`` for elements ``[B, k]``, leading axis ``B * k``, by the code that symmetrizes models."""
        from erlangen.symmetrize.symmetrized import canonical

        return canonical(self.inp, x, inverse(self.inp.group, g))

    def _chunks(self, every: Element, size: int) -> Iterator[Element]:
        group = self.inp.group
        k = group.batch_shape(every)[1]
        step = 1 if self.explainer.batchwise else max(1, self.rows // max(1, size))
        for start in range(0, k, step):
            yield group.take(every, (slice(None), slice(start, start + step)))

    def _verdict(
        self, kind: str, found: ExplanationScores, every: Elements, similarity: str, threshold: float, confidence: float
    ) -> Verdict:
        size, k = found.scores.shape
        told, mean = found.scores[~found.degenerate], float(found.scores.nanmean())
        interval = None
        if every.drawn and len(told):
            half = hoeffding(len(told), confidence, similarity)
            interval = (max(mean - half, -1.0), min(mean + half, 1.0))
        # What varies by chance: the draws, or, where all elements were gone through, the examples.
        examples = found.per_example[~found.per_example.isnan()]
        values = told if every.drawn else examples
        reason = f"{similarity} on {size} data{every.about}"
        if len(told) < size * k:
            reason += f"; {size * k - len(told)} of {size * k} pairs of explanations are zero, to rounding, and say nothing"
        return Verdict(
            holds=mean >= threshold,
            claim=f"explanations by {self.explainer.name} are {self.inp.group}-{'equi' if kind == 'equivariance' else 'in'}variant",
            how="exhaustive" if every.whole else "statistical",
            tried=k,
            numbers={
                "mean": mean,
                "worst": float(examples.min()) if len(examples) else math.nan,
                "standard_error": float(values.std()) / math.sqrt(len(values)) if len(values) > 1 else math.nan,
                "model_invariance": float(found.model_invariance.mean()),
                "threshold": threshold,
                "degenerate": 1 - len(told) / (size * k),
            },
            interval=interval,
            confidence=confidence,
            witness=found,
            reason=reason,
        )


def _rows(outputs: Any) -> Float[Tensor, "B c"]:
    """What a model returns, a row for each datum."""
    found = [t.detach() for t in optree.tree_leaves(outputs) if isinstance(t, Tensor)]
    if not found or any(not t.ndim for t in found):
        raise ArgumentError("model", "outputs [B, ...], a row for each datum", [tuple(t.shape) for t in found] or "none")
    return torch.cat([t.reshape(len(t), -1) for t in found], 1)


def _rounding(explanations: Tensor) -> float:
    """A size below which explanations are nothing but rounding beside the others of their batch."""
    if not explanations.is_floating_point() or not explanations.numel():
        return 0.0
    return ROUNDINGS * torch.finfo(explanations.dtype).eps * float(explanations.norm(dim=-1).amax())


def _scores(similarity: str, a: Tensor, b: Tensor, least: float) -> Tensor:
    """The similarity of explanations ``[B, k, d]``; NaN for two of zero, to rounding, of which each is like any other."""
    found = SIMILARITIES[similarity](a, b)
    if similarity == "accuracy":  # no and no do agree
        return found
    return torch.where((a.norm(dim=-1) <= least) & (b.norm(dim=-1) <= least), torch.nan, found)


def _warn_random(one: Tensor, two: Tensor) -> None:
    """Warn of a model that differs from itself by more than rounding."""
    if not one.is_floating_point():
        random = not torch.equal(one, two)
    else:
        rounding = torch.finfo(one.dtype).eps ** 0.5 * float(one.abs().max()) if one.numel() else 0.0
        random = bool(((one - two).abs() > rounding).any())
    if random:
        warnings.warn(
            "the model gives the same data different outputs in evaluation mode (dropout that is always on, sampling): scores and "
            "model_invariance hold its chance, too; fix its random numbers, or explain its mean",
            stacklevel=3,
        )


def _outputs_alike(a: Tensor, b: Tensor) -> Tensor:
    """The cosine of outputs; of a single number, whose cosine is only a sign, the relative distance."""
    return SIMILARITIES["cosine" if a.shape[-1] > 1 else "relative_l2"](a, b.expand_as(a))
