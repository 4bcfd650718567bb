"""`Process`: a chain of noise on one part of the data, from what it is to what nothing is known of, that commutes with an action.

Read this file first. Step 0 is the datum, step ``T`` noise. The law of step ``t`` given step ``s < t`` is known in closed form for any
two of them, so a sampler may skip steps. The random numbers of a sample enter through :meth:`Process.prior` and :meth:`Process.draw`;
all else is a function, and moves with the group when what was drawn is moved: noise of a turned datum is the turned noise, and an
equivariant network makes an invariant sampler.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.equivariance.error import elements_of, seeded
from erlangen.errors import ArgumentError
from erlangen.generate.rows import Rows, dense
from erlangen.groups.base import Element

#: How far from an isometry rounding may make an action in float64, relative to the data.
ISOMETRY = 1e-9
#: How many units of rounding noise must have for its density: then they add less than 0.2 percent to its variance.
RESOLVED = 4


class Process(ABC):
    """Noise on one part of the data; a tensor ``[B, ...]``, or ``[N, ...]`` with a segment, as its :class:`Rows` say.

    Attributes:
        action: the action that the noise commutes with (beside all permutations of entries that are alike), or ``None``.
        steps: ``T``.

    Throughout, ``t`` and ``s`` are steps of each datum, int64 ``[B]``, ``0 <= s < t <= T``; ``rows`` says how a part is laid out (by
    default dense without a mask); ``generator`` is the source of randomness, and numbers are drawn where it lives.
    """

    action: Action | None
    steps: int

    # ---- noise ----

    @abstractmethod
    def draw(self, like: Tensor, rows: Rows, generator: torch.Generator | None) -> Tensor:
        """The random numbers of one step for a part of this shape; beside the prior the one place where a sample's enter."""

    @abstractmethod
    def noise(
        self, x0: Tensor, t: Int[Tensor, " B"], *, rows: Rows | None = None, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """``x_t`` of data, and what a network should say of it."""

    @abstractmethod
    def prior(self, like: Tensor, *, rows: Rows | None = None, generator: torch.Generator | None = None) -> Tensor:
        """``x_T`` of the shape, dtype and device of ``like``."""

    @abstractmethod
    def reverse(
        self,
        x_t: Tensor,
        prediction: Tensor,
        t: Int[Tensor, " B"],
        s: Int[Tensor, " B"],
        *,
        rows: Rows | None = None,
        generator: torch.Generator | None = None,
        eta: float = 1.0,
    ) -> Tensor:
        """``x_s`` from ``x_t`` and what a network says of it.

        ``eta`` is how much fresh noise a continuous process takes: 1 is ancestral sampling, 0 a deterministic map (DDIM, Song, Meng &
        Ermon, ICLR 2021, arXiv:2010.02502). Categories are always drawn.
        """

    # ---- learning ----

    @abstractmethod
    def loss(self, prediction: Tensor, target: Tensor, x_t: Tensor, t: Int[Tensor, " B"], *, rows: Rows | None = None) -> Tensor:
        """What a prediction costs, one number for each entry of the part; 0 where there is none."""

    @abstractmethod
    def prior_nats(self, x0: Tensor, *, rows: Rows | None = None) -> Float[Tensor, " B"]:
        """The Kullback-Leibler divergence of ``x_T`` given each datum from the prior."""

    @abstractmethod
    def step_nats(
        self,
        x0: Tensor,
        x_t: Tensor,
        prediction: Tensor,
        t: Int[Tensor, " B"],
        s: Int[Tensor, " B"],
        *,
        rows: Rows | None = None,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, " B"]:
        """What the step from ``t`` to ``s`` adds to the bound on minus the log-likelihood.

        For ``s > 0`` the divergence of ``q(x_s | x_t, x_0)`` from the step that the network takes, or an unbiased estimate of it; for
        ``s = 0`` minus the log-probability (density) of the datum given ``x_t``.
        """

    @abstractmethod
    def log_law(self, x_t: Tensor, x_s: Tensor, t: Int[Tensor, " B"], s: Int[Tensor, " B"], *, rows: Rows | None = None) -> Tensor:
        """``log q(x_t | x_s)`` of each datum, ``[B]``."""

    # ---- what a sampler may ask besides ----

    def steer(self, prediction: Tensor, gradient: Tensor, t: Int[Tensor, " B"], *, rows: Rows | None = None) -> Tensor:
        """The prediction with ``gradient``, of a log-density at ``x_t``, added to the score that it stands for."""
        raise ArgumentError("guide", "a part with a density to differentiate", f"{self!r}")

    def correct(
        self,
        x_t: Tensor,
        prediction: Tensor,
        t: Int[Tensor, " B"],
        size: float,
        *,
        rows: Rows | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """One step of Langevin dynamics at time ``t``: ``x + size v score + sqrt(2 size v) z``, ``v`` the variance of the noise at ``t``.

        Source: Song et al., "Score-based generative modeling through stochastic differential equations", ICLR 2021, arXiv:2011.13456.
        """
        raise ArgumentError("corrector", "a part with a score", f"{self!r}")

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """What decides the process, ready for JSON: weights belong to it."""

    @abstractmethod
    def check(self, x: Tensor, argument: str = "x") -> None:
        """Raise ArgumentError unless ``x`` is a part that this process can make noise on (shape, dtype, values)."""

    def times(self, t: Int[Tensor, " B"], least: int = 1, argument: str = "t") -> Int[Tensor, " B"]:
        """Steps, checked where that costs nothing.

        Raises:
            ArgumentError: they are not int64 ``[B]``, or not between ``least`` and ``T``.
        """
        if not isinstance(t, Tensor) or t.dtype != torch.int64 or t.ndim != 1:
            got = f"{t.dtype} {tuple(t.shape)}" if isinstance(t, Tensor) else repr(t)
            raise ArgumentError(argument, "steps, int64 [B]", got)
        if t.device.type == "cpu" and len(t) and not least <= int(t.min()) <= int(t.max()) <= self.steps:
            raise ArgumentError(argument, f"steps from {least} to {self.steps}", f"{int(t.min())} to {int(t.max())}")
        return t

    def stride(self, t: Int[Tensor, " B"], s: Int[Tensor, " B"], rows: Rows) -> None:
        """Raise ArgumentError unless there is a step back from ``t`` to ``s`` for each datum, checked where that costs nothing."""
        for name, steps, least in (("t", t, 1), ("s", s, 0)):
            if self.times(steps, least, name).shape != (rows.size,):
                raise ArgumentError(name, f"one for each datum, [{rows.size}]", f"shape {tuple(steps.shape)}")
        if t.device.type == "cpu" and bool((s >= t).any()):
            raise ArgumentError("s", "steps before t", f"{s.tolist()[:4]} for t {t.tolist()[:4]}")

    def laid_out(self, x: Tensor, rows: Rows | None) -> Rows:
        """The rows of a part, checked; dense ones by default."""
        rows = dense(x) if rows is None else rows
        rows.check(x)
        return rows


def check_said(prediction: Tensor, x: Tensor) -> None:
    """Raise ArgumentError unless a prediction has a number for each of the part's, none of which is shared with another."""
    if prediction.shape != x.shape:
        raise ArgumentError("prediction", f"a number for each of the part's, {tuple(x.shape)}", f"shape {tuple(prediction.shape)}")


def check_resolved(x: Tensor, deviation: float, argument: str) -> None:
    """Raise ArgumentError unless rounding is small beside the least noise: a density at rounded numbers would be another's."""
    if deviation < RESOLVED * torch.finfo(x.dtype).eps:
        raise ArgumentError(
            argument,
            f"a precision in which noise of {deviation:.1e} is more than rounding",
            str(x.dtype),
            "take float32 or float64",
        )


def at(table: Tensor, t: Tensor) -> Tensor:
    """A float64 table at the steps of each datum, ``[B]``. Differences and quotients of such numbers are taken before they are rounded."""
    return table.to(t.device)[t]


def beside(values: Tensor, x: Tensor, rows: Rows) -> Tensor:
    """A number for each datum beside the entries of ``x``, in its dtype."""
    return rows.spread(values.to(x.dtype), x)


def trial_elements(action: Action) -> Element:
    """A few elements to try a claim about an action on: the generators' products of small groups, and some of each component."""
    return elements_of(action.group, 16, seeded(None), torch.float64)


def check_isometry(action: Action, argument: str = "action") -> None:
    """Raise ArgumentError unless an action is linear and keeps lengths, so that it keeps the law of independent normal numbers.

    Seen on random data and elements in float64.
    """
    g = trial_elements(action)
    (count,) = action.group.batch_shape(g)
    rng = seeded(None)
    x, y = (action.example(count, generator=rng, dtype=torch.float64) for _ in range(2))
    if not isinstance(x, Tensor):
        raise ArgumentError(argument, "an action on one tensor; a record of parts takes a process for each", repr(action))
    moved, other = action.act(g, x), action.act(g, y)
    scale = float(x.abs().max())
    if float((action.act(g, x + 2 * y) - moved - 2 * other).abs().max()) > ISOMETRY * scale:
        hint = "Noise knows no origin: take the group's action on vectors, and centred=True for the positions of points"
        raise ArgumentError(argument, "a linear action", f"{action!r}, which is not", hint)
    lengths = [t.reshape(count, -1).norm(dim=1) for t in (x, moved)]
    if float((lengths[0] - lengths[1]).abs().max()) > ISOMETRY * scale * x[0].numel():
        raise ArgumentError(argument, "an action that keeps lengths, as the law of the noise does", f"{action!r}, which does not")
