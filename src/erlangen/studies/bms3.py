"""Past and future null infinity in three dimensions: formulas derived, the link proved unique, charges conserved, flows, a shock.

Source: S. Prohazka, J. Salzer, F. Schoeller, "Linking past and future null infinity in three dimensions" (2017), arXiv:1701.06573.
It has no tables: the claims are its formulas.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

import erlangen as er
from erlangen.fields import spacetime as st
from erlangen.fields.spacetime.derivation import PROOFS
from erlangen.parallel import one_thread
from erlangen.reporting import RIVAL, RIVAL_CLAIM, Claim, Claims, KeyNumber, Line, Outcome, Rival, Section, Table, lines_with_band
from erlangen.studies.base import Study

SOURCE = "S. Prohazka, J. Salzer, F. Schoeller (2017), arXiv:1701.06573"
CLAIMS = {
    "derived": "flatness, Killing vectors, the laws of Theta and Xi, the algebra with c_M = 3 / G and the fluxes follow by exact algebra",
    "unique": "the one map of past to future null infinity that commutes with the isometries of Minkowski space is u = v, phi + pi",
    "conserved": "every charge is the same at both ends, to 1e-12, before and after a linked transformation",
    "audited": "the link commutes with BMS3",
    "algebra": "Poisson brackets of charges are those of the algebra with K, to 1e-12",
    "flow": "the flow of a generator agrees with Runge-Kutta, to 1e-8",
    "monodromy": "the trace of the monodromy stays on an orbit, to 1e-9",
    "energy": "no element of the vacuum's orbit has less energy than the vacuum",
    "matter": "each charge changes by the flux of matter through the end, to 1e-8",
    RIVAL: RIVAL_CLAIM,
}
ORBITS = {"vacuum": -1.0, "cone": -0.36, "cosmology": 0.5}


@dataclass(frozen=True)
class Config:
    """Settings."""

    points: int = 128
    """Of the circle."""
    cases: int = 100
    """Random data and generators in each orbit."""
    band: int = 6
    """The highest mode of random generators."""
    energies: int = 1000
    """Elements of the vacuum's orbit."""
    seed: int = 0
    """Of all random numbers."""


Found = tuple[list[Claim], Section, dict[str, Any]]


def run(config: Config, *, quiet: bool = False) -> Outcome:
    """Run the five parts, on one thread."""
    started = time.perf_counter()
    with one_thread():
        flows, rival = _flows(config)
        parts = [_derivation(), _uniqueness(), _conservation(config), flows, _shock(config)]
    numbers = {name: value for part in parts for name, value in part[2].items()}
    claims = Claims([*(claim for part in parts for claim in part[0]), rival.claim()])
    return Outcome(
        name="bms3",
        title="Linking past and future null infinity in three dimensions",
        config=config,
        claims=claims,
        metrics=numbers,
        sections=[part[1] for part in parts],
        seconds=time.perf_counter() - started,
        answer=f"{rival.sentence()} Past and future are linked by half a turn, the only way that isometries allow.",
        key_numbers=[
            KeyNumber("largest relative difference of charges", numbers["conservation"]["worst"]),
            KeyNumber("without the half turn", numbers["conservation"]["without the turn"]),
            KeyNumber("seconds of exact algebra", numbers["derivation"]["seconds"]),
        ],
        rivals=[rival],
        glossary=GLOSSARY,
    )


GLOSSARY = {
    "null infinity": "where light ends (future) or comes from (past); its points are a time u or v and an angle",
    "BMS3": "the transformations of the circle of angles, f, and of the times by a function of the angle, alpha",
    "charge": "the number that belongs to such a transformation as energy does to a shift in time",
}


def _draw(config: Config, number: int) -> torch.Generator:
    return torch.Generator().manual_seed(1000 * config.seed + number)


def _derivation() -> Found:
    proofs = {part: st.derive(part) for part in PROOFS}
    c_m = proofs["central charges"].witness["c_M"]
    rows = [[part, v.claim, "yes" if v else "no", v["seconds"]] for part, v in proofs.items()]
    claim = Claim(
        CLAIMS["derived"], "c_M = 3/G, c_L = 0", f"c_M = {c_m}, c_L = {proofs['central charges'].witness['c_L']}", all(proofs.values()),
        note=proofs["flat"].reason, source=SOURCE, scale="symbolic Theta, Xi, T, Y", key="derived",
        baseline="the other sign of v / 2 in the past metric: not flat",
    )  # fmt: skip
    section = Section(
        "What is derived",
        "By exact algebra, with functions of the angle as unknowns. What is a total derivative has vanishing variational derivatives.",
        tables=[Table("Proofs", ["part", "what is proved", "holds", "seconds"], rows)],
    )
    return [claim], section, {"derivation": {"seconds": sum(v["seconds"] for v in proofs.values())}}


def _uniqueness() -> Found:
    verdict = st.link_is_unique()
    proof = verdict.witness
    rows = [[name, free, "one map" if free == 0 else "more"] for name, free in proof.free.items()]
    basis = "; ".join(f"{one} = 0" for one in proof.basis)
    claim = Claim(
        CLAIMS["unique"], "u = v, phi + pi", f"u = {proof.u}, {proof.angle}", verdict, note=verdict.reason, source=SOURCE,
        scale="all differentiable maps", baseline=f"without the boosts {proof.free['all but the boosts']} number stays free", key="unique",
    )  # fmt: skip
    section = Section(
        "The only link",
        [
            "The map h(v, phi), k(v, phi) must carry six vector fields over: twelve equations at each point for seven numbers, h, "
            "cos k, sin k and the derivatives. The basis of their ideal is linear, and its only zero is the map.",
            f"With t = tan(phi / 2): {basis}.",
        ],
        tables=[Table("How much stays free when only some are carried over", ["carried over", "numbers at a point", ""], rows)],
    )
    return [claim], section, {"uniqueness": dict(proof.free)}


def _conservation(config: Config) -> Found:
    n, count = config.points, config.cases
    draw = _draw(config, 1)
    worst, control, algebra, gain, rows = 0.0, 0.0, 0.0, 0.0, []
    shown = None
    for name, theta in ORBITS.items():
        far = st.BMS3Element.random(n, count, band=3, slope=0.4, generator=draw)
        past = st.BoundaryData(theta, 0.3, "past", n=n).act(far)
        vectors = st.BMS3Vector.random(n, count, band=config.band, generator=draw)
        others = st.BMS3Vector.random(n, count, band=config.band, generator=draw)
        g = st.BMS3Element.random(n, count, band=3, slope=0.3, generator=draw)
        future = st.link(past)
        before = st.conserved(past, future, vectors)["worst"]
        after = st.conserved(past.act(st.link_element(g)), future.act(g), vectors)["worst"]
        straight = st.BoundaryData(past.theta, past.xi, "future")
        off = st.conserved(past, straight, vectors)["worst"]
        bracket = future.poisson(vectors, others)
        gap = (bracket - future.charge(vectors.bracket(others)) - vectors.central(others)).abs().max() / bracket.abs().max()
        rows.append([name, theta, before, after, off, float(gap)])
        worst, control, algebra = max(worst, before, after), max(control, off), max(algebra, float(gap))
        gain = max(gain, float((past.act(st.link_element(g)).energy - past.energy).abs().max()))
        if name == "cosmology":
            shown = (past[0], future[0])
    group = st.BMS3(96)
    x = st.OnData(group).example(4, generator=draw, dtype=torch.float64)
    audit = er.equivariance_error(st.link_values, x, st.OnData(group), st.OnLinked(group), generator=draw)
    plain = er.equivariance_error(_stay, x, st.OnData(group), st.OnLinked(group), generator=draw)
    scale = f"{count} data and generators in each of {len(ORBITS)} orbits, {n} points"
    claims = [
        Claim(
            CLAIMS["conserved"], None, worst, worst <= 1e-12, control, scale, source=SOURCE, key="conserved",
            note="relative to the mean size of what is integrated; the baseline links without the turn by pi",
        ),
        Claim(CLAIMS["audited"], None, audit["worst"], audit, plain["worst"], f"{audit.tried} elements", source=SOURCE,
              note="erlangen.equivariance_error; the baseline links without the turn", key="audited"),
        Claim(CLAIMS["algebra"], None, algebra, algebra <= 1e-12, None, scale, source=SOURCE, key="algebra"),
    ]  # fmt: skip
    assert shown is not None
    section = Section(
        "What is conserved",
        "Random data on three orbits at the past end, linked; then a random transformation at one end and its antipode at the other. "
        "The charges themselves change under it, each by the same at both ends. Linked data are the same numbers in another order, so that "
        "what is tested are the generators, the elements and the order in which they are moved; what the link rests on is its uniqueness.",
        tables=[
            Table(
                "Relative differences of charges",
                ["orbit", "Theta", "linked", "after a linked transformation", "without the turn", "algebra"],
                rows,
            )
        ],
        figures=[st.draw_charges(*shown), st.draw_aspects(*shown)],
    )
    return (
        claims,
        section,
        {"conservation": {"worst": worst, "without the turn": control, "algebra": algebra, "energy changed": gain}},
    )


def _stay(x: Tensor) -> Tensor:
    """The link without the turn."""
    return x


def _closed_form(n: int, theta: float, xi: float, rapidity: float, lift: float) -> tuple[Tensor, Tensor]:
    """What the exponential of ``(lift sin, rapidity sin)`` makes of constants."""
    phi = st.circle(n)
    s = math.sinh(rapidity)
    slope = 1 / (math.cosh(rapidity) - s * torch.cos(phi))
    change = -2 * (theta + 1) * slope**3 * s * torch.sin(phi)
    moved = slope**2 * (theta + 1) - 1
    return moved, slope**2 * xi + lift * (torch.sin(phi) * change / 2 + torch.cos(phi) * moved + torch.cos(phi))


def _seconds(function: Callable[[], Any]) -> tuple[Any, float]:
    """The result and the least time of three calls."""
    times = []
    for _ in range(3):
        start = time.process_time()
        found = function()
        times.append(time.process_time() - start)
    return found, min(times)


def _flows(config: Config) -> tuple[Found, Rival]:
    n = config.points
    draw = _draw(config, 2)
    data = st.BoundaryData(-0.36, 0.1, n=n)
    vector = st.BMS3Vector(lambda phi: 0.7 * torch.sin(phi), lambda phi: 0.5 * torch.sin(phi), n=n)
    exact = _closed_form(n, -0.36, 0.1, 0.5, 0.7)

    def error(found: st.BoundaryData) -> float:
        return max(float((found.theta - exact[0]).abs().max()), float((found.xi - exact[1]).abs().max()))

    direct, own_time = _seconds(lambda: data.flow(vector))
    by_element, element_time = _seconds(lambda: data.act(st.BMS3Element.exp(vector)))
    rows, tried = [["flow", None, error(direct), own_time], ["act of exp", None, error(by_element), element_time]], []
    for steps in (16, 32, 64, 128, 256, 512, 1024):
        found, took = _seconds(partial(st.explicit_flow, data, vector, steps))
        tried.append((steps, error(found), took))
        rows.append(["Runge-Kutta of order 4", steps, error(found), took])
    best = min(tried, key=lambda row: row[1])
    rival = Rival(
        "Runge-Kutta of order 4 on the variations", "the flow by quadrature", "largest error against the closed form", error(direct),
        best[1], "lower", own_time, best[2], f"the best of 16 to 1024 steps: {best[0]}", f"one datum on {n} points",
    )  # fmt: skip
    random = st.BMS3Vector.random(n, band=3, generator=draw) * 0.15
    gap = float((data.flow(random).theta - st.explicit_flow(data, random, 512).theta).abs().max())
    g = st.BMS3Element.random(n, 50, band=3, slope=0.5, generator=draw)
    drift, orbit_rows = 0.0, []
    for name, theta in ORBITS.items():
        start = st.BoundaryData(theta, 0.1, n=n)
        moved = start.act(g)
        off = float((moved.trace() - start.trace()).abs().max())
        drift = max(drift, off)
        orbit_rows.append(
            [name, theta, float(start.trace()), off, float(start.energy), float(moved.energy.min()), float(moved.energy.max())]
        )
    many = st.BMS3Element.random(n, config.energies, band=4, slope=0.8, generator=draw)
    bent = st.BMS3Element.from_displacement(many.h)  # energies do not depend on the supertranslation
    energies = st.BoundaryData.vacuum(n).act(bent).energy
    least = float(energies.min()) + 1 / 8
    scale = f"{n} points"
    claims = [
        Claim(CLAIMS["flow"], None, gap, gap <= 1e-8, None, f"{scale}, 512 steps", key="flow"),
        Claim(CLAIMS["monodromy"], None, drift, drift <= 1e-9, None, f"50 superrotations, {scale}", source=SOURCE, key="monodromy"),
        Claim(
            CLAIMS["energy"], "-1/8", f"{float(energies.min()):.6f} at least", least >= -1e-13, float(energies.mean()),
            f"{len(energies)} elements", note="the baseline is their mean", source=SOURCE, key="energy",
        ),
    ]  # fmt: skip
    figure = lines_with_band(
        {"Runge-Kutta of order 4": Line([row[0] for row in tried], [row[1] for row in tried])},
        title="Error of explicit steps",
        x_label="steps",
        y_label="largest error",
        log_x=True,
        log_y=True,
        caption=f"The flow by quadrature has {error(direct):.1e}. Third derivatives act as sources here: they do not limit the steps.",
    )
    columns = ["orbit", "Theta", "trace", "its drift", "energy", "least after", "largest after"]
    section = Section(
        "Flows and orbits",
        "The generator (0.7 sin, 0.5 sin) on a spinning cone has a closed form. Traces of the monodromy belong to orbits; energies do not.",
        tables=[
            Table("Ways to follow a generator", ["way", "steps", "largest error", "seconds"], rows),
            Table("Orbits under 50 superrotations", columns, orbit_rows),
        ],
        figures=[figure],
    )
    numbers = {
        "flow": {"error": error(direct), "by the element": error(by_element), "Runge-Kutta": best[1], "gap": gap, "drift": drift}
    }
    return (claims, section, numbers), rival


def _shock(config: Config) -> Found:
    def flux(u: float, phi: Tensor) -> Tensor:
        return math.exp(-u * u) * (1 + torch.cos(phi))

    n = 64
    phi, times = st.circle(n), torch.linspace(-6, 6, 49, dtype=torch.float64)
    rows, worst = [], 0.0
    generators = {f"cos {m} phi": torch.cos(m * phi) for m in range(4)}
    exact = {"cos 0 phi": 2 * math.pi**1.5, "cos 1 phi": math.pi**1.5, "cos 2 phi": 0.0, "cos 3 phi": 0.0}
    drawn = None
    for end, sign in (("future", -1), ("past", 1)):
        history = st.evolve(st.BoundaryData(40.0, 0.3, end, n=n), flux, times=times)
        for name, T in generators.items():
            change = history.charge(T)
            off = float((change - change[0] - sign * history.carried(T)).abs().max())
            by_hand = abs(float(change[-1] - change[0]) - sign * exact[name])
            worst = max(worst, off, by_hand)
            rows.append(
                [end, f"T = {name}", float(change[-1] - change[0]), sign * float(history.carried(T)[-1]), sign * exact[name], off]
            )
        spin = history.charge(0, torch.sin(phi))
        off = float((spin - spin[0] - sign * history.carried(0, torch.sin(phi))).abs().max())
        worst = max(worst, off)
        rows.append(
            [end, "Y = sin phi", float(spin[-1] - spin[0]), sign * float(history.carried(0, torch.sin(phi))[-1]), None, off]
        )
        drawn = drawn or st.draw_history(
            history, {"energy": 1.0, "T = cos phi": generators["cos 1 phi"], "Y = sin phi": (0.0, torch.sin(phi))}
        )
    claim = Claim(
        CLAIMS["matter"],
        None,
        worst,
        worst <= 1e-8,
        None,
        "r T_uu = exp(-u^2) (1 + cos phi), 5 generators at both ends",
        source=SOURCE,
        key="matter",
    )
    columns = ["end", "generator", "change of the charge", "by quadrature of the flux", "by hand", "largest difference in time"]
    assert drawn is not None
    section = Section(
        "A shock",
        "Light leaves (or comes in) with r T_uu = exp(-u^2) (1 + cos phi). The aspects are followed by Einstein's equations; fluxes are "
        "summed by themselves.",
        tables=[Table("What is carried off", columns, rows)],
        figures=[drawn],
    )
    return [claim], section, {"shock": {"worst": worst}}


STUDY = Study(
    name="bms3",
    system=24,
    title="Linking past and future null infinity in three dimensions: derivations, uniqueness, conservation laws, flows, matter",
    source=SOURCE,
    config=Config,
    run=run,
    claims=CLAIMS,
)
