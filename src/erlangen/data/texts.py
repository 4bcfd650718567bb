"""`Texts`: texts with a label or a number each, out of a table, and their parts."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from erlangen.data.columns import MISSING, MOST_LABELS
from erlangen.data.csv_rows import csv_rows
from erlangen.errors import ArgumentError

#: Names that a column of texts and a column of targets go by, where none is named.
TEXT_NAMES, TARGET_NAMES = ("text", "content", "sentence", "review"), ("label", "target", "y", "class", "category")


@dataclass(frozen=True, eq=False)
class Texts:
    """Texts and what is to be predicted of them.

    Attributes:
        name: of the data.
        texts: ``N`` of them.
        target: ``[N]``: the numbers of classes (int64), or float64.
        classes: their names; none where the target is a number.
        source: where they are from.

    >>> texts = Texts("greetings", ("good day", "good night", "bye"), torch.tensor([0, 0, 1]), ("hail", "farewell"))
    >>> len(texts), texts[torch.tensor([2])].texts
    (3, ('bye',))
    """

    name: str
    texts: tuple[str, ...]
    target: Tensor
    classes: tuple[str, ...] = ()
    source: str = ""

    def __post_init__(self) -> None:
        if self.target.shape != (len(self.texts),):
            raise ArgumentError("target", f"one for each of {len(self.texts)} texts", f"shape {tuple(self.target.shape)}")

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, index: Tensor) -> Texts:
        chosen = tuple(self.texts[i] for i in index.tolist())
        return Texts(self.name, chosen, self.target[index], self.classes, self.source)

    def parts(self, sizes: Sequence[int], seed: int) -> list[Texts]:
        """Disjoint parts at random. Of texts that occur several times only one is drawn.

        Raises:
            ArgumentError: there are not so many distinct texts.
        """
        seen: dict[str, int] = {}
        for i in torch.randperm(len(self), generator=torch.Generator().manual_seed(seed)).tolist():
            seen.setdefault(self.texts[i], i)
        order = torch.tensor(list(seen.values()))
        if min(sizes) < 1 or sum(sizes) > len(order):
            raise ArgumentError("sizes", f"positive numbers of at most {len(order)} distinct texts", repr(list(sizes)))
        return [self[part] for part in order[: sum(sizes)].split(list(sizes))]

    def split(self, fraction: float, seed: int) -> tuple[Texts, Texts]:
        """Two parts at random, about ``fraction`` of the distinct texts in the first; copies of a text stay together."""
        kinds = {text: i for i, text in enumerate(dict.fromkeys(self.texts))}
        draw = torch.randperm(len(kinds), generator=torch.Generator().manual_seed(seed))
        first = torch.zeros(len(kinds), dtype=torch.bool)
        first[draw[: max(1, round(fraction * len(kinds)))]] = True
        mine = first[torch.tensor([kinds[text] for text in self.texts])]
        return self[mine.nonzero().squeeze(1)], self[(~mine).nonzero().squeeze(1)]


def read_texts(
    path: str | Path,
    text: str | None = None,
    target: str | None = None,
    kind: Literal["scalar", "class"] | None = None,
    classes: Sequence[str] = (),
) -> Texts:
    """Texts out of a CSV file with a header; comma, semicolon or tab between cells.

    Args:
        path: the file.
        text: the column of texts; by default one called text, content, sentence or review.
        target: the column to predict; by default one called label, target, y, class or category.
        kind: ``"scalar"`` for numbers, ``"class"`` for labels; by default text and at most 20 whole numbers are labels.
        classes: the labels that there may be, of training data.

    Rows without a text or a target are left out, with a warning.

    Raises:
        ArgumentError: no such file or column, a line of another length, a target that is no number, an unknown label, or one class.
    """
    path = Path(path)
    if not path.is_file():
        raise ArgumentError("data", "an existing CSV file", repr(str(path)))
    header, rows, _ = csv_rows(path)
    at = _column("text", text, TEXT_NAMES, header, path.name)
    goal = _column("target", target, TARGET_NAMES, header, path.name)
    if at == goal:
        raise ArgumentError("target", "another column than that of the texts", repr(header[goal]))
    missing = (*MISSING, "nan", "NaN", "NAN")  # as NumPy, R and others write them: no class of that name
    whole = [(line, row) for line, row in rows if row[at].strip() and row[goal].strip() not in missing]
    if not whole:
        raise ArgumentError("data", f"rows of '{path.name}' with a text and a target", "none")
    if len(whole) < len(rows):
        left = next(line for line, row in rows if not row[at].strip() or row[goal].strip() in missing)
        said = f"{len(rows) - len(whole)} of {len(rows)} rows of '{path.name}' have no text or no target and are left out"
        warnings.warn(f"{said}, the first in line {left}", stacklevel=2)
    texts, cells = tuple(row[at].strip() for _, row in whole), [row[goal].strip() for _, row in whole]
    numbers = [_number(cell) for cell in cells]
    if kind is None:
        kind = "scalar" if None not in numbers and not _few(cells) and not classes else "class"
    if kind == "scalar":
        if None in numbers:
            line, bad = next((line, cell) for (line, _), cell, n in zip(whole, cells, numbers) if n is None)
            raise ArgumentError("target", f"a number in every row of '{header[goal]}'", f"{bad!r} in line {line} of '{path.name}'")
        return Texts(path.stem, texts, torch.tensor(numbers, dtype=torch.float64))
    known = list(classes) or sorted(set(cells), key=lambda c: (_number(c) is None, _number(c) or 0.0, c))
    if len(known) < 2:
        raise ArgumentError("target", "at least two classes", f"{known[0]!r} in all rows")
    place = {label: i for i, label in enumerate(known)}
    for (line, _), cell in zip(whole, cells):
        if cell not in place:
            raise ArgumentError(
                "target", f"one of the {len(known)} classes of training", f"{cell!r} in line {line} of '{path.name}'"
            )
    return Texts(path.stem, texts, torch.tensor([place[cell] for cell in cells]), tuple(known))


def _column(argument: str, name: str | None, usual: Sequence[str], header: list[str], file: str) -> int:
    lower = [cell.lower() for cell in header]
    found = [i for i, cell in enumerate(header) if cell == name] if name else [lower.index(u) for u in usual if u in lower]
    if not found:
        there = ", ".join(map(repr, header))
        raise ArgumentError(
            argument, f"a column of '{file}' ({there})", repr(name) if name else f"none called {' or '.join(usual)}"
        )
    return found[0]


def _number(cell: str) -> float | None:
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in cell else None


def _few(cells: list[str]) -> bool:
    """Whether numbers are labels: whole, and few of them."""
    return len(set(cells)) <= MOST_LABELS and all(c.lstrip("+-").isdigit() for c in set(cells))
