"""`Labelled`: a small table as people write it, with a name for each row and column and an exact number in every cell."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from erlangen.data.csv_rows import csv_rows
from erlangen.errors import ArgumentError

#: A number as people write it: whole, decimal, with an exponent, or a fraction such as 1/3.
NUMBER = re.compile(r"[+-]?(\d+/\d+|(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?)")


@dataclass(frozen=True, eq=False)
class Labelled:
    """Numbers with the names of their rows and columns.

    Attributes:
        corner: what stands above the names of rows.
        rows: their names, each once.
        columns: their names, each once.
        values: for each row its numbers, exact: what a file writes as 0.1 is a tenth.
        lines: where each row stands in its file.
        file: the file's name.
    """

    corner: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: tuple[tuple[Fraction, ...], ...]
    lines: tuple[int, ...]
    file: str


def read_labelled(path: str | Path) -> Labelled:
    """Read a CSV file whose first column names the rows and whose header names the columns.

    A file without names of rows, whose every cell below the header is a number, has rows called by their lines, ``line 2`` and on.
    Where semicolons or tabs part the cells, a comma is a decimal point.

    Raises:
        ArgumentError: the file cannot be read, two rows or columns have one name, or a cell is empty or no number: the message names
            its line, its row and its column.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "tasks.csv"
    ...     _ = path.write_text("task,Ann,Bob\\ncook,2,-1.5\\nclean,-3,1/3\\n")
    ...     table = read_labelled(path)
    >>> table.rows, table.columns, table.values[0]
    (('cook', 'clean'), ('Ann', 'Bob'), (Fraction(2, 1), Fraction(-3, 2)))
    """
    path = Path(path)
    header, lines, delimiter = csv_rows(path)
    commas = delimiter != ","
    named = any(_number(row[0], commas) is None for _, row in lines)
    corner = header[0] if named else ""
    columns = header[1:] if named else header
    if not columns:
        raise ArgumentError("data", "a column of names and at least one of numbers", f"'{path.name}' with one column")
    rows = [row[0].strip() if named else f"line {line}" for line, row in lines]
    for what, names in (("row", rows), ("column", columns)):
        seen: dict[str, int] = {}
        for i, name in enumerate(names):
            where = f"line {lines[i][0]}" if what == "row" else f"column {i + 1 + named}"
            if not name:
                raise ArgumentError("data", f"a name for each {what}", f"none in {where} of '{path.name}'")
            if name in seen:
                raise ArgumentError("data", f"a name of its own for each {what}", f"{name!r} again in {where} of '{path.name}'")
            seen[name] = i
    values = []
    for name, (line, row) in zip(rows, lines):
        numbers = []
        for column, cell in zip(columns, row[named:]):
            number = _number(cell, commas)
            if number is None:
                shown = repr(cell) if cell.strip() else "an empty cell"
                where = (
                    f"line {line} ({name!r}), column {column!r} of '{path.name}'"
                    if named
                    else f"{name}, column {column!r} of '{path.name}'"
                )
                raise ArgumentError("data", "a number in every cell", f"{shown} in {where}")
            numbers.append(number)
        values.append(tuple(numbers))
    return Labelled(corner, tuple(rows), tuple(columns), tuple(values), tuple(line for line, _ in lines), path.name)


def _number(cell: str, commas: bool) -> Fraction | None:
    text = cell.strip().replace("−", "-")
    if commas:
        text = text.replace(",", ".")
    if not NUMBER.fullmatch(text) or re.search(r"/0+$", text):
        return None
    return Fraction(text)
