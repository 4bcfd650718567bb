"""`Symmetrizer`: the Reynolds projector onto the designs that a subgroup leaves as they are; `SoftSymmetrizer`: a step between two."""

from __future__ import annotations

import math
from typing import Any

import optree
import torch
from torch import Tensor, nn

from erlangen.actions.base import Action
from erlangen.actions.records import Record, as_action
from erlangen.errors import ArgumentError
from erlangen.groups.base import Element
from erlangen.groups.finite import orbits_of
from erlangen.groups.lasting import Lasting
from erlangen.groups.subgroups import Subgroup
from erlangen.maps.precision import Constants, wide

#: Numbers in all matrices of a subgroup for which their mean is made beforehand (512 MB).
LARGEST_MEAN = 2**26
#: What an average may move under the subgroup, relative to its size, and still count as fixed.
FIXED = 1e-9


class Symmetrizer(nn.Module, metaclass=Lasting):
    """``P_H x``, the mean of ``h x`` over a subgroup ``H``: the nearest design that ``H`` leaves as it is, where it acts orthogonally.

    Differentiable, for any batch, in the dtype of the data; of the trivial subgroup the data themselves, to the last bit. Where the action
    permutes numbers these are averaged orbit by orbit; a representation becomes one matrix; of any other action all moved copies are
    averaged.

    Args:
        subgroup: ``H``.
        action: how the whole group acts on designs: a representation, another action on tensors by linear or affine maps, or a dict or
            tuple of such (:class:`~erlangen.actions.Record`), in which a part that has ``None`` is left alone.

    Attributes:
        weights: how much each element of the whole group counts, float64 ``[order]``: ``1 / |H|`` for members, in the order of
            ``elements()``. A policy that should know the state takes it as an input.
        dim: how many numbers of a design are free, parts without an action left out; ``None`` where that is not known beforehand.

    Raises:
        ArgumentError: the action is of another group, or its averages are not fixed by the subgroup (angles modulo a turn).

    >>> from erlangen.groups import Dihedral, subgroup_lattice
    >>> D = Dihedral(4)
    >>> lattice = subgroup_lattice(D)
    >>> half_turn = Symmetrizer(lattice.subgroups[lattice.place("H_2")], D.vector)
    >>> half_turn(torch.tensor([1.0, 2.0, 3.0, 4.0])), half_turn.dim
    (tensor([2., 3., 2., 3.]), 2)
    """

    weights: Tensor

    def __init__(self, subgroup: Subgroup, action: Any) -> None:
        super().__init__()
        self.subgroup, self.action = subgroup, as_action(action, "action")
        if self.action.group != subgroup.parent:
            raise ArgumentError("action", f"an action of {subgroup.parent}, as the subgroup", f"one of {self.action.group}")
        leaves = self.action.leaves if isinstance(self.action, Record) else [self.action]
        self.parts = nn.ModuleList(_Left() if leaf is None else _projector(subgroup, leaf) for leaf in leaves)
        weights = torch.zeros(int(subgroup.parent.order), dtype=torch.float64)
        weights[sorted(subgroup.positions)] = 1 / subgroup.order
        self.register_buffer("weights", weights, persistent=False)

    @property
    def dim(self) -> int | None:
        sizes = [part.dim for part in self.parts if not isinstance(part, _Left)]
        return None if any(n is None for n in sizes) else sum(sizes)  # type: ignore[misc, arg-type]

    def forward(self, x: Any) -> Any:
        if not isinstance(self.action, Record):
            return self._part(self.parts[0], self.action, x)
        pieces = self.action.flatten(x)
        return self.action.unflatten(
            [self._part(part, action, piece) for part, action, piece in zip(self.parts, self.action.leaves, pieces)]
        )

    def _part(self, part: nn.Module, action: Action | None, x: Any) -> Any:
        if action is None:
            return x
        action.check(x)
        if not _has_averages(x):
            raise ArgumentError("x", "floating-point or complex numbers, which have averages", x.dtype)
        return x if self.subgroup.order == 1 else part(x)

    def extra_repr(self) -> str:
        return f"subgroup of order {self.subgroup.order} of {self.subgroup.parent}"


class SoftSymmetrizer(nn.Module, metaclass=Lasting):
    """``(1 - amount) P_H x + amount P_K x`` for a subgroup ``H`` of ``K``: what ``K`` takes away from a design of ``H`` is scaled down.

    Designs of ``K`` stay as they are, the rest of those of ``H`` is multiplied by ``1 - amount``: a relaxed symmetry, from ``P_H`` (0) to
    ``P_K`` (1). Unlike these it is no projector in between: applied twice it does more than once.

    Args:
        lower, upper: the projectors of ``H`` and ``K``, of one action.
        amount: from 0 to 1.

    Raises:
        ArgumentError: ``lower`` is not of a subgroup of that of ``upper``, or the amount lies outside.

    >>> from erlangen.groups import Cyclic, subgroup_lattice
    >>> C = Cyclic(2)
    >>> trivial, whole = (Symmetrizer(H, C.vector) for H in subgroup_lattice(C).subgroups)
    >>> SoftSymmetrizer(trivial, whole, 0.5)(torch.tensor([0.0, 4.0]))
    tensor([1., 3.])
    """

    weights: Tensor

    def __init__(self, lower: Symmetrizer, upper: Symmetrizer, amount: float) -> None:
        super().__init__()
        if lower.subgroup.parent != upper.subgroup.parent or not lower.subgroup.positions <= upper.subgroup.positions:
            raise ArgumentError("lower", f"the projector of a subgroup of that of {upper}", repr(lower))
        if not 0 <= amount <= 1:
            raise ArgumentError("amount", "a number from 0 to 1", repr(amount))
        self.lower, self.upper, self.amount = lower, upper, amount
        self.register_buffer("weights", torch.lerp(lower.weights, upper.weights, amount), persistent=False)

    @property
    def dim(self) -> float | None:
        """The trace of the map: free numbers of ``H``, those that ``K`` takes away counted by what is left of them."""
        below, above = self.lower.dim, self.upper.dim
        return None if below is None or above is None else (1 - self.amount) * below + self.amount * above

    def forward(self, x: Any) -> Any:
        def mixed(a: Any, b: Any) -> Any:
            return torch.lerp(a, b, self.amount) if isinstance(a, Tensor) and _has_averages(a) else a

        return optree.tree_map(mixed, self.lower(x), self.upper(x), none_is_leaf=True)


def _has_averages(x: Tensor) -> bool:
    return x.is_floating_point() or x.is_complex()


class _Left(nn.Module):
    """A part of a record that nothing moves."""


class _OrbitMeans(nn.Module):
    """Permuted numbers: each becomes the mean of its orbit."""

    label: Tensor
    sizes: Tensor

    def __init__(self, orbits: list[Tensor], ndim: int) -> None:
        super().__init__()
        self.ndim, self.dim = ndim, len(orbits)
        label = torch.empty(sum(map(len, orbits)), dtype=torch.int64)
        for number, orbit in enumerate(orbits):
            label[orbit] = number
        self.register_buffer("label", label, persistent=False)
        self.register_buffer("sizes", torch.tensor([len(orbit) for orbit in orbits]), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        # In half precision sums would stop growing, or overflow.
        full = torch.promote_types(x.dtype, torch.float32)
        flat = x.reshape(*x.shape[: x.ndim - self.ndim], len(self.label)).to(full)
        sums = flat.new_zeros(*flat.shape[:-1], self.dim).index_add(-1, self.label, flat)
        return (sums / self.sizes.to(full)).to(x.dtype).index_select(-1, self.label).reshape(x.shape)


class _MatrixMean(nn.Module):
    """A linear action: its mean as a matrix, from what it makes of the unit vectors.

    In float64, also where the module is part of one that was converted, and as the data are where it is used.
    """

    def __init__(self, mean: _ActionMean, numbers: int) -> None:
        super().__init__()
        self.ndim = mean.action.data_ndim
        units = torch.eye(numbers, dtype=torch.float64).reshape(numbers, *mean.action.data_shape)  # type: ignore[arg-type]
        matrix = mean(units).reshape(numbers, numbers).mT.contiguous()
        self.dim = round(float(matrix.trace()))
        self.size, self.matrix = numbers, Constants(matrix.mT.contiguous())

    def forward(self, x: Tensor) -> Tensor:
        flat = wide(x.reshape(*x.shape[: x.ndim - self.ndim], self.size))
        (matrix,) = self.matrix.like(flat)
        return (flat @ matrix).reshape(x.shape).to(x.dtype)


class _ActionMean(nn.Module):
    """Any other action: the mean of all moved copies."""

    dim = None

    def __init__(self, action: Action, elements: Element) -> None:
        super().__init__()
        self.action, self.elements = action, elements

    def forward(self, x: Tensor) -> Tensor:
        g = self.action.group.map(lambda leaf, shape: leaf.to(x.device), self.elements)
        return self.action.act(g, x.unsqueeze(0)).mean(0)


def _projector(subgroup: Subgroup, action: Action) -> nn.Module:
    """The cheapest way to average over the subgroup."""
    gens = subgroup.embed(subgroup.group().generators)
    mean, known = _ActionMean(action, subgroup.elements), all(n is not None for n in action.data_shape)
    images = _images(action, gens) if known else None
    if images is not None:
        return _OrbitMeans(orbits_of(images), action.data_ndim)
    x = action.example(2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    if not isinstance(x, Tensor) or not x.is_floating_point():
        raise ArgumentError("action", "one on tensors of numbers", repr(action))
    _check_fixed(mean, x, gens)
    if known and subgroup.order * _numbers(action) ** 2 <= LARGEST_MEAN:
        matrix = _MatrixMean(mean, _numbers(action))
        if torch.allclose(matrix(x), mean(x), rtol=FIXED, atol=FIXED * float(x.abs().max())):  # else affine
            return matrix
    return mean


def _numbers(action: Action) -> int:
    return math.prod(n for n in action.data_shape if n is not None)


def _images(action: Action, gens: Element) -> Tensor | None:
    """Which number each generator puts in every place, ``[generators, numbers]``; ``None`` where the action does not permute them.

    Seen on random numbers, all different: what comes out must be these again, to the last bit.
    """
    shape: Any = action.data_shape
    x = torch.randn(_numbers(action), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    ordered, order = x.sort()
    rows = []
    for i in range(action.group.batch_shape(gens)[0]):
        moved = action.act(action.group.take(gens, i), x.view(shape)).reshape(-1)
        at = torch.searchsorted(ordered, moved.to(torch.float64)).clamp_max(len(x) - 1)
        if not torch.equal(ordered[at], moved.to(torch.float64)) or len(at.unique()) < len(x):
            return None
        rows.append(order[at])
    return torch.stack(rows)


def _check_fixed(mean: _ActionMean, x: Tensor, gens: Element) -> None:
    """Raise ArgumentError unless averages are fixed by the subgroup, as they are under affine maps."""
    action, fixed = mean.action, mean(x)
    for i in range(action.group.batch_shape(gens)[0]):
        g = action.group.take(gens, i)
        off, size = (action.act(g, fixed) - fixed).abs().max(), torch.maximum(x.abs().max(), action.act(g, x).abs().max())
        if not float(off) <= FIXED * float(size):
            hint = "act on cosines and sines instead of angles"
            raise ArgumentError("action", "one by affine maps, under which averages are fixed", repr(action), hint)
