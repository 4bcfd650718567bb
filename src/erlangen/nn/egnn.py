"""`EGNN`: the graph network that sees positions through distances and moves them along differences."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.nn.pairs import PairMessages


class EGNN(nn.Module):
    """An E(d)-equivariant graph network on complete graphs: positions, velocities and scalars in, moved positions and scalars out.

    In every layer ``m_ij = phi_e(h_i, h_j, log(1 + |x_i - x_j|^2), a_ij)`` (the source has the square itself,
    by which one far body spoils all); velocities become
    ``v_i phi_v(h_i) + mean_j (x_i - x_j) phi_x(m_ij)`` and move the positions; scalars ``h_i + phi_h(h_i, mean_j m_ij)`` (the source
    sums, and then a network of twenty layers on a hundred nodes overflows before it is trained: the scalars grow with the number of
    nodes in every layer). Without velocities the mean alone moves the positions. Exact for any dimension, by construction: no frame,
    no average; but features that turn are combinations of differences and velocities only. Means do not tell how many nodes there are:
    where sizes differ and matter, give the number as one of ``scalars``.

    Args:
        scalars: numbers of each node at the start, at least 1.
        pairs: numbers of each ordered pair, ``a_ij``.
        width, layers: of the network.
        moving: whether nodes have velocities.

    Source: Satorras, Hoogeboom & Welling, "E(n) equivariant graph neural networks", ICML 2021, arXiv:2102.09844.

    >>> net = EGNN(scalars=1, pairs=1, width=16, layers=2)
    >>> x, v = torch.randn(2, 4, 5, 3)
    >>> moved, h = net(x, v, scalars=torch.ones(4, 5, 1), pairs=torch.ones(4, 5, 5, 1))
    >>> moved.shape, h.shape
    (torch.Size([4, 5, 3]), torch.Size([4, 5, 16]))
    """

    def __init__(self, scalars: int = 1, pairs: int = 0, width: int = 64, layers: int = 4, moving: bool = True) -> None:
        super().__init__()
        for name, number, least in (("scalars", scalars, 1), ("pairs", pairs, 0), ("width", width, 1), ("layers", layers, 1)):
            if number < least:
                raise ArgumentError(name, f"at least {least}", number)
        self.pairs, self.moving = pairs, moving
        self.embed = nn.Linear(scalars, width)
        self.layers = nn.ModuleList(_Layer(pairs, width, moving) for _ in range(layers))

    def forward(
        self,
        pos: Float[Tensor, "B n d"],
        vel: Float[Tensor, "B n d"] | None = None,
        scalars: Float[Tensor, "B n s"] | None = None,
        pairs: Float[Tensor, "B n n p"] | None = None,
    ) -> tuple[Float[Tensor, "B n d"], Float[Tensor, "B n w"]]:
        """Moved positions, and the nodes' scalars.

        Args:
            pos, vel: positions and, for a moving network, velocities.
            scalars: by default the speeds, or ones where there is no velocity.
            pairs: the numbers of ordered pairs.

        Raises:
            ArgumentError: velocities or numbers of pairs are missing or not wanted.
        """
        if (vel is None) == self.moving:
            raise ArgumentError("vel", "velocities exactly when the network is moving", "none" if vel is None else "some")
        if (0 if pairs is None else pairs.shape[-1]) != self.pairs:
            raise ArgumentError("pairs", f"{self.pairs} numbers of each pair", None if pairs is None else tuple(pairs.shape))
        if scalars is None:
            scalars = torch.ones_like(pos[..., :1]) if vel is None else vel.norm(dim=-1, keepdim=True)
        h = self.embed(scalars)
        for layer in self.layers:
            pos, vel, h = layer(pos, vel, h, pairs)
        return pos, h


class _Layer(nn.Module):
    def __init__(self, pairs: int, width: int, moving: bool) -> None:
        super().__init__()
        self.messages = PairMessages(width, pairs + 1, width)
        last = nn.Linear(width, 1, bias=False)
        nn.init.xavier_uniform_(last.weight, gain=1e-3)
        self.shift = nn.Sequential(nn.Linear(width, width), nn.SiLU(), last)
        self.node = nn.Sequential(nn.Linear(2 * width, width), nn.SiLU(), nn.Linear(width, width))
        self.keep = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 1)) if moving else None

    def forward(self, pos: Tensor, vel: Tensor | None, h: Tensor, pairs: Tensor | None) -> tuple[Tensor, Tensor | None, Tensor]:
        apart = pos.unsqueeze(2) - pos.unsqueeze(1)
        numbers = apart.square().sum(-1, keepdim=True).log1p()
        m = self.messages(h, numbers if pairs is None else torch.cat([numbers, pairs], -1))
        others = max(1, pos.shape[1] - 1)
        push = (apart * self.shift(m)).sum(2) / others
        if self.keep is None or vel is None:
            pos = pos + push
        else:
            vel = self.keep(h) * vel + push
            pos = pos + vel
        # A node sends no message to itself.
        heard = (m.sum(2) - m.diagonal(dim1=1, dim2=2).mT) / others
        return pos, vel, h + self.node(torch.cat([h, heard], -1))
