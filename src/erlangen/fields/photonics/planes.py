"""Counting states by the generalised Gilat-Raubenheimer method, in its counting-function form.

In each square of a mesh of the Brillouin zone a band is replaced by the plane with its frequency and its group velocity at the middle
(B. Liu, S. G. Johnson, J. D. Joannopoulos, L. Lu, "Generalized Gilat-Raubenheimer method for density-of-states calculation in photonic
crystals", J. Opt. 20, 044005, 2018, arXiv:1711.07993). The density of one plane is a trapezoid in the frequency, which becomes
arbitrarily high where a band is flat. Its integral, the number of states below a frequency, stays between 0 and 1 and needs no cap:
it is what is added up here, and densities are its differences.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.fields.photonics.mesh import Mesh

#: Below this a velocity counts as zero: the band is flat and its states come in one step.
FLAT = 1e-12


def _sizes(velocity: Tensor, squares: Mesh) -> tuple[Tensor, Tensor]:
    """How far the frequency of a plane varies over its square in the two directions: the larger, the smaller ``[..., n_k, bands]``."""
    widths = velocity.abs() * squares.side[:, None, None]
    return widths.amax(-1).clamp_min(FLAT), widths.amin(-1).clamp_min(FLAT)


def share_below(offset: Tensor, wide: Tensor, narrow: Tensor) -> Tensor:
    """The share of a square in which a plane lies less than ``offset`` above its middle value.

    The change ``v . q`` of the frequency over a square is the sum of two uniform variables of widths ``b v1 >= b v2``. Its
    distribution function is a straight line up to ``w1 = b (v1 - v2) / 2`` on either side, and a parabola from there to
    ``w4 = b (v1 + v2) / 2``.
    """
    distance = offset.abs()
    start = (wide - narrow) / 2
    slant = ((distance - start) / narrow).clamp(0.0, 1.0)
    one_side = torch.minimum(distance, start) / wide + slant * (1 - slant / 2) * (narrow / wide)
    return 0.5 + one_side * offset.sign()


def states_below(
    omega: Float[Tensor, " n"], frequency: Float[Tensor, "n_k bands"], velocity: Float[Tensor, "n_k bands 2"], squares: Mesh
) -> Float[Tensor, " n"]:
    """The number of states below each frequency, bands being planes within a square."""
    wide, narrow = (w.flatten()[:, None] for w in _sizes(velocity, squares))
    weight = squares.weight[:, None].expand_as(frequency).flatten()
    return weight @ share_below(omega - frequency.flatten()[:, None], wide, narrow)


def states_in_bins(
    frequency: Float[Tensor, "b n_k bands"], velocity: Float[Tensor, "b n_k bands 2"], squares: Mesh, step: float, count: int
) -> Float[Tensor, "b count"]:
    """The states in bins of width ``step`` from 0 on: differences of the counting function, each plane seen by the bins it reaches."""
    wide, narrow = _sizes(velocity, squares)
    reach = (wide + narrow) / 2
    first = ((frequency - reach) / step).floor()
    window = int(((2 * reach / step).amax() + 2).ceil())
    edges = first.unsqueeze(-1) + torch.arange(window + 1, dtype=first.dtype, device=first.device)
    share = share_below(edges * step - frequency.unsqueeze(-1), wide.unsqueeze(-1), narrow.unsqueeze(-1)).diff(dim=-1)
    # Bins on either side of the range take what falls outside.
    bins = (edges[..., :-1].long() + 1).clamp(0, count + 1)
    found = share.new_zeros(len(share), count + 2)
    return found.scatter_add_(1, bins.flatten(1), (share * squares.weight[:, None, None]).flatten(1))[:, 1:-1]
