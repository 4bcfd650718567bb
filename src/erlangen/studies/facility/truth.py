"""The table of what is possible: each space with a finite domain on which it is proven, or a mechanism is found."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from erlangen.fields.mechanisms import Dictator, Domain, Median, Optimal, check, prove
from erlangen.fields.mechanisms.location import EndPoint, Mechanism
from erlangen.reporting import progress

ALL = ("ANON", "PO", "SP")
IRREGULAR = np.array([[a, b] for a in (0.0, 1.0, 2.7, 3.1, 4.9) for b in (0.0, 0.8, 2.1, 3.9, 4.3)])


class Asked(NamedTuple):
    """One line of the table: a space, a finite domain in it, and what the answer is to be."""

    space: str
    domain: Domain
    what: str
    n: int
    k: int
    norm: float
    possible: bool


class Row(NamedTuple):
    """What the solver said.

    ``known`` says of a mechanism that people know whether it has the three axioms, every profile and report tried; None: no such
    mechanism was asked.
    """

    asked: Asked
    possible: bool
    variables: int
    clauses: int
    core: int
    rechecked: bool
    checked: bool
    seconds: float
    known: bool | None

    @property
    def as_expected(self) -> bool:
        """Whether it is what the table says, and was checked: a mechanism axiom by axiom, a proof by a second solver."""
        return self.possible == self.asked.possible and (self.checked if self.possible else self.rechecked)


def asked(full: bool, quick: bool) -> list[Asked]:
    """The lines of the table. What takes longer than a minute is asked in full runs."""
    line, plane, wide = Domain.grid(7), Domain.grid(4, 3), Domain.grid(5, 4)
    rows = [
        Asked("line", line, "7 points", 3, 1, 2, True),
        Asked("line", line, "7 points", 4, 1, 2, True),
        Asked("line", line, "7 points", 3, 2, 2, True),
        Asked("plane, Euclidean", plane, "4 x 3", 2, 1, 2, False),
        Asked("plane, Euclidean", plane, "4 x 3", 3, 1, 2, True),
        Asked("plane, Euclidean", Domain.grid(3, 3), "3 x 3, too small", 2, 1, 2, True),
        Asked("plane, Manhattan", plane, "4 x 3", 2, 1, 1, True),
        Asked("plane, Manhattan", plane, "4 x 3", 3, 1, 1, True),
        Asked("plane, Euclidean", Domain.grid(4, 4), "4 x 4, too small", 3, 2, 2, True),
    ]
    if not quick:
        rows += [
            Asked("plane, Euclidean", plane, "4 x 3", 4, 1, 2, False),
            Asked("plane, Manhattan", plane, "4 x 3", 4, 1, 1, True),
            Asked("plane, Euclidean", wide, "5 x 4", 3, 2, 2, False),
            Asked("plane, Manhattan", wide, "5 x 4", 3, 2, 1, True),
        ]
    if full:
        rows += [
            Asked("plane, Euclidean", Domain.grid(5, 5), "5 x 5", 3, 2, 2, False),
            Asked("plane, Manhattan", Domain.grid(5, 5), "5 x 5", 3, 2, 1, True),
            Asked("plane, Manhattan", Domain.grid(6, 5), "6 x 5", 3, 2, 1, True),
            Asked("plane, Manhattan", Domain(IRREGULAR), "5 x 5, irregular", 3, 2, 1, True),
        ]
    return rows


def table(rows: list[Asked], quiet: bool) -> list[Row]:
    """Ask them all."""
    found = []
    with progress(len(rows), "proofs", quiet=quiet) as bar:
        for row in rows:
            answer = prove(
                row.domain, row.n, row.k, row.norm, ALL, minimal=row.n * len(row.domain) <= 48 and row.k == 1, quiet=quiet
            )
            checked = rechecked = False
            if answer.holds:
                checked = all(bool(check(answer.table, axiom, norm=row.norm)) for axiom in ALL)  # type: ignore[union-attr]
            else:
                rechecked = bool(answer.recheck())  # type: ignore[union-attr]
            core, seconds = int(answer.numbers.get("core", 0)), answer["seconds"]
            size = (int(answer["variables"]), int(answer["clauses"]))
            found.append(Row(row, answer.holds, *size, core, rechecked, checked, seconds, _known(row)))
            bar.advance()
    return found


def _known(row: Asked) -> bool | None:
    """The coordinate-wise median, or the end points, on every profile of the domain; Pareto optimal in all of space."""
    mechanism: Mechanism | None = Median() if row.k == 1 else EndPoint() if row.domain.dimension == 1 else None
    if mechanism is None:
        return None
    return all(bool(check(mechanism, axiom, row.domain, n=row.n, norm=row.norm)) for axiom in ALL)


class Dropped(NamedTuple):
    """Without one axiom: whether the solver finds a mechanism, which people know one, and whether it has the other two."""

    axiom: str
    possible: bool
    mechanism: str
    holds: bool


def minimality() -> list[Dropped]:
    """Each axiom dropped in turn: two people, the Euclidean plane, 4 x 3, where all three are impossible."""
    grid, found = Domain.grid(4, 3), []
    for axiom, known in (("ANON", Dictator()), ("PO", Median()), ("SP", Optimal(1, "total"))):
        kept = [each for each in ALL if each != axiom]
        answer = prove(grid, 2, 1, 2, kept)
        holds = all(bool(check(known, each, grid, n=2)) for each in kept)
        found.append(Dropped(axiom, answer.holds, known.name, holds))
    return found
