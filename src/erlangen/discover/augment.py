"""`Augmented`: a model that sees randomly moved copies of its data: the soft way to use a discovered algebra."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from erlangen.discover.exponential import block_exp, in_blocks, matrix_exp
from erlangen.errors import ArgumentError


class Augmented(nn.Module):
    """``g^-1 f(g x)`` with a random ``g = exp(sum_k w_k L_k)``, ``w ~ N(0, sigma^2)``, for each sample.

    Minimising a loss of it is augmentation of inputs and outputs together. In evaluation the model is left as it is, or averaged over
    ``copies`` random elements, which makes it symmetric up to an error of order ``copies^-1/2`` (if the moves fill the group).

    Args:
        model: takes tokens ``[B, T, n]``.
        basis: generators ``[K, n, n]``.
        sigma: spread of the coefficients.
        vector: whether the output is tokens ``[B, T_y, n]`` that move like the input (else it is invariant).
        copies: random elements averaged in evaluation; 0 leaves the model alone.
        generator: source of randomness; torch's global one by default, as for dropout.

    Source: J. Yang, R. Walters, N. Dehmamy, R. Yu, ICML 2023, arXiv:2302.00236.

    >>> from erlangen.groups import SO
    >>> model = Augmented(nn.Linear(2, 2), SO(2).algebra.basis)
    >>> model(torch.randn(8, 5, 2)).shape
    torch.Size([8, 5, 2])
    """

    basis: Tensor

    def __init__(
        self,
        model: nn.Module,
        basis: Float[Tensor, "k n n"],
        sigma: float = 3.0,
        *,
        vector: bool = True,
        copies: int = 0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if basis.ndim != 3 or basis.shape[-1] != basis.shape[-2] or not len(basis):
            raise ArgumentError("basis", "at least one generator, [K, n, n]", tuple(basis.shape))
        if copies < 0:
            raise ArgumentError("copies", "0 or a positive number", repr(copies))
        self.model, self.sigma, self.vector, self.copies, self.generator = model, sigma, vector, copies, generator
        self.register_buffer("basis", basis.detach().clone())

    def forward(self, x: Float[Tensor, "B T n"]) -> Any:
        if self.training:
            return self._moved(x)
        if not self.copies:
            return self.model(x)
        size = len(x)
        y = self._moved(x.repeat_interleave(self.copies, 0))
        return y.unflatten(0, (size, self.copies)).mean(1)

    def _moved(self, x: Tensor) -> Tensor:
        if x.ndim != 3 or x.shape[-1] != self.basis.shape[-1]:
            raise ArgumentError("x", f"tokens [B, T, {self.basis.shape[-1]}]", tuple(x.shape))
        # Asked each time: another basis may have been loaded.
        blocks = in_blocks(self.basis)
        basis = self.basis.to(x.dtype)
        w = self.sigma * torch.randn(len(x), len(basis), generator=self.generator, dtype=x.dtype, device=x.device)
        return moved(self.model, x, torch.einsum("bk,kij->bij", w, basis), self.vector, blocks)


def moved(model: nn.Module, x: Float[Tensor, "B T n"], a: Float[Tensor, "B n n"], vector: bool, blocks: bool = False) -> Tensor:
    """``g^-1 f(g x)`` for ``g = exp(a)``, or ``f(g x)`` for an invariant output; ``blocks`` when ``a`` lives in 2 x 2 diagonal blocks."""
    if not blocks:
        y = model(x @ matrix_exp(a).mT)
        return y @ matrix_exp(-a).to(y.dtype).mT if vector else y
    k = torch.arange(a.shape[-1] // 2, device=a.device)
    planes = a.unflatten(-1, (-1, 2)).unflatten(-3, (-1, 2))[..., k, :, k, :].movedim(0, -3)  # [B, n / 2, 2, 2]

    def turned(g: Tensor, v: Tensor) -> Tensor:
        return torch.einsum("bmij,btmj->btmi", g.to(v.dtype), v.unflatten(-1, (-1, 2))).flatten(-2)

    y = model(turned(block_exp(planes), x))
    return turned(block_exp(-planes), y) if vector else y
