"""Layers with running numbers, which move in training: once for each batch, in chunks too."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.nn.clifford_products import safe_norm


class RunningNumbers(nn.Module):
    """What both share: in training, numbers of the data that a batch moves by a step.

    Args:
        momentum: what stays of the running numbers at each batch in training.

    Raises:
        ArgumentError: a momentum that is not from 0 to 1.
    """

    def __init__(self, momentum: float) -> None:
        super().__init__()
        if not 0 <= momentum <= 1:
            raise ArgumentError("momentum", "a number from 0 to 1", repr(momentum))
        self.momentum = momentum
        self.held = False
        self.there: Tensor | None = None
        self.seen: list[tuple[Tensor, tuple[Tensor, ...]]] | None = None

    def see(self, x: Float[Tensor, "*batch c"]) -> None:
        """Move by a batch; or keep what it measures, where it is a part of one; or neither, where numbers are held."""
        if not self.training or self.held or not x.numel():
            return
        with torch.no_grad():
            rows, share = x.flatten(0, -2), x.new_full((), x.numel(), dtype=torch.float64)
            weight = rows.new_full((len(rows), 1), 1 / len(rows))
            if self.there is not None:
                there = self.there.expand(x.shape[:-1]).reshape(-1, 1).to(rows.dtype)
                count = there.sum()
                weight, share = there / count.clamp_min(1), count.double()
            part = self.measured(rows, weight)
            if self.seen is None:
                self.move(part[0].new_ones(1) * (share > 0), *(number.unsqueeze(0) for number in part))
            else:
                self.seen.append((share, part))

    @abstractmethod
    def measured(self, rows: Float[Tensor, "N c"], weight: Float[Tensor, "N 1"]) -> tuple[Tensor, ...]:
        """What the running numbers are to follow, of a part of a batch: weighted means over its rows, zero where it has none."""

    @abstractmethod
    def move(self, share: Float[Tensor, " parts"], *numbers: Float[Tensor, "parts c"]) -> None:
        """A step towards what parts of a batch measured, each with its share of the batch; none where all shares are zero."""

    def step(self, share: Float[Tensor, " parts"]) -> Tensor:
        """How far a step goes."""
        return (1 - self.momentum) * (share.sum() > 0)


def running(*networks: object) -> list[RunningNumbers]:
    """The layers in networks whose numbers would move now."""
    modules = (module for network in networks if isinstance(network, nn.Module) for module in network.modules())
    return [module for module in modules if isinstance(module, RunningNumbers) and module.training and not module.held]


@torch.no_grad()
def move_once(layers: list[RunningNumbers], run: Callable[[], None]) -> None:
    """Move numbers as one batch does whose parts ``run`` goes through. (A layer behind another sees what that gives before its step.)"""
    try:
        for layer in layers:
            layer.seen = []
        run()
        for layer in layers:
            if layer.seen:
                counts = torch.stack([count for count, _ in layer.seen])
                layer.move(
                    counts / counts.sum().clamp_min(1),
                    *(torch.stack(list(parts)) for parts in zip(*(part for _, part in layer.seen))),
                )
    finally:
        for layer in layers:
            layer.seen = None


@contextmanager
def held(layers: list[RunningNumbers]) -> Iterator[None]:
    """Numbers do not move inside."""
    for layer in layers:
        layer.held = True
    try:
        yield
    finally:
        for layer in layers:
            layer.held = False


@contextmanager
def seeing(layers: list[RunningNumbers], there: Bool[Tensor, "*batch"] | None) -> Iterator[None]:
    """Numbers inside follow what is there, and not what fills the places of the others.

    Args:
        there: broadcasts with what layers get, without its last axis.
    """
    for layer in layers:
        layer.there = there
    try:
        yield
    finally:
        for layer in layers:
            layer.there = None


class MomentumNormalization(RunningNumbers):
    """Numbers less their running mean, divided by their running deviation, over all axes but the last; no gradient through either.

    For invariants, whose units are powers of a length: give it as the first layer of a ``value_net``.

    Args:
        n_dim: length of the last axis.
        momentum: what stays of the running numbers at each batch in training.

    >>> layer = MomentumNormalization(2, momentum=0.0)
    >>> layer(torch.tensor([[0.0, 10.0], [2.0, 30.0]]))
    tensor([[-1., -1.],
            [ 1.,  1.]])
    """

    mu: Tensor
    sigma: Tensor

    def __init__(self, n_dim: int, momentum: float = 0.99) -> None:
        super().__init__(momentum)
        self.register_buffer("mu", torch.zeros(n_dim))
        self.register_buffer("sigma", torch.ones(n_dim))

    def forward(self, x: Float[Tensor, "*batch c"]) -> Float[Tensor, "*batch c"]:
        self.see(x)
        return ((x - self.mu) / self.sigma.clamp_min(1e-7)).to(x.dtype)

    def measured(self, rows: Tensor, weight: Tensor) -> tuple[Tensor, ...]:
        mean = (weight * rows).sum(0)
        return mean, (weight * (rows - mean).square()).sum(0)

    def move(self, share: Tensor, mean: Tensor, variance: Tensor) -> None:
        share = share.unsqueeze(1).to(mean)
        whole = (share * mean).sum(0)
        deviation = (share * (variance + (mean - whole).square())).sum(0).sqrt()
        step = self.step(share).to(self.mu)
        self.mu.lerp_(whole.to(self.mu), step)
        self.sigma.lerp_(deviation.to(self.sigma), step)


class MomentumLayerNormalization(RunningNumbers):
    """Vectors divided by the running mean of their norms: they turn as before, and have length 1 on average.

    Args:
        momentum: as of :class:`MomentumNormalization`.
        epsilon: the least that is divided by.

    >>> MomentumLayerNormalization(momentum=0.0)(torch.tensor([[3.0, 4.0]]))
    tensor([[0.6000, 0.8000]])
    """

    norm: Tensor

    def __init__(self, momentum: float = 0.99, epsilon: float = 1e-7) -> None:
        super().__init__(momentum)
        self.epsilon = epsilon
        self.register_buffer("norm", torch.ones(1))

    def forward(self, x: Float[Tensor, "*batch c"]) -> Float[Tensor, "*batch c"]:
        self.see(x)
        return (x / self.norm.clamp_min(self.epsilon)).to(x.dtype)

    def measured(self, rows: Tensor, weight: Tensor) -> tuple[Tensor, ...]:
        return ((weight * safe_norm(rows)).sum().reshape(1),)

    def move(self, share: Tensor, mean: Tensor) -> None:
        step = self.step(share).to(self.norm)
        self.norm.lerp_((share.unsqueeze(1).to(mean) * mean).sum(0).to(self.norm), step)
