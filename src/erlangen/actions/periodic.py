"""Groups on what repeats: space groups and shifts on coordinates modulo 1, space groups on fields on a periodic grid."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import torch
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.errors import ArgumentError
from erlangen.groups.base import Element
from erlangen.groups.crystallographic import CrystallographicGroup
from erlangen.groups.torus import Torus
from erlangen.reps.base import Rep

#: What a field's values are, in words.
KINDS = ("scalar", "pseudoscalar", "vector", "pseudovector")


class Fractional(Action):
    """Points of a torus by their fractional coordinates: ``x -> W x + w``, taken into [0, 1).

    Two coordinates that differ by whole numbers are one point: orbits, stabilizers and representatives know that 0 is 1. Data are
    floating-point tensors ``[*batch, n]``, or exact: tuples of ``int`` and ``Fraction``.

    >>> from erlangen.groups import SpaceGroup
    >>> act = Fractional(SpaceGroup(221))
    >>> len(act.orbit(torch.tensor([0.0, 0.5, 1.0]))), len(act.orbit((0, Fraction(1, 2), 1)))
    (3, 3)
    """

    group: CrystallographicGroup

    def __init__(self, group: CrystallographicGroup) -> None:
        if not isinstance(group, CrystallographicGroup):
            raise ArgumentError("group", "a space group, plane group or CrystallographicGroup", repr(group))
        super().__init__(group)
        self.dim = group.n
        self.data_shape = (group.n,)

    def act(self, g: Element, x: Any) -> Any:
        if isinstance(x, tuple):
            return self._exact(g, x)
        if not isinstance(x, Tensor) or not x.is_floating_point():
            got = str(x.dtype) if isinstance(x, Tensor) else type(x).__name__
            raise ArgumentError("x", f"floating-point coordinates [*batch, {self.dim}] or a tuple of int and Fraction", got)
        g, x = self.align(g, x)
        g = g.to(x.device)
        wide = torch.promote_types(x.dtype, torch.float32)
        turned = (self.group.rotation(g).to(wide) @ x.to(wide).unsqueeze(-1)).squeeze(-1)
        shift = self.group.translation(g).to(wide) / self.group.denominator  # a quotient of integers would be in single precision
        return into_cell((turned + shift).to(x.dtype))

    def _exact(self, g: Tensor, x: tuple[Any, ...]) -> tuple[Fraction, ...]:
        if len(x) != self.dim or any(not isinstance(value, (int, Fraction)) or isinstance(value, bool) for value in x):
            raise ArgumentError("x", f"{self.dim} numbers, int or Fraction", repr(x))
        rows, shifts = self.group.rotation(g).tolist(), self.group.translation(g).tolist()
        return tuple(
            (sum((c * Fraction(value) for c, value in zip(row, x)), Fraction(0)) + Fraction(shift, self.group.denominator)) % 1
            for row, shift in zip(rows, shifts)
        )

    def compared(self, x: Any) -> Any:
        """Angles by their cosine and sine, which know that 0 is 1; exact numbers modulo 1."""
        return tuple(Fraction(value) % 1 for value in x) if isinstance(x, tuple) else _on_circles(x)

    def example(self, *batch: int, generator: torch.Generator | None = None, dtype: torch.dtype | None = None) -> Tensor:
        return torch.rand((*batch, self.dim), generator=generator, dtype=dtype)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fractional) and self.group == other.group

    def __hash__(self) -> int:
        return hash(("Fractional", self.group))


class Shifts(Action):
    """All points of a torus moved alike: coordinates modulo 1, shifted by a torus group's angles, a full turn for 1.

    >>> act = Shifts(Torus(2))
    >>> half = act.group.element(torch.tensor([torch.pi, 0.0], dtype=torch.float64))
    >>> act.same(act.act(half, torch.tensor([0.75, 0.1], dtype=torch.float64)), torch.tensor([0.25, 0.1], dtype=torch.float64))
    True
    """

    group: Torus

    def __init__(self, group: Torus) -> None:
        if not isinstance(group, Torus):
            raise ArgumentError("group", "a Torus", repr(group))
        super().__init__(group)
        self.data_shape = (group.k,)

    def act(self, g: Element, x: Tensor) -> Tensor:
        g, x = self.align(g, x)
        return into_cell(x + (self.group.angles(g) / (2 * torch.pi)).to(x))

    def compared(self, x: Tensor) -> Tensor:
        """Angles by their cosine and sine, which know that 0 is 1."""
        return _on_circles(x)

    def example(self, *batch: int, generator: torch.Generator | None = None, dtype: torch.dtype | None = None) -> Tensor:
        return torch.rand((*batch, self.group.k), generator=generator, dtype=dtype)

    def __repr__(self) -> str:
        return f"Shifts({self.group})"


class PeriodicField(Action):
    """Fields on a periodic grid, ``(g u)(p) = value(g) u(g^-1 p)``, turned about grid point 0; screws and glides shift by whole steps.

    A rotation about grid point 0 is a symmetry of the torus that the discrete Fourier transform sees. Turning an array as a picture,
    about the centre of its pixels, differs from it by a shift of one step.

    Args:
        group: a space or plane group.
        sizes: the grid's sides, one for each axis of the cell; axes that the group exchanges have equal sides, and its translations are
            whole steps.
        value: what the channels are: ``"scalar"`` (any number of them), ``"pseudoscalar"`` (a vorticity: changes sign in reflections),
            ``"vector"`` (a velocity, its components along the axes of the cell), ``"pseudovector"`` (a magnetisation), or a
            representation of the group.

    Data are ``[*batch, channels, *sizes]``.

    Raises:
        ArgumentError: the grid does not fit the group (saying what would), or the value is not known.

    >>> from erlangen.groups import PlaneGroup
    >>> vorticity = PeriodicField(PlaneGroup("p4gm"), (4, 4), "pseudoscalar")
    >>> x = torch.randn(2, 3, 1, 4, 4)
    >>> g = vorticity.group.sample(2)
    >>> torch.equal(vorticity.act(vorticity.group.inverse(g), vorticity.act(g, x)), x)
    True
    """

    group: CrystallographicGroup

    def __init__(self, group: CrystallographicGroup, sizes: tuple[int, ...], value: str | Rep = "scalar") -> None:
        if not isinstance(group, CrystallographicGroup):
            raise ArgumentError("group", "a space group, plane group or CrystallographicGroup", repr(group))
        if len(sizes) != group.n or any(not isinstance(size, int) or size < 1 for size in sizes):
            raise ArgumentError("sizes", f"{group.n} positive numbers of grid points", repr(sizes))
        super().__init__(group)
        self.sizes = tuple(sizes)
        self.value = _value(group, value)
        _check_grid(group, self.sizes)
        self.data_shape = (None if self.value is None else self.value.dim, *self.sizes)

    def act(self, g: Element, x: Tensor) -> Tensor:
        g, x = self.align(g, x)
        n = len(self.sizes)
        source = self.sources(g.to(x.device))
        # One more axis of indices for the channels; spectators stand in the element's batch as ones already.
        lead = torch.broadcast_shapes(source.shape[:-1], x.shape[: -n - 1])
        flat = x.flatten(-n).expand(*lead, *x.shape[-n - 1 : -n], -1)
        index = source.unsqueeze(-2).expand(*lead, flat.shape[-2], -1)
        moved = flat.gather(-1, index).unflatten(-1, self.sizes)
        if self.value is None:
            return moved
        return self.value.act(g, moved.movedim(-n - 1, -1)).movedim(-1, -n - 1)

    def sources(self, g: Tensor) -> Tensor:
        """Where the value at each grid point comes from, ``[*batch, points]``: positions in the flattened grid."""
        inverse = self.group.inverse(g)
        sizes = torch.tensor(self.sizes, device=g.device)
        points = torch.cartesian_prod(*[torch.arange(size, device=g.device) for size in self.sizes]).view(-1, len(sizes))
        # On grid points a rotation reads N_i W_ij / N_j: whole, where axes of different sides are not exchanged.
        linear = torch.div(inverse[..., :-1] * sizes.unsqueeze(1), sizes, rounding_mode="floor")
        shift = torch.div(inverse[..., -1] * sizes, self.group.denominator, rounding_mode="floor")
        moved = ((linear.unsqueeze(-3) * points.unsqueeze(-2)).sum(-1) + shift.unsqueeze(-2)) % sizes
        strides = sizes.flip(0).cumprod(0).flip(0) // sizes
        return (moved * strides).sum(-1)

    def example(self, *batch: int, generator: torch.Generator | None = None, dtype: torch.dtype | None = None) -> Tensor:
        channels = 2 if self.value is None else self.value.dim
        return torch.randn((*batch, channels, *self.sizes), generator=generator, dtype=dtype)

    def __repr__(self) -> str:
        return f"PeriodicField({self.group}, {self.sizes}, {'scalar' if self.value is None else self.value.symbol})"


def into_cell(x: Tensor) -> Tensor:
    """Coordinates modulo 1 in [0, 1): ``x - floor(x)``, and 0 where that rounds to 1.

    >>> into_cell(torch.tensor([-1e-12, 1.25, 1.0])).tolist()
    [0.0, 0.25, 0.0]
    """
    inside = x - x.floor()
    return torch.where(inside >= 1, torch.zeros_like(inside), inside)


def _on_circles(x: Tensor) -> Tensor:
    angle = 2 * torch.pi * (x - x.round())
    return torch.stack([angle.cos(), angle.sin()])  # one tensor: their size is 1, however small a sine


def _value(group: CrystallographicGroup, value: str | Rep) -> Rep | None:
    if isinstance(value, Rep):
        if value.group != group:
            raise ArgumentError("value", f"a representation of {group}", f"one of {value.group}")
        return value
    kinds = {
        "scalar": lambda: None,
        "pseudoscalar": lambda: group.pseudoscalar,
        "vector": lambda: group.vector,
        "pseudovector": lambda: group.pseudoscalar @ group.vector,
    }
    if value not in kinds:
        raise ArgumentError("value", f"one of {', '.join(KINDS)} or a representation of {group}", repr(value))
    return kinds[value]()


def _check_grid(group: CrystallographicGroup, sizes: tuple[int, ...]) -> None:
    every = group.elements()
    for i, size in enumerate(sizes):
        for j, other in enumerate(sizes):
            if size != other and bool(every[:, i, j].any()):
                raise ArgumentError("sizes", f"equal sides along axes {i} and {j}, which {group} mixes", repr(sizes))
        steps = every[:, i, -1]
        least = group.denominator // int(torch.gcd(steps, torch.tensor(group.denominator)).min())
        if size % least:
            raise ArgumentError("sizes", f"a multiple of {least} along axis {i}, for the translations of {group}", repr(sizes))
