"""`Columns`: a table of named columns, and where in its file each value stands."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from erlangen.data.checks import broken
from erlangen.data.selection import select
from erlangen.errors import ArgumentError
from erlangen.extras import engine

DELIMITERS = ",;\t"


@dataclass(frozen=True, eq=False)
class Columns:
    """Named columns of equal length.

    Args:
        values: for each name, its column ``[N]``: numbers, or text as it stands in the file.
        places: for each row, the number by which a person finds it (a line of the file, or the row's own number).
        place: what ``places`` counts, ``"line"`` or ``"row"``.
        file: the file's name, for messages.
    """

    values: Mapping[str, np.ndarray]
    places: Sequence[int]
    place: str
    file: str

    @property
    def names(self) -> list[str]:
        return list(self.values)

    def groups(self, argument: str, text: str) -> list[list[str]]:
        """``"q1 q2, p1 p2"`` as ``[["q1", "q2"], ["p1", "p2"]]``, see :func:`erlangen.data.selection.select`."""
        return select(argument, text, self.names, self.file)

    def matrix(self, names: Sequence[str]) -> np.ndarray:
        """Columns side by side as float64 ``[N, len(names)]``, all finite."""
        return np.stack([self.numbers(name) for name in names], -1)

    def numbers(self, name: str) -> np.ndarray:
        """One column as float64 ``[N]``, all finite."""
        column = self.values[name]
        if column.dtype.kind == "U":
            try:
                values = column.astype(np.float64)
            except ValueError:
                bad = next(i for i, cell in enumerate(column) if not _is_number(cell))
                cell = repr(str(column[bad])) if column[bad].strip() else "an empty cell"
                got = f"{cell} in {self.place} {self.places[bad]} of '{self.file}'"
                raise ArgumentError(name, "a number in every row of this column", got) from None
        else:
            values = column.astype(np.float64)
        if not np.isfinite(values).all():
            first = self.places[int(np.flatnonzero(~np.isfinite(values))[0])]
            got = f"{broken(values)}, the first in {self.place} {first} of '{self.file}'"
            raise ArgumentError(name, "finite numbers in this column", got)
        return values

    def labels(self, name: str, *, text: bool) -> np.ndarray:
        """One target column ``[N]``: integers where all are, else numbers, else text where that is allowed."""
        column = self.values[name]
        if column.dtype.kind in "biu":
            return column
        if column.dtype.kind == "U":
            cells = np.char.strip(column)
            if set(np.unique(cells)) <= {"True", "False", "true", "false"}:
                return np.char.lower(cells) == "true"
            try:
                return cells.astype(np.int64)
            except ValueError:
                pass
            except OverflowError:  # as numbers, labels this long would be rounded to one another
                if text:
                    return cells
            if text and not all(_is_number(cell) for cell in cells):
                empty = np.flatnonzero(cells == "")
                if len(empty):
                    got = f"an empty cell in {self.place} {self.places[int(empty[0])]} of '{self.file}'"
                    raise ArgumentError(name, "a class label in every row of this column", got)
                return cells
        try:
            return self.numbers(name)
        except ArgumentError as problem:
            if column.dtype.kind != "U" or "every row" not in problem.expected:
                raise
            hint = "Text is read as class labels with kind='class'"
            raise ArgumentError(name, problem.expected, problem.got, hint) from None


def csv_columns(path: Path) -> Columns:
    """Read a CSV with a header; comma, semicolon or tab between cells."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            start = stream.readline()
            delimiter = max(DELIMITERS, key=start.count)
            stream.seek(0)
            reader = csv.reader(stream, delimiter=delimiter, strict=True)
            lines = [(reader.line_num, row) for row in reader if row]
    except (UnicodeDecodeError, csv.Error, OSError) as problem:
        got = f"'{path.name}', which cannot be read ({problem})"
        raise ArgumentError("data", "a CSV file in UTF-8", got) from problem
    if not lines:
        raise ArgumentError("data", "a CSV file with a header and rows", f"'{path.name}', which is empty")
    header = [cell.strip() for cell in lines.pop(0)[1]]
    _check_header(header, path.name)
    if not lines:
        raise ArgumentError("data", "rows below the header", f"none in '{path.name}'")
    for line, row in lines:
        if len(row) != len(header):
            got = f"{len(row)} in line {line} of '{path.name}'"
            raise ArgumentError("data", f"{len(header)} cells in every line, as in the header", got)
    columns = np.array([row for _, row in lines])
    values = {name: columns[:, i] for i, name in enumerate(header)}
    return Columns(values, [line for line, _ in lines], "line", path.name)


def parquet_columns(path: Path) -> Columns:
    """Read a Parquet file of flat columns through pyarrow."""
    pyarrow, parquet = engine("parquet", "pyarrow"), engine("parquet", "pyarrow.parquet")
    try:
        table = parquet.read_table(path)
    except (pyarrow.ArrowException, OSError, ValueError) as problem:
        raise ArgumentError("data", "a Parquet file", f"'{path.name}', which cannot be read as one") from problem
    _check_header(table.column_names, path.name)
    if not table.num_rows:
        raise ArgumentError("data", "a Parquet file with rows", f"none in '{path.name}'")
    values = {}
    for name, column in zip(table.column_names, table.columns):
        if column.null_count:
            first = column.is_null().index(True).as_py()
            raise ArgumentError(name, "no empty cells in this column", f"{column.null_count}, the first in row {first}")
        array = column.to_numpy()
        if array.dtype.kind not in "biuf":
            if not (pyarrow.types.is_string(column.type) or pyarrow.types.is_large_string(column.type)):
                raise ArgumentError(name, "numbers or text in this column", f"the Parquet type {column.type}")
            array = array.astype(str)
        values[name] = array
    return Columns(values, range(table.num_rows), "row", path.name)


def _check_header(header: Sequence[str], file: str) -> None:
    if not header:
        raise ArgumentError("data", "at least one column", f"none in '{file}'")
    if all(_is_number(cell) for cell in header):
        got = f"numbers in the first line of '{file}' ({', '.join(header[:4])}{', ...' * (len(header) > 4)})"
        raise ArgumentError("data", "a header with the columns' names", got)
    for position, name in enumerate(header):
        if not name:
            hint = "pandas writes such a column for the index; to_csv(..., index=False) leaves it out"
            raise ArgumentError("data", "a name for every column", f"none for column {position + 1} of '{file}'", hint)
    name, count = Counter(header).most_common(1)[0]
    if count > 1:
        raise ArgumentError("data", "distinct column names", f"'{name}' {count} times in '{file}'")


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
