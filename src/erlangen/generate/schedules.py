"""How much is left of a datum after so many steps of noise: tables over the steps ``0, 1, ..., T``, in float64."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError


def cosine(
    steps: int, *, power: float = 2.0, offset: float = 0.008, smallest: float = 0.0, largest: float = 0.9999
) -> Float[Tensor, " T+1"]:
    """Products of ``1 - beta_t`` that follow ``cos(((t/T + offset) / (1 + offset)) pi/2) ** power``.

    Args:
        steps: ``T``.
        power: 2 in the source; 1 is usual for categories.
        offset: how far from the top of the cosine step 0 lies, so that the first steps are not too small.
        smallest, largest: bounds of ``beta_t``; with ``largest=1`` nothing is left after the last step.

    Returns:
        ``[T + 1]``, from 1 downward.

    Raises:
        ArgumentError: fewer than one step, or bounds that are not ``0 <= smallest < largest <= 1``.

    Source: Nichol & Dhariwal, "Improved denoising diffusion probabilistic models", ICML 2021, arXiv:2102.09672.

    >>> kept = cosine(1000, smallest=1e-4)
    >>> kept.shape, f"{kept[500]:.9f}", bool(kept[-1] < 1e-9)
    (torch.Size([1001]), '0.493653806', True)
    """
    _check_steps(steps)
    angle = (torch.arange(steps + 1, dtype=torch.float64) / steps + offset) / (1 + offset) * (math.pi / 2)
    curve = angle.cos().clamp(min=0.0) ** power
    curve[-1] = 0.0  # the cosine of a right angle, which rounding makes 6e-17
    return _products(1 - curve[1:] / curve[:-1], smallest, largest)


def linear(steps: int, *, first: float = 1e-4, last: float = 0.02) -> Float[Tensor, " T+1"]:
    """Products of ``1 - beta_t`` with ``beta_t`` rising in equal steps; ``first`` and ``last`` are those of 1000 steps.

    With other numbers of steps they are multiplied by ``1000 / T``, which leaves the end about as noisy.

    Raises:
        ArgumentError: fewer than one step, or so few that a ``beta_t`` would be above 1.

    Source: Ho, Jain & Abbeel, "Denoising diffusion probabilistic models", NeurIPS 2020, arXiv:2006.11239.

    >>> bool(linear(1000)[-1] < 1e-4)
    True
    """
    _check_steps(steps)
    betas = torch.linspace(first, last, steps, dtype=torch.float64) * (1000 / steps)
    if bool(betas.max() > 1):
        raise ArgumentError("steps", f"at least {math.ceil(1000 * max(first, last))} for betas up to {last}", repr(steps))
    return _products(betas, 0.0, 1.0)


def log_linear(steps: int, *, first: float = 13.3, last: float = -10.0) -> Float[Tensor, " T+1"]:
    """What is left where the logarithm of signal to noise falls evenly, from ``first`` at step 1 to ``last`` at step ``T``.

    For likelihoods of real numbers: a step of the bound loses in proportion to the square of its fall, so with many steps nothing is
    lost. The noise of other schedules grows at first in equal steps, of ``1, 2, 3, ...`` times the same; however many there are, their
    bounds stay half of Euler's constant, 0.289 nats, or more below the log-likelihood for every number of a datum.

    Raises:
        ArgumentError: fewer than two steps, or not ``first > last``.

    Source: Kingma et al., "Variational diffusion models", NeurIPS 2021, arXiv:2107.00630.

    >>> kept = log_linear(100)
    >>> [f"{ratio:.3f}" for ratio in torch.logit(kept[[1, 100]])]
    ['13.300', '-10.000']
    """
    _check_steps(steps, least=2)
    if not -math.inf < last < first < math.inf:
        raise ArgumentError("first", "first > last, both finite", f"first {first}, last {last}")
    kept = torch.linspace(first, last, steps, dtype=torch.float64).sigmoid()
    return torch.cat([kept.new_ones(1), kept])


def geometric(steps: int, *, first: float = 0.005, last: float = 0.5) -> Float[Tensor, " T+1"]:
    """Standard deviations of noise that grow by a constant factor, ``sigma_0 = 0`` and ``sigma_1 = first`` to ``sigma_T = last``.

    Raises:
        ArgumentError: fewer than two steps, or not ``0 < first < last``.

    Source: Song & Ermon, "Generative modeling by estimating gradients of the data distribution", NeurIPS 2019, arXiv:1907.05600.

    >>> [f"{sigma:.3f}" for sigma in geometric(3)]
    ['0.000', '0.005', '0.050', '0.500']
    """
    _check_steps(steps, least=2)
    if not 0 < first < last < math.inf:
        raise ArgumentError("first", "0 < first < last", f"first {first}, last {last}")
    growth = torch.linspace(0.0, 1.0, steps, dtype=torch.float64)
    sigma = first * (last / first) ** growth
    sigma[-1] = last
    return torch.cat([sigma.new_zeros(1), sigma])


def check_kept(schedule: Tensor, argument: str = "schedule") -> Float[Tensor, " T+1"]:
    """A table of what is left, in float64.

    Raises:
        ArgumentError: it does not start at 1, does not fall at every step, or falls below 0.
    """
    table = _table(schedule, argument)
    if float(table[0]) != 1.0 or bool((table.diff() >= 0).any()) or float(table[-1]) < 0:
        raise ArgumentError(
            argument, "what is left after steps 0 to T: 1 first, then less at every step, never below 0", _shown(table)
        )
    return table


def check_sigmas(schedule: Tensor, argument: str = "schedule") -> Float[Tensor, " T+1"]:
    """A table of standard deviations, in float64.

    Raises:
        ArgumentError: it does not start at 0 or does not grow at every step.
    """
    table = _table(schedule, argument)
    if float(table[0]) != 0.0 or bool((table.diff() <= 0).any()):
        raise ArgumentError(argument, "standard deviations at steps 0 to T: 0 first, then more at every step", _shown(table))
    return table


def _products(betas: Tensor, smallest: float, largest: float) -> Tensor:
    if not 0 <= smallest < largest <= 1:
        raise ArgumentError("smallest", "0 <= smallest < largest <= 1", f"smallest {smallest}, largest {largest}")
    kept = (1 - betas.clamp(smallest, largest)).cumprod(0)
    return torch.cat([kept.new_ones(1), kept])


def _check_steps(steps: int, least: int = 1) -> None:
    if not isinstance(steps, int) or isinstance(steps, bool) or steps < least:
        raise ArgumentError("steps", f"a whole number of at least {least}", repr(steps))


def _table(schedule: Tensor, argument: str) -> Tensor:
    if not isinstance(schedule, Tensor) or schedule.ndim != 1 or len(schedule) < 2:
        got = f"shape {tuple(schedule.shape)}" if isinstance(schedule, Tensor) else type(schedule).__name__
        raise ArgumentError(argument, "a table [T + 1] over the steps 0 to T", got)
    table = schedule.detach().cpu().double()
    if not bool(table.isfinite().all()):
        raise ArgumentError(argument, "finite numbers", _shown(table))
    return table


def _shown(table: Tensor) -> str:
    return f"[{float(table[0]):.6g}, {float(table[1]):.6g}, ..., {float(table[-1]):.6g}]"
