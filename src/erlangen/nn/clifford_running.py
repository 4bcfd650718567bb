"""Layers with running numbers, which move in training: once for each batch, in chunks too."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float
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
        self.seen: list[tuple[int, tuple[Tensor, ...]]] | None = None

    def see(self, x: Float[Tensor, "*batch c"]) -> None:
        """Move by a batch; or keep what it measures, where it is a part of one; or neither, where numbers are held."""
        if not self.training or self.held or not x.numel():
            return
        with torch.no_grad():
            part = self.measured(x)
            if self.seen is None:
                self.move(part[0].new_ones(1), *(number.unsqueeze(0) for number in part))
            else:
                self.seen.append((x.numel(), part))

    @abstractmethod
    def measured(self, x: Float[Tensor, "*batch c"]) -> tuple[Tensor, ...]:
        """What the running numbers are to follow, of a part of a batch."""

    @abstractmethod
    def move(self, share: Float[Tensor, " parts"], *numbers: Float[Tensor, "parts c"]) -> None:
        """A step towards what parts of a batch measured, each with its share of the batch."""


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
                counts = torch.tensor([float(count) for count, _ in layer.seen], dtype=torch.float64)
                layer.move(counts / counts.sum(), *(torch.stack(list(parts)) for parts in zip(*(part for _, part in layer.seen))))
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

    def measured(self, x: Tensor) -> tuple[Tensor, ...]:
        rows = x.flatten(0, -2)
        return rows.mean(0), rows.var(0, correction=0)

    def move(self, share: Tensor, mean: Tensor, variance: Tensor) -> None:
        share = share.unsqueeze(1).to(mean)
        whole = (share * mean).sum(0)
        deviation = (share * (variance + (mean - whole).square())).sum(0).sqrt()
        self.mu.lerp_(whole.to(self.mu), 1 - self.momentum)
        self.sigma.lerp_(deviation.to(self.sigma), 1 - self.momentum)


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

    def measured(self, x: Tensor) -> tuple[Tensor, ...]:
        return (safe_norm(x).mean().reshape(1),)

    def move(self, share: Tensor, mean: Tensor) -> None:
        self.norm.lerp_((share.unsqueeze(1).to(mean) * mean).sum(0).to(self.norm), 1 - self.momentum)
