"""How well a score tells two classes apart: the area under the ROC curve, with its interval."""

from __future__ import annotations

import math

from torch import Tensor

from erlangen.errors import ArgumentError


def auc(score: Tensor, label: Tensor) -> float:
    """Area under the ROC curve: how often a member of class 1 scores above one of class 0, ties counting half.

    Args:
        score: ``[N]``.
        label: ``[N]``, 0 or 1, both present.

    >>> import torch
    >>> auc(torch.tensor([0.1, 0.4, 0.35, 0.8]), torch.tensor([0, 0, 1, 1]))
    0.75
    """
    from scipy.stats import rankdata

    positive = (label == 1).cpu().numpy()
    m, n = int(positive.sum()), int((~positive).sum())
    if not m or not n:
        raise ArgumentError("label", "members of both classes", f"{m} of class 1, {n} of class 0")
    ranks = rankdata(score.detach().double().cpu().numpy())
    return float((ranks[positive].sum() - m * (m + 1) / 2) / (m * n))


def auc_interval(value: float, positives: int, negatives: int, confidence: float = 0.95) -> tuple[float, float]:
    """The interval of an area under the curve, from the number of members of each class.

    Source: J. A. Hanley and B. J. McNeil, "The meaning and use of the area under a ROC curve", Radiology 143 (1982).

    >>> [round(end, 3) for end in auc_interval(0.5, 100, 100)]
    [0.42, 0.58]
    """
    from scipy.stats import norm

    q1, q2 = value / (2 - value), 2 * value**2 / (1 + value)
    variance = value * (1 - value) + (positives - 1) * (q1 - value**2) + (negatives - 1) * (q2 - value**2)
    half = float(norm.ppf(0.5 + confidence / 2)) * math.sqrt(max(variance, 0.0) / (positives * negatives))
    return max(value - half, 0.0), min(value + half, 1.0)
