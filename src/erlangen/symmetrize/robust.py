"""Weighted bases from pairs of vectors, and what is needed where a datum spans none: the mathematics of :class:`Pairs`.

A datum whose vectors span the space (in the plane: a line, in space: a plane) defines bases of its own. Where they do not, some rotations
leave it as it is: those about its line, or all of them when there is only a point. Elements of a frame are defined up to these, and the
average has to run over them: over finitely many that integrate tensors of a stated rank exactly.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from erlangen.groups.membership import may_look
from erlangen.linalg import matrix_exp
from erlangen.symmetrize import noise
from erlangen.symmetrize.cloud import Cloud
from erlangen.symmetrize.frames import Weighted


class Bases(NamedTuple):
    """Weighted orthonormal bases of each datum.

    Attributes:
        elements: right-handed bases as columns, or both kinds, float64.
        weights: rows that sum to one.
        loose: a rotation that leaves all vectors of the datum as they are: the identity, where they span the space.
    """

    elements: Float[Tensor, "B k d d"]
    weights: Float[Tensor, "B k"]
    loose: Float[Tensor, "B d d"]

    @classmethod
    def of_frame(cls, found: Weighted, loose: Float[Tensor, "B d d"] | None) -> Bases:
        """The elements of a frame; ``loose`` left out: no datum leaves anything open."""
        elements = found.elements.double()
        size, k, d, _ = elements.shape
        weights = elements.new_full((size, k), 1 / k) if found.weights is None else found.weights.double()
        return cls(elements, weights, torch.eye(d).to(elements).expand(size, d, d) if loose is None else loose)


class _Part(NamedTuple):
    """Bases of one kind with weights that are zero where the kind does not apply."""

    elements: Tensor
    weights: Tensor


def robust_bases(cloud: Cloud, proper: bool, rank: int) -> Bases:
    """Bases from the points; from all vectors of the datum where the points alone do not span the space; completed where nothing does.

    Args:
        cloud: in the plane or space, centred for rigid motions.
        proper: right-handed bases alone, or each with both signs of the last axis.
        rank: of the tensors whose average over the rotations that are left open is exact.
    """
    dtype = torch.float64
    points, weights = cloud.points.to(dtype), torch.ones_like(cloud.points[..., 0], dtype=dtype)
    if cloud.weights is not None:
        weights = cloud.weights[..., 0].to(dtype)
    blur = cloud.noise.unsqueeze(1).expand(weights.shape)
    pieces = _in_plane if points.shape[-1] == 2 else _in_space
    if cloud.others is None:
        parts, loose = pieces([(points, weights, blur)], rank, cloud.eps)
    else:
        beside = cloud.others.vectors.to(dtype)
        own = torch.ones_like(beside[..., 0])
        every = (torch.cat([points, beside], 1), torch.cat([weights, own], 1), torch.cat([blur, cloud.others.noise], 1))
        parts, loose = pieces([(points, weights, blur), every], rank, cloud.eps)
    elements, found = torch.cat([part.elements for part in parts], 1), torch.cat([part.weights for part in parts], 1)
    found = found / found.sum(1, keepdim=True)
    elements, found = packed(elements, found)
    if not proper:
        elements = torch.cat([elements, torch.cat([elements[..., :-1], -elements[..., -1:]], -1)], 1)
        found = torch.cat([found, found], 1) / 2
    return Bases(elements, found, loose)


def packed(elements: Float[Tensor, "B k d d"], weights: Float[Tensor, "B k"]) -> tuple[Tensor, Tensor]:
    """Only as many columns as the datum with the most elements of positive weight needs; a compiled or vmapped model keeps all."""
    if not may_look(weights):
        return elements, weights
    counts = (weights > 0).sum(1)
    needed = int(counts.max()) if len(counts) else 0
    if needed == weights.shape[1]:
        return elements, weights
    order = (weights > 0).long().argsort(dim=1, descending=True, stable=True)[:, :needed]
    return elements[torch.arange(len(order), device=order.device).unsqueeze(1), order], weights.gather(1, order)


def beside(
    elements: Float[Tensor, "B k d d"], share: Float[Tensor, " B"], rows: Int[Tensor, " r"], robust: Bases
) -> tuple[Float[Tensor, "B n d d"], Float[Tensor, "B n"], Float[Tensor, "B d d"]]:
    """A frame's own elements, alike in weight, which are worth ``share``, and for the data ``rows`` robust ones with the rest.

    Returns:
        elements, weights, and a rotation for each datum that leaves it as it is, the identity where there is no other.
    """
    size, k, d, _ = elements.shape
    more = robust.elements.new_zeros(size, robust.elements.shape[1], d, d) + torch.eye(d).to(robust.elements)
    more = more.index_copy(0, rows, robust.elements)
    share = share.to(robust.weights.dtype)
    rest = robust.weights.new_zeros(size, more.shape[1]).index_copy(0, rows, robust.weights * (1 - share[rows]).unsqueeze(1))
    weights = torch.cat([(share / k).unsqueeze(1).expand(-1, k), rest], 1)
    every, weights = packed(torch.cat([elements.to(more.dtype), more], 1), weights)
    return every, weights, torch.eye(d).to(robust.loose).expand(size, d, d).index_copy(0, rows, robust.loose)


Vectors = tuple[Tensor, Tensor, Tensor]  # vectors [B, n, d], their weights and noise [B, n]


def _in_space(sources: list[Vectors], rank: int, eps: float) -> tuple[list[_Part], Tensor]:
    """Pairs of the first source that spans a plane; else of its line, turned; else all of a set of rotations.

    Vectors that nearly lie on a line give pairs, but the less surely the nearer they lie: weight goes over to what comes next, so that
    no element is wrong by more than its weight, and nothing jumps.
    """
    vectors, _, _ = sources[0]
    rest = torch.ones(vectors.shape[0], dtype=vectors.dtype, device=vectors.device)
    parts: list[_Part] = []
    # The turns below leave its fourth power. Of half precision it would be too far off for an average about a line.
    near = min(eps, torch.finfo(torch.float32).eps) ** (1 / 4)
    for source in sources:
        if parts and not _any(rest > 0):
            break
        part, share = _pairs(source, vectors.shape[1], near)
        parts.append(part._replace(weights=part.weights * (rest * share).unsqueeze(1)))
        rest = rest * (1 - share)
    loose = torch.eye(3, dtype=vectors.dtype, device=vectors.device).expand(vectors.shape[0], 3, 3)
    if not _any(rest > 0):
        return parts, loose
    # A datum that is only nearly a line changes a little under the turns about it: more of them average that, too.
    nearly = may_look(rest) and bool(((rest > 0) & (rest < 1)).any())
    line, turn = _line(sources[-1], vectors.shape[1], rank + 3 * nearly + 1)
    total = line.weights.sum(1, keepdim=True)
    straight = (rest > 0) & (total.detach()[:, 0] > 0)
    share = torch.where(straight, rest, 0.0).unsqueeze(1)
    parts.append(line._replace(weights=line.weights / torch.where(total > 0, total, 1.0) * share))
    every, weights = rotations(rank)
    point = (rest > 0) & ~straight
    parts.append(
        _Part(every.to(vectors).expand(vectors.shape[0], -1, 3, 3), weights.to(vectors) * point.unsqueeze(1).to(vectors.dtype))
    )
    generic = torch.tensor([[0.0, -2.0, 1.5], [2.0, 0.0, -1.0], [-1.5, 1.0, 0.0]], dtype=vectors.dtype, device=vectors.device)
    loose = torch.where(straight[:, None, None], turn, loose)
    return parts, torch.where(point[:, None, None], matrix_exp(generic), loose)


def _in_plane(sources: list[Vectors], rank: int, eps: float) -> tuple[list[_Part], Tensor]:
    """The directions of the first source that has any; else turns."""
    vectors, _, _ = sources[0]
    wanted = torch.ones(vectors.shape[0], dtype=torch.bool, device=vectors.device)
    parts: list[_Part] = []
    for points, weights, blur in sources:
        lengths = points.norm(dim=-1)
        sure = weights * (lengths - 2 * blur).clamp_min(0)
        first = torch.where((sure > 0).unsqueeze(-1), points, points.new_tensor([1.0, 0.0]))
        first = first / first.norm(dim=-1, keepdim=True)
        bases = torch.stack([first, torch.stack([-first[..., 1], first[..., 0]], -1)], -1)
        parts.append(_Part(bases, sure * wanted.unsqueeze(1)))
        wanted = wanted & ~(sure.detach().sum(1) > 0)
    loose = torch.eye(2, dtype=vectors.dtype, device=vectors.device).expand(vectors.shape[0], 2, 2)
    if not _any(wanted):
        return parts, loose
    turns = _turns(rank + 1, vectors)
    shares = wanted.to(vectors.dtype).unsqueeze(1).expand(-1, rank + 1)
    parts.append(_Part(turns.expand(vectors.shape[0], -1, 2, 2), shares))
    return parts, torch.where(wanted[:, None, None], _turns(1, vectors, 2.0)[0], loose)


def _pairs(source: Vectors, placed: int, near: float) -> tuple[_Part, Tensor]:
    """The basis of each ordered pair, weighted by the area beyond what rounding alone may make; weights sum to one, or are all zero.

    Also the share that these bases deserve, ``[B]``: one, down to zero where the vectors lie on a line. It depends on how far they are off
    it, as a part of the largest of the ``placed`` first ones, which are the points, and of the length of any other vector.
    """
    points, weights, blur = source
    n = points.shape[1]
    pair = torch.arange(n * (n - 1), device=points.device)
    first, second = pair // max(n - 1, 1), pair % max(n - 1, 1)
    second = second + (second >= first)
    a, b = points[:, first], points[:, second]
    lengths = points.norm(dim=-1)
    floor = noise.of_area(lengths[:, first], lengths[:, second], blur[:, first], blur[:, second])
    area = torch.linalg.cross(a, b).norm(dim=-1)
    surplus = (area - floor).clamp_min(0) * (weights[:, first] > 0) * (weights[:, second] > 0)
    sure = weights[:, first] * weights[:, second] * surplus
    total = sure.sum(1, keepdim=True)
    size = _sizes(lengths, weights, placed)
    scale = size[:, first] * size[:, second]
    off = _most(surplus / torch.where(scale > 0, scale, 1.0)) / near
    part = _Part(_completed(a, b, sure > 0), sure / torch.where(total > 0, total, 1.0))
    return part, noise.smooth(off) * (total[:, 0] > 0)


def _sizes(lengths: Float[Tensor, "B n"], weights: Float[Tensor, "B n"], placed: int) -> Float[Tensor, "B n"]:
    """What the length of each vector is compared with: about the largest of the ``placed`` first ones, the points; of others, their own."""
    points = _most(lengths[:, :placed] * (weights[:, :placed] > 0))
    return torch.cat([points.unsqueeze(1).expand(-1, placed), lengths[:, placed:]], 1)


def _most(values: Float[Tensor, "B n"]) -> Float[Tensor, " B"]:
    """About the largest of non-negative numbers, but smooth: their norm of order eight."""
    if not values.shape[1]:
        return values.sum(1)
    largest = values.detach().amax(1, keepdim=True)
    relative = values / torch.where(largest > 0, largest, 1.0)
    some = largest[:, 0] > 0
    return largest[:, 0] * torch.where(some, torch.where(some, relative.pow(8).sum(1), 1.0).pow(1 / 8), 0.0)


def _line(source: Vectors, placed: int, turns: int) -> tuple[_Part, Tensor]:
    """One basis for each vector, completed by the coordinate axis that it is least along, turned about it; and a turn about the line."""
    points, weights, blur = source
    lengths = points.norm(dim=-1)
    # Near the centre a point may lie in any direction from it, if they only nearly are on a line.
    size = _sizes(lengths, weights, placed)
    sure = weights * (lengths - 2 * blur).clamp_min(0) * (lengths / torch.where(size > 0, size, 1.0)).pow(3)
    least = points.detach().abs().argmin(-1, keepdim=True)
    helper = (least == torch.arange(3, device=points.device)).to(points)  # one_hot looks at values, which vmap forbids
    basis = _completed(points, helper, sure > 0)
    about = torch.eye(3, dtype=points.dtype, device=points.device).repeat(turns, 1, 1)
    about[:, 1:, 1:] = _turns(turns, points)
    turned = (basis.unsqueeze(2) @ about).flatten(1, 2)
    longest = basis[torch.arange(basis.shape[0], device=basis.device), sure.argmax(1)]
    once = torch.eye(3, dtype=points.dtype, device=points.device)
    once[1:, 1:] = _turns(1, points, 2.0)[0]
    return _Part(turned, sure.repeat_interleave(turns, 1)), longest @ once @ longest.mT


def _completed(a: Tensor, b: Tensor, defined: Tensor) -> Tensor:
    """Right-handed bases with the first axis along ``a`` and the second towards ``b``; the coordinate axes where they are not defined."""
    axes = torch.eye(3, dtype=a.dtype, device=a.device)
    a, b = torch.where(defined.unsqueeze(-1), a, axes[0]), torch.where(defined.unsqueeze(-1), b, axes[1])
    first = a / a.norm(dim=-1, keepdim=True)
    rest = b - (b * first).sum(-1, keepdim=True) * first
    rest = rest - (rest * first).sum(-1, keepdim=True) * first  # the first time loses digits to cancellation
    second = rest / rest.norm(dim=-1, keepdim=True)
    return torch.stack([first, second, torch.linalg.cross(first, second)], -1)


def rotations(rank: int) -> tuple[Float[Tensor, "k 3 3"], Float[Tensor, " k"]]:
    """Rotations of space with weights that average tensors of up to this rank as all rotations do.

    Euler angles: about the outer axes ``rank + 1`` turns, which leave nothing but the Legendre polynomials of the inner angle's cosine;
    these are integrated by the nodes of Gauss.

    >>> every, weights = rotations(3)
    >>> len(every), bool((torch.einsum("k,kij->ij", weights, every).abs() < 1e-15).all())
    (32, True)
    """
    nodes, shares = _gauss_legendre(rank // 2 + 1)
    angle = torch.arange(rank + 1, dtype=torch.float64) * (2 * torch.pi / (rank + 1))
    outer, inner = (
        torch.eye(3, dtype=torch.float64).repeat(rank + 1, 1, 1),
        torch.eye(3, dtype=torch.float64).repeat(len(nodes), 1, 1),
    )
    c, s = angle.cos(), angle.sin()
    outer[:, :2, :2] = torch.stack([torch.stack([c, -s], -1), torch.stack([s, c], -1)], -2)
    c, s = nodes, (1 - nodes * nodes).sqrt()
    inner[:, 1:, 1:] = torch.stack([torch.stack([c, -s], -1), torch.stack([s, c], -1)], -2)
    every = torch.einsum("aij,bjk,ckl->abcil", outer, inner, outer).flatten(0, 2)
    return every, shares.repeat_interleave(rank + 1).repeat(rank + 1) / (rank + 1) ** 2


def _gauss_legendre(count: int) -> tuple[Tensor, Tensor]:
    """Nodes in [-1, 1] and weights that sum to one: eigenvalues of the polynomials' recurrence (Golub & Welsch, 1969)."""
    k = torch.arange(1, count, dtype=torch.float64)
    beside = torch.diag(k / (4 * k * k - 1).sqrt(), 1)
    nodes, vectors = torch.linalg.eigh(beside + beside.mT)
    return nodes, vectors[0].square()


def _turns(count: int, like: Tensor, start: float = 0.0) -> Tensor:
    """So many turns of the plane, evenly spaced."""
    angle = start + torch.arange(count, dtype=like.dtype, device=like.device) * (2 * torch.pi / count)
    c, s = angle.cos(), angle.sin()
    return torch.stack([torch.stack([c, -s], -1), torch.stack([s, c], -1)], -2)


def _any(mask: Tensor) -> bool:
    return not may_look(mask) or bool(mask.any())
