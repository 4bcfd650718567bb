"""`Augmented`: a model seen through random transformations, ``g^-1 f(g x)``."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from erlangen.actions.base import Action
from erlangen.discover.exponential import matrix_exp
from erlangen.errors import ArgumentError
from erlangen.groups.algebra import LieAlgebra


class Augmented(nn.Module):
    """``f`` wrapped as ``g^-1 f(g x)`` with ``g = exp(sum_k w_k L_k)``, ``w ~ N(0, scale^2)``, one draw per sample.

    While training this is data augmentation: the loss is that of moved data, put back. For a test, the mean over several copies
    approaches an equivariant function; its equivariance error falls as ``copies^(-1/2)``. Source: Yang et al. (2023),
    arXiv:2302.00236.

    Args:
        model: takes tokens ``[B, T, n]`` (or ``[B, n]``).
        algebra: whose exponentials move the tokens.
        out: how the group acts on the output; by default its last axis moves like a token. ``group.scalar`` for invariant outputs.
        scale: the spread of the coefficients.
        copies: over how many draws to average.
        seed: of the draws.

    Raises:
        ArgumentError: ``copies`` below 1, a scale that is not positive, or an algebra without generators.

    >>> from erlangen.groups import SO
    >>> f = Augmented(lambda x: 2 * x, SO(2).algebra)
    >>> x = torch.randn(5, 1, 2, generator=torch.Generator().manual_seed(0))
    >>> bool(torch.allclose(f(x), 2 * x, atol=1e-5))
    True
    """

    def __init__(
        self,
        model: Callable[[Tensor], Tensor],
        algebra: LieAlgebra,
        out: Action | None = None,
        scale: float = 3.0,
        copies: int = 1,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if copies < 1:
            raise ArgumentError("copies", "a whole number of at least 1", copies)
        if not scale > 0:
            raise ArgumentError("scale", "a positive number", scale)
        if not algebra.dim:
            raise ArgumentError("algebra", "an algebra of at least one dimension", algebra)
        self.model, self.algebra, self.out, self.scale, self.copies = model, algebra, out, scale, copies
        self.generator = torch.Generator().manual_seed(seed)

    def forward(self, x: Tensor) -> Tensor:
        """The model's output for ``x`` ``[B, ..., n]``, averaged over ``copies`` draws."""
        shape = (self.copies * len(x), self.algebra.dim)
        w = self.scale * torch.randn(shape, generator=self.generator, dtype=x.dtype).to(x.device)
        a = self.algebra.combine(w)
        # The negative exponent gives the inverse to rounding, without solving a system.
        g, inverse = matrix_exp(torch.stack([a, -a]))
        y = self.model(_move(g, x.repeat(self.copies, *[1] * (x.ndim - 1))))
        y = _move(inverse, y) if self.out is None else self.out.act(inverse, y)
        return y.unflatten(0, (self.copies, len(x))).mean(0)


def _move(g: Tensor, x: Tensor) -> Tensor:
    return (x.flatten(1, -2) @ g.mT).view(x.shape) if x.ndim > 2 else (g @ x.unsqueeze(-1)).squeeze(-1)
