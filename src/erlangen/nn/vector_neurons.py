"""`VectorNeurons`: deep sets whose features are vectors of space: equivariant under rotations and reflections by construction."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.maps.precision import wide


class VectorLinear(nn.Module):
    """Mixes channels, ``[..., d, in]`` to ``[..., d, out]``, without a bias: a constant vector would single out a direction.

    >>> VectorLinear(2, 8)(torch.randn(4, 5, 3, 2)).shape
    torch.Size([4, 5, 3, 8])
    """

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out, channels) * channels**-0.5)

    def forward(self, x: Float[Tensor, "*batch d c"]) -> Float[Tensor, "*batch d o"]:
        return nn.functional.linear(x, self.weight)


class VectorReLU(nn.Module):
    """Takes from each vector its part against a learned direction: ``y - min(<y, k>, 0) k / |k|^2`` with ``k = D y``.

    Source: Deng et al., "Vector Neurons", ICCV 2021, arXiv:2104.12229.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.direction = VectorLinear(channels, channels)

    def forward(self, y: Float[Tensor, "*batch d c"]) -> Float[Tensor, "*batch d c"]:
        k = self.direction(y)
        long, along = wide(y), wide(k)
        against = (long * along).sum(-2, keepdim=True).clamp_max(0)
        return (long - against * along / (along.square().sum(-2, keepdim=True) + 1e-6)).to(y.dtype)


class VectorDropout(nn.Module):
    """Drops whole vectors, never single coordinates, and scales the others up; in training only.

    >>> y = VectorDropout(0.5)(torch.ones(1, 3, 100))
    >>> sorted({tuple(v) for v in y[0].T.tolist()})
    [(0.0, 0.0, 0.0), (2.0, 2.0, 2.0)]
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ArgumentError("dropout", "a probability below 1", p)
        self.p = p

    def forward(self, y: Float[Tensor, "*batch d c"]) -> Float[Tensor, "*batch d c"]:
        if not self.training or not self.p:
            return y
        keep = torch.rand(*y.shape[:-2], 1, y.shape[-1], device=y.device) >= self.p
        return y * keep / (1 - self.p)


class VectorNeurons(nn.Module):
    """Sets of points with vector features to ``outputs`` vectors: ``h(R x) = R h(x)`` for all orthogonal ``R``.

    Layers ``Y_i = A X_i + P mean_j X_j`` mix channels of vectors, with :class:`VectorReLU` and a residual; then comes the mean over the
    points and a last mixing. Every operation is linear in vectors or scales them by inner products, so rotations pass through, in
    training too. Translations do not: give it positions relative to the centre.

    Each channel comes in twice, as it is and times its square length relative to the mean: with positions alone, features would
    otherwise be multiples of ``x_i`` by numbers that do not depend on ``|x_i|``, and their mean about the centre would vanish.

    Args:
        inputs: vector channels of each point, e.g. 2 for position and velocity.
        outputs: vectors that come out.
        width, layers: channels and layers.
        dropout: probability that a vector is dropped.

    Source: Deng et al., ICCV 2021, arXiv:2104.12229; as a canonicalization network, Kaba et al., ICML 2023, arXiv:2211.06489.

    >>> net = VectorNeurons(2, 3)
    >>> net(torch.randn(8, 5, 3, 2)).shape
    torch.Size([8, 3, 3])
    """

    def __init__(self, inputs: int, outputs: int, *, width: int = 16, layers: int = 4, dropout: float = 0.0) -> None:
        super().__init__()
        for name, value in (("inputs", inputs), ("outputs", outputs), ("width", width), ("layers", layers)):
            if not isinstance(value, int) or value < 1:
                raise ArgumentError(name, "a positive integer", repr(value))
        self.inputs = inputs
        sizes = [2 * inputs] + [width] * layers
        self.own = nn.ModuleList([VectorLinear(a, width) for a in sizes[:-1]])
        self.shared = nn.ModuleList([VectorLinear(a, width) for a in sizes[:-1]])
        self.relu = nn.ModuleList([VectorReLU(width) for _ in range(layers)])
        self.dropout = VectorDropout(dropout)
        self.last = VectorLinear(width, outputs)

    def forward(self, x: Float[Tensor, "B n d c"], weights: Float[Tensor, "B n 1"] | None = None) -> Float[Tensor, "B d outputs"]:
        """Vectors as columns. ``weights`` (or a mask) say how much each point counts in means; a point that counts nothing may hold NaN."""
        if weights is not None:
            x = torch.where((weights == 0).unsqueeze(-1), 0, x)
        v = wide(x)
        squares = v.square().sum(-2, keepdim=True)
        v = torch.cat([v, v * (squares / _mean(squares, weights).unsqueeze(1).clamp_min(torch.finfo(v.dtype).tiny))], -1)
        x = v.to(x.dtype)
        for i, (own, shared, relu) in enumerate(zip(self.own, self.shared, self.relu)):
            y = self.dropout(relu(own(x) + shared(_mean(x, weights)).unsqueeze(1)))
            x = y if i == 0 else x + y
        return self.last(_mean(x, weights))


def _mean(x: Float[Tensor, "B n d c"], weights: Tensor | None) -> Float[Tensor, "B d c"]:
    v = wide(x)
    if weights is None:
        return v.mean(1).to(x.dtype)
    weights = weights.to(v.dtype).unsqueeze(-1)
    return ((v * weights).sum(1) / weights.sum(1)).to(x.dtype)
