"""Explanations as things that move: their parts, their action, and what kind of movement an action is."""

from __future__ import annotations

from typing import Any, Literal

import optree
import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.actions.axes import OnAxes
from erlangen.actions.base import Action
from erlangen.actions.records import Record, as_action
from erlangen.errors import ArgumentError, UnsupportedError
from erlangen.groups.base import Element
from erlangen.reps.base import Rep

Movement = Literal["permutation", "isometry", "linear", "other"]


def explanation_action(inp: Action, spec: Any) -> Action:
    """How explanations move: ``"same"`` as the data, by the ``"dual"`` representation (gradients), or by an action that is given.

    Raises:
        ArgumentError: it is no action of the data's group.
        UnsupportedError: the data's action has no dual, for it is not linear.

    >>> from erlangen.groups import SO
    >>> explanation_action(SO(1, 3).vector, "dual")
    V* of SO(1,3)
    """
    if isinstance(spec, str):
        if spec not in ("same", "dual"):
            raise ArgumentError("explanation", "'same', 'dual' or an action", repr(spec))
        return _real(inp) if spec == "same" else dual(_real(inp))
    action = as_action(spec, "explanation")
    if action.group != inp.group:
        raise ArgumentError("explanation", f"an action of {inp.group}, as inp", f"one of {action.group}")
    return action


def _real(action: Action) -> Action:
    """The action without the parts that hold no real numbers: edge lists are not explained."""
    if not isinstance(action, Record):
        return action
    kept = [leaf if leaf is not None and leaf.example(1).is_floating_point() else None for leaf in action.leaves]
    return action if kept == action.leaves else Record(action.unflatten(kept), action.group)


def dual(action: Action) -> Action:
    """How gradients of invariant functions move: ``rho(g)^-T``.

    Raises:
        UnsupportedError: the action is not made of representations.
    """
    if isinstance(action, Rep):
        return action.dual
    if isinstance(action, OnAxes):
        return OnAxes({axis: rep.dual for axis, rep in action.reps.items()})
    if isinstance(action, Record):
        return Record(action.unflatten([None if leaf is None else dual(leaf) for leaf in action.leaves]), action.group)
    if movement(action) in ("permutation", "isometry"):
        return action
    raise UnsupportedError(f"{action!r} is not known to be linear, and has no dual; pass explanation= an action")


def movement(action: Action) -> Movement:
    """What an action does to numbers, found on random elements and data: permutes them, keeps lengths, is linear, or none of these.

    >>> from erlangen.groups import SE, SO, Cyclic
    >>> [movement(a) for a in (Cyclic(5).vector, SO(3).vector, SO(1, 3).vector, SE(3).point)]
    ['permutation', 'isometry', 'linear', 'other']
    """
    group, rng = action.group, torch.Generator().manual_seed(0)
    kinds: list[Movement] = ["permutation", "isometry", "linear", "other"]
    worst = 0
    for leaf in action.leaves if isinstance(action, Record) else [action]:
        if leaf is None:
            continue
        # Sampled elements and, of a discrete group, generators: a rare element must not be missed.
        batches = [group.sample(6, generator=rng, dtype=torch.float64)]
        if group.generators is not None:
            batches.append(group.generators)
        for g in batches:
            (count,) = group.batch_shape(g)
            x = leaf.example(count, 2, generator=rng, dtype=torch.float64)
            if not x.is_floating_point():
                continue
            worst = max(worst, kinds.index(_of(leaf, g, x)))
    return kinds[worst]


def _of(action: Action, g: Element, x: Tensor) -> Movement:
    moved = action.act(g, x)
    lead = 2
    here, there = (t.flatten(lead) if t.ndim > lead else t.unsqueeze(-1) for t in (x, moved))
    if torch.equal(here.sort(-1).values, there.sort(-1).values):
        return "permutation"
    other = x.flip(0)
    line = action.act(g, 2 * x - 3 * other)
    if (line - 2 * moved + 3 * action.act(g, other)).abs().max() > 1e-9 * line.abs().max():
        return "other"
    size_here, size_there = here.norm(dim=-1), there.norm(dim=-1)
    return "isometry" if (size_here - size_there).abs().max() <= 1e-9 * size_here.max() else "linear"


def move(action: Action, g: Element, explanation: Any, x: Any) -> Any:
    """``explanation`` ``[B, ...]`` moved by elements ``[B, k]``, as flat vectors ``[B, k, d]``.

    Raises:
        ArgumentError: a part does not have the shape that its action moves; the message has both.
    """
    parts = []
    for leaf, part in zip(*leaves_of(action, explanation)):
        _check(leaf, part, x)
        parts.append(leaf.act(g, part.unsqueeze(1)).flatten(2))
    return torch.cat(parts, 2)


def flat(action: Action | None, explanation: Any, size: int, k: int) -> Float[Tensor, "B k d"]:
    """An explanation of ``B * k`` data as vectors; of the parts that an action moves, where there is one."""
    every = leaves_of(action, explanation)[1] if action is not None else optree.tree_leaves(explanation)
    return torch.cat([part.reshape(size, k, -1) for part in every if isinstance(part, Tensor)], 2)


def leaves_of(action: Action, explanation: Any) -> tuple[list[Action], list[Tensor]]:
    """The parts of an explanation that are there, each with its action."""
    if not isinstance(action, Record):
        return [action], [explanation]
    pairs = zip(action.leaves, action.flatten(explanation))
    kept = [(leaf, part) for leaf, part in pairs if isinstance(part, Tensor) and leaf is not None]
    if not kept:
        raise ArgumentError("explanation", f"a part that {action!r} moves", "none")
    return [leaf for leaf, _ in kept], [part for _, part in kept]


def _check(action: Action, part: Any, x: Any) -> None:
    wanted = ", ".join(["B", *("any" if n is None else str(n) for n in action.data_shape)])
    got = tuple(part.shape) if isinstance(part, Tensor) else type(part).__name__
    sizes = {t.shape[0] for t in optree.tree_leaves(x) if isinstance(t, Tensor) and t.ndim}
    fits = isinstance(part, Tensor) and part.ndim > action.data_ndim and part.shape[0] in sizes
    if fits:
        tail = part.shape[part.ndim - action.data_ndim :]
        fits = all(n is None or n == m for n, m in zip(action.data_shape, tail))
    if not fits:
        given = ", ".join(str(tuple(t.shape)) for t in optree.tree_leaves(x) if isinstance(t, Tensor))
        raise ArgumentError("explanation", f"shape [{wanted}], which {action!r} moves, for data of shape {given}", got)
