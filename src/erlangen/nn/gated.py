"""`Gated`: the non-linearity that every representation admits, each part times a function of an invariant number."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.reps import DirectSum, Rep, Trivial


class Gated(nn.Module):
    """Scalars through ``activation``, every other part times ``gate`` of a scalar of its own.

    The layer before gives ``input_rep``: the parts of ``rep``, and behind them one scalar for each part that is none itself.

    Args:
        rep: what comes out.
        activation: for the scalar parts.
        gate: for the scalars that multiply.

    Source: M. Weiler et al., "3D steerable CNNs", 2018, arXiv:1807.02547.

    >>> from erlangen.groups import SO
    >>> V = SO(3).vector
    >>> layer = Gated(V ** 2 + 2 * V + V.group.scalar)
    >>> layer.input_rep, layer(torch.randn(8, layer.input_rep.dim)).shape
    (V⊗V + 2·V + 4·0e of SO(3), torch.Size([8, 16]))
    """

    def __init__(self, rep: Rep, activation: nn.Module | None = None, gate: nn.Module | None = None) -> None:
        super().__init__()
        self.output_rep = self.out = rep
        self.parts = rep.parts if isinstance(rep, DirectSum) else (rep,)
        self.gates = sum(not isinstance(p, Trivial) for p in self.parts)
        self.input_rep = self.inp = rep + self.gates * rep.group.scalar if self.gates else rep
        self.activation, self.gate = activation or nn.SiLU(), gate or nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        """``[..., input_rep.dim]`` to ``[..., rep.dim]``."""
        if x.shape[-1] != self.input_rep.dim:
            raise ArgumentError("x", f"shape [..., {self.input_rep.dim}]", tuple(x.shape))
        *pieces, gates = x.split([*(p.dim for p in self.parts), self.gates], -1)
        gates, done, used = self.gate(gates), [], 0
        for part, piece in zip(self.parts, pieces):
            if isinstance(part, Trivial):
                done.append(self.activation(piece))
            else:
                done.append(piece * gates[..., used : used + 1])
                used += 1
        return torch.cat(done, -1)
