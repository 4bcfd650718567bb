"""Relaxed invariance: how explanations lose their robustness as models lose their symmetry, datum by datum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.verdict import Verdict


@dataclass(frozen=True)
class Relaxation:
    """Pairs of model invariance and explanation score, over several models.

    Attributes:
        pairs: for each model ``(invariance [B], scores [B])``.
        spearman: the rank correlation over all pairs; NaN where one side is constant.
        p_value: of no correlation.
    """

    pairs: dict[str, tuple[Float[Tensor, " B"], Float[Tensor, " B"]]]
    spearman: float
    p_value: float


def relaxation(verdicts: Mapping[str, Verdict], digits: int = 9) -> Relaxation:
    """The pairs of several models under one explainer, and their Spearman correlation.

    Args:
        verdicts: for each model, the answer of :meth:`ExplanationRobustness.score`.
        digits: values that agree to so many digits after the point are ties: exact invariance must not be ranked by its rounding.

    Source: Crabbé & van der Schaar 2023, arXiv:2304.06715, section 4.3.

    >>> import erlangen as er
    >>> from erlangen.measure.explain import ExplanationRobustness, Saliency
    >>> C, x = er.Cyclic(5), torch.randn(8, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    >>> weights = torch.arange(5.0, dtype=torch.float64)
    >>> models = {str(a): lambda t, a=a: ((1 + a * weights) * t.square()).sum(-1) for a in (0.0, 0.1, 1.0)}
    >>> found = relaxation({name: ExplanationRobustness(f, Saliency(f), C.vector).score(x) for name, f in models.items()})
    >>> found.spearman > 0.5
    True
    """
    from scipy.stats import spearmanr

    if not verdicts:
        raise ArgumentError("verdicts", "the answers for at least one model", "none")
    pairs = {name: (v.witness.model_invariance, v.witness.per_example) for name, v in verdicts.items()}
    invariance, scores = (torch.cat([pair[i] for pair in pairs.values()]).round(decimals=digits) for i in (0, 1))
    told = ~scores.isnan()  # data all of whose explanations are zero say nothing
    invariance, scores = invariance[told], scores[told]
    if len(invariance.unique()) < 2 or len(scores.unique()) < 2:
        return Relaxation(pairs, float("nan"), float("nan"))
    found = spearmanr(invariance.numpy(), scores.numpy())
    return Relaxation(pairs, float(found.statistic), float(found.pvalue))
