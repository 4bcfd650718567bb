"""`train`: one loop for every network in the library, on Accelerate, resumable to the bit."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.training.checkpoint import State, identity, read, write
from erlangen.training.config import History, TrainingConfig

Loss = Callable[..., Tensor]
Metric = Callable[..., float]


def train(
    model: nn.Module,
    data: Sequence[Tensor],
    loss: Loss,
    config: TrainingConfig | None = None,
    *,
    validation: Sequence[Tensor] | None = None,
    metric: Metric | None = None,
    checkpoint: str | Path | None = None,
    description: str = "training",
    quiet: bool = False,
) -> History:
    """Train a model in place and leave it, in evaluation mode, with its best weights.

    The batches of a step are a function of the seed and the step alone, the learning rate too, and the checkpoint holds the rest
    (weights, optimiser, torch's random state, history). So a training that is killed at any moment and started again with the same
    ``checkpoint`` ends with the same bits as one that was not (on the CPU). With several processes (``accelerate launch``) each takes
    its share of every batch.

    Args:
        model: any module.
        data: tensors of one length, the sample axis first.
        loss: ``loss(model, *batch) -> scalar``, a mean over the batch.
        config: see :class:`TrainingConfig`.
        validation: tensors like ``data`` for choosing the best weights; without it the last weights are kept.
        metric: ``metric(model, *validation) -> float``, larger is better; by default minus the loss.
        checkpoint: a directory to keep the checkpoint in.
        description: what the progress bar says.
        quiet: no progress bar.

    Returns:
        the :class:`History`.

    Raises:
        ArgumentError: data of different lengths or none, or a checkpoint of another training.
        KeyboardInterrupt: after a checkpoint was written, with a line that says so.

    >>> x = torch.randn(64, 2); net = nn.Linear(2, 1)
    >>> history = train(net, (x, x.sum(1, keepdim=True)), lambda m, x, y: (m(x) - y).square().mean(), TrainingConfig(steps=20), quiet=True)
    >>> len(history.losses), history.stopped
    (20, 'steps')
    """
    from erlangen.reporting import progress

    config = config or TrainingConfig()
    lengths = {len(t) for t in data}
    if len(lengths) != 1 or 0 in lengths:
        raise ArgumentError("data", "tensors of one positive length", sorted(lengths))
    samples = lengths.pop()
    directory = None if checkpoint is None else Path(checkpoint)
    who = identity(config, model, samples)
    state = None if directory is None else read(directory, who)
    if state is not None and state.finished:
        model.load_state_dict(state.best or state.model)
        model.eval()
        return state.history

    accelerator = Accelerator(mixed_precision=config.mixed_precision)
    bare = model
    bare.to(accelerator.device)
    optimizer = torch.optim.AdamW(bare.parameters(), lr=config.lr, weight_decay=config.weight_decay)
    history, start, best = History(), 0, {}
    torch.manual_seed(config.seed + accelerator.process_index)
    if state is not None:
        bare.load_state_dict(state.model)
        history, start, best = state.history, state.step, state.best
        _restore(optimizer, state.optimizer)
        if accelerator.process_index == 0:
            torch.set_rng_state(state.random)
    wrapped, prepared = accelerator.prepare(bare, optimizer)
    tensors = [t.to(accelerator.device) for t in data]
    held = None if validation is None else [t.to(accelerator.device) for t in validation]

    def save(step: int, finished: bool = False) -> None:
        if directory is not None and accelerator.is_main_process:
            weights = {name: t.detach() for name, t in bare.state_dict().items()}
            write(directory, State(step, history, finished, weights, best, optimizer.state_dict(), torch.get_rng_state()), who)

    step = start
    try:
        with progress(config.steps, description, quiet=quiet or not accelerator.is_main_process) as bar:
            if start:
                bar.advance(start)
            for step in range(start, config.steps):
                clock = time.perf_counter()
                wrapped.train()
                value = _one_step(accelerator, wrapped, prepared, tensors, loss, config, step)
                history.losses.append(value)
                history.seconds += time.perf_counter() - clock
                last = step + 1 == config.steps
                if held is not None and ((step + 1) % config.evaluate_every == 0 or last):
                    score = _evaluate(bare, held, loss, metric)
                    history.evaluations.append((step + 1, score))
                    if score > history.best:
                        history.best, history.best_step = score, step + 1
                        best = {name: t.detach().clone() for name, t in bare.state_dict().items()}
                    waited = (step + 1 - history.best_step) // config.evaluate_every
                    if config.patience and waited >= config.patience:
                        history.stopped = "patience"
                bar.advance(1, loss=value, **({"score": history.evaluations[-1][1]} if history.evaluations else {}))
                if history.stopped:
                    break
                if (step + 1) % config.checkpoint_every == 0 and not last:
                    save(step + 1)
    except KeyboardInterrupt:
        done = len(history.losses)
        # A step that was cut off is repeated: its loss is only recorded when it is complete.
        if done > step:
            save(done)
        where = f"; start again with checkpoint={directory} to continue" if directory is not None else ""
        raise KeyboardInterrupt(f"stopped after {done} steps{where}") from None
    history.stopped = history.stopped or "steps"
    save(len(history.losses), finished=True)
    if best:
        bare.load_state_dict(best)
    bare.eval()
    return history


def batch_of(step: int, samples: int, size: int, seed: int) -> Tensor:
    """The sample indices of a step: consecutive pieces of a shuffle that is renewed each epoch.

    >>> sorted(torch.cat([batch_of(s, 6, 3, seed=0) for s in (0, 1)]).tolist())
    [0, 1, 2, 3, 4, 5]
    """
    size = min(size, samples)
    per_epoch = max(1, samples // size)
    epoch, piece = divmod(step, per_epoch)
    shuffle = torch.randperm(samples, generator=torch.Generator().manual_seed(seed * 1_000_003 + epoch))
    return shuffle[piece * size : (piece + 1) * size]


def _one_step(
    accelerator: Accelerator,
    model: nn.Module,
    optimizer: Any,
    tensors: list[Tensor],
    loss: Loss,
    config: TrainingConfig,
    step: int,
) -> float:
    world, rank = accelerator.num_processes, accelerator.process_index
    index = batch_of(step, len(tensors[0]), config.batch_size, config.seed)
    mine = index[rank::world].to(tensors[0].device)
    # Processes average their gradients; weighting by the share's size makes that the mean over the whole batch.
    weight = len(mine) * world / len(index)
    for group in optimizer.param_groups:
        group["lr"] = config.rate(step)
    with accelerator.autocast():
        value = loss(model, *(t[mine] for t in tensors)) * weight
    optimizer.zero_grad(set_to_none=True)
    accelerator.backward(value)
    if config.clip:
        accelerator.clip_grad_norm_(model.parameters(), config.clip)
    optimizer.step()
    return float(accelerator.reduce(value.detach(), reduction="mean"))


def _evaluate(model: nn.Module, held: list[Tensor], loss: Loss, metric: Metric | None) -> float:
    model.eval()
    with torch.no_grad():
        return float(-loss(model, *held) if metric is None else metric(model, *held))


def _restore(optimizer: torch.optim.Optimizer, saved: dict[str, Any]) -> None:
    """Load the optimiser's state; JSON turned the tuples of its settings into lists."""
    groups = copy.deepcopy(saved["param_groups"])
    for group in groups:
        group["betas"] = tuple(group["betas"])
    optimizer.load_state_dict({"state": saved["state"], "param_groups": groups})
