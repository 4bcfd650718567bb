"""What is predicted decides the loss and the score: classes, numbers or vectors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

from erlangen.data import Collection, DataSet
from erlangen.measure.scores import accuracy, auc, mean_square, r_squared

#: What a unit of loss counts beside the score.
TIE = 1e-6


@dataclass(frozen=True)
class Task:
    """How to train and score a target.

    Attributes:
        kind: ``"class"``, ``"scalar"`` or ``"vector"``.
        shape: of one output of the network.
        loss: ``loss(prediction, target)``, a mean over samples.
        score: ``score(prediction, target)``, a number that is better when larger.
        score_name: what that is called.
        chance: the score of knowing nothing.
        out_scale: the root mean square of the target, by which outputs are scaled; 1 for classes.
        error: the mean square error, for numbers and vectors.
    """

    kind: str
    shape: tuple[int, ...]
    loss: Callable[[Tensor, Tensor], Tensor]
    score: Callable[[Tensor, Tensor], float]
    score_name: str
    chance: float
    out_scale: float = 1.0
    error: Callable[[Tensor, Tensor], float] | None = None

    def progress(self, prediction: Tensor, target: Tensor) -> float:
        """What a training goes by: the score; of classes, where few samples give few different ones, the smaller loss among equals."""
        score = self.score(prediction, target)
        return score - TIE * float(self.loss(prediction, target)) if self.kind == "class" else score


def task_of(data: DataSet | Collection) -> Task:
    """The task that a data set's target sets.

    >>> import torch
    >>> data = DataSet("d", torch.randn(64, 1, 2), torch.arange(64) % 2, "class")
    >>> task_of(data).score_name
    'AUC'
    """
    assert data.y is not None
    if data.target == "class":
        classes = int(data.y.max()) + 1
        if classes == 2:
            return Task("class", (2,), F.cross_entropy, lambda p, y: auc(p[:, 1] - p[:, 0], y), "AUC", 0.5)
        return Task("class", (classes,), F.cross_entropy, accuracy, "accuracy", 1 / classes)
    scale = _size(data)
    shape = tuple(data.y.shape[1:]) or (1,)

    def loss(p: Tensor, y: Tensor) -> Tensor:
        return F.mse_loss(p / scale, y.reshape(p.shape) / scale)

    return Task(data.target or "scalar", shape, loss, r_squared, "R²", 0.0, scale, mean_square)


def _size(data: DataSet | Collection) -> float:
    """The root mean square of the target; of numbers whose mean the networks know (those of collections), their deviation."""
    assert data.y is not None
    y = data.y.double()
    if isinstance(data, Collection) and data.target != "vector":
        y = y - y.mean(0)
    return float(y.square().mean().sqrt()) or 1.0
