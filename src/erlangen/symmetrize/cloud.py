"""Which part of the input spans the frame: the cloud of points or vectors of a datum."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from erlangen.actions.base import Action
from erlangen.actions.records import Record
from erlangen.errors import ArgumentError
from erlangen.groups.affine import AffineGroup


def cloud_of(inp: Action, x: Any) -> Tensor:
    """The first part that moves as points (as vectors, of a linear group), as ``[B, n, d]``; ``[B, d]`` counts as one point.

    Raises:
        ArgumentError: it is empty, has NaN or infinite entries, or the wrong shape.
    """
    name, action, part = next((leaf for leaf in _parts(inp, x) if _is_cloud(inp, leaf[1])), (None, None, None))
    if action is None or part is None:
        raise ArgumentError("inp", "a part that moves as points or vectors", repr(inp))
    action.check(part, name or "x")
    cloud = part.reshape(part.shape[0], -1, part.shape[-1])
    if cloud.shape[1] == 0:
        raise ArgumentError(name or "x", "at least one point in each datum", f"shape {tuple(part.shape)}")
    return cloud


def cloud_refusal(inp: Action) -> str:
    """Why the input has no cloud; empty when it has one."""
    leaves = inp.leaves if isinstance(inp, Record) else [inp]
    if any(_is_cloud(inp, leaf) for leaf in leaves):
        return ""
    return f"no part of {inp!r} moves as points or vectors"


def _is_cloud(inp: Action, action: Any) -> bool:
    """Points of an affine group; vectors of a linear one."""
    group = inp.group
    return action is not None and action == (group.point if isinstance(group, AffineGroup) else group.vector)


def _parts(inp: Action, x: Any) -> list[tuple[str | None, Any, Any]]:
    if not isinstance(inp, Record):
        return [(None, inp, x)]
    names = list(inp.parts) if isinstance(inp.parts, dict) and len(inp.parts) == len(inp.leaves) else [None] * len(inp.leaves)
    # A dict's leaves come in the order of its sorted keys.
    return list(zip(sorted(names) if names[:1] != [None] else names, inp.leaves, inp.flatten(x)))
