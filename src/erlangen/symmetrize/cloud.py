"""Which part of the input spans the frame: the cloud of points or vectors of a datum."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.actions.records import Record
from erlangen.errors import ArgumentError
from erlangen.groups.affine import AffineGroup


def cloud_of(inp: Action, x: Any, of: str | None = None) -> Tensor:
    """A part that moves as points (as vectors, of a linear group), as ``[B, n, d]``; ``[B, d]`` counts as one point.

    Args:
        inp, x: the action and the data.
        of: the part's name in a dict; by default the first that qualifies.

    Raises:
        ArgumentError: there is no such part, it is empty, or it has the wrong shape.
    """
    wanted = (leaf for leaf in _parts(inp, x) if _is_cloud(inp, leaf[1]) and of in (None, leaf[0]))
    name, action, part = next(wanted, (None, None, None))
    if action is None or part is None:
        raise ArgumentError("inp", f"a part {f'{of!r} ' if of else ''}that moves as points or vectors", repr(inp))
    action.check(part, name or "x")
    cloud = part.reshape(part.shape[0], -1, part.shape[-1])
    if cloud.shape[1] == 0:
        raise ArgumentError(name or "x", "at least one point in each datum", f"shape {tuple(part.shape)}")
    if not torch.compiler.is_compiling() and not bool(cloud.isfinite().all()):
        raise ArgumentError(name or "x", "finite coordinates", f"{int((~cloud.isfinite()).sum())} that are NaN or infinite")
    return cloud


def weights_of(inp: Action, x: Any, name: str, cloud: Tensor) -> Tensor:
    """The part of this name as weights of the points, ``[B, n]`` in the cloud's dtype; a boolean mask counts as zeros and ones.

    Raises:
        ArgumentError: there is no such part, its shape does not fit, a weight is negative, or all of a datum's weights are zero.
    """
    part = next((part for leaf, _, part in _parts(inp, x) if leaf == name), None)
    if not isinstance(part, Tensor) or part.shape != cloud.shape[:2]:
        got = tuple(part.shape) if isinstance(part, Tensor) else type(part).__name__
        raise ArgumentError(name, f"weights or a mask of shape {tuple(cloud.shape[:2])}", got)
    weights = part.to(cloud.dtype)
    if not torch.compiler.is_compiling():
        if bool((weights < 0).any()):
            raise ArgumentError(name, "weights that are not negative", float(weights.min()))
        empty = weights.sum(1) == 0
        if bool(empty.any()):
            raise ArgumentError(name, "at least one point of each datum", f"none in datum {int(empty.nonzero()[0])}")
    return weights


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
    flat = isinstance(inp.parts, dict) and len(inp.parts) == len(inp.leaves)
    # A dict's leaves come in the order of its sorted keys.
    names: list[str | None] = [*sorted(inp.parts)] if flat else [None] * len(inp.leaves)
    return list(zip(names, inp.leaves, inp.flatten(x)))
