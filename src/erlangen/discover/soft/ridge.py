"""`SoftEquivariantRidge`: the soft equivariance penalty for linear models, solved in closed form."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.discover.soft.degrees import Degrees
from erlangen.discover.soft.energy import Energy
from erlangen.discover.soft.least_squares import least_squares
from erlangen.discover.soft.tuning import numbers, tuned_strengths
from erlangen.discover.soft.weights import weights_of
from erlangen.errors import ArgumentError
from erlangen.maps.subspaces import Candidate, candidates
from erlangen.measure.scores import r_squared
from erlangen.reps.layout import SCALAR, Layout


class SoftEquivariantRidge:
    """Ridge regression that is equivariant under several groups, each as far as the data support it.

    Minimises ``1/2 mean|y - W x - b|^2 + sum_k strength_k R_k + weight_decay/2 |W|^2`` in float64, without iterations: once with weak
    strengths, whose residuals say which groups to release, and once with what follows from them.

    Args:
        groups: candidates as for :class:`SoftEquivariance`.
        inp, out: what the features and the outputs are; by default copies of vectors where sizes allow (outputs: else scalars).
        strengths: a number for all, a dict or a sequence; ``inf`` imposes one group exactly, 0 leaves a group out (all 0: plain ridge).
        tune: ``"once"`` releases groups by their residuals, ``"off"`` takes the strengths as they are.
        warmup: the part of the strengths in the first solution.
        power: how sharply a worse residual releases a group.
        weight_decay: of all weights, the intercept's too.
        intercept: append a constant scalar to the features.

    Attributes:
        coef_: ``[out, in]``, ``intercept_``: ``[out]``, after :meth:`fit`.
        strengths_: what the groups ended with.
        residuals_: ``R_k`` of the first solution, which decided that.

    Raises:
        ArgumentError: bad groups, negative strengths, an unknown schedule, data that do not fit.

    Source: the linear case of H. Kim et al., arXiv:2306.00356; the closed form is our own.

    >>> from erlangen.groups import SO
    >>> x = torch.randn(60, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    >>> y = x[:, :3] - 2 * x[:, 3:] + 0.5 * x[:, [2]] * torch.tensor([0.0, 0, 1])
    >>> ridge = SoftEquivariantRidge([SO(3), SO(2, axis="z"), SO(2, axis="x")]).fit(x, y)
    >>> ridge.degrees().best, round(ridge.score(x, y), 3)
    ('SO(2) about z', 1.0)
    """

    def __init__(
        self,
        groups: Sequence[Candidate] | Mapping[str, Candidate],
        inp: Any = None,
        out: Any = None,
        *,
        strengths: float | Sequence[float] | Mapping[str, float] = 0.1,
        tune: Literal["once", "off"] = "once",
        warmup: float = 1e-3,
        power: float = 2.0,
        weight_decay: float = 1e-6,
        intercept: bool = True,
    ) -> None:
        self.vectors = candidates(groups)
        self.inp, self.out = inp, out
        if tune not in ("once", "off"):
            raise ArgumentError("tune", "'once' or 'off'", repr(tune))
        for name, value in (("power", power), ("weight_decay", weight_decay)):
            if not 0 <= value < math.inf:
                raise ArgumentError(name, "a number of at least 0", repr(value))
        if not 0 < warmup <= 1:
            raise ArgumentError("warmup", "a part of the strengths, above 0 and at most 1", repr(warmup))
        self.strengths = numbers(strengths, tuple(self.vectors), hard=True)
        self.tune, self.warmup, self.power = tune, warmup, power
        self.weight_decay, self.intercept = weight_decay, intercept

    coef_: Tensor
    intercept_: Tensor
    strengths_: dict[str, float]
    residuals_: dict[str, float]

    def fit(self, x: Any, y: Any) -> SoftEquivariantRidge:
        """Fit to features ``[N, in]`` and outputs ``[N, out]`` or ``[N]``; tensors or arrays."""
        x, y = _matrix(x, "x"), _matrix(y, "y")
        if len(x) != len(y):
            raise ArgumentError("y", f"{len(x)} rows, as x", len(y))
        n = len(x)
        source, target = self._layouts(x.shape[1], y.shape[1])
        if self.intercept:
            x, source = torch.cat([x, x.new_ones(n, 1)], 1), source + Layout(source.d, [(SCALAR, 1)])
        return self.fit_moments(x.mT @ x / n, y.mT @ x / n, source, target)

    def fit_moments(
        self, gram: Float[Tensor, "n n"], cross: Float[Tensor, "m n"], source: Layout, target: Layout
    ) -> SoftEquivariantRidge:
        """Fit to the means of ``x x^T`` and ``y x^T``; a constant feature, if wanted, is the last of ``source``."""
        soft = {name: s for name, s in self.strengths.items() if s != math.inf}
        strengths = dict(self.strengths)

        def solution(strengths: Mapping[str, float]) -> Tensor:
            return least_squares(gram, cross, source, target, self.vectors, strengths, self.weight_decay)

        tuned = self.tune == "once" and any(soft.values())
        weights = solution(
            {name: s if name not in soft else self.warmup * s for name, s in strengths.items()} if tuned else strengths
        )
        energy = self._energy(weights, source, target)
        self.residuals_ = dict(zip(self.vectors, energy.measure().residuals))
        if tuned:
            full = torch.tensor(list(soft.values()), dtype=torch.float64)
            residuals = torch.tensor([self.residuals_[name] for name in soft], dtype=torch.float64)
            trivial = dict(zip(self.vectors, energy.trivial.tolist()))
            active = (full > 0) & ~torch.tensor([trivial[name] for name in soft])
            strengths.update(zip(soft, tuned_strengths(full, residuals, self.power, active).tolist()))
            weights = solution(strengths)
        self.strengths_ = strengths
        self._measured = self._energy(weights, source, target).measure()
        constant = self.intercept
        self.coef_ = weights[:, :-1] if constant else weights
        self.intercept_ = weights[:, -1] if constant else weights.new_zeros(len(weights))
        return self

    def predict(self, x: Any) -> Any:
        """Outputs ``[N, out]``, of the kind that ``x`` is; in float64."""
        values = _matrix(x, "x") @ self.coef_.mT + self.intercept_
        return values if isinstance(x, Tensor) else values.numpy()

    def score(self, x: Any, y: Any) -> float:
        """The coefficient of determination, one for all outputs together."""
        return r_squared(_matrix(x, "x") @ self.coef_.mT + self.intercept_, _matrix(y, "y"))

    def degrees(self) -> Degrees:
        """How much of each symmetry the fitted weights have."""
        return Degrees(dict(zip(self.vectors, self._measured.degrees)))

    def cosine_residuals(self) -> dict[str, float]:
        """``1 - cos(W, P_k W)`` of the fitted weights, for each group."""
        return dict(zip(self.vectors, self._measured.cosines))

    def _layouts(self, width: int, outputs: int) -> tuple[Layout, Layout]:
        d = next(iter(self.vectors.values())).dim
        weight = weights_of(torch.empty(outputs, width), d, inp=self.inp, out=self.out)[0]
        return weight.source, weight.target

    def _energy(self, weights: Tensor, source: Layout, target: Layout) -> Energy:
        return Energy(weights, weights_of(weights, source.d, inp=source, out=target), self.vectors)


def _matrix(values: Any, argument: str) -> Tensor:
    tensor = torch.as_tensor(np.asarray(values) if not isinstance(values, Tensor) else values).detach().to("cpu", torch.float64)
    tensor = tensor.unsqueeze(1) if tensor.ndim == 1 and argument == "y" else tensor
    if tensor.ndim != 2 or not tensor.numel() or not bool(torch.isfinite(tensor).all()):
        raise ArgumentError(argument, "finite numbers [N, features]", f"shape {tuple(tensor.shape)}")
    return tensor
