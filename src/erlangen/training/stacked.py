"""`train_members`: many small networks of one architecture trained at once, as one network with a member axis."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state

from erlangen.errors import ArgumentError, UnsupportedError
from erlangen.training import checkpoint as checkpoints
from erlangen.training.batches import Data, Samples, Shuffle, each_tensor
from erlangen.training.checkpoint import State
from erlangen.training.config import TrainingConfig
from erlangen.training.history import History
from erlangen.training.identity import identity, same_loss, told_loss, warn_of_restless
from erlangen.training.interrupt import deferred_interrupt
from erlangen.training.lock import alone
from erlangen.training.loop import Loss, Metric, adamw, check_weights, checked_loss, evaluate, lost, refuse_lost, stopped
from erlangen.training.modes import thawed
from erlangen.training.processes import accelerated
from erlangen.training.randomness import generators_of, random_step, seeded


def train_members(
    make_model: Callable[[int], nn.Module],
    seeds: Sequence[int],
    data: Data,
    loss: Loss,
    config: TrainingConfig | None = None,
    *,
    validation: Data | None = None,
    metric: Metric | None = None,
    apart: bool = False,
    checkpoint: str | Path | None = None,
    description: str = "training",
    quiet: bool = False,
) -> tuple[list[nn.Module], list[History]]:
    """Train one model for each seed, all at once: stacked weights, one optimiser, one vectorised forward and backward pass.

    Each member starts from its own weights and sees its own shuffles, and comes out as :func:`erlangen.training.train` with
    ``seed=`` its seed would leave it, up to rounding; members with dropout get the same law but not the same draws. Clipping, the best
    weights and early stopping are each member's own. In one process: with several, every process trains all members.

    Args:
        make_model: ``make_model(seed) -> module``, called with torch seeded by the member's seed.
        seeds: one for each member.
        loss: as for ``train``; inside, the model can be called (more than once) but has no attributes.
        apart: members have data of their own, equally many: ``data`` and ``validation`` hold the first one's, then the second one's, ...
        data, config, validation, metric, checkpoint, description, quiet: as for ``train``. ``config.seed`` is not used.

    Returns:
        the members, in evaluation mode with their best weights, and their histories; ``seconds`` is a member's share of the time.

    Raises:
        ArgumentError: no seeds, fp16 (whose loss scale is shared and would couple the members), data of their own that cannot be shared
            out equally, or as for ``train``.
        UnsupportedError: a model with running statistics (batch norm), which stacking cannot update.

    >>> x = torch.randn(64, 2)
    >>> nets, histories = train_members(lambda seed: nn.Linear(2, 1), [0, 1, 2], (x, x.sum(1, keepdim=True)),
    ...     lambda m, x, y: (m(x) - y).square().mean(), TrainingConfig(steps=20), quiet=True)
    >>> len(nets), len(histories[2].losses)
    (3, 20)
    """
    from erlangen.reporting import progress

    config = config or TrainingConfig()
    if not len(seeds):
        raise ArgumentError("seeds", "at least one seed", "none")
    if config.mixed_precision == "fp16":
        raise ArgumentError("mixed_precision", "'no' or 'bf16' for members", "'fp16'")
    samples = Samples(data)
    held = None if validation is None else Samples(validation, "validation")
    for name, one in (("data", samples), ("validation", held)):
        if apart and one is not None and one.length % len(seeds):
            raise ArgumentError(name, f"equally many samples for each of {len(seeds)} members", one.length)
    directory = None if checkpoint is None else Path(checkpoint)
    with accelerated(config.mixed_precision) as accelerator, alone(directory if accelerator.is_main_process else None):
        device = accelerator.device
        members = [_make(make_model, seed).to(device) for seed in seeds]
        base = thawed(copy.deepcopy(members[0]))
        parameters, buffers = stack_module_state(members)  # type: ignore[arg-type]
        stacked = {**parameters, **buffers}
        for i, member in enumerate(members):  # each member's weights are a slice of the stack, so it is always up to date
            for name, tensor in [*member.named_parameters(), *member.named_buffers()]:
                tensor.data = stacked[name].data[i]

        state, who = None, {}
        if directory is not None:
            who = {**identity(config, stacked, samples, held), "seeds": list(seeds), **({"apart": True} if apart else {})}
            state = checkpoints.read(directory, who)
            checkpoints.sweep(directory)
        trained = [p for p in parameters.values() if p.requires_grad]
        optimizer = adamw(trained, config)
        histories, start = [History() for _ in seeds], 0
        best = {} if held is None else {name: t.detach().clone() for name, t in stacked.items()}
        samples = samples.to(device)
        held = None if held is None else held.to(device)
        each_held = [] if held is None else _shares(held, len(seeds)) if apart else [held] * len(seeds)
        length = samples.length // len(seeds) if apart else samples.length
        shuffles = [Shuffle(length, config.batch_size, seed) for seed in seeds]
        starts = [i * length if apart else 0 for i in range(len(seeds))]
        own = generators_of(samples.dataset, None if held is None else held.dataset, base, loss, metric)

        def told() -> float | None:
            """What the loss says of the first member's first batch now: by it a checkpoint knows its loss."""
            with random_step(seeds[0], 0, own=own):
                batch = samples[shuffles[0].batch(0)]
            return told_loss(members[0], loss, batch, own=own)

        if directory is not None:
            warn_of_restless(samples, shuffles[0].batch(0), own)

        if state is not None:
            _copy(stacked, state.model)
            here, losses = told(), state.histories[0].losses
            if not same_loss(state.told, here, losses[0] if losses else 0.0):
                difference = f"loss: {state.told:.6g} there, {here:.6g} here, on one batch with the same weights"
                raise checkpoints.foreign([difference], directory)
            _copy(best, state.best)
            checkpoints.resume_optimizer(optimizer, state.optimizer)
            histories, start = state.histories, state.step

        def save(step: int, finished: bool = False) -> None:
            for seed, member, history in zip(seeds, members, histories):
                if len(history.losses) == step:  # one that has stopped before keeps its best weights
                    refuse_lost(member, step, directory, f" of seed {seed}")
            if directory is not None and accelerator.is_main_process:
                now = {name: t.detach() for name, t in stacked.items()}
                checkpoints.write(directory, State(step, histories, finished, now, best, optimizer.state_dict(), told=told()), who)

        def member_loss(weights: dict[str, Tensor], *batch: Tensor) -> Tensor:
            return checked_loss(loss(lambda *inputs, **named: functional_call(base, weights, inputs, named), *batch))

        # A shared shape of batches is what makes one pass of them; the same sample differs between members, so all axes are mapped.
        all_losses = torch.func.vmap(member_loss, randomness="different")
        interrupted = False
        step, finished = start, state is not None and state.finished
        try:
            with (
                deferred_interrupt() as asked,
                progress(config.steps, description, quiet=quiet or not accelerator.is_main_process) as bar,
            ):
                bar.advance(start)
                while not finished:
                    last = step + 1 == config.steps
                    with random_step(seeds[0], step, device=device, own=own):
                        clock = time.perf_counter()
                        for group in optimizer.param_groups:
                            group["lr"] = config.rate(step)
                        batch = _batches(
                            samples, torch.stack([start + shuffle.batch(step) for start, shuffle in zip(starts, shuffles)])
                        )
                        with accelerator.autocast():
                            each = all_losses(stacked, *batch)
                        values = each.tolist()
                        running = [i for i, history in enumerate(histories) if not history.stopped]
                        for i in running:
                            if not math.isfinite(values[i]):
                                raise lost(
                                    values[i],
                                    step,
                                    [t[i] for t in batch if isinstance(t, Tensor)],
                                    directory,
                                    f" of seed {seeds[i]}",
                                )
                        optimizer.zero_grad(set_to_none=True)
                        each.sum().backward()  # members share no weight: the gradient of the sum is each one's own
                        if config.clip:
                            _clip(trained, config.clip)
                        optimizer.step()
                        step += 1
                        for i in running:
                            histories[i].losses.append(values[i])
                            histories[i].seconds += (time.perf_counter() - clock) / len(running)
                        if held is not None and (step % config.evaluate_every == 0 or last):
                            for i in running:
                                score = evaluate(members[i], each_held[i], loss, metric)
                                if histories[i].record(step, score, config.patience):
                                    for name, t in stacked.items():
                                        best[name][i] = t[i].detach()
                    bar.advance(1, loss=sum(values) / len(values))
                    finished = last or all(history.stopped for history in histories)
                    interrupted = asked()
                    if not finished and (interrupted or step % config.checkpoint_every == 0):
                        save(step)
                    if interrupted:
                        break
        except KeyboardInterrupt:
            raise stopped(step, directory) from None
        if interrupted and not finished:
            raise stopped(step, directory)
        for history in histories:
            history.stopped = history.stopped or "steps"
        if state is None or not state.finished:
            save(step, finished=True)
        for i, (member, history) in enumerate(zip(members, histories)):
            final = best if history.best_step else stacked
            for name, tensor in [*member.named_parameters(), *member.named_buffers()]:
                tensor.data = final[name].data[i].clone()
            member.eval()
        if interrupted:
            raise stopped(step, directory)
        return members, histories


def _make(make_model: Callable[[int], nn.Module], seed: int) -> nn.Module:
    with seeded(seed):
        model = make_model(seed)
    check_weights(model)
    for name, part in model.named_modules():
        if getattr(part, "track_running_stats", False):
            raise UnsupportedError(
                f"{name} ({type(part).__name__}) keeps running statistics, which stacked members cannot update; "
                "use LayerNorm or GroupNorm, or train the members one by one"
            )
    return model


def _batches(samples: Samples, index: Tensor) -> list[Any]:
    """Batches [members, size, ...] of the indices [members, size]."""
    return [each_tensor(part, lambda t: t.unflatten(0, tuple(index.shape))) for part in samples[index.flatten()]]


def _shares(samples: Samples, members: int) -> list[Samples]:
    """What each member has of samples that hold every member's, one's after another's."""
    length = samples.length // members
    return [samples.part(range(i * length, (i + 1) * length)) for i in range(members)]


def _copy(into: dict[str, Tensor], values: dict[str, Tensor]) -> None:
    with torch.no_grad():
        for name, t in into.items():
            t.copy_(values[name])


def _clip(stacked: list[Any], largest: float) -> None:
    """Bound each member's own gradient norm, as ``torch.nn.utils.clip_grad_norm_`` does for one model."""
    gradients = [p.grad for p in stacked if p.grad is not None]
    norm = torch.stack([g.flatten(1).norm(dim=1) for g in gradients]).norm(dim=0)
    factor = (largest / (norm + 1e-6)).clamp(max=1.0)
    for g in gradients:
        g.mul_(factor.reshape(-1, *[1] * (g.ndim - 1)))
