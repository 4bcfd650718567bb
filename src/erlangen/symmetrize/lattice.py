"""`Lattice`: frames from the shortest vectors of a crystal's lattice, which wrapping atoms through the cell's walls does not change."""

from __future__ import annotations

import itertools
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.actions.records import Record
from erlangen.errors import ArgumentError
from erlangen.groups.axial import across
from erlangen.groups.recognise import recognised
from erlangen.symmetrize.cloud import centred, cloud_of, rounding_of_points
from erlangen.symmetrize.frames import Frame, Weighted
from erlangen.symmetrize.symmetrized import Batch

#: So many of the shortest lattice vectors are looked at; at most 12 are equally short, and the second ones are few, too.
SHORTLIST = 40


class Lattice(Frame):
    """Orthonormal bases from pairs of shortest lattice vectors, all equally good ones with equal weight.

    The first vector is a shortest one of the lattice, the second a shortest one that is not parallel to it. Both depend on the lattice
    alone: not on the basis of the cell, nor on which image of an atom is stored, as the mean of the positions does, from which
    :class:`Principal` starts. A lattice without symmetry has the 4 pairs ``(+-a, +-b)``, a cubic one 24, a face-centred cubic one 120;
    with reflections each comes with both signs of the third axis. About a fixed axis (``SO(2, axis="z")``, ``AxialE("z")`` ...) one
    vector is enough. Vectors as long as the shortest to 1e-6 (single precision: 1e-4), relative, or up to rounding of the cell, count as
    equally long. The frame jumps where lengths cross.

    Rigid motions get the mean of the positions as their translation: wrapping an atom moves it, which models that see differences of
    positions and images (FAENet) do not notice.

    Args:
        of: the name of the part with the cell, lattice vectors as rows ``[B, 3, 3]``.
        periodic: which rows repeat, ``(True, True, False)`` for slabs; at least two, all of them in the plane for groups with an axis.

    >>> import erlangen as er
    >>> G = er.SO(3)
    >>> inp = Record({"cell": G.vector})
    >>> Lattice()(inp, {"cell": torch.tensor([[[3.0, 0, 0], [1, 4, 0], [0, 1, 5]]])}).elements.shape
    torch.Size([1, 4, 3, 3])
    """

    differentiable = True  # by positions: the bases depend on the cell alone

    def __init__(self, of: str = "cell", periodic: tuple[bool, bool, bool] = (True, True, True)) -> None:
        super().__init__()
        if sum(periodic) < 2:
            raise ArgumentError("periodic", "at least two directions", repr(periodic))
        self.of, self.periodic = of, periodic

    def forward(self, inp: Action, x: Any) -> Weighted:
        return Lattice.of_batch(self, Batch(inp, x))

    def of_batch(self, batch: Batch) -> Weighted:
        outline = batch.outline
        if not outline.translates:
            return self.spanned(batch)
        if not outline.clouds:  # no part has a place that the translation would have to undo
            found = self.spanned(Batch(outline.linear.inp, batch.x))
            return found._replace(elements=outline.group.element(found.elements))
        return centred(lambda batch, cloud: self.spanned(batch), batch, cloud_of(batch))

    def spanned(self, batch: Batch) -> Weighted:
        """The bases of each datum, for a linear group."""
        cell = batch.parts[batch.outline.names.index(self.of)]
        if cell.ndim != 3 or tuple(cell.shape[1:]) != (3, 3):
            raise ArgumentError(self.of, "lattice vectors [B, 3, 3]", f"shape {tuple(cell.shape)}")
        rows = cell.detach().double()[:, list(self.periodic)]
        tolerance = 1e-6 if cell.dtype == torch.float64 else 1e-4
        blur = rounding_of_points(rows.double().norm(dim=-1).amax(1), 3, cell.dtype if cell.is_floating_point() else torch.float64)
        group = batch.outline.group
        if (axis := getattr(group, "axis", None)) is not None:
            bases, chosen = _about_axis(rows @ across(axis).to(rows), tolerance, blur)
            plane, along = across(axis).to(rows), torch.tensor(axis).to(rows)
            bases = plane @ bases @ plane.T + torch.outer(along, along)
            mirror = torch.eye(3).to(rows) - 2 * torch.outer(plane[:, 1], plane[:, 1])
        else:
            bases, chosen = _in_space(rows, tolerance, blur)
            mirror = torch.tensor([1.0, 1.0, -1.0]).to(rows).diag()
        if not group.is_proper:
            bases, chosen = torch.cat([bases, bases @ mirror], 1), torch.cat([chosen, chosen], 1)
        weights = chosen.to(bases.dtype) / chosen.sum(1, keepdim=True)
        return Weighted(bases, None if bool(chosen.all()) else weights)

    def refuse(self, inp: Action) -> str:
        linear = recognised(inp.group.linear_part)
        axis = getattr(linear, "axis", None)
        if axis is None and not (linear.is_rotations and linear.element_shape[0] == 3):
            return f"{inp.group} does not rotate space"
        if axis is not None and all(self.periodic):
            return "about an axis it needs the two rows in the plane, periodic=(True, True, False)"
        if not isinstance(inp, Record) or not (isinstance(inp.parts, dict) and isinstance(inp.parts.get(self.of), Action)):
            return f"no part {self.of!r} of {inp!r} holds the lattice vectors"
        return ""


def reduced(rows: Float[Tensor, "B m 3"]) -> Float[Tensor, "B m 3"]:
    """Minkowski-reduced bases of lattices of rank 2 or 3: vectors as short as can be, shortest first.

    Raises:
        ArgumentError: the rows are linearly dependent or not finite.

    Source: Semaev, "A 3-dimensional lattice reduction algorithm", CaLC 2001.

    >>> reduced(torch.tensor([[[1.0, 0, 0], [7, 2, 0], [5, 9, 3]]], dtype=torch.float64)).norm(dim=-1)
    tensor([[1.0000, 2.0000, 3.1623]], dtype=torch.float64)
    """
    volume = torch.linalg.det(rows @ rows.mT).clamp_min(0).sqrt()
    if not bool((volume > 1e-9 * rows.norm(dim=-1).prod(-1)).all()):
        raise ArgumentError("cell", "linearly independent lattice vectors", "a singular cell")
    rank = rows.shape[1]
    combinations = torch.tensor(list(itertools.product((-1.0, 0.0, 1.0), repeat=rank - 1))).to(rows)
    for _ in range(1000):
        before = rows.square().sum()
        rows = rows.gather(1, rows.norm(dim=-1).argsort(dim=1).unsqueeze(-1).expand_as(rows))
        parts = list(rows.unbind(1))
        for j, i in [(0, 1)] if rank == 2 else [(0, 1), (0, 2), (1, 2)]:
            parts[i] = (
                parts[i]
                - (parts[i] * parts[j]).sum(-1, keepdim=True).div(parts[j].square().sum(-1, keepdim=True)).round() * parts[j]
            )
        others = torch.stack(parts[:-1], 1)
        candidates = parts[-1].unsqueeze(1) + combinations @ others
        parts[-1] = candidates[torch.arange(len(rows), device=rows.device), candidates.norm(dim=-1).argmin(1)]
        rows = torch.stack(parts, 1)
        if not bool(rows.square().sum() < before * (1 - 1e-14)):
            break
    return rows.gather(1, rows.norm(dim=-1).argsort(dim=1).unsqueeze(-1).expand_as(rows))


def _shortest(rows: Float[Tensor, "B m d"]) -> Float[Tensor, "B s d"]:
    """The shortest lattice vectors, in order."""
    coefficients = [c for c in itertools.product(range(-2, 3), repeat=rows.shape[1]) if any(c)]
    every = torch.tensor(coefficients).to(rows) @ rows
    order = every.norm(dim=-1).argsort(dim=1)[:, :SHORTLIST]
    return every.gather(1, order.unsqueeze(-1).expand(-1, -1, rows.shape[-1]))


def _longest_equal(length: Tensor, tolerance: float, blur: Float[Tensor, " B"]) -> Tensor:
    """Up to where a vector counts as long as one of this length ``[B, 1...]``: lattice vectors are sums of rows, which rounding moves."""
    return length * (1 + tolerance) + 6 * blur.reshape(-1, *[1] * (length.ndim - 1))


def _blur_of_reduced(short: Float[Tensor, "B m 3"], rows: Float[Tensor, "B m 3"], blur: Float[Tensor, " B"]) -> Float[Tensor, " B"]:
    """How far rounding of the rows may have moved the reduced vectors, which are sums of many of them where the cell is skewed.

    Raises:
        ArgumentError: by more than a twentieth of the shortest.
    """
    counts = (short @ torch.linalg.pinv(rows)).round().abs().sum(-1).amax(-1)
    found = blur * counts
    if bool((found > 0.05 * short[:, 0].norm(dim=-1)).any()):
        hint = "give reduced lattice vectors, or float64"
        raise ArgumentError("cell", "lattice vectors whose rounding leaves the shortest vectors known", "a cell too skewed", hint)
    return found


def _in_space(rows: Tensor, tolerance: float, blur: Tensor) -> tuple[Tensor, Tensor]:
    """Right-handed bases ``[B, k, 3, 3]`` (columns) from the best pairs, and which of the ``k`` places a lattice uses."""
    short = reduced(rows)
    vectors, blur = _shortest(short), _blur_of_reduced(short, rows, blur)
    lengths = vectors.norm(dim=-1)
    first = lengths <= _longest_equal(lengths[:, :1], tolerance, blur)
    a, b = vectors.unsqueeze(2), vectors.unsqueeze(1)
    area = torch.linalg.cross(a.expand(-1, -1, vectors.shape[1], -1), b.expand(-1, vectors.shape[1], -1, -1)).norm(dim=-1)
    # Parallel lattice vectors are multiples of one another; no others come this close.
    apart = (area > 1e-6 * lengths.unsqueeze(2) * lengths.unsqueeze(1)) & first.unsqueeze(2)
    second = torch.where(apart, lengths.unsqueeze(1), torch.inf)
    best = apart & (second <= _longest_equal(second.amin((1, 2), keepdim=True), tolerance, blur))
    pairs, chosen = _packed(best.flatten(1))
    n = vectors.shape[1]
    batch = torch.arange(len(rows), device=rows.device).unsqueeze(1)
    x, y = vectors[batch, pairs // n], vectors[batch, pairs % n]
    x = x / x.norm(dim=-1, keepdim=True)
    y = y - (y * x).sum(-1, keepdim=True) * x
    y = y / y.norm(dim=-1, keepdim=True)
    return torch.stack([x, y, torch.linalg.cross(x, y)], -1), chosen


def _about_axis(rows: Float[Tensor, "B 2 2"], tolerance: float, blur: Tensor) -> tuple[Tensor, Tensor]:
    """Rotations of the plane that take the first axis to a shortest vector."""
    flat = torch.nn.functional.pad(rows, (0, 1))
    short = reduced(flat)
    vectors, blur = _shortest(short)[..., :2], _blur_of_reduced(short, flat, blur)
    lengths = vectors.norm(dim=-1)
    index, chosen = _packed(lengths <= _longest_equal(lengths[:, :1], tolerance, blur))
    x = vectors[torch.arange(len(rows), device=rows.device).unsqueeze(1), index]
    x = x / x.norm(dim=-1, keepdim=True)
    return torch.stack([x, torch.stack([-x[..., 1], x[..., 0]], -1)], -1), chosen


def _packed(mask: Tensor) -> tuple[Tensor, Tensor]:
    """Where each row is true, in as many columns as the longest row needs (filled up with its first place), and which columns count."""
    counts = mask.sum(1)
    order = mask.long().argsort(dim=1, descending=True, stable=True)[:, : int(counts.max())]
    chosen = torch.arange(order.shape[1], device=mask.device) < counts.unsqueeze(1)
    return torch.where(chosen, order, order[:, :1]), chosen
