"""`supervised`: the loss of predictions against targets, on data that may be moved at random; `steps_within`: what a time pays for."""

from __future__ import annotations

import copy
import dataclasses
import time
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.training.batches import Data
from erlangen.training.config import TrainingConfig
from erlangen.training.loop import Loss, train

#: A random move of a batch of inputs and targets: an augmentation.
Move = Callable[[Any, Any], tuple[Any, Any]]


def supervised(criterion: Callable[[Any, Any], Tensor], move: Move | None = None) -> Loss:
    """A loss for :func:`train` on pairs ``(x, y)``: ``criterion(model(x), y)``.

    Args:
        criterion: of predictions and targets, a mean over the batch.
        move: an augmentation, ``move(x, y) -> (x, y)``, drawn anew for every batch.

    >>> import torch
    >>> loss = supervised(nn.functional.mse_loss, lambda x, y: (-x, -y))
    >>> loss(lambda x: 3 * x, torch.ones(4), torch.ones(4))
    tensor(4.)
    """

    def loss(model: Callable[..., Any], x: Any, y: Any) -> Tensor:
        if move is not None:
            x, y = move(x, y)
        return criterion(model(x), y)

    return loss


def steps_within(seconds: float, model: nn.Module, data: Data, loss: Loss, config: TrainingConfig, *, trial: int = 20) -> int:
    """How many steps of a training fit into so many CPU seconds of this process, which other jobs on the machine do not lengthen.

    A copy of the model is trained for a few steps, after one that is not counted: the first of a process loads what later ones find
    ready. The model, the caller's random state and what the loss draws from are left as they were.

    Args:
        seconds: of CPU.
        model, data, loss, config: as for :func:`train`; ``config.steps`` is not used.
        trial: steps that tell how long one takes.

    Raises:
        ArgumentError: no time, or no trial.

    >>> import torch
    >>> x = torch.randn(64, 2)
    >>> steps_within(0.01, nn.Linear(2, 1), (x, x[:, :1]), supervised(nn.functional.mse_loss), TrainingConfig(), trial=2) >= 1
    True
    """
    if not seconds > 0:
        raise ArgumentError("seconds", "a positive number of CPU seconds", repr(seconds))
    if trial < 1:
        raise ArgumentError("trial", "at least one step", repr(trial))
    spent = 0.0
    for steps in (1, trial):
        one = copy.deepcopy(model)
        started = time.process_time()
        train(one, data, loss, dataclasses.replace(config, steps=steps), quiet=True)
        spent = time.process_time() - started
    return max(1, round(seconds * trial / max(spent, 1e-9)))
