"""The peer: message passing by e3nn's products of irreducible tensors, fully connected as in its tutorial."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from erlangen.extras import engine

REACH, RADIAL = 6.0, 8  # of the radial functions, and how many


class Tensors(nn.Module):
    """Features of points in irreps of O(3), mixed along edges by products with harmonics of their directions.

    Every channel sees every other in a product, at a cost; networks made for speed (NequIP) let channels pass side by side.

    Args:
        inp, out: irreps of a point's features in and out, as e3nn writes them.
        pairs: numbers of each edge beside its length.
        width, layers, degree: scalars (and half as many tensors of each degree), layers, the highest degree.

    Raises:
        MissingExtra: e3nn is not installed (extra ``bench``).

    Source: Geiger & Smidt, "e3nn: Euclidean neural networks", arXiv:2207.09453.
    """

    def __init__(self, inp: str, out: str, pairs: int = 0, width: int = 32, layers: int = 3, degree: int = 1) -> None:
        super().__init__()
        o3: Any = engine("bench", "e3nn.o3")
        parts = "+".join(f"{max(2, width // (2 if l else 1))}x{l}{'eo'[l % 2]}" for l in range(degree + 1))
        hidden = o3.Irreps(parts)
        around = o3.Irreps.spherical_harmonics(degree)
        self.harmonics = o3.SphericalHarmonics(around, normalize=True, normalization="component")
        sizes = [o3.Irreps(inp), *[hidden] * layers]
        self.layers = nn.ModuleList(_Layer(a, hidden, around, RADIAL + 1 + pairs, width) for a in sizes[:-1])
        self.last = o3.Linear(hidden, out)
        with torch.no_grad():
            self.last.weight *= 0.1  # it starts near zero, as the others do
        self.register_buffer("centres", torch.linspace(0, REACH, RADIAL))

    def forward(self, pos: Tensor, x: Tensor, edges: Tensor, pairs: Tensor | None = None) -> Tensor:
        """Features ``[N, out]`` of positions ``[N, 3]``, features ``[N, in]``, edges ``[2, E]`` from ``j`` to ``i``, their numbers."""
        j, i = edges
        d = pos[j] - pos[i]
        length = d.norm(dim=-1, keepdim=True)
        y = self.harmonics(d)
        numbers = torch.cat([length.log1p(), torch.exp(-((length - self.centres) * (RADIAL / REACH)).square())], -1)
        numbers = numbers if pairs is None else torch.cat([numbers, pairs], -1)
        for layer in self.layers:
            x = layer(x, i, j, y, numbers)
        return self.last(x)


class _Layer(nn.Module):
    """Products along edges, their mean at each point, and a gate."""

    def __init__(self, a: Any, b: Any, harmonics: Any, numbers: int, width: int) -> None:
        super().__init__()
        o3, parts = engine("bench", "e3nn.o3"), engine("bench", "e3nn.nn")
        scalars, rest = o3.Irreps([b[0]]), b[1:]
        gates = o3.Irreps(f"{sum(count for count, _ in rest)}x0e")
        self.gate = parts.Gate(scalars, [nn.functional.silu], gates, [torch.sigmoid], rest)
        self.product = o3.FullyConnectedTensorProduct(a, harmonics, self.gate.irreps_in, shared_weights=False)
        self.radial = parts.FullyConnectedNet([numbers, width, self.product.weight_numel], nn.functional.silu)
        self.own = o3.Linear(a, self.gate.irreps_in)

    def forward(self, x: Tensor, i: Tensor, j: Tensor, y: Tensor, numbers: Tensor) -> Tensor:
        messages = self.product(x[j], y, self.radial(numbers))
        heard = messages.new_zeros(len(x), messages.shape[1]).index_add(0, i, messages)
        count = i.new_zeros(len(x)).index_add(0, i, torch.ones_like(i)).clamp_min(1)
        return self.gate(self.own(x) + heard / count.unsqueeze(1))


def all_pairs(batch: Tensor) -> Tensor:
    """Directed edges between all points of one structure, ``[2, E]``, from the structure ``[N]`` of each."""
    same = batch.unsqueeze(0) == batch.unsqueeze(1)
    return same.fill_diagonal_(False).nonzero().T
