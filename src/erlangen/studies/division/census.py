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
    weighted_welfare,
)
from erlangen.fields.mechanisms.division.classes import GUARANTEES, closure
from erlangen.reporting import Rival, progress

Rule = Callable[[Instance], Allocation]
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
    """Each rule at what it is proven for and at what a user may want beyond it, beside what a user would pick instead: an integer program,
    and of goods the largest product of utilities; of tables too large to go through the weighted sums that ``divide`` takes."""
    program, settings = "the largest sum with EF1, by integer programming", "HiGHS, no gap allowed; no settings to choose"
    product = "the largest product of utilities"
    beyond = "Algorithm 1 is not proven PO of such utilities; where PO is wanted, solve goes through all divisions"
    first, second = RULES["double_round_robin"], RULES["greedy_magnitude"]
    jobs: list[tuple[tuple[str, ...], tuple[int, int], str, Rule, tuple[str, ...], str, Rule, str, str]] = [
        (("absolute identical", "-alpha/0/beta"), (3, 6), "Algorithm 2", second, ("EFX", "PO"), program, utilitarian, settings, ""),
        (("general",), (3, 6), "Algorithm 1", first, ("EF13",), program, utilitarian, settings, ""),
        (("general",), (3, 6), "Algorithm 1", first, ("EF1", "PO"), program, utilitarian, settings, beyond),
        (("goods",), (3, 6), "Algorithm 1", first, ("EF1", "PO"), product, max_nash_welfare, "all gone through", beyond),
        (("general",), (5, 40), "the weighted sum", weighted, ("EF", "PO"), program, utilitarian, settings, ""),
        (("goods",), (5, 40), "the weighted sum", weighted, ("EF1", "PO"), product, max_nash_welfare, "HiGHS, by tangents", ""),
    ]
    rows = []
    for classes, (n, m), method, rule, names, called, other, said, note in jobs:
        rng = np.random.default_rng([seed, 99, n])
        count = instances if m < 10 else max(2, instances // 4)
        drawn = [draw(rng, name, n, m) for name in classes for _ in range(max(1, count // len(classes)))]
        (made, spent), (theirs, took) = (_timed(make, drawn) for make in (rule, other))
        rows.append(
            Rival(
                called, method, f"share with {' and '.join(names)}, {' and '.join(classes)} utilities, {m} items", _share(made, names),
                _share(theirs, names), "higher", spent, took, said, f"{len(drawn)} instances, {n} agents and {m} items", note=note,
            )
        )  # fmt: skip
    return rows


def weighted(inst: Instance) -> Allocation:
    """By weighted sums: EF and PO where some have it, else EF1 and PO; else by Algorithm 1."""
    found = (weighted_welfare(inst, names) for names in (("EF", "PO"), ("EF1", "PO")))
    return next((answer for answer in found if answer is not None), None) or RULES["double_round_robin"](inst)


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
