"""`Pairs`: weighted frames from pairs of points: continuous and exact for every cloud in the plane and in space."""

from __future__ import annotations

from itertools import compress
from typing import Any

import torch
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.actions.ragged import bare, is_by_node
from erlangen.errors import ArgumentError
from erlangen.groups.base import Group
from erlangen.groups.membership import may_look
from erlangen.reps.base import Rep
from erlangen.symmetrize.cloud import Cloud, CloudFrame
from erlangen.symmetrize.frames import Weighted
from erlangen.symmetrize.linear_parts import is_vector, of_linear_part
from erlangen.symmetrize.robust import robust_bases
from erlangen.symmetrize.symmetrized import Batch


class Pairs(CloudFrame):
    """Robust frames: one element for each point (plane) or ordered pair of points (space), weighted by how well it is defined.

    In the plane each point ``x_i`` gives the rotation that takes the first axis to its direction, weighted by its length. In space
    each ordered pair gives the Gram-Schmidt basis of ``x_i, x_j`` (the third axis by the cross product), weighted by
    ``|x_i cross x_j|``. With reflections each basis comes twice, with both signs of the last axis. No unweighted finite frame can be
    continuous for these groups; this one is, as it costs ``n`` or ``n^2`` elements: use it for small or symmetric clouds, or draw from
    it with :class:`Stochastic`.

    A collinear cloud in space has no pair of positive weight (areas within rounding of the data as they came count as zero). Then all other
    vectors of the datum help to span the frame: a cell, velocities, a second cloud. Where nothing spans it, the datum is left as it is by
    the rotations about its line or, when all points are one, by all of them; the turns needed to average these away, up to tensors of rank
    ``rank``, are included: the force on one atom is zero. Weight goes over to them smoothly where a datum comes nearer to a line than
    the fourth root of its precision. So every datum is served exactly, with as many elements as the one of its batch that needs most.

    Args:
        rank: the highest rank of the tensors that come out (0: scalars, 1: vectors, ...), for collinear clouds and single points.
        grad: differentiate the elements and the weights, too, as forces ``-dE/dx`` of an averaged energy need.
        of, weights: as for :class:`Principal`.

    Raises:
        ArgumentError: a datum without frame has another part that its own rotations move (a tensor field, say).

    Source: Dym, Lawrence & Siegel, ICML 2024, arXiv:2402.16077.

    >>> from erlangen.groups import SO
    >>> Pairs()(SO(3).vector, torch.randn(2, 4, 3)).elements.shape
    torch.Size([2, 12, 3, 3])
    """

    others = True

    def __init__(self, rank: int = 3, grad: bool = False, of: str | None = None, weights: str | None = None) -> None:
        super().__init__()
        if rank < 0:
            raise ArgumentError("rank", "a tensor rank of at least 0", repr(rank))
        self.rank, self.grad, self.of, self.weights = rank, grad, of, weights
        self.differentiable = grad

    def prepared(self, cloud: Cloud) -> Cloud:
        return cloud if self.grad else cloud.frozen()

    def spanned(self, batch: Batch, cloud: Cloud) -> Weighted:
        found = robust_bases(cloud, batch.outline.is_proper, self.rank)
        refuse_moving(batch, found.loose)
        return Weighted(found.elements, found.weights)

    def refuse_linear(self, group: Group) -> str:
        if not group.is_rotations or group.element_shape[0] not in (2, 3):
            return "does not rotate the plane or space"
        return ""

    def refuse_output(self, out: Action) -> str:
        return refuse_rank(out, self.rank)


def refuse_rank(out: Action, rank: int) -> str:
    """Why turns that average tensors of this rank are too few for an output; empty when they are not.

    >>> from erlangen.groups import SE
    >>> refuse_rank(SE(3).of_linear_part(SE(3).linear_part.vector**4), 3)
    'of data on a line or in a point the average is exact up to tensors of rank 3, and an output has rank 4: pass rank=4'
    """
    wanted = max((_frequency(bare(leaf)) for leaf in getattr(out, "leaves", [out])), default=0)
    if wanted <= rank:
        return ""
    limit = f"of data on a line or in a point the average is exact up to tensors of rank {rank}"
    return f"{limit}, and an output has rank {wanted}: pass rank={wanted}"


def _frequency(action: Any) -> int:
    """The largest frequency with which data of a representation of rotations turn: the rank of a tensor, the degree of a harmonic."""
    action = of_linear_part(action)
    if not isinstance(action, Rep) or not action.group.dim:
        return 0
    once = action.group.algebra.basis[:1].double()  # type: ignore[union-attr]
    return round(float(torch.linalg.matrix_norm(action.algebra(once), 2).max()))


def refuse_moving(batch: Batch, loose: Tensor) -> None:
    """Refuse data of which a part is moved by rotations ``[B, d, d]`` that leave all its vectors as they are.

    Raises:
        ArgumentError: naming the part.
    """
    moving = [isinstance(action, Action) and not is_vector(action) for action in batch.outline.leaves]
    if not any(moving) or not may_look(loose):
        return
    open_ = (loose - torch.eye(loose.shape[-1], dtype=loose.dtype, device=loose.device)).abs().amax((1, 2)) > 0
    if not bool(open_.any()):
        return
    index = batch.index
    for name, action, part in compress(batch.named, moving):
        if not isinstance(part, Tensor) or not part.is_floating_point():
            continue
        rows = loose[index] if index is not None and is_by_node(action, part, index) else loose
        wide = part.detach().double()
        moved = action.act(rows, wide)
        if bool((moved - wide).abs().amax() > torch.finfo(part.dtype).eps ** 0.5 * wide.abs().amax()):
            raise ArgumentError(
                name or "x",
                "data that define a frame with the points and vectors beside them",
                "a part that turns while all points and vectors stay: they lie on one line or in one point",
                "pass more vectors of such data (a cell, velocities) as a part, or average over Haar(k) elements",
            )
