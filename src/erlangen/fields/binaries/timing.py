"""Orbital phase by electromagnetic timing: ephemerides, how they age, and the two scales of time.

Electromagnetic times are barycentric, in TDB; a detector's phases are wanted at the barycentre in TCB. The scales are 28 s apart in 2035
and the light needs up to 499 s across the Earth's orbit, while a quarter of the best sources' orbit is 80 to 190 s: without either
correction the answer is the wrong one.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from erlangen.errors import ArgumentError
from erlangen.extras import engine
from erlangen.verdict import Verdict

#: The orbital phase at which each event happens; star 1 is the one that angular momentum and phase are stated for.
EVENTS: Mapping[str, float] = {
    "star 1 eclipsed": 1.5 * math.pi,
    "star 2 eclipsed": 0.5 * math.pi,
    "star 1 approaches": 0.0,
    "star 1 recedes": math.pi,
}
#: Scales of barycentric times.
SCALES = ("tdb", "tcb")
#: An ephemeris is usable while its error is below this share of the period: five sigma from the boundary at an eighth.
USABLE_SHARE = 1 / 20
#: No ephemeris is followed beyond this many years.
HORIZON = 1000.0


@dataclass(frozen=True)
class Ephemeris:
    """When an event of an orbit happens: ``t = T0 + P n + P Pdot n^2 / 2`` for whole ``n``.

    Args:
        T0: ``astropy.time.Time``, barycentric, in TDB (or TCB); the other numbers are in seconds of its scale.
        P: period of the orbit, seconds.
        Pdot: its rate, seconds a second.
        sigma_T0, sigma_P, sigma_Pdot: standard deviations; ``None`` where they are not known.
        event: what happens at ``T0``; see ``EVENTS``.
        correlations: of the three errors, ``(T0 with P, T0 with Pdot, P with Pdot)``.

    Raises:
        ArgumentError: a time without a barycentric scale or with a place on Earth, numbers that are not positive or finite, an event
            that is not known.

    >>> from astropy.time import Time
    >>> e = Ephemeris(Time(2455652.598091, format="jd", scale="tdb"), 765.206543, -9.8e-12, 0.73, 5.5e-5, 2.8e-12)
    >>> round(e.sigma(Time(2036.0, format="jyear", scale="tdb"))), bool(e.usable_until().jyear < 2036)
    (1118, True)
    """

    T0: Any
    P: float
    Pdot: float = 0.0
    sigma_T0: float | None = None
    sigma_P: float | None = None
    sigma_Pdot: float | None = None
    event: str = "star 1 eclipsed"
    correlations: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        check_barycentric(self.T0, "T0")
        if not (_number(self.P) and self.P > 0):
            raise ArgumentError("P", "a positive number of seconds", repr(self.P))
        if not _number(self.Pdot):
            raise ArgumentError("Pdot", "a finite number", repr(self.Pdot))
        for name in ("sigma_T0", "sigma_P", "sigma_Pdot"):
            value = getattr(self, name)
            if value is not None and not (_number(value) and value >= 0):
                raise ArgumentError(name, "a number of at least 0, or None", repr(value))
        if self.event not in EVENTS:
            raise ArgumentError("event", f"one of {', '.join(EVENTS)}", repr(self.event))
        r, s, t = self.correlations
        C = np.array([[1, r, s], [r, 1, t], [s, t, 1]])
        if not np.isfinite(C).all() or np.linalg.eigvalsh(C)[0] < -1e-12:
            raise ArgumentError("correlations", "three numbers of a correlation matrix", repr(self.correlations))

    def cycles(self, t: Any) -> float:
        """How many periods, as a fraction, have gone by at a barycentric time.

        Raises:
            ArgumentError: a time that is not barycentric, or at which the period would have shrunk to nothing.
        """
        check_barycentric(t, "t")
        seconds = seconds_between(self.T0, t, self.T0.scale)
        root = 1 + 2 * self.Pdot * seconds / self.P
        if root <= 0:
            raise ArgumentError("t", "a time before the period has shrunk to nothing", f"{t!r}")
        return 2 * seconds / self.P / (1 + math.sqrt(root))

    def phase(self, t: Any) -> float:
        """The orbital phase in [0, 2 pi)."""
        return (EVENTS[self.event] + 2 * math.pi * (self.cycles(t) % 1)) % (2 * math.pi)

    def sigma_after(self, cycles: float) -> float:
        """The standard deviation of an event's time, seconds, so many cycles after ``T0``.

        Raises:
            ArgumentError: an error is not known.
        """
        for name in ("sigma_T0", "sigma_P", "sigma_Pdot"):
            if getattr(self, name) is None:
                raise ArgumentError(name, "a standard deviation, where weights are asked for", "None")
        a, b, c = self.sigma_T0 or 0.0, cycles * (self.sigma_P or 0.0), cycles**2 / 2 * self.P * (self.sigma_Pdot or 0.0)
        r, s, t = self.correlations
        return math.sqrt(max(a * a + b * b + c * c + 2 * (r * a * b + s * a * c + t * b * c), 0.0))

    def sigma(self, t: Any) -> float:
        """The standard deviation of the time of an event near ``t``, seconds."""
        return self.sigma_after(self.cycles(t))

    def sigma_phase(self, t: Any) -> float:
        """That of the waves' phase, twice the orbital one, radians."""
        return 4 * math.pi * self.sigma(t) / self.P

    def usable(self, t: Any) -> Verdict:
        """Whether the ephemeris decides between the pairs of directions at ``t``: its error below a twentieth of the period.

        The wrong pair is a quarter of a period off, the boundary between both an eighth.
        """
        error, limit = self.sigma(t), self.P * USABLE_SHARE
        numbers = {"sigma_t": error, "limit": limit, "quarter period": self.P / 4}
        reason = f"the error is {error:.3g} s, and up to {limit:.3g} s would do"
        return Verdict(error <= limit, f"the ephemeris is usable at {t.jyear:.2f}", "exact", numbers=numbers, reason=reason)

    def usable_until(self) -> Any:
        """The time at which the error reaches a twentieth of the period, or ``None`` if that is not within 1000 years.

        The first such time after ``T0``. Where it is reached at ``T0``, that is ``T0``.
        """
        limit = self.P * USABLE_SHARE
        if self.sigma_after(0.0) > limit:
            return self.T0
        longest = HORIZON * 365.25 * 86_400 / self.P
        if self.Pdot < 0:
            longest = min(longest, -1 / self.Pdot)  # then the period has shrunk to nothing
        # The variance is a polynomial of the fourth degree, which correlated errors let go up and down: between its turns it is monotone.
        a, b, c = self.sigma_T0 or 0.0, longest * (self.sigma_P or 0.0), longest**2 / 2 * self.P * (self.sigma_Pdot or 0.0)
        r, s, t = self.correlations
        turns = np.roots([4 * c * c, 6 * t * b * c, 2 * (b * b + 2 * s * a * c), 2 * r * a * b])
        places = [0.0, *sorted(x for x in np.real(turns).tolist() if 0 < x < 1), 1.0]
        found = [x * longest for x in places]
        i = next((i for i, n in enumerate(found) if self.sigma_after(n) > limit), None)
        if i is None:
            return None
        low, high = found[i - 1], found[i]
        for _ in range(200):
            middle = (low + high) / 2
            low, high = (middle, high) if self.sigma_after(middle) <= limit else (low, middle)
        units = engine("binaries", "astropy.units")
        return self.T0 + (self.P * low + self.P * self.Pdot * low**2 / 2) * units.s


def check_barycentric(t: Any, argument: str) -> None:
    """Raise ArgumentError unless ``t`` is one barycentric time: TDB or TCB, without a place on Earth."""
    astropy = engine("binaries", "astropy.time")
    if not isinstance(t, astropy.Time):
        raise ArgumentError(
            argument, "an astropy.time.Time with a scale", repr(t), 'e.g. Time(2455652.6, format="jd", scale="tdb")'
        )
    if not t.isscalar:
        raise ArgumentError(argument, "one time", f"{len(t)} times")
    if t.scale not in SCALES:
        raise ArgumentError(argument, "a barycentric time, in scale tdb or tcb", f"scale {t.scale!r}", "see barycentric(t, sky)")
    if t.location is not None:
        raise ArgumentError(
            argument, "a barycentric time", f"a time at a place on Earth, {t.location!r}", "see barycentric(t, sky)"
        )


def seconds_between(start: Any, end: Any, scale: str) -> float:
    """``end - start`` in seconds of a scale, to nanoseconds over centuries."""
    a, b = getattr(start, scale), getattr(end, scale)
    return float(((b.jd1 - a.jd1) + (b.jd2 - a.jd2)) * 86_400)


def tcb_minus_tdb(t: Any) -> float:
    """How far TCB is ahead of TDB at a time, seconds.

    >>> from astropy.time import Time
    >>> round(tcb_minus_tdb(Time("2035-01-01", scale="tdb")), 1)
    28.4
    """
    a, b = t.tdb, t.tcb
    return float(((b.jd1 - a.jd1) + (b.jd2 - a.jd2)) * 86_400)


def barycentric(t: Any, sky: Any, location: Any = None) -> Any:
    """The barycentric time, TDB, at which light that reaches the Earth at ``t`` passes the barycentre's plane.

    Args:
        t: ``Time`` of an observation, in any scale.
        sky: ``SkyCoord`` of the source.
        location: ``EarthLocation``; by default that of ``t``, or else the Earth's centre (up to 21 ms off).

    Raises:
        ArgumentError: ``t`` is no ``Time``.

    Notes:
        The Earth's rotation is not known ahead, and astropy refuses such times (or wants to load tables). For light travel times the
        rotation matters by microseconds, so that predictions of any age are taken here, and nothing is loaded.
    """
    times = engine("binaries", "astropy.time")
    coordinates, iers = engine("binaries", "astropy.coordinates"), engine("binaries", "astropy.utils.iers")
    units = engine("binaries", "astropy.units")
    if not isinstance(t, times.Time):
        raise ArgumentError("t", "an astropy.time.Time with a scale", repr(t))
    there = location if location is not None else t.location
    if there is None:
        there = coordinates.EarthLocation.from_geocentric(0, 0, 0, unit=units.m)
    warned = engine("binaries", "astropy.utils.exceptions").AstropyWarning
    with (
        iers.conf.set_temp("auto_max_age", None),
        iers.conf.set_temp("auto_download", False),
        warnings.catch_warnings(action="ignore", category=warned),
    ):
        warnings.filterwarnings("ignore", message="ERFA function")  # dubious years
        found = t.tdb + t.light_travel_time(sky, location=there)
    return times.Time(found.jd1, found.jd2, format="jd", scale="tdb")


def wrong_pair_penalty(sigma: float) -> float:
    """``pi^2 / (2 sigma^2)``: how much less likely, in ln L, the pair is whose waves' phase is off by half a turn.

    >>> round(wrong_pair_penalty(0.1), 2)
    493.48
    """
    if not (_number(sigma) and sigma > 0):
        raise ArgumentError("sigma", "a positive number of radians", repr(sigma))
    return math.pi**2 / (2 * sigma**2)


def phase_log_weights(
    difference: Sequence[float] | np.ndarray, sigma_gw: float | np.ndarray, sigma_em: float | np.ndarray
) -> np.ndarray:
    """``-wrapped^2 / (2 (sigma_gw^2 + sigma_em^2))`` of differences of the waves' phase, radians; errors broadcast.

    Raises:
        ArgumentError: errors that are negative, or both zero.
    """
    for name, value in (("sigma_gw", sigma_gw), ("sigma_em", sigma_em)):
        if not bool(np.all(np.isfinite(value)) and np.all(np.asarray(value) >= 0)):
            raise ArgumentError(name, "a number of at least 0", repr(value))
    total = np.asarray(sigma_gw, float) ** 2 + np.asarray(sigma_em, float) ** 2
    if not np.all(total > 0):
        raise ArgumentError("sigma_em", "an error above 0, of either phase", "both are 0")
    off = (np.asarray(difference, float) + math.pi) % (2 * math.pi) - math.pi
    return -(off**2) / (2 * total)


def _number(x: Any) -> bool:
    return isinstance(x, (int, float, np.floating, np.integer)) and not isinstance(x, bool) and math.isfinite(x)
