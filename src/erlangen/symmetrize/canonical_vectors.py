"""Learned canonicalization for rotations and rigid motions: equivariant vectors, made orthonormal."""

from __future__ import annotations

import warnings
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from erlangen.actions.base import Action
from erlangen.actions.images import Images
from erlangen.actions.ragged import PerDatum, PerNode, is_by_node, to_dense
from erlangen.errors import ArgumentError
from erlangen.groups.base import Group
from erlangen.groups.membership import may_look
from erlangen.symmetrize import noise
from erlangen.symmetrize.cloud import Cloud, CloudFrame, rounding_of_points
from erlangen.symmetrize.frames import Frame, Weighted, for_network
from erlangen.symmetrize.linear_parts import is_vector
from erlangen.symmetrize.outline import lacks
from erlangen.symmetrize.pairs import refuse_moving, refuse_rank
from erlangen.symmetrize.principal import Principal
from erlangen.symmetrize.robust import Bases, beside
from erlangen.symmetrize.symmetrized import Batch

Degenerate = Literal["ignore", "warn", "weighted"]

#: So many rounding errors part vectors that are dependent.
ROUNDING = 16


class Vectors(CloudFrame):
    """One element per cloud: vectors that an equivariant network reads off it, made orthonormal. For O(d), SO(d), E(d), SE(d).

    The network sees each point relative to the (weighted) mean, for rigid motions, and every other part of the input that moves as a
    vector for each point (velocities), as channels of vectors; ``PerDatum(G.vector)`` says of others (a cell of three atoms) that they are
    not one for each point. Its output ``V``, vectors as columns, becomes the basis ``Q`` with
    ``Q(R V) = R Q(V)``: by Gram-Schmidt on the columns, or as the nearest orthogonal matrix (polar), which treats all alike. SO(d)
    takes the last axis from the determinant. The translation is the mean.

    Gradients reach the network through ``Q``: nothing is relaxed. Like every single-element frame of a rotation group it jumps
    somewhere: where the vectors become dependent. How far they are from that is ``info["margin"]``: by Gram-Schmidt the
    least that is left of a unit vector beside the earlier ones, by polar the smallest singular value of the unit vectors; or the length
    of the shortest vector relative to the points' root mean square, if that is less.

    Args:
        network: called with vectors ``[B, n, d, channels]`` and, with ``weights``, the weights ``[B, n, 1]``; returns ``[B, d, m]``
            with ``m = d`` vectors (``d - 1`` suffice for SO(d) and SE(d) with Gram-Schmidt).
            By default :class:`~erlangen.nn.VectorNeurons`, for up to three dimensions.
        channels: for the default network: how many vectors each point has, its position included.
        method: ``"gram-schmidt"`` or ``"polar"``.
        prior: weight of the loss ``"prior"``, the mean square distance of ``Q`` to the identity, for pretrained models.
        degenerate: where the margin is below ``eps`` (collinear, flat or symmetric clouds): ``"weighted"`` (the weight goes over to the
            elements of ``Principal(degenerate="weighted")``, in the plane and in space, as the margin goes from there to zero; of
            more dimensions, such data are refused), ``"warn"`` or ``"ignore"`` (axes complete the basis, so that the result is not
            symmetric where the cloud itself leaves more open than its own vectors). Compiled models do not look: there it is
            ``"ignore"``.
        eps: that margin; not below the root of the precision of the data and the network (single: 3.5e-4), beyond what rounding makes
            of it.
        of, weights: as for :class:`Principal`.
        rank: with ``degenerate="weighted"``: as for :class:`Pairs`.

    Raises:
        ArgumentError: the network's output does not fit; a datum gives dependent vectors in more than three dimensions.

    Source: Kaba et al., ICML 2023, arXiv:2211.06489.

    >>> from erlangen.groups import E
    >>> _ = torch.manual_seed(0)  # no datum near a tie
    >>> frame = Vectors()
    >>> frame(E(3).point, torch.randn(8, 20, 3)).elements.shape
    torch.Size([8, 1, 4, 4])
    """

    differentiable = True

    def __init__(
        self,
        network: nn.Module | None = None,
        *,
        channels: int = 1,
        method: Literal["gram-schmidt", "polar"] = "gram-schmidt",
        prior: float = 0.0,
        degenerate: Degenerate = "weighted",
        eps: float = 1e-4,
        of: str | None = None,
        weights: str | None = None,
        rank: int = 3,
    ) -> None:
        super().__init__()
        if method not in ("gram-schmidt", "polar"):
            raise ArgumentError("method", "'gram-schmidt' or 'polar'", repr(method))
        if degenerate not in ("ignore", "warn", "weighted"):
            raise ArgumentError("degenerate", "one of ignore, warn, weighted", repr(degenerate))
        if prior < 0:
            raise ArgumentError("prior", "a weight of at least 0", repr(prior))
        if rank < 0:
            raise ArgumentError("rank", "a tensor rank of at least 0", repr(rank))
        if network is None:
            from erlangen.nn.vector_neurons import VectorNeurons

            network = VectorNeurons(channels, 3)
        self.network = network
        self.method, self.prior, self.degenerate, self.eps = method, prior, degenerate, eps
        self.of, self.weights, self.rank, self.others = of, weights, rank, degenerate == "weighted"

    def spanned(self, batch: Batch, cloud: Cloud) -> Weighted:
        vectors = self._channels(batch, cloud.points)
        found = self.network(*for_network(self.network, (vectors,) if cloud.weights is None else (vectors, cloud.weights)))
        d = vectors.shape[-2]
        if not isinstance(found, Tensor) or found.shape[:2] != (vectors.shape[0], d):
            got = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise ArgumentError("network", f"vectors as columns [{len(vectors)}, {d}, m]", got)
        wide = found.to(torch.promote_types(torch.promote_types(found.dtype, cloud.points.dtype), torch.float32))
        q, margin = orthonormal(wide, batch.inp.group, self.method)
        # Vectors that are nothing but rounding would look independent.
        size = vectors.square().mean((1, 2, 3)).clamp_min(torch.finfo(vectors.dtype).tiny).sqrt()
        margin = torch.minimum(margin, (wide.norm(dim=1).amin(-1) / size).to(margin.dtype))
        losses = {}
        if self.prior:
            losses["prior"] = self.prior * (q - torch.eye(d, dtype=q.dtype, device=q.device)).square().mean()
        made = Weighted(q.unsqueeze(1), None, losses, {"margin": margin.detach(), "vectors": found})
        precision = max(cloud.eps, torch.finfo(found.dtype).eps)
        blur = ROUNDING * (cloud.noise / size.detach().double()).clamp_min(4 * precision)
        share = noise.smooth((margin - blur) / max(self.eps, precision**0.5))
        share = torch.where(_spans_too_little(vectors, cloud, d - batch.outline.is_proper), 0.0, share)
        return self._degenerate(made, batch, cloud, share)

    def _channels(self, batch: Batch, points: Float[Tensor, "B n d"]) -> Float[Tensor, "B n d c"]:
        """The points and all other vectors of each point, as channels."""
        from erlangen.nn.vector_neurons import VectorNeurons

        channels, index, outline = [points], batch.index, batch.outline
        taken: list[str] = []
        doubtful: list[str] = []
        if len(outline.leaves) == 1:
            return points.unsqueeze(-1)
        spanning = self.of or outline.names[outline.clouds[0]]
        for name, action, part in batch.named:
            if isinstance(action, PerDatum) and not isinstance(action, PerNode):
                continue  # the datum's own, though it may have as many vectors as points
            if is_vector(action) and name != spanning:
                dense = to_dense(part, index)[0] if index is not None and is_by_node(action, part, index) else part
                if dense.shape == points.shape:
                    channels.append(dense.to(points.dtype))
                    taken.append(name or f"part {len(taken)}")
                    if points.shape[1] == points.shape[2] and not isinstance(action, PerNode) and may_look(part):
                        doubtful.append(taken[-1])
        wanted = self.network.inputs if isinstance(self.network, VectorNeurons) else len(channels)
        if wanted != len(channels):
            hint = "PerDatum(G.vector) says of a cell of three atoms that its rows are not one for each point"
            got = f"{len(channels)}: positions{''.join(f', {name}' for name in taken)}"
            raise ArgumentError("channels", f"as many vectors of each point as the network takes, {wanted}", got, hint)
        if doubtful and not isinstance(self.network, VectorNeurons):
            warnings.warn(
                f"'{doubtful[0]}' counts as one vector for each of {points.shape[1]} points; PerDatum(G.vector) says that it is a cell, "
                "PerNode(G.vector) that it is not",
                stacklevel=3,
            )
        return torch.stack(channels, -1)

    def _degenerate(self, made: Weighted, batch: Batch, cloud: Cloud, share: Float[Tensor, " B"]) -> Weighted:
        """The bases, with robust ones beside them where they do not deserve the whole weight."""
        near = (share.detach() < 1) if may_look(share) else torch.zeros_like(share, dtype=torch.bool)
        if self.degenerate == "ignore" or not may_look(share) or not bool(near.any()):
            return made
        message = f"{int(near.sum())} of {len(near)} data give the frame nearly dependent vectors: their elements are arbitrary"
        if self.degenerate == "warn":
            warnings.warn(f"{message}; degenerate='weighted' gives them a robust frame", stacklevel=3)
            return made
        d = cloud.points.shape[-1]
        if d not in (2, 3):
            hint = "degenerate='ignore' takes them as they are"
            raise ArgumentError("x", f"data that give {d} independent vectors, or data of the plane or space", message, hint)
        rows = near.nonzero().squeeze(1)
        # Principal axes serve most such data, with a few elements; pairs the others.
        found, moving = Principal(degenerate="weighted", grad=True, rank=self.rank).axes(cloud.rows(rows), batch.outline.is_proper)
        more = Bases.of_frame(found, moving)
        elements, weights, loose = beside(made.elements, share, rows, more)
        refuse_moving(batch, loose)
        return made._replace(elements=elements, weights=weights, skips=True)

    def refuse_linear(self, group: Group) -> str:
        return "" if group.is_rotations else "is none of O(d), SO(d), E(d), SE(d)"

    def refuse_output(self, out: Action) -> str:
        return refuse_rank(out, self.rank) if self.degenerate == "weighted" else ""


def _spans_too_little(vectors: Float[Tensor, "B n d c"], cloud: Cloud, needed: int) -> Bool[Tensor, " B"]:
    """Whether a datum's vectors, the points and what goes with them, span fewer directions than a basis needs, up to rounding.

    A network's vectors then span no more, but for rounding that it may have blown up.
    """
    exact = vectors.detach().double()
    beside = rounding_of_points(exact[..., 1:].norm(dim=2).amax(1), exact.shape[2], vectors.dtype)
    blur = torch.cat([cloud.noise.unsqueeze(1), beside], 1)  # [B, c]
    relative = (exact / blur.clamp_min(torch.finfo(torch.float64).tiny)[:, None, None]).transpose(2, 3).flatten(1, 2)
    if relative.shape[1] < needed:
        return torch.ones_like(relative[:, 0, 0], dtype=torch.bool)
    values = torch.linalg.svdvals(relative)  # not squared: that would lose half of the digits
    return values[:, needed - 1] <= 2 * relative.shape[1] ** 0.5


class ImageVectors(Frame):
    """One rotation (or rotation and reflection) per image: a vector (two) read off it by radial moments. For SO(2) and O(2) on images.

    ``v = sum_p w(|p|, f(p)) p / |p|`` with a learned network ``w`` of the radius and the values at the point turns with the image,
    whatever ``w`` is, up to what the grid and interpolation allow; quarter turns are exact. Vectors become an orthonormal basis as in
    :class:`Vectors`.

    Args:
        channels: of the images.
        width: of the network ``w``.
        method, prior, degenerate, eps: as for :class:`Vectors`; ``degenerate="weighted"`` is not available.
        of: the image's name in a dict; by default the first one.

    >>> from erlangen.groups import SO
    >>> ImageVectors(1)(Images(SO(2).vector), torch.rand(8, 1, 12, 12)).elements.shape
    torch.Size([8, 1, 2, 2])
    """

    is_exact = False  # up to interpolation
    differentiable = True

    def __init__(
        self,
        channels: int,
        *,
        width: int = 16,
        method: Literal["gram-schmidt", "polar"] = "gram-schmidt",
        prior: float = 0.0,
        degenerate: Literal["ignore", "warn"] = "ignore",
        eps: float = 1e-6,
        of: str | None = None,
    ) -> None:
        super().__init__()
        if method not in ("gram-schmidt", "polar"):
            raise ArgumentError("method", "'gram-schmidt' or 'polar'", repr(method))
        if degenerate not in ("ignore", "warn"):
            raise ArgumentError("degenerate", "'ignore' or 'warn'", repr(degenerate))
        if channels < 1 or prior < 0:
            raise ArgumentError(*(("channels", "at least 1", channels) if channels < 1 else ("prior", "at least 0", prior)))
        self.channels, self.method, self.prior, self.degenerate, self.eps, self.of = channels, method, prior, degenerate, eps, of
        # Two bumps of the radius for each hidden unit let the network weight rings, which a smooth function of |p| alone would not.
        self.rings = 6
        self.network = nn.Sequential(nn.Linear(channels * (1 + self.rings), width), nn.Tanh(), nn.Linear(width, 2))

    def forward(self, inp: Action, x: Any) -> Weighted:
        part = next(part for name, action, part in Batch(inp, x).named if self._is_image(name, action))
        if part.shape[-3] != self.channels:
            raise ArgumentError("x", f"images of {self.channels} channels", tuple(part.shape))
        if part.shape[-1] != part.shape[-2]:
            raise ArgumentError("x", f"square images, which {inp.group} can turn", tuple(part.shape))
        v, size = self._vectors(for_network(self.network, part))
        q, margin = orthonormal(v.to(torch.promote_types(v.dtype, torch.float32)), inp.group, self.method)
        # Moments that are nothing but rounding of what they sum have directions, too.
        margin = torch.minimum(margin.detach(), (v.detach().norm(dim=1).amin(-1) / size).nan_to_num(0.0).to(margin.dtype))
        least = max(self.eps, ROUNDING * torch.finfo(v.dtype).eps)
        if self.degenerate == "warn" and may_look(margin) and bool((margin < least).any()):
            warnings.warn(f"{int((margin < least).sum())} of {len(v)} images have no direction", stacklevel=3)
        losses = {}
        if self.prior:
            losses["prior"] = self.prior * (q - torch.eye(2, dtype=q.dtype, device=q.device)).square().mean()
        return Weighted(q.unsqueeze(1), None, losses, {"margin": margin, "vectors": v})

    def _vectors(self, images: Float[Tensor, "B c h w"]) -> tuple[Float[Tensor, "B 2 2"], Float[Tensor, " B"]]:
        """Two vectors, and the size of what each is the sum of."""
        side = images.shape[-1]
        line = (torch.arange(side, dtype=images.dtype, device=images.device) - (side - 1) / 2) / (side / 2)
        y, x = torch.meshgrid(-line, line, indexing="ij")
        radius = torch.hypot(x, y)
        # Corners leave the image when it turns. Which pixels stay is known from the side, in integers, so that a graph can be traced.
        odd = [2 * i - (side - 1) for i in range(side)]
        inside = torch.tensor([i * side + j for i in range(side) for j in range(side) if odd[i] ** 2 + odd[j] ** 2 <= side**2])
        inside = inside.to(images.device)
        radius, points = radius.flatten()[inside], torch.stack([x.flatten()[inside], y.flatten()[inside]], -1)
        rings = torch.linspace(0, 1, self.rings, dtype=images.dtype, device=images.device)
        bells = torch.exp(-((radius.unsqueeze(-1) - rings) * self.rings).square())
        values = images.flatten(2).mT[:, inside]  # [B, p, c]
        features = torch.cat([values, (values.unsqueeze(-1) * bells.unsqueeze(1)).flatten(2)], -1)
        weight = self.network(features) - self.network(torch.zeros_like(features[:1, :1]))  # an empty place has no say
        found = torch.einsum("bpm,pd->bdm", weight, points / radius.clamp_min(1e-6).unsqueeze(-1)) / radius.shape[0]
        return found, weight.detach().abs().mean(1).amax(-1)

    def _is_image(self, name: str | None, action: Any) -> bool:
        return self.of in (None, name) and isinstance(action, Images) and action.value is None

    def refuse(self, inp: Action) -> str:
        group = inp.group
        if not (group.is_rotations and group.element_shape[0] == 2):
            return f"{group} is neither SO(2) nor O(2)"

        def fits(name: str | None, leaf: Any) -> bool:
            return self._is_image(name, leaf) and is_vector(leaf.space)

        return lacks(inp, self.of, fits, f"is an image of scalars turned by {group}")


def orthonormal(
    v: Float[Tensor, "B d m"], group: Group, method: str = "gram-schmidt"
) -> tuple[Float[Tensor, "B d d"], Float[Tensor, " B"]]:
    """Columns made orthonormal, ``Q(R V) = R Q(V)`` for all ``R`` in O(d) or SO(d), and how independent they were.

    By Gram-Schmidt that is the least that is left of a unit column beside the earlier ones, by polar the smallest singular value of the
    unit columns.

    Args:
        v: columns: ``d``, or for SO(d) with Gram-Schmidt at least ``d - 1``.
        group: O(d) or SO(d).
        method: ``"gram-schmidt"`` (the first column keeps its direction) or ``"polar"`` (all alike).

    Raises:
        ArgumentError: too few columns.

    >>> from erlangen.groups import O
    >>> orthonormal(torch.tensor([[[2.0, 1.0], [0.0, 3.0]]]), O(2))[0]
    tensor([[[1., 0.],
             [0., 1.]]])
    """
    d = v.shape[-2]
    proper = group.is_proper
    needed = d - 1 if proper and method == "gram-schmidt" else d
    if v.shape[-1] < needed:
        raise ArgumentError("network", f"at least {needed} vectors for {group}", v.shape[-1])
    # Columns as contiguous rows: sums along the last axis are many times faster.
    rows = v[..., :needed].mT.contiguous()
    rows = rows / rows.norm(dim=-1, keepdim=True).clamp_min(torch.finfo(v.dtype).tiny ** 0.5)
    if method == "polar":
        with torch.autocast(v.device.type, enabled=False):  # products of orthogonal matrices need their digits
            left, values, right = torch.linalg.svd(rows.mT, full_matrices=False)
            if proper:
                sign = torch.linalg.det(left.detach() @ right.detach()).sign()
                left = torch.cat([left[..., :-1], left[..., -1:] * sign[:, None, None]], -1)
            return left @ right, values[..., -1]
    axes: list[Tensor] = []
    margin = v.new_ones(v.shape[0])
    for vector in rows.unbind(1):
        axis, left_over = _axis(vector, axes)
        axes.append(axis)
        margin = torch.minimum(margin, left_over)
    if proper:
        axes.append(_cross(axes, v))
    return torch.stack(axes, -1), margin


def _axis(vector: Float[Tensor, "B d"], axes: list[Tensor]) -> tuple[Float[Tensor, "B d"], Float[Tensor, " B"]]:
    """The unit vector of what is left of one beside the axes, and how much that was; where nothing is, of the coordinate axis of which
    most is left."""
    rest = _reject(_reject(vector, axes), axes)  # twice: the first time loses digits to cancellation
    length = rest.norm(dim=-1, keepdim=True)
    bad = length <= 64 * torch.finfo(vector.dtype).eps
    if not may_look(bad) or bool(bad.any()):
        basis = torch.eye(vector.shape[-1], dtype=vector.dtype, device=vector.device).expand(vector.shape[0], -1, -1)
        left = torch.stack([_reject(_reject(e, axes), axes) for e in basis.unbind(1)], 1)
        sizes = left.detach().norm(dim=-1)
        # The first of those of which nearly most is left: rounding must not decide.
        pick = (sizes >= 0.9 * sizes.amax(1, keepdim=True)).to(torch.uint8).argmax(1)
        rest = torch.where(bad, left[torch.arange(left.shape[0], device=left.device), pick].detach(), rest)
        return rest / rest.norm(dim=-1, keepdim=True), length.squeeze(-1)
    return rest / length, length.squeeze(-1)


def _reject(vector: Tensor, axes: list[Tensor]) -> Tensor:
    for axis in axes:
        vector = vector - (vector * axis).sum(-1, keepdim=True) * axis
    return vector


def _cross(axes: list[Tensor], v: Tensor) -> Float[Tensor, "B d"]:
    """The unit vector that completes orthonormal axes to determinant 1: the generalised cross product, by cofactors."""
    d = v.shape[-2]
    if d == 1:
        return torch.ones_like(v[..., 0]) if v.shape[-1] else v.new_ones(v.shape[0], 1)
    if d == 3:
        return torch.linalg.cross(axes[0], axes[1])
    a = torch.stack(axes, -1)
    keep = [[i for i in range(d) if i != row] for row in range(d)]
    minors = torch.stack([torch.linalg.det(a[:, rows]) for rows in keep], -1)
    signs = torch.tensor([(-1.0) ** (row + d - 1) for row in range(d)], dtype=v.dtype, device=v.device)
    return minors * signs
