"""Explanations by examples: which training data a prediction rests on, by losses (TracIn, influence) or by representations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.measure.explain.explainers import Explainer, Needs
from erlangen.measure.explain.layers import captured, layer_named, representation


class ByLoss(Explainer):
    """Examples by gradients of the cross-entropy with respect to the last layer, which have a closed form.

    For logits ``W h + b`` the gradient at ``(x, y)`` is ``(p - onehot(y)) (h, 1)^T``. Explanations are ``[B, N]``, one number for each
    example: positive where it pulls the loss of the datum down. The target is the datum's class; without one, the predicted class.

    Args:
        model: a classifier whose ``last`` layer, linear, returns the logits.
        last: that layer, or its name.
        examples, labels: training data ``N`` and their classes.

    Raises:
        ArgumentError: ``last`` is not linear, or examples and labels do not fit.
    """

    kind = "invariance"

    def __init__(self, model: nn.Module, last: str | nn.Module, examples: Any, labels: Int[Tensor, " N"]) -> None:
        self.model, self.last = model, layer_named(model, last)
        if not isinstance(self.last, nn.Linear):
            raise ArgumentError("last", "a torch.nn.Linear that returns the logits", type(self.last).__name__)
        self.examples, self.labels = examples, labels

    def needs(self, x: Any) -> Needs:
        # An invariant model with all weights of its last layer is one whose last hidden layer is invariant.
        return Needs(represent=lambda data: captured(self.model, self.last, data)[0])

    def _factors(self, x: Any, target: Any, state: Mapping[str, Tensor] | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """``p - onehot`` ``[B, C]``, ``(h, 1)`` ``[B, d + 1]`` and ``p`` of data."""
        hidden, logits = captured(self.model, self.last, x, state)
        if hidden.ndim != 2:
            raise ArgumentError("last", "a layer on one vector for each datum", f"input of shape {tuple(hidden.shape)}")
        p = logits.softmax(1)
        classes = logits.argmax(1) if target is None else torch.as_tensor(target).expand(len(p))
        return p - nn.functional.one_hot(classes, p.shape[1]), torch.cat([hidden, torch.ones_like(hidden[:, :1])], 1), p


class TracIn(ByLoss):
    """The inner products of the gradients of the losses of datum and example, summed over checkpoints: two matrix products each.

    Args:
        model, last, examples, labels: as for :class:`ByLoss`.
        checkpoints: state dicts of the model on its way; by default the model as it is.
        rates: the learning rate of each.

    Source: Pruthi, Liu, Kale & Sundararajan, NeurIPS 2020, arXiv:2002.08484.

    >>> net = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2))
    >>> TracIn(net, "2", torch.randn(7, 3), torch.zeros(7, dtype=torch.int64))(torch.randn(4, 3), 1).shape
    torch.Size([4, 7])
    """

    name = "TracIn"

    def __init__(
        self,
        model: nn.Module,
        last: str | nn.Module,
        examples: Any,
        labels: Int[Tensor, " N"],
        checkpoints: Sequence[Mapping[str, Tensor]] = (),
        rates: Sequence[float] = (),
    ) -> None:
        super().__init__(model, last, examples, labels)
        self.checkpoints: list[Mapping[str, Tensor] | None] = list(checkpoints) or [None]
        self.rates = list(rates) or [1.0] * len(self.checkpoints)
        if len(self.rates) != len(self.checkpoints):
            raise ArgumentError("rates", f"one for each of {len(self.checkpoints)} checkpoints", f"{len(self.rates)}")
        self._train = [self._factors(examples, labels, state) for state in self.checkpoints]

    def explain(self, x: Any, target: Any) -> Float[Tensor, "B N"]:
        total: Any = 0
        for state, rate, (error, hidden, _) in zip(self.checkpoints, self.rates, self._train):
            own, seen, _ = self._factors(x, target, state)
            total = total + rate * (own @ error.mT) * (seen @ hidden.mT)
        return total


class Influence(ByLoss):
    """The influence function of the last layer, exactly: ``g(x)^T (H + damp)^-1 g(example)`` with the softmax Hessian ``H``.

    ``H``, the mean over the examples of ``(diag(p) - p p^T) (x) (h, 1)(h, 1)^T``, has only ``C (d + 1)`` rows, so it is factorised once,
    where the common stochastic solver (LiSSA) iterates for each datum.

    Args:
        model, last, examples, labels: as for :class:`ByLoss`.
        damp: added to the diagonal.

    Source: Koh & Liang, ICML 2017, arXiv:1703.04730.

    >>> net = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2))
    >>> Influence(net, "2", torch.randn(7, 3), torch.zeros(7, dtype=torch.int64))(torch.randn(4, 3), 1).shape
    torch.Size([4, 7])
    """

    name = "Influence"

    def __init__(
        self, model: nn.Module, last: str | nn.Module, examples: Any, labels: Int[Tensor, " N"], damp: float = 1e-3
    ) -> None:
        super().__init__(model, last, examples, labels)
        if damp <= 0:
            raise ArgumentError("damp", "a positive number: the Hessian of a softmax is singular", repr(damp))
        error, hidden, p = (t.double() for t in self._factors(examples, labels))
        spread = torch.diag_embed(p) - p.unsqueeze(2) * p.unsqueeze(1)
        size = error.shape[1] * hidden.shape[1]
        # As one product of matrices: (c i), (c' j) of the sum over examples of spread[c, c'] h[i] h[j].
        weighted = (spread.unsqueeze(3) * hidden[:, None, None, :]).flatten(1)
        hessian = (weighted.mT @ hidden).view(*spread.shape[1:], hidden.shape[1], hidden.shape[1])
        hessian = hessian.permute(0, 2, 1, 3).reshape(size, size) / len(hidden)
        factor = torch.linalg.cholesky(hessian + damp * torch.eye(size, dtype=hessian.dtype))
        gradients = (error.unsqueeze(2) * hidden.unsqueeze(1)).flatten(1)
        self._solved = torch.cholesky_solve(gradients.mT, factor)

    def explain(self, x: Any, target: Any) -> Float[Tensor, "B N"]:
        error, hidden, _ = self._factors(x, target)
        gradients = (error.unsqueeze(2) * hidden.unsqueeze(1)).flatten(1)
        return (gradients.double() @ self._solved).to(error.dtype)


class RepSim(Explainer):
    """The cosine of a layer's representation of the datum with that of each example, ``[B, N]``.

    Args:
        model: a module.
        layer: a layer of it, or its name.
        examples: ``N`` data.

    >>> net = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2))
    >>> RepSim(net, "1", torch.randn(7, 3))(torch.randn(4, 3)).shape
    torch.Size([4, 7])
    """

    kind = "invariance"

    def __init__(self, model: nn.Module, layer: str | nn.Module, examples: Any) -> None:
        self.model, self.represent = model, representation(model, layer)
        self.name = f"{type(self).__name__}, {layer if isinstance(layer, str) else type(layer).__name__}"
        self.references = self.represent(examples)

    def needs(self, x: Any) -> Needs:
        return Needs(represent=self.represent)

    def explain(self, x: Any, target: Any) -> Float[Tensor, "B N"]:
        here, size = _units(self.represent(x))
        there, sizes = _units(self.references)
        return torch.where((size == 0) & (sizes.mT == 0), 1.0, here @ there.mT)


def _units(vectors: Tensor) -> tuple[Tensor, Tensor]:
    """Vectors of length one (zeros stay), and how long they were."""
    size = vectors.norm(dim=1, keepdim=True)
    return vectors / size.clamp_min(torch.finfo(vectors.dtype).tiny), size


class SimplEx(RepSim):
    """The convex combination of the examples' representations that comes nearest to the datum's: its weights, ``[B, N]``.

    The reference descends on a softmax for a thousand steps; this solves the quadratic program on the simplex exactly. Where more examples
    than dimensions surround the datum its solution is not unique, and would depend on rounding; a little of the weights' squared norm
    in the objective makes it so.

    Args:
        model, layer, examples: as for :class:`RepSim`.
        ridge: how much, in units of the mean squared length of the examples' representations (from their mean).

    Source: Crabbé, Qian, Imrie & van der Schaar, NeurIPS 2021, arXiv:2110.15355.

    >>> net = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2))
    >>> weights = SimplEx(net, "1", torch.randn(7, 3))(torch.randn(4, 3))
    >>> bool((weights >= 0).all()), torch.allclose(weights.sum(1), torch.ones(4))
    (True, True)
    """

    def __init__(self, model: nn.Module, layer: str | nn.Module, examples: Any, ridge: float = 1e-3) -> None:
        super().__init__(model, layer, examples)
        if ridge < 0:
            raise ArgumentError("ridge", "zero or a positive number", repr(ridge))
        self.ridge = ridge

    def needs(self, x: Any) -> Needs:
        return Needs(represent=self.represent, chance="" if self.ridge else "weights are unique")

    def explain(self, x: Any, target: Any) -> Float[Tensor, "B N"]:
        return simplex_weights(self.references, self.represent(x), self.ridge)


def simplex_weights(points: Float[Tensor, "N d"], targets: Float[Tensor, "B d"], ridge: float = 0.0) -> Float[Tensor, "B N"]:
    """The weights ``w >= 0``, ``sum w = 1``, of the point of the convex hull nearest to each target, by an active-set method.

    Smallest is ``|sum w_j (p_j - t)|^2 + ridge s |w|^2``, where ``s`` is the mean squared distance of the points from their mean. With
    ``u >= 0`` free, ``|sum u_j (p_j - t)|^2 + (sum u - 1)^2`` is smallest at a multiple of ``w`` (Lawson & Hanson 1974, ch. 23), a
    non-negative least-squares problem; its size is that of the span of the points.

    >>> corners = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> simplex_weights(corners, torch.tensor([[0.25, 0.25], [2.0, 2.0]]))
    tensor([[0.5000, 0.2500, 0.2500],
            [0.0000, 0.5000, 0.5000]])
    """
    from scipy.optimize import nnls

    centre = points.double().mean(0)
    basis, triangle = np.linalg.qr((points.double() - centre).mT.numpy())
    # A ridge is one more dimension for each point.
    extra = np.sqrt(ridge * np.square(triangle).sum(0).mean()) * np.eye(len(points)) if ridge else np.empty((0, len(points)))
    inside = (targets.double() - centre).numpy() @ basis
    found = np.empty((len(targets), len(points)))
    right = np.zeros(len(triangle) + len(extra) + 1)
    right[-1] = 1.0
    for i, target in enumerate(inside):
        away = np.concatenate([triangle - target[:, None], extra])
        size = max(float(np.sqrt(np.square(away).sum(0).mean())), 1e-300)
        weights, _ = nnls(np.concatenate([away / size, np.ones((1, len(points)))]), right, maxiter=100 * len(points))
        found[i] = weights / weights.sum()
    return torch.from_numpy(found).to(targets)
