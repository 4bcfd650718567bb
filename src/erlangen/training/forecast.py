"""Forecasts that feed on themselves: `rollout`, the error `relative_l2`, and losses that train for it, `pushforward` and `unrolled`.

States are ``[B, c, *grid]``; a model maps a window of the last ``m`` states, one behind the other in the channels ``[B, m c, *grid]``, the
latest last, to the next one.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.training.loop import Loss

#: From a window to the next state.
Model = Callable[[Tensor], Tensor]


def rollout(model: Model, window: Float[Tensor, "B mc *grid"], steps: int) -> Float[Tensor, "B steps c *grid"]:
    """The next states, each predicted from the ones before, predictions fed back. Gradients flow through all of it.

    Raises:
        ArgumentError: there are no steps, or the window does not hold whole states of the model.

    >>> rollout(lambda w: w[:, :1] + w[:, 1:], torch.tensor([[[1.0], [1.0]]]), 5).flatten().tolist()
    [2.0, 3.0, 5.0, 8.0, 13.0]
    """
    if not isinstance(steps, int) or steps < 1:
        raise ArgumentError("steps", "a positive number of steps", repr(steps))
    states = []
    for _ in range(steps):
        states.append(model(window))
        channels = states[-1].shape[1]
        if window.shape[1] % channels or window.shape[2:] != states[-1].shape[2:]:
            raise ArgumentError("window", f"whole states {tuple(states[-1].shape[1:])} of the model", tuple(window.shape))
        window = torch.cat([window[:, channels:], states[-1]], 1)
    return torch.stack(states, 1)


def relative_l2(prediction: Float[Tensor, "*B c *grid"], target: Float[Tensor, "*B c *grid"], axes: int = 2) -> Float[Tensor, ""]:
    """The mean over samples and channels of ``||prediction - target|| / ||target||``, norms over the last ``axes`` axes.

    A target that vanishes is compared with the smallest normal number: no prediction but zero is good.

    Raises:
        ArgumentError: the shapes differ, or there is nothing to compare.

    >>> relative_l2(torch.full((2, 1, 4, 4), 3.0), torch.full((2, 1, 4, 4), 2.0))
    tensor(0.5000)
    """
    if prediction.shape != target.shape or prediction.ndim <= axes:
        raise ArgumentError("prediction", f"the target's shape {tuple(target.shape)}", tuple(prediction.shape))
    if not target.numel():
        raise ArgumentError("target", "at least one sample, channel and point of the grid", f"shape {tuple(target.shape)}")
    over = tuple(range(-axes, 0))
    error, size = torch.linalg.vector_norm(prediction - target, dim=over), torch.linalg.vector_norm(target, dim=over)
    return (error / size.clamp_min(torch.finfo(size.dtype).tiny)).mean()


def unrolled(criterion: Callable[[Tensor, Tensor], Tensor], steps: int) -> Loss:
    """A loss on pairs of a window and the states ``[B, steps, c, *grid]`` behind it, with gradients through all steps.

    >>> loss = unrolled(torch.nn.functional.mse_loss, 2)
    >>> loss(lambda w: 2 * w, torch.ones(1, 1, 1), torch.tensor([[[[2.0]], [[5.0]]]]))
    tensor(0.5000)
    """

    def loss(model: Model, window: Tensor, states: Tensor) -> Tensor:
        _check_states(states, steps)
        return criterion(rollout(model, window, steps), states[:, :steps])

    return loss


def pushforward(criterion: Callable[[Tensor, Tensor], Tensor], steps: int = 1) -> Loss:
    """A loss on pairs of a window and the states behind it: the model learns its next step from windows that it has made itself.

    The first ``steps`` predictions are fed back without gradients, the one after them is compared; and so is that from the true window.

    Source: J. Brandstetter, D. Worrall, M. Welling, "Message passing neural PDE solvers", 2022, arXiv:2202.03376.

    >>> loss = pushforward(torch.nn.functional.mse_loss)
    >>> loss(lambda w: 2 * w, torch.ones(1, 1, 1), torch.tensor([[[[3.0]], [[4.0]]]]))     # (2 - 3)^2 + (2 * 2 - 4)^2
    tensor(1.)
    """

    def loss(model: Model, window: Tensor, states: Tensor) -> Tensor:
        _check_states(states, steps + 1)
        with torch.no_grad():
            made = rollout(model, window, steps)
        before = torch.cat([window, made.flatten(1, 2)], 1)[:, -window.shape[1] :]
        return criterion(model(window), states[:, 0]) + criterion(model(before), states[:, steps])

    return loss


def _check_states(states: Tensor, least: int) -> None:
    """Raise where there are fewer states than are compared: a criterion might spread one over all steps."""
    if states.ndim < 3 or states.shape[1] < least:
        raise ArgumentError("states", f"at least {least} states [B, steps, c, *grid]", tuple(states.shape))
