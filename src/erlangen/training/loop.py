"""`train`: one loop for every network in the library, on Accelerate, resumable to the bit."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.training import checkpoint as checkpoints
from erlangen.training.batches import Data, Samples, Shuffle
from erlangen.training.checkpoint import State
from erlangen.training.config import TrainingConfig
from erlangen.training.history import History
from erlangen.training.identity import identity, same_loss, told_loss, warn_of_restless
from erlangen.training.interrupt import deferred_interrupt
from erlangen.training.lock import alone
from erlangen.training.modes import evaluating, thawed
from erlangen.training.processes import accelerated, agree, average_gradients, share
from erlangen.training.randomness import generators_of, random_step
from erlangen.training.whole import restore, whole_state

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

    The batches, the learning rate and the random numbers of a step (torch's, NumPy's and Python's global ones, and those of generators
    that the data set, the model or the loss hold) are functions of the seed and the step alone, and the checkpoint holds the rest
    (weights, all buffers, ``get_extra_state``, optimiser, history). So a training that is killed at any moment and started again with
    the same ``checkpoint`` ends with the same bits as one that was not (on the CPU). The caller's random state is left as it was.
    Trainings in several threads do not disturb one another: their steps take turns, for these generators are the whole process's.

    A checkpoint belongs to its settings, its weights' shapes, its data (a checksum; of a dataset of what it keeps in memory and of 32
    samples) and its loss (what it says of the first batch, without gradients). Another training is refused, a finished one, too.

    With several processes (``accelerate launch``) each takes its share of every batch, so losses and weights are those of one process
    up to rounding, unless the model draws random numbers (dropout) or normalises over the batch. All start with the first one's
    weights, and a parameter that takes no part in a step is passed by, as in one process. Without GPUs the launcher starts
    several processes only with ``--multi_gpu``: ``accelerate launch --multi_gpu --num_processes 2 ...``.

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
        ArgumentError: data of different lengths or none, fewer samples in a batch than processes, or a checkpoint of another training;
            a checkpoint that another process works on;
            a loss that is not finite, weights that are not where they would be kept, or a score that is NaN; another training with
            another ``mixed_precision`` runs in this process.
            A model without weights to train, or with lazy ones; a loss that is not one real number that depends on them.
        UnsupportedError: Accelerate is set to shard weights over processes.
        UserWarning: a data set gives other samples each time although all random numbers are the same; then resuming is not exact.
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
    directory = None if checkpoint is None else Path(checkpoint)
    check_weights(model)
    with accelerated(config.mixed_precision) as accelerator, alone(directory if accelerator.is_main_process else None):
        world, rank, device = accelerator.num_processes, accelerator.process_index, accelerator.device
        shuffle = Shuffle(samples.length, config.batch_size, config.seed)
        if shuffle.size < world:
            raise ArgumentError("batch_size", f"at least one sample for each of {world} processes", shuffle.size)
        state, who = None, {}
        if directory is not None:
            who = identity(config, whole_state(model), samples, held)
            state = checkpoints.read(directory, who)
        model.to(device)
        samples = samples.to(device)
        held = None if held is None else held.to(device)
        own = generators_of(samples.dataset, None if held is None else held.dataset, model, loss, metric)

        def told() -> float | None:
            """What the loss says of the first batch now: by it a checkpoint knows its loss."""
            with random_step(config.seed, 0, own=own):
                batch = samples[shuffle.batch(0)]
            return told_loss(model, loss, batch, own=own)

        if directory is not None:
            warn_of_restless(samples, shuffle.batch(0), own)

        if state is not None:
            _load(model, state, told, directory)
        if state is not None and state.finished:
            restore(model, state.best or state.model)
            model.eval()
            return state.histories[0]
        if directory is not None and accelerator.is_main_process:
            checkpoints.sweep(directory)
        share(accelerator, [*model.parameters(), *model.buffers()])
        trained = [p for p in model.parameters() if p.requires_grad]
        optimizer = adamw(list(model.parameters()), config)
        history, start, best = History(), 0, {}
        if state is not None:
            checkpoints.resume_optimizer(optimizer, state.optimizer)
            history, start, best = state.histories[0], state.step, state.best
            if state.scaler is not None:
                accelerator.scaler.load_state_dict(state.scaler)
        interrupted = 0.0
        # Without Accelerate's wrapper for several processes: it hides the model's attributes from the loss, and fails where a parameter
        # takes no part in a step.
        prepared = accelerator.prepare_optimizer(optimizer)
        if accelerator.scaler is None and device.type != "xla":
            # Accelerate's step looks for a package on the disk, twice each time; but for scaled losses it does nothing else.
            prepared = optimizer
        accelerator.prepare_model(thawed(model), evaluation_mode=True)

        def save(finished: bool = False) -> None:
            refuse_lost(model, len(history.losses), directory)
            if directory is not None and accelerator.is_main_process:
                scaler = None if accelerator.scaler is None else accelerator.scaler.state_dict()
                step, now = len(history.losses), whole_state(model)
                checkpoints.write(
                    directory, State(step, [history], finished, now, best, optimizer.state_dict(), scaler, told()), who
                )

        try:
            with (
                deferred_interrupt() as asked,
                progress(config.steps, description, quiet=quiet or not accelerator.is_main_process) as bar,
            ):
                bar.advance(start)
                for step in range(start, config.steps):
                    last = step + 1 == config.steps
                    with random_step(config.seed, step, rank, device=device, own=own):
                        clock = time.perf_counter()
                        for group in prepared.param_groups:
                            group["lr"] = config.rate(step)
                        index = shuffle.batch(step)
                        mine = index[rank::world]
                        batch = samples[mine]
                        with accelerator.autocast():
                            # Processes average their gradients; weighting by the share's size makes that the mean over the batch.
                            value = followed(checked_loss(loss(model, *batch))) * (len(mine) * world / len(index))
                        # One reduction tells all processes the loss and whether any was asked to stop: all stop at the same step.
                        both = torch.stack([value.detach(), value.new_tensor(float(asked()))])
                        mean, interrupted = accelerator.reduce(both, reduction="mean").tolist()
                        if not math.isfinite(mean):
                            raise lost(mean, step, batch, directory)
                        prepared.zero_grad(set_to_none=True)
                        accelerator.backward(value)
                        average_gradients(accelerator, trained)
                        if config.clip:
                            accelerator.clip_grad_norm_(model.parameters(), config.clip)
                        prepared.step()
                        share(accelerator, model.buffers())
                        history.losses.append(mean)
                        history.seconds += time.perf_counter() - clock
                        if held is not None and ((step + 1) % config.evaluate_every == 0 or last):
                            score = agree(accelerator, evaluate(model, held, loss, metric))
                            if history.record(step + 1, score, config.patience):
                                best = {name: t.clone() for name, t in whole_state(model).items()}
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
            accelerator.unwrap_model(model, keep_fp32_wrapper=False)
        history.stopped = history.stopped or "steps"
        save(finished=True)
        if best:
            restore(model, best)
        model.eval()
        if interrupted:  # in the very last step: the training is done, what comes after it is not wanted
            raise stopped(len(history.losses), directory)
        return history


def checked_loss(value: Any) -> Tensor:
    """What a loss returned, as a scalar.

    Raises:
        ArgumentError: it is no tensor, holds several numbers, or is not real.
    """
    if not isinstance(value, Tensor):
        raise ArgumentError("loss", "a loss that returns a tensor", type(value).__name__)
    if value.numel() != 1:
        raise ArgumentError("loss", "one number, a mean over the batch", f"shape {list(value.shape)}")
    if not value.is_floating_point():
        raise ArgumentError("loss", "a real number", str(value.dtype).removeprefix("torch."))
    return value.reshape(())


def check_weights(model: nn.Module) -> None:
    """Refuse a model without weights to train, or whose weights have no shape yet.

    Raises:
        ArgumentError: it is such a model.
    """
    if lazy := [name for name, t in model.named_parameters() if isinstance(t, nn.UninitializedParameter)]:
        raise ArgumentError("model", "weights with a shape", f"'{lazy[0]}' without one", "Call the model on a batch first")
    if not any(p.requires_grad for p in model.parameters()):
        raise ArgumentError("model", "a module with weights to train", "none that wants a gradient")


def followed(value: Tensor) -> Tensor:
    """A loss that weights have a part in.

    Raises:
        ArgumentError: it depends on none.
    """
    if not value.requires_grad:
        raise ArgumentError(
            "loss", "a loss that depends on weights of the model", "one without a gradient: a constant, or detached"
        )
    return value


def _load(model: nn.Module, state: State, told: Callable[[], float | None], directory: Path | None) -> None:
    """Give a model the weights of a checkpoint, and its own back where another loss has trained them."""
    before = {name: t.clone() for name, t in whole_state(model).items()}
    restore(model, state.model)
    here, losses = told(), state.histories[0].losses
    if not same_loss(state.told, here, losses[0] if losses else 0.0):
        restore(model, before)
        raise checkpoints.foreign(
            [f"loss: {state.told:.6g} there, {here:.6g} here, on one batch with the same weights"],
            directory,
            "If it is the same loss: what a model keeps in plain attributes is not kept, buffers and get_extra_state are",
        )


def lost(value: float, step: int, batch: list[Any], directory: Path | None, who: str = "") -> ArgumentError:
    """What a training raises whose loss is not a number: nothing after it would be one."""
    bad = [i for i, t in enumerate(batch) if isinstance(t, Tensor) and t.is_floating_point() and not bool(t.isfinite().all())]
    got = f"{value} at step {step + 1}{who}" + (f"; the batch has NaN or infinity in its tensor {bad[0]}" if bad else "")
    hint = "" if bad else "Try a smaller lr, or a bound on gradients (clip)"
    return ArgumentError("loss", "finite values", got, (hint + _earlier(directory)).lstrip(". "))


def refuse_lost(model: nn.Module, step: int, directory: Path | None, who: str = "") -> None:
    """Raise where weights are not finite: a loss that is a number may have a gradient that is not."""
    for name, p in model.named_parameters():
        if p.is_floating_point() and not bool(p.isfinite().all()):
            raise ArgumentError(
                "loss",
                "finite gradients",
                f"weights '{name}' with NaN or infinity after step {step}{who}",
                "Try a smaller lr, or a bound on gradients (clip)" + _earlier(directory),
            )


def _earlier(directory: Path | None) -> str:
    kept = directory is not None and (directory / checkpoints.FILE).is_file()
    return f". The checkpoint in {directory} is of a step before" if kept else ""


def stopped(steps: int, directory: Path | None) -> KeyboardInterrupt:
    """What an interrupted training raises."""
    where = "" if directory is None else f"; start again with checkpoint={directory} to continue"
    return KeyboardInterrupt(f"stopped after {steps} steps{where}")


def adamw(parameters: list[Tensor], config: TrainingConfig) -> torch.optim.AdamW:
    """AdamW, in one fused kernel where the parameters allow it."""
    fused = all(p.is_floating_point() and p.device.type in ("cpu", "cuda") for p in parameters)
    return torch.optim.AdamW(parameters, lr=config.lr, weight_decay=config.weight_decay, fused=fused)


def evaluate(model: nn.Module, held: Samples, loss: Loss, metric: Metric | None) -> float:
    """The metric of a model in evaluation mode on all of ``held``, without gradients."""
    with torch.no_grad(), evaluating(model):
        batch = held.everything()
        score = float(-loss(model, *batch) if metric is None else metric(model, *batch))
    if math.isnan(score):
        raise ArgumentError("loss" if metric is None else "metric", "a number for the validation data", score)
    return score
