"""`check_action`: that ``act`` is a group action, batched and single alike."""

from __future__ import annotations

from typing import Any

import optree
import torch

from erlangen.actions.base import Action
from erlangen.errors import ArgumentError
from erlangen.testing.groups import SMALL, all_steps, random_elements
from erlangen.testing.laws import Laws
from erlangen.verdict import Verdict


def check_action(
    action: Action, x: Any = None, *, seed: int = 0, trials: int = 8, scale: float = 0.5, atol: float = 1e-9
) -> Verdict:
    """Check an action on random elements, and of a finite group up to order 64 on all of them.

    That ``1 x = x``, ``(g h) x = g (h x)`` (of a small group, for every ``h`` and elements ``g`` that generate the group, which is
    enough for all), ``g^-1 g x = x``; and, when ``x`` is not given and data are therefore tensors, that a
    batch of elements on a batch of data agrees with one at a time, that one element moves a whole batch alike, that the data are not
    written to and that dtype is kept.

    Args:
        action: what to check.
        x: one datum, or several in a list, of any type; by default ``action.example(...)``.
        seed, trials, scale: of the random elements.
        atol: relative tolerance, in float64; exact objects must agree exactly.

    Raises:
        AssertionError: naming the law and by how much it fails.
        ArgumentError: the action cannot move its own example: state ``data_shape`` or pass ``x``.

    >>> from erlangen.groups import SO
    >>> bool(check_action(SO(3).vector))
    True
    """
    group, laws = action.group, Laws(action, atol)
    rng = torch.Generator().manual_seed(seed)
    g, h = (random_elements(group, trials, rng, scale) for _ in range(2))
    if x is not None:
        pairs = [(group.take(g, i), group.take(h, i)) for i in range(trials)]
        if group.order <= SMALL:
            s, every = all_steps(group)
            pairs += [(group.take(s, i), group.take(every, i)) for i in range(group.batch_shape(s)[0])]
        for a, b in pairs:
            for datum in x if isinstance(x, list) else [x]:
                _check_one(action, a, b, datum, laws)
        return laws.verdict()

    data = action.example(trials, generator=rng, dtype=torch.float64)
    try:
        moved = action.act(g, data)
    except (RuntimeError, IndexError, TypeError) as error:
        raise ArgumentError(
            "action",
            f"an action that can move its own example {_shapes(data)}",
            str(error),
            "state data_shape on the class, or pass x",
        ) from error
    _check_one(action, g, h, data, laws)
    if group.order <= SMALL:
        s, every = all_steps(group)
        _check_one(action, s, every, action.example(*group.batch_shape(s), generator=rng, dtype=torch.float64), laws)
    before = _copy(data)
    action.act(g, data)
    laws.equal("the data are not written to", data, before)
    for i in (0, trials - 1):
        single = action.act(group.take(g, i), _take(data, i))
        laws.equal("a batch agrees with one at a time", _take(moved, i), single)
    all_alike = action.act(group.map(lambda leaf, shape: leaf[:1], g), data)
    laws.equal("one element moves the whole batch alike", _take(all_alike, 1), action.act(group.take(g, 0), _take(data, 1)))
    low = action.example(trials, generator=rng, dtype=torch.float32)
    laws.true("float32 data stay float32", _dtypes(action.act(g, low)) == _dtypes(low), f"{_dtypes(action.act(g, low))}")
    return laws.verdict()


def _check_one(action: Action, g: Any, h: Any, x: Any, laws: Laws) -> None:
    group = action.group
    laws.equal("1 x = x", action.act(group.identity_like(g), x), x)
    laws.equal("(g h) x = g (h x)", action.act(group.multiply(g, h), x), action.act(g, action.act(h, x)))
    laws.equal("g^-1 g x = x", action.act(group.inverse(g), action.act(g, x)), x)


def _tensors(function: Any, x: Any) -> Any:
    return optree.tree_map(lambda t: function(t) if isinstance(t, torch.Tensor) else t, x)


def _copy(x: Any) -> Any:
    return _tensors(torch.clone, x)


def _take(x: Any, i: int) -> Any:
    return _tensors(lambda t: t[i], x)


def _dtypes(x: Any) -> list[torch.dtype]:
    return [t.dtype for t in optree.tree_leaves(x) if isinstance(t, torch.Tensor)]


def _shapes(x: Any) -> Any:
    return _tensors(lambda t: tuple(t.shape), x)
