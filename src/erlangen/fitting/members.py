"""Training several networks of one kind: the plain one, or one symmetrized with a group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from erlangen.data import DataSet
from erlangen.discover.augerino import Augerino
from erlangen.discover.augment import Augmented
from erlangen.fitting.config import FitConfig
from erlangen.fitting.problem import Problem
from erlangen.fitting.soft_network import SoftNetwork
from erlangen.groups.base import Group
from erlangen.reps import Rep
from erlangen.symmetrize import CloudFrame, Symmetrized, Weighted
from erlangen.training import History, TrainingConfig, train

#: How much Augerino's reward for large generators weighs beside the loss.
REWARD = 1e-2
#: Gated tensors shrink what passes through them: a soft network learns with steps larger by this factor.
SOFT_STEPS = 5.0


@dataclass(frozen=True)
class Kind:
    """A kind of model to train.

    Attributes:
        name: for tables and folders, e.g. ``"plain"``.
        about: one line for the report.
        how: ``"plain"``, ``"symmetrized"`` (by a frame of ``group``), ``"augmented"`` (by moves of ``basis``), ``"augerino"``
            (moves learned with the network) or ``"soft"`` (a penalty on ``penalised``).
        group: of a symmetrized model.
        basis: generators ``[K, n, n]`` of an augmented one; of an Augerino, where they may be non-zero.
        penalised: of a soft one, how the candidate groups move tokens, by name.
    """

    name: str
    about: str
    how: str = "plain"
    group: Group | None = None
    basis: Tensor | None = None
    penalised: Mapping[str, Rep] = field(default_factory=dict)


@dataclass(frozen=True)
class Members:
    """The trained models of one kind, one for each seed."""

    kind: Kind
    models: list[nn.Module]
    histories: list[History]

    @property
    def best(self) -> nn.Module:
        """The model with the best score on the validation data; one that was not trained in steps is alone."""
        if not self.histories:
            return self.models[0]
        return max(zip(self.histories, self.models), key=lambda pair: pair[0].best)[1]


def build(kind: Kind, problem: Problem, config: FitConfig) -> nn.Module:
    """An untrained model of this kind, in float32, with the input statistics of its own training inputs."""
    data, task = problem.train, problem.task
    if kind.how == "soft":
        return _soft(kind, problem, config)
    network = problem.kind.network(config.width, config.depth, config.dropout if task.kind == "class" else 0.0)
    model = network if kind.group is None else problem.kind.symmetrized(network, kind.group)
    problem.kind.standardise(network, model, data.x, task.out_scale)
    if kind.how == "augmented":
        assert kind.basis is not None
        return Augmented(network, kind.basis, vector=problem.kind.vector)
    if kind.how == "augerino":
        return Augerino(network, data.dim, mask=kind.basis, vector=problem.kind.vector)
    return model


def _soft(kind: Kind, problem: Problem, config: FitConfig) -> SoftNetwork:
    data, task = problem.train, problem.task
    dual = not all(rep.is_orthogonal for rep in kind.penalised.values())
    soft = SoftNetwork(data.tokens, data.dim, task.shape, problem.kind.vector, config.width, config.depth, dual)
    soft.standardise(data.x, task.out_scale)
    soft.penalise(kind.penalised, config.steps)
    return soft


def train_members(kind: Kind, problem: Problem, config: FitConfig, checkpoints: Path | None, quiet: bool = False) -> Members:
    """Train ``config.seeds`` models of one kind on the same data with the same budget; early stopping on what is held out."""
    data, held, task = problem.train, problem.held, problem.task
    models, histories = [], []
    for member in range(config.seeds):
        seed = config.seed * 1000 + member
        torch.manual_seed(seed)
        model = build(kind, problem, config)
        found = known_frames(model, data), known_frames(model, held)
        settings = TrainingConfig(
            steps=config.steps,
            batch_size=config.batch_size,
            lr=config.lr * (SOFT_STEPS if kind.how == "soft" else 1.0),
            weight_decay=config.weight_decay,
            evaluate_every=max(1, config.steps // 30),
            patience=10,
            seed=seed,
        )
        history = train(
            model,
            (*prepare(model, data), *found[0]),
            lambda net, x, y, *frame: task.loss(_over(net, x, frame), y) + _penalty(net),
            settings,
            validation=(*prepare(model, held), *found[1]),
            metric=lambda net, x, y, *frame: task.score(_over(net, x, frame), y),
            checkpoint=None if checkpoints is None else checkpoints / f"{kind.name}-{member}",
            description=f"training {kind.name} {member + 1}/{config.seeds}",
            quiet=quiet,
        )
        models.append(model)
        histories.append(history)
    return Members(kind, models, histories)


def known_frames(model: nn.Module, data: DataSet) -> tuple[Tensor, ...]:
    """The elements and weights that a cloud's frame without parameters gives each datum: found once, not in every step.

    Nothing for other models: a whole group's elements are the same for all data, and others are drawn or learned.
    """
    if not (isinstance(model, Symmetrized) and isinstance(model.frame, CloudFrame)) or any(True for _ in model.frame.parameters()):
        return ()
    with torch.no_grad():
        found = model.frames(data.x)
    return (found.elements,) if found.weights is None else (found.elements, found.weights)


def _over(net: nn.Module, x: Tensor, frame: tuple[Tensor, ...]) -> Tensor:
    return net.over(Weighted(*frame), x) if frame and isinstance(net, Symmetrized) else net(x)


def _penalty(net: nn.Module) -> Tensor | float:
    if isinstance(net, Augerino):
        return REWARD * net.penalty()
    return net.penalty() if isinstance(net, SoftNetwork) else 0.0


def prepare(model: nn.Module, data: DataSet) -> tuple[Tensor, Tensor]:
    """Inputs in double precision (frames need it; the network computes in its own), targets as the loss takes them."""
    assert data.y is not None
    return data.x, data.y if data.target == "class" else data.y.to(next(model.parameters(), data.y).dtype)
