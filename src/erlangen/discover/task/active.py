"""The few directions of many columns that a task listens to: its symmetries are looked for among those alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.discover.task.index_network import IndexNetwork
from erlangen.discover.task.least_squares import fit_by_evidence
from erlangen.discover.task.predictor import ALIKE, GOOD

#: Samples that are fitted, and that choose.
FITTED, CHOOSING = 1500, 500
#: Times the metric is found anew, and strengths of the ridge.
ROUNDS, RIDGES = 6, (1e-4, 1e-2, 1e-1)
#: An error that grows by no more than this part is as good.
NEARLY = 0.01
#: Numbers of directions that are tried; more are not searched for symmetries.
NUMBERS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16)
#: Up to so many, a network of as many indices settles the directions, if a kernel machine on them leaves no more of the target's variance
#: than the second number; its units.
SETTLED, PROMISING, UNITS = 6, 0.5, 16


@dataclass(frozen=True)
class Active:
    """What a task listens to.

    Attributes:
        directions: orthonormal rows ``[r, n]``: the task is a function of the columns' products with them; as many rows as columns where
            no fewer do.
        error: held-out squared error of a predictor on all columns, as a part of the target's variance.
        on_directions: the same of one that sees the products alone.
    """

    directions: Tensor
    error: float
    on_directions: float


def active_directions(x: Float[Tensor, "N n"], y: Float[Tensor, "N m"], seed: int = 0) -> Active:
    """The directions that a task listens to, from kernel machines that learn their metric: its gradients' outer product, again and again.

    Of the leading directions, the fewest are kept with which a kernel machine predicts held-out samples as well as with the best number
    of them, up to one standard error of the difference; or, of few, with which a network on as many linear combinations of the columns
    predicts as well as that and as one on one more. Such a network settles few directions, if it predicts better.

    Args:
        x: different samples.
        y: targets of mean 0 and deviation 1.
        seed: which samples are fitted, and first weights.

    Source: A. Radhakrishnan, D. Beaglehole, P. Pandit and M. Belkin, "Mechanism for feature learning in neural networks and
    backpropagation-free machine learning models", Science 383 (2024), arXiv:2212.13881 (recursive feature machines).

    >>> x = torch.randn(900, 20, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    >>> found = active_directions(x, x[:, 3:4] * x[:, 7:8])
    >>> found.directions.square().sum(0).round().nonzero().flatten().tolist()
    [3, 7]
    """
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))[: FITTED + CHOOSING]
    cut = len(order) * FITTED // (FITTED + CHOOSING)
    fit, choose = order[:cut], order[cut:]
    spread = x.std(0)
    z = (x - x.mean(0)) / torch.where(spread > 0, spread, torch.ones_like(spread))
    n = z.shape[1]
    machine = _Machine(z[fit], y[fit], z[choose], y[choose])
    metric, best = torch.eye(n, dtype=z.dtype), torch.eye(n, dtype=z.dtype)
    losses = machine.losses(metric)
    for _ in range(ROUNDS):
        metric = machine.slopes()
        found = machine.losses(metric)
        # Of metrics that are as good, the last one is the sharpest.
        if float(found.mean()) < (1 + NEARLY) * float(losses.mean()):
            losses, best = found, metric
    values, vectors = torch.linalg.eigh(best)
    roots = (vectors * values.clamp_min(0).sqrt()).flip(1).mT  # rows, the largest first
    tried = {r: machine.losses(roots[:r].mT @ roots[:r]) for r in NUMBERS if r < n}
    least = min([losses, *tried.values()], key=lambda one: float(one.mean()))
    error = float(losses.mean())
    wanted = float(least.mean())

    @cache
    def settled(r: int) -> tuple[Tensor, float]:
        return _settled(roots[:r], z[fit], y[fit], z[choose], y[choose], seed)

    for r, own in tried.items():
        rows, own_error, more = roots[:r], float(own.mean()), own - least
        as_good = float(more.mean()) <= max(float(more.std()) / len(more) ** 0.5, NEARLY * wanted)
        if r <= SETTLED and own_error <= PROMISING and settled(r)[1] < own_error:
            rows, own_error = settled(r)
            as_good |= own_error <= min(wanted, max(GOOD, ALIKE * settled(r + 1)[1]))
        if as_good:
            rows = rows / torch.where(spread > 0, spread, torch.inf)
            return Active(torch.linalg.qr(rows.mT).Q.mT, error, own_error)
    return Active(torch.eye(n, dtype=x.dtype), error, error)


def _settled(rows: Tensor, x: Tensor, y: Tensor, x_val: Tensor, y_val: Tensor, seed: int) -> tuple[Float[Tensor, "r n"], float]:
    """Directions to which a network on as many linear combinations of the columns turns, and its error."""
    r, n = rows.shape
    network = IndexNetwork(n, torch.zeros(n, dtype=torch.int64), r, UNITS, y.shape[1], False, torch.Generator().manual_seed(seed))
    start = torch.linalg.qr(rows.mT).Q
    network.weights[: start.numel()] = start.flatten()
    done = fit_by_evidence(network, x, y, x_val, y_val)
    slopes = network.input_jacobian(x, torch.eye(n, dtype=x.dtype).expand(len(x), n, n))[1].flatten(0, 1)
    return torch.linalg.svd(slopes, full_matrices=False).Vh[:r], done.error


class _Machine:
    """Ridge regression with the kernel ``exp(-d / L)``, ``d`` the distance in a metric, ``L`` its median."""

    def __init__(self, x: Tensor, y: Tensor, x_val: Tensor, y_val: Tensor) -> None:
        self.x, self.y, self.x_val, self.y_val = x, y, x_val, y_val

    def losses(self, metric: Tensor) -> Float[Tensor, " V"]:
        """Squared errors on the choosing samples with the best ridge; what was fitted is kept for :meth:`slopes`."""
        values, vectors = torch.linalg.eigh(metric)
        root = vectors * values.clamp_min(0).sqrt()
        a, b = self.x @ root, self.x_val @ root
        self._metric, self._distances = metric, torch.cdist(a, a)
        self._length = float(self._distances.median())
        kernel = torch.exp(-self._distances / self._length)
        across = torch.exp(-torch.cdist(b, a) / self._length)
        best: Tensor | None = None
        for ridge in RIDGES:
            damped = kernel.clone()
            damped.diagonal().add_(ridge)
            weights = torch.cholesky_solve(self.y, torch.linalg.cholesky(damped))
            losses = (across @ weights - self.y_val).square().mean(1)
            if best is None or float(losses.mean()) < float(best.mean()):
                best, self._weights = losses, weights
        assert best is not None
        self._kernel = kernel
        return best

    def slopes(self) -> Float[Tensor, "n n"]:
        """The mean outer product of the gradients of what was fitted last, of trace ``n``."""
        shares = self._kernel / self._distances.clamp_min(1e-9 * self._length)
        shares.diagonal().zero_()
        total = torch.zeros_like(self._metric)
        for weights in self._weights.mT:
            w = shares * weights
            gradient = (w.sum(1, keepdim=True) * self.x - w @ self.x) @ self._metric
            total += gradient.mT @ gradient
        return total * (len(total) / total.diagonal().sum())
