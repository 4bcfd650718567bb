"""Training a stack of networks: own shuffles and early stopping for each member, one fused AdamW for all."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.parameters.ensembles.stack import Stack
from erlangen.training.batches import Shuffle
from erlangen.training.history import History
from erlangen.training.modes import evaluating, thawed
from erlangen.training.randomness import seeded

#: Losses of samples ``[K]`` from outputs ``[K, *out]`` and targets ``[K, *target]``.
SampleLoss = Callable[[Tensor, Tensor], Tensor]
#: Numbers that outputs of all samples may take at once.
CHUNK = 2**22


@dataclass(frozen=True)
class Recipe:
    """How members are trained: AdamW at a constant rate, early stopping on the validation loss.

    Attributes:
        epochs: at most; of each the last batch is left out where it is not full.
        batch_size, lr, weight_decay: of AdamW.
        patience: epochs in a row without a lower validation loss after which a member stops; 0 never stops early.
    """

    epochs: int = 100
    batch_size: int = 256
    lr: float = 1e-3
    weight_decay: float = 0.03
    patience: int = 16

    def __post_init__(self) -> None:
        for name, least in (("epochs", 1), ("batch_size", 1), ("patience", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or value != int(value) or value < least:
                raise ArgumentError(name, f"a whole number, at least {least}", repr(value))
        if not 0 < self.lr < math.inf:
            raise ArgumentError("lr", "a positive learning rate", repr(self.lr))
        if not 0 <= self.weight_decay < math.inf:
            raise ArgumentError("weight_decay", "zero or a positive number", repr(self.weight_decay))


@dataclass(frozen=True)
class Trained:
    """What a training left: all tensors with a member axis, after the last step of each member and where its validation loss was lowest
    (without validation the same), and the histories, whose scores are minus the validation loss after each epoch."""

    last: dict[str, Tensor]
    best: dict[str, Tensor]
    histories: list[History]


def train_stack(
    stack: Stack,
    seeds: Sequence[int],
    data: tuple[Tensor, Tensor],
    loss: SampleLoss,
    recipe: Recipe,
    held: tuple[Tensor, Tensor] | None = None,
    advance: Callable[..., None] | None = None,
) -> Trained:
    """Train all members of a stack at once, each on its own shuffles; those that have stopped are taken out.

    A member comes out as :func:`erlangen.training.train` would leave it with its seed, up to rounding (with dropout: the same law).

    Args:
        stack: trained in place.
        seeds: of the members' shuffles.
        data, held: inputs and targets, for training and for early stopping.
        loss: see :data:`SampleLoss`.
        recipe: how.
        advance: called after each epoch with 1 and the mean loss.

    Raises:
        ArgumentError: no weights to train, or a loss that is not finite.
    """
    trained = [p for p in stack.parameters.values() if p.requires_grad]
    if not trained:
        raise ArgumentError("build", "modules with weights to train", "none")
    thawed(stack.base)
    optimizer = torch.optim.AdamW(trained, lr=recipe.lr, weight_decay=recipe.weight_decay, fused=True)
    last = {name: t.clone() for name, t in stack.state.items()}
    best = {name: t.clone() for name, t in last.items()}
    histories = [History() for _ in seeds]
    shuffles = [Shuffle(len(data[0]), recipe.batch_size, seed) for seed in seeds]
    batches = shuffles[0].samples // shuffles[0].size
    running = list(range(len(seeds)))
    with seeded(seeds[0], device=data[0].device):
        for epoch in range(recipe.epochs):
            clock = time.perf_counter()
            losses = _epoch(stack, [shuffles[i] for i in running], epoch * batches, data, loss, optimizer)
            _finite(losses, running)
            scores = None if held is None else [-value for value in validation_loss(stack, held, loss).tolist()]
            better = []
            for row, i in enumerate(running):
                history = histories[i]
                history.losses += losses[:, row].tolist()
                history.seconds += (time.perf_counter() - clock) / len(running)
                if scores is not None and history.record((epoch + 1) * batches, scores[row], recipe.patience):
                    better.append(row)
            _write(best, stack, better, running)
            if advance is not None:
                advance(1, loss=float(losses.mean()))
            done = [row for row, i in enumerate(running) if histories[i].stopped]
            if done:
                _write(last, stack, done, running)
                rest = [row for row in range(len(running)) if row not in done]
                stack.keep(torch.tensor(rest, dtype=torch.int64, device=data[0].device), optimizer)
                running = [running[row] for row in rest]
                if not running:
                    break
    _write(last, stack, list(range(len(running))), running)
    for history in histories:
        history.stopped = history.stopped or "steps"
    return Trained(last, last if held is None else best, histories)


def _epoch(
    stack: Stack,
    shuffles: list[Shuffle],
    start: int,
    data: tuple[Tensor, Tensor],
    loss: SampleLoss,
    optimizer: torch.optim.Optimizer,
) -> Tensor:
    """The losses [steps, members] of one epoch."""
    x, y = data
    size = shuffles[0].size
    steps = range(start, start + shuffles[0].samples // size)
    order = torch.stack([torch.cat([shuffle.batch(step) for step in steps]) for shuffle in shuffles]).to(x.device)
    losses = []
    for index in order.split(size, dim=1):
        outputs = stack(x[index])
        each = loss(outputs.flatten(0, 1), y[index].flatten(0, 1))
        optimizer.zero_grad(set_to_none=True)
        (each.sum() / size).backward()  # members share no weight: the gradient of their means' sum is each one's own
        optimizer.step()
        losses.append(each.detach())
    return torch.stack(losses).view(len(losses), -1, size).mean(2)


def validation_loss(stack: Stack, held: tuple[Tensor, Tensor], loss: SampleLoss) -> Tensor:
    """Mean losses [members] on held-out data, in evaluation mode."""
    outputs = stacked_outputs(stack, held[0])
    targets = held[1].expand(stack.size, *held[1].shape)
    return loss(outputs.flatten(0, 1), targets.flatten(0, 1)).view(stack.size, -1).mean(1)


def stacked_outputs(stack: Stack, x: Tensor) -> Tensor:
    """Outputs [members, N, *out] of all members for the same inputs ``[N, *shape]``, in evaluation mode and without gradients."""
    size = max(1, CHUNK // max(1, stack.size * x[:1].numel()))
    with torch.no_grad(), evaluating(stack.base):
        return torch.cat([stack(part.expand(stack.size, *part.shape)) for part in x.split(size)], dim=1)


def _finite(losses: Tensor, running: list[int]) -> None:
    wrong = (~losses.isfinite()).nonzero()
    if len(wrong):
        step, row = wrong[0].tolist()
        value = losses[step, row].item()
        raise ArgumentError("lr", "a learning rate with which losses stay finite", f"a loss of {value} in member {running[row]}")


def _write(into: dict[str, Tensor], stack: Stack, rows: list[int], running: list[int]) -> None:
    """Keep the present weights of some rows of the stack at their members' places."""
    if rows:
        places = [running[row] for row in rows]
        for name, t in stack.state.items():
            into[name][places] = t[rows]
