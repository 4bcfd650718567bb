"""Exact laws of one particle under a delayed potential: what simulations are compared with.

All are values of one dimension times ``dim``, with ``kappa`` the stiffness divided by the friction (a rate) and ``D`` the diffusion
coefficient without the potential. Times and lengths may have any units.

Sources: D. Saha, S. Tarama, H. Loewen, S. U. Egelhaaf (2024), arXiv:2408.00336, for the experiment; the delay equation and its Green
function as in D. Geiss, K. Kroy, V. Holubec (2019), arXiv:1905.07192.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from erlangen.errors import ArgumentError

Numbers = NDArray[np.float64]
#: Below this product of rate and delay its third order is below the rounding of the closed form, which divides by it.
_WEAK = 1e-4


def msd_delayed_harmonic(
    t: Any, kappa: float, tau: float, D: float = 1.0, dim: int = 1, method: Literal["steps", "spectrum", "green"] = "steps"
) -> Numbers:
    """The mean square displacement of ``dx = -kappa (x(t) - x(t - tau)) dt + sqrt(2 D) dW`` with stationary increments.

    Args:
        t: times, not negative, of any shape.
        kappa: rate of the delayed potential, above ``-1 / tau``.
        tau: the delay.
        D: diffusion coefficient of the free particle.
        dim: dimensions.
        method: ``"steps"``, the delay equation solved interval by interval in closed form; ``"spectrum"``, an integral over frequencies;
            ``"green"``, an integral over the squared Green function. They agree to 1e-6 or better; the first is the quickest.

    Raises:
        ArgumentError: increments are not stationary (``kappa tau <= -1``), or an argument has no meaning.

    >>> msd_delayed_harmonic([0.1, 0.5, 5.0], kappa=10, tau=0.1).round(6).tolist()
    [0.1, 0.295847, 2.545833]
    """
    check_stationary(kappa, tau)
    _positive("D", D)
    times = _times(t)
    if method == "steps":
        value = _by_steps(times.ravel(), kappa, tau)
    elif method == "spectrum":
        value = np.array([_by_spectrum(one, kappa, tau) for one in times.ravel()])
    elif method == "green":
        value = np.array([_by_green(one, kappa, tau) for one in times.ravel()])
    else:
        raise ArgumentError("method", "'steps', 'spectrum' or 'green'", repr(method))
    return dim * D * value.reshape(times.shape)


def effective_diffusion(kappa: float, tau: float, D: float = 1.0) -> float:
    """The diffusion coefficient at long times, ``D / (1 + kappa tau)^2``; Euler's scheme with ``tau = n dt`` has exactly the same.

    >>> round(36 * effective_diffusion(5, 1), 12)
    1.0
    """
    check_stationary(kappa, tau)
    return D / (1 + kappa * tau) ** 2


def green_function(t: Any, kappa: float, tau: float) -> Numbers:
    """The answer ``G(t)`` of a particle at rest to a push: ``sum_k (kappa s_k)^k exp(-kappa s_k) / k!`` with ``s_k = t - k tau >= 0``.

    It tends to ``1 / (1 + kappa tau)``. Evaluated on the delay equation's intervals, without the cancellation that the sum has for
    negative rates.

    >>> green_function([0.0, 50.0], 5.0, 1.0).round(6).tolist()
    [1.0, 0.166667]
    """
    check_stationary(kappa, tau)
    times = _times(t)
    limit = 1 / (1 + kappa * tau)

    flat = times.ravel()
    out = np.full(flat.shape, limit)
    for n, q in _intervals(kappa, tau, flat.max(initial=0.0), limit):
        here = (flat >= n * tau) & (flat < (n + 1) * tau)
        s = flat[here] - n * tau
        out[here] = np.exp(-kappa * s) * np.polynomial.polynomial.polyval(s, q)
    return out.reshape(times.shape)


def hold_increment_variance(kappa: float, period: float, D: float = 1.0) -> float:
    """The variance (one dimension) of the step between two updates of a harmonic potential, set anew on the particle every ``period``.

    >>> round(hold_increment_variance(1e-9, 2.0), 6)         # without a potential: 2 D T
    4.0
    """
    _positive("period", period)
    return 2 * D * period if kappa == 0 else -D / kappa * math.expm1(-2 * kappa * period)


def hold_effective_diffusion(kappa: float, period: float, D: float = 1.0) -> float:
    """The diffusion coefficient in sample-and-hold mode without latency: ``D (1 - exp(-2 kappa T)) / (2 kappa T)``.

    >>> round(hold_effective_diffusion(10.0, 0.1), 4)
    0.4323
    """
    return hold_increment_variance(kappa, period, D) / (2 * period)


def annular_speed(kappa: float, radius: float, tau: float) -> float:
    """The steady speed ``kappa R / (1 + kappa tau)`` of a particle pushed by a ring about where it was ``tau`` ago.

    >>> annular_speed(20, 2, 0.2)
    8.0
    """
    check_stationary(kappa, tau)
    if radius < 0:
        raise ArgumentError("radius", "a length, not negative", repr(radius))
    return kappa * radius / (1 + kappa * tau)


def annular_rotational_diffusion(kappa: float, radius: float, tau: float, D: float = 1.0) -> float:
    """How fast such a particle forgets its heading in two dimensions, ``4 D / (v tau)^2``; for noise that is weak beside the ring.

    >>> round(annular_rotational_diffusion(20, 2, 0.2), 6)
    1.5625
    """
    return 4 * D / (annular_speed(kappa, radius, tau) * tau) ** 2


def msd_active_brownian(t: Any, speed: float, rotational: float, translational: float = 1.0) -> Numbers:
    """The mean square displacement of an active Brownian particle in two dimensions.

    ``4 D_T t + 2 v^2 / D_r^2 (D_r t - 1 + exp(-D_r t))``, at long times ``4 (D_T + v^2 / (2 D_r)) t``.

    >>> round(float(msd_active_brownian(1e-3, 2.0, 1.0, 0.0)) / 4e-6, 3)          # first it moves straight on
    1.0
    """
    _positive("rotational", rotational)
    x = rotational * _times(t)
    # x - 1 + exp(-x) loses all digits for small x: there its series.
    bent = np.where(x < 1e-3, x**2 / 2 * (1 - x / 3 + x**2 / 12), x + np.expm1(-x))
    return 4 * translational * x / rotational + 2 * (speed / rotational) ** 2 * bent


def trap_variance(t: Any, kappa: float, D: float = 1.0) -> Numbers:
    """The variance (one dimension) in a trap at rest, from a fixed start: ``(D / kappa) (1 - exp(-2 kappa t))``.

    This is a delayed potential before the delay has passed.

    >>> trap_variance([0.0, 100.0], 2.0).tolist()
    [0.0, 0.5]
    """
    return -D / kappa * np.expm1(-2 * kappa * _times(t))


def check_stationary(kappa: float, tau: float) -> None:
    """Refuse what has no stationary increments.

    Raises:
        ArgumentError: ``tau`` is not positive, or ``kappa tau <= -1``, where the particle propels itself.
    """
    _positive("tau", tau)
    if not math.isfinite(kappa) or kappa * tau <= -1:
        raise ArgumentError(
            "kappa",
            f"a rate above {-1 / tau:.6g}, so that increments are stationary",
            repr(kappa),
            "below, the particle propels itself",
        )


def _positive(name: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise ArgumentError(name, "a positive number", repr(value))


def _times(t: Any) -> Numbers:
    times = np.asarray(t, dtype=np.float64)
    if not np.isfinite(times).all() or (times < 0).any():
        raise ArgumentError("t", "finite times, not negative", repr(t))
    return times


def _intervals(kappa: float, tau: float, longest: float, limit: float) -> Iterator[tuple[int, Numbers]]:
    """The Green function ``exp(-kappa s) q_n(s)`` on the intervals ``[n tau, (n + 1) tau]``: ``q_n' = kappa q_{n-1}``, continuous.

    It ends where the function has reached its limit.
    """
    polynomial = np.polynomial.polynomial
    q = np.array([1.0])
    degree = int(40 + 4 * abs(kappa) * tau)
    for n in range(int(longest / tau) + 2):
        yield n, q
        ends = np.exp(-kappa * np.array([0.0, tau / 3, tau])) * polynomial.polyval(np.array([0.0, tau / 3, tau]), q)
        if n > 3 and np.abs(ends - limit).max() < 1e-15 * abs(limit):
            return
        raised = polynomial.polyint(kappa * q)
        raised[0] = ends[-1]
        q = raised[:degree]


def _by_steps(t: Numbers, kappa: float, tau: float) -> Numbers:
    """Of unit ``D``: ``M' = 2 - kappa [M(tau) + M(t) - M(t - tau)]``, on each interval ``a s^2 + b s + c + exp(-kappa s) q(s)``."""
    at_tau = 2 * tau / (1 + kappa * tau)
    slope = 2 / (1 + kappa * tau) ** 2
    if abs(kappa) * tau < _WEAK:
        s = np.clip(t - tau, 0, tau)
        second = at_tau + 2 * s - kappa * (2 * at_tau * s - 2 * kappa * tau * s**2 + 2 * kappa * s**3 / 3)
        return np.where(t <= tau, 2 * t * (1 - kappa * t / (1 + kappa * tau)), second + slope * np.maximum(t - 2 * tau, 0))
    polynomial = np.polynomial.polynomial
    out = np.empty_like(t)
    p = np.array([0.0, 2.0, -2 * kappa / (1 + kappa * tau)])
    q = np.array([0.0])
    degree = int(40 + 4 * abs(kappa) * tau)
    done, n, before = t < 0, 0, 0.0
    while not done.all():
        here = ~done & (t <= (n + 1) * tau)
        s = t[here] - n * tau
        out[here] = polynomial.polyval(s, p) + np.exp(-kappa * s) * polynomial.polyval(s, q)
        done |= here
        end = polynomial.polyval(tau, p) + math.exp(-kappa * tau) * polynomial.polyval(tau, q)
        if n > 5 and abs(end - before - slope * tau) < 1e-14 * slope * tau:
            out[~done] = end + slope * (t[~done] - (n + 1) * tau)
            break
        c0 = np.array([2 - kappa * at_tau + kappa * p[0], kappa * p[1], kappa * p[2]])
        a = c0[2] / kappa
        b = (c0[1] - 2 * a) / kappa
        p = np.array([(c0[0] - b) / kappa, b, a])
        q = polynomial.polyint(kappa * q)[:degree]
        q[0] = end - p[0]
        before, n = end, n + 1
    return out


def _by_spectrum(t: float, kappa: float, tau: float) -> float:
    """Of unit ``D``: ``(4 / pi) int (1 - cos w t) / |i w + kappa (1 - exp(-i w tau))|^2 dw``, the free particle's part taken out."""
    if t == 0:
        return 0.0
    most = 400 * max(abs(kappa), 1 / tau)
    panel = 1.0 / max(t, tau)
    nodes, weights = np.polynomial.legendre.leggauss(12)
    count = math.ceil(most / panel)
    total = 0.0
    for first in range(0, count, 20_000):
        starts = panel * np.arange(first, min(count, first + 20_000))
        w = (starts[:, None] + panel * (nodes + 1) / 2).ravel()
        transfer = (kappa * (1 - np.cos(w * tau))) ** 2 + (w + kappa * np.sin(w * tau)) ** 2
        rest = 2 * np.sin(w * t / 2) ** 2 * (1 / transfer - 1 / w**2)
        total += float((rest.reshape(-1, len(nodes)) @ weights).sum()) * panel / 2
    return 2 * t + 4 / math.pi * total


def _by_green(t: float, kappa: float, tau: float) -> float:
    """Of unit ``D``: ``2 int_0^t G^2 + 2 int_0^inf (G(s + t) - G(s))^2``."""
    nodes, weights = np.polynomial.legendre.leggauss(16)

    def integral(f: Any, until: float, cuts: list[float]) -> float:
        edges = np.unique(np.concatenate([np.array(cuts), [0.0, until]]))
        edges = edges[(edges >= 0) & (edges <= until)]
        split = max(1, math.ceil(abs(kappa) * tau))
        edges = np.unique(np.concatenate([np.linspace(a, b, split + 1) for a, b in pairwise(edges)]))
        half = np.diff(edges) / 2
        s = (edges[:-1, None] + half[:, None] * (nodes + 1)).ravel()
        return float((f(s).reshape(-1, len(nodes)) @ weights) @ half)

    ticks = [n * tau for n in range(int(t / tau) + 2)]
    first = integral(lambda s: green_function(s, kappa, tau) ** 2, t, ticks)
    # Beyond, G has reached its limit: the slowest part decays as the rightmost root of the delay equation does.
    until = tau * (60 + 200 * (1 / (1 + kappa * tau) if kappa < 0 else 0) + 4 * abs(kappa) * tau)
    marks = [n * tau for n in range(int(until / tau) + 2)]
    marks += [n * tau - t for n in range(int((until + t) / tau) + 2)]
    second = integral(lambda s: (green_function(s + t, kappa, tau) - green_function(s, kappa, tau)) ** 2, until, marks)
    return 2 * (first + second)
