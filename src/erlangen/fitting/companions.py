"""What a user would take instead: gradient boosting on the raw numbers, and on the invariants of the group that was found."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from erlangen.data import Collection, DataSet
from erlangen.errors import ArgumentError
from erlangen.fitting.columns import Columns
from erlangen.fitting.config import FitConfig
from erlangen.fitting.problem import Problem
from erlangen.fitting.trees import Trees
from erlangen.groups.base import Group

#: What the companions are called.
RAW, INVARIANTS = "boosting, raw", "boosting, invariants"
#: Models whose mean is taken.
BAG = 5
#: The share of columns that each split of a model of the bag looks at, and that of one on the raw numbers.
SHARE, RAW_SHARE = 0.3, 1.0
#: Columns are rounded to so many times what rounding changes of them.
GRAIN = 10


class Boosted(nn.Module):
    """Boosted trees on columns of tokens: a function of tokens ``[B, T, n]`` that is invariant exactly as far as its columns are.

    Columns are rounded to what is theirs and not rounding's, so that a threshold does not cut through noise. Its gradients are
    zero, as those of piecewise constant functions are.

    Args:
        columns: of tokens.
        trees: on the columns; of two classes with one output, the logarithm of the odds.
        shape: of one output.
    """

    def __init__(self, columns: Columns, trees: Trees, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.columns, self.trees, self.shape = columns, trees, shape
        self.grain: Tensor
        self.register_buffer("grain", torch.zeros(len(columns), dtype=torch.float64))

    def forward(self, x: Float[Tensor, "B T n"]) -> Tensor:
        columns = self.rounded(x)
        found = self.trees(columns)
        if self.shape == (2,) and found.shape[1] == 1:
            found = torch.cat([torch.zeros_like(found), found], -1)
        return found.reshape(-1, *self.shape) + 0 * columns.sum().reshape(-1, *(1,) * len(self.shape))

    def rounded(self, x: Tensor) -> Tensor:
        """The columns, without the digits that are rounding's."""
        return rounded_to(self.columns(x.to(torch.float64)), self.grain)


def rounded_to(columns: Tensor, grain: Tensor) -> Tensor:
    """Multiples of ``grain`` nearest to columns; where it is zero, the columns."""
    grain = grain.to(columns)
    return torch.where(grain > 0, (columns / grain.clamp_min(torch.finfo(columns.dtype).tiny)).round() * grain, columns)


@dataclass(frozen=True)
class Companion:
    """A trained companion.

    Attributes:
        name, about: for tables.
        model: from tokens to outputs.
        seconds: of training, choices included.
        held: scores on held-out data of the columns that were tried, by arrangement.
    """

    name: str
    about: str
    model: Boosted
    seconds: float
    held: dict[str, float] = field(default_factory=dict)


def companions(problem: Problem, group: Group | None, config: FitConfig) -> list[Companion]:
    """Boosting on the raw numbers, and on the invariants of a group.

    Nothing for data that are no tokens, and for vectors as targets; no second one for groups without known invariants.
    """
    if problem.kind.columns() is None or problem.task.kind == "vector":
        return []
    about = "scikit-learn's gradient boosting, its defaults, on the raw numbers"
    found = [_timed(RAW, about, problem, None, config)]
    if group is not None and problem.kind.columns(group) is not None:
        found.append(_timed(INVARIANTS, "", problem, group, config))
    return found


def _timed(name: str, about: str, problem: Problem, group: Group | None, config: FitConfig) -> Companion:
    started = time.perf_counter()
    held: dict[str, float] = {}
    model = boosted(problem, group, config, held)
    seconds = time.perf_counter() - started
    words = {"each": "token by token", "pooled": "pooled over tokens"}[model.columns.arrangement]
    about = about or f"the mean of {BAG} on {len(model.columns)} invariant{'s' * (len(model.columns) > 1)} of {group}, {words}"
    return Companion(name, about, model, seconds, held)


def boosted(problem: Problem, group: Group | None, config: FitConfig, held: dict[str, float] | None = None) -> Boosted:
    """Boosting with scikit-learn's defaults on the raw numbers; or on the invariants of a group, token by token or pooled, as
    held-out data say: the mean of five models that see some columns at each split.

    Once columns are chosen, all training data are learned from.

    Args:
        problem: of tokens, with classes or numbers as targets.
        group: ``None``: the raw numbers.
        config: spread and seed.
        held: takes the scores on held-out data, by arrangement, where there is something to choose.

    Raises:
        ArgumentError: no invariants of the group are known.
    """
    first = problem.kind.columns(group)
    if first is None:
        raise ArgumentError("group", "a group with known invariants", repr(group))
    if group is None:
        return grown(first, None, problem, problem.data, 1, RAW_SHARE)
    scores: dict[str, float] = {} if held is None else held
    tried = {}
    for arrangement in first.arrangements:
        columns = problem.kind.columns(group, arrangement)
        assert columns is not None
        tried[arrangement] = columns, GRAIN * problem.rounding(columns, group, config)
    if len(tried) > 1:
        for arrangement, (columns, grain) in tried.items():
            model = grown(columns, grain, problem, problem.train, 1, SHARE)
            assert problem.held.y is not None
            with torch.no_grad():
                scores[arrangement] = problem.task.score(model(problem.inputs(problem.held)), problem.held.y)
    columns, grain = max(tried.items(), key=lambda item: scores.get(item[0], 0.0))[1]
    return grown(columns, grain, problem, problem.data, BAG, SHARE)


def grown(columns: Columns, grain: Tensor | None, problem: Problem, data: DataSet | Collection, bag: int, share: float) -> Boosted:
    """The mean of so many models grown on data, which look at a share of the columns at each split.

    Args:
        columns: of the tokens.
        grain: to multiples of which they are rounded; ``None``: not at all.
        problem: the task and how inputs are read.
        data: to learn from.
        bag, share: how many models, and the share.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    assert data.y is not None
    task, inputs = problem.task, columns(problem.inputs(data).to(torch.float64))
    inputs = (inputs if grain is None else rounded_to(inputs, grain)).numpy()
    forests: list[Sequence[Any]] = []
    for seed in range(bag):
        if task.kind == "class":
            forests.append([HistGradientBoostingClassifier(random_state=seed, max_features=share).fit(inputs, data.y.numpy())])
        else:
            targets = data.y.numpy().astype(np.float64).reshape(len(data), -1)
            forests.append([HistGradientBoostingRegressor(random_state=seed, max_features=share).fit(inputs, y) for y in targets.T])
    model = Boosted(columns, Trees.of(forests), task.shape)
    if grain is not None:
        model.grain.copy_(grain)
    return model.eval()
