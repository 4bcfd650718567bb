"""`WrappedNormal`: normal noise on fractional coordinates, around the torus, with its exact score."""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.actions.periodic import into_cell
from erlangen.equivariance.error import seeded
from erlangen.errors import ArgumentError
from erlangen.generate.circle import distance_from_uniform, log_density, score, score_size, wrapped
from erlangen.generate.gaussian import checksum
from erlangen.generate.process import ISOMETRY, Process, at, beside, check_resolved, check_said, trial_elements
from erlangen.generate.rows import Rows, precise
from erlangen.generate.schedules import check_sigmas, geometric
from erlangen.groups.haar import normal, uniform

#: How many standard deviations a normal is taken to reach where its images are drawn: beyond lie less than 1e-18.
REACH = 9
#: Beyond this a wrapped normal differs from the uniform law by less than 1e-34, and its score is below what float32 can tell from 0.
WIDEST = 2.0


class WrappedNormal(Process):
    """``x_t = x_0 + sigma_t e`` modulo 1, ``e`` standard normal; the prior is uniform.

    A network predicts the score of ``q(x_t | x_0)`` divided by its root mean square at step ``t``, numbers of unit size; the loss is the
    squared error. The score is that of the wrapped law (:mod:`erlangen.generate.circle`), not of its nearest image.

    The noise is alike in all directions of the *fractional* coordinates. So it commutes with every shift of the torus, with integer
    translations and with rotations that permute and reverse the axes of the cell; with those of a hexagonal cell it does not, and
    such an action is refused.

    Args:
        action: an action on coordinates modulo 1; ``None`` for none to be named.
        schedule: standard deviations ``[T + 1]`` that grow from 0, in units of the cell; a number of steps stands for
            ``geometric(steps)``, 0.005 to 0.5.

    Raises:
        ArgumentError: the action does not keep the law of the noise; the schedule does not grow from 0, or grows beyond 2.

    Source: Jiao et al., "Crystal structure prediction by joint equivariant diffusion", NeurIPS 2023, arXiv:2309.04475.

    >>> from erlangen.groups import SpaceGroup
    >>> process = WrappedNormal(SpaceGroup(225).point, schedule=100)
    >>> x_t, target = process.noise(torch.rand(4, 8, 3), torch.tensor([1, 30, 60, 100]))
    >>> x_t.shape, bool((x_t >= 0).all() and (x_t < 1).all())
    (torch.Size([4, 8, 3]), True)
    """

    def __init__(self, action: Action | None = None, schedule: int | Float[Tensor, " T+1"] = 1000) -> None:
        if action is not None:
            _check_torus(action)
        self.action = action
        self.sigma = check_sigmas(geometric(schedule) if isinstance(schedule, int) else schedule)
        if float(self.sigma[-1]) > WIDEST:
            raise ArgumentError(
                "schedule",
                f"standard deviations up to {WIDEST} cells, where the law is uniform to the last digit",
                float(self.sigma[-1]),
            )
        self.steps = len(self.sigma) - 1
        self._variance = self.sigma.square()
        self.size = torch.cat([self.sigma.new_zeros(1), score_size(self.sigma[1:])])
        self._from_uniform = distance_from_uniform(float(self.sigma[-1]))

    # ---- noise ----

    def draw(self, like: Tensor, rows: Rows, generator: torch.Generator | None) -> Tensor:
        return rows.blank(normal(tuple(like.shape), generator, like.dtype, like.device))

    def noise(
        self, x0: Tensor, t: Tensor, *, rows: Rows | None = None, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        self.check(x0, "x0")
        rows, t = self.laid_out(x0, rows), self.times(t, 0)
        # In the cell first: far outside of it rounding is coarse.
        d = beside(at(self.sigma, t), x0, rows) * self.draw(x0, rows, generator)
        x_t = rows.blank(into_cell(into_cell(x0) + d))
        # At step 0 there is no noise, and no score of it.
        d = precise(d)
        sigma, size = (beside(at(table, t.clamp(min=1)), d, rows) for table in (self.sigma, self.size))
        return x_t, rows.blank(score(d, sigma) / size).to(x0.dtype)

    def prior(self, like: Tensor, *, rows: Rows | None = None, generator: torch.Generator | None = None) -> Tensor:
        self.check(like, "like")
        return self.laid_out(like, rows).blank(uniform(tuple(like.shape), generator, like.dtype, like.device))

    def score(self, prediction: Tensor, t: Tensor, *, rows: Rows | None = None) -> Tensor:
        """The score that a prediction stands for."""
        rows, t = self.laid_out(prediction, rows), self.times(t)
        return rows.blank(prediction * beside(at(self.size, t), prediction, rows))

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
        check_said(prediction, x_t)
        v_t, v_s = at(self._variance, t), at(self._variance, s)
        variance = eta**2 * v_s * (v_t - v_s) / v_t
        pull = v_t - ((v_s - variance).clamp(min=0) * v_t).sqrt()
        pull, scale = (beside(v, x_t, rows) for v in (pull, variance.sqrt()))
        x_s = x_t + pull * self.score(prediction, t, rows=rows)
        return rows.blank(into_cell(x_s if eta == 0 else x_s + scale * self.draw(x_t, rows, generator)))

    # ---- learning ----

    def loss(self, prediction: Tensor, target: Tensor, x_t: Tensor, t: Tensor, *, rows: Rows | None = None) -> Tensor:
        rows = self.laid_out(target, rows)
        check_said(prediction, target)
        return (rows.blank(prediction) - rows.blank(target)).square()

    def prior_nats(self, x0: Tensor, *, rows: Rows | None = None) -> Tensor:
        return self._from_uniform * self.laid_out(x0, rows).count(x0)

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
        """For ``s > 0`` an unbiased estimate from one ``x_s``: both laws are known, the integral of their ratio's logarithm is not."""
        rows = self.laid_out(x0, rows)
        self.stride(t, s, rows)
        check_said(prediction, x0)
        check_resolved(x0, float(self.sigma[1]), "x0")
        x0, x_t, prediction = into_cell(precise(x0)), into_cell(precise(x_t)), precise(prediction)
        x_s = self._between(x0, x_t, t, s, rows, generator)
        v_t, v_s, last = at(self._variance, t), at(self._variance, s), s == 0
        mean = x_t + beside(v_t - v_s, x0, rows) * self.score(prediction, t, rows=rows)
        # The last step has no spread of its own: a datum is then seen through the noise of x_t.
        spread = torch.where(last, v_t, v_s * (v_t - v_s) / v_t).sqrt()
        mine = rows.total(log_density(x_s - mean, beside(spread, x0, rows)))
        start = torch.zeros_like(s)
        true = self.log_law(x_s, x0, s.clamp(min=1), start, rows=rows) + self.log_law(x_t, x_s, t, s, rows=rows)
        true = true - self.log_law(x_t, x0, t, start, rows=rows)
        return torch.where(last, -mine, true - mine)

    def log_law(self, x_t: Tensor, x_s: Tensor, t: Tensor, s: Tensor, *, rows: Rows | None = None) -> Tensor:
        rows, x_t, x_s = self.laid_out(x_t, rows), into_cell(precise(x_t)), into_cell(precise(x_s))
        self.stride(t, s, rows)
        spread = (at(self._variance, t) - at(self._variance, s)).sqrt()
        return rows.total(log_density(x_t - x_s, beside(spread, x_t, rows)))

    def _between(self, x0: Tensor, x_t: Tensor, t: Tensor, s: Tensor, rows: Rows, generator: torch.Generator | None) -> Tensor:
        """``x_s`` given both ends: first how often the noise went around, then a normal on the line."""
        v_t, v_s = at(self._variance, t), at(self._variance, s)
        sigma, share, scale = (beside(v, x0, rows) for v in (v_t.sqrt(), v_s / v_t, (v_s * (v_t - v_s) / v_t).sqrt()))
        images = math.ceil(REACH * float(self.sigma[-1]) + 0.5)
        around = wrapped(x_t - x0).unsqueeze(-1) + torch.arange(-images, images + 1, device=x0.device)
        weights = (-0.5 * (around / sigma.unsqueeze(-1)).square()).softmax(-1).cumsum(-1)
        chosen = (weights < uniform(tuple(x0.shape), generator, x0.dtype, x0.device).unsqueeze(-1)).sum(-1, keepdim=True)
        way = around.gather(-1, chosen.clamp(max=2 * images)).squeeze(-1)
        return into_cell(x0 + share * way + scale * self.draw(x0, rows, generator))

    # ---- besides ----

    def steer(self, prediction: Tensor, gradient: Tensor, t: Tensor, *, rows: Rows | None = None) -> Tensor:
        rows, t = self.laid_out(prediction, rows), self.times(t)
        check_said(prediction, gradient)
        return prediction + gradient / beside(at(self.size, t), prediction, rows)

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
        check_said(prediction, x_t)
        sigma = beside(at(self.sigma, t), x_t, rows)
        drift = size * sigma.square() * self.score(prediction, t, rows=rows)
        return rows.blank(into_cell(x_t + drift + math.sqrt(2 * size) * sigma * self.draw(x_t, rows, generator)))

    def settings(self) -> dict[str, Any]:
        return {"process": "WrappedNormal", "steps": self.steps, "schedule": checksum(self.sigma)}

    def check(self, x: Tensor, argument: str = "x") -> None:
        if not isinstance(x, Tensor) or not x.is_floating_point():
            raise ArgumentError(argument, "floating-point coordinates", str(getattr(x, "dtype", type(x).__name__)))
        if self.action is not None:
            self.action.check(x, argument)

    def __repr__(self) -> str:
        return f"WrappedNormal({self.action!r}, {self.steps} steps)"


def _check_torus(action: Action) -> None:
    """Raise ArgumentError unless an action moves the torus by isometries of its fractional coordinates."""
    g = trial_elements(action)
    (count,) = action.group.batch_shape(g)
    rng = seeded(None)
    x = action.example(count, generator=rng, dtype=torch.float64)
    whole = wrapped(action.act(g, x + 1) - action.act(g, x)).abs().max()
    if float(whole) > ISOMETRY:
        raise ArgumentError("action", "an action on coordinates modulo 1", f"{action!r}, under which x and x + 1 go apart")
    step = 0.1 * (torch.rand(x.shape, generator=rng, dtype=torch.float64) - 0.5)
    moved = wrapped(action.act(g, into_cell(x + step)) - action.act(g, x))
    if float((moved.reshape(count, -1).norm(dim=1) - step.reshape(count, -1).norm(dim=1)).abs().max()) > ISOMETRY:
        hint = "Noise alike in all fractional directions is not so in space: in such a cell it has no such symmetry"
        raise ArgumentError("action", "rotations that permute and reverse the axes of the cell", repr(action), hint)
