"""`Outline`: what an action says of the parts of its data before there are any, found once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from erlangen.actions.base import Action
from erlangen.actions.ragged import Segment, bare, is_still
from erlangen.actions.records import Record
from erlangen.groups.recognise import recognised
from erlangen.reps.affine import Point
from erlangen.symmetrize.linear_parts import is_moved_by_translations, is_vector, of_linear_part


class once:
    """An attribute that is found when it is first asked for: ``functools.cached_property`` without its lock, which cannot be compiled."""

    def __init__(self, find: Callable[[Any], Any]) -> None:
        self.find, self.name = find, find.__name__
        self.__doc__ = find.__doc__

    def __get__(self, owner: Any, kind: Any = None) -> Any:
        if owner is None:
            return self
        found = self.find(owner)
        object.__setattr__(owner, self.name, found)
        return found


class Outline:
    """The parts of an action's data: their names, which of them move, and how without translations.

    Attributes:
        inp: the action.
        leaves: the parts' actions, ``None`` for what is shared.
        names: their names, in a flat dict; else ``None`` for each.
        still: which of them nothing moves.
        is_ragged: whether one of them is a :class:`~erlangen.actions.ragged.Segment`.
    """

    def __init__(self, inp: Action) -> None:
        self.inp = inp
        self.leaves: list[Any] = list(inp.leaves) if isinstance(inp, Record) else [inp]
        flat = isinstance(inp, Record) and isinstance(inp.parts, dict) and len(inp.parts) == len(self.leaves)
        # A dict's leaves come in the order of its sorted keys.
        self.names: list[str | None] = [*sorted(inp.parts)] if flat else [None] * len(self.leaves)  # type: ignore[attr-defined]
        self.still = [is_still(leaf) for leaf in self.leaves]
        self.is_ragged = any(isinstance(leaf, Segment) for leaf in self.leaves)

    @once
    def translates(self) -> bool:
        """Whether the group translates, so that its linear part is another group."""
        return self.inp.group.translates

    @once
    def is_proper(self) -> bool:
        """Whether the linear parts of its elements have determinant one."""
        return self.inp.group.is_proper

    @once
    def group(self) -> Any:
        """The group as the library's own, which knows the parts of an element."""
        return recognised(self.inp.group)

    @once
    def axis(self) -> Any:
        """The axis that the group keeps, across which it translates; ``None`` where there is none."""
        return getattr(self.group, "axis", None)

    @once
    def turns(self) -> bool:
        """Whether the linear part does anything."""
        return self.group.linear_part.order != 1

    @once
    def linear(self) -> Outline:
        """Of the same parts without translations."""
        return outline_of(of_linear_part(self.inp))

    @once
    def shifted(self) -> list[bool]:
        """Which parts a translation moves."""
        return [leaf is not None and is_moved_by_translations(leaf) for leaf in self.leaves]

    @once
    def clouds(self) -> list[int]:
        """The places of the parts that move as points, where the group translates, or else as vectors."""
        return [i for i, leaf in enumerate(self.leaves) if is_cloud(self.inp, leaf)]


def lacks(inp: Action, of: str | None, fits: Callable[[str | None, Any], bool], what: str) -> str:
    """Why no part of an action's data is what a frame looks at, of a name where one is given; empty where one is."""
    outline = outline_of(inp)
    if any(fits(name, leaf) for name, leaf in zip(outline.names, outline.leaves)):
        return ""
    return f"no part {'' if of is None else f'{of!r} '}of {inp!r} {what}"


def outline_of(inp: Action) -> Outline:
    """The outline of an action, which keeps it: actions are values, and do not change.

    >>> from erlangen.groups import SE
    >>> outline_of(Record({"pos": SE(3).point, "charge": None})).names
    ['charge', 'pos']
    """
    found = getattr(inp, "_outline", None)
    if found is None:
        found = Outline(inp)
        object.__setattr__(inp, "_outline", found)  # frozen dataclasses may be actions
    return found


def is_cloud(inp: Action, action: Any) -> bool:
    """Whether a part moves as points of a group that translates, as vectors of a linear one."""
    return isinstance(bare(action), Point) if inp.group.translates else is_vector(action)
