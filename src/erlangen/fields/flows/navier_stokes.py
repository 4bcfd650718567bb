"""`ns2d`: two-dimensional incompressible flow on a torus, by its vorticity."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.fields.flows.spectral import Plane, check_square, integrate, steps_between

#: What drives the flow, as functions of the coordinates x and y in [0, 1).
FORCINGS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "NS-Sym": lambda x, y: 0.1 * (torch.cos(4 * math.pi * x) + torch.cos(4 * math.pi * y)),
    "NS": lambda x, y: 0.1 * (torch.sin(2 * math.pi * (x + y)) + torch.cos(2 * math.pi * (x + y))),
    "NS-A2": lambda x, y: (
        0.2 * torch.sin(4 * math.pi * x) * torch.sin(4 * math.pi * y) * (torch.cos(4 * math.pi * x) - torch.cos(4 * math.pi * y))
    ),
    "decaying": lambda x, y: torch.zeros_like(x),
}


def forcing_of(name: str, size: int) -> Float[Tensor, "n n"]:
    """A named forcing of the vorticity on a grid: ``"NS-Sym"``, which quarter turns leave alone and mirrors do, too, so that with them
    it is no pseudoscalar; ``"NS"``, along a diagonal; ``"NS-A2"``, which changes its sign in mirrors as a vorticity does; ``"decaying"``.

    Raises:
        ArgumentError: there is no such forcing.

    >>> forcing_of("NS-Sym", 4)[0]
    tensor([0.2000, 0.0000, 0.2000, 0.0000], dtype=torch.float64)
    """
    if name not in FORCINGS:
        raise ArgumentError("forcing", f"one of {', '.join(FORCINGS)}, or a field", repr(name))
    line = torch.arange(size, dtype=torch.float64) / size
    return FORCINGS[name](*torch.meshgrid(line, line, indexing="ij"))


def ns2d(
    w0: Float[Tensor, "*batch n n"],
    frames: int = 20,
    forcing: str | Float[Tensor, "n n"] = "NS-Sym",
    viscosity: float = 1e-4,
    every: float = 1.0,
    dt: float = 0.1,
) -> Float[Tensor, "*batch frames n n"]:
    """The vorticity of a flow on the unit torus at the times ``every, 2 every, ...``.

    ``dw/dt + u . grad w = viscosity laplacian w + f``, with ``u = (d psi / dy, -d psi / dx)`` and ``-laplacian psi = w``. Spectral in
    space with the 2/3 rule, so that waves at and above a third of the points are cut off; of order 4 in time, viscosity exactly. Batched;
    the mean of the vorticity follows that of the forcing.

    Args:
        w0: vorticity at time 0; axis -2 is x, axis -1 is y.
        frames: how many.
        forcing: a name (see :func:`forcing_of`) or a field.
        viscosity: zero or more.
        every: time between frames.
        dt: longest time step. For the forcings above on 64 points 0.1 is converged: to 1e-5 after a time of 10, to some 1e-5 after 20.
            The Courant number ``|u| n dt`` should stay below about 2.

    Raises:
        ArgumentError: fields are not square, real and finite, a number is out of its range, or the flow has more enstrophy than transport
            and force allow: the steps are too long.

    >>> line = torch.arange(16, dtype=torch.float64) / 16
    >>> x, y = torch.meshgrid(line, line, indexing="ij")
    >>> k = 2 * torch.pi
    >>> vortex = 2 * k * torch.cos(k * x) * torch.cos(k * y)         # Taylor and Green: it only decays
    >>> w = ns2d(vortex, frames=1, forcing="decaying", viscosity=0.01, dt=0.01)
    >>> torch.allclose(w[0], vortex * math.exp(-2 * 0.01 * k**2), atol=1e-10)
    True
    """
    size = check_square(w0, "w0")
    steps, dt = steps_between(every, dt)
    if not isinstance(frames, int) or frames < 1:
        raise ArgumentError("frames", "a positive number of frames", repr(frames))
    if not 0 <= viscosity < math.inf:
        raise ArgumentError("viscosity", "zero or a positive number", repr(viscosity))
    if not w0.numel():
        return w0.new_zeros(*w0.shape[:-2], frames, size, size)
    plane = Plane(size, w0.dtype, w0.device)
    field = forcing_of(forcing, size) if isinstance(forcing, str) else forcing
    if not isinstance(field, Tensor) or field.is_complex() or field.shape != (size, size):
        got = f"{tuple(field.shape)}, {field.dtype}" if isinstance(field, Tensor) else type(field).__name__
        raise ArgumentError("forcing", f"a real field [{size}, {size}] or a name", got)
    if not bool(field.isfinite().all()):
        raise ArgumentError("forcing", "finite numbers", "NaN or infinity")
    push = plane.to_waves(field.to(w0))
    to_velocity, gradient = _stream(plane), 1j * plane.k

    def slope(w: Tensor) -> Tensor:
        # Velocity and gradient in one transform: [*batch, 4, n, n].
        points = plane.to_points(torch.cat([to_velocity, gradient]) * w.unsqueeze(-3))
        u, v, w_x, w_y = points.unbind(-3)
        return push - plane.to_waves(u * w_x + v * w_y)

    waves, kept = plane.to_waves(w0), []
    for _ in range(frames):
        waves = integrate(waves, viscosity * plane.squared, slope, dt, steps)
        kept.append(plane.to_points(waves))
    made = torch.stack(kept, -3)
    if not bool((_size(made) <= ROUNDED * _most(plane.to_points(plane.to_waves(w0)), plane.to_points(push), frames, every)).all()):
        raise ArgumentError("dt", "steps so short that no more vorticity comes than the force can make", repr(dt), "halve it")
    return made


#: What rounding and the errors of steps that are short enough may add to a bound.
ROUNDED = 1.01


def _size(w: Tensor) -> Tensor:
    """The root of the mean square, of each frame."""
    return torch.linalg.vector_norm(w.detach(), dim=(-2, -1)) / w.shape[-1]


def _most(w0: Tensor, force: Tensor, frames: int, every: float) -> Tensor:
    """What ``|w|`` may be in each frame: transport keeps it, of the kept waves too; viscosity lowers it, a force adds its own."""
    times = every * torch.arange(1, frames + 1, dtype=w0.dtype, device=w0.device)
    return _size(w0).unsqueeze(-1) + times * _size(force) + torch.finfo(w0.dtype).tiny


def velocity(w: Float[Tensor, "*batch n n"]) -> Float[Tensor, "*batch 2 n n"]:
    """The velocity, without a mean, whose vorticity ``d v / dx - d u / dy`` is ``w`` less its mean.

    >>> w = torch.randn(8, 8, dtype=torch.float64)
    >>> velocity(w).shape
    torch.Size([2, 8, 8])
    """
    size = check_square(w, "w")
    if not w.numel():
        return w.new_zeros(*w.shape[:-2], 2, size, size)
    plane = Plane(size, w.dtype, w.device)
    return plane.to_points(_stream(plane) * torch.fft.rfft2(w).unsqueeze(-3))


def _stream(plane: Plane) -> Tensor:
    """From a vorticity to both components of the velocity, ``[2, n, half]``."""
    inverse = torch.where(plane.squared > 0, 1 / plane.squared.clamp_min(1e-300 if plane.k.dtype == torch.float64 else 1e-30), 0)
    return torch.stack([1j * plane.k[1] * inverse, -1j * plane.k[0] * inverse])
