"""The normal law wrapped around a circle of length 1: its density, score and moments, to the last digits of float64.

Two sums give the same density. Over images, ``q(d) = sum_k exp(-(d + k)^2 / (2 sigma^2)) / (sigma sqrt(2 pi))``, which few terms
settle where sigma is small; over waves, ``q(d) = 1 + 2 sum_n exp(-2 pi^2 n^2 sigma^2) cos(2 pi n d)``, where it is large. We take
images -4 to 4 up to sigma = 0.4 and waves 1 to 4 above. With ``|d| <= 1/2`` the image ``k`` weighs at most
``exp(-|k| (|k| - 1) / (2 sigma^2))`` of the nearest one, so what is left out is below ``2 exp(-62.5) < 1e-26`` of the density, and
(each image times ``|d + k| / sigma^2``) below 1e-24 of the score's unit ``1 / sigma``, both falling with sigma. Above, ``q > 0.9`` and
the fifth wave is below ``exp(-75)`` of the first, density and score alike, both falling as sigma grows. Either is far below rounding.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

#: Up to this sigma images are summed, above it waves; how many of either on each side.
SWITCH, TERMS = 0.4, 4
#: Below this sigma no image but the nearest has a part in the mean square of the score: the others weigh exp(-1 / (8 sigma^2)) < 1e-21.
NARROW = 0.05
#: Points of a quadrature over the circle: the error of the trapezoidal rule is exp(-2 pi^2 sigma POINTS sigma) < 1e-16 from NARROW on.
POINTS = 1024


def wrapped(x: Tensor) -> Tensor:
    """The representative of differences modulo 1 that is nearest to 0, in [-1/2, 1/2].

    >>> wrapped(torch.tensor([0.75, -0.75, 2.0])).tolist()
    [-0.25, 0.25, 0.0]
    """
    return x - x.round()


def log_density(d: Tensor, sigma: Tensor) -> Tensor:
    """``log q(d)`` at differences ``d`` (any, modulo 1) of a normal of standard deviation ``sigma`` (broadcast) wrapped around the circle.

    >>> f"{float(log_density(torch.tensor(0.3, dtype=torch.float64), torch.tensor(5.0, dtype=torch.float64)).abs()):.3f}"
    '0.000'
    """
    d = wrapped(d)
    logits = _images(d, sigma)
    near = logits.logsumexp(-1) - sigma.log() - 0.5 * math.log(2 * math.pi)
    _, weight, angle = _waves(d, sigma)
    far = torch.log1p((2 * (weight * angle.cos()).sum(-1)).clamp(min=-0.5))
    return torch.where(sigma <= SWITCH, near, far)


def score(d: Tensor, sigma: Tensor) -> Tensor:
    """``d/dd log q(d)``: odd, of period 1, zero at 0 and 1/2.

    >>> at = torch.tensor([0.0, 0.49, 0.5], dtype=torch.float64)
    >>> [f"{value:.4f}" for value in score(at, torch.tensor(0.5, dtype=torch.float64)).abs()]
    ['0.0000', '0.0058', '0.0000']
    """
    d = wrapped(d)
    k = torch.arange(-TERMS, TERMS + 1, device=d.device)
    near = -(_images(d, sigma).softmax(-1) * (d.unsqueeze(-1) + k)).sum(-1) / sigma.square()
    n, weight, angle = _waves(d, sigma)
    far = -4 * math.pi * (n * weight * angle.sin()).sum(-1) / (1 + 2 * (weight * angle.cos()).sum(-1)).clamp(min=0.5)
    return torch.where(sigma <= SWITCH, near, far)


def score_size(sigma: Tensor) -> Tensor:
    """The root mean square of the score over its own law, of float64 ``sigma``.

    >>> f"{float(score_size(torch.tensor(0.2, dtype=torch.float64)).square()):.8f}"
    '19.07754783'
    """
    size = 1 / sigma
    wide = sigma[sigma >= NARROW].unsqueeze(-1)
    # Even in d and of period 1: the trapezoidal rule of half the circle, with half the weight at both ends.
    d, weight = _grid()[: POINTS // 2 + 1], torch.full((POINTS // 2 + 1,), 2 / POINTS, dtype=torch.float64)
    weight[0] = weight[-1] = 1 / POINTS
    size[sigma >= NARROW] = (log_density(d, wide).exp() * score(d, wide).square() @ weight).sqrt()
    return size


def distance_from_uniform(sigma: float) -> float:
    """The Kullback-Leibler divergence of the wrapped normal from the uniform law, in nats.

    >>> f"{distance_from_uniform(0.5):.3e}"
    '5.172e-05'
    """
    if sigma < NARROW:  # minus the entropy of a normal
        return -math.log(sigma) - 0.5 * math.log(2 * math.pi * math.e)
    logs = log_density(_grid(), torch.tensor(sigma, dtype=torch.float64))
    return float((logs.exp() * logs).mean())


def _images(d: Tensor, sigma: Tensor) -> Tensor:
    k = torch.arange(-TERMS, TERMS + 1, device=d.device)
    return -0.5 * ((d.unsqueeze(-1) + k) / sigma.unsqueeze(-1)).square()


def _waves(d: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    n = torch.arange(1, TERMS + 1, device=d.device)
    weight = (-2 * math.pi**2 * (n * sigma.unsqueeze(-1)).square()).exp()
    return n, weight, d.unsqueeze(-1) * n * (2 * math.pi)


def _grid() -> Tensor:
    return torch.arange(POINTS, dtype=torch.float64) / POINTS
