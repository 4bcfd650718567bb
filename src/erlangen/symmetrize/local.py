"""`Local`: a frame for each point, from its nearest neighbours, instead of one for the whole cloud."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.groups.membership import may_look
from erlangen.symmetrize.cloud import rounding_of_points
from erlangen.symmetrize.ordering import ROUNDINGS, Columns, blended_orders
from erlangen.symmetrize.symmetrized import Symmetrized


class Local(nn.Module):
    """A symmetrized model on the patch of every point of a cloud: ``[B, n, d]`` to ``[B, n, ...]``.

    The patch is the ``k`` nearest points (the point itself among them; of points equally near, see :func:`patches`) seen from their
    centre, so it does not change when the cloud is shifted; the model is shared by all patches and made symmetric by a frame of each patch:
    its invariant, vector or tensor outputs are features of the points that turn with the cloud, and a frame of the whole cloud
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
        index, weights = patches(x, self.k)
        if weights.shape[2] == 1:
            around = gather_points(x, index[:, :, 0])
            around = around - around.mean(2, keepdim=True)
            return self.model(around.flatten(0, 1)).unflatten(0, x.shape[:2])
        batch, point, order = (weights > 0).nonzero(as_tuple=True)
        around = x[batch.unsqueeze(1), index[batch, point, order]]
        found = self.model(around - around.mean(1, keepdim=True))
        row = batch * x.shape[1] + point
        share = weights[batch, point, order].to(found.dtype).view(-1, *[1] * (found.ndim - 1))
        total = found.new_zeros(x.shape[0] * x.shape[1], *found.shape[1:]).index_add(0, row, share * found)
        return total.unflatten(0, x.shape[:2])


def patches(x: Float[Tensor, "B n d"], k: int) -> tuple[Int[Tensor, "B n m k"], Float[Tensor, "B n m"]]:
    """The numbers of the ``k`` nearest points of each point, itself first; of those equally near, in the order of the cloud.

    Distances that differ by less than rounding of the coordinates may make (:mod:`erlangen.symmetrize.noise`) are equal, so that turning a
    symmetric molecule does not exchange its atoms; where the difference is less than the root of precision, weight goes over from that
    order to the order of distances.

    Returns:
        orders of each point's neighbours, and weights that sum to one.

    >>> patches(torch.tensor([[[0.0], [1.0 + 1e-4], [-1.0]]]), 2)[0][0, 0].sort(0).values  # the first has two, nearly as near
    tensor([[0, 1],
            [0, 2]])
    """
    far, ordered, order, blur = _distances(x, k)
    if not may_look(x):  # a compiled model has one order
        return _in_shells(ordered, order, blur)[..., :k].unsqueeze(2), torch.ones_like(far[..., :1])
    size, eps = far.amax((1, 2)), torch.finfo(x.dtype).eps
    own = 4 * blur / ROUNDINGS
    way = eps**0.5 * size + 16 * blur
    # Only what is not clearly farther than the last one may be in a patch.
    clear = ordered.diff(dim=-1)[..., k - 1 :] > (4 * blur + way)[:, None, None]
    count = k + int((~clear).cumprod(-1).sum(-1).max()) if clear.numel() else k
    place = order[..., :count].sort(-1).values.flatten(0, 1)  # in the order of the cloud
    near = far.flatten(0, 1).gather(1, place).unsqueeze(-1)
    columns = [
        Columns("distance", near, *(t.repeat_interleave(x.shape[1]).view(-1, 1, 1) for t in (own, way))),
        Columns("place", place.unsqueeze(-1), torch.zeros_like(near[:, :1])),
    ]
    found = blended_orders(columns)
    orders = place.unsqueeze(1).expand(found.order.shape).gather(2, found.order)[..., :k]
    return orders.unflatten(0, x.shape[:2]), found.weights.unflatten(0, x.shape[:2])


def nearest(x: Float[Tensor, "B n d"], k: int) -> Int[Tensor, "B n k"]:
    """One order for each point: distances that rounding may have made different are equal, others are not.

    >>> nearest(torch.tensor([[[0.0], [1.0], [3.0]]]), 2)
    tensor([[[0, 1],
             [1, 0],
             [2, 1]]])
    """
    _, ordered, order, blur = _distances(x, k)
    return _in_shells(ordered, order, blur)[..., :k]


def _distances(x: Tensor, k: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Of all pairs of points, sorted, in which order, and how far rounding may have moved a point."""
    if x.ndim != 3 or not 1 <= k <= x.shape[1]:
        raise ArgumentError("k", "at most as many neighbours as a cloud [B, n, d] has points", f"{k} for shape {tuple(x.shape)}")
    exact = x.detach().double()
    far = (exact.unsqueeze(2) - exact.unsqueeze(1)).norm(dim=-1)
    far.diagonal(dim1=1, dim2=2).fill_(-1)  # itself first, whatever lies in the same place
    ordered, order = far.sort(dim=-1)
    return far, ordered, order, rounding_of_points(exact.norm(dim=-1).amax(1), x.shape[-1], x.dtype)


def _in_shells(ordered: Tensor, order: Tensor, blur: Tensor) -> Tensor:
    shell = (ordered.diff(dim=-1, prepend=ordered[..., :1]) > 4 * blur[:, None, None]).cumsum(-1)
    return order.gather(-1, (shell * order.shape[-1] + order).argsort(-1))


def gather_points(x: Float[Tensor, "B n d"], index: Int[Tensor, "B m k"]) -> Float[Tensor, "B m k d"]:
    """The points of these numbers."""
    return x[torch.arange(len(x), device=x.device).view(-1, 1, 1), index]
