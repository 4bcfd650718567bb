"""`Laws`: collects what was compared and fails with the law's name."""

from __future__ import annotations

from typing import Any

import optree
import torch
from torch import Tensor

from erlangen.verdict import How, Verdict


class Laws:
    """Compares pairs of values law by law.

    >>> laws = Laws("addition", atol=1e-10)
    >>> laws.equal("commutes", torch.tensor(1.0) + 2, 2 + torch.tensor(1.0))
    >>> bool(laws.verdict())
    True
    """

    def __init__(self, subject: object, atol: float) -> None:
        self.subject, self.atol = str(subject), atol
        self.tried: list[str] = []
        self.worst = 0.0

    def equal(self, law: str, left: Any, right: Any, scale: float = 0.0) -> None:
        """Demand that two values (tensors, pytrees of them, exact objects) agree: floats to ``atol`` relative to the largest entry of
        either, or to ``scale`` where the numbers that were summed to them are larger; all else exactly."""
        a, b = optree.tree_leaves(left, none_is_leaf=True), optree.tree_leaves(right, none_is_leaf=True)
        if len(a) != len(b):
            self._fail(law, f"{len(a)} parts against {len(b)}")
        for x, y in zip(a, b):
            if not (isinstance(x, Tensor) and isinstance(y, Tensor)):
                if x != y:
                    self._fail(law, f"{x!r} against {y!r}")
            elif not (x.is_floating_point() or x.is_complex()):
                if x.shape != y.shape:
                    self._fail(law, f"shape {tuple(x.shape)} against {tuple(y.shape)}")
                if bool((x != y).any()):
                    at = (x != y).nonzero()[0]
                    self._fail(law, f"{x[tuple(at)].item()} against {y[tuple(at)].item()}, first at {at.tolist()}")
            else:
                if x.shape != y.shape:
                    self._fail(law, f"shape {tuple(x.shape)} against {tuple(y.shape)}")
                if not x.numel():
                    continue
                apart = torch.where(x == y, torch.zeros_like(x), x - y).abs().max()  # infinities agree with themselves
                size = max(scale, float(x.abs().max()), float(y.abs().max()))
                error = float(apart) / size if size else 0.0
                self.worst = max(self.worst, error)
                if not error <= self.atol:
                    self._fail(law, f"relative difference {error:.3g}, allowed {self.atol:.3g}")
        self.tried.append(law)

    def true(self, law: str, holds: Any, detail: str = "") -> None:
        """Demand a condition."""
        if not bool(holds):
            self._fail(law, detail or "it does not hold")
        self.tried.append(law)

    def verdict(self, how: How = "statistical") -> Verdict:
        """What was tried, after everything held."""
        laws = list(dict.fromkeys(self.tried))
        return Verdict(True, f"{self.subject} obeys its laws", how, len(self.tried), {"worst": self.worst}, reason=", ".join(laws))

    def _fail(self, law: str, detail: str) -> None:
        raise AssertionError(f"{self.subject}: the law '{law}' fails: {detail}")
