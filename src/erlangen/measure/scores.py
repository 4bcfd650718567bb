"""How well predictions fit: the share of right classes, explained variance, the area under the ROC curve with its interval."""

from __future__ import annotations

import math

from torch import Tensor

from erlangen.errors import ArgumentError


def accuracy(logits: Tensor, label: Tensor) -> float:
    """The share of samples whose class is right.

    Args:
        logits: ``[N, classes]``, the largest names the class; or ``[N]``, of class 1 where positive and of class 0 elsewhere.
        label: ``[N]``, whole numbers.

    Raises:
        ArgumentError: no samples, or shapes that do not fit.

    >>> import torch
    >>> accuracy(torch.tensor([[2.0, 1.0], [0.0, 1.0]]), torch.tensor([0, 0])), accuracy(torch.tensor([-1.0, 3.0]), torch.tensor([0, 1]))
    (0.5, 1.0)
    """
    if logits.ndim not in (1, 2) or not len(logits):
        raise ArgumentError("logits", "[N, classes] or [N], of at least one sample", f"shape {tuple(logits.shape)}")
    if label.shape != logits.shape[:1]:
        raise ArgumentError("label", f"[{len(logits)}], one for each sample", f"shape {tuple(label.shape)}")
    named = (logits > 0).to(label.dtype) if logits.ndim == 1 else logits.argmax(1)
    return float((named == label).double().mean())


def mean_square(prediction: Tensor, target: Tensor) -> float:
    """The mean square error, in double precision.

    Args:
        prediction, target: of as many entries; the target takes the prediction's shape.
    """
    return float((prediction.detach().double() - target.reshape(prediction.shape).double()).square().mean())


def r_squared(prediction: Tensor, target: Tensor) -> float:
    """The coefficient of determination, one for all targets together: one minus the squared error over that of the targets' means.

    Args:
        prediction, target: ``[N, ...]`` of as many entries; the target takes the prediction's shape. In double precision.

    Returns:
        1 for exact predictions, 0 for those of the mean. Of a target that does not vary any error is infinitely large: ``-inf``.

    >>> import torch
    >>> y = torch.tensor([1.0, 2.0, 3.0])
    >>> r_squared(y, y), r_squared(torch.full((3,), 2.0), y)
    (1.0, 0.0)
    """
    p, y = prediction.detach().double(), target.detach().reshape(prediction.shape).double()
    missed, spread = float((p - y).square().sum()), float((y - y.mean(0)).square().sum())
    if missed == 0:
        return 1.0
    return 1 - missed / spread if spread else -math.inf


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
