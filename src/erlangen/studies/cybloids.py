"""Cybloids: one particle under a delayed potential against exact laws, rings that propel, rings that crystallise.

Source: D. Saha, S. Tarama, H. Loewen, S. U. Egelhaaf, "Cybloids - creation and control of cybernetic colloids" (2024), arXiv:2408.00336.
It shows curves and pictures and no table, so that the claims are those of its theory, which is exact.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from erlangen.errors import ArgumentError
from erlangen.fields import colloids as co
from erlangen.parallel import one_thread
from erlangen.reporting import (
    RIVAL,
    RIVAL_CLAIM,
    Claim,
    Claims,
    Figure,
    KeyNumber,
    Line,
    Outcome,
    Rival,
    Section,
    Table,
    format_value,
    lines_with_band,
    repeated,
)
from erlangen.studies.base import ONLY_FULL, Study

HARMONIC = ((10.0, 0.1), (20.0, 0.1), (5.0, 1.0), (-3.0, 0.2))
RINGS = ((20.0, 2.0, 0.2), (50.0, 2.0, 0.1), (50.0, 1.0, 0.2))
#: Diameter of cores that crystallise by themselves at the density of the study: an area fraction of 0.76.
DENSE = 1.15
#: How far apart they then are.
APART = 1.25
#: Rings whose noise is weak, for which the law of the heading is meant.
WEAK = 2
CLAIMS = {
    RIVAL: RIVAL_CLAIM,
    "diffusion": "a delayed harmonic potential changes the long-time diffusion coefficient to D / (1 + kappa tau)^2, within 5 %",
    "displacements": "its mean square displacement follows the exact curve at all lags, within 3 %",
    "hold": "with sample and hold it is D (1 - exp(-2 kappa T)) / (2 kappa T), within 3 %",
    "speed": "a delayed ring propels a particle at kappa R / (1 + kappa tau), within 5 % where noise is weak",
    "heading": "and it forgets its heading at the rate 4 D / (v tau)^2, within 15 % where noise is weak",
    "lost-heading": "with sample and hold a ring gives random steps instead: the diffusion coefficient is R^2 / (4 T), within 5 %",
    "hexagonal": "one ring at a = 1 makes a hexagonal crystal: |psi6| of 0.85 or more in 3 of 4 seeds",
    "wide": "one ring at a = 1.4 makes a wider one: |psi6| of 0.75 or more in 3 of 4 seeds",
    "square": "rings at 1 and sqrt 2 make a square crystal: |psi4| of 0.75 or more in 3 of 4 seeds",
    "spacing": "neighbours are as far apart as programmed, within 3 %, in all three",
    "designer": "the designer finds those rings by itself, and says why isotropic rings cannot make a honeycomb",
    "honeycomb": "with angles between bonds a honeycomb grows from a random start: most whole surroundings are a honeycomb's",
    "phases": "small rings slow a particle and large ones propel it",
}


@dataclass(frozen=True)
class Config:
    """Settings.

    Attributes:
        full: N = 400, honeycomb, delays in crystals, a map over radius and delay.
        replicas: of single particles.
        seeds: of each crystal.
        steps: of each crystal.
        seed: of all random numbers.
    """

    full: bool = False
    replicas: int = 2000
    seeds: int = 4
    steps: int = 60_000
    seed: int = 0


def run(config: Config, *, quiet: bool = False) -> Outcome:
    """Run the three parts, on one thread."""
    if config.replicas < 3 or config.seeds < 1:
        raise ArgumentError("replicas", "at least 3, and at least one seed", f"{config.replicas} and {config.seeds}")
    started = time.perf_counter()
    with one_thread():
        parts = [_harmonic(config), _rings(config), _crystals(config, quiet), _designer()]
        if config.full:
            parts.append(_full(config, quiet))
    claims = Claims([claim for part in parts for claim in part[0]])
    metrics: dict[str, Any] = {}
    for part in parts:
        metrics.update(part[2])
    found = metrics["crystals"]
    left = {} if config.full else {"honeycomb": ONLY_FULL, "phases": ONLY_FULL}
    return Outcome(
        name="cybloids",
        title="Cybloids: colloids under delayed, computed potentials",
        config=config,
        claims=claims,
        left_out=left,
        metrics=metrics,
        sections=[part[1] for part in parts],
        seconds=time.perf_counter() - started,
        rivals=[
            Rival(
                "dense cores without a computer",
                "a program of rings",
                f"|psi{order}| of the {name} crystal",
                repeated(found[name]["each"]),
                repeated(found["dense"][f"psi{order}"]),
                "higher",
                seconds=found[name]["seconds"],
                rival_seconds=found["dense"]["seconds"],
                settings=f"diameter {DENSE} at the same density: it freezes",
                scale=f"{config.seeds} seeds, {config.steps} steps",
            )
            for name, order in (("square", 4), ("hexagonal", 6))
        ],
        answer="Delayed potentials slow or propel single particles by exact laws, and rings choose the crystal.",
        key_numbers=[
            KeyNumber("largest error of a mean square displacement", f"{metrics['harmonic']['worst displacement']:.1%}"),
            KeyNumber("|psi6|, one ring", repeated(found["hexagonal"]["each"])),
            KeyNumber("|psi4|, two rings", repeated(found["square"]["each"])),
        ],
    )


Found = tuple[list[Claim], Section, Mapping[str, Any]]


def _thirds(positions: Any, measure: Callable[[Any], float]) -> list[float]:
    """A measure of replicas ``[frames, batch, ...]`` in three groups, whose noise and starts are their own: three seeds of the data."""
    return [measure(positions[:, group::3]) for group in range(3)]


def _percent(measured: list[float], law: float) -> str:
    return f"{format_value(repeated([100 * (value / law - 1) for value in measured]))} %"


def _single(config: Config, dt: float, batch: int, seed: int) -> co.BrownianDynamics:
    return co.BrownianDynamics(1, dt=dt, seed=1000 * config.seed + seed, batch=batch)


def _harmonic(config: Config) -> Found:
    rows, figures, worst_d, worst_m, numbers = [], [], 0.0, 0.0, {}
    apart = []
    free = None
    for number, (kappa, tau) in enumerate((*HARMONIC, (0.0, 0.1))):
        # Euler's scheme is off by half of kappa dt at short lags.
        dt, every = tau / max(100, round(abs(kappa) * tau / 0.0125)), 10
        late = max(5 * tau, 5 * tau / (1 + kappa * tau))
        sim = _single(config, dt, config.replicas, number)
        if kappa:
            sim.add(co.Harmonic(kappa), delay=tau, self_=True, cross=False, strict=True, expect_stationary=True)
        span = max(1.2, 3 * late)
        steps = round((late + 2 * span) / dt / every) * every
        path = sim.run(steps, every).after(late)
        found = co.mean_square_displacement(path.positions, dt * every, most=round(span / (dt * every)))
        exact = co.msd_delayed_harmonic(found.lags.numpy(), kappa, tau, dim=2)
        off = float(np.abs(found.msd[1:].numpy() / exact[1:] - 1).max())
        slope, error = found.diffusion(0.4 * span, span)
        theory = co.effective_diffusion(kappa, tau)
        rows.append([kappa, tau, slope, error, theory, slope / theory - 1, off])
        if not kappa:
            free = slope
            continue
        lag = round(span / (dt * every))
        each = _thirds(path.positions, lambda x, lag=lag: _last(x, lag))  # type: ignore[misc]
        apart.append(_percent(each, exact[lag]))
        numbers[f"kappa {kappa:g}, tau {tau:g}"] = {"D_eff": slope, "error": error, "theory": theory, "largest MSD error": off}
        worst_d, worst_m = max(worst_d, abs(slope / theory - 1)), max(worst_m, off)
        figures.append((f"kappa {kappa:g}, tau {tau:g}", found, exact))
    period, kappa = 0.1, 10.0
    sim = _single(config, period / 200, config.replicas, 10)
    sim.add(co.Harmonic(kappa), hold=period, self_=True, cross=False)
    moved = sim.run(200 * 30, 200).positions
    each = _thirds(moved, lambda x: float(x.diff(dim=0).square().mean()) / (2 * period))
    held, theory = float(np.mean(each)), co.hold_effective_diffusion(kappa, period)
    scale = f"{config.replicas} replicas"
    thirds = "at the longest lag three thirds of the replicas are off by " + ", ".join(apart)
    claims = [
        Claim(
            CLAIMS["diffusion"], None, f"{worst_d:.1%} at most", worst_d <= 0.05, f"free: D = {free:.3f}", scale, key="diffusion"
        ),
        Claim(
            CLAIMS["displacements"], None, f"{worst_m:.1%} at most", worst_m <= 0.03, None, scale, note=thirds, key="displacements"
        ),
        Claim(
            CLAIMS["hold"],
            theory,
            repeated(each),
            abs(held / theory - 1) <= 0.03,
            f"free: D = {free:.3f}",
            scale,
            note="the mean and deviation of three thirds of the replicas",
            key="hold",
        ),
    ]
    columns = ["kappa", "tau", "D_eff", "its error", "theory", "relative", "largest error of the MSD"]
    section = Section(
        "One particle in its own past",
        "A harmonic trap is laid where the particle was a time tau ago. At long times the particle is slower (kappa > 0) or faster "
        "(kappa < 0) than a free one, and the mean square displacement in between has no single exponent.",
        tables=[Table("Diffusion coefficients", columns, rows, "The last row is the free particle.")],
        figures=[_curves(figures)],
    )
    return claims, section, {"harmonic": {**numbers, "worst displacement": worst_m, "free": free, "hold": held}}


def _last(positions: Any, lag: int) -> float:
    """The mean square displacement at one lag, over all starting times."""
    return float((positions[lag:] - positions[:-lag]).square().sum(-1).mean())


def _curves(found: list[tuple[str, co.Displacements, Any]]) -> Figure:
    lines = {}
    for name, measured, exact in found:
        step = max(1, len(measured.lags) // 60)
        x = measured.lags[1::step].log10()
        lines[name] = Line(x, measured.msd[1::step].log10())
        lines[f"{name}, exact"] = Line(x, np.log10(exact[1::step]))
    return lines_with_band(lines, title="Mean square displacements", x_label="log10 of the lag", y_label="log10 of the MSD")


def _rings(config: Config) -> Found:
    rows, speeds, turns, numbers = [], [], [], {}
    off: list[tuple[str, str]] = []
    batch = max(100, config.replicas // 3)
    for number, (kappa, radius, tau) in enumerate(RINGS):
        dt = 1e-3
        sim = _single(config, dt, batch, 20 + number)
        sim.add(co.Annular(kappa, radius), delay=tau, self_=True, cross=False, strict=True)
        path = sim.run(8000, 10).after(2.0)
        stride = round(tau / (10 * dt))
        speed, _ = co.speed(path.positions, 10 * dt, stride)
        turn, error = co.rotational_diffusion(path.positions, 10 * dt, stride, 1.5 * tau, 1.5 * tau + 0.6)
        v0, d_r = co.annular_speed(kappa, radius, tau), co.annular_rotational_diffusion(kappa, radius, tau)
        rows.append([kappa, radius, tau, speed, v0, turn, error, d_r])
        speeds.append(speed / v0 - 1)
        turns.append(turn / d_r - 1)
        each = _thirds(path.positions, lambda x, stride=stride, dt=dt: co.speed(x, 10 * dt, stride)[0])  # type: ignore[misc]
        turned_each = _thirds(
            path.positions,
            lambda x, stride=stride, tau=tau, dt=dt: co.rotational_diffusion(x, 10 * dt, stride, 1.5 * tau, 1.5 * tau + 0.6)[0],  # type: ignore[misc]
        )
        off.append((_percent(each, v0), _percent(turned_each, d_r)))
        numbers[f"kappa {kappa:g}, R {radius:g}, tau {tau:g}"] = {"speed": speed, "v0": v0, "D_r": turn, "theory": d_r}
    kappa, radius, period = 50.0, 2.0, 0.2
    sim = _single(config, 1e-3, batch, 30)
    sim.add(co.Annular(kappa, radius), hold=period, self_=True, cross=False)
    path = sim.run(6000, 200).after(0.4)
    passed = 4 * float(path.times[-1] - path.times[0])
    resting = _thirds(path.positions, lambda x: float((x[-1] - x[0]).square().sum(-1).mean()) / passed)
    held = float((path.positions[-1] - path.positions[0]).square().sum(-1).mean()) / passed
    wanted = radius**2 / (4 * period)
    worst, turned = max(abs(v) for v in speeds[:WEAK]), max(abs(v) for v in turns[:WEAK])
    scale = f"{batch} replicas"
    note = f"with strong noise {speeds[-1]:+.1%} and {turns[-1]:+.1%}"
    fast, turning = (", ".join(one[k] for one in off[:WEAK]) for k in (0, 1))
    thirds = "three thirds of the replicas are off by "
    claims = [
        Claim(
            CLAIMS["speed"],
            None,
            f"{worst:.1%} at most",
            worst <= 0.05,
            "0: a free particle has no speed",
            scale,
            note=f"{note}; {thirds}{fast}",
            key="speed",
        ),
        Claim(CLAIMS["heading"], None, f"{turned:.1%} at most", turned <= 0.15, None, scale, note=thirds + turning, key="heading"),
        Claim(
            CLAIMS["lost-heading"],
            wanted,
            repeated(resting),
            abs(held / wanted - 1) <= 0.05,
            None,
            scale,
            note="the mean and deviation of three thirds of the replicas",
            key="lost-heading",
        ),
    ]
    columns = ["kappa", "R", "tau", "speed", "v0", "D_r", "its error", "4 D / (v0 tau)^2"]
    caption = "The speed is the mean displacement over tau by tau, which noise adds to."
    section = Section(
        "A ring about the past propels",
        "The particle runs away from where it was, straight ahead, and noise turns it slowly.",
        tables=[Table("Speeds and headings", columns, rows, caption)],
    )
    return claims, section, {"rings": {**numbers, "hold D_eff": held}}


def _crystals(config: Config, quiet: bool) -> Found:
    n = 400 if config.full else 81
    grow = math.sqrt(n / 81)
    one = co.Program(cross=co.Ring(1.0, 4.0, 0.1), core=co.WCA(0.8), about="one ring")
    wide = co.Program(cross=co.Ring(1.4, 4.0, 0.1), core=co.WCA(0.8 * 1.4), about="one wider ring")
    two = co.Program(cross=co.rings([1.0, math.sqrt(2)], 4.0, 0.08), core=co.WCA(0.8), about="two rings")
    kinds = {"hexagonal": (one, 1.0, 10.5, 6), "wide": (wide, 1.4, 14.5, 6), "square": (two, 1.0, 10.5, 4)}
    rows, claims, figures, peaks = [], [], [], []
    numbers: dict[str, dict[str, Any]] = {}
    cores = co.Program(core=co.WCA(0.8), about="cores alone")
    text = "" if quiet else "cores alone"
    # They stay a liquid, whose order does not depend on how slowly it is cooled.
    base = co.simulate(
        cores, n, max(1, config.steps // 4), a=1.0, box=10.5 * grow, batch=config.seeds, seed=config.seed, description=text
    )
    began = time.process_time()
    packed = co.simulate(
        co.Program(core=co.WCA(DENSE), about="dense cores"), n, config.steps, a=APART, box=10.5 * grow, batch=config.seeds,
        seed=config.seed, description="" if quiet else "dense cores",
    )  # fmt: skip
    numbers["dense"] = {f"psi{k}": packed.orders(k) for k in (4, 6)} | {"seconds": time.process_time() - began}
    for name, (program, a, side, order) in kinds.items():
        began = time.process_time()
        made = co.simulate(
            program,
            n,
            config.steps,
            a=a,
            box=side * grow,
            batch=config.seeds,
            seed=config.seed + 1,
            description="" if quiet else name,
        )
        psi = {k: made.orders(k) for k in (4, 6)}
        box = made.trajectory.box
        assert isinstance(box, co.Periodic)
        whole = made.final[made.final.isfinite().all(-1).all(-1)]
        r, g = co.pair_distribution(whole, box, 1.25 * a, 125)
        peak = float(r[g.argmax()])
        peaks.append(peak / a - 1)
        least = 0.85 if name == "hexagonal" else 0.75
        good = sum(v >= least for v in psi[order])
        needed = math.ceil(0.75 * config.seeds)
        try:
            grain = made.crystal()
            group = f"{grain.group}, {len(grain.members)} particles"
        except ArgumentError as problem:
            group = str(problem)
        rows.append([name, *(f"{min(psi[k]):.3f} to {max(psi[k]):.3f}" for k in (4, 6)), peak, group, made.trajectory.failed])
        numbers[name] = {
            "psi4": float(np.mean(psi[4])),
            "psi6": float(np.mean(psi[6])),
            "peak": peak,
            "each": psi[order],
            "seconds": time.process_time() - began,
            "group": group,
        }
        claims.append(
            Claim(
                CLAIMS[name],
                None,
                repeated(psi[order]),
                good >= needed,
                repeated(base.orders(order)),
                f"N = {n}, {config.seeds} seeds, {config.steps} steps",
                note=f"{good} of {config.seeds} seeds; the baseline has the cores alone, for a quarter of the steps",
                key=name,
            )
        )
        figures.append(made.figure(order, frames=1, title=f"{program.about} at the end, by |psi{order}|"))
        figures.append(made.figure(order, title=f"{program.about}, by |psi{order}|"))
    worst = max(abs(p) for p in peaks)
    claims.append(Claim(CLAIMS["spacing"], None, f"{worst:.1%} at most", worst <= 0.03, None, key="spacing"))
    rows.append(
        [
            "cores alone",
            *(f"{min(base.orders(k)):.3f} to {max(base.orders(k)):.3f}" for k in (4, 6)),
            None,
            "",
            base.trajectory.failed,
        ]
    )
    columns = ["program", "|psi4|", "|psi6|", "first peak of g(r)", "plane group of the largest grain, first seed", "blew up"]
    section = Section(
        "Rings choose the crystal",
        "Hard cores with computed rings about every other particle, from a random start, cooled from 1.2 to 0.1 kT.",
        tables=[Table("Order at the end", columns, rows, "Means over particles with at least two neighbours within 1.2 a.")],
        figures=figures,
    )
    return claims, section, {"crystals": numbers}


def _designer() -> Found:
    hexagonal, square = co.design("p6m", width=0.1), co.design("p4m")
    cannot, can = co.design("honeycomb", isotropic_only=True), co.design("honeycomb")
    found = [_radii(one) for one in (hexagonal, square)]
    holds = (
        hexagonal.verified
        and square.verified
        and len(found[0]) == 1
        and np.allclose(found[1], [1.0, math.sqrt(2)])
        and not cannot.verified
        and any("cannot" in why for why in cannot.failures)
    )
    text = "; ".join(f"{', '.join(f'{r:.3f}' for r in radii)}" for radii in found)
    claim = Claim(CLAIMS["designer"], "1; 1, 1.414", text, holds, note=cannot.failures[-1], key="designer")
    rows = [
        [
            one.lattice.name,
            str(one.group),
            one.route,
            one.program.about,
            one.margin,
            one.lowest_phonon,
            "yes" if one.verified else "no",
        ]
        for one in (hexagonal, square, cannot, can)
    ]
    columns = ["target", "group", "route", "program", "margin in kT", "lowest phonon", "verified"]
    section = Section(
        "From a plane group to a program",
        "The designer tries rings, then angles between bonds, then templates, and keeps what wins against six competing lattices.",
        tables=[Table("Designs", columns, rows, "The margin is the energy per particle to the best competitor.")],
    )
    return [claim], section, {"designer": {one.lattice.name: one.margin for one in (hexagonal, square, can)}}


def _radii(one: co.Design) -> list[float]:
    cross = one.program.cross
    assert isinstance(cross, co.Sum)
    return [float(part.R) for part in cross.parts if isinstance(part, co.Ring)]


def _full(config: Config, quiet: bool) -> Found:
    made = co.simulate(
        co.design("honeycomb"), 64, 60_000, batch=config.seeds, seed=config.seed, description="" if quiet else "honeycomb"
    )
    shares = {name: share for name, share in made.structures().items() if name != "none"}
    baseline = co.simulate(co.design("honeycomb", isotropic_only=True), 64, 20_000, batch=config.seeds, seed=config.seed)
    plain = baseline.structures().get("honeycomb", 0.0)
    best = max(shares, key=shares.__getitem__, default="none")
    claims = [
        Claim(
            CLAIMS["honeycomb"],
            None,
            shares.get("honeycomb", 0.0),
            best == "honeycomb",
            plain,
            "N = 64",
            note=f"shares {shares}",
            key="honeycomb",
        )
    ]
    rows, table = [], {}
    for radius in (0.1, 0.3, 1.0, 3.0):
        row: list[Any] = [radius]
        for tau in (0.05, 0.2, 0.5):
            sim = _single(config, 1e-3, 300, 40)
            sim.add(co.Annular(20.0, radius), delay=tau, self_=True, cross=False)
            path = sim.run(12_000, 100).after(3.0)
            found = co.mean_square_displacement(path.positions, 0.1, most=60)
            row.append(found.diffusion(3.0, 6.0)[0])
            table[f"R {radius:g}, tau {tau:g}"] = row[-1]
        rows.append(row)
    slow, fast = max(rows[0][1:]), min(rows[-1][1:])
    claims.append(Claim(CLAIMS["phases"], None, f"{slow:.2f} and {fast:.1f} D", slow < 1 < fast, 1.0, "300 replicas", key="phases"))
    delays = []
    for tau in (0.0, 0.02, 0.1, 0.5):
        program = co.Program(cross=co.Ring(1.0, 4.0, 0.1), core=co.WCA(0.8), timing=co.Timing(delay=tau))
        delays.append([tau, co.simulate(program, 81, 20_000, a=1.0, box=10.5, batch=config.seeds, seed=config.seed).order(6)])
    section = Section(
        "On a larger scale",
        "Honeycombs by angles, the diffusion coefficient over radius and delay of a ring, and crystals under delayed rings.",
        tables=[
            Table("Diffusion coefficient at long times", ["R", "tau = 0.05", "tau = 0.2", "tau = 0.5"], rows),
            Table("One ring with a delay", ["tau", "|psi6|"], delays),
        ],
        figures=[made.figure(3, title="Honeycomb, by |psi3|")],
    )
    return claims, section, {"phases": table, "honeycomb": shares}


STUDY = Study(
    name="cybloids",
    system=19,
    title="Delayed computed potentials: laws of one particle, self-propulsion, crystals at wish",
    source="D. Saha, S. Tarama, H. Loewen, S. U. Egelhaaf (2024), arXiv:2408.00336",
    config=Config,
    run=run,
    claims=CLAIMS,
)
