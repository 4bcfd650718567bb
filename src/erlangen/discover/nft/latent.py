"""How motions act on the latent rows: freely, by the planes of a torus or of SO(2), by rotations of space, by a finite group."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.discover.nft.solves import (
    is_traced,
    least_rotation,
    plane_matrices,
    solve_angle,
    solve_planes,
    solve_rotation,
    solve_transition,
)
from erlangen.errors import ArgumentError, unsupported
from erlangen.groups import SO, Torus
from erlangen.groups.base import Element
from erlangen.groups.recognise import recognised
from erlangen.reps import DirectSum, PlanarIrrep, Rep, SpatialIrrep, Trivial

#: Distances of so many roundings of the latents are equal.
ROUNDINGS = 16

Action = Literal["free"] | Rep


def frequencies(which: Iterable[int]) -> Rep:
    """SO(2) on a sum of frequencies, in this order: for instance ``frequencies(range(9))``, dimension 17.

    >>> frequencies([0, 1, 3]).dim
    5
    """
    return _sum([SO(2).irrep(k) for k in which])


def degrees(which: Iterable[int]) -> Rep:
    """SO(3) on a sum of degrees: for instance ``degrees(range(4))``, dimension 16.

    >>> degrees(range(4)).dim
    16
    """
    return _sum([SO(3).irrep(l) for l in which])


def _sum(parts: list[Rep]) -> Rep:
    if not parts:
        raise ArgumentError("which", "at least one label", [])
    return sum(parts[1:], start=parts[0])


class LatentAction:
    """What the transform needs to know of the action on latent rows.

    Args:
        rep: the representation, or ``"free"`` for any matrices.
        ridge: of the free solve.

    Raises:
        ArgumentError: ``rep`` is neither.
    """

    def __init__(self, rep: Action, ridge: float = 1e-6) -> None:
        if not isinstance(rep, Rep) and rep != "free":
            raise ArgumentError("action", "'free' or a representation such as frequencies(range(9))", repr(rep))
        self.rep = None if isinstance(rep, str) else rep
        self.ridge = ridge
        self.parts: tuple[Rep, ...] = (
            () if self.rep is None else (self.rep.parts if isinstance(self.rep, DirectSum) else (self.rep,))
        )
        self.kind = self._kind()

    def _kind(self) -> Literal["free", "planes", "space", "finite", "given"]:
        """Which solve finds an unknown motion; ``"given"``: none does."""
        if self.rep is None:
            return "free"
        group = self.rep.group
        if all(isinstance(p, Trivial | PlanarIrrep) or p == SO(2).vector for p in self.parts) and group == SO(2):
            return "planes"
        if isinstance(recognised(group), Torus) and self.rep == group.vector:
            return "planes"
        if group == SO(3) and all(isinstance(p, Trivial | SpatialIrrep) or p == SO(3).vector for p in self.parts):
            return "space" if any(p.dim == 3 for p in self.parts) else "given"
        return "finite" if group.is_finite else "given"

    @property
    def named(self) -> Rep:
        """The representation.

        Raises:
            UnsupportedError: the action is free.
        """
        if self.rep is None:
            unsupported("a free latent action", "group", "call transition() for its matrices, or state a representation as action=")
        return self.rep

    def matrices(self, g: Element, like: Tensor) -> Float[Tensor, "*batch a a"]:
        """``M(g)``, for rows: the transposed matrix of the representation."""
        return self.named.matrix(g).mT.to(like)

    def undo(self, matrices: Float[Tensor, "*batch a a"]) -> Float[Tensor, "*batch a a"]:
        """The inverse matrices."""
        return matrices.mT if self.named.is_orthogonal else torch.linalg.inv(matrices)

    def solve(self, latents: Float[Tensor, "*batch t m a"]) -> Float[Tensor, "*batch a a"]:
        """The matrix that takes each frame to the next best, within the action.

        Raises:
            ArgumentError: the action's group is one whose elements no solve finds: they must be given.

        Warns:
            UserWarning: vectors of space that all lie along one line, which leave the turn about it open; one of the best is returned.
        """
        if self.kind == "free":
            return solve_transition(latents, self.ridge)
        if self.kind == "space":
            rotation, determined = least_rotation(self._vectors(latents))
            if not is_traced(determined) and not bool(determined.all()):
                warnings.warn(
                    f"the latent vectors of {int((~determined).sum())} of {determined.numel()} sequences lie along one line and leave the "
                    "turn about it open: take more rows (multiplicity) or more frames",
                    stacklevel=3,
                )
            return self.matrices(rotation, latents)
        if self.kind == "planes":
            numbers = solve_planes(self._planar(latents))
            return self._from_planes(plane_matrices(numbers))
        return self.matrices(self.identify(latents), latents)

    def identify(self, latents: Float[Tensor, "*batch t m a"]) -> Element:
        """The group element that takes each frame to the next best.

        Of a finite group several may do so equally well, to rounding (latents with a symmetry of their own): then it is the first of these
        in the order of ``group.elements()``.

        Raises:
            ArgumentError: no solve is known for the group, or latents leave the element open: vectors of space along one line,
                planes without energy.
        """
        group = self.named.group
        if self.kind == "planes":
            columns = self._planar(latents)
            numbers = solve_planes(columns)
            energy = (columns[..., :-1, :, :].square().sum((-3, -2)) * columns[..., 1:, :, :].square().sum((-3, -2))).sqrt()
            weight = energy.unflatten(-1, (-1, 2)).sum(-1)
            turning = weight > (64 * torch.finfo(weight.dtype).eps) ** 2 * latents.square().sum((-3, -2, -1)).unsqueeze(-1)
            known = recognised(group)
            is_torus = isinstance(known, Torus)
            open_ = ~(turning.all(-1) if is_torus else turning.any(-1))
            if not is_traced(open_) and bool(open_.any()):
                wanted = "energy in every plane that turns" if is_torus else "energy in a plane that turns"
                raise ArgumentError("latents", wanted, f"{int(open_.sum())} of {open_.numel()} that leave the angle open")
            if isinstance(known, Torus):
                return known.element(torch.atan2(numbers[..., 1], numbers[..., 0]))
            k = torch.tensor([getattr(p, "k", 1) for p in self.parts if p.dim == 2])
            angle = solve_angle(numbers, k, weight)
            algebra = group.algebra
            assert algebra is not None
            return group.exp(algebra.combine(angle.unsqueeze(-1)))
        if self.kind == "space":
            return solve_rotation(self._vectors(latents))
        if self.kind == "finite":
            every = group.elements()
            matrices = self.matrices(every, latents).reshape(-1, *latents.shape[-1:] * 2)
            before, after = latents[..., :-1, :, :].flatten(-3, -2), latents[..., 1:, :, :].flatten(-3, -2)
            distance = ((before.unsqueeze(-3) @ matrices) - after.unsqueeze(-3)).norm(dim=(-2, -1))
            size = before.norm(dim=(-2, -1)) + after.norm(dim=(-2, -1))
            rounding = ROUNDINGS * torch.finfo(distance.dtype).eps * size.unsqueeze(-1)
            tied = distance <= distance.amin(-1, keepdim=True) + rounding
            return group.take(every, tied.to(torch.uint8).argmax(-1))
        raise ArgumentError(
            "g",
            f"the elements of {group} that move the data",
            "none",
            "only SO(2), tori, SO(3) with degree 1, and finite groups are solved for",
        )

    def amplitudes(self, latents: Float[Tensor, "*batch m a"]) -> Float[Tensor, "*batch m parts"]:
        """The norm of each row's part in each summand of the representation."""
        return torch.stack([latents[..., s : s + p.dim].norm(dim=-1) for p, s in zip(self.parts, self._starts())], -1)

    def _vectors(self, latents: Float[Tensor, "*batch t m a"]) -> Float[Tensor, "*batch t rows 3"]:
        """The summands that are vectors of space, as rows."""
        starts = [s for p, s in zip(self.parts, self._starts()) if p.dim == 3]
        return torch.cat([latents[..., s : s + 3] for s in starts], -2)

    def _starts(self) -> list[int]:
        starts = [0]
        for p in self.parts:
            starts.append(starts[-1] + p.dim)
        return starts[:-1]

    def _planar(self, latents: Tensor) -> Tensor:
        """The columns that turn."""
        if isinstance(recognised(self.named.group), Torus):
            return latents
        return torch.cat([latents[..., s : s + 2] for p, s in zip(self.parts, self._starts()) if p.dim == 2], -1)

    def _from_planes(self, blocks: Float[Tensor, "*batch planes 2 2"]) -> Float[Tensor, "*batch a a"]:
        """Planes back among the columns that stand still."""
        one = torch.ones_like(blocks[..., 0, :1, :1])
        turning = iter(blocks.unbind(-3))
        sizes = [2] * blocks.shape[-3] if isinstance(recognised(self.named.group), Torus) else [p.dim for p in self.parts]
        pieces = [next(turning) if size == 2 else one for size in sizes]
        total, start, rows = sum(sizes), 0, []
        for piece in pieces:
            stop = start + piece.shape[-1]
            rows.append(torch.nn.functional.pad(piece, (start, total - stop)))
            start = stop
        return torch.cat(rows, -2)
