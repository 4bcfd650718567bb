"""The networks, and one training for all of them: the members of all seeds at once."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn

from erlangen.fields.molecules import FEATURES
from erlangen.groups import Alternating, Symmetric
from erlangen.measure.scores import accuracy
from erlangen.nn import EquivariantLinear
from erlangen.studies.jellyfish_chirality.task import Task
from erlangen.training import TrainingConfig, supervised, train_members

SOURCE = "Pearce-Crump 2023, arXiv:2301.10152"
PLAIN, MOVED = "MLP", "MLP, random even permutations"
WRITTEN = "MLP, in the file's order"
SMALL = 500  # centres of the small training set


@dataclass(frozen=True)
class Config:
    """Every stereocentre of 1935 approved drugs and its mirror image, R or S."""

    seeds: int = 3
    """Repetitions: of the split by molecules, of the weights and of the batches."""
    epochs: int = 16
    """Passes through the whole training set; smaller sets are passed through more often, six times as often."""
    channels: int = 24
    """Copies of each hidden tensor."""
    centres: int = 0
    """Use only so many centres; 0 takes all."""
    full: bool = False
    """5 seeds, third-order tensors too, and a learning curve over 100, 200, 500, 1000 and all centres."""
    curve: bool = False
    """Accuracy over noise in the rows, beside parity of sorted rows."""
    seed: int = 0
    """First seed."""

    @property
    def every_seed(self) -> range:
        """The seeds of this run."""
        return range(self.seed, self.seed + max(self.seeds, 5 * self.full))


def network(name: str, channels: int, seed: int) -> nn.Module:
    """``[*batch, 13, 4]`` to one logit ``[*batch]``."""
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    inputs = len(FEATURES)
    if name.startswith("MLP"):
        hidden = [layer for _ in range(2) for layer in (nn.Linear(96, 96), nn.ReLU())]
        return nn.Sequential(nn.Flatten(-2), nn.Linear(4 * inputs, 96), nn.ReLU(), *hidden, nn.Linear(96, 1), nn.Flatten(-2))
    group = Symmetric(4) if name == "S_4" else Alternating(4)
    V = group.vector
    # Rows by themselves and beside the sum of all first: what is to be compared is not what stands in them.
    reps = [V, V, V**2, V**3 if name.endswith("third order") else V**2, group.scalar]
    widths = [inputs, 2 * channels, *[channels] * 3]
    layers: list[nn.Module] = []
    with warnings.catch_warnings():
        # The first map and the last one have too few axes for a jellyfish; those between have them.
        warnings.filterwarnings("ignore", message="these maps of A_4 are those of Symmetric")
        for source, target, copies in zip(reps, reps[1:], pairwise(widths)):
            # Leaky: where every number is below zero, as all may be of a function that a mirror turns, the plain one learns no more.
            layers += [EquivariantLinear(source, target, copies, generator=generator), nn.LeakyReLU(0.1)]
    return nn.Sequential(*layers, nn.Flatten(-2), nn.Linear(channels, 1), nn.Flatten(-2))


def fit(name: str, tasks: Sequence[Task], config: Config, description: str, quiet: bool) -> tuple[list[nn.Module], float]:
    """Cross entropy, of the members of all seeds at once, each on its own task; rows of a batch are permuted evenly if that is the name's.

    Returns:
        the networks, and a network's share of the CPU seconds.
    """
    V = Alternating(4).vector
    rows = len(tasks[0].x)
    # Small sets get more passes, so that all networks are trained to the end on them. However long S_4 is trained, it is a coin: an eighth
    # of the time is enough to see that. What sees new orders in every batch needs more of them.
    epochs = config.epochs if rows > 4 * SMALL else config.epochs * 6
    steps = max(1, round(epochs * rows / 64 * {"S_4": 1 / 8, MOVED: 5 / 2}.get(name, 1)))
    settings = TrainingConfig(steps=steps, batch_size=64, lr=3e-3, weight_decay=0.0)
    move = (lambda x, y: (V.act(V.group.sample(len(x)), x), y)) if name == MOVED else None
    loss = supervised(nn.functional.binary_cross_entropy_with_logits, move)
    data = torch.cat([task.x for task in tasks]), torch.cat([task.y for task in tasks]).to(tasks[0].x.dtype)
    seeds = range(config.seed, config.seed + len(tasks))
    clock = time.process_time()
    make = partial(network, name, config.channels)
    nets, _ = train_members(make, seeds, data, loss, settings, apart=True, description=description, quiet=quiet)
    return nets, (time.process_time() - clock) / len(tasks)


@torch.no_grad()
def score(net: nn.Module, x: Tensor, y: Tensor) -> float:
    """Accuracy."""
    return accuracy(net(x), y)


@torch.no_grad()
def change(net: nn.Module, x: Tensor, permutations: Tensor) -> float:
    """The largest change of a probability when the four neighbours are permuted."""
    before = net(x).sigmoid()
    return max(float((net(x[..., g]).sigmoid() - before).abs().max()) for g in permutations)
