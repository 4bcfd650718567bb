"""Band structures of the transverse-magnetic modes of two-dimensional photonic crystals on a square lattice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, overload

import numpy as np
import torch
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.fields.photonics.fourier import FourierCells, fourier
from erlangen.fields.photonics.operator import PlaneWaves

#: Bytes of matrices that one chunk of cells may hold at a time.
CHUNK_BYTES = 64_000_000


@overload
def bands(
    eps: Any, k: Any, n_bands: int = ..., *, velocities: Literal[False] = ..., n_waves: int = ..., reduced: int | None = ...
) -> Any: ...
@overload
def bands(
    eps: Any, k: Any, n_bands: int = ..., *, velocities: Literal[True], n_waves: int = ..., reduced: int | None = ...
) -> tuple[Any, Any]: ...
def bands(
    eps: Any, k: Any, n_bands: int = 8, *, velocities: bool = False, n_waves: int = 81, reduced: int | None = None
) -> Any | tuple[Any, Any]:
    """The lowest frequencies of the modes with the electric field along the rods (TM), by plane waves.

    Args:
        eps: permittivities ``[*cells, size, size]`` (columns along x, rows against y), torch or NumPy, or :class:`FourierCells`.
        k: wave vectors ``[n_k, 2]`` in units of 2 pi / a; they are folded into the first Brillouin zone.
        n_bands: how many bands.
        velocities: whether to return the group velocities too, by the Hellmann-Feynman theorem. Where bands cross they belong to
            some basis of the crossing modes; for the lowest band at k = 0, which has a cone there, they are not a number.
        n_waves: plane waves, the square of an odd number (for :class:`FourierCells` those that their coefficients allow).
        reduced: modes kept at each corner of a quarter zone, for the reduced Bloch-mode expansion; None solves in all plane waves.
            12 keep the first six bands of cells of this kind within 2e-3.

    Returns:
        Frequencies omega a / (2 pi c) ``[*cells, n_k, n_bands]``, float64, ascending, of ``eps``'s kind; with ``velocities`` also
        d omega / d k ``[*cells, n_k, n_bands, 2]`` in units of c.

    Raises:
        ArgumentError: permittivities that are not positive or not square images, wave vectors of another shape, or more bands than
            modes.

    >>> empty = torch.full((32, 32), 4.0)
    >>> bands(empty, torch.tensor([[0.3, 0.4]]), 2)           # |k| / 2, and the next plane wave
    tensor([[0.2500, 0.3354]], dtype=torch.float64)
    """
    cells = eps if isinstance(eps, FourierCells) else fourier(eps, n_waves)
    as_numpy = isinstance(eps, np.ndarray)
    coefficients = cells.coefficients
    points = torch.as_tensor(k).to(device=coefficients.device, dtype=coefficients.real.dtype)
    if points.ndim != 2 or points.shape[1] != 2:
        raise ArgumentError("k", "wave vectors [n_k, 2] in units of 2 pi / a", f"shape {tuple(points.shape)}")
    check_sizes(cells, n_bands, reduced)
    folded = points - (points - 0.5).ceil()
    batch = coefficients.shape[:-2]
    found = [solve(part, folded, n_bands, reduced, velocities) for part in chunks(cells, len(folded), n_bands, reduced)]
    omega = torch.cat([f for f, _ in found]).reshape(*batch, len(folded), n_bands)
    if not velocities:
        return omega.numpy() if as_numpy else omega
    slopes = torch.cat([v for _, v in found if v is not None]).reshape(*batch, len(folded), n_bands, 2)
    return (omega.numpy(), slopes.numpy()) if as_numpy else (omega, slopes)


def check_sizes(cells: FourierCells, n_bands: int, reduced: int | None) -> None:
    """Raise ArgumentError unless there are cells, and modes enough for the bands."""
    waves = (2 * cells.order + 1) ** 2
    if not cells.coefficients.numel():
        raise ArgumentError("eps", "at least one cell", f"a batch of shape {tuple(cells.coefficients.shape[:-2])}")
    if reduced is not None and (not isinstance(reduced, int) or not 1 <= reduced <= waves // 4):
        raise ArgumentError(
            "reduced", f"None, or modes per corner from 1 to {waves // 4} (a quarter of the plane waves)", repr(reduced)
        )
    most = waves if reduced is None else 4 * reduced
    if not isinstance(n_bands, int) or not 1 <= n_bands <= most:
        raise ArgumentError("n_bands", f"an integer from 1 to {most}, the size of the basis", repr(n_bands))


def chunks(cells: FourierCells, n_k: int, n_bands: int, reduced: int | None, refine: int = 1) -> Iterator[FourierCells]:
    """The cells in batches ``[b]`` whose matrices at ``n_k`` wave vectors stay within :data:`CHUNK_BYTES`."""
    waves = (2 * cells.order + 1) ** 2
    size = waves if reduced is None else 4 * reduced
    pieces = 0 if refine == 1 else refine**2 * 8 * (n_bands + 2) ** 2
    bytes_each = 16 * (n_k * (3 * size**2 + pieces) + 8 * waves**2)
    flat = cells.coefficients.flatten(0, -3) if cells.coefficients.ndim > 2 else cells.coefficients.unsqueeze(0)
    for part in flat.split(max(1, CHUNK_BYTES // bytes_each)):
        yield FourierCells(part)


def solve(cells: FourierCells, k: Tensor, n_bands: int, reduced: int | None, velocities: bool) -> tuple[Tensor, Tensor | None]:
    """Frequencies ``[b, n_k, n_bands]`` of one chunk at wave vectors of the first zone, and velocities ``[b, n_k, n_bands, 2]``."""
    waves = PlaneWaves.of(cells)
    if reduced is None:
        return waves.full().solve(k, n_bands, velocities)
    # Time reversal brings every k to k_x >= 0, where it turns the velocity round.
    sign = 1.0 - 2.0 * (k[:, :1] < 0).to(k.dtype)
    reflected = sign * k
    omega = k.new_empty(len(cells.coefficients), len(k), n_bands)
    slopes = k.new_empty(*omega.shape, 2) if velocities else None
    for operator, inside in zip(waves.reduced(reduced), (reflected[:, 1] >= 0, reflected[:, 1] < 0)):
        found, slope = operator.solve(reflected[inside], n_bands, velocities)
        omega[:, inside] = found
        if slopes is not None and slope is not None:
            slopes[:, inside] = slope * sign[inside, None]
    return omega, slopes
