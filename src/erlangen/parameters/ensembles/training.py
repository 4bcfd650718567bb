"""Training a stack of networks: own shuffles and early stopping for each member, one fused AdamW for all."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call

from erlangen.errors import ArgumentError
from erlangen.parameters.ensembles.stack import Stack
from erlangen.training import checkpoint as checkpoints
from erlangen.training.batches import Samples, Shuffle
from erlangen.training.checkpoint import State
from erlangen.training.history import History
from erlangen.training.identity import identity, same_loss, told_loss
from erlangen.training.interrupt import deferred_interrupt
from erlangen.training.lock import alone
from erlangen.training.loop import stopped
from erlangen.training.modes import evaluating, thawed
from erlangen.training.randomness import generators_of, random_step

#: Losses of samples ``[K]`` from outputs ``[K, *out]`` and targets ``[K, *target]``.
SampleLoss = Callable[[Tensor, Tensor], Tensor]
#: Numbers that outputs of all samples may take at once.
CHUNK = 2**22
#: A checkpoint is written after so long.
SECONDS = 20.0


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
            object.__setattr__(self, name, whole_number(name, getattr(self, name), least))
        if not 0 < self.lr < math.inf:
            raise ArgumentError("lr", "a positive learning rate", repr(self.lr))
        if not 0 <= self.weight_decay < math.inf:
            raise ArgumentError("weight_decay", "zero or a positive number", repr(self.weight_decay))
        for name in ("lr", "weight_decay"):
            object.__setattr__(self, name, float(getattr(self, name)))


def whole_number(name: str, value: Any, least: int) -> int:
    """A whole number of Python, from ``least`` on.

    Raises:
        ArgumentError: it is none.
    """
    number = float(value) if isinstance(value, Real) and not isinstance(value, bool) else math.nan
    if not (least <= number < math.inf and number.is_integer()):
        raise ArgumentError(name, f"a whole number, at least {least}", repr(value))
    return int(number)


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
    checkpoint: Path | None = None,
) -> Trained:
    """Train all members of a stack at once, each on its own shuffles; those that have stopped are taken out.

    A member comes out as :func:`erlangen.training.train` would leave it with its seed, up to rounding (with dropout: the same law).

    Args:
        stack: trained in place.
        seeds: of the members' shuffles.
        data, held: inputs and targets, for training and for early stopping.
        loss: see :data:`SampleLoss`.
        recipe: how.
        advance: called after each epoch with 1 and the mean loss, before the first with the epochs that a checkpoint has.
        checkpoint: a directory, see :meth:`DeepEnsemble.fit`.

    Raises:
        ArgumentError: no weights to train, losses or weights that are not finite, or a checkpoint of another training.
        KeyboardInterrupt: with a checkpoint, after an epoch was finished and written.
    """
    trained = [p for p in stack.parameters.values() if p.requires_grad]
    if not trained:
        raise ArgumentError("build", "modules with weights to train", "none")
    thawed(stack.base)
    last = {name: t.clone() for name, t in stack.state.items()}
    best = {name: t.clone() for name, t in last.items()}
    histories, start = [History() for _ in seeds], 0
    shuffles = [Shuffle(len(data[0]), recipe.batch_size, seed) for seed in seeds]
    batches = shuffles[0].samples // shuffles[0].size
    own = generators_of(stack.base)

    def told() -> float | None:
        """What the loss says of the first member's first batch: by it a checkpoint knows its network and its loss."""
        rows = shuffles[0].batch(0).to(data[0].device)
        member = {name: t[0] for name, t in last.items()}
        return told_loss(
            stack.base,
            lambda base, x, y: loss(functional_call(base, member, (x,)), y).mean(),
            [t[rows] for t in data],
            own=own,
        )

    with alone(checkpoint), deferred_interrupt() if checkpoint else nullcontext(lambda: False) as asked:
        optimizer = torch.optim.AdamW(
            trained, lr=recipe.lr, weight_decay=recipe.weight_decay, fused=all(p.is_floating_point() for p in trained)
        )
        who: dict[str, Any] = {}
        state = None
        if checkpoint is not None:
            samples, watched = Samples(data), None if held is None else Samples(held, "validation")
            who = {**identity(recipe, last, samples, watched), "seeds": list(seeds)}
            state = checkpoints.read(checkpoint, who)
            checkpoints.sweep(checkpoint)
        if state is not None:
            for into, values in ((last, state.model), (best, state.best)):
                for name, t in into.items():
                    t.copy_(values[name])
            here, scale = told(), max(map(abs, state.histories[0].losses), default=0.0)
            if not same_loss(state.told, here, scale):
                difference = f"loss: {state.told:.6g} there, {here:.6g} here, on one batch with the same weights"
                raise checkpoints.foreign([difference], checkpoint)
            histories, start = state.histories, state.step
        running = [i for i, history in enumerate(histories) if not history.stopped]
        if state is not None:
            stack.keep(torch.tensor(running, dtype=torch.int64, device=data[0].device), optimizer)
            stack.take(last, running)
            checkpoints.resume_optimizer(optimizer, state.optimizer)
        written = time.monotonic()

        def save(epoch: int, finished: bool = False) -> None:
            nonlocal written
            if checkpoint is not None:
                state = State(epoch, histories, finished, last, best, optimizer.state_dict(), told=told())
                checkpoints.write(checkpoint, state, who)
            written = time.monotonic()

        if advance is not None and start:
            advance(start)
        epoch = start
        while running and epoch < recipe.epochs:
            with random_step(seeds[0], epoch, device=data[0].device, own=own):
                clock = time.perf_counter()
                losses = _epoch(stack, [shuffles[i] for i in running], epoch * batches, data, loss, optimizer)
                _finite(losses, running, "a loss")
                scores = None
                if held is not None:
                    watching = validation_loss(stack, held, loss)
                    _finite(watching[None], running, "a validation loss")
                    scores = (-watching).tolist()
            for name, t in stack.state.items():
                if t.is_floating_point() and not bool(t.isfinite().all()) and bool(last[name].isfinite().all()):
                    _finite(t.reshape(len(t), -1).sum(1)[None], running, "weights")
            better = []
            epoch += 1
            for row, i in enumerate(running):
                history = histories[i]
                history.losses += losses[:, row].tolist()
                history.seconds += (time.perf_counter() - clock) / len(running)
                if scores is not None and history.record(epoch * batches, scores[row], recipe.patience):
                    better.append(row)
            _write(best, stack, better, running)
            _write(last, stack, list(range(len(running))), running)
            if advance is not None:
                advance(1, loss=float(losses.mean()))
            rest = [row for row, i in enumerate(running) if not histories[i].stopped]
            if len(rest) < len(running):
                stack.keep(torch.tensor(rest, dtype=torch.int64, device=data[0].device), optimizer)
                running = [running[row] for row in rest]
            if running and epoch < recipe.epochs and (asked() or time.monotonic() - written > SECONDS):
                save(epoch)
                if asked():
                    raise stopped(epoch * batches, checkpoint)
        for history in histories:
            history.stopped = history.stopped or "steps"
        if state is None or not state.finished:
            save(epoch, finished=True)
        if asked():
            raise stopped(epoch * batches, checkpoint)
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
        # Copies: a module that changes its inputs in place changes its own.
        return torch.cat([stack(part.expand(stack.size, *part.shape).clone()) for part in x.split(size)], dim=1)


def _finite(values: Tensor, running: list[int], what: str) -> None:
    """Refuse values ``[steps, members]`` of which one is not finite."""
    wrong = (~values.isfinite()).nonzero()
    if len(wrong):
        step, row = wrong[0].tolist()
        value = values[step, row].item()
        raise ArgumentError(
            "lr", "a learning rate with which losses and weights stay finite", f"{what} of {value} in member {running[row]}"
        )


def _write(into: dict[str, Tensor], stack: Stack, rows: list[int], running: list[int]) -> None:
    """Keep the present weights of some rows of the stack at their members' places."""
    if rows:
        places = [running[row] for row in rows]
        for name, t in stack.state.items():
            into[name][places] = t[rows]
