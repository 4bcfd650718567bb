"""The networks that are compared, and one training for all of them: the members of all seeds at once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from erlangen.datasets.graphs import TARGETS, connected_graphs, intensive, relabelled, targets
from erlangen.groups import Symmetric
from erlangen.measure.scores import r_squared
from erlangen.nn import EquivariantLinear
from erlangen.nn.perceptron import perceptron
from erlangen.training import TrainingConfig, supervised, train_members

SOURCE = "Pearce-Crump 2022, arXiv:2212.08648"
NODES = 7
SYMMETRIC, THIRD, PLAIN, MOVED = "S_7", "S_7, third order", "MLP", "MLP, random relabelling"
#: Numbers of a graph that the network's head sees.
INVARIANTS = 64


@dataclass(frozen=True)
class Config:
    """The 853 connected graphs with seven nodes."""

    seeds: int = 3
    """Repetitions: of the split, of the weights and of the batches."""
    steps: int = 600
    """Steps of each training, of 50 graphs."""
    channels: int = 24
    """Copies of each hidden tensor."""
    largest: int = 30
    """Layers are timed up to so many nodes (of third order up to 20)."""
    curve: bool = False
    """R2 from 25, 50, 100, 200 and 400 training graphs, beside what one would pick instead."""
    full: bool = False
    """10 seeds, and hidden tensors of third order too."""
    seed: int = 0
    """First seed."""

    @property
    def every_seed(self) -> range:
        """The seeds of this run."""
        return range(self.seed, self.seed + max(self.seeds, 10 * self.full))


class GraphNet(nn.Module):
    """Adjacency matrices ``[*batch, n, n]`` to three numbers: M^2 -> hidden -> hidden -> invariants, and a perceptron on those.

    Args:
        nodes: n.
        order: number of axes of the hidden tensors.
        channels: copies of them.
        normalize: see :class:`erlangen.nn.EquivariantLinear`.
    """

    def __init__(self, nodes: int, order: int = 2, channels: int = 24, normalize: Any = "sqrt", seed: int = 0) -> None:
        super().__init__()
        V, g = Symmetric(nodes).vector, torch.Generator().manual_seed(seed)
        torch.manual_seed(seed)
        reps = [
            (V**2, V**order, (1, channels)),
            (V**order, V**order, (channels, channels)),
            (V**order, V.group.scalar, (channels, INVARIANTS)),
        ]
        self.layers = nn.ModuleList(EquivariantLinear(a, b, copies, normalize=normalize, generator=g) for a, b, copies in reps)
        self.head = perceptron(INVARIANTS, INVARIANTS, len(TARGETS))

    def forward(self, a: Tensor) -> Tensor:
        x = (a - 0.5).flatten(-2).unsqueeze(-2)  # entries are 0 and 1
        for layer in self.layers:
            x = layer(x).relu()
        return self.head(x.squeeze(-1))

    def over(self, nodes: int) -> GraphNet:
        """The same network, sharing its weights, for graphs of another size."""
        other = GraphNet.__new__(GraphNet)
        nn.Module.__init__(other)
        other.layers = nn.ModuleList(layer.over(Symmetric(nodes)) for layer in self.layers)  # type: ignore[operator]
        other.head = self.head
        return other


def network(name: str, config: Config, seed: int) -> nn.Module:
    """One of the networks that are compared."""
    if name in (SYMMETRIC, THIRD):
        return GraphNet(NODES, 3 if name == THIRD else 2, config.channels, seed=seed)
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(-2), *perceptron(NODES**2, 128, 128, len(TARGETS)))


class Split(NamedTuple):
    """Randomly labelled graphs and scaled intensive targets; ``scale`` is the training set's mean and spread ``[2, 3]``."""

    x: Tensor
    y: Tensor
    x_test: Tensor
    y_test: Tensor
    scale: Tensor


def split(seed: int, size: int) -> Split:
    """So many graphs to train on, and all the others to test on."""
    generator = torch.Generator().manual_seed(seed)
    graphs = connected_graphs(NODES)
    order = torch.randperm(len(graphs), generator=generator)
    y = intensive(targets(graphs), NODES)
    scale = torch.stack([y[order[:size]].mean(0), y[order[:size]].std(0)])
    x, y = relabelled(graphs, generator).float(), ((y - scale[0]) / scale[1]).float()
    return Split(x[order[:size]], y[order[:size]], x[order[size:]], y[order[size:]], scale)


def fit(make: Any, parts: Sequence[Split], config: Config, about: str, quiet: bool, moved: bool = False) -> tuple[list[Any], float]:
    """Mean square error, of the members of all seeds at once, each on its own split; with ``moved`` every graph is relabelled at random.

    Returns:
        the networks, and a network's share of the CPU seconds.
    """
    settings = TrainingConfig(steps=config.steps, batch_size=50, lr=3e-3, weight_decay=0.0)
    loss = supervised(lambda p, y: (p - y).square().mean(), (lambda a, b: (relabelled(a), b)) if moved else None)
    data = torch.cat([part.x for part in parts]), torch.cat([part.y for part in parts])
    clock = time.process_time()
    nets, _ = train_members(make, config.every_seed, data, loss, settings, apart=True, description=about, quiet=quiet)
    return nets, (time.process_time() - clock) / len(parts)


def r2(prediction: Tensor, truth: Tensor) -> list[float]:
    """The coefficient of determination of each target."""
    return [r_squared(p, y) for p, y in zip(prediction.mT, truth.mT)]
