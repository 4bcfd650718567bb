"""`Worth`: whether a symmetry that was found pays on data that were not learned from."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from erlangen.data import DataSet
from erlangen.fitting.columns import Arrangement
from erlangen.fitting.companions import BAG, GRAIN, RAW_SHARE, SHARE, grown
from erlangen.fitting.config import FitConfig
from erlangen.fitting.problem import Problem
from erlangen.groups.base import Group

#: Draws of held-out data, and the share of each; of more samples than the last number, one draw tells enough.
DRAWS, HELD, MANY = 5, 0.25, 3000


@dataclass(frozen=True)
class Worth:
    """Mean scores on held-out data with a symmetry imposed and without. True where imposing it is no worse.

    Attributes:
        name: of the symmetry.
        imposed, free: the two scores.
        score_name: what they are.
        draws: of held-out data.
    """

    name: str
    imposed: float
    free: float
    score_name: str
    draws: int

    def __bool__(self) -> bool:
        return self.imposed >= self.free

    def __str__(self) -> str:
        drawn = "" if self.draws == 1 else f", the means of {self.draws} draws"
        done = "imposed" if self else "not imposed"
        return f"{self.name}: held-out {self.score_name} {self.imposed:.3f} with it imposed, {self.free:.3f} without{drawn}; it is {done}"


def worth_of_invariants(data: DataSet, problem: Problem, group: Group, config: FitConfig) -> Worth | None:
    """Boosting on the invariants of a group beside boosting on the raw numbers, learned from the same part of the data.

    Args:
        data: tokens with classes or numbers as targets.
        problem: of those.
        group: with known invariants.
        config: spread and seed.

    Returns:
        the scores; ``None`` where no draw has all classes on both sides.
    """
    raw, first = problem.kind.columns(None), problem.kind.columns(group)
    assert raw is not None
    assert first is not None
    free: list[float] = []
    imposed: dict[Arrangement, list[float]] = {arrangement: [] for arrangement in first.arrangements}
    for draw in range(1 if len(data) > MANY else DRAWS):
        train, held = data.split(1 - HELD, config.seed + draw)
        assert train.y is not None
        assert held.y is not None
        if data.target == "class" and not all(len(part.y.unique()) == data.classes for part in (train, held) if part.y is not None):
            continue
        inputs = problem.inputs(held)
        with torch.no_grad():
            free.append(problem.task.score(grown(raw, None, problem, train, 1, RAW_SHARE)(inputs), held.y))
            for arrangement, scores in imposed.items():
                columns = problem.kind.columns(group, arrangement)
                assert columns is not None
                grain = GRAIN * problem.rounding(columns, group, config)
                scores.append(problem.task.score(grown(columns, grain, problem, train, BAG, SHARE)(inputs), held.y))
    if not free:
        return None
    best = max(sum(scores) for scores in imposed.values())
    return Worth(str(group), best / len(free), sum(free) / len(free), problem.task.score_name, len(free))
