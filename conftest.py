"""What the examples in docstrings share: the same random numbers at each run."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from _pytest.doctest import DoctestItem


@pytest.fixture(autouse=True)
def _seeded(request: pytest.FixtureRequest) -> None:
    """An example draws what it likes; it draws the same each time it is tested."""
    if isinstance(request.node, DoctestItem):
        torch.manual_seed(0)
        np.random.seed(0)  # noqa: NPY002 - SciPy's and scikit-learn's default
