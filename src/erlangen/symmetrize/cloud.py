"""The cloud of points or vectors of a datum, how far rounding may have moved it, and the frames that it spans."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from math import inf, isfinite
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.actions.ragged import bare, is_by_node, to_dense
from erlangen.actions.records import Record
from erlangen.errors import ArgumentError
from erlangen.groups.axial import across
from erlangen.groups.base import Group
from erlangen.groups.membership import may_look
from erlangen.reps.affine import Point
from erlangen.symmetrize.frames import Frame, Weighted
from erlangen.symmetrize.linear_parts import from_centre, is_vector, of_linear_part
from erlangen.symmetrize.outline import once, outline_of
from erlangen.symmetrize.symmetrized import Batch


def rounding_of_points(largest: Float[Tensor, " B"], d: int, dtype: torch.dtype) -> Float[Tensor, " B"]:
    """How far rounding may move points whose coordinates came in ``dtype`` and were turned and shifted in it: ``d`` products, a sum, a
    shift. See :mod:`erlangen.symmetrize.noise`.

    Args:
        largest: the length of the datum's longest vector.
        d, dtype: how many coordinates there are, and in which precision they came.

    >>> rounding_of_points(torch.tensor([10.0]), 3, torch.float32)
    tensor([4.7684e-06], dtype=torch.float64)
    """
    return largest.double() * ((d + 1) * torch.finfo(dtype).eps)


def rounding_of_moment(square: Any, noise: Any) -> Any:
    """How far rounding of the points, by ``noise`` each, likely moves ``sum_i x_i x_i^T`` (by its norm), with ``square = sum_i |x_i|^2``.

    It takes every point to be off by its bound, which is several times what one rounding makes on average; but each by itself, so that
    errors do not add up. Numbers or tensors.
    """
    return (square**0.5 + 0.5 * noise) * (2 * noise)


class Others(NamedTuple):
    """All other vectors of a datum (velocities, lattice vectors, a second cloud): they turn with it, too.

    Attributes:
        vectors: ``[B, m, d]``.
        noise: how far rounding may have moved each, ``[B, m]``.
        placed: which of them are points, which a translation moves, ``[m]``.
    """

    vectors: Float[Tensor, "B m d"]
    noise: Float[Tensor, "B m"]
    placed: Bool[Tensor, " m"]


class Cloud(NamedTuple):
    """Points or vectors of each datum.

    Attributes:
        points: in single precision or better.
        weights: how much each counts (``None``: all alike; padding counts zero).
        noise: how far rounding may have moved a point, see :mod:`erlangen.symmetrize.noise`; it stays when the cloud is centred.
        eps: the relative rounding error of the data as they came.
        others: the datum's other vectors, where they were asked for and there are any.
        looks: whether values may be looked at, see :func:`~erlangen.groups.membership.may_look`.
        dtype: the precision that elements are returned in: the points' own as they came, and not below single.
        most: the largest ``noise`` of the batch; infinite where nobody may look.
    """

    points: Float[Tensor, "B n d"]
    weights: Float[Tensor, "B n 1"] | None
    noise: Float[Tensor, " B"]
    eps: float
    others: Others | None = None
    looks: bool = True
    dtype: torch.dtype = torch.float64
    most: float = inf

    def centre(self) -> Float[Tensor, "B d"]:
        """The weighted mean, in float64."""
        points = self.points.double()
        if self.weights is None:
            return points.mean(1)
        return (self.weights * points).sum(1) / self.weights.double().sum(1)

    def minus(self, centre: Float[Tensor, "B d"]) -> Cloud:
        """The cloud, and other points, seen from ``centre``."""
        shift, others = centre.unsqueeze(1), self.others
        points = (self.points - shift).to(self.points.dtype)
        if others is not None:
            moved = others.vectors - shift * others.placed.unsqueeze(-1)
            others = others._replace(vectors=moved.to(others.vectors.dtype))
        return Cloud(points, self.weights, self.noise, self.eps, others, self.looks, self.dtype, self.most)

    def weighted(self) -> Float[Tensor, "B n d"]:
        """Each point times its weight."""
        return self.points if self.weights is None else self.weights * self.points

    def second_moment(self) -> Float[Tensor, "B d d"]:
        """``sum_i w_i x_i x_i^T``, in float64."""
        points = self.points.double()
        return torch.bmm(points.mT, points if self.weights is None else self.weights * points)

    def frozen(self, dtype: torch.dtype | None = None) -> Cloud:
        """Without gradient, in another precision."""
        return self._mapped(lambda t: t.detach().to(dtype or t.dtype))

    def across(self, plane: Float[Tensor, "d e"]) -> Cloud:
        """The shadow on a plane, given by orthonormal columns."""
        return self._mapped(lambda t: t @ plane.to(t))

    def rows(self, index: Tensor) -> Cloud:
        """Some of the data."""
        others = self.others
        if others is not None:
            others = Others(others.vectors[index], others.noise[index], others.placed)
        weights = None if self.weights is None else self.weights[index]
        return self._replace(points=self.points[index], weights=weights, noise=self.noise[index], others=others)

    def _mapped(self, function: Any) -> Cloud:
        others = self.others
        if others is not None:
            others = others._replace(vectors=function(others.vectors))
        return Cloud(function(self.points), self.weights, self.noise, self.eps, others, self.looks, self.dtype, self.most)


def cloud_of(batch: Batch, of: str | None = None, weights: str | None = None, others: bool = False) -> Cloud:
    """A part that moves as points (as vectors, of a linear group), as ``[B, n, d]``; ``[B, d]`` counts as one point.

    Args:
        batch: the data and their action.
        of: the part's name in a dict; by default the first that qualifies.
        weights: the name of the part of a dict with a weight, or a boolean mask, for each point.
        others: whether the datum's other vectors are wanted, too.

    Raises:
        ArgumentError: there is no such part, it is empty, not finite or of a wrong shape; weights are negative or, for a datum, all zero.
    """
    outline = batch.outline
    at = next((i for i in outline.clouds if of in (None, outline.names[i])), None)
    if at is None:
        raise ArgumentError("inp", f"a part {f'{of!r} ' if of else ''}that moves as points or vectors", repr(batch.inp))
    name, part = outline.names[at] or "x", batch.parts[at]
    outline.leaves[at].check(part, name)
    if part.ndim < 2:
        raise ArgumentError(name, "a leading batch axis", f"shape {tuple(part.shape)}")
    came_in = part.dtype
    if came_in not in (torch.float32, torch.float64):
        part = part.to(torch.promote_types(came_in, torch.float32))
    points = part.reshape(part.shape[0], -1, part.shape[-1]) if part.ndim != 3 else part
    if points.shape[1] == 0:
        raise ArgumentError(name, "at least one point in each datum", f"shape {tuple(part.shape)}")
    counts = None if weights is None else _weights(batch, weights, points, part)
    if (index := batch.index) is not None:
        if len(index) != len(points):
            raise ArgumentError("segment", f"one number for each of the {len(points)} nodes of '{name}'", f"{len(index)} numbers")
        counts = torch.ones_like(points[..., 0]) if counts is None else counts
        points, counts = (to_dense(t, index)[0].flatten(1, 2) for t in (points, counts))
    looks = may_look(points)
    if counts is not None and may_look(counts):
        empty = counts.sum(1) == 0
        if bool(empty.any()):
            raise ArgumentError(
                weights or "segment", "at least one point of each datum", f"none in datum {int(empty.nonzero()[0])}"
            )
    kind = came_in if came_in.is_floating_point else points.dtype
    counted = points.detach() if counts is None else points.detach() * (counts > 0).unsqueeze(-1)
    blur = rounding_of_points(torch.linalg.vector_norm(counted, dim=-1, dtype=torch.float64).amax(1), points.shape[-1], kind)
    # One number tells of all coordinates, those without weight included; where it is not finite, lengths may have overflowed.
    most = float(blur.max()) if looks and blur.numel() else inf
    if looks and not isfinite(most) and not bool(points.isfinite().all()):
        raise ArgumentError(name, "finite coordinates", f"{int((~points.isfinite()).sum())} that are NaN or infinite")
    beside = _others(batch, at, points, counts) if others else None
    counts = None if counts is None else counts.unsqueeze(-1)
    return Cloud(points, counts, blur, torch.finfo(kind).eps, beside, looks, part.dtype, most)


def _others(batch: Batch, at: int, points: Tensor, counts: Tensor | None) -> Others | None:
    """All vectors and points of a datum but those of part ``at``."""
    index = batch.index
    size, _, d = points.shape
    vectors, blur, placed = [], [], []
    for i, (_, given, part) in enumerate(batch.named):
        action = bare(given)
        if i == at or not is_vector(of_linear_part(action)) or part.ndim < 2:
            continue
        wide = part.to(points.dtype)
        if index is not None and is_by_node(given, part, index):
            wide = to_dense(wide, index)[0]
        found = wide.reshape(size, -1, d)
        if counts is not None and found.shape[1] == points.shape[1]:
            found = found * (counts > 0).unsqueeze(-1)  # padding has no velocity
        kind = part.dtype if part.is_floating_point() else points.dtype
        vectors.append(found)
        blur.append(rounding_of_points(found.detach().double().norm(dim=-1).amax(1), d, kind).unsqueeze(1).expand(found.shape[:2]))
        placed.append(torch.full((found.shape[1],), isinstance(action, Point), device=points.device))
    return Others(torch.cat(vectors, 1), torch.cat(blur, 1), torch.cat(placed)) if vectors else None


def _weights(batch: Batch, name: str, points: Tensor, part: Tensor) -> Float[Tensor, "B n"]:
    """The part of this name as weights of the points; a boolean mask counts as zeros and ones."""
    found = next((part for leaf, _, part in batch.named if leaf == name), None)
    if not isinstance(found, Tensor) or found.shape != part.shape[:-1]:
        got = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
        raise ArgumentError(name, f"weights or a mask of shape {tuple(part.shape[:-1])}", got)
    weights = found.reshape(points.shape[:2]).to(points.dtype)
    if may_look(weights) and not bool(((weights >= 0) & weights.isfinite()).all()):
        raise ArgumentError(name, "finite weights that are not negative", float(weights.min()))
    return weights


def cloud_refusal(inp: Action) -> str:
    """Why the input has no cloud; empty when it has one."""
    return "" if outline_of(inp).clouds else f"no part of {inp!r} moves as points or vectors"


class CloudFrame(Frame):
    """The base of frames that a cloud of points or vectors spans, written for vectors and a linear group alone.

    A subclass implements :meth:`spanned` and :meth:`refuse_linear`. Where the group translates, the datum is seen from its centre, the
    linear part acts, and the translation to the centre is put back.

    Attributes:
        of, weights: the names of the parts that span the frame and weigh its points; see :func:`~erlangen.symmetrize.cloud.cloud_of`.
        others: whether the cloud's other vectors are wanted.
    """

    of: str | None = None
    weights: str | None = None
    others: bool = False

    @abstractmethod
    def spanned(self, batch: Batch, cloud: Cloud) -> Weighted:
        """The frame of each datum for an action of a linear group (``batch.inp``), given the cloud that spans it."""

    @abstractmethod
    def refuse_linear(self, group: Group) -> str:
        """Why a linear group cannot be served, as what follows its name: ``"does not rotate space"``; empty when it can."""

    def prepared(self, cloud: Cloud) -> Cloud:
        """The cloud as the frame wants it, before it is centred: without gradient, in another precision."""
        return cloud

    def forward(self, inp: Action, x: Any) -> Weighted:
        return CloudFrame.of_batch(self, Batch(inp, x))  # also for a subclass that calls this from its own

    def of_batch(self, batch: Batch) -> Weighted:
        cloud = self.prepared(cloud_of(batch, self.of, self.weights, self.others))
        with batch.full_precision():  # eight bits tell no axes apart
            return centred(self.spanned, batch, cloud) if batch.outline.translates else self.spanned(batch, cloud)

    def refuse(self, inp: Action) -> str:
        if reason := self.refuse_linear(inp.group.linear_part):
            return f"{inp.group} {reason}"
        return cloud_refusal(inp)


def centred(find: Callable[[Batch, Cloud], Weighted], batch: Batch, cloud: Cloud) -> Weighted:
    """The frame that ``find`` gives of the datum seen from the cloud's centre, moved there.

    Args:
        find: called with the datum seen from the centre, under the linear part, and its cloud.
        batch, cloud: the datum under the group that translates, and its cloud.
    """
    outline, centre = batch.outline, cloud.centre()
    if outline.axis is not None:  # translations across an axis only
        plane: Tensor = across(outline.axis).to(centre)
        centre = centre @ plane @ plane.mT
    if not outline.turns:
        return Weighted(outline.group.element(translation=centre.to(cloud.dtype).unsqueeze(1)))
    found = find(SeenFrom(batch, centre), cloud.minus(centre))
    turns = found.elements
    shift = centre.to(turns.dtype).unsqueeze(1).expand(-1, turns.shape[1], -1)
    return found._replace(elements=outline.group.element(turns, shift))


class SeenFrom(Batch):
    """The data moved by ``-centre``, under the linear part of the group: moved when somebody asks for them, for most frames go by the
    cloud alone."""

    def __init__(self, batch: Batch, centre: Float[Tensor, "B d"]) -> None:
        self.batch, self.centre, self.outline, self.index = batch, centre, batch.outline.linear, batch.index
        self.inp = self.outline.inp

    @once
    def parts(self) -> list[Any]:  # type: ignore[override]
        index, centre = self.batch.index, self.centre

        def move(action: Action, part: Any) -> Any:
            return from_centre(action, part, centre[index] if index is not None and is_by_node(action, part, index) else centre)

        whole = self.batch.outline
        return [move(*leaf[1:]) if leaf[0] else leaf[2] for leaf in zip(whole.shifted, whole.leaves, self.batch.parts)]

    @once
    def x(self) -> Any:  # type: ignore[override]
        return self.inp.unflatten(self.parts) if isinstance(self.inp, Record) else self.parts[0]

    @property
    def leaf(self) -> Tensor:
        return self.batch.leaf
