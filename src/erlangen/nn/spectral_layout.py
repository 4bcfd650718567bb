"""`ChannelsLast`: operators on data whose channels and frames stand behind the grid, as much code for Fourier operators has them."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from erlangen.errors import ArgumentError


class ChannelsLast(nn.Module):
    """A network from ``[B, frames * channels, *grid]`` to the same, on data ``[B, *grid, frames, channels]``.

    Args:
        net: the network; its states stand one behind the other, the channels of each together.
        channels: of one frame of what comes out.

    Raises:
        ArgumentError: ``net`` is no module; ``channels`` is not positive, or not a divisor of what comes out.

    >>> import torch
    >>> from erlangen.nn import GFNO
    >>> net = ChannelsLast(GFNO(3, 2, [("w", "scalar", 10)]), channels=1)
    >>> net(torch.randn(2, 8, 8, 10, 1)).shape
    torch.Size([2, 8, 8, 1, 1])
    """

    def __init__(self, net: nn.Module, channels: int = 1) -> None:
        super().__init__()
        if not isinstance(net, nn.Module):
            raise ArgumentError("net", "a torch.nn.Module", repr(net))
        if not isinstance(channels, int) or isinstance(channels, bool) or channels < 1:
            raise ArgumentError("channels", "a positive number of channels", repr(channels))
        self.net, self.channels = net, channels

    def forward(self, x: Float[Tensor, "B *grid t c"]) -> Float[Tensor, "B *grid u c"]:
        if not isinstance(x, Tensor) or x.ndim < 4:
            got = f"shape {tuple(x.shape)}" if isinstance(x, Tensor) else type(x).__name__
            raise ArgumentError("x", "data [B, *grid, frames, channels]", got)
        y = self.net(x.flatten(-2).movedim(-1, 1)).movedim(1, -1)
        if y.shape[-1] % self.channels:
            raise ArgumentError("channels", f"a divisor of {y.shape[-1]} channels that come out", repr(self.channels))
        return y.unflatten(-1, (-1, self.channels))
