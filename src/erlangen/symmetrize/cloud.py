"""Which part of the input spans the frame: the cloud of points or vectors of a datum."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.actions.records import Record
from erlangen.errors import ArgumentError
from erlangen.groups.affine import AffineGroup
from erlangen.reps.affine import Point
from erlangen.reps.basic import Defining
from erlangen.symmetrize.ragged import segment_of, to_dense


class Cloud(NamedTuple):
    """Points or vectors of each datum, and how much each counts (``None``: all alike; padding counts zero)."""

    points: Float[Tensor, "B n d"]
    weights: Float[Tensor, "B n 1"] | None

    def centre(self) -> Float[Tensor, "B d"]:
        """The weighted mean."""
        if self.weights is None:
            return self.points.mean(1)
        return (self.weights * self.points).sum(1) / self.weights.sum(1)

    def minus(self, centre: Float[Tensor, "B d"]) -> Cloud:
        """The cloud seen from ``centre``."""
        return Cloud(self.points - centre.unsqueeze(1), self.weights)

    def weighted(self) -> Float[Tensor, "B n d"]:
        """Each point times its weight."""
        return self.points if self.weights is None else self.weights * self.points

    def frozen(self, dtype: torch.dtype | None = None) -> Cloud:
        """Without gradient, in another precision."""
        points = self.points.detach().to(dtype or self.points.dtype)
        return Cloud(points, None if self.weights is None else self.weights.detach().to(points.dtype))


def cloud_of(inp: Action, x: Any, of: str | None = None, weights: str | None = None) -> Cloud:
    """A part that moves as points (as vectors, of a linear group), as ``[B, n, d]``; ``[B, d]`` counts as one point.

    Args:
        inp, x: the action and the data.
        of: the part's name in a dict; by default the first that qualifies.
        weights: the name of the part of a dict with a weight, or a boolean mask, for each point.

    Raises:
        ArgumentError: there is no such part, it is empty, not finite or of a wrong shape; weights are negative or, for a datum, all zero.
    """
    wanted = (leaf for leaf in named_parts(inp, x) if is_cloud(inp, leaf[1]) and of in (None, leaf[0]))
    name, action, part = next(wanted, (None, None, None))
    if action is None or part is None:
        raise ArgumentError("inp", f"a part {f'{of!r} ' if of else ''}that moves as points or vectors", repr(inp))
    name = name or "x"
    action.check(part, name)
    if part.ndim < 2:
        raise ArgumentError(name, "a leading batch axis", f"shape {tuple(part.shape)}")
    points = part.reshape(part.shape[0], -1, part.shape[-1]) if part.ndim != 3 else part
    if points.shape[1] == 0:
        raise ArgumentError(name, "at least one point in each datum", f"shape {tuple(part.shape)}")
    if not torch.compiler.is_compiling() and not bool(points.isfinite().all()):
        raise ArgumentError(name, "finite coordinates", f"{int((~points.isfinite()).sum())} that are NaN or infinite")
    counts = None if weights is None else _weights(inp, x, weights, points, part)
    if (index := segment_of(inp, x)) is not None:
        if len(index) != len(points):
            raise ArgumentError("segment", f"one number for each of the {len(points)} nodes of '{name}'", f"{len(index)} numbers")
        counts = torch.ones_like(points[..., 0]) if counts is None else counts
        points, counts = (to_dense(t, index)[0].flatten(1, 2) for t in (points, counts))
    if counts is None:
        return Cloud(points, None)
    if not torch.compiler.is_compiling():
        empty = counts.sum(1) == 0
        if bool(empty.any()):
            raise ArgumentError(
                weights or "segment", "at least one point of each datum", f"none in datum {int(empty.nonzero()[0])}"
            )
    return Cloud(points, counts.unsqueeze(-1))


def _weights(inp: Action, x: Any, name: str, points: Tensor, part: Tensor) -> Float[Tensor, "B n"]:
    """The part of this name as weights of the points; a boolean mask counts as zeros and ones."""
    found = next((part for leaf, _, part in named_parts(inp, x) if leaf == name), None)
    if not isinstance(found, Tensor) or found.shape != part.shape[:-1]:
        got = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
        raise ArgumentError(name, f"weights or a mask of shape {tuple(part.shape[:-1])}", got)
    weights = found.reshape(points.shape[:2]).to(points.dtype)
    if not torch.compiler.is_compiling() and not bool(((weights >= 0) & weights.isfinite()).all()):
        raise ArgumentError(name, "finite weights that are not negative", float(weights.min()))
    return weights


def cloud_refusal(inp: Action) -> str:
    """Why the input has no cloud; empty when it has one."""
    leaves = inp.leaves if isinstance(inp, Record) else [inp]
    if any(is_cloud(inp, leaf) for leaf in leaves):
        return ""
    return f"no part of {inp!r} moves as points or vectors"


def is_cloud(inp: Action, action: Any) -> bool:
    """Whether a part moves as points of an affine group, as vectors of a linear one."""
    return isinstance(action, Point if isinstance(inp.group, AffineGroup) else Defining)


def named_parts(inp: Action, x: Any) -> list[tuple[str | None, Any, Any]]:
    """The parts of a datum with their actions and, in a flat dict, their names."""
    if not isinstance(inp, Record):
        return [(None, inp, x)]
    flat = isinstance(inp.parts, dict) and len(inp.parts) == len(inp.leaves)
    # A dict's leaves come in the order of its sorted keys.
    names: list[str | None] = [*sorted(inp.parts)] if flat else [None] * len(inp.leaves)
    return list(zip(names, inp.leaves, inp.flatten(x)))
