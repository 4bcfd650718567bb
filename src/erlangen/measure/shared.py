"""A model as a function of what its batch does not share: tables, masks and edges of all data are held fixed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from erlangen.actions.base import Action
from erlangen.actions.records import Record
from erlangen.equivariance.error import call_model


def without_shared(model: Callable[..., Any], inp: Action, x: Any) -> tuple[Callable[..., Any], Action, Any]:
    """The model, its action and its data without the parts whose action is ``None``, which the new model adds again.

    >>> import torch, erlangen as er
    >>> C = er.Cyclic(3)
    >>> data = {"x": torch.ones(2, 3), "table": torch.tensor([5.0])}
    >>> model, inp, x = without_shared(lambda r: r["x"].sum(-1) * r["table"], er.Record({"x": C.vector, "table": None}), data)
    >>> inp, model(x)
    (Record({'x': R^3 of C_3}), tensor([15., 15.]))
    """
    if not isinstance(inp, Record) or None not in inp.leaves:
        return model, inp, x
    named = isinstance(inp.parts, dict) and len(inp.parts) == len(inp.leaves)
    names = sorted(inp.parts) if named else [str(i) for i in range(len(inp.leaves))]
    parts = dict(zip(names, inp.flatten(x)))
    moving = {name: action for name, action in zip(names, inp.leaves) if action is not None}

    def held(some: Any) -> Any:
        return call_model(model, inp, inp.unflatten([some.get(name, parts[name]) for name in names]))

    return held, Record(moving, inp.group), {name: parts[name] for name in moving}
