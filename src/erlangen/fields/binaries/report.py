"""Reports of orientations: which directions are left of each binary, on the sky, and how long ephemerides tell them apart."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from erlangen.extras import engine
from erlangen.fields.binaries.candidates import Candidates, candidates
from erlangen.fields.binaries.geometry import from_peer_phase
from erlangen.fields.binaries.population import Quadrupole, quadrupole
from erlangen.fields.binaries.tables import Measured, Sources
from erlangen.reporting import Figure, KeyNumber, Outcome, Section, Table, progress
from erlangen.reporting.figures import DASHES, PALETTE, SYMBOLS, blank, plain_text

GLOSSARY = {
    "position angle": "of the projection of the angular momentum on the sky, from north through east, 0 to 360 degrees",
    "candidate": "a direction of the angular momentum that the data cannot tell from the true one",
    "quarter period": "what an orbit must be advanced by so that a turn by 90 degrees on the sky leaves the waves as they are",
    "usable until": "when the error of the ephemeris reaches a twentieth of the period: five sigma from the boundary of both pairs",
    "continuous": "face-on or nearly so: any position angle gives the same waves",
}
#: Binaries from which on the report asks whether orbits are aligned.
POPULATION = 20
#: Candidates below this weight are excluded, in words.
EXCLUDED = 1e-3
#: How far from face-on or face-off, in standard deviations of the inclination, the position angle is called continuous.
NEARLY = 2.0
#: An error of the position angle from which on it is not measured: half of the way to the next candidate.
OPEN = math.pi / 4
#: How many standard deviations the timed phase may be off the better pair of directions before it decides nothing.
DISAGREES = 5.0


@dataclass(frozen=True)
class Found:
    """What is left of one binary.

    Attributes:
        measured: the row of the table.
        candidates: four, weighted.
        until: time until which the ephemeris decides, or nothing.
        timed: whether a timed phase was compared.
        sigma_timed: error of the waves' phase by timing at the epoch, radians.
        off: of how many standard deviations the timed phase misses the better pair; above ``DISAGREES`` the candidates are not weighted.
    """

    measured: Measured
    candidates: Candidates
    until: Any
    timed: bool
    sigma_timed: float | None
    off: float | None = None

    @property
    def continuous(self) -> bool:
        """Whether the position angle means nothing: face-on or within twice the error of it, or an error from 45 degrees on."""
        return self._face_on or (self.measured.psi_error is not None and self.measured.psi_error >= OPEN)

    @property
    def _face_on(self) -> bool:
        m = self.measured
        near = m.iota_error is not None and min(m.iota, math.pi - m.iota) < NEARLY * m.iota_error
        return bool(self.candidates.continuous) or near

    @property
    def disagrees(self) -> bool:
        """Whether the timed phase fits neither pair of directions."""
        return self.off is not None and self.off > DISAGREES

    @property
    def left(self) -> int:
        """How many candidates are not excluded."""
        return int(self.candidates.likely(EXCLUDED).sum())

    def says(self) -> str:
        """The state in words."""
        if self.continuous:
            return "continuous: nearly face-on" if self._face_on else "continuous: psi is not measured"
        if not self.timed:
            dated = self.measured.ephemeris is not None
            return "four alike: no phase of the waves to compare" if dated else "four alike: no timed phase"
        if self.disagrees:
            return f"four: the timed phase fits neither pair, by {self.off:.0f} sigma"
        if self.left == 2:
            return "two: the timed phase decides"
        return f"{'four' if self.left == 4 else self.left}: {'the ephemeris is too old' if self._aged else 'the phases are too uncertain'}"

    @property
    def _aged(self) -> bool:
        """Whether it is the ephemeris that leaves the pairs open, not the error of the waves' own phase."""
        return (self.sigma_timed or 0.0) > (self.measured.gw_phase_error or 0.0)


def orientations(sources: Sources, *, quiet: bool = True) -> list[Found]:
    """The candidates of each binary of a table; where it has an ephemeris and the waves' phase, weighted by both.

    Args:
        sources: of a table.
        quiet: show no progress.
    """
    with progress(len(sources.binaries), "binaries", quiet=quiet) as bar:
        found = []
        for m in sources.binaries:
            found.append(_orientation(m))
            bar.advance(1)
    return found


def _orientation(m: Measured) -> Found:
    phase = None if m.gw_phase is None else float(from_peer_phase(m.gw_phase))
    timed, sigma = None, None
    if m.ephemeris is not None and phase is not None:
        timed, sigma = m.ephemeris.phase(m.epoch), m.ephemeris.sigma_phase(m.epoch)
    off = None
    if timed is not None and phase is not None and sigma is not None:
        half_turns = 2 * (phase - timed) / math.pi  # of the waves' phase; the pairs are at the whole numbers
        off = math.pi * abs(half_turns - round(half_turns)) / max(math.hypot(m.gw_phase_error or 0.0, sigma), 1e-300)
    weighed = timed is not None and (off is None or off <= DISAGREES)
    made = candidates(
        m.sky,
        m.iota,
        m.psi,
        phase=phase,
        sigma_phase=m.gw_phase_error or 0.0,
        timed_phase=timed if weighed else None,
        sigma_timed=sigma,
    )
    until = None if m.ephemeris is None else m.ephemeris.usable_until()
    return Found(m, made, until, timed is not None, sigma, off)


def orientation_outcome(sources: Sources, found: Sequence[Found], config: Mapping[str, Any], seconds: float) -> Outcome:
    """The report."""
    counts = {k: sum(1 for f in found if not f.continuous and f.left == k) for k in (2, 4)}
    loose = sum(f.continuous for f in found)
    other = len(found) - sum(counts.values()) - loose
    parts = []
    if counts[2]:
        parts.append(f"{counts[2]} {'has' if counts[2] == 1 else 'have'} two directions left")
    if counts[4]:
        parts.append(
            f"{counts[4]} four" if counts[2] else f"{counts[4]} {'has' if counts[4] == 1 else 'have'} four directions left"
        )
    if other:
        parts.append(f"{other} another number")
    if loose:
        parts.append(f"{loose} any position angle (nearly face-on, or not measured)")
    answer = f"Of {len(found)} {'binary' if len(found) == 1 else 'binaries'}, {', '.join(parts)}."
    open_ = [f for f in found if f.timed and not f.continuous and f.left != 2]
    for members, says in (
        ([f for f in open_ if not f.disagrees and f._aged], "The ephemeris of {} is too old to decide."),
        ([f for f in open_ if not f.disagrees and not f._aged], "The phases of {} are too uncertain to decide."),
        (
            [f for f in open_ if f.disagrees],
            "The timed phase of {} fits neither pair of directions: look at its scale of time, its event and its period.",
        ),
    ):
        if members:
            names = ", ".join(f.measured.name for f in members[:3]) + (" and others" if len(members) > 3 else "")
            answer += " " + says.format(names)
    rows = []
    for f in found:
        m = f.measured
        rows.append([m.name, math.degrees(m.iota), f.says(), f.left, "" if f.until is None else f"{f.until.jyear:.1f}",
                     "" if f.sigma_timed is None else f"{f.sigma_timed:.3g}"])  # fmt: skip
    columns = ["binary", "inclination (deg)", "what is left", "directions", "usable until", "error of the timed phase (rad)"]
    sections = [
        Section(
            "What is left of each",
            [
                f"Position angles were read from the north of the frame {sources.frame}. Gravitational waves leave four directions, a "
                "quarter turn about the line of sight apart; a timed orbital phase excludes two. The half turn is left by every timing "
                "along the line of sight.",
                *([f"Of the table, {'; '.join(sources.notes)}."] if sources.notes else []),
            ],
            tables=[
                Table(
                    "Binaries",
                    columns,
                    rows,
                    "With an error of both phases together above 0.9 rad no pair falls under a weight of 0.001.",
                )
            ],
            figures=[sky_map(found)],
        )
    ]
    dated = [f for f in found if f.measured.ephemeris is not None]
    if dated:
        sections.append(Section("How long ephemerides decide", [
            "A wrong pair is a quarter of a period off. An ephemeris decides at five sigma while its error is below a twentieth of the "
            "period; it grows with the number of cycles, and with its square where the period's rate is uncertain."],
            figures=[usable_chart(found)]))  # fmt: skip
    metrics: dict[str, Any] = {"binaries": [_numbers(f) for f in found], "two": counts[2], "four": counts[4], "continuous": loose}
    sharp = [f for f in found if not f.continuous]
    if len(sharp) >= POPULATION:
        Q = _population(sharp)
        pole, error = Q.along(torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64))
        metrics["quadrupole"] = {
            "Q": Q.Q.tolist(),
            "p": Q.isotropic["p"],
            "galactic pole": [pole, error] if math.isfinite(error) else None,
        }
        sections.append(_alignment(Q))
        told, p = int(Q.isotropic["degrees of freedom"]), f"p = {Q.isotropic['p']:.2g}"
        seen = "" if told == 5 else f", in {told} of five components of a quadrupole, which is all that they tell"
        answer += f" Their orbits show no alignment ({p}{seen})." if Q.isotropic else f" Their orbits are aligned ({p})."
    numbers = [
        KeyNumber("binaries", len(found)),
        KeyNumber("with two directions left", counts[2]),
        KeyNumber("with four", counts[4]),
    ]
    return Outcome("binaries-orientations", "Where orbits of binaries may point", config, metrics=metrics, sections=sections,
                   seconds=seconds, answer=answer, glossary=GLOSSARY, key_numbers=numbers)  # fmt: skip


def _numbers(f: Found) -> dict[str, Any]:
    galactic = f.candidates.galactic
    return {
        "name": f.measured.name,
        "iota": f.measured.iota,
        "psi": f.candidates.psi.tolist(),
        "l": galactic.l.deg.tolist(),
        "b": galactic.b.deg.tolist(),
        "weights": f.candidates.weights.tolist(),
        "directions": f.left,
        "continuous": f.continuous,
        "timed phase off (sigma)": f.off,
        "usable until": None if f.until is None else float(f.until.jyear),
    }


def candidate_table(found: Sequence[Found]) -> Any:
    """All candidates as an astropy ``QTable`` with units: a row for each direction."""
    tables, units = engine("binaries", "astropy.table"), engine("binaries", "astropy.units")
    rows: dict[str, list[Any]] = {k: [] for k in ("name", "iota", "psi", "l", "b", "ra", "dec", "weight", "n_modes", "continuous")}
    for f in found:
        galactic, icrs = f.candidates.galactic, f.candidates.icrs
        for j, psi in enumerate(f.candidates.psi.tolist()):
            for key, value in zip(rows, (f.measured.name, f.measured.iota, psi, galactic.l.deg[j], galactic.b.deg[j], icrs.ra.deg[j],
                                         icrs.dec.deg[j], float(f.candidates.weights[j]), f.left, f.continuous)):  # fmt: skip
                rows[key].append(value)
    table = tables.QTable()
    for key, values in rows.items():
        unit = {"iota": units.rad, "psi": units.rad, "l": units.deg, "b": units.deg, "ra": units.deg, "dec": units.deg}.get(key)
        table[key] = np.array(values) * unit if unit is not None else values
    table.meta["comments"] = ["l, b and ra, dec: direction of the orbital angular momentum; weight: sums to 1 for each binary."]
    return table


def hammer(lon: np.ndarray, lat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The whole sky on an ellipse, areas kept; longitudes in radians grow to the left, as one looks up.

    >>> [float(v[0]) for v in hammer(np.array([0.0]), np.array([0.0]))]
    [0.0, 0.0]
    """
    turned = -((lon + math.pi) % (2 * math.pi) - math.pi)
    size = np.sqrt(1 + np.cos(lat) * np.cos(turned / 2))
    return 2 * math.sqrt(2) * np.cos(lat) * np.sin(turned / 2) / size + 0.0, math.sqrt(2) * np.sin(lat) / size


def sky_map(found: Sequence[Found], most: int = 6) -> Figure:
    """Directions in Galactic coordinates, the whole sky; small marks are excluded. The first binaries have marks of their own."""
    figure = blank("", "")
    edge = np.linspace(-math.pi / 2, math.pi / 2, 91)
    line = {"mode": "lines", "hoverinfo": "skip", "showlegend": False}
    for degrees in range(-180, 181, 60):
        lon = np.full_like(edge, math.radians(degrees) if abs(degrees) < 180 else math.copysign(math.pi - 1e-9, degrees))
        x, y = hammer(lon, edge)
        width = 1.2 if abs(degrees) == 180 else 0.6
        figure.add_scatter(x=x.tolist(), y=y.tolist(), line={"color": "#8a8f98", "width": width}, **line)
    around = np.linspace(-math.pi + 1e-9, math.pi - 1e-9, 181)
    for degrees in (-60, -30, 0, 30, 60):
        x, y = hammer(around, np.full_like(around, math.radians(degrees)))
        figure.add_scatter(x=x.tolist(), y=y.tolist(), line={"color": "#8a8f98", "width": 1.2 if degrees == 0 else 0.6}, **line)
    named = found if len(found) <= most else found[: most - 1]
    groups = [(f.measured.name, [f]) for f in named]
    if len(found) > most:
        groups.append((f"{len(found) - len(named)} more", list(found[most - 1 :])))
    for i, (name, members) in enumerate(groups):
        xs: list[float] = []
        ys: list[float] = []
        sizes: list[float] = []
        says: list[str] = []
        for f in members:
            g = f.candidates.galactic
            x, y = hammer(g.l.rad, g.b.rad)
            xs += x.tolist()
            ys += y.tolist()
            weights = f.candidates.weights.tolist()
            sizes += [5 + 9 * math.sqrt(2 * min(w, 0.5)) if w >= EXCLUDED else 3 for w in weights]
            says += [
                f"{plain_text(f.measured.name)}<br>l {a:.1f}°, b {b:.1f}°<br>weight {w:.3g}"
                for a, b, w in zip(g.l.deg, g.b.deg, weights)
            ]
        marker = {"color": PALETTE[i % len(PALETTE)], "symbol": SYMBOLS[i % len(SYMBOLS)], "size": sizes, "opacity": 0.85}
        figure.add_scatter(
            x=xs, y=ys, mode="markers", name=plain_text(name), marker=marker, text=says, hovertemplate="%{text}<extra></extra>"
        )
    axis = {"showgrid": False, "zeroline": False, "showticklabels": False, "ticks": "", "showline": False}
    figure.update_xaxes(**axis, range=[-2.95, 2.95], constrain="domain")
    figure.update_yaxes(**axis, range=[-1.5, 1.5], scaleanchor="x", scaleratio=1)
    figure.update_layout(hovermode="closest", showlegend=True)
    caption = (
        "The whole sky in Galactic coordinates: the centre of the Galaxy in the middle, its plane across, longitude growing to the left. "
        "Each mark is a direction that the angular momentum may have, larger where it is likelier; dots are excluded."
    )
    return Figure("Directions of the angular momentum", figure, caption, "Map of the sky with the candidates of each binary")


def usable_chart(found: Sequence[Found]) -> Figure:
    """The error of each ephemeris over the years, as a share of the period; under a twentieth it decides."""
    figure = blank("year", "error / period")
    start, end = 2010.0, 2045.0
    dated = [f for f in found if f.measured.ephemeris is not None]
    times = engine("binaries", "astropy.time")
    years = np.linspace(start, end, 71)
    for i, f in enumerate(dated[: len(PALETTE)]):
        e = f.measured.ephemeris
        assert e is not None
        share = [e.sigma(times.Time(y, format="jyear", scale="tdb")) / e.P for y in years]
        figure.add_scatter(x=years.tolist(), y=share, mode="lines", name=plain_text(f.measured.name),
                           line={"color": PALETTE[i], "dash": DASHES[i]})  # fmt: skip
    for y, text, dash in ((1 / 4, "the wrong pair: 1/4", "dot"), (1 / 20, "decides below 1/20", "dash")):
        line = {"color": "#888888", "width": 1.5, "dash": dash}
        figure.add_scatter(x=[start, end], y=[y, y], mode="lines", name=text, line=line, hoverinfo="skip")
    figure.update_yaxes(type="log", tickformat=".0e")
    figure.update_layout(showlegend=True, hovermode="closest")
    caption = (
        "One standard deviation of the time of an event, in periods. Where it is under 1/20, two of four directions are excluded at "
        "five sigma."
    )
    return Figure(
        "Usable until", figure, caption, "Errors of ephemerides over the years, with the limit of a twentieth of the period"
    )


def _population(found: Sequence[Found]) -> Quadrupole:
    vectors, weights = [], []
    for f in found:
        xyz = f.candidates.galactic.cartesian.xyz.value
        vectors.append(torch.as_tensor(np.moveaxis(xyz, 0, -1)))
        weights.append(f.candidates.weights)
    return quadrupole(torch.stack(vectors), torch.stack(weights))


def _alignment(Q: Quadrupole) -> Section:
    value, error = Q.along(torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64))
    told = "do not show" if Q.isotropic else "show"
    pole = (
        f"<(L.z)^2> - 1/3 = {value:.3f} with an error of {error:.3f}" if math.isfinite(error) else "their candidates do not tell it"
    )
    return Section(
        "Are they aligned?",
        [
            f"The orbits of these {Q.count} binaries {told} a quadrupole: {Q.isotropic.reason}, p = {Q.isotropic['p']:.3g}. Along the "
            f"Galactic pole, {pole}. Each binary counts with all of its directions."
        ],
    )
