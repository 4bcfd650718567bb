"""`Goal`: what is predicted of a text - a class or a number - with its loss and its score."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.nn import functional as F

from erlangen.data import Texts
from erlangen.errors import ArgumentError


@dataclass(frozen=True)
class Goal:
    """A class, or a number.

    Attributes:
        classes: names of the classes; none for a number.
        mean, spread: of the numbers of training texts; outputs are in units of them.

    >>> import torch
    >>> goal = Goal(("no", "yes"))
    >>> goal.score(torch.tensor([[0.0, 1.0], [1.0, 0.0]]), torch.tensor([1, 1]))
    0.5
    """

    classes: tuple[str, ...] = ()
    mean: float = 0.0
    spread: float = 1.0

    @classmethod
    def of(cls, texts: Texts) -> Goal:
        """The goal of training texts.

        Raises:
            ArgumentError: all numbers are the same.
        """
        if texts.classes:
            return cls(texts.classes)
        spread = float(texts.target.std())
        if not spread > 0:
            raise ArgumentError("target", "numbers that differ", f"{float(texts.target[0])} everywhere")
        return cls((), float(texts.target.mean()), spread)

    @property
    def outputs(self) -> int:
        """How many numbers a head gives."""
        return len(self.classes) or 1

    @property
    def score_name(self) -> str:
        return "accuracy" if self.classes else "R2"

    def loss(self, outputs: Tensor, target: Tensor) -> Tensor:
        """Cross-entropy, or the mean square in units of the spread."""
        if self.classes:
            return F.cross_entropy(outputs, target)
        return F.mse_loss(outputs.squeeze(-1), ((target - self.mean) / self.spread).to(outputs.dtype))

    def predictions(self, outputs: Tensor) -> Tensor:
        """The most likely class ``[N]``, or the number."""
        return outputs.argmax(-1) if self.classes else outputs.squeeze(-1).double() * self.spread + self.mean

    def right(self, outputs: Tensor, target: Tensor) -> Tensor:
        """For each text 1 where the class is right, else 0; of numbers one minus the square error in units of the targets' variance.
        Its mean is the score."""
        if self.classes:
            return (self.predictions(outputs) == target).double()
        return 1 - (self.predictions(outputs) - target).square() / target.var(correction=0)

    def score(self, outputs: Tensor, target: Tensor) -> float:
        """Accuracy, or R2."""
        return float(self.right(outputs, target).mean())

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {"classes": list(self.classes), "mean": self.mean, "spread": self.spread}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Goal:
        """The inverse of :meth:`as_dict`."""
        return cls(tuple(data["classes"]), data["mean"], data["spread"])


def mean_with_error(right: Tensor) -> tuple[float, float]:
    """The mean over seeds and texts of ``[seeds, N]``, and its standard error over the texts.

    >>> import torch
    >>> mean_with_error(torch.tensor([[1.0, 0.0, 1.0, 0.0]], dtype=torch.float64))[0]
    0.5
    """
    each = right.mean(0)
    return float(each.mean()), float(each.std()) / math.sqrt(len(each)) if len(each) > 1 else math.nan
