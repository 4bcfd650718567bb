"""Actions on grids that self-supervision predicts or ignores: shifts of a periodic cell, tiles of a jigsaw, inverted values, factors.

Turns and mirrors are :class:`erlangen.actions.Images`, exchanged channels :class:`erlangen.actions.OnAxes`.
"""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.actions.images import Images
from erlangen.errors import ArgumentError
from erlangen.groups import SO, Cyclic, Dihedral, DirectProduct, O, Symmetric
from erlangen.groups.base import Element, Group
from erlangen.groups.recognise import recognised
from erlangen.groups.torus import Torus


def turns(group: Group) -> Images:
    """The turns (and reflections) of images by a group of the plane: ``Cyclic(n)`` and ``Dihedral(n)`` with ``n >= 3``, SO(2), O(2).

    Raises:
        ArgumentError: another group, whose action has to be given.

    >>> turns(Cyclic(4)).keeps_grid, turns(Cyclic(5)).keeps_grid
    (True, False)
    """
    known = recognised(group)
    if (isinstance(known, Cyclic) and known.n > 2) or (isinstance(known, Dihedral) and known.corners > 2):
        return Images(known.irrep(1))
    if group in (SO(2), O(2)):
        return Images(group.vector)
    raise ArgumentError(
        "group", "Cyclic(n) or Dihedral(n) with n >= 3, SO(2) or O(2)", repr(group), "for other groups give an action"
    )


def mirrors(axis: int = -1) -> Images:
    """The mirror image: left and right (``axis=-1``), or top and bottom (``axis=-2``), exchanged by the group of two elements.

    >>> mirrors().act(Cyclic(2).element(1), torch.tensor([[[1, 2], [3, 4]]])).flatten().tolist()
    [2, 1, 4, 3]
    """
    if axis not in (-1, -2):
        raise ArgumentError("axis", "-1 (left and right) or -2 (top and bottom)", repr(axis))
    group = Cyclic(2)
    return Images(group.irrep(1) + group.scalar if axis == -1 else group.scalar + group.irrep(1))


class GridShifts(Action):
    """Shifts of fields ``[*batch, height, width]`` on a periodic grid.

    Args:
        group: ``Cyclic(n)``, whose element ``k`` shifts by ``k / n`` of the side, or a product of such, one for each axis: exact. Or
            ``Torus(k)``, whose angles, over a full turn, are the shift as a share of the side: by Fourier interpolation, exact for what
            the grid resolves (of an even side, all but the highest frequency).
        axes: the axes that the factors shift, counted from the end; by default the last ones, in order.

    Raises:
        ArgumentError: the group is of another kind; or (when acting) a side that ``n`` does not divide.

    >>> cell = torch.arange(4.0).view(1, 1, 4)
    >>> halves = GridShifts(Cyclic(2))
    >>> halves.act(Cyclic(2).element(1), cell).flatten().tolist()
    [2.0, 3.0, 0.0, 1.0]
    """

    data_shape = (None, None)

    def __init__(self, group: Group, axes: tuple[int, ...] = ()) -> None:
        group = recognised(group)
        self.cyclic = tuple(map(recognised, group.factors)) if isinstance(group, DirectProduct) else (group,)
        if isinstance(group, Torus):
            count = group.k
        elif all(isinstance(f, Cyclic) for f in self.cyclic):
            count = len(self.cyclic)
        else:
            raise ArgumentError("group", "Cyclic(n), a product of cyclic groups, or Torus(k)", repr(group))
        axes = axes or tuple(range(-count, 0))
        if count > 2 or len(axes) != count or len(set(axes)) != count or not set(axes) <= {-2, -1}:
            raise ArgumentError("axes", f"{count} of the axes -2 and -1, as many as {group} has factors", repr(axes))
        super().__init__(group)
        self.axes = axes

    def act(self, g: Element, x: Tensor) -> Tensor:
        g, x = self.align(g, x)
        if isinstance(self.group, Torus):
            return self._fourier(self.group.angles(g), x)
        for f, part, axis in zip(self.cyclic, g if isinstance(self.group, DirectProduct) else (g,), self.axes):
            x = self._roll(int(f.order), part[..., 0], x, axis)
        return x

    def _roll(self, n: int, k: Tensor, x: Tensor, axis: int) -> Tensor:
        side = x.shape[axis]
        if side % n:
            raise ArgumentError("x", f"a side that {n} divides on axis {axis}", side)
        source = (torch.arange(side, device=x.device) - (k * (side // n)).unsqueeze(-1).to(x.device)) % side
        index = source.unsqueeze(-2 if axis == -1 else -1)
        lead = torch.broadcast_shapes(index.shape[:-2], x.shape[:-2])
        shape = (*lead, *x.shape[-2:])
        return x.expand(shape).gather(axis, index.expand(shape))

    def _fourier(self, angles: Tensor, x: Tensor) -> Tensor:
        """The shift theorem; the real part drops what an even side's highest frequency cannot tell."""
        z = torch.fft.fftn(x, dim=self.axes)
        for i, axis in enumerate(self.axes):
            waves = torch.fft.fftfreq(x.shape[axis], d=1 / x.shape[axis], device=x.device, dtype=x.dtype)
            phase = torch.exp(-1j * angles[..., i].to(x).unsqueeze(-1) * waves)
            z = z * phase.unsqueeze(-2 if axis == -1 else -1)
        return torch.fft.ifftn(z, dim=self.axes).real

    def __repr__(self) -> str:
        return f"GridShifts({self.group} on axes {self.axes})"


class Jigsaw(Action):
    """Tiles of an image ``[*batch, channels, height, width]`` exchanged: tile ``i`` goes to place ``g(i)``, row by row.

    Args:
        tiles: along each side; the group permutes their square.

    Raises:
        ArgumentError: (when acting) a side that ``tiles`` does not divide.

    >>> Jigsaw(2).act(torch.tensor([1, 0, 2, 3]), torch.tensor([[[1, 2], [3, 4]]])).flatten().tolist()
    [2, 1, 3, 4]
    """

    data_shape = (None, None, None)

    def __init__(self, tiles: int = 2) -> None:
        if tiles < 2:
            raise ArgumentError("tiles", "at least 2 along a side", repr(tiles))
        super().__init__(Symmetric(tiles**2))
        self.tiles = tiles

    def act(self, g: Element, x: Tensor) -> Tensor:
        g, x = self.align(g, x)
        height, width = x.shape[-2:]
        if height % self.tiles or width % self.tiles:
            raise ArgumentError("x", f"sides that {self.tiles} divides", f"{height} x {width}")
        pieces = x.unflatten(-1, (self.tiles, -1)).unflatten(-3, (self.tiles, -1))  # ..., row, h, column, w
        places = pieces.movedim((-4, -2), (-2, -1)).flatten(-2)
        moved = self.group.vector.act(g, places).unflatten(-1, (self.tiles, self.tiles))
        return moved.movedim((-2, -1), (-4, -2)).flatten(-2).flatten(-3, -2)

    def __repr__(self) -> str:
        return f"Jigsaw({self.tiles})"


class Inversion(Action):
    """Dark and bright exchanged, ``x -> 1 - x``, by the group of two elements.

    >>> Inversion().act(Cyclic(2).element(1), torch.tensor([[[0.25]]]))
    tensor([[[0.7500]]])
    """

    data_shape = (None, None, None)

    def __init__(self) -> None:
        super().__init__(Cyclic(2))

    def act(self, g: Element, x: Tensor) -> Tensor:
        g, x = self.align(g, x)
        turned = (g[..., 0] == 1).to(x.device)
        return torch.where(turned.view(*turned.shape, *(1,) * (x.ndim - turned.ndim)), 1 - x, x)

    def __repr__(self) -> str:
        return "Inversion()"


class Factors(Action):
    """Commuting actions as one, of the product of their groups: ``act((g, h), x) = act(g, act(h, x))``.

    Args:
        actions: on the same data. That they commute is for :meth:`commute` to find out, on data.

    >>> from erlangen.actions import Images
    >>> both = Factors(Images(Cyclic(4).irrep(1)), Inversion())
    >>> both.group, bool(both.commute(torch.rand(2, 1, 6, 6)))
    (C_4 x C_2, True)
    """

    def __init__(self, *actions: Action) -> None:
        if len(actions) < 2:
            raise ArgumentError("actions", "at least two", len(actions))
        super().__init__(DirectProduct(*(action.group for action in actions)))
        self.parts = actions
        self.data_shape = max((action.data_shape for action in actions), key=len)

    def split(self, g: Element) -> list[Element]:
        """The factors' elements; a factor that is a product takes as many places as it has factors."""
        parts: list[Element] = []
        rest: tuple[Any, ...] = tuple(g)
        for action in self.parts:
            count = len(action.group.factors) if isinstance(action.group, DirectProduct) else 0
            parts.append(rest[:count] if count else rest[0])
            rest = rest[max(count, 1) :]
        return parts

    def join(self, parts: list[Element]) -> Element:
        """The element of the product with these of the factors: the inverse of :meth:`split`."""
        joined: tuple[Any, ...] = ()
        for action, part in zip(self.parts, parts):
            joined += tuple(part) if isinstance(action.group, DirectProduct) else (part,)
        return joined

    def act(self, g: Element, x: Tensor) -> Tensor:
        for action, part in reversed(list(zip(self.parts, self.split(g)))):
            x = action.act(part, x)
        return x

    def commute(self, x: Tensor, tolerance: float = 1e-4) -> bool:
        """Whether the factors commute on the data ``x``: for every pair of generators, and for one random element of what is continuous."""
        generator, allowed = torch.Generator().manual_seed(0), tolerance * float(x.abs().max())
        moves: list[list[Element]] = []
        for action in self.parts:
            group, gens = action.group, action.group.generators
            some = [] if gens is None else [group.take(gens, i) for i in range(group.batch_shape(gens)[0])]
            moves.append([*some, *([group.sample(generator=generator, dtype=x.dtype)] if group.dim else [])])
        for i, a in enumerate(self.parts):
            for j, b in enumerate(self.parts[i + 1 :], i + 1):
                for g, h in itertools.product(moves[i], moves[j]):
                    if float((a.act(g, b.act(h, x)) - b.act(h, a.act(g, x))).abs().max()) > allowed:
                        return False
        return True

    def __repr__(self) -> str:
        return f"Factors({', '.join(map(repr, self.parts))})"
