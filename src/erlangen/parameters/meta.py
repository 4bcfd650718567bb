"""Meta-training of learned optimizers: many short trainings at once, and steps on the optimizer that make them better."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import optree
import torch
from torch import Tensor
from torch.func import functional_call, grad_and_value, vmap

from erlangen.errors import ArgumentError
from erlangen.parameters.learned_optimizer import LearnedUpdate, OptimizerState
from erlangen.parameters.pes import PES
from erlangen.parameters.traced import Traced
from erlangen.reporting import progress


@dataclass(frozen=True)
class Task:
    """What the inner trainings learn.

    Attributes:
        init: ``init(runs, generator)``: initial weights, name to ``[runs, *shape]``.
        batch: ``batch(runs, generator)``: a batch for each run, a tuple of ``[runs, ...]``.
        loss: ``loss(params, *batch)`` of one run, a scalar.
    """

    init: Callable[[int, torch.Generator], dict[str, Tensor]]
    batch: Callable[[int, torch.Generator], tuple[Tensor, ...]]
    loss: Callable[..., Tensor]


@dataclass(frozen=True)
class MetaConfig:
    """How to meta-train.

    Attributes:
        method: ``"pes"``: persistent evolution strategies (with ``truncation`` equal to ``horizon``: plain ones); ``"bptt"``: back
            through the steps of a piece, with second derivatives of the task.
        steps: outer steps.
        horizon: inner steps of a run.
        truncation: inner steps between two outer ones; 0: the horizon.
        pairs: antithetic pairs of runs (of ``"bptt"``: runs).
        sigma: of the perturbations.
        lr, clip: of Adam on the optimizer's weights, and the largest norm of an estimate (0: any).
        seed: of all random numbers.
    """

    method: Literal["pes", "bptt"] = "pes"
    steps: int = 100
    horizon: int = 50
    truncation: int = 0
    pairs: int = 6
    sigma: float = 0.02
    lr: float = 0.01
    clip: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method not in ("pes", "bptt"):
            raise ArgumentError("method", "'pes' or 'bptt'", repr(self.method))
        if self.horizon % self.piece:
            raise ArgumentError("truncation", f"a divisor of the horizon {self.horizon}", repr(self.truncation))

    @property
    def piece(self) -> int:
        """Inner steps between two outer ones."""
        return self.truncation or self.horizon


def unroll(
    update: LearnedUpdate,
    task: Task,
    theta: dict[str, Tensor],
    params: dict[str, Tensor],
    state: OptimizerState,
    steps: int,
    generator: torch.Generator | Sequence[torch.Generator],
    copies: int = 1,
    traced: Traced | None = None,
) -> tuple[Tensor, dict[str, Tensor], OptimizerState]:
    """Train all runs for some steps, each with its own optimizer weights ``theta`` ``[runs, ...]``.

    Args:
        generator: of the batches; of several each gives those of an equal share of the runs.
        copies: the runs (of a share) are so many copies of a list of runs that see the same batches.
        traced: where the step is kept as a list of operations, see :class:`~erlangen.parameters.traced.Traced`; without gradients only.

    Returns:
        the training losses before each step ``[steps, runs]``, the weights and the state.
    """
    generators = [generator] if isinstance(generator, torch.Generator) else list(generator)

    def one(own: dict[str, Tensor], p: dict[str, Tensor], momenta: dict[str, Tensor], step: Tensor, *data: Tensor) -> Any:
        gradients, loss = grad_and_value(task.loss)(p, *data)
        moved, after = functional_call(update, own, (p, gradients, OptimizerState(momenta, step)))
        return loss, moved, after.momenta, after.step

    def batch() -> list[Tensor]:
        drawn = [task.batch(runs // len(generators) // copies, g) for g in generators]
        return [torch.cat([x.repeat(copies, *[1] * (x.ndim - 1)) for x in parts]) for parts in zip(*drawn)]

    runs = len(state.step)
    every, losses, momenta, step = vmap(one), [], state.momenta, state.step
    data = batch()
    if traced is not None:
        every = traced.steps(every, theta, (params, momenta, step, *data), of=(update, update.training, task))
    for k in range(steps):
        loss, params, momenta, step = every(theta, params, momenta, step, *data)
        losses.append(loss)
        if k + 1 < steps:
            data = batch()
    return torch.stack(losses), params, OptimizerState(momenta, step)


def meta_train(
    update: LearnedUpdate, task: Task, config: MetaConfig | None = None, *, description: str = "meta-training", quiet: bool = False
) -> list[float]:
    """Train a learned optimizer in place so that the mean training loss over its runs falls.

    Returns:
        the mean inner loss at each outer step.

    >>> from erlangen.parameters import DeepSet, WeightSpec
    >>> from erlangen.parameters.learned_optimizer import Inputs
    >>> spec = WeightSpec({"w": (3,)}, {"w": ("h",)})
    >>> inputs = Inputs(decays=(0.9,), clock=1, horizon=5, normalized=True)
    >>> update = LearnedUpdate(spec, DeepSet(spec, inputs.channels, 1, width=4), inputs, lr=0.01)
    >>> task = Task(lambda runs, g: {"w": torch.ones(runs, 3)}, lambda runs, g: (), lambda p: p["w"].square().sum())
    >>> losses = meta_train(update, task, MetaConfig(steps=40, horizon=5, lr=0.05), quiet=True)
    >>> losses[-1] < 0.9 * losses[0]
    True
    """
    return meta_train_all([update], task, config, description=description, quiet=quiet)[0]


def meta_train_all(
    updates: Sequence[LearnedUpdate],
    task: Task,
    config: MetaConfig | None = None,
    *,
    description: str = "meta-training",
    quiet: bool = False,
) -> list[list[float]]:
    """:func:`meta_train` of several optimizers of one kind at once, with seeds ``config.seed``, ``config.seed + 1`` and so on.

    Up to rounding each comes out as it would alone. With evolution strategies all their runs go through one step together, which takes
    little longer than one's: networks of this size wait for the interpreter, not for arithmetic.

    Raises:
        ArgumentError: there is none, or they are not of one kind.
    """
    config = config or MetaConfig()
    shapes = [{name: p.shape for name, p in update.named_parameters()} for update in updates]
    if not updates or any(own != shapes[0] for own in shapes):
        raise ArgumentError("updates", "at least one optimizer, all with the same weights", f"{len(updates)} with others")
    if config.method == "bptt" and len(updates) > 1:
        return [
            found
            for k, update in enumerate(updates)
            for found in meta_train_all([update], task, replace(config, seed=config.seed + k), description=description, quiet=quiet)
        ]
    generators = [torch.Generator().manual_seed(config.seed + k) for k in range(len(updates))]
    # What is infinite is switched off, for good.
    named = [{name: p for name, p in update.named_parameters() if bool(p.isfinite().all())} for update in updates]
    fixed = {name: p.detach() for name, p in updates[0].named_parameters() if name not in named[0]}
    optimizers = [torch.optim.Adam(own.values(), lr=config.lr) for own in named]
    sizes = [p.numel() for p in named[0].values()]
    traced = Traced()

    def as_dict(theta: Tensor) -> dict[str, Tensor]:
        pieces = zip(named[0].items(), theta.split(sizes, 1))
        own = {name: piece.reshape(len(theta), *p.shape) for (name, p), piece in pieces}
        return own | {name: p.expand(len(theta), *p.shape) for name, p in fixed.items()}

    def start(runs: int, g: torch.Generator) -> Any:
        params = task.init(runs, g)
        state = updates[0].start(params)
        return {"params": params, "momenta": state.momenta, "step": state.step}

    def piece(theta: Tensor, inner: Any, steps: int, g: Any, copies: int = 2, by: Traced | None = traced) -> tuple[Tensor, Any]:
        state = OptimizerState(inner["momenta"], inner["step"])
        losses, params, state = unroll(updates[0], task, as_dict(theta), inner["params"], state, steps, g, copies, by)
        return losses.mean(0), {"params": params, "momenta": state.momenta, "step": state.step}

    pes = PES(start, piece, config.horizon, config.piece, config.sigma, config.pairs, staggered=config.piece < config.horizon)
    history: list[list[float]] = [[] for _ in updates]
    gradients: list[Tensor]
    values: list[float]
    inner: Any = None
    age = config.horizon
    particles = [pes.begin(torch.zeros(sum(sizes)), g) for g in generators] if config.method == "pes" else []
    with progress(config.steps, description, quiet=quiet) as bar:
        for _ in range(config.steps):
            theta = [torch.cat([p.flatten() for p in own.values()]) for own in named]
            if particles:
                begun = [pes.perturbed(t.detach(), own, g) for t, own, g in zip(theta, particles, generators)]
                with torch.no_grad():
                    together = optree.tree_map(lambda *parts: torch.cat(parts), *(own.inner for _, own in begun))
                    losses, after = piece(torch.cat([moved for moved, _ in begun]), together, config.piece, generators)
                leaves, tree = optree.tree_flatten(after)
                apart = zip(*(leaf.chunk(len(begun)) for leaf in leaves))
                ends = [optree.tree_unflatten(tree, own) for own in apart]
                found = [pes.concluded(*part) for part in zip(losses.chunk(len(begun)), ends, (own for _, own in begun))]
                gradients, values, particles = map(list, zip(*found))
            else:
                if age >= config.horizon:
                    inner, age = start(config.pairs, generators[0]), 0
                losses, inner = piece(theta[0].expand(config.pairs, -1), inner, config.piece, generators, 1, None)
                gradients = list(torch.autograd.grad(losses.mean(), theta))
                inner = optree.tree_map(torch.Tensor.detach, inner)
                age, values = age + config.piece, [float(losses.detach().mean())]
            for own, optimizer, gradient, value, past in zip(named, optimizers, gradients, values, history):
                if config.clip:
                    gradient = gradient * (config.clip / gradient.norm().clamp_min(config.clip))
                for p, g in zip(own.values(), gradient.split(sizes)):
                    p.grad = g.reshape(p.shape)
                optimizer.step()
                past.append(value)
            bar.advance(1, loss=sum(values) / len(values))
    for optimizer in optimizers:
        optimizer.zero_grad()
    return history


@torch.no_grad()
def evaluate(update: LearnedUpdate, task: Task, runs: int, horizon: int, seed: int) -> Tensor:
    """The training losses of fresh runs, ``[horizon, runs]``."""
    generator = torch.Generator().manual_seed(seed)
    params = task.init(runs, generator)
    theta = {name: p.expand(runs, *p.shape) for name, p in update.named_parameters()}
    return unroll(update, task, theta, params, update.start(params), horizon, generator)[0]
