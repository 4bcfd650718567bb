"""`GramSchmidt`: the frame of a form's isometries (Lorentz, Euclidean), from the vectors of a cloud in order of size."""

from __future__ import annotations

import warnings
from typing import Any, Literal

import torch
from jaxtyping import Int
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.errors import ArgumentError
from erlangen.groups.base import Group
from erlangen.groups.membership import may_look
from erlangen.groups.orthogonal import FormGroup
from erlangen.groups.recognise import recognised
from erlangen.symmetrize.cloud import Cloud, CloudFrame, cloud_of
from erlangen.symmetrize.frames import Weighted
from erlangen.symmetrize.generators import tell_lost
from erlangen.symmetrize.isometries import Basis, Candidates, by_size, over_completions
from erlangen.symmetrize.pairs import refuse_moving
from erlangen.symmetrize.symmetrized import Batch


class GramSchmidt(CloudFrame):
    """One element for most data: the pseudo-orthonormal basis that the datum's own vectors span.

    The first axis is the sum of all vectors (of collider jets, the total momentum, which is timelike); each next axis is what is left
    of the vector with the largest ``|<r, r>|`` (among nearly equal ones, of that longer along the first axis). Sums, residuals and pivots
    only use the form, so the basis moves along with the datum, exactly. Everything is computed in float64, each axis orthogonalised twice
    and the whole corrected once to the group, because nearly massless, nearly parallel momenta lose many digits; what error remains is
    within a factor of three of what rounding the moved input alone makes. Where two pivots tie, to 5e-3, both give an element, with
    weights that go over from one to the other, so that nothing jumps; there rounding is blown up by up to the inverse of that. What vectors
    nearly do not show is averaged over in the same way.

    A datum that spans fewer directions than space has (two particles in four dimensions, three points in space; see :meth:`rank`) takes
    the missing axes from its other vectors (velocities, a second cloud). Where there are none, the group elements that leave the datum
    as it is are left open, and the frame holds as many of them as average tensors of up to ``rank`` exactly: the force on one atom is zero.
    That is not possible where the open directions have both signs (without a timelike vector in a Lorentz group): then invariant outputs
    are exact, of others the components within the span, and ``degenerate`` says what to do. A compiled model takes one element.

    For Euclidean and special Euclidean groups the origin is the mean.

    Args:
        degenerate: what to do with data that define no axes, because what is left of them is lightlike (a single photon, parallel
            photons) or a boost is left open (zero momenta, too): ``"warn"``, ``"raise"`` or ``"ignore"``. The first two also warn
            of data of which rounding leaves too few digits (momenta in float32 that are nearly parallel and nearly massless).
        of: the part of a dict that spans the frame; by default the first one that moves as points or vectors.
        weights: the part of a dict (with action ``None``) that holds weights of the points or a boolean mask, ``[B, n]``.
        rank: the highest rank of the tensors that come out (0: scalars, 1: vectors, ...), for data that span less than the space; at most
            3 where they leave more than three directions open.

    Raises:
        ArgumentError: a datum without axes has another part that moves although all its vectors stay (a tensor, say).

    Source: the construction for O(1, d) in Villar et al., "Scalars are universal", NeurIPS 2021, arXiv:2106.06610, and minimal frames
    of Lin et al., ICML 2024, arXiv:2406.07598.

    >>> from erlangen.groups import SO
    >>> _ = torch.manual_seed(0)  # no datum near a tie
    >>> frame = GramSchmidt()(SO(1, 3, connected=True).vector, torch.rand(8, 5, 4) + torch.tensor([3.0, 0, 0, 0]))
    >>> frame.elements.shape
    torch.Size([8, 1, 4, 4])
    """

    others = True

    def __init__(
        self,
        degenerate: Literal["warn", "raise", "ignore"] = "warn",
        of: str | None = None,
        weights: str | None = None,
        rank: int = 3,
    ) -> None:
        super().__init__()
        if rank < 0:
            raise ArgumentError("rank", "a tensor rank of at least 0", repr(rank))
        if degenerate not in ("warn", "raise", "ignore"):
            raise ArgumentError("degenerate", "one of warn, raise, ignore", repr(degenerate))
        self.degenerate, self.of, self.weights, self.tensor_rank = degenerate, of, weights, rank

    def prepared(self, cloud: Cloud) -> Cloud:
        return cloud.frozen(torch.float64)

    def spanned(self, batch: Batch, cloud: Cloud) -> Weighted:
        group = batch.outline.group
        basis = _basis(group, cloud)
        found = over_completions(group, basis, self.tensor_rank)
        if may_look(basis.rank):
            if self.degenerate != "ignore":
                self._complain(found.arbitrary)
                tell_lost(group, group.form[None], cloud.weighted(), cloud.eps, found.doubt)
            refuse_moving(batch, found.loose)
        return Weighted(found.elements, found.weights)

    def rank(self, inp: Action, x: Any) -> Int[Tensor, " B"]:
        """How many axes each datum's own vectors define; below the dimension, only invariant outputs are exact.

        >>> from erlangen.groups import SO
        >>> GramSchmidt().rank(SO(1, 3).vector, torch.tensor([[[5.0, 3.0, 0.0, 0.0], [5.0, 0.0, 4.0, 0.0]]]))
        tensor([2])
        """
        cloud = self.prepared(cloud_of(Batch(inp, x), self.of, self.weights, self.others))
        if inp.group.translates:
            cloud = cloud.minus(cloud.centre())
        basis = _basis(recognised(inp.group.linear_part), cloud)
        return basis.rank.new_zeros(len(cloud.points)).scatter_reduce(0, basis.datum, basis.rank, "amax")

    def _complain(self, bad: Tensor) -> None:
        if not bool(bad.any()):
            return
        message = (
            f"{int(bad.sum())} of {len(bad)} data have only lightlike vectors left, or leave a boost open: they define no frame"
        )
        if self.degenerate == "raise":
            raise ArgumentError("x", "data that span timelike and spacelike directions", message)
        warnings.warn(f"{message}, and their outputs are not symmetric (invariant ones are, where no vector is left)", stacklevel=2)

    def refuse_linear(self, group: Group) -> str:
        known = recognised(group)
        if not isinstance(known, FormGroup) or known.dim != known.n * (known.n - 1) // 2:
            return "is not the isometry group of a form"
        return ""


def _basis(group: Any, cloud: Cloud) -> Basis:
    """The basis of the cloud, seen from its centre, and where it spans less, of its other vectors."""
    own = Candidates.rounded(cloud.weighted(), cloud.eps, group, cloud.noise)
    if cloud.weights is not None:
        own = own._replace(noise=cloud.weights[..., 0].double() * own.noise)
    return by_size(group, own, cloud.eps, None if cloud.others is None else Candidates(cloud.others.vectors, cloud.others.noise))
