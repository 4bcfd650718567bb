"""Random two-material unit cells of square photonic crystals, with any plane group that a square lattice allows.

A cell is a level set of a short real Fourier series (the generator of Loh et al., Nature Communications 13, 4223, 2022): what lies
above the level is one material, the rest another. A plane group is imposed on the coefficients, before anything becomes pixels.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from erlangen.actions.images import Images
from erlangen.errors import ArgumentError
from erlangen.groups import Dihedral

#: Point operations, as (quarter turns, mirrored first in the x axis), and then a translation in half cells.
Operation = tuple[int, int, int, int]

_ONE, _HALF_TURN = (0, 0, 0, 0), (2, 0, 0, 0)
_TURNS = (_ONE, (1, 0, 0, 0), _HALF_TURN, (3, 0, 0, 0))

#: The twelve plane groups of a square cell of one period: representatives modulo translations by whole cells. The rhombic groups cm
#: and cmm have their mirrors along the diagonals, so that the cell is primitive.
PLANE_GROUPS: dict[str, tuple[Operation, ...]] = {
    "p1": (_ONE,),
    "p2": (_ONE, _HALF_TURN),
    "pm": (_ONE, (2, 1, 0, 0)),
    "pg": (_ONE, (2, 1, 0, 1)),
    "cm": (_ONE, (1, 1, 0, 0)),
    "pmm": (_ONE, _HALF_TURN, (2, 1, 0, 0), (0, 1, 0, 0)),
    "pmg": (_ONE, _HALF_TURN, (2, 1, 1, 0), (0, 1, 1, 0)),
    "pgg": (_ONE, _HALF_TURN, (2, 1, 1, 1), (0, 1, 1, 1)),
    "cmm": (_ONE, _HALF_TURN, (1, 1, 0, 0), (3, 1, 0, 0)),
    "p4": _TURNS,
    "p4m": (*_TURNS, *((k, 1, 0, 0) for k in range(4))),
    "p4g": (*_TURNS, *((k, 1, 1, 1) for k in range(4))),
}


def symmetrize_coefficients(c: Complex[Tensor, "*batch m m"], plane_group: str) -> Complex[Tensor, "*batch m m"]:
    """Average Fourier coefficients over a plane group.

    The coefficient of ``exp(2 pi i (n x + m y))`` stands at column ``h + n`` and row ``h - m`` (``h`` the highest harmonic), so the
    point operations move the coefficients as they move an image; a translation ``t`` multiplies them by ``exp(-2 pi i G . t)``.

    Raises:
        ArgumentError: no plane group of a square cell has that name.

    >>> c = torch.zeros(3, 3, dtype=torch.complex128)
    >>> c[1, 2] = 1.0                                    # exp(2 pi i x)
    >>> symmetrize_coefficients(c, "p4").abs()
    tensor([[0.0000, 0.2500, 0.0000],
            [0.2500, 0.0000, 0.2500],
            [0.0000, 0.2500, 0.0000]], dtype=torch.float64)
    """
    if plane_group not in PLANE_GROUPS:
        raise ArgumentError("plane_group", f"one of {', '.join(PLANE_GROUPS)} (those of a square cell)", repr(plane_group))
    operations = torch.tensor(PLANE_GROUPS[plane_group], device=c.device)
    group = Dihedral(4)
    elements = group.element(operations[:, 0], operations[:, 1])
    moved = Images(group.irrep(1)).act(elements, c.reshape(1, -1, *c.shape[-2:])).reshape(len(operations), *c.shape)
    harmonic = torch.arange(c.shape[-1], device=c.device) - c.shape[-1] // 2
    half_turns = operations[:, 2, None, None] * harmonic + operations[:, 3, None, None] * harmonic.flip(0)[:, None]
    signs = (1 - 2 * (half_turns % 2)).to(c.real.dtype)
    return (moved * signs.reshape(-1, *(1,) * (c.ndim - 2), *c.shape[-2:])).mean(0)


def random_cells(
    n: int,
    plane_group: str | None = None,
    *,
    size: int = 32,
    harmonics: int = 1,
    fill: tuple[float, float] = (0.01, 0.99),
    eps: tuple[float, float] = (1.0, 20.0),
    seed: int = 0,
) -> Float[Tensor, "n size size"]:
    """Random permittivities of two-material cells: level sets of ``Re sum c exp(2 pi i (n x + m y))`` with ``|n|, |m| <= harmonics``.

    Coefficients have a uniform modulus and a uniform phase; the level is the quantile ``fill`` of the values at the pixels' centres;
    what lies above it has one permittivity, the rest another, both uniform in ``eps``. Pixels that the plane group makes equal fall
    on the same side, and both materials occur. The first cells of a longer list are those of a shorter one with the same seed.

    With few harmonics a cell may have more symmetry than asked for: ``"pg"``, ``"pgg"`` and ``"p4g"`` want ``harmonics=2``.

    Args:
        n: number of cells.
        plane_group: a short Hermann-Mauguin symbol, one of :data:`PLANE_GROUPS`; None is ``"p1"``, no symmetry.
        size: pixels per side.
        harmonics: highest harmonic along each axis.
        fill: interval of the share of pixels below the level.
        eps: interval of the two permittivities.
        seed: of the random numbers.

    Returns:
        Permittivities, float64; columns go along x, rows against y, values at pixels' centres.

    Raises:
        ArgumentError: an unknown plane group, an empty interval, ``eps`` not positive, or sizes below what the harmonics need.

    >>> cells = random_cells(3, "pm", seed=1)
    >>> cells.shape, bool((cells == cells.flip(-1)).all())
    (torch.Size([3, 32, 32]), True)
    """
    for name, value, least in (("n", n, 1), ("harmonics", harmonics, 1), ("size", size, 2 * harmonics + 2)):
        if not isinstance(value, int) or value < least:
            raise ArgumentError(name, f"an integer of at least {least}", repr(value))
    if not 0 <= fill[0] <= fill[1] <= 1:
        raise ArgumentError("fill", "an interval (low, high) inside [0, 1]", repr(fill))
    if not 0 < eps[0] <= eps[1] < math.inf:
        raise ArgumentError("eps", "an interval (low, high) of positive permittivities", repr(eps))
    side = 2 * harmonics + 1
    generator = torch.Generator().manual_seed(seed)
    draws = torch.rand(n, 2 * side**2 + 3, generator=generator, dtype=torch.float64)
    modulus, turn, rest = draws.split([side**2, side**2, 3], dim=1)
    c = symmetrize_coefficients(torch.polar(modulus, 2 * math.pi * turn).reshape(n, side, side), plane_group or "p1")
    values = evaluate(c, size)
    above = values > level(values.flatten(1), fill[0] + (fill[1] - fill[0]) * rest[:, 0])[:, None, None]
    low, high = (eps[0] + (eps[1] - eps[0]) * rest[:, 1:]).unsqueeze(-1).unbind(1)
    return torch.where(above, high[..., None], low[..., None])


def evaluate(c: Complex[Tensor, "*batch m m"], size: int) -> Float[Tensor, "*batch size size"]:
    """The real part of a Fourier series at the centres of ``size`` x ``size`` pixels."""
    harmonic = torch.arange(c.shape[-1], device=c.device) - c.shape[-1] // 2
    waves = pixel_waves(harmonic, size, c.real.dtype).conj()
    return (waves.flip(0).flip(1).mT @ c @ waves).real


def pixel_waves(harmonic: Tensor, size: int, dtype: torch.dtype) -> Complex[Tensor, "m size"]:
    """``exp(-2 pi i n x)`` at the pixels' centres ``x = (j + 1/2) / size``, by exact integer arithmetic of the phase."""
    twice = harmonic[:, None] * (2 * torch.arange(size, device=harmonic.device) + 1) % (2 * size)
    angle = twice.to(dtype) * (-math.pi / size)
    return torch.polar(torch.ones_like(angle), angle)


def level(values: Float[Tensor, "n p"], fill: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """A level with nearly the share ``fill`` of the values below it, between two values that differ by more than rounding."""
    ordered = values.sort(1).values
    gaps = ordered.diff(dim=1)
    wide = gaps > 1e-9 * (ordered[:, -1:] - ordered[:, :1])
    count = values.shape[1]
    below = torch.arange(1, count, device=values.device)
    wanted = (fill * count).round().clamp(1, count - 1)
    distance = (below - wanted[:, None]).abs().masked_fill(~wide, math.inf)
    place = distance.argmin(1, keepdim=True)
    return (ordered.gather(1, place) + gaps.gather(1, place) / 2).squeeze(1)
