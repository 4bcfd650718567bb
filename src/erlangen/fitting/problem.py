"""`Problem`: what is fitted, made once - the parts of the data, the target's task, and the kind that the data are of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from erlangen.data import Collection, DataSet
from erlangen.fitting.columns import Columns
from erlangen.fitting.config import FitConfig
from erlangen.fitting.kinds import DataKind, kind_of
from erlangen.fitting.task import Task, task_of
from erlangen.groups.base import Element, Group

#: Samples whose columns show how much of them is rounding.
SEEN = 512
#: Of more held-out samples, so many stop trainings and choose; the others are learned from by nobody.
MOST_HELD = 20_000


def drawn(data: DataSet | Collection, most: int, seed: int) -> DataSet | Collection:
    """So many samples at most, drawn at random.

    >>> import torch
    >>> data = DataSet("d", torch.randn(64, 1, 2), torch.arange(64) % 2, "class")
    >>> len(drawn(data, 10, 0)), drawn(data, 64, 0) is data
    (10, True)
    """
    if len(data) <= most:
        return data
    return data.subset(torch.randperm(len(data), generator=torch.Generator().manual_seed(seed))[:most])


@dataclass(frozen=True)
class Problem:
    """All that the steps of a fit share.

    Attributes:
        data: all training data.
        train, held: their parts: for training, and for stopping early and choosing.
        test: what is only measured on.
        task: loss and score.
        kind: how groups act on inputs and predictions, and the networks.
    """

    data: DataSet | Collection
    train: DataSet | Collection
    held: DataSet | Collection
    test: DataSet | Collection
    task: Task
    kind: DataKind

    @classmethod
    def of(cls, data: DataSet | Collection, test: DataSet | Collection, config: FitConfig) -> Problem:
        """The problem that training data with a target set.

        >>> import torch
        >>> data = DataSet("d", torch.randn(64, 1, 2), torch.arange(64) % 2, "class")
        >>> problem = Problem.of(data, data, FitConfig())
        >>> problem.task.score_name, problem.kind.name, len(problem.train) + len(problem.held)
        ('AUC', 'tokens', 64)
        """
        train, held = data.split(1 - config.validation, config.seed)
        held = drawn(held, MOST_HELD, config.seed)
        task = task_of(data)
        return cls(data, train, held, test, task, kind_of(data, task.shape))

    @classmethod
    def undivided(cls, data: DataSet | Collection) -> Problem:
        """All data in every part, where nothing is chosen or stopped by held-out data."""
        task = task_of(data)
        return cls(data, data, data, data, task, kind_of(data, task.shape))

    def inputs(self, data: DataSet | Collection) -> Any:
        """What groups move and networks take."""
        return self.kind.inputs(data.x)

    def moved(self, data: DataSet | Collection, group: Group, g: Element) -> tuple[Any, Tensor]:
        """Inputs moved by elements ``[N, ...]``, each by its own, and their targets."""
        inp, out = self.kind.moved_by(group)
        assert data.y is not None
        return inp.act(g, self.inputs(data)), out.act(g, data.y) if self.kind.vector else data.y

    def rounding(self, columns: Columns, group: Group, config: FitConfig) -> Tensor:
        """How much of each column is rounding, ``[k]``: the most that random elements of the group change of it on training samples."""
        some = self.data.subset(slice(0, SEEN))
        rng = torch.Generator().manual_seed(config.seed + 11)
        moved, _ = self.moved(some, group, group.sample(len(some), generator=rng, dtype=torch.float64, scale=config.spread))
        return (columns(moved.double()) - columns(self.inputs(some).double())).abs().amax(0)
