"""The laws of the coefficients ``w`` in ``g = exp(sum_k w_k L_k)``: one draw per sample."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from erlangen.errors import ArgumentError

Law = Literal["normal", "uniform", "int_grid"]
LAWS: tuple[str, ...] = get_args(Law)


class Coefficients(nn.Module):
    """Random coefficients ``w`` of shape ``[batch, channels]``.

    ``normal``: ``eps Sigma + mu`` with ``eps ~ N(0, 1)``, ``Sigma = scale * I`` and ``mu = 0``, both frozen unless
    ``trainable``; ``uniform``: on ``[-scale, scale]``; ``int_grid``: the integers ``-scale .. scale - 1``, all equally
    likely, which finds the generator of a *cyclic* group. Source: Yang et al. (2023), arXiv:2302.00236.

    Args:
        channels: ``K``, at least 1.
        law: which law.
        scale: its width; a whole number for ``int_grid``.
        trainable: let ``Sigma`` and ``mu`` be learned (``normal`` only): which part of a known group is present.

    Raises:
        ArgumentError: an unknown law, or a scale that does not fit it.

    >>> w = Coefficients(2, "int_grid", 3.0).sample(100, torch.Generator().manual_seed(0))
    >>> w.shape, float(w.min()), float(w.max())
    (torch.Size([100, 2]), -3.0, 2.0)
    """

    def __init__(self, channels: int, law: Law = "normal", scale: float = 1.0, trainable: bool = False) -> None:
        super().__init__()
        if law not in LAWS:
            raise ArgumentError("coefficients", f"one of {', '.join(LAWS)}", repr(law))
        if not scale > 0:
            raise ArgumentError("scale", "a positive number", repr(scale))
        if law == "int_grid" and (scale != round(scale) or scale < 1):
            raise ArgumentError("scale", "a whole number of at least 1 for 'int_grid'", repr(scale))
        if trainable and law != "normal":
            raise ArgumentError("fit_distribution", "False unless the coefficients are 'normal'", True)
        self.law, self.scale, self.channels = law, float(scale), channels
        self.sigma = nn.Parameter(scale * torch.eye(channels, dtype=torch.float32), requires_grad=trainable)
        self.mu = nn.Parameter(torch.zeros(channels, dtype=torch.float32), requires_grad=trainable)

    def sample(self, batch: int, generator: torch.Generator) -> Tensor:
        """``w``, float32 ``[batch, channels]``."""
        shape = (batch, self.channels)
        if self.law == "int_grid":
            u = int(self.scale)
            return torch.randint(-u, u, shape, generator=generator).float()
        if self.law == "uniform":
            return self.scale * (2 * torch.rand(shape, generator=generator, dtype=torch.float32) - 1)
        return torch.randn(shape, generator=generator, dtype=torch.float32) @ self.sigma + self.mu
