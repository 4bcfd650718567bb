"""What exists in random instances of each class, by going through all allocations, and what each rule reaches."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from erlangen.fields.mechanisms.division import (
    RULES,
    Allocation,
    Instance,
    check_allocation,
    max_nash_welfare,
    property_table,
    utilitarian_ef1,
)
from erlangen.fields.mechanisms.division.classes import GUARANTEES, closure
from erlangen.reporting import Rival, progress

SIZES = ((2, 4), (2, 5), (3, 4), (3, 5))
NAMES = ("EF1", "EFX", "EFX0", "EF13", "EFX3", "PO")
#: What is asked together.
ASKED = (("EF1",), ("EFX",), ("EFX0",), ("EF13",), ("EFX3",), ("EF1", "PO"), ("EFX", "PO"), ("EF13", "PO"), ("EFX3", "PO"))
CLASSES = ("general", "absolute identical", "identical", "-alpha/0/beta", "-alpha/0/alpha", "goods", "bads")
#: Which drawn classes lie in the class of a guarantee.
WITHIN = {
    "general": CLASSES,
    "absolute identical": ("absolute identical", "identical"),
    "-alpha/0/beta": ("-alpha/0/beta", "-alpha/0/alpha"),
    "-alpha/0/alpha": ("-alpha/0/alpha",),
}
RULE_NAMES = ("double_round_robin", "greedy_magnitude", "round_robin", "plain_double_round_robin", "utilitarian_greedy")


def draw(rng: np.random.Generator, name: str, n: int, m: int) -> Instance:
    """A random instance of a class, utilities of sizes up to 5."""
    v = rng.integers(0, 6, m)
    alpha, beta = (int(a) for a in rng.integers(1, 6, 2))
    levels = np.array([-alpha, 0, beta if name == "-alpha/0/beta" else alpha])
    make: dict[str, Callable[[], np.ndarray]] = {
        "general": lambda: rng.integers(-5, 6, (n, m)),
        "identical": lambda: np.tile(v * rng.choice([-1, 1], m), (n, 1)),
        "absolute identical": lambda: v * rng.choice([-1, 1], (n, m)),
        "-alpha/0/beta": lambda: levels[rng.integers(0, 3, (n, m))],
        "-alpha/0/alpha": lambda: levels[rng.integers(0, 3, (n, m))],
        "goods": lambda: rng.integers(0, 6, (n, m)),
        "bads": lambda: rng.integers(-5, 1, (n, m)),
    }
    return Instance(make[name]())


class Counted(NamedTuple):
    """Shares of the instances of one class and size.

    Attributes:
        utility_class, n, m, instances: what was drawn.
        exists: for each of ``ASKED``, the share in which some allocation has it.
        reached: the same for what each rule makes, by its name.
    """

    utility_class: str
    n: int
    m: int
    instances: int
    exists: list[float]
    reached: dict[str, list[float]]


def census(instances: int, sizes: tuple[tuple[int, int], ...], seed: int, quiet: bool) -> list[Counted]:
    """Go through all allocations of random instances of each class and size."""
    rows = []
    with progress(len(CLASSES) * len(sizes), "classes and sizes", quiet) as bar:
        for k, name in enumerate(CLASSES):
            for n, m in sizes:
                rng = np.random.default_rng([seed, k, n, m])
                found = np.zeros(len(ASKED))
                reached = {rule: np.zeros(len(ASKED)) for rule in RULE_NAMES}
                for _ in range(instances):
                    inst = draw(rng, name, n, m)
                    table = property_table(inst, NAMES)
                    columns = [np.logical_and.reduce([table[axiom] for axiom in names]) for names in ASKED]
                    found += [bool(column.any()) for column in columns]
                    for rule in RULE_NAMES:
                        number = int(RULES[rule](inst).owner @ n ** np.arange(m - 1, -1, -1))
                        reached[rule] += [bool(column[number]) for column in columns]
                shares = {rule: (total / instances).tolist() for rule, total in reached.items()}
                rows.append(Counted(name, n, m, instances, (found / instances).tolist(), shares))
                bar.advance()
    return rows


def promised(rows: list[Counted]) -> list[tuple[str, str, str, float]]:
    """Every guaranteed cell: rule, class, axioms, and the least share over sizes."""
    found = []
    for guarantee in GUARANTEES:
        if guarantee.algorithm not in ("double_round_robin", "greedy_magnitude"):
            continue
        reached = closure(guarantee.axioms)
        for k, names in enumerate(ASKED):
            if set(names) <= reached:
                within = WITHIN[guarantee.utility_class]
                shares = [row.reached[guarantee.algorithm][k] for row in rows if row.utility_class in within]
                found.append((guarantee.algorithm, guarantee.utility_class, " and ".join(names), min(shares)))
    return found


def rivals(instances: int, seed: int) -> list[Rival]:
    """The algorithms beside what a user would pick: an integer program, and of goods the largest product of utilities."""
    n, m = 3, 6
    program, settings = "the largest sum with EF1, by integer programming", "HiGHS, no gap allowed; no settings to choose"
    jobs = [
        (("absolute identical", "-alpha/0/beta"), "greedy_magnitude", ("EFX", "PO"), utilitarian, program, settings),
        (("general",), "double_round_robin", ("EF1", "PO"), utilitarian, program, settings),
        (("goods",), "greedy_magnitude", ("EF1", "PO"), max_nash_welfare, "the largest product of utilities", "all gone through"),
    ]
    rows = []
    for classes, rule, names, other, called, said in jobs:
        rng = np.random.default_rng([seed, 99])
        drawn = [draw(rng, name, n, m) for name in classes for _ in range(max(1, instances // len(classes)))]
        (made, spent), (theirs, took) = (_timed(make, drawn) for make in (RULES[rule], other))
        method = {"greedy_magnitude": "Algorithm 2", "double_round_robin": "Algorithm 1"}[rule]
        rows.append(
            Rival(
                called, method, f"share with {' and '.join(names)}, {' and '.join(classes)} utilities", _share(made, names),
                _share(theirs, names), "higher", spent, took, said, f"{len(drawn)} instances, {n} agents and {m} items",
            )
        )  # fmt: skip
    return rows


def _share(made: list[Allocation], names: tuple[str, ...]) -> float:
    return float(np.mean([all(check_allocation(answer, name) for name in names) for answer in made]))


def utilitarian(inst: Instance) -> Allocation:
    """The integer program's allocation."""
    found, verdict = utilitarian_ef1(inst)
    if found is None:
        raise RuntimeError(verdict.reason)
    return found


def _timed(make: Callable[[Instance], Allocation], drawn: list[Instance]) -> tuple[list[Allocation], float]:
    started = time.process_time()
    return [make(inst) for inst in drawn], time.process_time() - started
