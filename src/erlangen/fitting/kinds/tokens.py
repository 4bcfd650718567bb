"""Tokens: vectors or points of R^d, all moved alike by one matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from erlangen.actions.base import Action
from erlangen.actions.graphs import nodes
from erlangen.errors import ArgumentError
from erlangen.fitting.columns import Arrangement, Columns
from erlangen.fitting.invariant_network import InvariantNetwork
from erlangen.fitting.kinds.base import DataKind
from erlangen.fitting.kinds.order import Through, factors_of
from erlangen.fitting.network import SumOfTokens, TokenNetwork
from erlangen.groups import DirectProduct, Symmetric
from erlangen.groups.base import Group
from erlangen.maps.invariants import EquivariantVectors
from erlangen.symmetrize import Principal, Symmetrized, symmetrize


@dataclass(frozen=True)
class Tokens(DataKind):
    """Inputs ``[B, tokens, dim]``; the plain network is a perceptron on the raw numbers, and a frame makes it symmetric.

    >>> from erlangen.groups import SO
    >>> kind = Tokens((2,), False, tokens=5, dim=3)
    >>> kind.symmetrized(kind.network(32, 1, 0.0), SO(3))(torch.randn(8, 5, 3)).shape
    torch.Size([8, 2])
    >>> from erlangen.groups.names import parse_group
    >>> kind.input_action(parse_group("S(5) x SO(3)"))
    Through(S_5 x SO(3))
    >>> print(kind)
    R^3, the tokens
    """

    name: ClassVar[str] = "tokens"
    discovers: ClassVar[bool] = True

    tokens: int
    dim: int

    def input_action(self, group: Group) -> Action | None:
        orders = self._orders(group)
        if not any(orders):
            return self._one_by_one(group)
        one = self._moves(group)
        if len(orders) - sum(orders) > (one is not None) or (one is not None and Principal().refuse(one)):
            return None  # other frames depend on the order of the tokens
        acts = tuple(nodes(factor) if is_order else one for factor, is_order in zip(factors_of(group), orders))
        return Through(group, acts, (self.tokens, self.dim))

    def output_action(self, group: Group) -> Action:
        orders = self._orders(group)
        if not self.vector or not any(orders):
            return super().output_action(group)
        by_token = self.shape == (self.tokens, self.dim)
        pairs = zip(factors_of(group), orders)
        return Through(
            group, tuple((nodes(f) if by_token else None) if is_order else f.vector for f, is_order in pairs), self.shape
        )

    def network(self, width: int, depth: int, dropout: float, group: Group | None = None) -> nn.Module:
        made = SumOfTokens if group is not None and any(self._orders(group)) else TokenNetwork
        return made(self.tokens, self.dim, self.shape, width, depth, dropout)

    def symmetrized(self, network: nn.Module, group: Group) -> nn.Module:
        inp = self._moves(group)
        if inp is None:
            return network
        return symmetrize(network, inp, inp.group.vector if self.vector else inp.group.scalar)

    def _orders(self, group: Group) -> list[bool]:
        """Which of the factors are all orders of the tokens; a group by itself moves components where there are as many."""
        sole = not isinstance(group, DirectProduct) and self.tokens == self.dim
        return [self.tokens > 1 and not sole and factor == Symmetric(self.tokens) for factor in factors_of(group)]

    def _moves(self, group: Group) -> Action | None:
        """How the first factor that is not an order of the tokens moves each of them; ``None`` without one."""
        rest = [factor for factor, is_order in zip(factors_of(group), self._orders(group)) if not is_order]
        return self._one_by_one(rest[0]) if rest else None

    def _one_by_one(self, group: Group) -> Action | None:
        """How a group moves each token: as points of an affine group, else as vectors."""
        try:
            action = group.point
        except (TypeError, ValueError):
            return None
        return action if action.data_shape == (self.dim,) else None

    def standardise(self, network: Any, model: nn.Module, x: Tensor, y: Tensor, out_scale: float) -> None:
        with torch.no_grad():
            network.standardise(model.canonical_inputs(x) if isinstance(model, Symmetrized) else x, out_scale)

    def columns(self, group: Group | None = None, arrangement: Arrangement = "each") -> Columns | None:
        if group is not None and any(self._orders(group)):
            return None
        try:
            return Columns(self.tokens, self.dim, group, arrangement)
        except ArgumentError:  # no invariants of the group are known
            return None

    def on_invariants(self, group: Group, arrangement: Arrangement = "each", **settings: Any) -> InvariantNetwork:
        vectors = EquivariantVectors(group, self.tokens) if self.vector else None
        return InvariantNetwork(Columns(self.tokens, self.dim, group, arrangement), self.shape, vectors, **settings)

    def __str__(self) -> str:
        return f"R^{self.dim}, the tokens"
