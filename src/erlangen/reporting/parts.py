"""The parts of a report: key numbers, tables, matrices, sections. All text is plain text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from erlangen.errors import ArgumentError
from erlangen.reporting.figures import Figure
from erlangen.reporting.plain import plain


@dataclass(frozen=True)
class KeyNumber:
    """One of the few numbers at the top of a report.

    >>> KeyNumber("AUC, random boosts", 0.9312, note="plain network: 0.61").label
    'AUC, random boosts'
    """

    label: str
    value: Any
    unit: str = ""
    note: str = ""


@dataclass(frozen=True)
class Table:
    """A titled table; cells are numbers, texts, :class:`~erlangen.reporting.PlusMinus` or None.

    >>> Table("Accuracy", ["model", "AUC"], [["plain", 0.97], ["symmetrized", 0.98]]).as_dict()["rows"][1]
    ['symmetrized', 0.98]
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    caption: str = ""

    def __post_init__(self) -> None:
        for i, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                raise ArgumentError("rows", f"{len(self.columns)} cells in each row", f"{len(row)} in row {i}")

    def as_dict(self) -> dict[str, Any]:
        """Every cell, ready for JSON."""
        return {"title": self.title, "columns": list(self.columns), "rows": plain(self.rows), "caption": self.caption}


@dataclass(frozen=True)
class Matrix:
    """A named matrix, shown as numbers in brackets.

    Args:
        name: what stands before the equals sign, e.g. ``"L₁"``.
        values: ``[m, n]`` tensor, array or rows of numbers.
        row_labels, column_labels: names of the coordinates, or empty.
        decimals: how many decimals every entry shows (the JSON keeps all).
        caption: a line below it.

    >>> import torch
    >>> Matrix("J", torch.diag(torch.tensor([1.0, -1.0]))).as_dict()["values"]
    [[1.0, 0.0], [0.0, -1.0]]
    """

    name: str
    values: Any
    row_labels: Sequence[str] = ()
    column_labels: Sequence[str] = ()
    decimals: int = 3
    caption: str = ""

    def __post_init__(self) -> None:
        rows = self.rows()
        for argument, labels, length in (
            ("row_labels", self.row_labels, len(rows)),
            ("column_labels", self.column_labels, len(rows[0])),
        ):
            if labels and len(labels) != length:
                raise ArgumentError(argument, f"{length} labels, one per line of the matrix", f"{len(labels)}")

    def rows(self) -> list[list[Any]]:
        """The entries as Python numbers."""
        values = self.values.tolist() if callable(getattr(self.values, "tolist", None)) else [list(r) for r in self.values]
        if not (isinstance(values, list) and values and all(isinstance(r, list) and r for r in values)):
            raise ArgumentError("values", "a matrix [m, n] with m, n >= 1", _shape(self.values))
        if len({len(r) for r in values}) != 1 or any(isinstance(v, list) for r in values for v in r):
            raise ArgumentError("values", "a matrix [m, n] with m, n >= 1", _shape(self.values))
        return values

    def as_dict(self) -> dict[str, Any]:
        """Every entry at full precision, ready for JSON."""
        return {
            "name": self.name,
            "values": plain(self.rows()),
            "row_labels": list(self.row_labels),
            "column_labels": list(self.column_labels),
            "caption": self.caption,
        }


def _shape(values: Any) -> str:
    return f"shape {tuple(values.shape)}" if hasattr(values, "shape") else type(values).__name__


@dataclass(frozen=True)
class Section:
    """A heading with text, then matrices, figures and tables.

    >>> Section("The algebra found", ["Six generators, closed under the bracket."]).heading
    'The algebra found'
    """

    heading: str
    paragraphs: Sequence[str] = ()
    tables: Sequence[Table] = ()
    figures: Sequence[Figure] = ()
    matrices: Sequence[Matrix] = ()

    def __post_init__(self) -> None:
        if isinstance(self.paragraphs, str):  # a lone text would be shown letter by letter
            object.__setattr__(self, "paragraphs", (self.paragraphs,))

    def as_dict(self) -> dict[str, Any]:
        """Every number of the section, ready for JSON."""
        return {
            "heading": self.heading,
            "paragraphs": list(self.paragraphs),
            "matrices": [matrix.as_dict() for matrix in self.matrices],
            "tables": [table.as_dict() for table in self.tables],
            "figures": [figure.as_dict() for figure in self.figures],
        }
