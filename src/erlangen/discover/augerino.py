"""`Augerino`: the baseline that learns generators together with a predictor, from the predictor's loss alone."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from erlangen.discover.augment import moved
from erlangen.discover.exponential import in_blocks
from erlangen.groups.algebra import LieAlgebra


class Augerino(nn.Module):
    """A predictor behind moves ``g^-1 f(g x)`` whose generators are learned with it (Augerino, extended to whole matrices).

    Train it on ``loss + strength * penalty()``: the penalty rewards large generators, so that the loss alone limits them to what it
    cannot tell from a symmetry. In evaluation the predictor is left as it is.

    Args:
        model: takes tokens ``[B, T, n]``.
        n, channels: how many generators of which size.
        mask: where they may be non-zero, ``[n, n]``.
        sigma: spread of the coefficients.
        vector: whether the output's tokens move like the input's.
        generator: draws the initial matrices.

    Source: Benton, Finzi, Izmailov, Wilson, "Learning Invariances in Neural Networks from Training Data", NeurIPS 2020,
    arXiv:2010.11882; extended as the baseline of Yang et al., arXiv:2302.00236.

    >>> model = Augerino(nn.Linear(2, 2), n=2)
    >>> model(torch.randn(8, 5, 2)).shape, model.algebra().dim
    (torch.Size([8, 5, 2]), 1)
    """

    def __init__(
        self,
        model: nn.Module,
        n: int,
        channels: int = 1,
        mask: Float[Tensor, "n n"] | None = None,
        sigma: float = 1.0,
        *,
        vector: bool = True,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.model, self.sigma, self.vector = model, sigma, vector
        self.mask: Tensor
        self.register_buffer("mask", torch.ones(n, n) if mask is None else mask.clone())
        self.basis = nn.Parameter(0.3 * torch.randn(channels, n, n, generator=generator))

    def forward(self, x: Float[Tensor, "B T n"]) -> Tensor:
        if not self.training:
            return self.model(x)
        blocks = in_blocks(self.mask)  # another one may have been loaded
        basis = (self.basis * self.mask).to(x.dtype)
        w = self.sigma * torch.randn(len(x), len(basis), dtype=x.dtype, device=x.device)
        return moved(self.model, x, torch.einsum("bk,kij->bij", w, basis), self.vector, blocks)

    def penalty(self) -> Tensor:
        """Minus the norm of the generators, limited to that of a unit rotation in every plane."""
        size = (self.basis * self.mask).square().sum((1, 2)).sqrt()
        return -size.clamp_max(self.basis.shape[-1] ** 0.5).mean()

    def algebra(self) -> LieAlgebra:
        """What was learned."""
        return LieAlgebra.spanned_by((self.basis * self.mask).detach())
