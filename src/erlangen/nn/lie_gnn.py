"""`LieGNN`: a graph network on vectors that sees them through a metric only, whatever the metric."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.maps.precision import in_float32, narrow


class LieGNN(nn.Module):
    """LorentzNet with any symmetric form ``J`` in place of Minkowski's: scalars from clouds of vectors, invariant under ``J``'s isometries.

    Node ``i`` carries scalars ``h_i`` and a vector ``x_i``. A block sends ``m_ij = phi_e(h_i, h_j, psi(|x_i - x_j|^2), psi(<x_i, x_j>))``
    with ``psi(t) = sign(t) log(1 + |t|)``, gated by ``phi_m``; vectors move along differences, scalars by the summed messages; the last
    block leaves the vectors. A mean over nodes and a head give the output. Unlike the source, moves are not clamped component by component,
    which would not be invariant, and layers are normalised over features, not over the batch.

    Args:
        form: ``J``, ``[n, n]``; ``None`` gives the network no metric: products are left out (the messages see scalars alone).
        scalars: scalars of each node at the start.
        outputs: numbers that come out.
        width, blocks: of the network.
        dropout: rate in the head.
        step: how far vectors move in a block.

    Source: S. Gong et al., "An efficient Lorentz equivariant graph neural network for jet tagging", JHEP 2022, arXiv:2201.08187;
    J. Yang et al., ICML 2023, arXiv:2302.00236.

    >>> net = LieGNN(torch.diag(torch.tensor([1.0, -1.0, -1.0, -1.0])), width=8, blocks=2)
    >>> net(torch.randn(3, 5, 4)).shape
    torch.Size([3, 2])
    """

    def __init__(
        self,
        form: Float[Tensor, "n n"] | None,
        scalars: int = 1,
        outputs: int = 2,
        width: int = 72,
        blocks: int = 6,
        dropout: float = 0.2,
        step: float = 5e-3,
    ) -> None:
        super().__init__()
        if form is not None and (form.ndim != 2 or form.shape[0] != form.shape[1]):
            raise ArgumentError("form", "a symmetric matrix [n, n]", tuple(form.shape))
        self.form: Tensor | None
        self.register_buffer("form", None if form is None else form.clone().float())
        self.embed = nn.Linear(scalars, width)
        self.blocks = nn.ModuleList(_Block(scalars, width, step, last=i == blocks - 1) for i in range(blocks))
        self.head = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, outputs))

    def forward(
        self, x: Float[Tensor, "B N n"], s: Float[Tensor, "B N s"] | None = None, mask: Bool[Tensor, "B N"] | None = None
    ) -> Float[Tensor, "B out"]:
        """Outputs of clouds ``x``.

        Args:
            x: vectors.
            s: scalars of each node; by default ``psi`` of the vector's own square.
            mask: which nodes there are; by default those whose vector is not zero.
        """
        if mask is None:
            mask = (x != 0).any(-1)
        else:  # whatever stands where no node is, NaN included, must reach neither outputs nor gradients
            x = torch.where(mask.unsqueeze(-1), x, 0)
            s = s if s is None else torch.where(mask.unsqueeze(-1), s, 0)
        if s is None:
            s = squash(self._product(x, x)).unsqueeze(-1)
        pairs = (mask.unsqueeze(2) & mask.unsqueeze(1)).unsqueeze(-1).to(x.dtype)
        h = self.embed(s.to(self.embed.weight.dtype))
        for block in self.blocks:
            x, h = block(x, h, s.to(h.dtype), pairs, self._product)
        weights = mask.unsqueeze(-1).to(h.dtype)
        return self.head((h * weights).sum(1) / weights.sum(1).clamp_min(1))

    def _product(self, a: Tensor, b: Tensor) -> Tensor:
        if self.form is None:
            return torch.zeros_like(a[..., 0] * b[..., 0])
        if narrow(a) is not None:  # energies cancel in a mass: half precision would keep nothing of it
            return in_float32(self._product, a, b)
        return ((a @ self.form.to(a.dtype)) * b).sum(-1)


class _Block(nn.Module):
    def __init__(self, scalars: int, width: int, step: float, last: bool) -> None:
        super().__init__()
        self.step, self.last = step, last
        self.edge = nn.Sequential(
            nn.Linear(2 * width + 2, width, bias=False), nn.LayerNorm(width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()
        )
        self.gate = nn.Sequential(nn.Linear(width, 1), nn.Sigmoid())
        self.node = nn.Sequential(nn.Linear(2 * width + scalars, width), nn.LayerNorm(width), nn.ReLU(), nn.Linear(width, width))
        if not last:
            out = nn.Linear(width, 1, bias=False)
            nn.init.xavier_uniform_(out.weight, gain=1e-3)
            self.shift = nn.Sequential(nn.Linear(width, width), nn.ReLU(), out)

    def forward(self, x: Tensor, h: Tensor, s: Tensor, pairs: Tensor, product: object) -> tuple[Tensor, Tensor]:
        difference = x.unsqueeze(2) - x.unsqueeze(1)
        a, b = x.unsqueeze(2).expand_as(difference), x.unsqueeze(1).expand_as(difference)
        numbers = torch.stack([squash(product(difference, difference)), squash(product(a, b))], -1)  # type: ignore[operator]
        # The first layer, of each node's scalars before they are paired: n products of width for n^2.
        width, first = h.shape[-1], self.edge[0].weight
        assert isinstance(first, Tensor)
        here, there, pair = first[:, :width], first[:, width : 2 * width], first[:, 2 * width :]
        m = (h @ here.mT).unsqueeze(2) + (h @ there.mT).unsqueeze(1) + numbers.to(h.dtype) @ pair.mT
        m = self.edge[1:](m)
        m = m * self.gate(m) * pairs.to(h.dtype)
        if not self.last:
            moves = self.shift(m).to(x.dtype) * difference * pairs
            x = x + self.step * moves.sum(2) / pairs.sum(2).clamp_min(1)
        return x, h + self.node(torch.cat([h, m.sum(2), s], -1))


def squash(t: Tensor) -> Tensor:
    """``sign(t) log(1 + |t|)``."""
    return t.sign() * t.abs().log1p()
