"""``erlangen divide TABLE.csv``: who gets what, fairly, and what that guarantees."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tyro.conf import Positional


@dataclass(frozen=True)
class Divide:
    """Divide things and tasks among people, fairly: who gets what, what that guarantees in words, and what shows where it is not fair."""

    table: Positional[Path]
    """A CSV file: a row for each thing or task, a column for each person, both with names; in each cell what it is worth to the person,
    below zero where it is a burden."""
    turned: bool = False
    """People are in rows, and things in columns."""
    want: tuple[str, ...] = ()
    """What the division is to be, e.g. EFX PO; by default the strongest that is found, or proven for such a table. Of EF (nobody prefers
    what another one has), EFX0, EFX, EF1, EFX3, EF13, PROP, PROP1, PO, fPO."""
    method: Literal["auto", "search"] = "auto"
    """"search" looks for what is wanted where nothing is proven and there are too many divisions to go through."""
    write: Path | None = None
    """Write who gets what to this CSV file, too."""
    out: Path = Path("runs")
    """Where reports are kept: OUT/NAME/DATE."""
    json: bool = False
    """Print JSON."""


def run_divide(args: Divide) -> None:
    """``erlangen divide TABLE.csv``."""
    import time

    from erlangen.cli.telling import tell
    from erlangen.cli.written import check_written
    from erlangen.data import read_labelled
    from erlangen.errors import ArgumentError
    from erlangen.fields.mechanisms import Allocation, Instance
    from erlangen.fields.mechanisms.division import report
    from erlangen.reporting import check_folder, plain, run_directory
    from erlangen.serialization import write_bytes

    started = time.perf_counter()
    check_folder(args.out, "out")
    check_written(args.write, args.table, "TABLE")
    try:
        table = read_labelled(args.table)
    except ArgumentError as problem:
        raise ArgumentError("table", problem.expected, problem.got, problem.hint) from None
    columns = [list(column) for column in zip(*table.values)] if table.values else [[] for _ in table.columns]
    inst = Instance(table) if args.turned else Instance(columns, agents=table.columns, items=table.rows)
    try:
        answer, asked = report.divided(inst, args.want, search=args.method == "search", quiet=False)
    except ArgumentError as problem:
        hint = problem.hint.replace("method='search'", "--method search").replace("pass", "add")
        raise ArgumentError("want", problem.expected, problem.got, hint) from None
    config = plain(args)
    outcome = report.divide_outcome(inst, answer, asked, config, time.perf_counter() - started, quiet=False)
    directory = run_directory("divide", args.out)
    files = {}
    if isinstance(answer, Allocation):
        found = answer
        files["allocation.csv"] = lambda path: path.write_text(report.allocation_table(found), encoding="utf-8", newline="")
        if args.write is not None:
            write_bytes(args.write, report.allocation_table(found).encode())
    path = outcome.save(directory, files)
    tell(outcome, path, args.json, *(f"who gets what: {directory / name}" for name in files))
