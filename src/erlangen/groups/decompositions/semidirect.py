"""The semidirect decomposition of affine groups: a translation and a linear part."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.groups.affine import AffineGroup
from erlangen.groups.base import Group
from erlangen.groups.decompositions.base import Decomposition, check_coordinates, checked
from erlangen.groups.recognise import recognised


class SemidirectFactors(NamedTuple):
    """``x -> linear x + translation``."""

    translation: Tensor
    linear: Tensor


class SemidirectDecomposition(Decomposition):
    """``(x, h)``: the translation ``[*batch, n]`` and the linear part ``[*batch, n, n]`` of affine maps.

    They multiply by ``(x, h)(x', h') = (x + h x', h h')``.

    Coordinates are the translation, then those of the linear part in its polar decomposition, :attr:`linear`. A window is one of
    all coordinates that are not compact, the translation among them. The density is that of the left Haar measure,
    ``|det h|^-1 dx dmu(h)``; the right one is ``dx dmu(h)`` (:meth:`erlangen.groups.AffineGroup.modular` is their ratio).

    Attributes:
        linear: the polar decomposition of the linear group.

    >>> from erlangen.groups import SE
    >>> how = SE(2).decomposition("semidirect")
    >>> x, h = how.split(how.element(torch.tensor([1.0, 2.0, torch.pi / 2])))
    >>> x, h.round().abs()
    (tensor([1., 2.]), tensor([[0., 1.],
            [1., 0.]]))
    """

    name = "semidirect"

    def __init__(self, group: Group) -> None:
        known = recognised(group)
        if not isinstance(known, AffineGroup):
            raise ArgumentError("name", f"a decomposition that {group} has", "'semidirect', of affine groups")
        from erlangen.groups.decompositions.polar import PolarDecomposition

        self.group, self._affine, self.space_dim = group, known, known.space_dim
        self.linear = PolarDecomposition(known.linear_group)
        self.dim = self.space_dim + self.linear.dim
        self.window_dim = self.space_dim + self.linear.window_dim
        self.compact_uniforms = self.linear.compact_uniforms

    def split(self, g: Float[Tensor, "*batch m m"]) -> SemidirectFactors:
        g = checked(self._affine, g)
        return SemidirectFactors(g[..., :-1, -1], g[..., :-1, :-1])

    def join(self, *factors: Tensor) -> Float[Tensor, "*batch m m"]:
        translation, linear = factors
        return self._affine.element(linear, translation)

    def coordinates(self, g: Float[Tensor, "*batch m m"]) -> Float[Tensor, "*batch dim"]:
        translation, linear = self.split(g)
        return torch.cat([translation, self.linear.coordinates(linear)], -1)

    def element(self, c: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch m m"]:
        c = check_coordinates(self, c)
        return self.join(c[..., : self.space_dim], self.linear.element(c[..., self.space_dim :]))

    def log_density(self, g: Float[Tensor, "*batch m m"]) -> Float[Tensor, "*batch"]:
        linear = self.split(g).linear
        return self.linear.log_density(linear) - torch.linalg.slogdet(linear).logabsdet

    def place(self, c: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
        linear, log_density = self.linear.place(c[..., self.space_dim :], u)
        return self.join(c[..., : self.space_dim], linear), log_density - torch.linalg.slogdet(linear).logabsdet
