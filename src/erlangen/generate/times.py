"""`TimeFeatures`: the step as waves of many lengths, for a network to read."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from erlangen.errors import ArgumentError


class TimeFeatures(nn.Module):
    """Sines, then cosines, of the step times frequencies that fall geometrically from 1 to ``1 / longest``.

    Args:
        width: how many numbers, even.
        longest: the longest wave is ``2 pi longest`` steps.

    Raises:
        ArgumentError: ``width`` is not even and at least 4.

    Source: Vaswani et al., "Attention is all you need", NeurIPS 2017, arXiv:1706.03762.

    >>> TimeFeatures(8)(torch.tensor([1, 1000])).shape
    torch.Size([2, 8])
    """

    def __init__(self, width: int, longest: float = 1e4) -> None:
        super().__init__()
        if width < 4 or width % 2:
            raise ArgumentError("width", "an even number of at least 4", repr(width))
        frequencies = (-math.log(longest) * torch.linspace(0, 1, width // 2, dtype=torch.float64)).exp()
        self.register_buffer("frequencies", frequencies.to(torch.get_default_dtype()), persistent=False)

    def forward(self, t: Int[Tensor, " B"]) -> Float[Tensor, "B width"]:
        """Numbers of steps ``t``."""
        angle = t.to(self.frequencies.dtype).unsqueeze(-1) * self.frequencies  # type: ignore[union-attr, operator, arg-type]
        return torch.cat([angle.sin(), angle.cos()], -1)
