"""How many training samples are enough: of very many, twice as many are learned from only as long as held-out data gain by it."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import torch

from erlangen.data import Collection, DataSet
from erlangen.fitting.companions import RAW_SHARE, SHARE, grown
from erlangen.fitting.problem import Problem
from erlangen.groups.base import Group

#: So many training samples are all learned from; of more, at least so many.
FEW = 50_000
#: Twice as many samples must lower the held-out loss by this part, and by more than the standard error, or they are no gain.
GAIN = 0.01
#: Pieces of the held-out data whose differences say how sure the gain is.
PIECES = 50


@dataclass(frozen=True)
class Enough:
    """What a fit learns from.

    Attributes:
        problem: with as many training samples as are enough.
        reason: how many of how many, and why; empty where it is all of them.
    """

    problem: Problem
    reason: str = ""


def enough(problem: Problem, group: Group | None) -> Enough:
    """The same problem with a random part of its training samples, if that is as good.

    Gradient boosting (on the invariants of the group, where some are known, else on the raw numbers) learns from 50,000 samples and from
    twice as many, and so on, until the loss on held-out data falls by less than a hundredth, or by less than its standard error.

    Args:
        problem: of tokens, or of any other kind: where boosting has no columns, nothing is left out.
        group: whose invariants are learned from; ``None``: the raw numbers.
    """
    columns, size = problem.kind.columns(group), len(problem.train)
    if columns is None:
        columns = problem.kind.columns()
    if columns is None or problem.task.kind == "vector" or size <= FEW:
        return Enough(problem)
    share = RAW_SHARE if columns.group is None else SHARE
    order = torch.randperm(size, generator=torch.Generator().manual_seed(0))

    def losses(count: int) -> torch.Tensor:
        model = grown(columns, None, problem, problem.train.subset(order[:count]), 1, share)
        held, y = problem.inputs(problem.held), problem.held.y
        assert y is not None
        with torch.no_grad():
            parts = zip(model(held).tensor_split(PIECES), y.tensor_split(PIECES))
            return torch.stack([problem.task.loss(p, t.to(p) if t.is_floating_point() else t) for p, t in parts])

    count, own = FEW, losses(FEW)
    while count < size:
        twice = min(2 * count, size)
        more = losses(twice)
        gain, error = float((own - more).mean()), float((own - more).std()) / math.sqrt(PIECES)
        if gain <= max(error, GAIN * float(own.mean())):
            part = problem.train.subset(order[:count])
            reason = (
                f"{count} of {size} training samples were learned from: {twice} lowered the held-out loss of gradient boosting by "
                f"{gain / float(own.mean()):.2%} (standard error {error / float(own.mean()):.2%})."
            )
            return Enough(dataclasses.replace(problem, data=_with(part, problem.held, problem.data), train=part), reason)
        count, own = twice, more
    return Enough(problem)


def _with(train: DataSet | Collection, held: DataSet | Collection, data: DataSet | Collection) -> DataSet | Collection:
    """Both parts as one data set."""
    assert isinstance(train, DataSet)
    assert isinstance(held, DataSet)
    assert isinstance(data, DataSet)
    ys = None if train.y is None or held.y is None else torch.cat([train.y, held.y])
    return dataclasses.replace(data, x=torch.cat([train.x, held.x]), y=ys)
