"""Densities of states of photonic crystals: bands on a mesh, states counted in its squares, their number smoothed and sampled."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.fields.photonics.bands import check_sizes, chunks, solve
from erlangen.fields.photonics.expansion import Expansion
from erlangen.fields.photonics.fourier import FourierCells, fourier
from erlangen.fields.photonics.mesh import Mesh
from erlangen.fields.photonics.mesh import mesh as make_mesh
from erlangen.fields.photonics.operator import PlaneWaves
from erlangen.fields.photonics.planes import states_below, states_in_bins
from erlangen.reporting import progress


def counting(
    eps: Any,
    omega: Any,
    *,
    mesh: int = 13,
    n_bands: int = 8,
    n_waves: int = 81,
    reduced: int | None = 10,
    refine: int = 1,
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
        refine: cut each square into ``refine x refine`` pieces, whose bands come from those in its middle by second-order
            perturbation; at small cost the mesh becomes that much finer. The highest two bands suffer first.
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
    found = _count(cells, at.expand(*batch, at.shape[-1]), _Plan(mesh, n_bands, reduced, refine, quiet))
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
    mesh: int = 9,
    n_bands: int = 6,
    n_waves: int = 81,
    reduced: int | None = 6,
    refine: int = 4,
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
        eps, mesh, n_bands, n_waves, reduced, refine: as in :func:`counting`. The defaults are for this range of frequencies, which the
            first five bands reach.
        samples, keep, top: see :func:`dos_frequencies`.
        smoothing: standard deviation of the Gaussian, in rescaled frequency. Below zero frequency the density is continued as an odd
            function, so that the smoothing keeps the straight line of a homogeneous cell.
        quiet: show no progress.

    Returns:
        ``[*cells, keep]``, float64, of ``eps``'s kind: states per unit cell and unit of rescaled frequency.

    Raises:
        ArgumentError: as in :func:`bands`, a sampling that is empty, or too few bands for its range.

    >>> density = dos(torch.full((32, 32), 5.0), quiet=True)
    >>> density.shape, bool((density - empty_lattice_dos(dos_frequencies())).abs().mean() < 0.1)
    (torch.Size([400]), True)
    """
    if not isinstance(samples, int) or samples < 2:
        raise ArgumentError("samples", "an integer of at least 2", repr(samples))
    if not isinstance(keep, int) or not 1 <= keep <= samples:
        raise ArgumentError("keep", f"an integer from 1 to {samples}", repr(keep))
    if not 0 < top < math.inf:
        raise ArgumentError("top", "a positive frequency", repr(top))
    if not 0 < smoothing < math.inf:
        raise ArgumentError("smoothing", "a positive width in rescaled frequency", repr(smoothing))
    cells = eps if isinstance(eps, FourierCells) else fourier(eps, n_waves)
    step = top / (samples - 1)
    edges, kernel = _smoothing(step, keep, smoothing, cells.mean.device)
    states = _in_bins(cells, edges, step * (keep - 1), _Plan(mesh, n_bands, reduced, refine, quiet))
    found = states @ kernel
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


@dataclass(frozen=True)
class _Plan:
    """How the planes of a batch of cells are found."""

    mesh: int
    n_bands: int
    reduced: int | None
    refine: int
    quiet: bool

    def planes(self, cells: FourierCells) -> Iterator[tuple[FourierCells, Tensor, Tensor, Mesh]]:
        """Chunk after chunk: the cells, the frequencies ``[b, n_k, bands]`` and velocities in the middles of squares, the squares."""
        check_sizes(cells, self.n_bands, self.reduced)
        if not isinstance(self.refine, int) or self.refine < 1:
            raise ArgumentError("refine", "an integer of at least 1, the pieces along a side of each square", repr(self.refine))
        squares = make_mesh(self.mesh, cells.mean.device)
        with progress(cells.mean.numel(), "band structures", self.quiet) as bar:
            for part in chunks(cells, len(squares.k), self.n_bands, self.reduced, self.refine):
                yield part, *self._solve(part, squares)
                bar.advance(len(part.coefficients))

    def _solve(self, cells: FourierCells, squares: Mesh) -> tuple[Tensor, Tensor, Mesh]:
        if self.refine == 1:
            omega, velocity = solve(cells, squares.k, self.n_bands, self.reduced, True)
            assert velocity is not None
            return omega, velocity, squares
        offsets, pieces = squares.cut(self.refine)
        waves = PlaneWaves.of(cells)
        operators = [waves.full()] * 2 if self.reduced is None else waves.reduced(self.reduced)
        quarter = len(offsets) // 2
        found = [
            Expansion.about(operator, k, self.n_bands).solve(q, self.n_bands)
            for operator, k, q in zip(operators, squares.k.split(quarter), offsets.split(quarter))
        ]
        omega, velocity = (torch.cat([pair[i].flatten(1, 2) for pair in found], 1) for i in range(2))
        return omega, velocity, pieces


def _count(cells: FourierCells, omega: Tensor, plan: _Plan) -> Tensor:
    """``N`` ``[*cells, n]`` at frequencies of the same shape."""
    flat = omega.reshape(-1, omega.shape[-1])
    found: list[Tensor] = []
    for _, frequency, velocity, squares in plan.planes(cells):
        # One cell at a time: every plane is looked at by every frequency.
        found += [states_below(flat[len(found)], f, v, squares) for f, v in zip(frequency, velocity)]
    return torch.stack(found).reshape(omega.shape)


def _in_bins(cells: FourierCells, edges: Tensor, complete: float, plan: _Plan) -> Tensor:
    """States ``[*cells, bins]`` in equal bins of the rescaled frequency, all of them counted up to ``complete``."""
    step, found = float(edges[1]), []
    for part, frequency, velocity, squares in plan.planes(cells):
        scale = part.mean.sqrt()[:, None, None]
        frequency = scale * frequency
        if complete > float(frequency[..., -1].amin()):
            reached = f"{plan.n_bands}, the highest of which begins at {float(frequency[..., -1].amin()):.3f} in one cell"
            raise ArgumentError("n_bands", f"bands that cover rescaled frequencies up to {complete:.3f}", reached)
        found.append(states_in_bins(frequency, scale.unsqueeze(-1) * velocity, squares, step, len(edges) - 1))
    return torch.cat(found).reshape(*cells.mean.shape, -1)
