"""The Fréchet distance between two samples of vectors: of normal laws with their means and covariances."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError


def frechet_distance(x: Float[Tensor, "n d"], y: Float[Tensor, "m d"]) -> float:
    """``|mu_x - mu_y|^2 + Tr(S_x + S_y - 2 (S_x^1/2 S_y S_x^1/2)^1/2)``, the squared 2-Wasserstein distance of the two normal laws.

    No matrix root is taken: with ``S = R^T R`` from a QR decomposition of the centred sample, the trace of the last root is the sum of the
    singular values of ``R_x R_y^T``, whatever the ranks. Estimates from small samples are too large by about ``d / n``: compare only equal
    numbers.

    Args:
        x, y: at least two vectors each.

    Raises:
        ArgumentError: other shapes, or numbers that are not finite.

    Source: Dowson & Landau, "The Fréchet distance between multivariate normal distributions", J. Multivariate Anal. 12 (1982) 450.

    >>> g = torch.Generator().manual_seed(0)
    >>> x = torch.randn(100, 3, generator=g, dtype=torch.float64)
    >>> frechet_distance(x, x) < 1e-12, round(frechet_distance(x, x + 2.0), 9)
    (True, 12.0)
    """
    roots, means = [], []
    for name, sample in (("x", x), ("y", y)):
        if not isinstance(sample, Tensor) or sample.ndim != 2 or len(sample) < 2 or sample.shape[1] != x.shape[1]:
            got = f"shape {tuple(sample.shape)}" if isinstance(sample, Tensor) else type(sample).__name__
            raise ArgumentError(name, "vectors [n, d], at least two, of the same length in both samples", got)
        sample = sample.double()
        if not bool(sample.isfinite().all()):
            raise ArgumentError(name, "finite numbers", "NaN or infinity")
        mean = sample.mean(0)
        means.append(mean)
        roots.append(torch.linalg.qr((sample - mean) / (len(sample) - 1) ** 0.5, mode="r").R)
    shared = torch.linalg.svdvals(roots[0] @ roots[1].mT).sum()
    total = (means[0] - means[1]).square().sum() + sum(root.square().sum() for root in roots) - 2 * shared
    return max(0.0, float(total))
