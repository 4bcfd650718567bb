"""Tokens: vectors or points of R^d, all moved alike by one matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from erlangen.actions.base import Action
from erlangen.errors import ArgumentError
from erlangen.fitting.columns import Arrangement, Columns
from erlangen.fitting.invariant_network import InvariantNetwork
from erlangen.fitting.kinds.base import DataKind
from erlangen.fitting.network import TokenNetwork
from erlangen.groups.base import Group
from erlangen.maps.invariants import EquivariantVectors
from erlangen.symmetrize import Symmetrized, symmetrize


@dataclass(frozen=True)
class Tokens(DataKind):
    """Inputs ``[B, tokens, dim]``; the plain network is a perceptron on the raw numbers, and a frame makes it symmetric.

    >>> from erlangen.groups import SO
    >>> kind = Tokens((2,), False, tokens=5, dim=3)
    >>> kind.symmetrized(kind.network(32, 1, 0.0), SO(3))(torch.randn(8, 5, 3)).shape
    torch.Size([8, 2])
    >>> print(kind)
    R^3, the tokens
    """

    name: ClassVar[str] = "tokens"
    discovers: ClassVar[bool] = True

    tokens: int
    dim: int

    def input_action(self, group: Group) -> Action | None:
        try:
            action = group.point  # as points of an affine group, else as vectors
        except TypeError:
            return None
        return action if action.data_shape == (self.dim,) else None

    def network(self, width: int, depth: int, dropout: float, group: Group | None = None) -> TokenNetwork:
        return TokenNetwork(self.tokens, self.dim, self.shape, width, depth, dropout)

    def symmetrized(self, network: nn.Module, group: Group) -> Symmetrized:
        return symmetrize(network, *self.moved_by(group))

    def standardise(self, network: TokenNetwork, model: nn.Module, x: Tensor, y: Tensor, out_scale: float) -> None:
        with torch.no_grad():
            network.standardise(model.canonical_inputs(x) if isinstance(model, Symmetrized) else x, out_scale)

    def columns(self, group: Group | None = None, arrangement: Arrangement = "each") -> Columns | None:
        try:
            return Columns(self.tokens, self.dim, group, arrangement)
        except ArgumentError:  # no invariants of the group are known
            return None

    def on_invariants(self, group: Group, arrangement: Arrangement = "each", **settings: Any) -> InvariantNetwork:
        vectors = EquivariantVectors(group, self.tokens) if self.vector else None
        return InvariantNetwork(Columns(self.tokens, self.dim, group, arrangement), self.shape, vectors, **settings)

    def __str__(self) -> str:
        return f"R^{self.dim}, the tokens"
