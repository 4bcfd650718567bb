"""Robots designed under symmetry: no symmetry, all of it, and a search over the subgroups, on equal budgets of rollouts."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal

import numpy as np
import torch

from erlangen.errors import ArgumentError, MissingExtra
from erlangen.extras import engine
from erlangen.fields import robots
from erlangen.fields.robots.designing import JUDGED, SIGMA, Trial
from erlangen.fields.robots.rollouts import Rollouts
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
    Section,
    Table,
    bars_with_error,
    format_value,
    progress,
    repeated,
)
from erlangen.studies.base import Study

SOURCE = "Dong, Zhang, Wang, Zhang 2023, arXiv:2306.00036"
#: What is compared: how :func:`erlangen.fields.robots.design` searches, by what the report calls it.
ARMS = {"no symmetry": "none", "D_n": "H_1_0", "search": "structured", "unstructured": "unstructured"}
#: Robots in a generation of CMA-ES.
CROWD = 24
#: Shares of the budget at which robots are compared, and orbits of goals by which those of CMA-ES then are.
PLACES, LOOKED = (1 / 8, 1 / 4, 1 / 2, 3 / 4, 1.0), 2
#: Tasks in which the source's claim of SARD's gain is tried, and those that have a direction.
ISOTROPIC = "point-nav"
NOT_HERE = "another task's: this run had {task}"


@dataclass(frozen=True)
class Config:
    """One task for one number of legs; every arm has the same rollouts from the same random robots."""

    task: Literal["point-nav", "patrol", "forward"] = "point-nav"
    """To any goal; to and fro on a line; along a line."""
    n_legs: int = 4
    """Legs."""
    budget: int = 3200
    """Rollouts for each robot and arm."""
    seeds: int = 3
    """Robots for each arm; claims are about medians."""
    inner: Literal["es", "ppo"] = "es"
    """What improves a robot: evolution strategies, or half of the rollouts for policy optimisation."""
    full: bool = False
    """Ten seeds of 50,000 rollouts; the source trains for 5 10^7 steps."""
    seed: int = 0
    """First seed."""

    @property
    def scale(self) -> tuple[int, int]:
        """Seeds, and rollouts for each robot."""
        return (max(10, self.seeds), max(50_000, self.budget)) if self.full else (self.seeds, self.budget)


def run(config: Config, *, quiet: bool = False) -> Outcome:
    """Design robots of all arms from each seed; the values, the groups that were chosen, and the best robot drawn."""
    if config.seeds < 1:
        raise ArgumentError("seeds", "at least one", repr(config.seeds))
    started = time.perf_counter()
    seeds, budget = config.scale
    task = robots.task_named(config.task)
    made: dict[str, list[robots.RobotDesign]] = {arm: [] for arm in ARMS}
    spent = dict.fromkeys(ARMS, 0.0)
    with one_thread(), progress(seeds * len(ARMS), f"robots for {task.name}", quiet=quiet) as bar:
        symmetric = robots.check_engine(config.n_legs, seed=config.seed)
        for seed in range(config.seed, config.seed + seeds):
            for arm, search in ARMS.items():
                clock = time.process_time()
                made[arm].append(robots.design(task, config.n_legs, search=search, budget=budget, inner=config.inner, seed=seed))
                spent[arm] += (time.process_time() - clock) / seeds
                bar.advance(1, value=made[arm][-1].value, at=arm)
    rivals: list[Rival] = []
    missing: dict[str, str] = {}
    curve = None
    try:
        clock = time.process_time()
        with one_thread():
            alone = [without_structure(config, budget, seed) for seed in range(config.seed, config.seed + seeds)]
        rivals = [_rival(made, alone, spent["search"], (time.process_time() - clock) / seeds, f"{seeds} seeds, {budget} rollouts")]
        curve = _curve(made, alone, budget)
    except MissingExtra as problem:
        missing = {RIVAL: str(problem)}
    middle = {arm: median(best.value for best in designs) for arm, designs in made.items()}
    claims, left_out = _claims(config, middle, made, symmetric, f"{seeds} seeds, {budget} rollouts")
    best = max(made["search"], key=lambda design: design.value)
    counts = {group: sum(d.group == group for d in made["search"]) for group in sorted({d.group for d in made["search"]})}
    chosen = ", ".join(f"{group} ({count})" for group, count in counts.items())
    rollouts = sum(d.rollouts for designs in made.values() for d in designs)
    blown = sum(d.blown for designs in made.values() for d in designs)
    shown, words = best.outcome(), robots.RadialSpace(config.n_legs).in_words
    sections = [
        Section("What was reached", [_words(made)], tables=[_table(made)], figures=[_bars(made, middle, task.about)]),
        Section(
            "The best robot of the search",
            [
                f"Its body's symmetry is {best.group} ({words(best.group)}). The search ended in: {chosen}.",
                *shown.sections[0].paragraphs,
            ],
            figures=[*shown.sections[0].figures, *shown.sections[1].figures],
        ),
        Section("How that search went", figures=list(shown.sections[2].figures), tables=list(shown.sections[2].tables)),
        *([curve.section()] if curve else []),
    ]
    return Outcome(
        "robot-design",
        f"Robots with {config.n_legs} legs designed under symmetry: {task.name}",
        config,
        claims=Claims(claims),
        left_out=left_out | missing,
        rivals=rivals,
        metrics={
            "values": {arm: [d.value for d in designs] for arm, designs in made.items()},
            "groups": {arm: [d.group for d in designs] for arm, designs in made.items()},
            "medians": middle,
            "rollouts": rollouts,
            "blown": blown,
            "engine": symmetric.as_dict(),
            **({"crossover": curve.as_dict()} if curve else {}),
        },
        sections=sections,
        seconds=time.perf_counter() - started,
        answer=f"In {task.seconds:g} s robots of the search come {middle['search']:.2f} m nearer (median of {seeds}), without symmetry "
        f"{middle['no symmetry']:.2f} m, with all of it {middle['D_n']:.2f} m.",
        key_numbers=[
            *(KeyNumber(arm, value, "m", "median, metres nearer") for arm, value in middle.items()),
            KeyNumber("rollouts", rollouts, note=f"{blown} blew up"),
        ],
        glossary={
            "D_n": "the dihedral group: all turns and reflections of a regular polygon with n corners",
            "rollout": "one simulation of one robot for one goal",
            "unstructured": "each epoch looks at two random subgroups in place of neighbours in the lattice",
        },
    )  # fmt: skip


@dataclass(frozen=True)
class Alone:
    """What CMA-ES reached from one robot: metres nearer at the end, and after so many rollouts on the way."""

    value: float
    course: list[tuple[int, float]]


def _rival(made: dict[str, list[robots.RobotDesign]], alone: list[Alone], spent: float, simple: float, scale: str) -> Rival:
    """The adaptation of covariances on all numbers of body and controller, from the same robots and for as many rollouts."""
    found = repeated([d.value for d in made["search"]])
    middle = median(d.value for d in made["search"])
    return Rival(
        "CMA-ES without symmetry", "the search", "metres nearer", found, repeated([one.value for one in alone]), "higher",
        seconds=spent, rival_seconds=simple, unit="m",
        settings=f"pycma, diagonal, first deviation {SIGMA} of half the box, {CROWD} robots in a generation", scale=scale,
        note=f"medians {middle:.2f} and {median(one.value for one in alone):.2f}",
    )  # fmt: skip


def without_structure(config: Config, budget: int, seed: int) -> Alone:
    """What CMA-ES reaches from the random robot of a seed, judged as the arms are.

    Raises:
        MissingExtra: pycma is not installed.
    """
    cma = engine("bench", "cma")
    task, space = robots.task_named(config.task), robots.RadialSpace(config.n_legs)
    nothing = space.subgroup(f"H_{config.n_legs}").elements
    with Rollouts(1) as rollouts:
        trial = Trial(space, task, robots.LegController(config.n_legs, 2), robots.Physics(), rollouts)
        first, half = trial.first(seed), trial.scale["body"]
        shape, bodies = first["body"].shape, first["body"].numel()

        def unpacked(x: Any) -> dict[str, torch.Tensor]:
            numbers = torch.from_numpy(np.asarray(x))
            body = numbers[:, :bodies].unflatten(1, shape) * half
            return trial.project({"body": body, "controller": numbers[:, bodies:]})

        def judged(x: Any, orbits: int) -> float:
            robot, (goals, shares) = unpacked(x[None]), trial.goals(nothing, orbits, None)
            controller = robot["controller"].numpy()
            return float(rollouts.run(trial.specs(robot["body"]), trial.controller, controller, task, goals).values[0] @ shares)

        start = torch.cat([(first["body"] / half).flatten(), first["controller"].flatten()]).numpy()
        options = {"seed": seed + 1, "verbose": -9, "popsize": CROWD, "CMA_diagonal": True}
        strategy = cma.CMAEvolutionStrategy(start, SIGMA, options)
        generations, course = budget // CROWD, []
        looks = {int(share * generations) for share in PLACES}
        for generation in range(generations):
            asked = strategy.ask()
            strategy.tell(asked, (-trial.generation(unpacked(asked), 10_000 * seed + generation)).tolist())
            if generation + 1 in looks:
                course.append((CROWD * (generation + 1), judged(strategy.mean, LOOKED)))
        return Alone(judged(strategy.mean, JUDGED), course)


def _curve(made: dict[str, list[robots.RobotDesign]], alone: list[Alone], budget: int) -> Crossover | None:
    """What the robot of the moment reaches, over the rollouts so far; None where fewer than two places have one of each search."""
    arms = {"the search": "search", "evolution strategies without symmetry": "no symmetry", "all of D_n from the start": "D_n"}
    courses = {name: made[arm] for name, arm in arms.items()}
    reached: dict[str, list[list[tuple[int, float]]]] = {}
    for name, designs in courses.items():
        reached[name] = []
        for design in designs:
            assert design.search is not None
            unit = design.rollouts / design.search.history[-1].evaluations
            reached[name].append([(round(unit * epoch.evaluations), epoch.value) for epoch in design.search.history])
    reached["CMA-ES without symmetry"] = [one.course for one in alone]
    first = max((course[0][0] for each in reached.values() for course in each if course), default=budget)
    places = [round(share * budget) for share in PLACES if share * budget >= first]
    if len(places) < 2 or not all(course for each in reached.values() for course in each):
        return None
    curves = {
        name: [[[value for count, value in course if count <= place][-1] for course in each] for place in places]
        for name, each in reached.items()
    }
    return Crossover(
        "rollouts", places, "metres nearer", "higher", "the search", curves,
        note="Of the robot that each search has at that moment, for a few goals; what a search returns is the best of its epochs, "
        "judged by more.",
    )  # fmt: skip


def _claims(
    config: Config, middle: dict[str, float], made: dict[str, list[Any]], symmetric: Any, scale: str
) -> tuple[list[Claim], dict[str, str]]:
    found, none, whole = (middle[arm] for arm in ("search", "no symmetry", "D_n"))
    loose = middle["unstructured"]
    each = "; ".join(f"{arm} {format_value(repeated([d.value for d in designs]), 'm')}" for arm, designs in made.items())
    claims = [
        Claim(
            STUDY.claims["engine"], None, max(symmetric["turns"], symmetric["reflections"]), symmetric, unit="m",
            scale=symmetric.reason, key="engine",
        ),
        Claim(
            STUDY.claims["structure"], "better, no figures", found, found >= loose, baseline=loose, unit="m", scale=scale, source=SOURCE,
            key="structure", note=f"medians; the baseline looks at two random subgroups in each epoch; mean and deviation: {each}",
        ),
    ]  # fmt: skip
    if config.task == ISOTROPIC:
        claims += [
            Claim(
                STUDY.claims["gain"], "better, no figures", found, found >= none + 0.15 * abs(none),
                baseline=none, unit="m", scale=scale,
                source=SOURCE, key="gain", note="medians; the baseline has no symmetry",
            ),
            Claim(
                STUDY.claims["fixed"], "best or tied", found, found >= whole - 0.3 * abs(whole),
                baseline=whole, unit="m", scale=scale, source=SOURCE,
                key="fixed", note="medians; the baseline has all symmetry from the start",
            ),
        ]  # fmt: skip
        return claims, {"directed": NOT_HERE.format(task=config.task)}
    groups = sorted({d.group for d in made["search"]})
    claims.append(
        Claim(
            STUDY.claims["directed"], "best or tied", found, found >= whole - 0.1 * abs(whole),
                baseline=whole, unit="m", scale=scale, source=SOURCE,
            key="directed", note=f"medians; the baseline has all symmetry from the start; the search ended in {', '.join(groups)}",
        )
    )  # fmt: skip
    return claims, {key: NOT_HERE.format(task=config.task) for key in ("gain", "fixed")}


def _words(made: dict[str, list[Any]]) -> str:
    used = {arm: sum(d.rollouts for d in designs) / len(designs) for arm, designs in made.items()}
    spent = ", ".join(f"{arm} {count:.0f}" for arm, count in used.items())
    return (
        f"Values are metres nearer to the goals, of the robot that each search ended with. Rollouts, at most the budget: {spent}."
    )


def _table(made: dict[str, list[Any]]) -> Table:
    rows = []
    for number in range(len(made["search"])):
        row: list[Any] = [number]
        for designs in made.values():
            row += [designs[number].value, designs[number].group]
        rows.append(row)
    columns = ["robot", *(name for arm in made for name in (f"{arm}, m", "symmetry"))]
    return Table("Robots by seed and arm", columns, rows, "Arms of one row start from the same random robot.")


def _bars(made: dict[str, list[Any]], middle: dict[str, float], about: str) -> Any:
    categories = ["median", *(f"robot {i}" for i in range(len(made["search"])))]
    values = {arm: [middle[arm], *(d.value for d in designs)] for arm, designs in made.items()}
    return bars_with_error(
        categories, values, title=f"Metres nearer: {about}", y_label="m", caption="One group of bars for each seed."
    )


STUDY = Study(
    name="robot-design",
    system=2,
    title="SARD: bodies and controllers of legged robots by a search over subgroups of a dihedral group",
    source=SOURCE,
    config=Config,
    run=run,
    claims={
        RIVAL: RIVAL_CLAIM,
        "engine": "the engine, as it is set, keeps the symmetry of bodies to 1e-9 for two seconds in contact",
        "gain": "where any direction can be asked the search is at least 1.15 times as good as no symmetry",
        "fixed": "there it is at least 0.7 times as good as all symmetry from the start",
        "directed": "where the task has a direction the search loses at most a tenth to all symmetry from the start",
        "structure": "neighbours in the lattice are looked at with at least as much gain as random subgroups",
    },
)
