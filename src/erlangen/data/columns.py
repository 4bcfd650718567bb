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
#: What stands in a file for a value that is not known, an empty cell (as pandas writes it) among it.
MISSING = ("", "NA", "N/A", "<NA>", "null", "NULL", "None")
#: A column of text with at most so many labels is a category.
MOST_LABELS = 20


@dataclass(frozen=True, eq=False)
class Columns:
    """Named columns of equal length.

    Args:
        values: for each name, its column ``[N]``: numbers, or text as it stands in the file.
        places: for each row, the number by which a person finds it (a line of the file, or the row's own number).
        place: what ``places`` counts, ``"line"`` or ``"row"``.
        file: the file's name, for messages.
        categories: columns of labels, and for each the columns of zeros and ones made of it.
        unknown: for columns with cells that are not known, where these are, bool ``[N]``.
    """

    values: Mapping[str, np.ndarray]
    places: Sequence[int]
    place: str
    file: str
    categories: Mapping[str, Sequence[str]] = field(default_factory=dict)
    unknown: Mapping[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        values: Mapping[str, np.ndarray],
        places: Sequence[int],
        place: str,
        file: str,
        *,
        labelled: Sequence[str] = (),
        unknown: Mapping[str, np.ndarray] | None = None,
    ) -> Columns:
        """A table as it stands in a file; columns of text without a number are categories.

        Args:
            labelled: columns that are categories, whatever stands in them.
            unknown: cells that the file itself says are not known.

        >>> table = Columns.of({"colour": np.array(["red", "", "blue"])}, range(3), "row", "a.parquet")
        >>> table.inputs([]), table.unknown["colour"].tolist()
        (['colour=blue', 'colour=red'], [False, True, False])
        """
        every, missing, categories = dict(values), dict(unknown or {}), {}
        for name, column in values.items():
            if column.dtype.kind == "U":
                empty = np.isin(np.char.strip(column), MISSING) | missing.get(name, False)
                if empty.any():
                    missing[name] = empty
            known = column[~missing[name]] if name in missing else column
            if name not in labelled and not _are_labels(known):
                continue
            cells = np.char.strip(column) if column.dtype.kind == "U" else column
            made = {f"{name}={label}": cells == label for label in np.unique(cells[~missing[name]] if name in missing else cells)}
            categories[name] = list(made)
            every.update(made)
            if name in missing:
                missing.update(dict.fromkeys(made, missing[name]))
        return cls(every, places, place, file, categories, missing)

    @property
    def names(self) -> list[str]:
        """The columns of the file."""
        made = {name for each in self.categories.values() for name in each}
        return [name for name in self.values if name not in made]

    def inputs(self, but: Sequence[str]) -> list[str]:
        """The columns that are numbers, all but some: a category's place is taken by a column of zeros and ones for each label."""
        return [part for name in self.names if name not in but for part in self.categories.get(name, [name])]

    def known(self, names: Sequence[str]) -> Columns:
        """Without the rows in which a cell of these columns is empty or says NA, as R and pandas write what is not known.

        Warns:
            UserWarning: how many rows are left out, and the first cell that is why.

        Raises:
            ArgumentError: no row is left.
        """
        gaps = {name: self.unknown[name] for name in names if name in self.unknown}
        if not gaps:
            return self
        missing = np.logical_or.reduce(list(gaps.values()))
        name, first = min(((name, int(gap.argmax())) for name, gap in gaps.items()), key=lambda found: found[1])
        label = next((whole for whole, parts in self.categories.items() if name in parts), name)
        where = f"the first for '{label}' in {self.place} {self.places[first]}"
        if missing.all():
            worst = max(gaps, key=lambda name: gaps[name].sum())
            got = f"empty cells or NA in all {len(missing)} rows, {int(gaps[worst].sum())} of them in '{worst}'"
            raise ArgumentError("data", f"rows of '{self.file}' without empty cells", got, "Name the columns to use")
        warnings.warn(
            f"{int(missing.sum())} of {len(missing)} rows of '{self.file}' have empty cells or say NA and are left out, {where}",
            stacklevel=4,
        )
        kept = np.flatnonzero(~missing)
        values = {name: column[kept] for name, column in self.values.items()}
        return replace(self, values=values, places=[self.places[i] for i in kept.tolist()], unknown={})

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
            bad = next((i for i, cell in enumerate(column.tolist()) if not _is_number(cell)), None)
            if bad is not None:
                got = f"{str(column[bad])!r} in {self.place} {self.places[bad]} of '{self.file}'"
                hint = "" if any(map(_is_number, column.tolist())) else f"Text of at most {MOST_LABELS} labels would be a category"
                raise ArgumentError(name, "a number in every row of this column", got, hint)
            values = column.astype(np.float64)
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
            if text and not all(map(_is_number, cells.tolist())):
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
    values = {name: np.array(cells) for name, cells in zip(header, zip(*(row for _, row in lines)))}
    return Columns.of(values, [line for line, _ in lines], "line", path.name)


def parquet_columns(path: Path) -> Columns:
    """Read a Parquet file through pyarrow: numbers, text (dates among it), categories and lists of numbers."""
    pyarrow, parquet = engine("parquet", "pyarrow"), engine("parquet", "pyarrow.parquet")
    try:
        table = parquet.read_table(path)
    except (pyarrow.ArrowException, OSError, ValueError) as problem:
        raise ArgumentError("data", "a Parquet file", f"'{path.name}', which cannot be read as one") from problem
    _check_header(table.column_names, path.name)
    if not table.num_rows:
        raise ArgumentError("data", "a Parquet file with rows", f"none in '{path.name}'")
    types = pyarrow.types
    values: dict[str, np.ndarray] = {}
    labelled: list[str] = []
    for name, column in zip(table.column_names, table.columns):
        if types.is_dictionary(column.type):
            labelled.append(name)
            column = column.cast(column.type.value_type)
        if types.is_list(column.type) or types.is_large_list(column.type) or types.is_fixed_size_list(column.type):
            values[name] = _lists(name, column)
        elif types.is_boolean(column.type) or types.is_integer(column.type) or types.is_floating(column.type):
            # What is not known is left out later; until then its place is held by a number that keeps the column's type.
            values[name] = (column.fill_null(0) if column.null_count else column).to_numpy()
        elif types.is_decimal(column.type):
            values[name] = column.cast(pyarrow.float64()).fill_null(0).to_numpy()
        else:
            try:
                values[name] = column.cast(pyarrow.string()).fill_null("").to_numpy().astype(str)
            except (pyarrow.ArrowException, UnicodeDecodeError) as problem:
                raise ArgumentError(name, "numbers or text in this column", f"the Parquet type {column.type}") from problem
    unknown = {name: column.is_null().to_numpy() for name, column in zip(table.column_names, table.columns) if column.null_count}
    return Columns.of(values, range(table.num_rows), "row", path.name, labelled=labelled, unknown=unknown)


def _lists(name: str, column: Any) -> np.ndarray:
    """A column of lists of numbers as an array of arrays ``[N]``."""
    found = np.empty(len(column), dtype=object)
    for i, cell in enumerate(column.to_pylist()):
        try:
            found[i] = np.asarray([] if cell is None else cell, dtype=np.float64)
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
            hint = "pandas writes such a column for the index; to_csv(..., index=False) leaves it out" if position == 0 else ""
            raise ArgumentError("data", "a name for every column", f"none for column {position + 1} of '{file}'", hint)
    name, count = Counter(header).most_common(1)[0]
    if count > 1:
        raise ArgumentError("data", "distinct column names", f"'{name}' {count} times in '{file}'")


def _are_truths(column: np.ndarray) -> bool:
    return set(np.char.lower(np.char.strip(np.unique(column)))) <= {"true", "false"}


def _are_labels(column: np.ndarray) -> bool:
    """Whether a column is text with few labels, none of them a truth or a number, be it with a decimal comma."""
    if column.dtype.kind != "U" or not len(column) or _is_number(column[0]):
        return False
    labels = np.unique(np.char.strip(column))
    return (
        len(labels) <= MOST_LABELS
        and not _are_truths(labels)
        and not any(_is_number(label.replace(",", ".")) for label in labels.tolist())
    )


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell  # in Python 2020_01 is 202001; in a table it is a label
