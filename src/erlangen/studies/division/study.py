"""The study of fair division: a census of what exists and what is reached, times at scale, and household tasks."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from erlangen.errors import MissingExtra
from erlangen.fields.mechanisms.division import RULES, Allocation, Instance, check_allocation, property_table
from erlangen.fields.mechanisms.division.report import GLOSSARY, marked
from erlangen.parallel import one_thread
from erlangen.reporting import RIVAL, RIVAL_CLAIM, Claim, Claims, Figure, KeyNumber, Outcome, Section, Table, heatmap, plain
from erlangen.studies.base import Study
from erlangen.studies.division.census import ASKED, CLASSES, RULE_NAMES, SIZES, Counted, census, promised, rivals
from erlangen.studies.division.households import SOURCE as TASKS
from erlangen.studies.division.households import instances

SOURCE = "Aleksandrov & Walsh, KI 2020, arXiv:2007.04129"
#: The textbook case of round robin with goods and chores.
TEXTBOOK = [[2, -3, -3, -3]] * 2
CALLED = {
    "double_round_robin": "Algorithm 1",
    "greedy_magnitude": "Algorithm 2",
    "round_robin": "round robin",
    "plain_double_round_robin": "double round robin of 2022",
    "utilitarian_greedy": "each to who values it most",
    "adjusted_winner": "adjusted winner",
}


@dataclass(frozen=True)
class Config:
    """Everything is exact; what is random are the instances."""

    full: bool = False
    """5000 instances of each class and size, four agents among them."""
    instances: int = 300
    """Of each class and size."""
    items: int = 5000
    """Items of the largest instance that is timed; agents are a 25th of them, at least two."""
    seed: int = 0
    """Of the instances."""


class Timed(NamedTuple):
    """CPU seconds at one size.

    Attributes:
        n, m: agents and items, utilities from -50 to 50.
        first, second: of the two algorithms.
        checks: of EF1, EFX and EFX3 for what the first makes, together.
        fractional: of fPO.
        fair: whether the first is EF13 there.
    """

    n: int
    m: int
    first: float
    second: float
    checks: float
    fractional: float
    fair: bool


def run(config: Config, *, quiet: bool = False) -> Outcome:
    """Go through all allocations of small instances, time large ones, divide the tasks."""
    started = time.perf_counter()
    left_out: dict[str, str] = {}
    with one_thread():
        sizes = (*SIZES, (4, 4), (4, 5)) if config.full else SIZES
        count = 5000 if config.full else config.instances
        rows = census(count, sizes, config.seed, quiet)
        beside = rivals(max(2, count // 3), config.seed)
        timed = [scale(max(2, m // 25), m, config.seed) for m in (config.items // 10, config.items // 2, config.items)]
        try:
            tasks = instances()
        except MissingExtra as missing:
            tasks = {}
            left_out["tasks"] = str(missing)
    claims = [*_census_claims(rows), _scale_claim(timed), *_task_claims(tasks)]
    open_case = [row for row in rows if row.utility_class == "general" and row.n > 2]
    cells = promised(rows)
    return Outcome(
        name="division", title="Fair division of goods and chores", config=config, claims=Claims(claims), left_out=left_out, rivals=beside,
        metrics=plain({
            "asked": [" and ".join(names) for names in ASKED], "census": [row._asdict() for row in rows], "guaranteed": cells,
            "times": [t._asdict() for t in timed],
        }),
        sections=_sections(rows, cells, timed, tasks), seconds=time.perf_counter() - started,
        answer=f"{sum(cell[3] == 1 for cell in cells)} of {len(cells)} guaranteed cells were reached in every instance; EFX3 does not "
        "always exist, nor does EFX0.",
        key_numbers=[
            KeyNumber("instances gone through", sum(row.instances for row in rows), note=f"{len(CLASSES)} classes, {len(sizes)} sizes"),
            KeyNumber("guaranteed cells at 100 %", sum(cell[3] == 1 for cell in cells), note=f"of {len(cells)}"),
            KeyNumber("EF1 and PO exist, general, n > 2", min(_share(row, ("EF1", "PO")) for row in open_case), note="an open problem"),
        ],
        glossary=GLOSSARY,
    )  # fmt: skip


def scale(n: int, m: int, seed: int) -> Timed:
    """Time the algorithms and the checkers on one random instance: CPU seconds, the least of three."""
    inst = Instance(np.random.default_rng([seed, n, m]).integers(-50, 51, (n, m)))
    first = RULES["double_round_robin"](inst)
    jobs: list[Callable[[], object]] = [
        lambda: RULES["double_round_robin"](inst),
        lambda: RULES["greedy_magnitude"](inst),
        lambda: [check_allocation(first, name) for name in ("EF1", "EFX", "EFX3")],
        lambda: check_allocation(first, "fPO"),
    ]
    one, two, checks, fractional = (min(_seconds(job) for _ in range(3)) for job in jobs)
    return Timed(n, m, one, two, checks, fractional, bool(check_allocation(first, "EF13")))


def _seconds(job: Callable[[], object]) -> float:
    started = time.process_time()
    job()
    return time.process_time() - started


def _share(row: Counted, names: tuple[str, ...]) -> float:
    return row.exists[ASKED.index(names)]


def _least(rows: list[Counted], names: tuple[str, ...], *, rule: str = "", classes: tuple[str, ...] = CLASSES) -> float:
    k = ASKED.index(names)
    return min((row.reached[rule] if rule else row.exists)[k] for row in rows if row.utility_class in classes)


def _census_claims(rows: list[Counted]) -> list[Claim]:
    scale = f"{rows[0].instances} instances of each of {len(CLASSES)} classes and {len(rows) // len(CLASSES)} sizes"
    cells = promised(rows)
    general = [row for row in rows if row.utility_class == "general"]
    larger = [row for row in general if row.n > 2]
    mixed = ("general", "absolute identical", "identical", "-alpha/0/beta", "-alpha/0/alpha")
    book = check_allocation(RULES["round_robin"](Instance(TEXTBOOK)), "EF1")
    greedy = _least(rows, ("EF1",), rule="utilitarian_greedy")
    plain_ef1 = _least(rows, ("EF1",), rule="round_robin", classes=mixed)
    return [
        Claim("every guarantee of the two algorithms holds", 1.0, min(cell[3] for cell in cells), all(cell[3] == 1 for cell in cells),
              key="guarantees", scale=f"{len(cells)} cells, {scale}", source=SOURCE, note="the least share"),
        Claim("EFX3 does not always exist", None, _least(rows, ("EFX3",)), _least(rows, ("EFX3",)) < 1, key="impossible", scale=scale,
              source=SOURCE, note="the least share of instances that have such an allocation"),
        Claim("EFX0 does not always exist", None, _least(rows, ("EFX0",)), _least(rows, ("EFX0",)) < 1, key="impossible", scale=scale,
              source=SOURCE, note="the least share of instances that have such an allocation"),
        Claim("EF1 with PO exists in all instances of three people and more", None, min(_share(row, ("EF1", "PO")) for row in larger),
              all(_share(row, ("EF1", "PO")) == 1 for row in larger), key="open", scale=f"{sum(r.instances for r in larger)} instances",
              note="whether it always does is an open problem; this is no proof"),
        Claim("round robin with goods and chores breaks EF1", None, plain_ef1, plain_ef1 < 1 and not book, key="round-robin", scale=scale,
              baseline=_least(rows, ("EF1",), rule="double_round_robin"), note="least share with EF1; baseline: Algorithm 1; "
              f"and of two people with 2, -3, -3, -3: {book.reason}"),
        Claim("what is most efficient is often unfair", None, greedy, greedy < 0.9, key="greedy", scale=scale,
              note="least share with EF1 of giving each item to who values it most"),
    ]  # fmt: skip


def _scale_claim(timed: list[Timed]) -> Claim:
    last = timed[-1]
    slowest, size = max(last.first, last.second), f"{last.n} agents, {last.m} items"
    note = f"CPU seconds of the slower algorithm; EF1, EFX and EFX3 together {last.checks:.2f} s; fPO {last.fractional:.2f} s"
    return Claim(
        "large tables are divided within 0.3 s and checked within a second", 0.3, slowest, slowest < 0.3 and last.checks < 1 and last.fair,
        key="scale", unit="s", scale=size, note=note,
    )  # fmt: skip


def _task_claims(tasks: dict[str, Instance]) -> list[Claim]:
    if not tasks:
        return []
    first = RULES["double_round_robin"](tasks["log-odds"])
    thirds = RULES["double_round_robin"](tasks["thirds"])
    winner = RULES["adjusted_winner"](tasks["log-odds"])
    good = [bool(check_allocation(first, "EF13")), *(bool(check_allocation(thirds, name)) for name in ("EFX3", "PO"))]
    good += [bool(check_allocation(winner, name)) for name in ("EF1", "fPO")]
    said = "Algorithm 1 EF13; of thirds EFX3 and PO; adjusted winner EF1 and fPO"
    scale = "13 tasks, log-odds of doing them alone, centred"
    return [
        Claim("household tasks are divided as guaranteed", len(good), sum(good), all(good), key="tasks", scale=scale, note=said,
              source=TASKS),
    ]  # fmt: skip


def _sections(rows: list[Counted], cells: list[Any], timed: list[Timed], tasks: dict[str, Instance]) -> list[Section]:
    asked = [" and ".join(names) for names in ASKED]

    def table(title: str, of: str) -> Table:
        body = []
        for name in CLASSES:
            shares = [row.reached[of] if of else row.exists for row in rows if row.utility_class == name]
            body.append([name, *np.mean(shares, 0).tolist()])
        return Table(title, ["class", *asked], body, "Mean over sizes; metrics.json has each.")

    figures = []
    for k in (ASKED.index(("EFX",)), ASKED.index(("EF1", "PO"))):
        shares = [
            [float(np.mean([row.reached[rule][k] for row in rows if row.utility_class == name])) for name in CLASSES]
            for rule in RULE_NAMES
        ]
        exists = [float(np.mean([row.exists[k] for row in rows if row.utility_class == name])) for name in CLASSES]
        figures.append(
            heatmap(
                [*shares, exists], title=f"Share of instances with {asked[k]}", row_labels=[*(CALLED[r] for r in RULE_NAMES), "exists"],
                column_labels=CLASSES, colour_label="share",
                caption="Mean over sizes; the last row is the share in which it exists at all.",
            )
        )  # fmt: skip
    found = [
        Section(
            "What exists, and what is reached",
            ["All allocations of each instance were gone through, and every axiom checked exactly."],
            figures=figures,
            tables=[
                Table(
                    "Guaranteed cells",
                    ["rule", "class", "axioms", "least share"],
                    [[CALLED[a], c, names, s] for a, c, names, s in cells],
                ),
                table("Exists", ""),
                *(table(f"Reached by {CALLED[rule]}", rule) for rule in RULE_NAMES),
            ],
        ),
        Section(
            "At scale",
            tables=[
                Table(
                    "Seconds",
                    ["agents", "items", "Algorithm 1", "Algorithm 2", "EF1, EFX and EFX3", "fPO"],
                    [[t.n, t.m, t.first, t.second, t.checks, t.fractional] for t in timed],
                )
            ],
        ),
    ]
    if tasks:
        found.append(_household_section(tasks))
    return found


def _household_section(tasks: dict[str, Instance]) -> Section:
    names = ("EF", "EF1", "EFX", "EF13", "EFX3", "PO", "fPO")
    body, figures = [], list[Figure]()
    for called, inst in tasks.items():
        for rule in ("double_round_robin", "greedy_magnitude", "adjusted_winner", "round_robin", "utilitarian_greedy"):
            answer: Allocation = RULES[rule](inst)
            held = ["yes" if check_allocation(answer, name) else "no" for name in names]
            body.append([called, CALLED[rule], *(len(items) for items in answer.bundles.values()), *held])
            if rule == "double_round_robin":
                figures += marked(answer, f"Household tasks by {called}, divided by Algorithm 1")
    everything = property_table(tasks["log-odds"], names[:-1])
    share = [[name, int(column.sum()), len(column)] for name, column in everything.items()]
    return Section(
        "Household tasks",
        [
            "1744 answers say who in a couple does each of 13 tasks. The log-odds of doing a task alone, centred, stand for how much a "
            "wife or a husband likes it: an assumption, by which some tasks are good for one and bad for the other."
        ],
        figures=figures,
        tables=[
            Table("Divisions", ["utilities", "rule", "tasks of the wife", "of the husband", *names], body),
            Table("All divisions by log-odds", ["axiom", "have it", "of"], share),
        ],
    )


STUDY = Study(
    name="division",
    system=32,
    title="Fair division of goods and chores: what exists, what two algorithms reach, and household tasks",
    source=SOURCE,
    config=Config,
    run=run,
    claims={
        RIVAL: RIVAL_CLAIM,
        "guarantees": "every guarantee of the two algorithms holds",
        "impossible": "EFX3 and EFX0 do not always exist",
        "open": "EF1 with PO exists in all instances of three people and more",
        "round-robin": "round robin with goods and chores breaks EF1",
        "greedy": "what is most efficient is often unfair",
        "scale": "large tables are divided within 0.3 s and checked within a second",
        "tasks": "household tasks are divided as guaranteed",
    },
)
