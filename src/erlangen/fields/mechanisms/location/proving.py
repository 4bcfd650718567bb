"""`prove`: is there any mechanism with these axioms on a finite domain? One, or a proof that there is none."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from erlangen.actions import Action
from erlangen.errors import ArgumentError
from erlangen.extras import engine
from erlangen.fields.mechanisms.axioms import axiom as axiom_of
from erlangen.fields.mechanisms.location.domain import as_domain
from erlangen.fields.mechanisms.location.encoding import Encoding
from erlangen.fields.mechanisms.location.profiles import norm_order
from erlangen.fields.mechanisms.location.table import Table
from erlangen.verdict import Verdict

#: The solver that searches and the one that checks its proofs.
SOLVER, SECOND = "glucose4", "cadical153"
#: Conflicts between two looks at the clock and at the keyboard: a solver that is at work does not hear Ctrl-C.
BUDGET = 2_000
PROVABLE = ("ANON", "PO", "SP", "UNAN")


@dataclass(frozen=True)
class Sat(Verdict):
    """There is a mechanism: ``table``, which can be called on profiles of the domain."""

    table: Table | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Unsat(Verdict):
    """There is none: the profiles of ``core`` alone have no outcomes that fit together.

    Attributes:
        core: where the agents of these profiles are, ``[profiles, n, d]``.
        minimal: whether without any one of them there would be outcomes.
        encoding: of the core alone.
    """

    core: np.ndarray | None = field(default=None, compare=False, repr=False)
    minimal: bool = False
    encoding: Encoding | None = field(default=None, compare=False, repr=False)

    def recheck(self, solver: str = SECOND) -> Verdict:
        """The core once more, encoded anew and given to another solver: whether it really has no outcomes.

        Raises:
            MissingExtra: python-sat is not installed.
        """
        assert self.encoding is not None
        encoding = self.encoding
        fresh = Encoding(encoding.domain, encoding.n, encoding.k, encoding.norm, encoding.axioms, encoding.action, encoding.only)
        with _solver(solver) as sat:
            _load(sat, fresh)
            none = not sat.solve()
        return Verdict(
            none,
            f"{len(fresh.profiles)} profiles have no outcomes that fit together",
            "exact",
            len(fresh.profiles),
            reason=f"by {solver}",
        )


def prove(
    domain: Any,
    n: int = 3,
    k: int = 1,
    norm: float | str = 2,
    axioms: Iterable[str] = ("ANON", "PO", "SP"),
    *,
    outcomes: Any = None,
    equivariant: Action | None = None,
    minimal: bool = True,
    solver: str = SOLVER,
    quiet: bool = True,
) -> Sat | Unsat:
    """Whether any mechanism has all these axioms on a finite domain.

    A verdict is about this domain: places are chosen among its outcomes, and Pareto optimality is meant among them. On a small domain
    there may be a mechanism by accident, where there is none on a larger one; and where there is none, one of the whole space might
    choose places between.

    Args:
        domain: a :class:`Domain`, or points ``[m, d]``: where agents may be.
        n, k: how many agents, and places.
        norm: agents pay distances in this p-norm.
        axioms: of ``ANON``, ``PO``, ``SP``, ``UNAN``.
        outcomes: ``[c, d]``: where places may be; by default at the points.
        equivariant: how a group moves points; the mechanism has to move along. Its group takes the domain to itself.
        minimal: make the core minimal, by leaving out one profile after the other.
        solver: of python-sat, with budgets (``"glucose4"``, ``"minisat22"``, ...); ``"cadical153"`` cannot be interrupted.
        quiet: no progress.

    Raises:
        ArgumentError: naming the argument.
        MissingExtra: python-sat is not installed.
        KeyboardInterrupt: Ctrl-C before there is an answer; afterwards, the core comes as it is, not minimal.

    >>> from erlangen.fields.mechanisms.location import Domain
    >>> found = prove(Domain.grid(3), n=3)
    >>> found.holds, found.table(np.array([[1.0], [1.0], [1.0]])).item()  # what all want
    (True, 1.0)
    >>> bool(prove(Domain.grid(4, 3), n=2))
    False
    """
    started = time.perf_counter()
    encoding = _checked(domain, n, k, norm, axioms, outcomes, equivariant)
    names = ", ".join(sorted(encoding.axioms)) or "no axiom"
    more = f", equivariant under {equivariant.group}" if equivariant is not None else ""
    claim = f"a mechanism for n = {n}, k = {k}, p = {encoding.norm:g} on {encoding.domain!r} has {names}{more}"
    with _solver(solver) as sat:
        pairs = _load(sat, encoding)
        numbers = {
            "profiles": float(len(encoding.profiles)),
            "variables": float(len(np.unique(encoding.merged))),
            "clauses": float(len(encoding.profiles) + pairs),
        }
        numbers["build_seconds"] = time.perf_counter() - started
        answer = _solve(sat, [], quiet, claim)
        numbers["conflicts"] = float(sat.accum_stats()["conflicts"])
        numbers["seconds"] = time.perf_counter() - started
        if answer:
            true = np.zeros(encoding.variables + 1, bool)
            true[[v for v in sat.get_model() if 0 < v <= encoding.variables]] = True
            chosen = true[encoding.merged + 1]
            rows = [
                encoding.outcome[a + int(chosen[a:b].argmax())] for a, b in zip(encoding.first, encoding.first[1:], strict=False)
            ]
            table = Table(encoding.domain, encoding.profiles, encoding.choices[rows])
            return Sat(True, claim, "exact", len(encoding.profiles), numbers, witness=table, reason="one was found", table=table)
    core, is_minimal = _core(encoding, solver, minimal, quiet)
    numbers["core"] = float(len(core))
    numbers["seconds_with_core"] = time.perf_counter() - started
    small = Encoding(encoding.domain, n, k, encoding.norm, encoding.axioms, None, tuple(core)) if equivariant is None else encoding
    where = encoding.domain.points[encoding.every_profile[core]]
    kind = "a minimal set of" if is_minimal else ""
    reason = f"{kind} {len(core)} profiles has no outcomes that fit together".strip()
    return Unsat(
        False,
        claim,
        "exact",
        len(encoding.profiles),
        numbers,
        witness=where,
        reason=reason,
        core=where,
        minimal=is_minimal,
        encoding=small,
    )


def mechanisms_on(
    domain: Any, n: int, k: int = 1, norm: float | str = 2, axioms: Iterable[str] = ("ANON", "PO", "SP"), *, outcomes: Any = None
) -> Iterator[Table]:
    """All mechanisms with these axioms on a small domain, one after the other.

    Mechanisms that choose different places count as different, also where no agent minds.

    >>> from erlangen.fields.mechanisms.location import Domain
    >>> sum(1 for _ in mechanisms_on(Domain.grid(3), n=2))
    5
    """
    encoding = _checked(domain, n, k, norm, axioms, outcomes, None)
    with _solver(SOLVER) as sat:
        _load(sat, encoding)
        for u, v in encoding._rivals():
            sat.append_formula((-np.stack([u, v], 1) - 1).tolist())
        while sat.solve():
            true = [v for v in sat.get_model() if 0 < v <= encoding.variables]
            yield Table(encoding.domain, encoding.profiles, encoding.choices[encoding.outcome[np.array(true) - 1]])
            sat.add_clause([-v for v in true])


def _checked(domain: Any, n: Any, k: Any, norm: Any, axioms: Any, outcomes: Any, action: Any) -> Encoding:
    for name, value in (("n", n), ("k", k)):
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ArgumentError(name, "a whole number of at least 1", repr(value))
    space = as_domain(domain, outcomes)
    wanted = frozenset(axiom_of(each, "location").name for each in ([axioms] if isinstance(axioms, str) else axioms))
    if not wanted <= set(PROVABLE):
        raise ArgumentError("axioms", f"some of {', '.join(PROVABLE)}", ", ".join(sorted(wanted - set(PROVABLE))))
    if action is not None and not isinstance(action, Action):
        raise ArgumentError("equivariant", "how a group acts on points, e.g. G.vector", type(action).__name__)
    return Encoding(space, n, k, norm_order(norm), wanted, action)


@contextmanager
def _solver(name: str) -> Iterator[Any]:
    """A solver that is kept as long as it is asked: python-sat's generators and cores die with a solver that nobody holds."""
    solvers = engine("mechanisms", "pysat.solvers")
    known = {alias for aliases in vars(solvers.SolverNames).values() if isinstance(aliases, tuple) for alias in aliases}
    if name not in known:
        raise ArgumentError("solver", "a solver of python-sat, such as 'glucose4'", repr(name))
    sat = solvers.Solver(name=name)
    try:
        yield sat
    finally:
        sat.delete()


def _load(sat: Any, encoding: Encoding, selectors: bool = False) -> int:
    """Give a solver the formula, and how many pairs it has. With selectors, profile ``i`` counts where variable ``v + 1 + i`` is true."""
    least, pairs = encoding.clauses()
    sat.append_formula((-pairs).tolist())
    for i, clause in enumerate(least):
        sat.add_clause([*clause, -(encoding.variables + 1 + i)] if selectors else clause)
    return len(pairs)


def _solve(sat: Any, assumptions: list[int], quiet: bool, what: str) -> bool:
    from erlangen.reporting import progress

    if not hasattr(sat.solver, "glucose") and not hasattr(sat.solver, "minisat"):
        return bool(sat.solve(assumptions=assumptions))
    with progress(None, what, quiet=quiet) as bar:
        while True:
            sat.conf_budget(BUDGET)
            answer = sat.solve_limited(assumptions=assumptions)
            if answer is not None:
                return bool(answer)
            bar.advance(BUDGET)


def _core(encoding: Encoding, solver: str, minimal: bool, quiet: bool) -> tuple[list[int], bool]:
    """Profiles that have no outcomes that fit together, by leaving out; and whether none of them can be left out.

    Ctrl-C ends the leaving out, and what is left is a core still.
    """
    from erlangen.reporting import progress

    offset = encoding.variables + 1
    core = list(range(len(encoding.profiles)))
    try:
        with _solver(solver) as sat:
            _load(sat, encoding, selectors=True)

            def shrunk(to: list[int]) -> list[int] | None:
                if _solve(sat, [offset + i for i in to], True, ""):
                    return None
                return [v - offset for v in sat.get_core() or []]

            core = shrunk(core) or core
            while minimal and (again := shrunk(core)) is not None and len(again) < 0.98 * len(core):
                core = again
            if not minimal:
                return sorted(core), False
            needed: list[int] = []
            left = sorted(core)
            with progress(len(left), "a minimal core", quiet=quiet) as bar:
                while left:
                    before = len(left)
                    one, rest = left[0], left[1:]
                    smaller = shrunk(needed + rest)
                    if smaller is None:
                        needed.append(one)
                        left = rest
                    else:
                        kept = set(smaller)
                        left = [i for i in rest if i in kept]
                        core = needed + left
                    bar.advance(before - len(left))
            return sorted(needed), True
    except KeyboardInterrupt:
        return sorted(core), False
