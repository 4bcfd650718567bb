"""Square meshes of the Brillouin zone that the cell's rotations and mirrors map to themselves, halved by time reversal."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.fields.photonics.operator import QUARTERS

#: How far, and in which direction, the points of a mesh stand off its lines of symmetry. On such a line bands may cross, and an
#: eigensolver then returns any mixture of the crossing modes, whose velocities mean nothing; this near to it the modes are separate,
#: and a frequency differs by less than 1e-7.
OFF = (1.0e-7, 0.618e-7)


@dataclass(frozen=True, eq=False)
class Mesh:
    """Squares that fill the Brillouin zone, each by its middle.

    Attributes:
        k: the middles, ``[n_k, 2]`` in units of 2 pi / a, all with ``k_x > 0``.
        side: the squares' sides ``[n_k]``.
        weight: the share of the zone that each stands for ``[n_k]``, adding to 1; squares at ``-k`` are counted with those at k.
    """

    k: Float[Tensor, "n_k 2"]
    side: Float[Tensor, " n_k"]
    weight: Float[Tensor, " n_k"]

    def cut(self, parts: int) -> tuple[Float[Tensor, "n_k n_q 2"], Mesh]:
        """Each square cut into ``parts x parts``: how far the middles of the pieces are from its own, and the pieces as a mesh."""
        line = (torch.arange(parts, dtype=self.k.dtype, device=self.k.device) - (parts - 1) / 2) / parts
        offsets = self.side[:, None, None] * torch.cartesian_prod(line, line)
        count = parts * parts
        pieces = Mesh(
            (self.k[:, None] + offsets).flatten(0, 1),
            (self.side / parts).repeat_interleave(count),
            (self.weight / count).repeat_interleave(count),
        )
        return offsets, pieces


def mesh(n: int, device: torch.device | None = None) -> Mesh:
    """``n x n`` squares about k = 0, as those of two quarters of the zone.

    With odd ``n`` some squares lie across an axis and are shared by both quarters. The one about k = 0, where the lowest band has a
    cone that no plane touches, is cut into four.

    Raises:
        ArgumentError: fewer than 2 points a side.

    >>> m = mesh(3)
    >>> len(m.k), round(float(m.weight.sum()), 12)
    (8, 1.0)
    """
    if not isinstance(n, int) or n < 2:
        raise ArgumentError("mesh", "an integer of at least 2 points a side", n)
    b = 1.0 / n
    line = torch.arange(1 - n % 2, n, 2, dtype=torch.float64, device=device) * (b / 2)
    share = 1 - 0.5 * (line < b / 4).to(line.dtype)
    k = torch.cartesian_prod(line, line)
    weight = 2 * b * b * torch.outer(share, share).flatten()
    side = torch.full_like(weight, b)
    middle = k.amax(1) < b / 4
    k, side = torch.where(middle[:, None], b / 4, k), torch.where(middle, b / 2, side)
    k = k + k.new_tensor(OFF)
    quarters = k.new_tensor(QUARTERS).sign()
    return Mesh((quarters[:, None] * k).flatten(0, 1), side.repeat(2), weight.repeat(2))
