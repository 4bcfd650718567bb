"""`WeightSpec`: which permutation moves which axis of which tensor of a network.

Permuting the hidden units of a network, together with all the weights that touch them, leaves its function as it is. The spec says
how: every axis of every weight tensor has a kind (a label, fixed, ``Grouped`` or ``Blocks``), and axes with one label are moved by one
permutation.

Source: A. Zhou, C. Finn, J. Harrison, "Universal neural functionals", NeurIPS 2024, arXiv:2402.05232; fixed axes,
blocks and groups are ours.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.actions.records import Record
from erlangen.errors import ArgumentError
from erlangen.groups import DirectProduct, Symmetric
from erlangen.groups.base import Element
from erlangen.parameters.kinds import Kind, Segment, checked, index_map, labels_of, learn_sizes, segments
from erlangen.parameters.layout import Layout, Part

#: Tensors by name, as in a ``state_dict``.
Params = Mapping[str, Tensor]


class WeightSpec:
    """The kinds of all axes of a collection of tensors, checked against their shapes. Immutable and hashable.

    Args:
        shapes: name of each tensor to its shape.
        axes: name of each tensor to the kind of each of its axes: a label (str), None or an int (fixed), ``Grouped`` or ``Blocks``.
        sizes: sizes of labels, where shapes alone do not tell them (heads of attention).

    Raises:
        ArgumentError: names, numbers of axes or lengths do not fit; the tensor is named.

    >>> spec = WeightSpec({"w1": (16, 64), "b1": (16,), "w2": (10, 16)}, {"w1": ("h", None), "b1": ("h",), "w2": (None, "h")})
    >>> dict(spec.labels), spec.group
    ({'h': 16}, S_16)
    >>> sigma = spec.random_permutation(torch.Generator().manual_seed(0))
    >>> moved = spec.apply_permutation({"w1": torch.randn(16, 64), "b1": torch.randn(16), "w2": torch.randn(10, 16)}, sigma)
    >>> moved["w2"].shape
    torch.Size([10, 16])
    """

    def __init__(
        self,
        shapes: Mapping[str, Sequence[int]],
        axes: Mapping[str, Sequence[Kind]],
        sizes: Mapping[str, int] | None = None,
    ) -> None:
        for name in [*shapes, *axes]:
            if name not in shapes or name not in axes:
                raise ArgumentError(name, "a shape and kinds for every tensor", "kinds alone" if name in axes else "a shape alone")
        if not shapes:
            raise ArgumentError("shapes", "at least one tensor", "none")
        self.shapes: Mapping[str, tuple[int, ...]] = MappingProxyType({k: tuple(v) for k, v in shapes.items()})
        self.axes: Mapping[str, tuple[Kind, ...]] = MappingProxyType({k: _kinds(k, axes[k]) for k in shapes})
        for name, shape in self.shapes.items():
            if len(shape) != len(self.axes[name]):
                raise ArgumentError(name, f"{len(self.axes[name])} axes, as its kinds {self.axes[name]}", f"shape {shape}")
        self.labels: Mapping[str, int] = MappingProxyType(self._sizes(dict(sizes or {})))
        self.layouts: Mapping[str, Layout] = MappingProxyType(
            {
                name: Layout(tuple(segments(name, kind, n, self.labels) for kind, n in zip(self.axes[name], shape)))
                for name, shape in self.shapes.items()
            }
        )

    def _sizes(self, sizes: dict[str, int]) -> dict[str, int]:
        used = dict.fromkeys(label for kinds in self.axes.values() for kind in kinds for label in labels_of(kind))
        for label in sizes:
            if label not in used:
                raise ArgumentError("sizes", "labels that some axis uses", f"'{label}', which none does")
        before = -1
        while before != len(sizes):
            before = len(sizes)
            for name, shape in self.shapes.items():
                for kind, n in zip(self.axes[name], shape):
                    learn_sizes(name, kind, n, sizes)
        for name, kinds in self.axes.items():
            for label in (label for kind in kinds for label in labels_of(kind)):
                if label not in sizes:
                    raise ArgumentError(
                        name, f"a size for label '{label}' that follows from the shapes", "none", "give it in sizes="
                    )
        return {label: sizes[label] for label in used}

    # ---- the group and its action ----

    @cached_property
    def group(self) -> DirectProduct:
        """The product of the labels' symmetric groups, in the order of ``labels`` (with no label: the trivial group)."""
        return DirectProduct(*(Symmetric(n) for n in self.labels.values() or (1,)))

    @cached_property
    def action(self) -> Record:
        """The group on dicts of tensors ``[*batch, *shape]`` (channels are among the batch axes)."""
        return Record({name: AxesAction(self.group, self.labels, layout.axes) for name, layout in self.layouts.items()})

    def random_permutation(self, generator: torch.Generator | None = None) -> Element:
        """A random element of the group: one index map for each label, in the order of ``labels``."""
        return self.group.sample(generator=generator)

    def apply_permutation(self, params: Params, sigma: Element | Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The parameters moved by ``sigma``, an element of the group or a dict of index maps (a label that is left out stays).

        Raises:
            ArgumentError: the parameters do not fit the spec.
        """
        if isinstance(sigma, Mapping):
            for label in sigma:
                if label not in self.labels:
                    raise ArgumentError("sigma", f"labels of {list(self.labels)}", f"'{label}'")
            given = sigma
            sigma = tuple(given[label] if label in given else torch.arange(n) for label, n in self.labels.items())
            sigma = sigma or self.group.identity()
        params = self.select(params)
        if [tuple(p.shape) for p in sigma] != [(n,) for n in self.labels.values()]:
            return self.action.act(sigma, params)  # many permutations
        back = {label: p.argsort() for label, p in zip(self.labels, sigma)}
        return {name: _moved(params[name], layout.axes, back) for name, layout in self.layouts.items()}

    # ---- tensors ----

    def select(self, params: Params) -> dict[str, Tensor]:
        """The spec's tensors out of ``params``, which may hold more (an integer counter), each ``[*batch, *shape]``.

        Raises:
            ArgumentError: one is missing or has another shape; it is named.
        """
        found = {}
        for name, shape in self.shapes.items():
            if name not in params:
                raise ArgumentError(
                    name, f"a tensor [*batch{''.join(f', {n}' for n in shape)}] of this name", f"only {list(params)}"
                )
            x = params[name]
            if x.ndim < len(shape) or tuple(x.shape[x.ndim - len(shape) :]) != shape:
                raise ArgumentError(name, f"a tensor [*batch{''.join(f', {n}' for n in shape)}]", f"shape {tuple(x.shape)}")
            found[name] = x
        return found

    @cached_property
    def parts(self) -> tuple[tuple[str, Part], ...]:
        """All typed tensors with the name of the tensor that each comes from."""
        return tuple((name, part) for name, layout in self.layouts.items() for part in layout.parts)

    def fold(self, params: Params) -> list[Tensor]:
        """Parameters ``[*batch, C, *shape]`` as typed tensors ``[*batch, C * channels, *sizes]``, in the order of ``parts``."""
        params = self.select(params)
        for name, shape in self.shapes.items():
            if params[name].ndim == len(shape):
                hint = "add a channel axis with .unsqueeze, or stack networks with from_state_dicts"
                raise ArgumentError(name, "a channel axis before the tensor's own", f"shape {shape}", hint)
        return [piece for name, layout in self.layouts.items() for piece in layout.fold(params[name])]

    def unfold(self, pieces: Sequence[Tensor]) -> dict[str, Tensor]:
        """The inverse of :meth:`fold`."""
        left = list(pieces)
        found = {}
        for name, layout in self.layouts.items():
            count = len(layout.parts)
            found[name] = layout.unfold(left[:count])
            left = left[count:]
        return found

    def restrict(self, names: Sequence[str]) -> WeightSpec:
        """The spec of some of the tensors, e.g. without the running statistics."""
        for name in names:
            if name not in self.shapes:
                raise ArgumentError("names", f"names of {list(self.shapes)}", f"'{name}'")
        axes = {name: self.axes[name] for name in names}
        kept = {label for kinds in axes.values() for kind in kinds for label in labels_of(kind)}
        sizes = {label: n for label, n in self.labels.items() if label in kept}
        return WeightSpec({name: self.shapes[name] for name in names}, axes, sizes)

    # ---- values ----

    @property
    def numel(self) -> int:
        """How many numbers the tensors hold."""
        return sum(math.prod(shape) for shape in self.shapes.values())

    def __reduce__(self) -> Any:
        return WeightSpec, (dict(self.shapes), dict(self.axes), dict(self.labels))

    def equality_key(self) -> Any:
        return tuple(self.shapes.items()), tuple(self.axes.items()), tuple(self.labels.items())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WeightSpec) and self.equality_key() == other.equality_key()

    def __hash__(self) -> int:
        return hash(self.equality_key())

    def __repr__(self) -> str:
        lines = [f"  {name} {shape}: {self.axes[name]}" for name, shape in self.shapes.items()]
        return "WeightSpec(\n" + "\n".join(lines) + f"\n  sizes {dict(self.labels)}\n)"


class AxesAction(Action):
    """A product of symmetric groups on the axes of one tensor, as their segments say.

    >>> S = DirectProduct(Symmetric(3))
    >>> act = AxesAction(S, {"h": 3}, (((("h", 3),),), ((("h", 3),),)))          # both axes by one permutation
    >>> x = torch.arange(9.0).reshape(3, 3)
    >>> bool((act.act((torch.tensor([1, 2, 0]),), x).diagonal() == x.diagonal().roll(1)).all())
    True
    """

    def __init__(self, group: DirectProduct, labels: Mapping[str, int], axes: tuple[tuple[Segment, ...], ...]) -> None:
        super().__init__(group)
        self.labels, self.axes = tuple(labels), axes
        self.data_shape = Layout(axes).shape

    def act(self, g: Element, x: Tensor) -> Tensor:
        g, x = self.align(g, x)
        batch = self.group.batch_shape(g)
        back = dict(zip(self.labels, self.group.inverse(g)))
        lead = torch.broadcast_shapes(batch, x.shape[: x.ndim - self.data_ndim])
        if not batch:
            return _moved(x, self.axes, back)
        x = x.expand((*lead, *x.shape[x.ndim - self.data_ndim :]))
        for axis, cut in enumerate(self.axes):
            if all(label is None for segment in cut for label, _ in segment):
                continue
            dim = axis - len(self.axes)
            # (g x)[g(i)] = x[i], so entry j comes from g^-1(j).
            source = index_map(cut, {k: v.to(x.device) for k, v in back.items()}, batch)
            source = source.expand(*lead, source.shape[-1]).reshape(*lead, *(-1 if i == axis else 1 for i in range(len(self.axes))))
            x = x.gather(dim, source.expand(x.shape))
        return x


def _moved(x: Tensor, axes: tuple[tuple[Segment, ...], ...], back: Mapping[str, Tensor]) -> Tensor:
    """A tensor moved by one permutation, given the inverses of those of the labels."""
    for axis, cut in enumerate(axes):
        used = {label for segment in cut for label, _ in segment if label is not None}
        if used:
            x = x.index_select(axis - len(axes), index_map(cut, {label: back[label].to(x.device) for label in used}, ()))
    return x


def _kinds(name: str, kinds: Sequence[Kind]) -> tuple[Kind, ...]:
    if isinstance(kinds, str):
        raise ArgumentError(name, "a tuple with a kind for each axis", repr(kinds))
    return tuple(checked(name, kind) for kind in kinds)
