"""The handwritten digits that scikit-learn ships: 1797 images of 8 x 8, read from its file without importing it."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from erlangen.data.distinct import arranged, boundary, distinct
from erlangen.extras import shipped

IMAGES = 1797


def digits() -> tuple[Float[Tensor, "1797 64"], Int[Tensor, 1797]]:
    """Pixels from 0 to 1, and classes.

    Source: E. Alpaydin and C. Kaynak, "Optical recognition of handwritten digits", UCI, 1998.

    Raises:
        MissingExtra: scikit-learn is not installed.

    >>> x, y = digits()
    >>> x.shape, float(x.max()), y[:4].tolist()
    (torch.Size([1797, 64]), 1.0, [0, 1, 2, 3])
    """
    path = shipped("zoo", "sklearn") / "datasets" / "data" / "digits.csv.gz"
    table = torch.from_numpy(np.loadtxt(path, delimiter=",", dtype=np.float32))
    return table[:, :-1] / 16, table[:, -1].long()


def split_digits(held: int = 450, seed: int = 0) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """The digits as a training and a held-out part, at random; no image is in both.

    >>> [len(part[0]) for part in split_digits()]
    [1347, 450]
    """
    x, y = digits()
    kinds = distinct(x)
    order = arranged(kinds, torch.Generator().manual_seed(seed))
    held = boundary(kinds, order, held)
    return (x[order[held:]], y[order[held:]]), (x[order[:held]], y[order[:held]])
