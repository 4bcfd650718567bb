"""Products of groups, one factor after the other: `Together` is how they act, `InSequence` how they are canonicalized."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.actions.ragged import PerDatum
from erlangen.actions.records import Record
from erlangen.errors import ArgumentError
from erlangen.groups.base import Element, Group
from erlangen.groups.products import DirectProduct
from erlangen.symmetrize.frames import Frame, Weighted
from erlangen.symmetrize.ordering import rounding
from erlangen.symmetrize.symmetrized import Batch, canonical


class Together(Action):
    """Actions of several groups on the same tensor that do not mind each other, as one of their direct product.

    >>> from erlangen.actions import nodes
    >>> from erlangen.groups import E, Symmetric
    >>> act = Together(E(3).point, nodes(Symmetric(5)))
    >>> act.act(act.group.sample(8), torch.randn(8, 5, 3)).shape
    torch.Size([8, 5, 3])
    """

    def __init__(self, *parts: Action) -> None:
        if len(parts) < 2 or not all(isinstance(part, Action) for part in parts):
            raise ArgumentError("parts", "at least two actions", repr(parts))
        group = DirectProduct(*(part.group for part in parts))
        if len(group.factors) != len(parts):
            raise ArgumentError("parts", "actions of groups that are not products themselves", [str(p.group) for p in parts])
        super().__init__(group)
        self.parts = parts
        longest = max(part.data_ndim for part in parts)
        shapes = [(None,) * (longest - part.data_ndim) + tuple(part.data_shape) for part in parts]
        self.data_shape = tuple(next((n for n in sizes if n is not None), None) for sizes in zip(*shapes))

    def act(self, g: Element, x: Tensor) -> Tensor:
        self.check(x)
        lead = len(self.group.batch_shape(g))
        if x.ndim - self.data_ndim < lead:
            x = x.reshape((1,) * (lead - x.ndim + self.data_ndim) + tuple(x.shape))
        for part, own in zip(self.parts, g):
            x = part.act(own, x)
        return x

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Together) and self.parts == other.parts

    def __hash__(self) -> int:
        return hash(self.parts)

    def __repr__(self) -> str:
        return f"Together({', '.join(map(repr, self.parts))})"


class InSequence(Frame):
    """A frame for each factor of a product of groups: the second sees what the first has made canonical, and so on.

    Exact when every stage but the last ignores the later factors: the mean and the axes of a cloud do not depend on the order of its
    points, so motions come first and relabelling second. What a stage makes canonical is off by rounding of the data as they came, however
    far from the origin they lay; later stages that compare numbers (:class:`Sorted`, :class:`Ordered`, :class:`Spectral`,
    :class:`CanonicalLabelling`) are told how far. A model that has the last symmetries itself (a graph network: relabelling)
    needs no frame for them: symmetrize it for the first factor alone.

    Args:
        frames: one for each factor, in order.

    Raises:
        ArgumentError: there is only one (when made); the input is not made of :class:`Together` (when used).

    >>> from erlangen.actions import nodes
    >>> from erlangen.groups import SE, Symmetric
    >>> from erlangen.symmetrize import SignFixed, Sorted
    >>> act = Together(SE(3).point, nodes(Symmetric(5)))
    >>> _ = torch.manual_seed(1)  # no datum near a tie
    >>> motion, order = InSequence(SignFixed(), Sorted())(act, torch.randn(8, 5, 3)).elements
    >>> motion.shape, order.shape
    (torch.Size([8, 1, 4, 4]), torch.Size([8, 1, 5]))
    """

    def __init__(self, *frames: Frame) -> None:
        super().__init__()
        if len(frames) < 2:
            raise ArgumentError("frames", "at least two", len(frames))
        self.stages = torch.nn.ModuleList(frames)
        self.is_exact = all(frame.is_exact for frame in frames)
        self.differentiable = all(frame.differentiable for frame in frames)

    def forward(self, inp: Action, x: Any) -> Weighted:
        found: list[tuple[Group, Element]] = []
        weights: Tensor | None = None
        losses: dict[str, Tensor] = {}
        info: dict[str, Tensor] = {}
        size = count = 1
        batch = Batch(inp, x)
        noise = [rounding(part) for part in batch.parts] if batch.index is None else None
        for i, frame in enumerate(self.stages):
            stage = factor(inp, i)
            made: Weighted = frame(stage, x, noise) if i and getattr(frame, "takes_noise", False) else frame(stage, x)
            if made.mixed:
                raise ArgumentError("frames", "stages that choose, not mix", type(frame).__name__, "train with trick=None")
            rows, k = stage.group.batch_shape(made.elements)
            size = size if i else rows
            x = canonical(stage, x, made.elements)
            # Every earlier element is followed by k of this stage.
            found = [(group, _repeat(group, elements, k)) for group, elements in found]
            found.append((stage.group, stage.group.reshape(made.elements, size, count * k)))
            if weights is not None or made.weights is not None:
                own = made.weights
                if own is None:
                    leaf = weights
                    assert leaf is not None
                    own = torch.full((rows, k), 1 / k, dtype=leaf.dtype, device=leaf.device)
                before = own.new_full((size, count), 1 / count) if weights is None else weights
                weights = (before.unsqueeze(2) * own.reshape(size, count, k)).flatten(1)
            count *= k
            noise = None if noise is None else [None if part is None else part.repeat_interleave(k) for part in noise]
            for name, value in made.losses.items():
                losses[name] = losses[name] + value if name in losses else value
            # One value for each element so far: [B, k, ...].
            info |= {f"{name}_{i}": value.reshape(size, -1, *value.shape[1:]) for name, value in made.info.items()}
        return Weighted(tuple(elements for _, elements in found), weights, losses, info)

    def refuse_output(self, out: Action) -> str:
        for i, frame in enumerate(self.stages):
            assert isinstance(frame, Frame)
            if _is_together(out) and (reason := frame.refuse_output(factor(out, i))):
                return f"stage {i}, {type(frame).__name__}: {reason}"
        return ""

    def refuse(self, inp: Action) -> str:
        for i, frame in enumerate(self.stages):
            try:
                stage = factor(inp, i)
            except ArgumentError as error:
                return f"{error}"
            assert isinstance(frame, Frame)
            if reason := frame.refuse(stage):
                return f"stage {i}, {type(frame).__name__}: {reason}"
        groups = getattr(inp.group, "factors", ())
        return "" if len(groups) == len(self.stages) else f"{inp.group} has {len(groups)} factors, not {len(self.stages)}"


def _repeat(group: Group, elements: Element, k: int) -> Element:
    return group.map(lambda leaf, shape: leaf.repeat_interleave(k, 1), elements)


def _is_together(action: Action) -> bool:
    return all(leaf is None or isinstance(leaf, Together) for leaf in getattr(action, "leaves", [action]))


def factor(inp: Action, i: int) -> Action:
    """How factor ``i`` acts, of a :class:`Together` or a record of them.

    Raises:
        ArgumentError: the action is not made of :class:`Together`, or has no such factor.
    """
    if isinstance(inp, Record):
        return Record(inp.unflatten([None if leaf is None else factor(leaf, i) for leaf in inp.leaves]))
    if isinstance(inp, PerDatum) and inp.moves is None and i < len(getattr(inp.group, "factors", ())):
        return type(inp)(inp.group.factors[i])  # type: ignore[attr-defined]
    if not isinstance(inp, Together) or i >= len(inp.parts):
        raise ArgumentError("inp", f"actions made of Together, with at least {i + 1} parts", repr(inp))
    return inp.parts[i]
