"""`symmetrized_by_kind`: a model of tokens of several kinds that keeps what was found of them."""

from __future__ import annotations

from torch import nn

from erlangen.actions.ragged import PerDatum
from erlangen.groups.parts_algebra import PartsAlgebra
from erlangen.symmetrize.choose import symmetrize


def symmetrized_by_kind(model: nn.Module, algebra: PartsAlgebra) -> nn.Module:
    """Make a model invariant under the connected group of an algebra on several kinds of tokens.

    Factors that move different kinds commute, so that each has a frame of its own, one around the other.

    Args:
        model: takes a dict from names of kinds to tokens ``[B, T_k, n_k]``.
        algebra: of those kinds, as :func:`~erlangen.discover.task.kinds_symmetries` finds it.

    Raises:
        ArgumentError: no exact frame serves a factor (the message says which and why): such a group is described, not imposed.

    >>> import torch
    >>> from erlangen.groups.parts_algebra import parts_algebra
    >>> turn = torch.zeros(1, 4, 5)
    >>> turn[0, [1, 3], [0, 2]], turn[0, [0, 2], [1, 3]] = 1.0, -1.0
    >>> algebra = parts_algebra(turn, (2, 2), ("position", "velocity"))
    >>> class Flat(torch.nn.Module):
    ...     def forward(self, x):
    ...         return x["position"].sum((1, 2)).unsqueeze(1) * x["velocity"][:, 0, :1]
    >>> model = symmetrized_by_kind(Flat(), algebra)
    >>> x = {name: torch.randn(5, 2, 2, dtype=torch.float64) for name in algebra.names}
    >>> g = algebra.group.sample(5, dtype=torch.float64)
    >>> moved = {name: action.act(g, x[name]) for name, action in algebra.motions().items()}
    >>> torch.allclose(model(x), model(moved))
    True
    """
    for group, motions in algebra.factor_motions():
        still = PerDatum(group)
        model = symmetrize(model, {name: motions.get(name, still) for name in algebra.names}, group.scalar)
    return model
