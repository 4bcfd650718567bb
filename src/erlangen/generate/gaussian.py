"""`Gaussian`: normal noise on real numbers, for every linear action that keeps lengths."""

from __future__ import annotations

import math
import zlib
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.equivariance.error import seeded
from erlangen.errors import ArgumentError
from erlangen.generate.process import ISOMETRY, Process, at, beside, check_isometry, check_resolved, check_said, trial_elements
from erlangen.generate.rows import Rows, precise
from erlangen.generate.schedules import check_kept, cosine
from erlangen.groups.haar import normal

Prediction = Literal["noise", "start", "velocity"]


class Gaussian(Process):
    """``x_t = a_t x_0 + b_t e`` with ``e`` standard normal, ``a_t^2`` what the schedule leaves at step ``t``, and ``b_t^2 = 1 - a_t^2``.

    The prior is standard normal, so data should have about unit size. A network predicts the noise ``e``, the start ``x_0`` or the
    velocity ``a_t e - b_t x_0`` (Salimans & Ho, ICLR 2022, arXiv:2202.00512); the loss is its squared error. In the bound a datum is
    seen at last as normal around the predicted start with variance ``b_1^2 / a_1^2``, as if nothing but ``x_1`` were known of it; a
    sample is that start itself.

    Args:
        action: a linear action that keeps lengths; ``None`` for none to be named.
        schedule: what is left of the variance, ``[T + 1]`` from 1 downward and never 0; see :mod:`erlangen.generate.schedules`. A number
            of steps stands for ``cosine(steps)``.
        prediction: what the network's output means. The start follows from the velocity without loss at every step; from the noise at the
            last ones, where little is left of it, only with errors multiplied by ``b_t / a_t``.
        centred: points ``[B, n, d]`` (or ``[N, d]`` in segments) up to translation: data are centred, and noise and predictions have
            mean zero, too. Densities are then on centred configurations, of dimension ``(n - 1) d``. The action is on vectors.

    Raises:
        ArgumentError: the action is not linear or does not keep lengths; the schedule falls to 0 or does not fall.

    Source: Ho, Jain & Abbeel, NeurIPS 2020, arXiv:2006.11239; Kingma et al., "Variational diffusion models", NeurIPS 2021,
    arXiv:2107.00630; for ``centred`` Hoogeboom et al., ICML 2022, arXiv:2203.17003.

    >>> from erlangen.groups import O
    >>> process = Gaussian(O(3).vector, schedule=100, centred=True)
    >>> x_t, e = process.noise(torch.randn(2, 5, 3), torch.tensor([10, 90]))
    >>> x_t.shape, bool(x_t.mean(1).abs().max() < 1e-6)
    (torch.Size([2, 5, 3]), True)
    """

    def __init__(
        self,
        action: Action | None = None,
        schedule: int | Float[Tensor, " T+1"] = 1000,
        prediction: Prediction = "velocity",
        centred: bool = False,
    ) -> None:
        if action is not None:
            check_isometry(action)
            if centred:
                _check_centring(action)
        if prediction not in get_args(Prediction):
            raise ArgumentError("prediction", f"one of {', '.join(get_args(Prediction))}", repr(prediction))
        kept = check_kept(cosine(schedule) if isinstance(schedule, int) else schedule)
        if float(kept[-1]) == 0.0:
            raise ArgumentError("schedule", "something left after the last step, else x_T says nothing of x_0", "0")
        self.action, self.prediction, self.centred = action, prediction, centred
        self.steps = len(kept) - 1
        self.kept = kept
        self._a, self._b = kept.sqrt(), (1 - kept).sqrt()
        self._snr = kept / (1 - kept)

    # ---- noise ----

    def draw(self, like: Tensor, rows: Rows, generator: torch.Generator | None) -> Tensor:
        return self._within(normal(tuple(like.shape), generator, like.dtype, like.device), rows)

    def noise(
        self, x0: Tensor, t: Tensor, *, rows: Rows | None = None, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        self.check(x0, "x0")
        rows, t = self.laid_out(x0, rows), self.times(t, 0)
        x0, e = self._within(x0, rows), self.draw(x0, rows, generator)
        a, b = beside(at(self._a, t), x0, rows), beside(at(self._b, t), x0, rows)
        target = {"noise": e, "start": x0, "velocity": a * e - b * x0}[self.prediction]
        return a * x0 + b * e, target

    def prior(self, like: Tensor, *, rows: Rows | None = None, generator: torch.Generator | None = None) -> Tensor:
        self.check(like, "like")
        return self.draw(like, self.laid_out(like, rows), generator)

    def start(self, x_t: Tensor, prediction: Tensor, t: Tensor, *, rows: Rows | None = None) -> Tensor:
        """The ``x_0`` that a prediction stands for."""
        rows, t = self.laid_out(x_t, rows), self.times(t)
        check_said(prediction, x_t)
        prediction = self._within(prediction, rows)
        if self.prediction == "start":
            return prediction
        a, b = beside(at(self._a, t), x_t, rows), beside(at(self._b, t), x_t, rows)
        return (x_t - b * prediction) / a if self.prediction == "noise" else a * x_t - b * prediction

    def reverse(
        self,
        x_t: Tensor,
        prediction: Tensor,
        t: Tensor,
        s: Tensor,
        *,
        rows: Rows | None = None,
        generator: torch.Generator | None = None,
        eta: float = 1.0,
    ) -> Tensor:
        rows = self.laid_out(x_t, rows)
        self.stride(t, s, rows)
        kept_t, kept_s = at(self.kept, t), at(self.kept, s)
        variance = eta**2 * (1 - kept_s) / (1 - kept_t) * (1 - kept_t / kept_s)
        # The mean is c x_t + d x_0; d stays accurate where the steps are small, and x_0 is all of it at s = 0.
        c = ((1 - kept_s - variance).clamp(min=0) / (1 - kept_t)).sqrt()
        d = kept_s.sqrt() - c * kept_t.sqrt()
        c, d, scale = (beside(v, x_t, rows) for v in (c, d, variance.sqrt()))
        x_s = c * x_t + d * self.start(x_t, prediction, t, rows=rows)
        return x_s if eta == 0 else x_s + scale * self.draw(x_t, rows, generator)

    # ---- learning ----

    def loss(self, prediction: Tensor, target: Tensor, x_t: Tensor, t: Tensor, *, rows: Rows | None = None) -> Tensor:
        rows = self.laid_out(target, rows)
        check_said(prediction, target)
        return rows.blank((self._within(prediction, rows) - target).square())

    def prior_nats(self, x0: Tensor, *, rows: Rows | None = None) -> Tensor:
        rows = self.laid_out(x0, rows)
        kept = self.kept[-1]
        rest = float(-torch.log1p(-kept) - kept)
        return 0.5 * (float(kept) * rows.total(self._within(x0, rows).square()) + rest * self._dimension(x0, rows))

    def step_nats(
        self,
        x0: Tensor,
        x_t: Tensor,
        prediction: Tensor,
        t: Tensor,
        s: Tensor,
        *,
        rows: Rows | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        rows = self.laid_out(x0, rows)
        self.stride(t, s, rows)
        check_resolved(x0, float(self._b[1]), "x0")
        x0, x_t, prediction = precise(x0), precise(x_t), precise(prediction)
        off = rows.total((self._within(x0, rows) - self.start(x_t, prediction, t, rows=rows)).square())
        here = at(self._snr, t)
        density = 0.5 * (here * off + self._dimension(x0, rows) * (math.log(2 * math.pi) - here.log()))
        return torch.where(s == 0, density, 0.5 * (at(self._snr, s.clamp(min=1)) - here) * off).to(off.dtype)

    def log_law(self, x_t: Tensor, x_s: Tensor, t: Tensor, s: Tensor, *, rows: Rows | None = None) -> Tensor:
        rows, x_t, x_s = self.laid_out(x_t, rows), precise(x_t), precise(x_s)
        self.stride(t, s, rows)
        ratio = at(self.kept, t) / at(self.kept, s)
        variance = (1 - ratio).to(x_t.dtype)
        off = rows.total((x_t - beside(ratio.sqrt(), x_t, rows) * self._within(x_s, rows)).square())
        return -0.5 * (off / variance + self._dimension(x_t, rows) * (2 * math.pi * variance).log())

    # ---- besides ----

    def steer(self, prediction: Tensor, gradient: Tensor, t: Tensor, *, rows: Rows | None = None) -> Tensor:
        rows, t = self.laid_out(prediction, rows), self.times(t)
        check_said(prediction, gradient)
        a, b = beside(at(self._a, t), prediction, rows), beside(at(self._b, t), prediction, rows)
        factor = {"noise": -b, "start": b.square() / a, "velocity": -b / a}[self.prediction]
        return prediction + factor * self._within(gradient, rows)

    def correct(
        self,
        x_t: Tensor,
        prediction: Tensor,
        t: Tensor,
        size: float,
        *,
        rows: Rows | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        rows = self.laid_out(x_t, rows)
        a, b = beside(at(self._a, t), x_t, rows), beside(at(self._b, t), x_t, rows)
        drift = a * self.start(x_t, prediction, t, rows=rows) - x_t  # the score times the variance
        return x_t + size * drift + math.sqrt(2 * size) * b * self.draw(x_t, rows, generator)

    def settings(self) -> dict[str, Any]:
        return {
            "process": "Gaussian",
            "steps": self.steps,
            "schedule": checksum(self.kept),
            "prediction": self.prediction,
            "centred": self.centred,
        }

    def check(self, x: Tensor, argument: str = "x") -> None:
        if not isinstance(x, Tensor) or not x.is_floating_point():
            raise ArgumentError(argument, "floating-point numbers", str(getattr(x, "dtype", type(x).__name__)))
        if self.action is not None:
            self.action.check(x, argument)

    def _within(self, x: Tensor, rows: Rows) -> Tensor:
        """What of ``x`` the process lives on."""
        if not self.centred:
            return rows.blank(x)
        if x.ndim != (3 if rows.segment is None else 2) or (rows.mask is not None and rows.mask.ndim != 2):
            raise ArgumentError(
                "x", "points [B, n, d] (with a mask [B, n]), or [N, d] in segments, to be centred", f"shape {tuple(x.shape)}"
            )
        return rows.centred(x)

    def _dimension(self, x: Tensor, rows: Rows) -> Float[Tensor, " B"]:
        """Of what the process lives on, for each datum."""
        count = rows.count(x)
        return (count - x.shape[-1]).clamp(min=0) if self.centred else count

    def __repr__(self) -> str:
        return f"Gaussian({self.action!r}, {self.steps} steps, prediction={self.prediction!r}{', centred' if self.centred else ''})"


def _check_centring(action: Action) -> None:
    """Raise ArgumentError unless the mean of points moves with them."""
    g, rng = trial_elements(action), seeded(None)
    (count,) = action.group.batch_shape(g)
    x = action.example(count, *(5,) * (action.data_ndim == 1), generator=rng, dtype=torch.float64)
    if x.ndim == 3:
        off = action.act(g, x - x.mean(1, keepdim=True)) - (moved := action.act(g, x)) + moved.mean(1, keepdim=True)
        if float(off.abs().max()) <= ISOMETRY * float(x.abs().max()) * x.shape[1]:
            return
    raise ArgumentError("action", "an action on points that moves their mean with them, for centred=True", repr(action))


def checksum(table: Tensor) -> str:
    """A schedule in a few characters, up to its last digits."""
    digits = " ".join(f"{v:.9e}" for v in table.tolist())
    return f"{zlib.crc32(digits.encode()):08x}"
