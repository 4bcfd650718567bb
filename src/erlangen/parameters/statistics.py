"""Statistics of weights, and the network that reads nothing else: the baseline that is hard to beat."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from erlangen.parameters.spec import Params, WeightSpec
from erlangen.parameters.unf import perceptron

QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)


def weight_statistics(spec: WeightSpec, params: Params) -> Float[Tensor, "*batch features"]:
    """Mean, variance and five quantiles of each tensor's entries, for each channel of ``[*batch, C, *shape]``.

    >>> spec = WeightSpec({"w": (2, 2)}, {"w": (None, None)})
    >>> weight_statistics(spec, {"w": torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])})
    tensor([2.5000, 1.2500, 1.0000, 1.7500, 2.5000, 3.2500, 4.0000])
    """
    found = []
    for name, x in spec.select(params).items():
        ndim = len(spec.shapes[name])
        flat = x.flatten(x.ndim - ndim) if ndim else x.unsqueeze(-1)
        quantiles = flat.quantile(flat.new_tensor(QUANTILES), dim=-1).movedim(0, -1)
        moments = torch.stack([flat.mean(-1), flat.var(-1, unbiased=False)], -1)
        found.append(torch.cat([moments, quantiles], -1).flatten(-2))
    return torch.cat(found, -1)


class StatNN(nn.Module):
    """A perceptron on the statistics of weights.

    Args:
        spec: names and shapes of the tensors (their labels do not matter).
        in_channels: numbers of each weight.
        outputs: numbers that come out.
        width, layers: of the perceptron; the source's by default.

    Source: T. Unterthiner et al., "Predicting neural network accuracy from weights", 2020, arXiv:2002.11448.

    >>> spec = WeightSpec({"w": (6, 4), "b": (6,)}, {"w": (None, None), "b": (None,)})
    >>> StatNN(spec, width=16)({"w": torch.randn(3, 1, 6, 4), "b": torch.randn(3, 1, 6)}).shape
    torch.Size([3, 1])
    """

    def __init__(self, spec: WeightSpec, in_channels: int = 1, outputs: int = 1, width: int = 600, layers: int = 6) -> None:
        super().__init__()
        self.spec = spec
        features = in_channels * len(spec.shapes) * (2 + len(QUANTILES))
        self.head = perceptron([features, *[width] * (layers - 1), outputs])

    def forward(self, params: Params) -> Tensor:
        return self.head(weight_statistics(self.spec, params))
