"""Groups of space that keep an axis: what is left of E(3) above a surface, under gravity or in a field."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.groups.affine import AffineGroup, linear_part
from erlangen.groups.haar import drawn_in_single, uniform
from erlangen.groups.membership import decided_in_single, tolerance
from erlangen.groups.orthogonal import SO, FormGroup


class AxialO(FormGroup):
    """O(2) about an axis of space: rotations about it and reflections in the planes through it, as ``3 x 3`` matrices.

    The proper part is ``SO(2, axis=...)``.

    >>> g = AxialO("z").sample(5)
    >>> g.shape, AxialO("z").dim, bool((g[:, 2, 2] == 1).all())
    (torch.Size([5, 3, 3]), 1, True)
    """

    def __init__(self, axis: str | Sequence[float] | Tensor = "z") -> None:
        self.proper = SO(2, axis=axis)
        assert self.proper.axis is not None
        self.axis = self.proper.axis
        normal = across(self.axis)[:, 0]
        mirror = torch.eye(3, dtype=torch.float64) - 2 * torch.outer(normal, normal)
        super().__init__([mirror], self.proper.algebra, name=self.proper.name.replace("SO(2)", "O(2)"))
        self._state(torch.eye(3, dtype=torch.float64), (3, 0), "all")

    def equality_key(self) -> Hashable:
        return self.axis

    @drawn_in_single
    def sample(
        self,
        *batch: int,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | None = None,
        scale: float = 1.0,
    ) -> Tensor:
        turn = self.proper.sample(*batch, generator=generator, dtype=dtype, device=device)
        coin = uniform((*batch, 1, 1), generator, turn.dtype, device) < 0.5
        assert self.generators is not None
        return torch.where(coin, turn @ self.generators[0].to(turn), turn)

    @decided_in_single
    def contains(self, g: Tensor, atol: float | None = None) -> Tensor:
        axis = torch.tensor(self.axis, dtype=g.dtype, device=g.device)
        return super().contains(g, atol) & ((g @ axis - axis).norm(dim=-1) <= tolerance(g, atol))


class AxialSE(AffineGroup):
    """The rigid motions of space that keep heights along an axis: rotations about it, translations across it.

    >>> G = AxialSE("z")
    >>> x = torch.randn(4, 3)
    >>> torch.allclose(G.point.act(G.sample(), x)[:, 2], x[:, 2])
    True
    """

    def __init__(self, axis: str | Sequence[float] | Tensor = "z") -> None:
        self._made_of(SO(2, axis=axis), "SE(2)")

    def _made_of(self, linear: SO | AxialO, kind: str) -> None:
        super().__init__(linear, name=f"{kind} about {linear.name.split(' about ')[1]}")
        assert self._algebra is not None
        assert linear.axis is not None
        self.axis = linear.axis
        # Of the translations (the last three) those across the axis.
        turns, shifts = self._algebra.basis[:-3], self._algebra.basis[-3:]
        self._algebra = type(self._algebra)(
            torch.cat([turns, torch.einsum("kp,kij->pij", across(self.axis), shifts)]), name=self._algebra.name
        )

    @decided_in_single
    def contains(self, g: Tensor, atol: float | None = None) -> Tensor:
        axis = torch.tensor(self.axis, dtype=g.dtype, device=g.device)
        return super().contains(g, atol) & ((self.translation(g) @ axis).abs() <= tolerance(g, atol))

    @drawn_in_single
    def sample(
        self,
        *batch: int,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | None = None,
        scale: float = 1.0,
    ) -> Tensor:
        g = super().sample(*batch, generator=generator, dtype=dtype, device=device, scale=scale)
        plane = across(self.axis).to(g)
        return self.element(linear_part(g), self.translation(g) @ plane @ plane.T)


class AxialE(AxialSE):
    """The same with the reflections in planes along the axis.

    >>> AxialE("z").dim, AxialE("z").linear_group
    (3, O(2) about z)
    """

    def __init__(self, axis: str | Sequence[float] | Tensor = "z") -> None:
        self._made_of(AxialO(axis), "E(2)")


def across(axis: Sequence[float]) -> Float[Tensor, "3 2"]:
    """Two columns that make a right-handed orthonormal basis with the axis; for z: x and y.

    >>> across((0.0, 0.0, 1.0)).T.tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    """
    third = torch.tensor(axis, dtype=torch.float64)
    # The coordinate axis that follows the one the axis is most along: x for z, y for x, z for y.
    helper = torch.eye(3, dtype=torch.float64)[(int(third.abs().argmax()) + 1) % 3]
    first = helper - (helper @ third) * third
    first = first / first.norm()
    return torch.stack([first, torch.linalg.cross(third, first)], -1)
