"""Measurements of breast-cancer cells, which scikit-learn ships: ten principal components of thirty numbers, each of variance one."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from erlangen.extras import shipped


def cells(components: int = 10) -> tuple[Tensor, Tensor]:
    """Components ``[569, components]`` and labels ``[569]`` (1: benign), float64. The file is read without importing scikit-learn.

    Source: W. N. Street, W. H. Wolberg, O. L. Mangasarian, "Nuclear feature extraction for breast tumor diagnosis", 1993 (UCI).

    Raises:
        MissingExtra: scikit-learn is not installed.

    >>> x, y = cells()
    >>> x.shape, int(y.sum())
    (torch.Size([569, 10]), 357)
    """
    path = shipped("zoo", "sklearn") / "datasets" / "data" / "breast_cancer.csv"
    table = torch.from_numpy(np.loadtxt(path, delimiter=",", skiprows=1))
    x, y = table[:, :-1], table[:, -1]
    x = (x - x.mean(0)) / x.std(0)
    left, _, _ = torch.linalg.svd(x, full_matrices=False)
    kept = left[:, :components]
    return (kept - kept.mean(0)) / kept.std(0), y
