"""Meta-training of learned optimizers: many short trainings at once, and steps on the optimizer that make them better."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import optree
import torch
from torch import Tensor
from torch.func import functional_call, grad_and_value, vmap

from erlangen.errors import ArgumentError
from erlangen.parameters.learned_optimizer import LearnedUpdate, OptimizerState
from erlangen.parameters.pes import PES
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
    generator: torch.Generator,
    copies: int = 1,
) -> tuple[Tensor, dict[str, Tensor], OptimizerState]:
    """Train all runs for some steps, each with its own optimizer weights ``theta`` ``[runs, ...]``.

    Args:
        copies: the runs are so many copies of a list of runs that see the same batches.

    Returns:
        the training losses before each step ``[steps, runs]``, the weights and the state.
    """

    def one(own: dict[str, Tensor], p: dict[str, Tensor], momenta: dict[str, Tensor], step: Tensor, *data: Tensor) -> Any:
        gradients, loss = grad_and_value(task.loss)(p, *data)
        moved, after = functional_call(update, own, (p, gradients, OptimizerState(momenta, step)))
        return loss, moved, after.momenta, after.step

    runs = len(state.step)
    every, losses, momenta, step = vmap(one), [], state.momenta, state.step
    for _ in range(steps):
        data = task.batch(runs // copies, generator)
        loss, params, momenta, step = every(theta, params, momenta, step, *(x.repeat(copies, *[1] * (x.ndim - 1)) for x in data))
        losses.append(loss)
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
    config = config or MetaConfig()
    generator = torch.Generator().manual_seed(config.seed)
    named = {name: p for name, p in update.named_parameters() if bool(p.isfinite().all())}
    fixed = {name: p.detach() for name, p in update.named_parameters() if name not in named}
    optimizer = torch.optim.Adam(named.values(), lr=config.lr)
    sizes = [p.numel() for p in named.values()]

    def as_dict(theta: Tensor) -> dict[str, Tensor]:
        own = {name: piece.reshape(len(theta), *p.shape) for (name, p), piece in zip(named.items(), theta.split(sizes, 1))}
        return own | {name: p.expand(len(theta), *p.shape) for name, p in fixed.items()}

    def start(runs: int, g: torch.Generator) -> Any:
        params = task.init(runs, g)
        state = update.start(params)
        return {"params": params, "momenta": state.momenta, "step": state.step}

    def piece(theta: Tensor, inner: Any, steps: int, g: torch.Generator, copies: int = 2) -> tuple[Tensor, Any]:
        state = OptimizerState(inner["momenta"], inner["step"])
        losses, params, state = unroll(update, task, as_dict(theta), inner["params"], state, steps, g, copies)
        return losses.mean(0), {"params": params, "momenta": state.momenta, "step": state.step}

    pes = PES(start, piece, config.horizon, config.piece, config.sigma, config.pairs, staggered=config.piece < config.horizon)
    history: list[float] = []
    inner: Any = None
    age = config.horizon
    particles = pes.begin(torch.zeros(sum(sizes)), generator) if config.method == "pes" else None
    with progress(config.steps, description, quiet=quiet) as bar:
        for _ in range(config.steps):
            theta = torch.cat([p.flatten() for p in named.values()])
            if particles is not None:
                gradient, loss, particles = pes.estimate(theta.detach(), particles, generator)
            else:
                if age >= config.horizon:
                    inner, age = start(config.pairs, generator), 0
                losses, inner = piece(theta.expand(config.pairs, -1), inner, config.piece, generator, 1)
                (gradient,) = torch.autograd.grad(losses.mean(), theta)
                inner = optree.tree_map(torch.Tensor.detach, inner)
                age, loss = age + config.piece, float(losses.detach().mean())
            if config.clip:
                gradient = gradient * (config.clip / gradient.norm().clamp_min(config.clip))
            for p, g in zip(named.values(), gradient.split(sizes)):
                p.grad = g.reshape(p.shape)
            optimizer.step()
            history.append(loss)
            bar.advance(1, loss=loss)
    optimizer.zero_grad()
    return history


@torch.no_grad()
def evaluate(update: LearnedUpdate, task: Task, runs: int, horizon: int, seed: int) -> Tensor:
    """The training losses of fresh runs, ``[horizon, runs]``."""
    generator = torch.Generator().manual_seed(seed)
    params = task.init(runs, generator)
    theta = {name: p.expand(runs, *p.shape) for name, p in update.named_parameters()}
    return unroll(update, task, theta, params, update.start(params), horizon, generator)[0]
