"""`Relabelling`: exchanges of agents and of items as one group action on instances and on allocations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import torch

from erlangen.actions.base import Action
from erlangen.equivariance import equivariance_error
from erlangen.errors import ArgumentError
from erlangen.fields.mechanisms.axioms import Axiom
from erlangen.fields.mechanisms.axioms import axiom as named
from erlangen.fields.mechanisms.division.allocation import Allocation
from erlangen.fields.mechanisms.division.checks import check_allocation
from erlangen.fields.mechanisms.division.instance import Instance
from erlangen.groups import DirectProduct, Symmetric
from erlangen.groups.base import Element, Group
from erlangen.verdict import How, Verdict

#: A rule that divides.
Rule = Callable[..., Allocation]
#: Units in which a person may count instead, for the axiom ROWS.
UNITS = (Fraction(1, 7), Fraction(2), Fraction(5, 3), Fraction(1000))


class Ordered(NamedTuple):
    """An instance, and the order of its agents in which a rule goes."""

    instance: Instance
    order: tuple[int, ...]


class Relabelling(Action):
    """``(g, h)`` of ``S_n x S_m`` gives agent ``i`` the place ``g[i]`` and item ``o`` the place ``h[o]``.

    It acts on an :class:`Instance`, whose names move along; on :class:`Ordered`; on an :class:`Allocation`; and on owners of items, a tuple
    of numbers. Fairness and efficiency are invariant under it; a rule is anonymous and neutral when it is equivariant.

    Args:
        n, m: how many agents and items.
        agents, items: which permutations of them: all, a group of some, or False for none, so that only the others move.

    >>> inst = Instance([[1, 2], [3, 4]], ["Ann", "Bob"])
    >>> act = Relabelling(2, 2)
    >>> swap, stay = torch.tensor([1, 0]), torch.tensor([0, 1])
    >>> act.act((swap, stay), inst).agents, act.act((stay, swap), inst).numbers.tolist(), act.act((swap, swap), (0, 0))
    (('Bob', 'Ann'), [[2, 1], [4, 3]], (1, 1))
    """

    def __init__(self, n: int, m: int, *, agents: Group | bool = True, items: Group | bool = True) -> None:
        self.n, self.m = n, m
        self.agents, self.items = agents is not False, items is not False and m > 0
        groups = [
            each if isinstance(each, Group) else Symmetric(size)
            for each, size, moves in ((agents, n, self.agents), (items, m, self.items))
            if moves
        ]
        super().__init__(groups[0] if len(groups) == 1 else DirectProduct(*groups))

    def _parts(self, g: Element) -> tuple[np.ndarray, np.ndarray]:
        parts = [p.numpy() for p in (g if isinstance(g, tuple) else (g,))]
        first = parts.pop(0) if self.agents else np.arange(self.n)
        return first, parts.pop(0) if self.items else np.arange(self.m)

    def act(self, g: Element, x: Any) -> Any:
        to, place = self._parts(g)
        if isinstance(x, Instance):
            return x.take(np.argsort(to).tolist(), np.argsort(place).tolist())
        if isinstance(x, Ordered):
            return Ordered(self.act(g, x.instance), tuple(int(to[i]) for i in x.order))
        if isinstance(x, Allocation):
            moved = self.act(g, tuple(x.owner.tolist()))
            return Allocation(self.act(g, x.instance), moved, x.guarantees, x.algorithm)
        owner = np.empty(self.m, dtype=np.int64)
        owner[place] = to[np.asarray(x, dtype=np.int64)]
        return tuple(owner.tolist())

    def compared(self, x: Any) -> Any:
        if isinstance(x, Ordered):
            return (self.compared(x.instance), x.order)
        if isinstance(x, Instance):
            return (x.agents, x.items, x.denominator, tuple(map(tuple, x.numbers.tolist())))
        if isinstance(x, Allocation):
            return (self.compared(x.instance), tuple(x.owner.tolist()))
        return x


def check_division(
    rule: Rule,
    axiom: str | Axiom,
    instances: Instance | Sequence[Instance],
    *,
    elements: int = 720,
    ordered: bool = False,
    generator: torch.Generator | None = None,
) -> Verdict:
    """Whether a rule that divides satisfies an axiom on some instances.

    ANON: exchanging agents exchanges what they get, and nothing else. NEUT: the same of items. ROWS: who counts in another unit gets the
    same. An axiom of allocations is asked of every allocation that the rule makes. Who goes first is not anonymous; nor is deciding
    ties by the order of a list.

    Args:
        rule: ``Instance -> Allocation``.
        axiom: in any of its spellings.
        instances: to try it on.
        elements: of ANON and NEUT: all permutations where there are no more than so many, else so many random ones.
        ordered: of ANON: the order in which the rule goes is exchanged, too; the rule takes ``order=``.
        generator: of random permutations.

    Returns:
        A verdict; how is exhaustive where all permutations of all these instances were tried, statistical else. Its witness is a
        :class:`~erlangen.equivariance.exact.Counterexample`, or the first allocation that fails.

    >>> inst = Instance([[3, 1], [2, 1]], ["Ann", "Bob"], ["cake", "tea"])
    >>> check_division(lambda i: Allocation(i, i.numbers.argmax(0)), "ANON", [Instance([[3, 1], [2, 4]])]).holds
    True
    """
    many = [instances] if isinstance(instances, Instance) else list(instances)
    if not many or not all(isinstance(inst, Instance) for inst in many):
        raise ArgumentError("instances", "Instances, at least one", repr(instances)[:80])
    if isinstance(axiom, Axiom):
        axiom = axiom.name
    try:
        name = named(axiom, "division").name
    except ArgumentError:
        return _of_allocations(rule, named(axiom, "allocation").name, many)
    if name == "ROWS":
        return _of_units(rule, many)
    agents = name == "ANON"
    claim = f"{_called(rule)} is {name}"
    tried, failures, exhaustive = 0, 0.0, True
    witness = None
    sizes = {(inst.n, inst.m) for inst in many if agents or inst.m}
    for n, m in sorted(sizes):
        act = Relabelling(n, m, agents=agents, items=not agents)
        here = [inst for inst in many if (inst.n, inst.m) == (n, m)]
        data: list[Any] = [Ordered(inst, tuple(range(n))) for inst in here] if ordered else list(here)

        def run(x: Any) -> tuple[int, ...]:
            return tuple(_made(rule(x.instance, order=x.order) if isinstance(x, Ordered) else rule(x)).owner.tolist())

        found = equivariance_error(run, data, act, act, elements=elements, generator=generator)
        tried += found.tried * len(data)
        failures += found["failures"]
        exhaustive &= found.how == "exhaustive"
        witness = witness or found.witness
    return Verdict(
        not failures,
        claim,
        "exhaustive" if exhaustive else "statistical",
        tried=tried,
        numbers={"failures": failures},
        witness=witness,
        reason=f"of {len(many)} instances",
    )


def _of_allocations(rule: Rule, name: str, many: list[Instance]) -> Verdict:
    witness, reason, failures = None, f"of {len(many)} instances", 0
    for inst in many:
        answer = _made(rule(inst))
        verdict = check_allocation(answer, name)
        if not verdict:
            failures += 1
            if witness is None:
                witness, reason = answer, verdict.reason
    how: How = "statistical" if not failures else "exact"
    return Verdict(
        not failures, f"{_called(rule)} is {name}", how, len(many), {"failures": float(failures)}, witness=witness, reason=reason
    )  # fmt: skip


def _of_units(rule: Rule, many: list[Instance]) -> Verdict:
    tried, failures, witness = 0, 0, None
    for inst in many:
        before = _made(rule(inst)).owner
        for i in range(inst.n):
            for unit in UNITS:
                other = inst.scaled([(unit if inst.exact else float(unit)) if k == i else 1 for k in range(inst.n)])
                tried += 1
                if (_made(rule(other)).owner != before).any():
                    failures += 1
                    witness = witness or (inst, inst.agents[i], unit)
    how: How = "statistical" if not failures else "exact"
    return Verdict(
        not failures, f"{_called(rule)} is ROWS", how, tried, {"failures": float(failures)}, witness=witness,
        reason=f"of {len(many)} instances, each agent's utilities times {', '.join(map(str, UNITS))}",
    )  # fmt: skip


def _made(answer: Any) -> Allocation:
    if not isinstance(answer, Allocation):
        raise ArgumentError("rule", "a rule that makes an Allocation of each instance", repr(answer)[:120])
    return answer


def _called(rule: Rule) -> str:
    return getattr(rule, "__name__", type(rule).__name__)
