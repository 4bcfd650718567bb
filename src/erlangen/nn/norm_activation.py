"""`NormActivation`: a function of the norm of each block, which every orthogonal representation admits."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.maps.precision import wide
from erlangen.reps import DirectSum, Rep
from erlangen.reps.classify import Activation, resolve


class NormActivation(nn.Module):
    """``x f(|x|) / |x|`` on each block of a representation: the direction stays, the length goes through ``f``.

    Orthogonal matrices keep ``|x|``, so this commutes with them in every basis that keeps them orthogonal. The length is taken as
    ``sqrt(|x|^2 + softening^2)``, which is smooth at 0 and invariant all the same.

    Args:
        rep: an orthogonal representation; the parts of a direct sum are its blocks.
        f: a module, a function of tensors or a name.
        softening: the length below which the function is smoothed.

    Raises:
        ArgumentError: the representation is not orthogonal.

    Source: D. Worrall et al., "Harmonic networks", CVPR 2017, arXiv:1612.04642.

    >>> from erlangen.groups import SO
    >>> layer = NormActivation(2 * SO(3).vector + SO(3).scalar, "tanh")
    >>> layer(torch.tensor([3.0, 0.0, 4.0, 0.0, 0.0, 0.0, 1.0])).round(decimals=2)
    tensor([0.6000, 0.0000, 0.8000, 0.0000, 0.0000, 0.0000, 0.7600])
    """

    block: Tensor

    def __init__(self, rep: Rep, f: Activation, softening: float = 1e-6) -> None:
        super().__init__()
        parts = rep.parts if isinstance(rep, DirectSum) else (rep,)
        for p in parts:
            if not p.is_orthogonal:
                hint = "change to a basis in which it is orthogonal (erlangen.reps.InBasis), or use nn.Gated"
                raise ArgumentError("rep", "an orthogonal representation, which keeps the norm", repr(p), hint)
        if not softening > 0:
            raise ArgumentError("softening", "a positive length", repr(softening))
        self.rep = self.output_rep = self.inp = self.out = rep
        self.f, self.softening = resolve(f), softening
        block = torch.cat([torch.full((p.dim,), i) for i, p in enumerate(parts)])
        self.register_buffer("block", block, persistent=False)
        self.count = len(parts)

    def forward(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        if x.shape[-1] != self.rep.dim:
            raise ArgumentError("x", f"shape [..., {self.rep.dim}], the last axis being that of {self.rep}", tuple(x.shape))
        y = wide(x)  # 300 squared is beyond float16, and the square of a softening of 1e-6 is nothing there
        squares = y.new_zeros(*y.shape[:-1], self.count).index_add(-1, self.block, y * y)
        length = (squares + self.softening**2).sqrt()
        return (y * (self.f(length.to(x.dtype)) / length).index_select(-1, self.block)).to(x.dtype)

    def extra_repr(self) -> str:
        return f"{self.rep.symbol} of {self.rep.group}"
