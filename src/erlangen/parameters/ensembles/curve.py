"""What an ensemble gains with its size: scores, calibration and how far its members are from one another."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from erlangen.errors import ArgumentError

Task = Literal["classification", "regression"]
Combine = Literal["logits", "probs"]
BINS = 15


@dataclass(frozen=True)
class CurvePoint:
    """Ensembles of one size: means over groups of different members.

    Attributes:
        size: members of an ensemble.
        groups: how many ensembles the means are of; no member is in two.
        score: accuracy, or the root mean squared error.
        error: standard error of the score over the groups; NaN for one group.
        nll: negative log likelihood of the averaged probabilities, NaN for regression.
        ece: expected calibration error of the averaged probabilities (15 bins), NaN for regression.
        disagreement: share of samples on which two members predict different classes; for regression the members' standard deviation,
            averaged over samples. NaN for one member.
        distance: mean Euclidean distance between two members' parameters, NaN for one.
        improvement: of the score over that of single members, in percent of the latter; positive is better.
    """

    size: int
    groups: int
    score: float
    error: float
    nll: float
    ece: float
    disagreement: float
    distance: float
    improvement: float


def ensemble_curve(
    outputs: Tensor, y: Tensor, vectors: Tensor, sizes: Sequence[int], task: Task, combine: Combine
) -> list[CurvePoint]:
    """The curve over sizes; members are taken in groups, one after the other.

    Args:
        outputs: of the members ``[M, N, *out]``.
        y: targets ``[N, *target]``.
        vectors: parameters ``[M, P]``.
        sizes: between 1 and M.
        task, combine: see :class:`DeepEnsemble`.
    """
    members = len(outputs)
    expected = f"a list of whole numbers from 1 to {members}"
    if not isinstance(sizes, Iterable):
        raise ArgumentError("sizes", expected, repr(sizes))
    for size in sizes:
        if isinstance(size, bool) or size != int(size) or not 1 <= size <= members:
            raise ArgumentError("sizes", expected, repr(size))
    # Differences, not products: members that are alike are at distance 0.
    distances = torch.cdist(vectors.double(), vectors.double(), compute_mode="donot_use_mm_for_euclid_dist")
    single = sum(score(o[None], y, task, combine) for o in outputs) / members
    return [_point(outputs, y, distances, int(size), single, task, combine) for size in sizes]


def _point(outputs: Tensor, y: Tensor, distances: Tensor, size: int, single: float, task: Task, combine: Combine) -> CurvePoint:
    rows = []
    for start in range(0, len(outputs) - size + 1, size):
        group = outputs[start : start + size]
        near = distances[start : start + size, start : start + size]
        pairs = size * (size - 1)
        rows.append(
            [
                score(group, y, task, combine),
                *(_calibration(group, y) if task == "classification" else (math.nan, math.nan)),
                disagreement(group, task),
                float(near.sum()) / pairs if pairs else math.nan,
            ]
        )
    values = torch.tensor(rows, dtype=torch.float64)
    found, nll, ece, apart, distance = values.mean(0).tolist()
    error = float(values[:, 0].std() / len(rows) ** 0.5) if len(rows) > 1 else math.nan
    gain = found - single if task == "classification" else single - found
    return CurvePoint(size, len(rows), found, error, nll, ece, apart, distance, 100 * gain / single if single else math.nan)


def combined(outputs: Tensor, task: Task, combine: Combine) -> Tensor:
    """Probabilities ``[N, C]`` of an ensemble from outputs ``[M, N, C]``, or its numbers ``[N, *out]``; in single precision or better."""
    outputs = outputs.to(torch.promote_types(outputs.dtype, torch.float32))
    if task == "classification" and combine == "probs":
        found = outputs.softmax(-1).mean(0)
    else:
        found = outputs.mean(0)
        found = found.softmax(-1) if task == "classification" else found
    if bool(found.isnan().any()):
        raise ArgumentError("x", "inputs for which the members give numbers", "some for which they give NaN")
    return found


def score(outputs: Tensor, y: Tensor, task: Task, combine: Combine) -> float:
    """Accuracy, or the root mean squared error."""
    found = combined(outputs, task, combine)
    if task == "regression":
        return float((found.double() - y.double()).square().mean().sqrt())
    return float((found.argmax(-1) == y).double().mean())


def _calibration(outputs: Tensor, y: Tensor) -> tuple[float, float]:
    probabilities = outputs.double().softmax(-1).mean(0)
    nll = -probabilities.gather(1, y[:, None]).clamp_min(1e-300).log().mean()
    return float(nll), expected_calibration_error(probabilities, y)


def expected_calibration_error(probabilities: Tensor, y: Tensor) -> float:
    """How far confidence is from accuracy: over 15 bins of equal width, weighted by their samples.

    >>> expected_calibration_error(torch.tensor([[0.8, 0.2], [0.8, 0.2]]), torch.tensor([0, 1]))
    0.3...
    """
    confidence, predicted = probabilities.double().max(-1)
    place = (confidence * BINS).ceil().long().clamp(1, BINS) - 1
    gap = (predicted == y).double() - confidence
    return float(torch.zeros(BINS, dtype=torch.float64, device=gap.device).index_add_(0, place, gap).abs().sum() / len(y))


def disagreement(outputs: Tensor, task: Task) -> float:
    """See :class:`CurvePoint`."""
    members = len(outputs)
    if members == 1:
        return math.nan
    if task == "regression":
        return float(outputs.double().std(0).mean())
    votes = torch.nn.functional.one_hot(outputs.argmax(-1), outputs.shape[-1]).double().sum(0)  # [N, C]
    agreeing = (votes * (votes - 1)).sum(-1) / (members * (members - 1))
    return float(1 - agreeing.mean())
