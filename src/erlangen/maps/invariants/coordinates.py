"""Tokens in coordinates in which affine moves are linear: differences where there are translations, a centre where there is one."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.groups.algebra import LieAlgebra
from erlangen.linalg import null_space
from erlangen.maps.invariants.tensors import Moves

#: What is smaller than this, relative to the generators, is rounding.
RELATIVE = 1e-8


@dataclass(frozen=True)
class Coordinates:
    """Which vectors are made of ``T`` tokens, and how they move.

    Attributes:
        points: how points of each token move, modulo translations: linear after ``shift`` and ``project``, with a last coordinate 1 where
            no point is left in its place; ``None`` where everything is translated.
        shift: the point that stays, ``[n]``.
        project: rows ``[n - r, n]`` that translations do not see.
        homogeneous: whether points have a last coordinate 1.
        differences: how differences of tokens move; ``None`` without translations.
        linear: how directions move: by the linear part alone.
    """

    points: Moves | None
    shift: Tensor
    project: Tensor
    homogeneous: bool
    differences: Moves | None
    linear: Moves

    @property
    def moves(self) -> list[Moves]:
        """How each kind of vector moves: points, then differences."""
        return [m for m in (self.points, self.differences) if m is not None]

    @property
    def difference_kind(self) -> int | None:
        """Which kind of vector is a difference of tokens; ``None`` without translations."""
        return None if self.differences is None else len(self.moves) - 1

    def counts(self, tokens: int) -> list[int]:
        """How many vectors of each kind so many tokens make."""
        return [tokens] * (self.points is not None) + [tokens - 1] * (self.differences is not None)

    def vectors(self, x: Float[Tensor, "B T n"]) -> list[Tensor]:
        """The vectors of each kind: points ``[B, T, m]``, then differences from the first token ``[B, T - 1, n]``."""
        found = []
        if self.points is not None:
            q = (x - self.shift.to(x)) @ self.project.to(x).mT
            found.append(torch.cat([q, torch.ones_like(q[..., :1])], -1) if self.homogeneous else q)
        if self.differences is not None:
            found.append(x[:, 1:] - x[:, :1])
        return found


def affine_closure(generators: Float[Tensor, "k n m"]) -> Float[Tensor, "d n m"]:
    """An orthonormal basis of the Lie algebra that affine generators ``(A | b)``, ``[k, n, n + 1]``, generate."""
    k, n, m = generators.shape
    homogeneous = torch.cat([generators, generators.new_zeros(k, 1, m)], 1)
    return LieAlgebra.spanned_by(homogeneous).closure().basis[:, :n]


def coordinates(algebra: Float[Tensor, "k n m"], discrete: Float[Tensor, "d n m"]) -> Coordinates:
    """Coordinates for affine generators ``(A | b)``: a closed Lie algebra and further elements, both in float64.

    >>> turn_about_one = torch.tensor([[[0.0, -1.0, 0.0], [1.0, 0.0, -1.0]]], dtype=torch.float64)
    >>> coordinates(turn_about_one, turn_about_one[:0]).shift.round(decimals=6).tolist()
    [1.0, 0.0]
    """
    n = algebra.shape[1]
    a, b = algebra[..., :n], algebra[..., n]
    # Combinations without a linear part are the translations.
    if len(algebra):
        split = null_space(a.flatten(1).mT, rtol=RELATIVE, scale=max(float(algebra.norm()), 1e-300)).basis
        shifts = split.mT @ b
        _, values, right = torch.linalg.svd(shifts, full_matrices=True)
        rank = int((values > RELATIVE * max(float(algebra.norm()), 1e-300)).sum())
        # Generators modulo the translations among them.
        q, _ = torch.linalg.qr(split, mode="complete")
        keep = q[:, split.shape[1] :].mT
        a, b = torch.einsum("rk,kij->rij", keep, a), keep @ b
    else:
        right, rank = torch.eye(n, dtype=torch.float64), 0
    project = right[rank:]
    if rank == 0:
        project = torch.eye(n, dtype=torch.float64)
    h, t = discrete[..., :n], discrete[..., n]
    linear = Moves(a, h)
    differences = linear if rank else None
    if rank == n:
        return Coordinates(None, torch.zeros(n, dtype=torch.float64), project, False, differences, linear)
    inner, outer = project @ a @ project.mT, project @ h @ project.mT
    b, t = b @ project.mT, t @ project.mT
    m = n - rank
    eye = torch.eye(m, dtype=torch.float64)
    rows, values = torch.cat([inner, outer - eye]).reshape(-1, m), -torch.cat([b, t]).reshape(-1)
    centre = torch.linalg.pinv(rows, rtol=RELATIVE) @ values if len(rows) else torch.zeros(m, dtype=torch.float64)
    size = max(float(rows.abs().max()) if len(rows) else 0.0, float(values.abs().max()) if len(values) else 0.0, 1e-300)
    if not len(rows) or float((rows @ centre - values).abs().max()) <= 1e-7 * size * max(1.0, float(centre.abs().max())):
        return Coordinates(Moves(inner, outer), centre @ project, project, False, differences, linear)
    lifted = torch.zeros(len(inner), m + 1, m + 1, dtype=torch.float64)
    lifted[:, :m, :m], lifted[:, :m, m] = inner, b
    moved = torch.eye(m + 1, dtype=torch.float64).repeat(len(outer), 1, 1)
    moved[:, :m, :m], moved[:, :m, m] = outer, t
    return Coordinates(Moves(lifted, moved), torch.zeros(n, dtype=torch.float64), project, True, differences, linear)
