"""Training several networks of one kind: the plain one, or one symmetrized with a group."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optree
import torch
from torch import Tensor, nn

from erlangen.data import Collection, DataSet
from erlangen.discover.augerino import Augerino
from erlangen.discover.augment import Augmented
from erlangen.fitting.columns import Arrangement
from erlangen.fitting.config import FitConfig
from erlangen.fitting.invariant_network import InvariantNetwork
from erlangen.fitting.problem import Problem
from erlangen.fitting.soft_network import SoftNetwork
from erlangen.groups.base import Group
from erlangen.reps import Rep
from erlangen.symmetrize import CloudFrame, Symmetrized, Weighted
from erlangen.training import History, TrainingConfig, train

#: How much Augerino's reward for large generators weighs beside the loss.
REWARD = 1e-2
#: Data that are predicted at a time.
PIECE = 2048
#: Gated tensors shrink what passes through them: a soft network learns with steps larger by this factor.
SOFT_STEPS = 5.0


#: Puts the tensors of a batch together to what a network takes.
Rebuild = Callable[[Sequence[Tensor]], Any]


@dataclass(frozen=True)
class Kind:
    """A kind of model to train.

    Attributes:
        name: for tables and folders, e.g. ``"plain"``.
        about: one line for the report.
        how: ``"plain"``, ``"symmetrized"`` (by a frame of ``group``), ``"invariants"`` (on those of ``group``), ``"augmented"`` (by moves
            of ``basis``), ``"augerino"`` (moves learned with the network) or ``"soft"`` (a penalty on ``penalised``).
        group: of a symmetrized model.
        basis: generators ``[K, n, n]`` of an augmented one; of an Augerino, where they may be non-zero.
        arrangement: of invariants.
        penalised: of a soft one, how the candidate groups move tokens, by name.
    """

    name: str
    about: str
    how: str = "plain"
    group: Group | None = None
    basis: Tensor | None = None
    arrangement: Arrangement = "each"
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
    x = problem.inputs(data)
    dropout = config.dropout if task.kind == "class" else 0.0
    if kind.how == "invariants":
        assert kind.group is not None
        own = problem.kind.on_invariants(
            kind.group, arrangement=kind.arrangement, width=config.width, depth=config.depth, dropout=dropout
        )
        assert data.y is not None
        own.standardise(x, data.y, problem.rounding(own.columns, kind.group, config))
        return own
    network = problem.kind.network(config.width, config.depth, dropout, kind.group)
    model = network if kind.group is None else problem.kind.symmetrized(network, kind.group)
    assert data.y is not None
    problem.kind.standardise(network, model, x, data.y, task.out_scale)
    if kind.how == "augmented":
        assert kind.basis is not None
        return Augmented(network, kind.basis, vector=problem.kind.vector)
    if kind.how == "augerino":
        return Augerino(network, x.shape[-1], mask=kind.basis, vector=problem.kind.vector)
    return model


def _soft(kind: Kind, problem: Problem, config: FitConfig) -> SoftNetwork:
    data, task = problem.train, problem.task
    assert isinstance(data, DataSet)
    dual = not all(rep.is_orthogonal for rep in kind.penalised.values())
    soft = SoftNetwork(data.tokens, data.dim, task.shape, problem.kind.vector, config.width, config.depth, dual)
    soft.standardise(data.x, task.out_scale)
    soft.penalise(kind.penalised, config.steps)
    return soft


def train_members(
    kind: Kind,
    problem: Problem,
    config: FitConfig,
    checkpoints: Path | None,
    quiet: bool = False,
    which: Iterable[int] | None = None,
) -> Members:
    """Train models of one kind on the same data with the same budget; early stopping on what is held out.

    ``which``: the numbers of those to train, by default all ``config.seeds``.
    """
    data, held, task = problem.train, problem.held, problem.task
    inputs, rebuild = taken_apart(problem.kind.prepared(problem.inputs(data)))
    held_inputs, _ = taken_apart(problem.kind.prepared(problem.inputs(held)))
    count = len(inputs)

    def over(net: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        found = batch[count + 1 :]
        if found and isinstance(net, InvariantNetwork):
            return net.over(*found)
        if found and isinstance(net, Symmetrized):
            return net.over(Weighted(found[0], found[1] if len(found) > 1 else None), rebuild(batch[:count]))
        return net(rebuild(batch[:count]))

    models, histories = [], []
    for member in range(config.seeds) if which is None else which:
        seed = config.seed * 1000 + member
        torch.manual_seed(seed)
        model = build(kind, problem, config)
        known = known_parts(model, rebuild(inputs)), known_parts(model, rebuild(held_inputs))
        settings = TrainingConfig(
            steps=config.steps,
            batch_size=min(config.batch_size, problem.kind.largest_batch or config.batch_size),
            lr=config.lr * (SOFT_STEPS if kind.how == "soft" else 1.0),
            weight_decay=config.weight_decay,
            evaluate_every=max(1, config.steps // 30),
            patience=10,
            seed=seed,
        )
        history = train(
            model,
            (*inputs, target(model, data), *known[0]),
            lambda net, *batch: task.loss(over(net, batch), batch[count]) + _penalty(net),
            settings,
            validation=(*held_inputs, target(model, held), *known[1]),
            metric=lambda net, *batch: task.progress(over(net, batch), batch[count]),
            checkpoint=None if checkpoints is None else checkpoints / f"{kind.name}-{member}",
            description=f"training {kind.name} {member + 1}/{config.seeds}",
            quiet=quiet,
        )
        models.append(model)
        histories.append(history)
    return Members(kind, models, histories)


def taken_apart(x: Any) -> tuple[list[Tensor], Rebuild]:
    """The tensors of inputs, as a training takes them, and what puts a batch of them together again."""
    leaves, tree = optree.tree_flatten(x)
    return leaves, lambda batch: optree.tree_unflatten(tree, list(batch))


def known_parts(model: nn.Module, x: Any) -> tuple[Tensor, ...]:
    """What of a model's work is the same in every step, found once: the elements and weights that a cloud's frame without parameters
    gives each datum, or the invariants that a network sees.

    Nothing for other models: a whole group's elements are the same for all data, and others are drawn or learned.
    """
    if isinstance(model, InvariantNetwork):
        return model.known(x)
    if not (isinstance(model, Symmetrized) and isinstance(model.frame, CloudFrame)) or any(True for _ in model.frame.parameters()):
        return ()
    with torch.no_grad():
        found = model.frames(x)
    return (found.elements,) if found.weights is None else (found.elements, found.weights)


def _penalty(net: nn.Module) -> Tensor | float:
    if isinstance(net, Augerino):
        return REWARD * net.penalty()
    return net.penalty() if isinstance(net, SoftNetwork) else 0.0


def target(model: nn.Module, data: DataSet | Collection) -> Tensor:
    """Targets as the loss takes them. Inputs stay in double precision: frames need it, networks compute in their own."""
    assert data.y is not None
    return data.y if data.target == "class" else data.y.to(next(model.parameters(), data.y).dtype)


def predict(model: nn.Module, x: Any) -> Tensor:
    """Predictions, without gradients, of so many data at a time that memory is bounded."""
    size = len(optree.tree_leaves(x)[0])
    with torch.no_grad():
        parts = [model(optree.tree_map(lambda part, i=i: part[i : i + PIECE], x)) for i in range(0, size, PIECE)]
    return torch.cat(parts)
