"""`Columns`: a table of named columns, and where in its file each value stands."""

from __future__ import annotations

import csv
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from erlangen.data.checks import broken
from erlangen.data.selection import select
from erlangen.errors import ArgumentError
from erlangen.extras import engine

DELIMITERS = ",;\t"
#: What stands in a file for a value that is not known.
MISSING = ("NA", "N/A", "<NA>", "null", "NULL", "None")


@dataclass(frozen=True, eq=False)
class Columns:
    """Named columns of equal length.

    Args:
        values: for each name, its column ``[N]``: numbers, or text as it stands in the file.
        places: for each row, the number by which a person finds it (a line of the file, or the row's own number).
        place: what ``places`` counts, ``"line"`` or ``"row"``.
        file: the file's name, for messages.
        categories: columns of labels, and for each the columns of zeros and ones made of it.
    """

    values: Mapping[str, np.ndarray]
    places: Sequence[int]
    place: str
    file: str
    categories: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """The columns of the file."""
        made = {name for each in self.categories.values() for name in each}
        return [name for name in self.values if name not in made]

    def inputs(self, but: Sequence[str]) -> list[str]:
        """The columns that are numbers, all but some: a category's place is taken by a column of zeros and ones for each label."""
        return [part for name in self.names if name not in but for part in self.categories.get(name, [name])]

    def known(self, names: Sequence[str]) -> Columns:
        """Without the rows in which a cell of these columns says NA, as R and pandas write what is not known.

        Warns:
            UserWarning: how many rows are left out.
        """
        missing = np.zeros(len(self.places), dtype=bool)
        for name in names:
            if self.values[name].dtype.kind == "U":
                missing |= np.isin(np.char.strip(self.values[name]), MISSING)
        if not missing.any():
            return self
        warnings.warn(f"{int(missing.sum())} of {len(missing)} rows of '{self.file}' say NA and are left out", stacklevel=4)
        kept = np.flatnonzero(~missing)
        values = {name: column[kept] for name, column in self.values.items()}
        return replace(self, values=values, places=[self.places[i] for i in kept.tolist()])

    def groups(self, argument: str, text: str) -> list[list[str]]:
        """``"q1 q2, p1 p2"`` as ``[["q1", "q2"], ["p1", "p2"]]``, see :func:`erlangen.data.selection.select`."""
        return select(argument, text, self.names, self.file)

    def matrix(self, names: Sequence[str]) -> np.ndarray:
        """Columns side by side as float64 ``[N, len(names)]``, all finite."""
        return np.stack([self.numbers(name) for name in names], -1)

    def lists(self, names: Sequence[str]) -> list[np.ndarray]:
        """Rows of columns of lists as arrays ``[n, len(names)]``; a number stands beside every member.

        Raises:
            ArgumentError: the lists of a row have different lengths, or one is empty.
        """
        long = [name for name in names if self.values[name].dtype == object]
        numbers = {name: self.numbers(name) for name in names if name not in long}
        rows = []
        for i, place in enumerate(self.places):
            sizes = {len(self.values[name][i]) for name in long}
            if len(sizes) != 1 or 0 in sizes:
                raise ArgumentError(
                    long[0], "lists of one length, at least 1, in every row", f"{sorted(sizes)} in {self.place} {place}"
                )
            size = sizes.pop()
            rows.append(np.stack([self.values[n][i] if n in long else np.full(size, numbers[n][i]) for n in names], -1))
        return rows

    def numbers(self, name: str) -> np.ndarray:
        """One column as float64 ``[N]``, all finite."""
        column = self.values[name]
        if column.dtype == object:
            raise ArgumentError(name, "a number in every row of this column", "lists", "all columns of lists together make sets")
        if column.dtype.kind == "U":
            if _are_truths(column):
                return (np.char.lower(np.char.strip(column)) == "true").astype(np.float64)
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
            if _are_truths(cells):
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
    """Read a Parquet file through pyarrow: numbers, text, categories and lists of numbers."""
    pyarrow, parquet = engine("parquet", "pyarrow"), engine("parquet", "pyarrow.parquet")
    try:
        table = parquet.read_table(path)
    except (pyarrow.ArrowException, OSError, ValueError) as problem:
        raise ArgumentError("data", "a Parquet file", f"'{path.name}', which cannot be read as one") from problem
    _check_header(table.column_names, path.name)
    if not table.num_rows:
        raise ArgumentError("data", "a Parquet file with rows", f"none in '{path.name}'")
    values: dict[str, np.ndarray] = {}
    categories: dict[str, list[str]] = {}
    for name, column in zip(table.column_names, table.columns):
        if column.null_count:
            first = column.is_null().index(True).as_py()
            raise ArgumentError(name, "no empty cells in this column", f"{column.null_count}, the first in row {first}")
        if pyarrow.types.is_dictionary(column.type):
            labels = column.cast(column.type.value_type).to_numpy(zero_copy_only=False)
            values[name] = labels.astype(str) if labels.dtype.kind not in "biuf" else labels
            made = {f"{name}={label}": values[name] == label for label in np.unique(values[name])}
            categories[name] = list(made)
            values.update(made)
            continue
        if (
            pyarrow.types.is_list(column.type)
            or pyarrow.types.is_large_list(column.type)
            or pyarrow.types.is_fixed_size_list(column.type)
        ):
            values[name] = _lists(name, column)
            continue
        array = column.to_numpy()
        if array.dtype.kind not in "biuf":
            if not (pyarrow.types.is_string(column.type) or pyarrow.types.is_large_string(column.type)):
                raise ArgumentError(name, "numbers or text in this column", f"the Parquet type {column.type}")
            array = array.astype(str)
        values[name] = array
    return Columns(values, range(table.num_rows), "row", path.name, categories)


def _lists(name: str, column: Any) -> np.ndarray:
    """A column of lists of numbers as an array of arrays ``[N]``."""
    found = np.empty(len(column), dtype=object)
    for i, cell in enumerate(column.to_pylist()):
        try:
            found[i] = np.asarray(cell, dtype=np.float64)
        except (TypeError, ValueError):
            raise ArgumentError(name, "lists of numbers in this column", f"{cell!r:.60} in row {i}") from None
    return found


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


def _are_truths(column: np.ndarray) -> bool:
    return set(np.char.lower(np.char.strip(np.unique(column)))) <= {"true", "false"}


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
