"""`expressivity_report`: the ladder of tests on one pair, and which architectures stand on which rung."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch

from erlangen.errors import ArgumentError
from erlangen.groups import Group
from erlangen.measure.gwl.graph import GeometricGraph
from erlangen.measure.gwl.gwl import GWL, WL
from erlangen.measure.gwl.inputs import as_graph
from erlangen.measure.gwl.result import AmbiguousToleranceWarning, Result
from erlangen.verdict import Verdict

#: The classes of networks that a test bounds from above.
ARCHITECTURES = {
    "WL": "graph networks without geometry (GIN, GCN)",
    "IGWL(2)": "invariant, distances (SchNet)",
    "IGWL(3)": "invariant, angles (DimeNet)",
    "IGWL(4)": "invariant, torsions (SphereNet, GemNet)",
    "IGWL": "invariant, any body order",
    "GWL": "equivariant (EGNN, PaiNN, GVP, TFN, MACE)",
}
#: A body order is left out where it would look at more sets of neighbours than this.
SUBSETS = 300_000


@dataclass(frozen=True)
class ExpressivityReport:
    """The results of all tests on two graphs, from the weakest to the strongest. True as a condition when any of them separates.

    Attributes:
        rows: for each level its result under each group.
        groups: the names of the groups.
        left_out: levels that were not run, with the reason.
    """

    rows: tuple[tuple[Result, ...], ...]
    groups: tuple[str, ...]
    left_out: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return any(result.distinguished for row in self.rows for result in row)

    def result(self, level: str, group: str = "") -> Result:
        """The result of one test, by default under the first group."""
        column = self.groups.index(group) if group else 0
        for row in self.rows:
            if row[0].level == level:
                return row[column]
        raise ArgumentError("level", f"one of {', '.join(row[0].level for row in self.rows)}", repr(level))

    @property
    def answer(self) -> str:
        """One sentence: what it takes to tell the two apart."""
        parts = []
        for column, group in enumerate(self.groups):
            first = next((row[column] for row in self.rows if row[column]), None)
            if first is None:
                final = all(row[column].final for row in self.rows)
                parts.append(f"no test tells them apart under {group}" + ("" if final else " in so many iterations"))
                continue
            rounds = "before any layer" if first.iteration == 0 else f"with {first.iteration} layer{'s'[: first.iteration != 1]}"
            parts.append(f"under {group} the weakest test that tells them apart is {first.level}, {rounds}")
        mirror = len(self.groups) == 2 and not any(r[0] or not r[0].final for r in self.rows) and any(r[1] for r in self.rows)
        text = "; ".join(parts) + ("; they are mirror images as far as any network can see" if mirror else "")
        return text[0].upper() + text[1:] + "."

    def _cells(self) -> list[list[str]]:
        def cell(result: Result) -> str:
            mark = " (ambiguous)" if result.ambiguous else ""
            return (f"{result.iteration}" if result else "never" if result.final else f"not in {result.iterations}") + mark

        return [[row[0].level, *map(cell, row), ARCHITECTURES.get(row[0].level, "invariant, more bodies")] for row in self.rows]

    def to_markdown(self) -> str:
        """The ladder as a table, with the answer below."""
        head = ["test", *(f"first iteration, {g}" for g in self.groups), "bounds"]
        lines = [head, ["---"] * len(head), *self._cells()]
        table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
        return "\n\n".join([table, *(f"Left out: {text}." for text in self.left_out), self.answer])

    def __str__(self) -> str:
        lines = [["test", *self.groups, "bounds"], *self._cells()]
        widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
        table = ["  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip() for line in lines]
        return "\n".join([*table, *(f"left out: {text}" for text in self.left_out), self.answer])

    def to_dict(self) -> dict[str, Any]:
        """Everything but colours, ready for JSON."""
        return {
            "groups": list(self.groups),
            "results": [result.to_dict() for row in self.rows for result in row],
            "left_out": list(self.left_out),
            "answer": self.answer,
        }

    def verdict(self) -> Verdict:
        """As a :class:`~erlangen.verdict.Verdict` of the claim that some test tells the graphs apart."""
        tests = sum(len(row) for row in self.rows)
        ambiguous = any(result.ambiguous for row in self.rows for result in row)
        claim = "an equivariant network can tell the two graphs apart"
        return Verdict(bool(self), claim, how="exact", tried=tests, witness=self, reason=self.answer + " Ambiguous." * ambiguous)


def expressivity_report(
    a: Any,
    b: Any,
    *,
    group: Group | str | None = None,
    body_orders: Sequence[int] = (2, 3, 4),
    cutoff: float | None = None,
    max_iter: int | Literal["auto"] = "auto",
    tol: float | None = None,
) -> ExpressivityReport:
    """Run the ladder ``WL < IGWL(2) <= IGWL(3) <= ... <= IGWL <= GWL`` on two graphs.

    Args:
        a, b: whatever :func:`as_graph` takes.
        group: one group; by default both ``O(d)`` and ``SO(d)``, whose difference is chirality.
        body_orders: the ``k`` of the invariant tests that are run.
        cutoff: makes edges, see :func:`as_graph`.
        max_iter, tol: as for :class:`GWL`. Ambiguity is shown in the report and not warned of.

    Raises:
        ArgumentError: as :class:`GWL` and :func:`as_graph` do.

    >>> from erlangen.measure.gwl import kchain
    >>> print(expressivity_report(*kchain(2), group="SO(3)", body_orders=(2, 3)))
    test     SO(3)  bounds
    WL       never  graph networks without geometry (GIN, GCN)
    IGWL(2)  never  invariant, distances (SchNet)
    IGWL(3)  never  invariant, angles (DimeNet)
    IGWL     never  invariant, any body order
    GWL      2      equivariant (EGNN, PaiNN, GVP, TFN, MACE)
    Under SO(3) the weakest test that tells them apart is GWL, with 2 layers.
    """
    graphs = as_graph(a, cutoff=cutoff, name="a"), as_graph(b, cutoff=cutoff, name="b")
    groups = [group] if group is not None else [f"O({graphs[0].dim})", f"SO({graphs[0].dim})"]
    kept = [k for k in sorted(body_orders) if k < 2 or _subsets(graphs, k) <= SUBSETS]
    left_out = [f"IGWL({k}), which would look at {_subsets(graphs, k):,} sets of neighbours" for k in body_orders if k not in kept]
    ladder = [[WL(max_iter)] * len(groups)]
    ladder += [[GWL(g, body_order=k, max_iter=max_iter, tol=tol) for g in groups] for k in kept]
    ladder += [[GWL(g, invariant=inv, max_iter=max_iter, tol=tol) for g in groups] for inv in (True, False)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AmbiguousToleranceWarning)
        rows = tuple(tuple(test.compare(*graphs) for test in row) for row in ladder)
    return ExpressivityReport(rows, tuple(str(test.group) for test in ladder[-1]), tuple(left_out))


def _subsets(graphs: Sequence[GeometricGraph], k: int) -> int:
    degrees = torch.cat([torch.bincount(g.edge_index[1], minlength=len(g)) for g in graphs])
    return sum(math.comb(int(d), min(k - 1, int(d))) for d in degrees)
