"""Tables with names: exact numbers, and a gap is refused by its cell."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from erlangen.data import read_labelled
from erlangen.errors import ArgumentError


def written(folder: Path, text: str) -> Path:
    path = folder / "table.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_numbers_are_exact(tmp_path: Path) -> None:
    table = read_labelled(written(tmp_path, "task,Ann,Bob\ncook,0.1,-1e-3\nclean,1/3,−2\n"))
    assert (table.corner, table.rows, table.columns, table.lines) == ("task", ("cook", "clean"), ("Ann", "Bob"), (2, 3))
    assert table.values == ((Fraction(1, 10), Fraction(-1, 1000)), (Fraction(1, 3), Fraction(-2)))


def test_decimal_commas_where_semicolons_part_the_cells(tmp_path: Path) -> None:
    table = read_labelled(written(tmp_path, "task;Ann;Bob\ncook;1,5;-2\n"))
    assert table.values == ((Fraction(3, 2), Fraction(-2)),)


def test_rows_without_names_go_by_their_lines(tmp_path: Path) -> None:
    table = read_labelled(written(tmp_path, "x,y\n1,2\n\n3,4\n"))
    assert (table.corner, table.rows, table.columns) == ("", ("line 2", "line 4"), ("x", "y"))
    assert table.values[1] == (Fraction(3), Fraction(4))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("task,Ann,Bob\ncook,1,\n", r"an empty cell in line 2 \('cook'\), column 'Bob' of 'table.csv'"),
        ("task,Ann,Bob\ncook,1,2\nclean,NA,2\n", r"'NA' in line 3 \('clean'\), column 'Ann'"),
        ("task,Ann\ncook,nan\n", "'nan'"),
        ("task,Ann\ncook,inf\n", "'inf'"),
        ("task,Ann\ncook,1_000\n", "'1_000'"),
        ("task,Ann\ncook,1/0\n", "'1/0'"),
        ("task,Ann\ncook,1e99999\n", "'1e99999'"),
        ("task,Ann\ncook,1\ncook,2\n", "'cook' again in line 3"),
        ("task,Ann,Ann\ncook,1,2\n", "'Ann' again in column 3"),
        ("task,Ann\n ,1\n", "none in line 2"),
        ("task,Ann\ncook,1,2\n", "3 in line 2"),
        ("task\ncook\n", "one column"),
        ("task,Ann\n", "with 1 lines"),
        ("x,y\n1,\n", "an empty cell in line 2, column 'y'"),
        ('task,Ann\ncook,"1,5"\n', "'1,5'"),
    ],
)
def test_what_is_no_table_is_refused_by_its_cell(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        read_labelled(written(tmp_path, text))
