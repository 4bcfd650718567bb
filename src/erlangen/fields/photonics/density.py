"""Densities of states of photonic crystals by the generalised Gilat-Raubenheimer method, in its counting-function form.

In each square of a mesh of the Brillouin zone a band is replaced by the plane with its frequency and its group velocity at the middle
(B. Liu, S. G. Johnson, J. D. Joannopoulos, L. Lu, "Generalized Gilat-Raubenheimer method for density-of-states calculation in photonic
crystals", J. Opt. 20, 044005, 2018, arXiv:1711.07993). The density of one plane is a trapezoid in the frequency, which becomes
arbitrarily high where a band is flat. Its integral, the number of states below a frequency, stays between 0 and 1 and needs no cap:
it is what is added up here, and densities are its differences.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.fields.photonics.bands import check_sizes, chunks, solve
from erlangen.fields.photonics.fourier import FourierCells, fourier
from erlangen.fields.photonics.mesh import Mesh
from erlangen.fields.photonics.mesh import mesh as make_mesh
from erlangen.reporting import progress

#: Below this a velocity counts as zero: the band is flat and its states come in one step.
FLAT = 1e-12


def counting(
    eps: Any,
    omega: Any,
    *,
    mesh: int = 13,
    n_bands: int = 8,
    n_waves: int = 81,
    reduced: int | None = 10,
    quiet: bool = True,
) -> Any:
    """The number of TM states per unit cell below given frequencies, ``N(omega)``.

    Args:
        eps: permittivities ``[*cells, size, size]``, torch or NumPy, or :class:`FourierCells`.
        omega: frequencies omega a / (2 pi c), ``[n]`` for all cells or ``[*cells, n]``.
        mesh: points along each side of the Brillouin zone.
        n_bands: bands that are counted; N is complete below the lowest frequency of the next one, and ends at ``n_bands``.
        n_waves: plane waves, the square of an odd number.
        reduced: modes per corner of the reduced basis, or None for all plane waves (see :func:`bands`).
        quiet: whether to show no progress.

    Returns:
        ``[*cells, n]``, float64, of ``eps``'s kind.

    Raises:
        ArgumentError: as in :func:`bands`, or frequencies whose shape does not fit the cells.

    >>> from erlangen.fields.photonics import rods
    >>> cells = rods(0.2, 12.0)
    >>> counting(cells, [0.30, 0.40], reduced=None).round(decimals=4)    # in the gap, one band lies below
    tensor([1., 1.], dtype=torch.float64)
    """
    cells = eps if isinstance(eps, FourierCells) else fourier(eps, n_waves)
    batch = cells.coefficients.shape[:-2]
    at = torch.as_tensor(omega).to(cells.mean)
    if at.ndim == 0 or (at.ndim > 1 and at.shape[:-1] != batch):
        raise ArgumentError("omega", f"frequencies [n] or {[*batch, 'n']}", f"shape {tuple(at.shape)}")
    found = _count(cells, at.expand(*batch, at.shape[-1]), mesh, n_bands, reduced, quiet)
    return found.numpy() if isinstance(eps, np.ndarray) else found


def dos_frequencies(samples: int = 500, keep: int = 400, top: float = 1.2) -> Float[Tensor, " keep"]:
    """Where :func:`dos` samples the density: the first ``keep`` of ``samples`` points on ``[0, top]``, in rescaled frequency."""
    return torch.linspace(0.0, top, samples, dtype=torch.float64)[:keep]


def empty_lattice_dos(omega: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    """The density of states of a homogeneous cell in rescaled frequency, ``2 pi omega'``: the reference that labels are measured from."""
    return 2 * math.pi * omega


def dos(
    eps: Any,
    *,
    mesh: int = 13,
    n_bands: int = 8,
    n_waves: int = 81,
    reduced: int | None = 10,
    samples: int = 500,
    keep: int = 400,
    top: float = 1.2,
    smoothing: float = 0.009,
    quiet: bool = False,
) -> Any:
    """Densities of TM states in rescaled frequency ``omega' = omega sqrt(mean eps)``, one row of ``keep`` numbers a cell.

    In that frequency all homogeneous cells have the same density, :func:`empty_lattice_dos`; subtract it for the labels of Loh et al.
    (Nature Communications 13, 4223, 2022), whose sampling (500 points on [0, 1.2], of which 400 are kept) is the default. They smooth
    by 100 of 20 000 bins up to just above the highest frequency, 0.5% of it: here a fixed width in rescaled frequency of that size.

    Args:
        eps, mesh, n_bands, n_waves, reduced: as in :func:`counting`.
        samples, keep, top: see :func:`dos_frequencies`.
        smoothing: standard deviation of the Gaussian, in rescaled frequency. Below zero frequency the density is continued as an odd
            function, so that the smoothing keeps the straight line of a homogeneous cell.
        quiet: show no progress.

    Returns:
        ``[*cells, keep]``, float64, of ``eps``'s kind: states per unit cell and unit of rescaled frequency.

    Raises:
        ArgumentError: as in :func:`bands`, or a sampling that is empty.

    >>> density = dos(torch.full((32, 32), 5.0), quiet=True)
    >>> density.shape, bool((density - empty_lattice_dos(dos_frequencies())).abs().mean() < 0.1)
    (torch.Size([400]), True)
    """
    if not isinstance(samples, int) or samples < 2:
        raise ArgumentError("samples", "an integer of at least 2", samples)
    if not isinstance(keep, int) or not 1 <= keep <= samples:
        raise ArgumentError("keep", f"an integer from 1 to {samples}", keep)
    if not 0 < top < math.inf:
        raise ArgumentError("top", "a positive frequency", top)
    if not 0 < smoothing < math.inf:
        raise ArgumentError("smoothing", "a positive width in rescaled frequency", smoothing)
    cells = eps if isinstance(eps, FourierCells) else fourier(eps, n_waves)
    step = top / (samples - 1)
    edges, kernel = _smoothing(step, keep, smoothing, cells.mean.device)
    at = edges / cells.mean.sqrt().unsqueeze(-1)
    number = _count(cells, at, mesh, n_bands, reduced, quiet)
    found = number.diff(dim=-1) @ kernel
    return found.numpy() if isinstance(eps, np.ndarray) else found


def _smoothing(step: float, keep: int, width: float, device: torch.device) -> tuple[Tensor, Tensor]:
    """Edges of bins in rescaled frequency from 0, and the matrix ``[bins, keep]`` from states in bins to smoothed densities.

    A bin's states count as lying in its middle; spreading them over the bin is a part of the Gaussian's variance.
    """
    reach = math.ceil(5 * width / step) + 1
    # Bins are no wider than the Gaussian is, so that they are not seen behind it.
    parts = max(1, math.ceil(step / width))
    edges = torch.arange((keep + reach) * parts + 1, dtype=torch.float64, device=device) * (step / parts)
    middles = (edges[1:] + edges[:-1]) / 2
    variance = width**2 - (step / parts) ** 2 / 12
    points = torch.arange(keep, dtype=torch.float64, device=device) * step
    near, mirrored = (torch.exp(-((points - sign * middles[:, None]) ** 2) / (2 * variance)) for sign in (1, -1))
    return edges, (near - mirrored) / math.sqrt(2 * math.pi * variance)


def _count(cells: FourierCells, omega: Tensor, n: int, n_bands: int, reduced: int | None, quiet: bool) -> Tensor:
    """``N`` ``[*cells, n]`` at frequencies of the same shape, chunk after chunk."""
    check_sizes(cells, n_bands, reduced)
    squares = make_mesh(n, omega.device)
    flat = omega.reshape(-1, omega.shape[-1])
    done, found = 0, torch.empty_like(flat)
    with progress(len(flat), "band structures", quiet) as bar:
        for part in chunks(cells, len(squares.k), reduced):
            size = len(part.coefficients)
            frequency, velocity = solve(part, squares.k, n_bands, reduced, True)
            assert velocity is not None
            for i in range(size):
                found[done + i] = states_below(flat[done + i], frequency[i], velocity[i], squares)
            done += size
            bar.advance(size)
    return found.reshape(omega.shape)


def states_below(
    omega: Float[Tensor, " n"], frequency: Float[Tensor, "n_k bands"], velocity: Float[Tensor, "n_k bands 2"], squares: Mesh
) -> Float[Tensor, " n"]:
    """The share of all squares' states below each frequency, bands being planes within a square.

    The change ``v . q`` of the frequency over a square is the sum of two uniform variables of widths ``b v1 >= b v2``. Its
    distribution function is a straight line up to ``w1 = b (v1 - v2) / 2`` on either side, and a parabola from there to
    ``w4 = b (v1 + v2) / 2``.
    """
    widths = velocity.abs() * squares.side[:, None, None]
    wide = widths.amax(-1).clamp_min(FLAT).flatten()[:, None]
    narrow = widths.amin(-1).clamp_min(FLAT).flatten()[:, None]
    weight = squares.weight[:, None].expand_as(frequency).flatten()
    offset = omega - frequency.flatten()[:, None]
    distance = offset.abs()
    start = (wide - narrow) / 2
    slant = ((distance - start) / narrow).clamp(0.0, 1.0)
    one_side = torch.minimum(distance, start) / wide + slant * (1 - slant / 2) * (narrow / wide)
    return weight.sum() / 2 + weight @ (one_side * offset.sign())
