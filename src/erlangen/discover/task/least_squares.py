"""Fitting a small network by damped Gauss-Newton steps, with the strength of every prior found by the evidence.

Levenberg-Marquardt with Bayesian regularisation (Foresee and Hagan, IJCNN 1997; MacKay, Neural Computation 4, 1992): a network of a few
hundred weights reaches in a second what gradient descent does not reach at all.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.discover.task.index_network import IndexNetwork
from erlangen.discover.task.modulated_network import ModulatedNetwork

#: Steps at most, and steps without progress on the validation data after which a fit ends.
STEPS, PATIENCE = 150, 25
#: Strengths of the damping that a step tries, and the first one, whose scale nobody knows.
TRIALS, FIRST_TRIALS = 8, 24
#: Steps before the evidence is asked.
WARM_UP = 3


@dataclass(frozen=True)
class Fitted:
    """How a fit ended: the mean squared error on the validation data, and the steps it took."""

    error: float
    steps: int


def fit_by_evidence(
    network: IndexNetwork | ModulatedNetwork,
    phi: Float[Tensor, "N P"],
    y: Float[Tensor, "N m"],
    phi_val: Float[Tensor, "V P"],
    y_val: Float[Tensor, "V m"],
    steps: int = STEPS,
) -> Fitted:
    """Fit in place, from the weights that are there; those that were best on the validation data are kept."""
    prior, count = network.prior, y.numel()
    decay = torch.full((int(prior.max()) + 1,), 1e-2, dtype=torch.float64)
    members = torch.zeros_like(decay).index_add_(0, prior, torch.ones_like(network.weights))
    precision, damping = 1.0, 1.0
    best, kept, idle, step = float("inf"), network.weights, 0, 0
    squares = float((network(phi) - y).square().sum())
    for step in range(1, steps + 1):
        weights = network.weights
        out, J = network.weight_jacobian(phi)
        normal = precision * (J.mT @ J)
        slope = precision * (J.mT @ (out - y).reshape(-1)) + decay[prior] * weights
        now = precision * squares + float((decay[prior] * weights * weights).sum())
        moved = False
        for _ in range(TRIALS if step > 1 else FIRST_TRIALS):
            damped = normal.clone()
            damped.diagonal().add_(decay[prior] + damping)
            factor, failed = torch.linalg.cholesky_ex(damped)
            if not failed:
                network.weights = weights - torch.cholesky_solve(slope[:, None], factor)[:, 0]
                squares = float((network(phi) - y).square().sum())
                if precision * squares + float((decay[prior] * network.weights.square()).sum()) < now:
                    moved = True
                    break
            damping *= 4
        if not moved:
            network.weights = weights
            break
        damping = max(damping / 3, 1e-8)
        error = float((network(phi_val) - y_val).square().mean())
        idle = 0 if error < best * (1 - 1e-3) else idle + 1
        if error < best:
            best, kept = error, network.weights
        if idle >= PATIENCE:
            break
        if step > WARM_UP:
            normal.diagonal().add_(decay[prior] + 1e-10)
            factor, failed = torch.linalg.cholesky_ex(normal)
            if failed:  # no more precise than rounding
                break
            variance = torch.cholesky_inverse(factor).diagonal()
            known = torch.zeros_like(decay).index_add_(0, prior, 1 - decay[prior] * variance).clamp_min(0)
            size = torch.zeros_like(decay).index_add_(0, prior, network.weights.square())
            decay = (torch.minimum(known, members) / size.clamp_min(1e-12)).clamp(1e-6, 1e6)
            free = max(count - float(known.sum()), 0.05 * count)
            precision = min(max(free / max(squares, 1e-14), 1e-2), 1e8)
    network.weights = kept
    if step == 1:  # where it began is as good as it gets
        best = float((network(phi_val) - y_val).square().mean())
    return Fitted(best, step)
