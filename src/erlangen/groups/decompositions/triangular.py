"""The triangular decomposition ``g = L D U`` (the big Bruhat cell): of all matrices whose leading minors do not vanish."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.groups.base import Group
from erlangen.groups.decompositions.base import Decomposition, check_coordinates, checked, refuse
from erlangen.groups.decompositions.compact import Rotations
from erlangen.groups.decompositions.iwasawa import Abelian, Unipotent
from erlangen.groups.decompositions.reductive import reductive
from erlangen.groups.membership import looks_cheap


class TriangularFactors(NamedTuple):
    """``g = lower @ diagonal @ upper``."""

    lower: Tensor
    diagonal: Tensor
    upper: Tensor


class TriangularDecomposition(Decomposition):
    """``g = L D U`` of GL+(n) and SL(n): lower triangular, diagonal, upper triangular, with ones on the diagonals of the first and last.

    They exist where leading minors do not vanish; the other matrices have measure zero. Coordinates are the entries of ``L``, those of
    ``log D`` in an orthonormal basis, and the entries of ``U``; only elements with positive leading minors have them. Points have
    diagonals of all signs.

    The density is a constant times ``prod_{i<j} |d_i / d_j|``.

    >>> from erlangen.groups import SL
    >>> how = SL(2).decomposition("ldu")
    >>> lower, diagonal, upper = how.split(torch.tensor([[2.0, 4.0], [1.0, 2.5]]))
    >>> lower.tolist(), diagonal.diagonal().tolist(), upper.tolist()
    ([[1.0, 0.0], [0.5, 1.0]], [2.0, 0.5], [[1.0, 2.0], [0.0, 1.0]])
    """

    name = "ldu"

    def __init__(self, group: Group) -> None:
        self.group = group
        self._structure = structure = reductive(group, self.name)
        if not structure.is_linear:
            raise ArgumentError("name", f"a decomposition that {group} has", "'ldu', of GL+(n) and SL(n)")
        self.abelian, self.unipotent = Abelian(structure), Unipotent(structure)
        self.dim = self.window_dim = self.abelian.dim + 2 * self.unipotent.dim
        self.compact_uniforms = structure.n - 1  # signs
        self._two_rho = structure.roots.sum(0)
        self._log_constant = -Rotations(structure.n).log_volume

    def split(self, g: Float[Tensor, "*batch n n"]) -> TriangularFactors:
        """The factors.

        Raises:
            ArgumentError: a leading minor is zero, up to rounding.
        """
        lower, d, upper = self._parts(g)
        return TriangularFactors(lower, torch.diag_embed(d), upper)

    def coordinates(self, g: Float[Tensor, "*batch n n"]) -> Float[Tensor, "*batch dim"]:
        lower, d, upper = self._parts(g)
        if looks_cheap(d):
            refuse((d.detach() < 0).any(-1), "g", "positive leading minors, for coordinates", "a negative one")
        parts = [
            self.unipotent.coordinates(lower.mT),
            self.abelian.coordinates_of_diagonal(d),
            self.unipotent.coordinates(upper),
        ]
        return torch.cat(parts, -1)

    def element(self, c: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch n n"]:
        c = check_coordinates(self, c)
        with torch.autocast(c.device.type, enabled=False):
            return self._joined(c, 1.0)

    def log_density(self, g: Float[Tensor, "*batch n n"]) -> Float[Tensor, "*batch"]:
        return self._log_density(self.abelian.coordinates_of_diagonal(self._parts(g)[1].abs()))

    def _log_density(self, h: Tensor) -> Tensor:
        return (h * self._two_rho.to(h)).sum(-1) + self._log_constant

    def _joined(self, c: Tensor, signs: Tensor | float) -> Tensor:
        lower, h, upper = c.split([self.unipotent.dim, self.abelian.dim, self.unipotent.dim], -1)
        diagonal = self.abelian.element(h) * signs
        return self.unipotent.element(lower).mT @ diagonal @ self.unipotent.element(upper)

    def _parts(self, g: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        g = checked(self._structure.group, g)
        n = g.shape[-1]
        eye = torch.eye(n).to(g)
        rest, columns, pivots, rows = g, [], [], []
        with torch.autocast(g.device.type, enabled=False):
            for i in range(n):
                pivot = rest[..., 0, 0]
                if looks_cheap(g):
                    size = g.detach().flatten(-2).norm(dim=-1)
                    tiny = pivot.detach().abs() <= n * torch.finfo(g.dtype).eps * size
                    refuse(tiny, "g", "matrices whose leading minors do not vanish", f"minor {i + 1} zero")
                column, row = rest[..., :, 0] / pivot.unsqueeze(-1), rest[..., 0, :] / pivot.unsqueeze(-1)
                pivots.append(pivot)
                columns.append(torch.nn.functional.pad(column, (i, 0)))
                rows.append(torch.nn.functional.pad(row, (i, 0)))
                rest = (rest - pivot[..., None, None] * column.unsqueeze(-1) * row.unsqueeze(-2))[..., 1:, 1:]
            lower, upper = torch.stack(columns, -1), torch.stack(rows, -2)
            # Ones exactly, whatever division made of them.
            return lower.tril(-1) + eye, torch.stack(pivots, -1), upper.triu(1) + eye

    def place(self, c: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
        signs = torch.where(u < 0.5, 1.0, -1.0).to(u)
        signs = torch.cat([signs, signs.prod(-1, keepdim=True)], -1)
        h = c[..., self.unipotent.dim : self.unipotent.dim + self.abelian.dim]
        several = math.log(2) * self.compact_uniforms  # diagonals' signs are counted, and drawn at random
        return self._joined(c, signs.unsqueeze(-1)), self._log_density(h) + several
