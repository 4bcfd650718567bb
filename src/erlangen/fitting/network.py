"""The plain network that ``fit`` trains, alone and symmetrized: a multilayer perceptron that standardises what it sees."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from erlangen.nn.perceptron import perceptron


class TokenNetwork(nn.Module):
    """A perceptron on the flattened tokens of a sample.

    Inputs may come in double precision; the network computes in the precision of its weights.
    It first standardises each input number with statistics of *its own* training inputs (for a symmetrized model: of the canonical
    ones), set once by :meth:`standardise`; its output is scaled back by one number, which commutes with every linear action.

    Args:
        tokens, dim: the input is ``[B, tokens, dim]``.
        shape: the shape of one output, ``(classes,)``, ``(k,)`` or ``(T_y, dim)``.
        width, depth: of the hidden layers.
        dropout: rate after each hidden layer.

    >>> net = TokenNetwork(5, 3, (2,))
    >>> net(torch.randn(8, 5, 3)).shape
    torch.Size([8, 2])
    """

    def __init__(
        self, tokens: int, dim: int, shape: tuple[int, ...], width: int = 128, depth: int = 2, dropout: float = 0.2
    ) -> None:
        super().__init__()
        self.settings = {"width": width, "depth": depth, "dropout": dropout}
        self.shape = shape
        inputs = tokens * dim
        self.shift: Tensor
        self.scale: Tensor
        self.out_scale: Tensor
        self.register_buffer("shift", torch.zeros(inputs))
        self.register_buffer("scale", torch.ones(inputs))
        self.register_buffer("out_scale", torch.ones(()))
        self.layers = perceptron(inputs, *[width] * depth, math.prod(shape), dropout=dropout)

    def standardise(self, x: Float[Tensor, "B T d"], out_scale: float = 1.0) -> None:
        """Set the input statistics from training inputs, and the size of the output.

        A component that hardly varies (as frames make some) is not blown up: its scale is at least a thousandth of the largest.
        """
        flat = x.detach().flatten(1).double()
        scale = flat.std(0)
        self.shift.copy_(flat.mean(0))
        self.scale.copy_(scale.clamp_min(1e-3 * float(scale.max())))
        self.out_scale.fill_(out_scale)

    def forward(self, x: Float[Tensor, "B T d"]) -> Tensor:
        # Subtract in the precision of the input, compute in that of the weights.
        y = self.layers(((x.flatten(1) - self.shift) / self.scale).to(self.scale.dtype))
        return (y * self.out_scale).unflatten(-1, self.shape)


class SumOfTokens(nn.Module):
    """A perceptron for each token, their mean, and a perceptron on it: the order of the tokens does not matter. Outputs of as many vectors
    as there are tokens are made one by one, from the token and the mean, and take the tokens' order.

    Args:
        tokens, dim, shape, width, depth, dropout: as for :class:`TokenNetwork`.

    >>> net, x = SumOfTokens(5, 3, (2,), dropout=0.0), torch.randn(8, 5, 3)
    >>> torch.allclose(net(x), net(x.flip(1)), atol=1e-6)
    True
    """

    def __init__(
        self, tokens: int, dim: int, shape: tuple[int, ...], width: int = 128, depth: int = 2, dropout: float = 0.2
    ) -> None:
        super().__init__()
        self.settings = {"width": width, "depth": depth, "dropout": dropout}
        self.shape, self.by_token = shape, shape == (tokens, dim)
        self.shift: Tensor
        self.scale: Tensor
        self.out_scale: Tensor
        self.register_buffer("shift", torch.zeros(dim))
        self.register_buffer("scale", torch.ones(dim))
        self.register_buffer("out_scale", torch.ones(()))
        self.each = perceptron(dim, *[width] * depth, width)
        self.all = perceptron(
            2 * width if self.by_token else width, width, dim if self.by_token else math.prod(shape), dropout=dropout
        )

    def standardise(self, x: Float[Tensor, "B T d"], out_scale: float = 1.0) -> None:
        """Set the statistics of each component over all tokens, and the size of the output."""
        flat = x.detach().flatten(0, 1).double()
        scale = flat.std(0)
        self.shift.copy_(flat.mean(0))
        self.scale.copy_(scale.clamp_min(1e-3 * float(scale.max())))
        self.out_scale.fill_(out_scale)

    def forward(self, x: Float[Tensor, "B T d"]) -> Tensor:
        seen = self.each(((x - self.shift) / self.scale).to(self.scale.dtype))
        mean = seen.mean(1)
        if self.by_token:
            return self.all(torch.cat([seen, mean.unsqueeze(1).expand_as(seen)], -1)) * self.out_scale
        return (self.all(mean) * self.out_scale).unflatten(-1, self.shape)
