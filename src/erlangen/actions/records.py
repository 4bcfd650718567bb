"""`Record`: actions on the parts of a dict, tuple, list or dataclass, as one action."""

from __future__ import annotations

import inspect
from typing import Any

import optree
import torch
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.errors import ArgumentError
from erlangen.groups.base import Element, Group


class Record(Action):
    """A pytree of actions of one group, acting on a pytree of data of the same structure.

    A leaf ``None`` leaves its part of the data as it is (and that part may be anything). All parts share the batch of elements:
    see :mod:`erlangen.actions.base` for how it is matched.

    >>> from erlangen.groups import SO
    >>> G = SO(3)
    >>> act = Record({"pos": G.vector, "charge": G.scalar, "name": None})
    >>> moved = act.act(G.sample(2), {"pos": torch.randn(2, 5, 3), "charge": torch.ones(2, 5, 1), "name": "water"})
    >>> moved["pos"].shape, moved["name"]
    (torch.Size([2, 5, 3]), 'water')
    """

    def __init__(self, parts: Any, group: Group | None = None) -> None:
        leaves, self._tree = optree.tree_flatten(parts, none_is_leaf=True)
        groups = {leaf.group for leaf in leaves if isinstance(leaf, Action)} | ({group} if group is not None else set())
        for leaf in leaves:
            if leaf is not None and not isinstance(leaf, Action):
                raise ArgumentError("parts", "actions, or None for parts that are left alone", f"{type(leaf).__name__} {leaf!r}")
        if len(groups) != 1:
            raise ArgumentError("parts", "actions of one group", ", ".join(sorted(map(str, groups))) or "no action at all")
        super().__init__(groups.pop())
        self.parts, self.leaves = parts, leaves
        # A dict, tuple or list of actions needs no tree, and can then be traced by torch.compile and torch.export.
        self._keys: list[Any] | None = None
        if type(parts) in (dict, tuple, list) and all(part is None or isinstance(part, Action) for part in _values(parts)):
            self._keys = sorted(parts) if isinstance(parts, dict) else list(range(len(parts)))

    def act(self, g: Element, x: Any) -> Any:
        return self.map(lambda action, part: action.act(g, part), x)

    def map(self, function: Any, x: Any) -> Any:
        """``function(action, part)`` on every part that has an action; the other parts as they are."""
        parts = self.flatten(x)
        return self.unflatten([part if action is None else function(action, part) for action, part in zip(self.leaves, parts)])

    def unflatten(self, parts: list[Any]) -> Any:
        """Data of the record's structure from its parts, in the order of ``leaves``."""
        if self._keys is not None:
            return dict(zip(self._keys, parts)) if isinstance(self.parts, dict) else type(self.parts)(parts)
        return optree.tree_unflatten(self._tree, parts)

    def flatten(self, x: Any, argument: str = "x", what: str = "data") -> list[Any]:
        """The data's parts, in the order of ``leaves``.

        Raises:
            ArgumentError: the data do not have the record's structure; ``argument`` says whose they are, ``what`` what they are.
        """
        keys = self._keys
        fits = keys is not None and type(x) is type(self.parts) and len(x) == len(keys)
        if keys is not None and fits and (not isinstance(x, dict) or all(key in x for key in keys)):
            return [x[key] for key in keys]
        try:
            return self._tree.flatten_up_to(x)
        except ValueError as error:
            raise ArgumentError(argument, f"{what} of the structure {self.parts!r}", _outline(x)) from error

    def example(self, *batch: int, generator: torch.Generator | None = None, dtype: torch.dtype | None = None) -> Any:
        parts = [None if action is None else action.example(*batch, generator=generator, dtype=dtype) for action in self.leaves]
        return self.unflatten(parts)

    def __repr__(self) -> str:
        return f"Record({self.parts!r})"


def takes_names(model: Any, inp: Action) -> bool:
    """Whether a model takes the parts of a dict as several arguments, so that the dict itself cannot be what it is called with."""
    if not (isinstance(inp, Record) and isinstance(inp.parts, dict)):
        return False
    try:
        parameters = inspect.signature(model.forward if isinstance(model, torch.nn.Module) else model).parameters
    except (TypeError, ValueError):  # written in another language
        return False
    needed = [
        name for name, p in parameters.items() if p.default is p.empty and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    ]
    return len(needed) > 1 and all(name in parameters for name in inp.parts)


def _values(parts: Any) -> Any:
    return parts.values() if isinstance(parts, dict) else parts


def as_action(spec: Any, argument: str = "action") -> Action:
    """An action from an action, or from a dict/tuple/list/dataclass of them.

    Raises:
        ArgumentError: naming ``argument``.
    """
    if isinstance(spec, Action):
        return spec
    if isinstance(spec, Group):
        raise ArgumentError(argument, "how the group acts, e.g. G.vector, G.point or G.scalar", f"the group {spec} itself")
    if spec is None or isinstance(spec, (str, Tensor)):
        raise ArgumentError(argument, "an action or a dict/tuple of actions", type(spec).__name__)
    try:
        return Record(spec)
    except ArgumentError as error:
        raise ArgumentError(argument, error.expected, error.got) from None


def _outline(x: Any) -> str:
    if isinstance(x, dict):
        return "{" + ", ".join(map(repr, x)) + "}"
    if isinstance(x, Tensor):
        return f"a tensor of shape {tuple(x.shape)}"
    return f"{type(x).__name__} of length {len(x)}" if hasattr(x, "__len__") else type(x).__name__
