"""The symmetric network that `fit` trains beside the one behind a frame: a perceptron on what the group leaves unchanged."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from erlangen.fitting.columns import Columns
from erlangen.maps.invariants import EquivariantVectors
from erlangen.nn.perceptron import perceptron

#: A column counts where its typical size is so many times what rounding changes of it; a piece, where its width is.
CLEAR = 1e7
#: Pieces of each column, with as many training samples in each.
PIECES = 4


class InvariantNetwork(nn.Module):
    """A perceptron on columns that a group leaves unchanged; for vectors, its outputs are the coefficients of equivariant vectors.

    Columns are compressed, ``asinh(c / median |c|)``, as products of tokens range over many powers of ten, and standardised; beside each
    stand the parts of it between its quartiles, from 0 to 1, by which a layer bends where trees would cut. What is nothing but rounding
    is left out. All that is computed in double precision, the network in that of its weights.

    Args:
        columns: of tokens.
        shape: of one output.
        vectors: that move with the group, of which outputs ``[B, outputs, n]`` are sums; ``None`` for numbers and classes.
        width, depth: of the hidden layers.
        dropout: rate before the first layer, for invariants say the same many times, and after each hidden one.

    Source: Y. Gorishniy, I. Rubachev and A. Babenko, "On embeddings for numerical features in tabular deep learning", NeurIPS 2022,
    arXiv:2203.05556 (piecewise-linear encoding).

    >>> from erlangen.groups import O
    >>> net = InvariantNetwork(Columns(4, 3, O(3)), (1, 3), EquivariantVectors(O(3), 4))
    >>> net(torch.randn(8, 4, 3)).shape
    torch.Size([8, 1, 3])
    """

    def __init__(
        self,
        columns: Columns,
        shape: tuple[int, ...],
        vectors: EquivariantVectors | None = None,
        width: int = 128,
        depth: int = 2,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        self.settings = {"arrangement": columns.arrangement, "width": width, "depth": depth, "dropout": dropout}
        self.columns, self.vectors, self.shape = columns, vectors, shape
        count = len(columns)
        self.size: Tensor
        self.edges: Tensor
        self.widths: Tensor
        self.shift: Tensor
        self.scale: Tensor
        self.counts: Tensor
        self.vector_scale: Tensor
        self.out_scale: Tensor
        self.out_shift: Tensor
        seen = (1 + PIECES) * count
        for name, shape_, value in (
            ("size", (count,), 1.0),
            ("edges", (PIECES, count), 0.0),
            ("widths", (PIECES, count), 1.0),
            ("shift", (seen,), 0.0),
            ("scale", (seen,), 1.0),
            ("counts", (seen,), 1.0),
        ):
            self.register_buffer(name, torch.full(shape_, value, dtype=torch.float64))
        self.register_buffer("vector_scale", torch.ones(0 if vectors is None else len(vectors)))
        self.register_buffer("out_scale", torch.ones(()))
        self.register_buffer("out_shift", torch.zeros(shape))
        outputs = math.prod(shape) if vectors is None else shape[0] * len(vectors)
        self.drop = nn.Dropout(dropout)
        self.layers = perceptron(seen, *[width] * depth, outputs, dropout=dropout)

    def standardise(self, x: Float[Tensor, "B T n"], y: Tensor, rounding: Float[Tensor, " k"]) -> None:
        """Set the statistics of columns and vectors from training inputs, and the size of the output, of numbers their mean, too.

        Args:
            x: the inputs.
            y: the targets.
            rounding: how much of each column is rounding.
        """
        c = self.columns(x.detach().double())
        real = torch.where(c.abs() > rounding, c.abs(), torch.nan)
        typical = real.nanmedian(0).values.nan_to_num(0.0)
        self.size.copy_(torch.where(typical > 0, typical, 1.0))
        edges = torch.quantile(c, torch.linspace(0, 1, PIECES + 1, dtype=c.dtype), dim=0)
        widths = edges.diff(dim=0)
        clear = torch.cat([typical.unsqueeze(0), widths]) > CLEAR * rounding
        self.edges.copy_(edges[:-1])
        self.widths.copy_(torch.where(clear[1:], widths, 1.0))
        seen = self._encoded(c)
        scale = seen.std(0)
        self.shift.copy_(seen.mean(0))
        self.scale.copy_(scale.clamp_min(1e-3))
        self.counts.copy_(clear.flatten() & (scale > 1e-6))
        if self.vectors is not None:
            scale = self.vectors(x.detach().double()).square().mean((0, 2)).sqrt()
            self.vector_scale.copy_(torch.where(scale > 1e-9 * scale.max(), scale, 1.0))
        if y.is_floating_point():
            mean = y.mean(0).reshape(self.shape) * (self.vectors is None)
            self.out_shift.copy_(mean)
            self.out_scale.fill_(float((y.reshape(-1, *self.shape) - mean).square().mean().sqrt()) or 1.0)

    def known(self, x: Float[Tensor, "B T n"]) -> tuple[Tensor, ...]:
        """What the network sees of inputs: columns, encoded ``[B, (1 + pieces) k]``; and for vectors those that it sums, ``[B, c, n]``."""
        x = x.double()
        columns = (self._encoded(self.columns(x)) - self.shift) / self.scale * self.counts
        seen = (columns.to(self.out_scale.dtype),)
        return seen if self.vectors is None else (*seen, self.vectors(x) / self.vector_scale.unsqueeze(-1))

    def _encoded(self, c: Tensor) -> Tensor:
        """Columns compressed, and their parts within each piece, ``[B, (1 + pieces) k]``."""
        parts = ((c.unsqueeze(1) - self.edges) / self.widths).clamp(0, 1)
        return torch.cat([torch.asinh(c / self.size).unsqueeze(1), parts], 1).flatten(1)

    def over(self, columns: Float[Tensor, "B e"], vectors: Float[Tensor, "B c n"] | None = None) -> Tensor:
        """The output for what :meth:`known` gave."""
        y = self.layers(self.drop(columns)) * self.out_scale
        if vectors is None:
            return y.unflatten(-1, self.shape) + self.out_shift
        y = y.unflatten(-1, (self.shape[0], -1)).to(vectors.dtype) @ vectors
        return y / math.sqrt(vectors.shape[1])

    def forward(self, x: Float[Tensor, "B T n"]) -> Tensor:
        return self.over(*self.known(x))
