"""Rows of a CSV file as they stand, each with its line."""

from __future__ import annotations

import csv
from pathlib import Path

from erlangen.data.columns import DELIMITERS
from erlangen.errors import ArgumentError

#: A longer cell is taken for a quote that was never closed.
LONGEST = 10_000_000


def csv_rows(path: Path) -> tuple[list[str], list[tuple[int, list[str]]], str]:
    """The header, each row with the number of its line, and what parts the cells.

    Raises:
        ArgumentError: the file is no CSV file in UTF-8, has no rows, or a row has another number of cells than the header.
    """
    before = csv.field_size_limit(LONGEST)
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            start = stream.readline()
            stream.seek(0)
            delimiter = max(DELIMITERS, key=start.count)
            reader = csv.reader(stream, delimiter=delimiter, strict=True)
            lines = [(reader.line_num, row) for row in reader if row]
    except (UnicodeDecodeError, csv.Error, OSError) as problem:
        raise ArgumentError("data", "a CSV file in UTF-8", f"'{path.name}', which cannot be read ({problem})") from None
    finally:
        csv.field_size_limit(before)
    if len(lines) < 2:
        raise ArgumentError("data", "a CSV file with a header and rows", f"'{path.name}' with {len(lines)} lines")
    header = [cell.strip() for cell in lines.pop(0)[1]]
    for line, row in lines:
        if len(row) != len(header):
            raise ArgumentError("data", f"{len(header)} cells, as in the header", f"{len(row)} in line {line} of '{path.name}'")
    return header, lines, delimiter
