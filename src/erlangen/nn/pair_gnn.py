"""`PairGNN`: a plain graph network on complete graphs, and its layer."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from erlangen.nn.pairs import PairMessages


class PairGNN(nn.Module):
    """A graph network without any spatial symmetry, on complete graphs: the coordinates of a node's vectors are just numbers to it.

    Args:
        vectors: how many vectors a node has at the start (position and velocity: 2).
        pairs: numbers of each pair beside.
        dim: of space.
        width, layers: of the network.

    >>> PairGNN(vectors=2, pairs=1, width=16, layers=2)(torch.randn(4, 5, 2, 3), torch.ones(4, 5, 5, 1)).shape
    torch.Size([4, 5, 3])
    """

    def __init__(self, vectors: int = 2, pairs: int = 1, dim: int = 3, width: int = 60, layers: int = 4) -> None:
        super().__init__()
        self.embed = nn.Linear(vectors * dim, width)
        self.layers = nn.ModuleList(PairLayer(width, pairs) for _ in range(layers))
        self.last = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, dim))

    def forward(self, vectors: Float[Tensor, "B n v d"], pairs: Float[Tensor, "B n n p"]) -> Float[Tensor, "B n d"]:
        """One vector for each node."""
        h = self.embed(vectors.flatten(2))
        for layer in self.layers:
            h = layer(h, pairs)
        return self.last(h)


class PairLayer(nn.Module):
    """Messages between all pairs, and a residual update of the nodes by their mean, which does not grow with the number of nodes."""

    def __init__(self, width: int, pairs: int) -> None:
        super().__init__()
        self.messages = PairMessages(width, pairs, width)
        self.node = nn.Sequential(nn.Linear(2 * width, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, h: Tensor, pairs: Tensor) -> Tensor:
        m = self.messages(h, pairs)
        heard = (m.sum(2) - m.diagonal(dim1=1, dim2=2).mT) / max(1, m.shape[2] - 1)
        return h + self.node(torch.cat([h, heard], -1))
