"""Moves: straight lines in the space of parameters along which the function stays what it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.parameters.hidden.network import ReluNetwork
from erlangen.parameters.hidden.reading import relu_network


@dataclass(frozen=True, eq=False)
class Move:
    """Parameters may go from ``theta`` to ``theta + t * direction`` for ``low <= t <= high``.

    Attributes:
        text: what it does.
        direction: ``[D]``, in the order of :attr:`ReluNetwork.vector`.
        low, high: how far it keeps the function.
    """

    text: str
    direction: Tensor = field(repr=False)
    low: float = 0.0
    high: float = float("inf")


def apply_move(model: Any, move: Move, t: float = 1.0) -> ReluNetwork:
    """A new network with parameters ``theta + t * direction``, which has the same function.

    Raises:
        ArgumentError: the move is of other parameters, or ``t`` is outside of the move's bounds.
    """
    network = relu_network(model).one()
    if move.direction.shape != (network.num_params,):
        raise ArgumentError("move", f"a move of {network.num_params} parameters", f"one of {tuple(move.direction.shape)}")
    if not move.low <= t <= move.high:
        raise ArgumentError("t", f"a number from {move.low:g} to {move.high:g}", repr(t))
    return ReluNetwork.from_vector(network.vector + t * move.direction, network.widths)


class Direction:
    """A direction that is written down weight by weight; layers count from 1.

    >>> net = ReluNetwork((torch.eye(2), torch.ones(1, 2)), (torch.zeros(2), torch.zeros(1)))
    >>> d = Direction(net)
    >>> d.bias(1)[0] = 2.0
    >>> d.vector
    tensor([0., 0., 0., 0., 2., 0., 0., 0., 0.], dtype=torch.float64)
    """

    def __init__(self, network: ReluNetwork) -> None:
        self._parts = [(torch.zeros_like(w), torch.zeros_like(b)) for w, b in zip(network.weights, network.biases)]

    def weight(self, layer: int) -> Tensor:
        """Of layer ``layer``; write into it."""
        return self._parts[layer - 1][0]

    def bias(self, layer: int) -> Tensor:
        """Of layer ``layer``; write into it."""
        return self._parts[layer - 1][1]

    @property
    def vector(self) -> Tensor:
        return torch.cat([t for w, b in self._parts for t in (w.flatten(), b)])
