"""`Finding`: what one discoverer found, in the terms that all of them share, so that one table can hold them side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from erlangen.errors import ArgumentError
from erlangen.groups.base import Group

#: The columns of a table of findings.
FINDING_COLUMNS = ("method", "found", "confidence", "holds", "seconds", "note")


@dataclass(frozen=True)
class Finding:
    """One row of the table that ``erlangen discover`` prints.

    Attributes:
        method: e.g. ``"quadric fit"``, ``"soft equivariance, ridge"``, ``"linear NFT"``.
        found: in a few words, e.g. ``"so(1,3)"``, ``"SO(2)z 1.00, SO(3) 0.31"``, ``"blocks 2+2+1"``; ``"nothing"``.
        confidence: from 0 to 1, on data kept from the discoverer: ``1 - told / told_random``, where ``told`` is how much the finding
            contradicts the data (the judge's excess over chance, the relative error of a prediction) and ``told_random`` the same for
            a structure of the same size that has nothing to do with the data; of what the discoverer does not stand by, what held-out data
            leave no doubt about. ``None`` where it was not measured.
        holds: whether the discoverer stands by it as an exact structure.
        seconds: what it cost, judging included.
        note: one line.
        group: what goes into ``symmetrize`` and ``measure``; ``None`` when the finding is no group that acts on the data as they are.

    Raises:
        ArgumentError: ``confidence`` is not between 0 and 1.

    >>> Finding("quadric fit", "so(1,3)", 0.98, True, 0.05).row()
    ['quadric fit', 'so(1,3)', 0.98, 'yes', 0.05, '']
    """

    method: str
    found: str
    confidence: float | None
    holds: bool
    seconds: float
    note: str = ""
    group: Group | None = None

    def __post_init__(self) -> None:
        if self.confidence is not None and not 0 <= self.confidence <= 1:
            raise ArgumentError("confidence", "a number from 0 to 1", repr(self.confidence))

    def row(self) -> list[Any]:
        """For a table, in the order of :data:`FINDING_COLUMNS`."""
        return [self.method, self.found, self.confidence, "yes" if self.holds else "no", self.seconds, self.note]
