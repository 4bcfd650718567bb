"""`AdapterGauge`: what can be done to an adapter's parameters without changing the adapted matrix."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.errors import ArgumentError
from erlangen.groups import DirectProduct, GLplus, Scalings
from erlangen.groups.base import Element
from erlangen.parameters.adapters.factors import Factors


class AdapterGauge(Action):
    """GL+(r) and the positive numbers on the parameters of one matrix: ``(A, B) -> (G A, B G^-1)``, and where both sides are
    normalised, the magnitudes of the first times a number, which the second step takes out again.

    Args:
        factors: whose parameters; a rank from 1 on, or two sides.

    Data are dicts of tensors, as of ``named_parameters``, with a common batch of elements.

    >>> from erlangen.parameters.adapters import BoraConfig, get_peft_model
    >>> model = get_peft_model(torch.nn.Sequential(torch.nn.Linear(7, 8)), BoraConfig(r=2))
    >>> factors = next(f for layer in model.layers() for _, f in layer.factors("default"))
    >>> gauge = AdapterGauge(factors)
    >>> gauge.group, gauge.orbit_dimension(dict(factors.named_parameters()))
    (GL+(2) x Scalings(1), 5)
    """

    def __init__(self, factors: Factors) -> None:
        groups = ([GLplus(factors.r)] if factors.r else []) + ([Scalings(1)] if len(factors.sides) == 2 else [])
        if not groups:
            raise ArgumentError("factors", "a rank from 1 on, or magnitudes of both sides", f"rank 0 and {list(factors.sides)}")
        super().__init__(DirectProduct(*groups))
        self.r, self.first = factors.r, f"magnitude_{factors.sides[0]}" if len(factors.sides) == 2 else None

    def act(self, g: Element, x: Mapping[str, Tensor]) -> dict[str, Tensor]:
        moved = dict(x)
        if self.r:
            moved["lora_A"] = g[0].to(x["lora_A"]) @ x["lora_A"]
            moved["lora_B"] = torch.linalg.solve(g[0].to(x["lora_B"]), x["lora_B"], left=False)
        if self.first is not None:
            moved[self.first] = g[-1][..., 0].to(x[self.first]) * x[self.first]
        return moved

    def orbit_dimension(self, x: Mapping[str, Tensor]) -> int:
        """The dimension of the orbit through parameters: ``r^2 (+ 1)`` where A or B has full rank and a first magnitude is not zero.

        It is the rank of the derivatives along a basis of the algebra, in float64.
        """
        point = {name: t.detach().double() for name, t in x.items()}
        moves = []
        if self.r:
            for e in torch.eye(self.r * self.r, dtype=torch.float64).view(-1, self.r, self.r):
                moves.append({"lora_A": e @ point["lora_A"], "lora_B": -point["lora_B"] @ e})
        if self.first is not None:
            moves.append({self.first: point[self.first]})
        flat = [torch.cat([move.get(name, torch.zeros_like(t)).flatten() for name, t in point.items()]) for move in moves]
        return int(torch.linalg.matrix_rank(torch.stack(flat)))
