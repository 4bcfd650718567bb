"""Typed axes: a tensor space whose axes say which group moves them, and the representations that are such spaces."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import cached_property, partial

import torch
from jaxtyping import Int
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.groups.base import Group
from erlangen.groups.orthogonal import SO, O
from erlangen.groups.permutation import Alternating, Symmetric
from erlangen.groups.products import DirectProduct
from erlangen.groups.recognise import recognised
from erlangen.groups.symplectic import Sp
from erlangen.reps import Defining, Determinant, DirectSum, Permutation, Pullback, Rep, Sign, TensorProduct, Trivial

#: The groups whose equivariant maps are diagrams, and their letters.
_KINDS: dict[type[Group], str] = {Symmetric: "S", Alternating: "A", O: "O", SO: "SO", Sp: "Sp"}


@dataclass(frozen=True)
class Axis:
    """An axis of length ``group.n``, moved by that group in its defining representation.

    Args:
        group: ``Symmetric(n)``, ``Alternating(n)``, ``O(n)``, ``SO(n)`` (also of signature ``(p, q)``) or ``Sp(n)``.
        label: axes of equal label are moved by the same element.

    >>> from erlangen.groups import Symmetric
    >>> Axis(Symmetric(5), "h").n
    5
    """

    group: Group
    label: Hashable = 0

    def __post_init__(self) -> None:
        if kind_of(self.group) is None:
            raise ArgumentError("group", "Symmetric(n), Alternating(n), O(n), SO(n) or Sp(n)", repr(self.group))

    @property
    def n(self) -> int:
        return n_of(self.group)

    @property
    def kind(self) -> str:
        kind = kind_of(self.group)
        assert kind is not None
        return kind


@dataclass(frozen=True)
class Space:
    """The tensors with these axes; ``twisted`` labels multiply them by the sign (or determinant) of their group's element too.

    >>> from erlangen.groups import O
    >>> v = Axis(O(3))
    >>> Space((v, v)).dim, Space((v,), twisted=frozenset([0]))      # second-rank tensors, and axial vectors
    (9, Space(O(3)[0], twisted by 0))
    """

    axes: tuple[Axis, ...] = ()
    twisted: frozenset[Hashable] = field(default=frozenset())

    def __post_init__(self) -> None:
        object.__setattr__(self, "axes", tuple(self.axes))
        object.__setattr__(self, "twisted", frozenset(self.twisted))

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(a.n for a in self.axes)

    @property
    def dim(self) -> int:
        return math.prod(self.shape)

    def __repr__(self) -> str:
        axes = " ".join(f"{a.group}[{a.label}]" for a in self.axes) or "1"
        return f"Space({axes}" + (f", twisted by {', '.join(map(str, sorted(self.twisted, key=str)))})" if self.twisted else ")")


def n_of(group: Group) -> int:
    """The size of the group's defining representation."""
    return int(group.element_shape[0])


def kind_of(group: Group) -> str | None:
    """``"S"``, ``"A"``, ``"O"``, ``"SO"`` or ``"Sp"`` for a group whose maps are diagrams, else ``None``.

    >>> from erlangen.groups import SO, Cyclic
    >>> kind_of(SO(3)), kind_of(SO(2, axis="z")), kind_of(Cyclic(4))
    ('SO', None, None)
    """
    group = recognised(group)
    kind = _KINDS.get(type(group))
    if isinstance(group, SO) and group.axis is not None:
        return None
    return kind


#: Where the entries of one copy of a space lie, written out when called.
Places = Callable[[], Tensor]


class Copies:
    """The copies of one typed space in a representation: how many, and where their entries lie on the last axis, written when needed."""

    def __init__(self, dim: int, parts: list[Places]) -> None:
        self.dim, self._parts = dim, parts

    def __len__(self) -> int:
        return len(self._parts)

    def numel(self) -> int:
        return len(self) * self.dim

    @cached_property
    @torch.inference_mode(False)  # what is kept must serve training too
    def places(self) -> Int[Tensor, "copies dim"]:
        return torch.stack([part() for part in self._parts])


def copies_of(rep: Rep) -> dict[Space, Copies] | None:
    """A representation as typed tensor spaces and their copies; it may have any dimension, for nothing of its size is made.

    ``None`` when some part is no tensor of a group with diagrams: then maps are found numerically.

    >>> from erlangen.groups import Symmetric
    >>> {space: len(copies) for space, copies in copies_of(Symmetric(50).vector ** 12).items()}
    {Space(S_50[0] S_50[0] S_50[0] S_50[0] S_50[0] S_50[0] S_50[0] S_50[0] S_50[0] S_50[0] S_50[0] S_50[0]): 1}
    """
    parts = _parts(rep)
    if parts is None:
        return None
    merged: dict[Space, list[Places]] = {}
    for space, places in parts:
        merged.setdefault(space, []).append(places)
    return {space: Copies(space.dim, places) for space, places in merged.items()}


def spaces_of(rep: Rep) -> dict[Space, Int[Tensor, "copies dim"]] | None:
    """The same with the places written out, ``[copies, dim]`` for each space.

    >>> from erlangen.groups import Symmetric
    >>> V = Symmetric(3).vector
    >>> {space: places.shape for space, places in spaces_of(2 * V + V.group.scalar).items()}
    {Space(S_3[0]): torch.Size([2, 3]), Space(1): torch.Size([1, 1])}
    """
    found = copies_of(rep)
    return None if found is None else {space: copies.places for space, copies in found.items()}


def _parts(rep: Rep, label: int = 0) -> list[tuple[Space, Places]] | None:
    one: Places = partial(torch.zeros, 1, dtype=torch.int64)
    result: list[tuple[Space, Places]]
    if isinstance(rep, DirectSum):
        result, start = [], 0
        for part in rep.parts:
            found = _parts(part, label)
            if found is None:
                return None
            result += [(space, partial(_shifted, places, start)) for space, places in found]
            start += part.dim
        return result
    if isinstance(rep, TensorProduct):
        result = [(Space(), one)]
        for part in rep.parts:
            found = _parts(part, label)
            if found is None:
                return None
            result = [
                (Space(a.axes + b.axes, a.twisted ^ b.twisted), partial(_crossed, i, j, part.dim))
                for a, i in result
                for b, j in found
            ]
        return result
    if isinstance(rep, Pullback) and isinstance(rep.group, DirectProduct):
        factor = next((i for i, f in enumerate(rep.group.factors) if rep.homomorphism == rep.group.project(i)), None)
        return None if factor is None else _parts(rep.rep, factor)
    if isinstance(rep, Trivial):
        return [(Space(), one)]
    kind = kind_of(rep.group)
    if kind is None:
        return None
    if isinstance(rep, (Sign, Determinant)):
        # Of A_n, SO and Sp the character is trivial; so is the sign of one thing.
        trivial = kind in ("A", "SO", "Sp") or (kind == "S" and n_of(rep.group) == 1)
        return [(Space((), frozenset() if trivial else frozenset([label])), one)]
    if isinstance(rep, (Permutation, Defining)):
        every: Places = partial(torch.arange, rep.dim)
        return [(Space((Axis(rep.group, label),)), every)]
    return None


def _shifted(places: Places, start: int) -> Tensor:
    return places() + start


def _crossed(before: Places, after: Places, width: int) -> Tensor:
    return (before()[:, None] * width + after()).flatten()
