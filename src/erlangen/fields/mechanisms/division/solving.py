"""`solve`: an allocation with the axioms that a user wants, by what is proven for the class of the utilities, or by search."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Literal

import numpy as np

from erlangen.errors import ArgumentError
from erlangen.fields.mechanisms.axioms import AXIOMS, Axiom, several
from erlangen.fields.mechanisms.division import algorithms
from erlangen.fields.mechanisms.division.allocation import Allocation
from erlangen.fields.mechanisms.division.checks import check_allocation
from erlangen.fields.mechanisms.division.classes import GUARANTEES, closure
from erlangen.fields.mechanisms.division.enumeration import LARGEST_COUNT
from erlangen.fields.mechanisms.division.instance import Instance
from erlangen.fields.mechanisms.division.programs import max_nash_welfare, utilitarian_ef1
from erlangen.fields.mechanisms.division.search import exists
from erlangen.fields.mechanisms.division.weights import weighted_welfare
from erlangen.verdict import Verdict

#: All rules by name.
RULES: dict[str, Callable[..., Allocation]] = {
    rule.__name__: rule
    for rule in (
        algorithms.double_round_robin,
        algorithms.greedy_magnitude,
        algorithms.adjusted_winner,
        algorithms.round_robin,
        algorithms.plain_double_round_robin,
        algorithms.utilitarian_greedy,
        max_nash_welfare,
    )
}
#: Passes over all items of a search among large instances, and about how many seconds they may take.
PASSES, SECONDS = 20, 60.0


def solve(
    inst: Instance,
    want: str | Axiom | Iterable[str | Axiom] = ("EFX", "PO"),
    *,
    method: Literal["auto", "search"] = "auto",
    seconds: float = SECONDS,
) -> Allocation | Verdict:
    """An allocation with these axioms.

    The first algorithm is taken that is proven to reach them on such utilities. Where none is, all allocations are gone through if
    there are no more than ten million, up to exchanges of equal agents and items. Of more goods EF1 with PO exists always: weighted
    sums are looked through for it, then the largest product of utilities, and what is found is checked. Of anything else there is an
    error, for nothing is promised, unless ``method="search"`` allows a search.

    Args:
        inst: who values what how much.
        want: axioms of an allocation, in any of their spellings.
        method: ``"search"``: where nothing is proven and there are too many allocations to go through, try weighted sums, all algorithms,
            an integer program (up to 4000 variables), and exchanges of single items and of pairs of them from what these give. What is
            found is checked.
        seconds: about how long a search may take.

    Returns:
        The allocation: what is proven stands in its ``guarantees``, who made it in its ``algorithm``. Where there is none, the verdict:
        it does not hold, exhaustive (none exists) or search (none was found).

    Raises:
        ArgumentError: an axiom is unknown; nothing is guaranteed for the class of the utilities.

    >>> inst = Instance([[3, -2, 1], [3, -2, 1]], ["Ann", "Bob"], ["sofa", "dishes", "lamp"])
    >>> answer = solve(inst, want={"EFX", "PO"})
    >>> print(answer); answer.algorithm
    Ann: sofa, dishes; Bob: lamp
    'greedy_magnitude'
    >>> solve(Instance([[2, -1, -1], [2, -1, -1]]), want={"EFX3"}).reason
    'none exists: all allocations were looked at or excluded by bounds'
    """
    if not isinstance(inst, Instance):
        raise ArgumentError("inst", "an Instance", type(inst).__name__)
    if method not in ("auto", "search"):
        raise ArgumentError("method", "'auto' or 'search'", repr(method))
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not seconds > 0:
        raise ArgumentError("seconds", "a number above 0", repr(seconds))
    asked = set(several("want", want))
    names = [axiom.name for axiom in AXIOMS if axiom.name in asked]
    if inst.n == 1:
        every = tuple(axiom.name for axiom in AXIOMS if "allocation" in axiom.of)
        return Allocation(inst, np.zeros(inst.m, dtype=np.int64), every, "everything to the one")
    for guarantee in GUARANTEES:
        fits = guarantee.utility_class in inst.utility_classes and guarantee.agents in (None, inst.n)
        if guarantee.algorithm == "max_nash_welfare":  # exact only where all can be gone through
            fits = fits and inst.n**inst.m <= LARGEST_COUNT
        if fits and asked <= closure(guarantee.axioms):
            return RULES[guarantee.algorithm](inst)
    try:
        found = exists(inst, names)
    except ArgumentError:
        if method == "auto":
            if "goods" in inst.utility_classes and asked <= closure({"EF1", "PO"}):
                good = _of_goods(inst, names, seconds)
                if good is not None:
                    return good
            raise ArgumentError(
                "want",
                "axioms that an algorithm reaches for such utilities",
                f"{', '.join(names)}: no guarantee for class {inst.utility_class}",
                "pass method='search' to look for one",
            ) from None
        return _search(inst, names, seconds)
    return found.witness if found else found


def _of_goods(inst: Instance, names: list[str], seconds: float) -> Allocation | None:
    """EF1 and PO of more goods than can be gone through."""
    found = weighted_welfare(inst, names)
    if found is None:
        try:
            found = max_nash_welfare(inst, seconds=seconds)
        except ArgumentError:  # the programs did not end
            return None
    return None if _missing(found, names, seconds) else found


def _search(inst: Instance, names: list[str], seconds: float) -> Allocation | Verdict:
    tried, best, fewest, until = 0, None, float("inf"), time.monotonic() + seconds
    weighted = weighted_welfare(inst, names, seconds=min(5.0, seconds))
    if weighted is not None:
        return weighted
    starts = [rule(inst) for rule in RULES.values() if rule not in (max_nash_welfare, algorithms.adjusted_winner)]
    if inst.n * inst.m * (2 * inst.n - 1) <= 4000:
        program, _ = utilitarian_ef1(inst, seconds=min(20.0, seconds))
        starts += [program] if program is not None else []
    for start in starts:
        tried += 1
        left = _missing(start, names, until - time.monotonic())
        if not left:
            return start
        if sum(left.values()) < fewest:
            best, fewest = start, sum(left.values())
    rng = np.random.default_rng(0)  # the order in which items are tried; the same instance has the same answer
    # Exchanges are accepted where fewer pairs break what is cheap to count.
    cheap = [name for name in names if name not in ("PO", "fPO")] or names
    for start in starts:
        here, score = start, sum(_missing(start, cheap).values())
        for _ in range(PASSES):
            before = score
            for o in rng.permutation(inst.m).tolist() if time.monotonic() < until else ():
                for i in range(inst.n):
                    owner = here.owner.copy()
                    owner[o] = i
                    other = int(rng.integers(inst.m))
                    if i == here.owner[o]:  # an exchange with another item in place of a move
                        owner[[o, other]] = here.owner[[other, o]]
                    new = Allocation(inst, owner, algorithm="search")
                    tried += 1
                    left = _missing(new, cheap)
                    if sum(left.values()) < score:
                        here, score = new, sum(left.values())
                        if score < fewest:
                            best, fewest = new, score
                        if score == 0 and not _missing(new, names, until - time.monotonic()):
                            return new
            if score == before:
                break
    return Verdict(
        False,
        f"an allocation with {' and '.join(names)} was found",
        "search",
        tried,
        {"broken": float(fewest)},
        witness=best,
        reason="none was found; that says nothing about whether one exists",
    )


def _missing(answer: Allocation, names: list[str], seconds: float = SECONDS) -> dict[str, float]:
    """Axioms that do not hold, with how many pairs break them; PO, which may take long, is asked only where the others hold."""
    cheap = [name for name in names if name != "PO"]
    verdicts = {name: check_allocation(answer, name) for name in cheap}
    if "PO" in names and all(verdicts.values()):
        verdicts["PO"] = check_allocation(answer, "PO", seconds=max(0.01, seconds))
    return {name: verdict.numbers.get("broken", 1.0) for name, verdict in verdicts.items() if not verdict}
