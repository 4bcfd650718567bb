"""`train`: one loop for every network in the library, on Accelerate, resumable to the bit."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import broadcast
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.training import checkpoint as checkpoints
from erlangen.training.batches import Data, Samples, Shuffle, seed_step
from erlangen.training.checkpoint import State, identity
from erlangen.training.config import TrainingConfig
from erlangen.training.history import History
from erlangen.training.interrupt import deferred_interrupt
from erlangen.training.modes import evaluating, thawed

Loss = Callable[..., Tensor]
Metric = Callable[..., float]


def train(
    model: nn.Module,
    data: Data,
    loss: Loss,
    config: TrainingConfig | None = None,
    *,
    validation: Data | None = None,
    metric: Metric | None = None,
    checkpoint: str | Path | None = None,
    description: str = "training",
    quiet: bool = False,
) -> History:
    """Train a model in place with AdamW and leave it, in evaluation mode, with its best weights.

    The batches, the learning rate and torch's random numbers of a step are functions of the seed and the step alone, and the checkpoint
    holds the rest (weights, optimiser, history). So a training that is killed at any moment and started again with the same
    ``checkpoint`` ends with the same bits as one that was not (on the CPU). The caller's random state is left as it was.

    With several processes (``accelerate launch``) each takes its share of every batch, so losses and weights are those of one process
    up to rounding, unless the model draws random numbers (dropout) or normalises over the batch. Without GPUs the launcher needs
    ``ACCELERATE_USE_CPU=true accelerate launch --multi_gpu --num_processes 2 ...``: its ``--cpu`` alone starts one process.

    Args:
        model: any module; put in training mode, except where its owner froze a part of it (:func:`erlangen.training.modes.thawed`).
        data: tensors of one length, the sample axis first, or a map-style torch dataset.
        loss: ``loss(model, *batch) -> scalar``, a mean over the batch.
        config: see :class:`TrainingConfig`.
        validation: data for choosing the best weights; without it the last weights are kept.
        metric: ``metric(model, *validation) -> float``, larger is better; by default minus the loss.
        checkpoint: a directory to keep the checkpoint in.
        description: what the progress bar says.
        quiet: no progress bar.

    Returns:
        the :class:`History`.

    Raises:
        ArgumentError: data of different lengths or none, fewer samples in a batch than processes, or a checkpoint of another training.
        KeyboardInterrupt: on Ctrl-C, after the step was finished and a checkpoint written, with a line that says how to go on.

    >>> x = torch.randn(64, 2); net = nn.Linear(2, 1)
    >>> history = train(net, (x, x.sum(1, keepdim=True)), lambda m, x, y: (m(x) - y).square().mean(), TrainingConfig(steps=20), quiet=True)
    >>> len(history.losses), history.stopped
    (20, 'steps')
    """
    from erlangen.reporting import progress

    config = config or TrainingConfig()
    samples = Samples(data)
    held = None if validation is None else Samples(validation, "validation")
    accelerator = accelerator_for(config.mixed_precision)
    world, rank = accelerator.num_processes, accelerator.process_index
    directory = None if checkpoint is None else Path(checkpoint)
    state, who = None, {}
    if directory is not None:
        who = identity(config, model.state_dict(), samples, held)
        state = checkpoints.read(directory, who)
    model.to(accelerator.device)
    if state is not None and state.finished:
        model.load_state_dict(state.best or state.model)
        model.eval()
        return state.histories[0]
    if directory is not None and accelerator.is_main_process:
        checkpoints.sweep(directory)

    samples = samples.to(accelerator.device)
    held = None if held is None else held.to(accelerator.device)
    shuffle = Shuffle(samples.length, config.batch_size, config.seed)
    if shuffle.size < world:
        raise ArgumentError("batch_size", f"at least one sample for each of {world} processes", shuffle.size)
    optimizer = adamw(list(model.parameters()), config)
    history, start, best = History(), 0, {}
    if state is not None:
        model.load_state_dict(state.model)
        optimizer.load_state_dict(state.optimizer)
        history, start, best = state.histories[0], state.step, state.best
        if state.scaler is not None:
            accelerator.scaler.load_state_dict(state.scaler)
    interrupted = 0.0
    wrapped, prepared = accelerator.prepare(thawed(model), optimizer)

    def save(finished: bool = False) -> None:
        if directory is not None and accelerator.is_main_process:
            scaler = None if accelerator.scaler is None else accelerator.scaler.state_dict()
            now = State(len(history.losses), [history], finished, model.state_dict(), best, optimizer.state_dict(), scaler)
            checkpoints.write(directory, now, who)

    devices = [accelerator.device] if accelerator.device.type == "cuda" else []
    try:
        with (
            torch.random.fork_rng(devices=devices),
            deferred_interrupt() as asked,
            progress(config.steps, description, quiet=quiet or not accelerator.is_main_process) as bar,
        ):
            bar.advance(start)
            for step in range(start, config.steps):
                clock = time.perf_counter()
                seed_step(config.seed, step, rank)
                for group in prepared.param_groups:
                    group["lr"] = config.rate(step)
                index = shuffle.batch(step)
                mine = index[rank::world]
                with accelerator.autocast():
                    # Processes average their gradients; weighting by the share's size makes that the mean over the batch.
                    value = loss(wrapped, *samples[mine]) * (len(mine) * world / len(index))
                prepared.zero_grad(set_to_none=True)
                accelerator.backward(value)
                if config.clip:
                    accelerator.clip_grad_norm_(wrapped.parameters(), config.clip)
                prepared.step()
                # One reduction tells all processes the loss and whether any was asked to stop, so that all stop at the same step.
                told = torch.stack([value.detach(), value.new_tensor(float(asked()))])
                mean, interrupted = accelerator.reduce(told, reduction="mean").tolist()
                history.losses.append(mean)
                history.seconds += time.perf_counter() - clock
                last = step + 1 == config.steps
                if held is not None and ((step + 1) % config.evaluate_every == 0 or last):
                    score = _agree(accelerator, evaluate(model, held, loss, metric))
                    if history.record(step + 1, score, config.patience):
                        best = {name: t.detach().clone() for name, t in model.state_dict().items()}
                bar.advance(1, loss=mean, **({"score": history.evaluations[-1][1]} if history.evaluations else {}))
                if history.stopped or last:
                    break
                if interrupted or (step + 1) % config.checkpoint_every == 0:
                    save()
                if interrupted:
                    raise KeyboardInterrupt
    except KeyboardInterrupt:
        raise stopped(len(history.losses), directory) from None
    finally:
        # Accelerate put its own forward on the model for mixed precision; the caller gets the model back as it was.
        accelerator.unwrap_model(wrapped, keep_fp32_wrapper=False)
    history.stopped = history.stopped or "steps"
    save(finished=True)
    if best:
        model.load_state_dict(best)
    model.eval()
    if interrupted:  # in the very last step: the training is done, what comes after it is not wanted
        raise stopped(len(history.losses), directory)
    return history


def stopped(steps: int, directory: Path | None) -> KeyboardInterrupt:
    """What an interrupted training raises."""
    where = "" if directory is None else f"; start again with checkpoint={directory} to continue"
    return KeyboardInterrupt(f"stopped after {steps} steps{where}")


def accelerator_for(mixed_precision: Literal["no", "fp16", "bf16"]) -> Accelerator:
    """An accelerator; unlike Accelerate's own rule, two trainings of one process may differ in precision."""
    if AcceleratorState._shared_state and AcceleratorState().mixed_precision != mixed_precision:
        AcceleratorState._reset_state()
    return Accelerator(mixed_precision=mixed_precision)


def adamw(parameters: list[Tensor], config: TrainingConfig) -> torch.optim.AdamW:
    """AdamW, in one fused kernel where the parameters allow it."""
    fused = all(p.is_floating_point() and p.device.type in ("cpu", "cuda") for p in parameters)
    return torch.optim.AdamW(parameters, lr=config.lr, weight_decay=config.weight_decay, fused=fused)


def evaluate(model: nn.Module, held: Samples, loss: Loss, metric: Metric | None) -> float:
    """The metric of a model in evaluation mode on all of ``held``, without gradients."""
    with torch.no_grad(), evaluating(model):
        batch = held.everything()
        return float(-loss(model, *batch) if metric is None else metric(model, *batch))


def _agree(accelerator: Accelerator, score: float) -> float:
    """The main process's score: rounding must not make two processes disagree on when to stop."""
    told: Any = torch.tensor([score], dtype=torch.float32 if accelerator.device.type == "mps" else torch.float64)
    return float(broadcast(told.to(accelerator.device)))
