"""`SoftEquivariantRegressor`: a network with the soft equivariance penalty behind the verbs of an estimator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from erlangen.discover.soft.degrees import Degrees
from erlangen.discover.soft.penalty import SoftEquivariance, Tune
from erlangen.discover.soft.report import Report
from erlangen.errors import ArgumentError
from erlangen.maps.subspaces import Candidate, candidates
from erlangen.measure.scores import r_squared
from erlangen.reps.layout import Layout

if TYPE_CHECKING:
    from erlangen.nn.soft_mlp import SoftEquivariantMLP


@dataclass(frozen=True)
class SoftRegressorConfig:
    """What decides a :class:`SoftEquivariantRegressor` beside its types: network, training, penalty. It prints and compares.

    Attributes:
        width, blocks: of the network.
        steps, batch_size, lr, weight_decay: of the training (AdamW, cosine schedule).
        strengths, tune, warmup, power: of the penalty, as for :class:`SoftEquivariance`.
        seed: of weights and batches.

    >>> SoftRegressorConfig(width=32) == SoftRegressorConfig(width=32) != SoftRegressorConfig()
    True
    """

    width: int = 64
    blocks: int = 2
    steps: int = 1000
    batch_size: int = 256
    lr: float = 2e-3
    weight_decay: float = 1e-4
    strengths: float | Sequence[float] | Mapping[str, float] = 1.0
    tune: Tune = "once"
    warmup: float = 0.01
    power: float = 2.0
    seed: int = 0


class SoftEquivariantRegressor:
    """A :class:`~erlangen.nn.soft_mlp.SoftEquivariantMLP` trained with :class:`SoftEquivariance`.

    Inputs and outputs are divided by one number for each type of tensor, which no group notices.

    Args:
        groups: candidates as for :class:`SoftEquivariance`.
        inp, out: representations or layouts; a number: so many vectors.
        quiet: no progress bar.
        config: all other choices.
        options: fields of :class:`SoftRegressorConfig` by name, which take the place of those of ``config``.

    Attributes:
        config: the :class:`SoftRegressorConfig` in force.
        net_, penalty_: after :meth:`fit`.

    >>> from erlangen.groups import SO
    >>> x = torch.randn(64, 3)
    >>> model = SoftEquivariantRegressor([SO(3), SO(2, axis="z")], 1, 1, width=20, blocks=1, steps=20).fit(x, 2 * x)
    >>> model.predict(x).shape, list(model.degrees())
    (torch.Size([64, 3]), ['SO(3)', 'SO(2) about z'])
    """

    def __init__(
        self,
        groups: Sequence[Candidate] | Mapping[str, Candidate],
        inp: Any,
        out: Any,
        *,
        quiet: bool = True,
        config: SoftRegressorConfig | None = None,
        **options: Any,
    ) -> None:
        self.groups = groups
        d = next(iter(candidates(groups).values())).dim
        self.inp, self.out = Layout.of(inp, d, "inp"), Layout.of(out, d, "out")
        self.quiet = quiet
        self.config = replace(config or SoftRegressorConfig(), **options)

    net_: SoftEquivariantMLP
    penalty_: SoftEquivariance

    def fit(self, x: Any, y: Any) -> SoftEquivariantRegressor:
        """Train on ``[N, in]`` and ``[N, out]``; tensors or arrays."""
        from erlangen.nn.soft_mlp import SoftEquivariantMLP
        from erlangen.training import TrainingConfig, train

        x, y = _tensor(x, self.inp, "x"), _tensor(y, self.out, "y")
        if len(x) != len(y):
            raise ArgumentError("y", f"{len(x)} rows, as x", len(y))
        self._scales = _scales(x, self.inp), _scales(y, self.out)
        x, y = x / self._scales[0], y / self._scales[1]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.config.seed)
            net = SoftEquivariantMLP(self.inp, self.out, width=self.config.width, blocks=self.config.blocks, groups=self.groups)
        penalty = SoftEquivariance(
            net,
            self.groups,
            strengths=self.config.strengths,
            tune=self.config.tune,
            steps=self.config.steps,
            warmup=self.config.warmup,
            power=self.config.power,
        )

        def loss(model: Any, x: Tensor, y: Tensor) -> Tensor:
            return (model(x) - y).square().mean() + penalty() + net.gate_penalty()

        config = TrainingConfig(
            steps=self.config.steps,
            batch_size=min(self.config.batch_size, len(x)),
            lr=self.config.lr,
            weight_decay=self.config.weight_decay,
            seed=self.config.seed,
        )
        train(net, (x, y), loss, config, description="soft equivariance", quiet=self.quiet)
        self.net_, self.penalty_ = net, penalty
        return self

    def predict(self, x: Any) -> Any:
        """Outputs ``[N, out]``, of the kind that ``x`` is."""
        with torch.no_grad():
            values = self.net_(_tensor(x, self.inp, "x") / self._scales[0]) * self._scales[1]
        return values if isinstance(x, Tensor) else values.numpy()

    def score(self, x: Any, y: Any) -> float:
        """The coefficient of determination, one for all outputs together."""
        return r_squared(self.predict(_tensor(x, self.inp, "x")), _tensor(y, self.out, "y"))

    def degrees(self) -> Degrees:
        """How much of each symmetry the trained weights have."""
        return self.penalty_.degrees()

    def report(self, x: Any) -> Report:
        """Strengths, residuals, degrees and equivariance errors on inputs."""
        return self.penalty_.report(
            _tensor(x, self.inp, "x") / self._scales[0], generator=torch.Generator().manual_seed(self.config.seed)
        )


def _scales(x: Tensor, layout: Layout) -> Tensor:
    """The root mean square of each type, for each entry."""
    scales = x.new_ones(layout.dim)
    for places in layout.places.values():
        scales[places] = x[:, places.flatten()].square().mean().sqrt().clamp_min(1e-12)
    return scales


def _tensor(values: Any, layout: Layout, argument: str) -> Tensor:
    tensor = values if isinstance(values, Tensor) else torch.as_tensor(np.asarray(values))
    tensor = tensor.detach().to("cpu", torch.get_default_dtype())
    if tensor.ndim != 2 or tensor.shape[1] != layout.dim or not bool(torch.isfinite(tensor).all()):
        raise ArgumentError(argument, f"finite numbers [N, {layout.dim}], as {layout}", tuple(tensor.shape))
    return tensor
