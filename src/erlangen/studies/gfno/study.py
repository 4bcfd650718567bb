"""G-FNO on two flows: one that quarter turns leave alone and mirrors do not, one whose mirrors change the sign of the vorticity."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from erlangen.parallel import one_thread
from erlangen.reporting import (
    RIVAL,
    RIVAL_CLAIM,
    Claim,
    Claims,
    Crossover,
    KeyNumber,
    Outcome,
    Rival,
    repeated,
)
from erlangen.studies.base import Study
from erlangen.studies.gfno.forecasts import (
    WATER,
    Entry,
    Flows,
    Score,
    Simple,
    error_of,
    fit,
    make_flows,
    still,
    symmetries,
    without_network,
)
from erlangen.studies.gfno.known import known_force
from erlangen.studies.gfno.report import flow_section, symmetry_section

SOURCE = "Helwig, Zhang, Fu, Kurtin, Wojtowytsch, Ji 2023, arXiv:2306.05697"
FNO, TURNED, LONGER, P4 = "FNO", "FNO, data turned", "FNO, data turned, twice the steps", "G-FNO p4"
SCALAR, PSEUDO = "G-FNO p4m, scalar", "G-FNO p4m, pseudoscalar"
TYPED, UNTYPED = "G-FNO p4m, scalar and vector", "G-FNO p4m, three scalars"
KINDS = ("scalar", "pseudoscalar")
#: The comparisons, by forcing.
ENTRIES = {
    "NS-Sym": (
        Entry(FNO, "p1"),
        Entry(TURNED, "p1", turned=True),
        Entry(LONGER, "p1", turned=True, longer=2),
        Entry(P4, "p4"),
        Entry(SCALAR, "p4m", "scalar"),
    ),
    "NS-A2": (Entry(FNO, "p1"), Entry(P4, "p4"), Entry(PSEUDO, "p4m"), Entry(SCALAR, "p4m", "scalar")),
    WATER: (Entry(FNO, "p1", "vector"), Entry(TYPED, "p4m", "vector"), Entry(UNTYPED, "p4m", "scalar")),
}


@dataclass(frozen=True)
class Config:
    """Vorticities of driven flows on a torus, forecast frame by frame."""

    train: int = 80
    """Trajectories of NS-Sym to learn from."""
    odd_train: int = 60
    """And of NS-A2."""
    water_train: int = 60
    """And of water."""
    test: int = 40
    """Trajectories of each to judge by."""
    side: int = 32
    """Points a side."""
    refine: int = 2
    """The solver's grid is so many times finer."""
    window: int = 6
    """Frames that go in."""
    rollout: int = 10
    """Frames to forecast."""
    modes: int = 8
    """Wave numbers below this are kept."""
    width: int = 14
    """Channels of the FNO."""
    width_p4: int = 7
    """Channels of p4, of four numbers each."""
    width_p4m: int = 5
    """Channels of p4m, of eight numbers each."""
    steps: int = 215
    """Steps of training on NS-Sym."""
    odd_steps: int = 180
    """And on NS-A2 and on water."""
    batch: int = 12
    """Windows in a batch."""
    lr: float = 2e-3
    """Largest learning rate."""
    seeds: int = 1
    """Networks of each kind; one takes about two minutes for all flows."""
    seed: int = 0
    """First seed."""
    curve: bool = False
    """Also how well the law forecasts whose force is known only so far, over three seeds."""
    full: bool = False
    """The source's scale: 64 points from 256, 1000 trajectories, 12 modes, 100 epochs, rollouts on 256 points; days."""


FULL = {
    "train": 1000, "odd_train": 1000, "water_train": 1000, "test": 100,
    "side": 64, "refine": 4, "window": 10, "modes": 12, "width": 20, "width_p4": 10,
    "width_p4m": 7, "steps": 50_000, "odd_steps": 50_000, "batch": 20, "lr": 1e-3,
}  # fmt: skip


def compare(config: Config, flows: Flows, steps: int, seed: int, quiet: bool) -> dict[str, Score]:
    """Every network of a comparison with one seed."""
    widths = {"p1": config.width, "p4": config.width_p4, "p4m": config.width_p4m}
    return {
        entry.name: fit(
            entry, flows, config.modes, widths[entry.group], config.window, steps, config.batch, config.lr, seed, quiet
        )
        for entry in ENTRIES[flows.forcing]
    }  # fmt: skip


def run(config: Config, *, quiet: bool = False) -> Outcome:
    """Simulate, train every network with every seed, and compare."""
    started = time.perf_counter()
    if config.full:
        config = replace(config, **FULL)  # type: ignore[arg-type]
    with one_thread():
        frames = config.window + config.rollout
        kinds = {"NS-Sym": KINDS, "NS-A2": KINDS, WATER: ("vector", "scalar")}
        real = {forcing: symmetries(forcing, config.side, config.rollout, of) for forcing, of in kinds.items()}
        flows = {
            forcing: make_flows(forcing, train, config.test, config.side, config.refine, frames, config.seed + i)
            for i, (forcing, train) in enumerate(
                (("NS-Sym", config.train), ("NS-A2", config.odd_train), (WATER, config.water_train))
            )
        }  # fmt: skip
        seeds = range(config.seed, config.seed + config.seeds)
        runs = {
            forcing: [compare(config, of, config.steps if forcing == "NS-Sym" else config.odd_steps, seed, quiet) for seed in seeds]
            for forcing, of in flows.items()
        }
        nothing = {forcing: error_of(still(of.test.shape[2]), of.test, config.window) for forcing, of in flows.items()}
        simple = {forcing: without_network(of, config.window) for forcing, of in flows.items()}
        curve = known_force(config, flows["NS-Sym"], runs["NS-Sym"], P4, quiet) if config.curve else None
    return _outcome(config, flows, real, runs, nothing, simple, curve, time.perf_counter() - started)


def _outcome(
    config: Config,
    flows: dict[str, Flows],
    real: dict[str, dict[str, list[float]]],
    runs: dict[str, list[dict[str, Score]]],
    nothing: dict[str, float],
    simple: dict[str, Simple],
    curve: Crossover | None,
    seconds: float,
) -> Outcome:
    def each(forcing: str, name: str, read: Callable[[Score], float] = lambda s: s.rollout) -> list[float]:
        return [read(one[name]) for one in runs[forcing]]

    def mean(forcing: str, name: str, read: Callable[[Score], float] = lambda s: s.rollout) -> float:
        return statistics.mean(each(forcing, name, read))

    fno, p4, turned, longer, scalar = (mean("NS-Sym", name) for name in (FNO, P4, TURNED, LONGER, SCALAR))
    odd_p4, odd_pseudo, odd_scalar = (mean("NS-A2", name) for name in (P4, PSEUDO, SCALAR))
    fine = {name: mean("NS-Sym", name, lambda s: s.fine) for name in (FNO, P4)}
    change = max(abs(score.turned / score.upright - 1) for one in runs["NS-Sym"] for name, score in one.items() if name == P4)
    scale = f"{config.train} trajectories on {config.side} x {config.side} points, {config.steps} steps, seeds: {config.seeds}"
    odd_scale = (
        f"{config.odd_train} trajectories on {config.side} x {config.side} points, {config.odd_steps} steps, seeds: {config.seeds}"
    )
    water_scale = f"{config.water_train} trajectories on {config.side} x {config.side} points, {config.odd_steps} steps"
    typed = mean(WATER, TYPED)
    exact = max(real["NS-Sym"]["scalar"][0], *real["NS-A2"]["pseudoscalar"])
    broken = min(real["NS-Sym"]["scalar"][1], real["NS-Sym"]["pseudoscalar"][1], real["NS-A2"]["scalar"][1])
    claims = [
        Claim(
            "NS-Sym has the quarter turns, NS-A2 also mirrors that change the sign: errors of the solver at most 1e-7",
            None,
            exact,
            exact <= 1e-7,
            baseline=broken,
            scale=f"{config.rollout} units of time, {config.side} points a side",
            note="baseline: the least error of mirrors of either kind on NS-Sym, and of mirrors that keep the sign on NS-A2",
            key="symmetries",
        ),
        Claim(
            "and no mirror of either kind is a symmetry of NS-Sym, no mirror that keeps the sign one of NS-A2: errors of at least 0.1",
            None,
            broken,
            broken >= 0.1,
            scale=f"{config.rollout} units of time, {config.side} points a side",
            note="the source takes p4m with vorticities as scalars for NS-Sym",
            key="symmetries",
        ),
        Claim(
            "on NS-Sym p4 has at most 0.75 times the rollout error of the FNO",
            "2.24 / 4.21 = 0.53",
            p4 / fno,
            p4 <= 0.75 * fno,
            baseline=1.0,
            scale=scale,
            source=SOURCE,
            key="turns",
        ),
        Claim(
            "and at most 0.75 times that of the FNO whose training data are turned at random",
            "2.24 / 4.80 = 0.47",
            p4 / turned,
            p4 <= 0.75 * turned,
            baseline=1.0,
            scale=scale,
            source=SOURCE,
            key="augmentation",
        ),
        Claim(
            "and a smaller error than that one has after twice the steps, which take about as much CPU time as p4's",
            None,
            p4,
            p4 < longer,
            baseline=longer,
            scale=f"{scale}; CPU seconds {mean('NS-Sym', P4, _seconds):.0f} and {mean('NS-Sym', LONGER, _seconds):.0f}",
            key="equal-time",
        ),
        Claim(
            "p4m with vorticities as scalars, mirrors that NS-Sym does not have, lies between p4 and the FNO",
            "2.37 between 2.24 and 4.21",
            scalar,
            p4 < scalar < fno,
            baseline=p4,
            scale=scale,
            source=SOURCE,
            key="wrong-mirrors",
        ),
        Claim(
            "on NS-A2 p4m with vorticities as pseudoscalars has at most 0.75 times the error of p4",
            None,
            odd_pseudo / odd_p4,
            odd_pseudo <= 0.75 * odd_p4,
            baseline=1.0,
            scale=odd_scale,
            note="not in the source, which has scalars only",
            key="right-mirrors",
        ),
        Claim(
            "and at most 0.75 times that of p4m with vorticities as scalars",
            None,
            odd_pseudo / odd_scalar,
            odd_pseudo <= 0.75 * odd_scalar,
            baseline=1.0,
            scale=odd_scale,
            key="right-mirrors",
        ),
        Claim(
            "p4's error is the same when the test flows are turned, to 1e-5 of it",
            "4.78 and 4.78",
            change,
            change <= 1e-5,
            baseline=max(abs(one[FNO].turned / one[FNO].upright - 1) for one in runs["NS-Sym"]),
            scale=f"{scale}; single precision",
            source=SOURCE,
            key="turned-data",
        ),
        Claim(
            f"on {config.refine} times as many points a side, which neither has seen, p4 has a smaller error than the FNO",
            "21.89 and 32.45 of 100, four times",
            fine[P4],
            fine[P4] < fine[FNO],
            baseline=fine[FNO],
            scale=scale,
            source=SOURCE,
            key="resolution",
        ),
        Claim(
            "water, a scalar and a vector: p4m with these kinds has a smaller error than the FNO",
            "14.96 and 18.45 of 100 (p4; PDEArena)",
            typed,
            typed < mean(WATER, FNO),
            baseline=mean(WATER, FNO),
            scale=water_scale,
            source=SOURCE,
            key="kinds",
        ),
        Claim(
            "and than p4m with the components of the velocity as scalars",
            None,
            typed,
            typed < mean(WATER, UNTYPED),
            baseline=mean(WATER, UNTYPED),
            scale=water_scale,
            key="kinds",
        ),
        Claim(
            "networks with the flow's own turns forecast better than that nothing changes",
            None,
            max(mean(f, name) / nothing[f] for f, name in _RIGHT),
            all(max(each(f, name)) < nothing[f] for f, name in _RIGHT),
            baseline=max(mean(f, FNO) / nothing[f] for f in runs),
            scale=scale,
            note="baseline: the largest of the FNO, in the same unit, the error of no change",
            key="learns",
        ),
    ]
    first = {forcing: one[0] for forcing, one in runs.items()}
    return Outcome(
        name="gfno",
        title="Fourier operators with the symmetries that a flow has, and with ones that it has not",
        config=config,
        claims=Claims(claims),
        metrics={
            "rollout": {f: {name: each(f, name) for name in first[f]} for f in runs},
            "one_step": {f: {name: each(f, name, lambda s: s.one_step) for name in first[f]} for f in runs},
            "turned": {f: {name: each(f, name, lambda s: s.turned) for name in first[f]} for f in runs},
            "fine": {f: {name: each(f, name, lambda s: s.fine) for name in first[f]} for f in runs},
            "cpu_seconds": {f: {name: each(f, name, _seconds) for name in first[f]} for f in runs},
            "parameters": {name: score.parameters for one in first.values() for name, score in one.items()},
            "nothing_changes": nothing,
            "simple": {f: vars(found) for f, found in simple.items()},
            "symmetries": real,
            **({"crossover": curve.as_dict()} if curve else {}),
        },
        sections=[
            symmetry_section(real),
            *(flow_section(config.window, flows[f], runs[f], nothing[f], simple[f]) for f in runs),
            *([curve.section("Where the law is known only so far")] if curve else []),
        ],
        seconds=seconds,
        rivals=_rivals(runs, simple, scale),
        answer=f"With the flow's own quarter turns a Fourier operator's forecasts err by {p4:.1%}, without by {fno:.1%}, with turned data "
        f"by {turned:.1%}, with mirrors that the flow has not by {scalar:.1%}. Where the flow has mirrors that change the sign of the "
        f"vorticity, a network that knows it errs by {odd_pseudo:.1%}, one with quarter turns alone by {odd_p4:.1%}, with mirrors that "
        f"keep the sign by {odd_scalar:.1%}. On water, with the velocity as a vector, it is {typed:.1%}, with a plain operator "
        f"{mean(WATER, FNO):.1%}.",
        key_numbers=[
            KeyNumber("rollout error on NS-Sym, p4", repeated(each("NS-Sym", P4)), note=f"FNO: {fno:.3f}"),
            KeyNumber("rollout error on NS-A2, p4m", repeated(each("NS-A2", PSEUDO)), note=f"p4: {odd_p4:.3f}"),
            KeyNumber("relative change when turned, p4", change, note="single precision"),
        ],
    )


def _rivals(runs: dict[str, list[dict[str, Score]]], simple: dict[str, Simple], scale: str) -> list[Rival]:
    found = []
    for forcing, name in ((f, n) for f, n in _RIGHT if (f, n) != ("NS-A2", P4)):
        ours = repeated([one[name].rollout for one in runs[forcing]])
        one = simple[forcing]
        for rival, error, seconds, settings, note in (
            ("the law itself on the coarse grid", one.law, one.law_seconds, "", "it knows the law; seconds for all test flows"),
            (
                "the best linear forecast",
                one.linear,
                one.linear_seconds,
                f"ridge {one.alpha:g}, of 4 on a quarter of the trajectories",
                "",
            ),
        ):
            found.append(
                Rival(
                    rival, name, f"relative rollout error, {forcing}", ours, error, "lower",
                    seconds=statistics.mean(_seconds(run[name]) for run in runs[forcing]), rival_seconds=seconds,
                    settings=settings, scale=scale, note=note,
                )
            )  # fmt: skip
    return found


def _seconds(score: Score) -> float:
    return score.seconds


#: Networks with turns that the flow has, and no others.
_RIGHT = (("NS-Sym", P4), ("NS-A2", P4), ("NS-A2", PSEUDO), (WATER, TYPED))

STUDY = Study(
    name="gfno",
    system=8,
    title="Group-equivariant Fourier operators on flows with and without mirrors",
    source=SOURCE,
    config=Config,
    run=run,
    claims={
        RIVAL: RIVAL_CLAIM,
        "symmetries": "which turns and mirrors the flows have, measured on the solver",
        "turns": "quarter turns that the flow has lower the error of rollouts",
        "augmentation": "more than turned training data do",
        "equal-time": "also where these have as much time",
        "wrong-mirrors": "mirrors that the flow has not take back a part of it",
        "right-mirrors": "mirrors that change the sign of a vorticity pay where the flow has them; mirrors that keep it do not",
        "turned-data": "the error is the same on turned data",
        "resolution": "and it is smaller on a finer grid, too",
        "kinds": "networks that know a velocity for a vector forecast water better",
        "learns": "networks with the flow's turns forecast better than that nothing changes",
    },
)
