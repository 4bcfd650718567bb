"""Matter that reaches null infinity: how the boundary data change in time, and the charges that it carries away."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.fields.spacetime import series
from erlangen.fields.spacetime.data import BoundaryData
from erlangen.fields.spacetime.fields import Given, as_values
from erlangen.fields.spacetime.series import circle
from erlangen.fields.spacetime.vectors import check_end

#: ``flux(w, phi)``: a time and the angles ``[N]`` to values ``[N]``, or a number.
Flux = Callable[[float, Tensor], Any]
#: Gauss points between two times.
NODES = 20
#: So often a time between two others is halved, until its quadrature is exact.
HALVINGS = 8


@dataclass(frozen=True)
class History:
    """Boundary data in time, and the fluxes that changed them.

    Attributes:
        times: of ``u`` or ``v``, increasing, ``[t]``.
        theta, momentum: ``Theta`` and ``N = Xi + (w/2) Theta'``, ``[t, n]``.
        end, G: as of :class:`BoundaryData`.
        energy_flux, momentum_flux: ``r T_ww`` and ``r T_w phi`` at infinity.
    """

    times: Float[Tensor, " t"]
    theta: Float[Tensor, "t n"]
    momentum: Float[Tensor, "t n"]
    end: str
    G: float
    energy_flux: Flux
    momentum_flux: Flux

    @property
    def xi(self) -> Float[Tensor, "t n"]:
        """``Xi = N - (w/2) Theta'``: what stays as it is without matter."""
        return self.momentum - 0.5 * self.times[:, None] * series.derivatives(self.theta, 1)[0]

    @property
    def data(self) -> BoundaryData:
        """The boundary data at all times, as a batch."""
        return BoundaryData(self.theta, self.xi, self.end, self.G)

    def charge(self, T: Given, Y: Given = 0.0) -> Float[Tensor, " t"]:
        """The charge of a generator at all times."""
        return self.data.charge(T, Y)

    def carried(self, T: Given, Y: Given = 0.0) -> Float[Tensor, " t"]:
        """What fluxes carry off (at the future end) or bring in (at the past end) since the first time, by quadrature of
        ``int dw dphi (F r T_ww + Y r T_wphi)`` with ``F = T + w Y'``, without solving for the data: SciPy's adaptive Gauss-Kronrod
        rule, so that it shares no points with :func:`evolve`.

        The change of a charge is this with the sign - at the future and + at the past end.
        """
        from scipy.integrate import quad_vec

        n = self.theta.shape[-1]
        t, y = (as_values(v, n, name) for v, name in ((T, "T"), (Y, "Y")))
        (dy,) = series.derivatives(y, 1)
        phi, total = circle(n), [torch.zeros(3, n, dtype=torch.float64)]

        def rates(w: float) -> Any:
            energy = _at(self.energy_flux, w, phi, "energy_flux").detach()
            momentum = _at(self.momentum_flux, w, phi, "momentum_flux").detach()
            return torch.stack([energy, w * energy, momentum]).double().numpy()

        for a, b in zip(self.times[:-1].tolist(), self.times[1:].tolist()):
            part, _ = quad_vec(rates, a, b, epsabs=1e-13, epsrel=1e-13, norm="max", limit=500)
            total.append(total[-1] + torch.from_numpy(part))
        energy, late, momentum = torch.stack(total).unbind(1)
        return 2 * math.pi * (t * energy + dy * late + y * momentum).mean(-1)


def evolve(
    data: BoundaryData, energy_flux: Flux, momentum_flux: Flux = lambda w, phi: 0.0, *, times: Float[Tensor, " t"] | Any
) -> History:
    """Follow boundary data under given fluxes: ``Theta_w = -+16 pi G r T_ww``, ``N_w = Theta'/2 -+ 8 pi G r T_wphi``.

    The upper signs hold at the future end, where matter leaves, the lower ones at the past end, where it comes in. The signs
    are derived by :func:`erlangen.fields.spacetime.derive`, ``"matter"``.

    Args:
        data: one datum, at ``times[0]``.
        energy_flux: ``r T_ww`` at infinity, of a time and the angles.
        momentum_flux: ``r T_wphi``.
        times: finite, increasing, at least two. Between two of them there are 20 Gauss points, and 40 where these agree no more, and so on:
            a pulse that falls between all 60 is not seen.

    Warns:
        UserWarning: a flux that is not integrated to 1e-10 by :data:`HALVINGS` halvings of a time, as where it jumps.

    Raises:
        ArgumentError: a batch of data, times that do not increase, a flux that is not real and finite or has another length.

    >>> burst = lambda u, phi: math.exp(-u * u) * (1 + torch.cos(phi))
    >>> history = evolve(BoundaryData(0.5, 0, n=16), burst, times=torch.linspace(-6, 6, 13))
    >>> lost = history.charge(1)[-1] - history.charge(1)[0]           # - 2 pi sqrt(pi)
    >>> bool((lost + 2 * math.pi ** 1.5).abs() < 1e-12)
    True
    """
    if data.batch:
        raise ArgumentError("data", "one datum", f"a batch {data.batch}")
    times = torch.as_tensor(times, dtype=torch.float64)
    if times.ndim != 1 or len(times) < 2 or not bool((times.diff() > 0).all() & times.isfinite().all()):
        raise ArgumentError("times", "at least two increasing times", f"{times.tolist()[:4]} ...")
    for name, flux in (("energy_flux", energy_flux), ("momentum_flux", momentum_flux)):
        if not callable(flux):
            raise ArgumentError(name, "a function of a time and the angles", type(flux).__name__)
    sign, phi = -check_end(data.end), circle(data.n)

    def moments(a: float, b: float) -> Tensor:
        """``int E``, ``int (b - w) E`` and ``int P``, ``[3, n]``."""
        total = torch.zeros(3, data.n, dtype=torch.float64)
        for x, weight in zip(nodes.tolist(), weights.tolist()):
            w = a + (b - a) * x
            energy = _at(energy_flux, w, phi, "energy_flux")
            momentum = _at(momentum_flux, w, phi, "momentum_flux")
            total = total + weight * (b - a) * torch.stack([energy, (b - w) * energy, momentum])
        return total

    def joined(first: Tensor, second: Tensor, after: float) -> Tensor:
        """Of two intervals, of which the second is so long."""
        return torch.stack([first[0] + second[0], first[1] + after * first[0] + second[1], first[2] + second[2]])

    def halved(a: float, b: float, whole: Tensor, left: int) -> tuple[Tensor, float]:
        """The same, by halves until these agree with the whole; and by how much they do not."""
        c = (a + b) / 2
        first, second = moments(a, c), moments(c, b)
        both = joined(first, second, b - c)
        off = float((both - whole).detach().abs().max())
        if off <= 1e-13 * (1 + float(both.detach().abs().max())):
            return both, 0.0
        if not left:
            return both, off
        (early, one), (late, two) = halved(a, c, first, left - 1), halved(c, b, second, left - 1)
        return joined(early, late, b - c), one + two

    nodes, weights = _nodes()
    theta, missing = data.theta, 0.0
    momentum = data.xi + 0.5 * times[0] * series.derivatives(data.theta, 1)[0]
    kept = [(theta, momentum)]
    for a, b in zip(times[:-1].tolist(), times[1:].tolist()):
        step = b - a
        (gain, weighted, kick), off = halved(a, b, moments(a, b), HALVINGS)
        missing += off
        scale = 16 * math.pi * data.G * sign
        (slope,), (more,) = series.derivatives(theta, 1), series.derivatives(weighted, 1)
        momentum = momentum + 0.5 * (step * slope + scale * more) + 0.5 * scale * kick
        theta = theta + scale * gain
        kept.append((theta, momentum))
    if missing > 1e-10:
        warnings.warn(f"fluxes are integrated to {missing:.1e} only: end a time where they jump", UserWarning, stacklevel=2)
    thetas, momenta = (torch.stack(column) for column in zip(*kept))
    return History(times, thetas, momenta, data.end, data.G, energy_flux, momentum_flux)


def _at(flux: Flux, w: float, phi: Tensor, argument: str) -> Tensor:
    return as_values(flux(w, phi), len(phi), argument)


@lru_cache(maxsize=1)
def _nodes() -> tuple[Tensor, Tensor]:
    import numpy as np

    x, weights = np.polynomial.legendre.leggauss(NODES)
    with torch.inference_mode(False):
        return torch.from_numpy((x + 1) / 2), torch.from_numpy(weights / 2)
