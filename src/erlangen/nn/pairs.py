"""`PairMessages`: what a message is made of in every network on complete graphs."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn


class PairMessages(nn.Module):
    """``phi(h_i, h_j, e_ij)``, a perceptron with one hidden layer, for all ordered pairs.

    The first linear map acts on nodes before it is spread over pairs, which is the same and cheaper.

    Args:
        nodes, pairs: how many numbers a node and a pair have.
        width: how many a message has.

    >>> import torch
    >>> PairMessages(4, 1, 8)(torch.randn(2, 5, 4), torch.randn(2, 5, 5, 1)).shape
    torch.Size([2, 5, 5, 8])
    """

    def __init__(self, nodes: int, pairs: int, width: int) -> None:
        super().__init__()
        self.here, self.there = nn.Linear(nodes, width), nn.Linear(nodes, width, bias=False)
        self.between = nn.Linear(pairs, width, bias=False)
        self.rest = nn.Sequential(nn.SiLU(), nn.Linear(width, width), nn.SiLU())

    def forward(self, h: Float[Tensor, "B n c"], e: Float[Tensor, "B n n p"]) -> Float[Tensor, "B n n w"]:
        return self.rest(self.here(h).unsqueeze(2) + self.there(h).unsqueeze(1) + self.between(e))
