"""`Local`: a frame for each point, from its nearest neighbours, instead of one for the whole cloud."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.symmetrize import noise
from erlangen.symmetrize.symmetrized import Symmetrized


class Local(nn.Module):
    """A symmetrized model on the patch of every point of a cloud: ``[B, n, d]`` to ``[B, n, ...]``.

    The patch is the ``k`` nearest points (the point itself among them; of points equally near, up to rounding, those that come first) seen
    from their centre, so it does not change when the cloud is shifted; the model is shared by all patches and made symmetric by a frame of
    each patch: its invariant, vector or tensor outputs are features of the points that turn with the cloud, and a frame of the whole cloud
    can work on them in turn.

    Args:
        model: made symmetric under rotations (and reflections) of vectors, ``[N, k, d]`` to ``[N, ...]``.
        k: how many neighbours.

    Source: Puny et al., ICLR 2022, arXiv:2110.03336 (FA-Local-PointNet, with k = 20).

    >>> import erlangen as er
    >>> G = er.O(3)
    >>> net = nn.Sequential(nn.Flatten(), nn.Linear(12, 6), nn.Tanh(), nn.Unflatten(1, (2, 3)))
    >>> local = Local(er.symmetrize(net, G.vector, G.vector), k=4)
    >>> local(torch.randn(2, 10, 3)).shape
    torch.Size([2, 10, 2, 3])
    """

    def __init__(self, model: Symmetrized, k: int = 20) -> None:
        super().__init__()
        if not isinstance(model, Symmetrized):
            raise ArgumentError("model", "a model made by erlangen.symmetrize", type(model).__name__)
        self.model, self.k = model, k

    def forward(self, x: Float[Tensor, "B n d"]) -> Any:
        """Features of the points.

        Raises:
            ArgumentError: the cloud has fewer than ``k`` points.
        """
        around = gather_points(x, nearest(x, self.k))
        around = around - around.mean(2, keepdim=True)
        return self.model(around.flatten(0, 1)).unflatten(0, x.shape[:2])


def nearest(x: Float[Tensor, "B n d"], k: int) -> Int[Tensor, "B n k"]:
    """The numbers of the ``k`` nearest points of each point, itself first; of those equally near, in the order of the cloud.

    Distances that differ by less than rounding of the coordinates may make (:mod:`erlangen.symmetrize.noise`) are equal, so that turning a
    symmetric molecule does not exchange its atoms.

    >>> nearest(torch.tensor([[[0.0], [1.0], [3.0]]]), 2)
    tensor([[[0, 1],
             [1, 0],
             [2, 1]]])
    """
    if x.ndim != 3 or not 1 <= k <= x.shape[1]:
        raise ArgumentError("k", "at most as many neighbours as a cloud [B, n, d] has points", f"{k} for shape {tuple(x.shape)}")
    exact = x.detach().double()
    far = (exact.unsqueeze(2) - exact.unsqueeze(1)).norm(dim=-1)
    far.diagonal(dim1=1, dim2=2).fill_(-1)  # itself first, whatever lies in the same place
    ordered, order = far.sort(dim=-1)
    blur = noise.of_coordinates(exact.norm(dim=-1).amax(1), x.shape[-1], x.dtype)
    shell = (ordered.diff(dim=-1, prepend=ordered[..., :1]) > 4 * blur[:, None, None]).cumsum(-1)
    return order.gather(-1, (shell * x.shape[1] + order).argsort(-1))[..., :k]


def gather_points(x: Float[Tensor, "B n d"], index: Int[Tensor, "B m k"]) -> Float[Tensor, "B m k d"]:
    """The points of these numbers."""
    return x[torch.arange(len(x), device=x.device).view(-1, 1, 1), index]
