"""Ways to make a network symmetric - behind a frame, or on invariants - and the one that held-out data prefer."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from erlangen.data import DataSet
from erlangen.errors import ArgumentError
from erlangen.fitting.columns import Arrangement
from erlangen.fitting.config import FitConfig
from erlangen.fitting.kinds.order import Through
from erlangen.fitting.members import Kind, Members, train_members
from erlangen.fitting.problem import Problem
from erlangen.groups.affine import AffineSubgroup
from erlangen.groups.base import Group
from erlangen.groups.matrix import MatrixGroup
from erlangen.groups.recognise import recognised
from erlangen.maps.invariants.tensors import LARGEST
from erlangen.symmetrize.choose import choose_frame

#: Arrangements of invariants, in words.
ARRANGEMENTS = {"each": "the invariants", "pooled": "invariants pooled over tokens"}


@dataclass(frozen=True)
class Attempt:
    """A way that was tried.

    Attributes:
        name, about: for tables.
        held: the best score of its first network on held-out data.
        chosen: whether it is the symmetrized kind.
    """

    name: str
    about: str
    held: float
    chosen: bool


def ways(problem: Problem, kind: Kind, arrangement: Arrangement | None = None) -> list[Kind]:
    """The ways to the networks of a symmetrized kind: behind a frame, and on invariants of the group, where some are known.

    Args:
        problem: what is fitted.
        kind: the symmetrized kind, with its group.
        arrangement: of invariants; ``None``: all that there are.
    """
    assert kind.group is not None
    columns = problem.kind.columns(kind.group)
    if columns is None:
        return [kind]
    kinds = [dataclasses.replace(kind, name="frame")] if has_frame(problem, kind.group) else []
    for one in columns.arrangements if arrangement is None else (arrangement,):
        about = f"a perceptron on {ARRANGEMENTS[one]} of {kind.group}"
        kinds.append(Kind(f"invariants-{one}", about, "invariants", kind.group, arrangement=one))
    return kinds


def has_frame(problem: Problem, group: Group) -> bool:
    """Whether a frame serves the group on these data: some groups of tokens are imposed by their invariants alone."""
    inp = problem.kind.input_action(group)
    if inp is None:
        return False
    if not problem.kind.discovers or isinstance(inp, Through):
        return True
    try:
        choose_frame(inp)
    except ArgumentError:
        return False
    return True


def has_enough_invariants(dim: int, group: Group) -> bool:
    """Whether the invariants of a group on ``R^dim`` say what it leaves open.

    Of groups without a closed form, on spaces of many dimensions, products of two are not looked for: the rest says too little.

    >>> from erlangen.groups import SO
    >>> has_enough_invariants(60, SO(60))
    True
    """
    return dim**2 <= LARGEST or type(recognised(group)) not in (MatrixGroup, AffineSubgroup)


def can_impose(problem: Problem, group: Group) -> bool:
    """Whether there is any way to networks with this symmetry."""
    if isinstance(problem.data, DataSet) and not has_enough_invariants(problem.data.dim, group):
        return False
    return has_frame(problem, group) or problem.kind.columns(group) is not None


def symmetrized_members(
    kinds: Sequence[Kind], problem: Problem, config: FitConfig, checkpoints: Path | None, quiet: bool
) -> tuple[Members, list[Attempt]]:
    """Networks of the kind whose first one is best on held-out data, as the kind ``"symmetrized"``; and how the others did.

    With one kind there is nothing to choose.
    """
    if len(kinds) == 1:
        kind = dataclasses.replace(kinds[0], name="symmetrized")
        return train_members(kind, problem, config, checkpoints, quiet), []
    tried = [train_members(kind, problem, config, checkpoints, quiet, which=[0]) for kind in kinds]
    best = max(tried, key=lambda members: members.histories[0].best)
    rest = train_members(best.kind, problem, config, checkpoints, quiet, which=range(1, config.seeds))
    kind = dataclasses.replace(best.kind, name="symmetrized")
    shown = [Attempt(m.kind.name, m.kind.about, m.histories[0].best, m is best) for m in tried]
    return Members(kind, best.models + rest.models, best.histories + rest.histories), shown
