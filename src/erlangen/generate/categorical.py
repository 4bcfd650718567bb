"""`Categorical`: noise on classes by steps that are the identity plus a rank one, in memory proportional to their number."""

from __future__ import annotations

from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.equivariance.error import seeded
from erlangen.errors import ArgumentError
from erlangen.generate.gaussian import checksum
from erlangen.generate.process import Process, at, trial_elements
from erlangen.generate.rows import Rows, precise
from erlangen.generate.schedules import check_kept, cosine


class Categorical(Process):
    """Each class is kept with the probability that the schedule leaves, and drawn from ``m`` otherwise: ``Q = a I + (1 - a) 1 m^T``.

    A part is int64, of any shape; a network gives logits ``[..., K]`` of the class at step 0. The step back is
    ``p(x_s | x_t) = sum_x0 q(x_s | x_t, x0) p(x0 | x_t)``, exactly and for any ``s < t``, without a ``K x K`` matrix: with
    ``den(x0) = a_t [x0 = x_t] + (1 - a_t) m(x_t)`` and ``r = p / den`` (0 where ``den`` is: such a start is impossible) it is
    proportional to ``(b [x_s = x_t] + (1 - b) m(x_t)) (a_s r(x_s) + (1 - a_s) m(x_s) sum r)``, ``b = a_t / a_s``. The last step ends
    at the datum itself, without noise left over. Draws are races of exponential clocks, which commute with renaming the classes.

    Args:
        classes: ``K``.
        transition: ``m``: ``"uniform"``; a class, which absorbs all others (the prior is then that class everywhere); or probabilities
            ``[K]``, those of the data for instance.
        schedule: what is left, ``[T + 1]`` from 1 downward; a number of steps stands for ``cosine(steps, power=1, largest=1)``, which
            ends at 0 exactly. Where something is left after the last step and a class has ``m = 0``, the bound on the likelihood of
            data with that class is minus infinity, and says so.
        cross_entropy, bound: weights of the two losses: minus the log-probability of the datum, and ``T`` times what the step from
            ``t`` to ``t - 1`` adds to the bound.
        action: an action on the labels (their places, or their names), whose law the noise must keep; ``None`` for none to be named.

    Raises:
        ArgumentError: fewer than two classes, no probabilities, weights that are negative or all 0, or an action that does not keep
            the law.

    Source: Austin et al., "Structured denoising diffusion models in discrete state-spaces", NeurIPS 2021, arXiv:2107.03006; Ekström
    Kelvinius et al., ICML 2025, arXiv:2502.06485, for sparse crystals.

    >>> process = Categorical(5, transition=0, schedule=10)
    >>> x_t, x_0 = process.noise(torch.tensor([[1, 2], [3, 4]]), torch.tensor([1, 10]))
    >>> x_t[1].tolist()
    [0, 0]
    """

    def __init__(
        self,
        classes: int,
        transition: Literal["uniform"] | int | Float[Tensor, " K"] = "uniform",
        schedule: int | Float[Tensor, " T+1"] = 1000,
        *,
        cross_entropy: float = 1.0,
        bound: float = 0.0,
        action: Action | None = None,
    ) -> None:
        if not isinstance(classes, int) or isinstance(classes, bool) or classes < 2:
            raise ArgumentError("classes", "a number of classes of at least 2", repr(classes))
        if min(cross_entropy, bound) < 0 or cross_entropy == bound == 0:
            raise ArgumentError(
                "cross_entropy", "weights of losses that are not negative, one of them positive", f"{cross_entropy}, {bound}"
            )
        self.classes, self.m = classes, _target(classes, transition)
        self.kept = check_kept(cosine(schedule, power=1.0, largest=1.0) if isinstance(schedule, int) else schedule)
        self.steps, self.cross_entropy, self.bound, self.action = len(self.kept) - 1, cross_entropy, bound, action
        if action is not None:
            self._check_action(action)

    # ---- noise ----

    def draw(self, like: Tensor, rows: Rows, generator: torch.Generator | None) -> Tensor:
        """Exponential clocks ``[..., K]``."""
        source = like.device if generator is None else generator.device
        dtype = torch.promote_types(torch.get_default_dtype(), torch.float32)  # in half precision rare classes are never drawn
        return (
            torch.rand((*like.shape, self.classes), generator=generator, device=source, dtype=dtype).log_().neg_().to(like.device)
        )

    def noise(
        self, x0: Tensor, t: Tensor, *, rows: Rows | None = None, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        self.check(x0, "x0")
        rows, t = self.laid_out(x0, rows), self.times(t, 0)
        clocks = self.draw(x0, rows, generator)
        kept = self._beside(at(self.kept, t), x0, clocks, rows)
        chances = ((1 - kept) * self.m.to(clocks)).expand(clocks.shape).scatter_add(-1, x0.unsqueeze(-1), kept.expand(*x0.shape, 1))
        return rows.blank(_race(chances, clocks)), x0

    def prior(self, like: Tensor, *, rows: Rows | None = None, generator: torch.Generator | None = None) -> Tensor:
        _check_kind(like, "like")
        rows = self.laid_out(like, rows)
        clocks = self.draw(like, rows, generator)
        return rows.blank(_race(self.m.to(clocks), clocks))

    def law(self, prediction: Tensor, x_t: Tensor, t: Tensor, s: Tensor, *, rows: Rows | None = None) -> Tensor:
        """``p(x_s | x_t)`` of logits, ``[..., K]``."""
        return _normalised(self._step(_probabilities(prediction), x_t, t, s, self.laid_out(x_t, rows)))

    def posterior(
        self, x0: Tensor, x_t: Tensor, t: Tensor, s: Tensor, *, rows: Rows | None = None, dtype: torch.dtype | None = None
    ) -> Tensor:
        """``q(x_s | x_t, x_0)``, ``[..., K]``; where the two ends exclude each other, all on ``x_t``."""
        start = torch.nn.functional.one_hot(x0, self.classes).to(dtype or torch.get_default_dtype())
        return _normalised(self._step(start, x_t, t, s, self.laid_out(x_t, rows)))

    def evidence(self, x_t: Tensor, t: Tensor, *, rows: Rows | None = None, dtype: torch.dtype | None = None) -> Tensor:
        """``log q(x_t | x_0)`` for each class ``x_0``, ``[..., K]``: minus infinity where the start is impossible.

        The logits of an entry at step 0 given all that is seen are, by Bayes' rule, those given all but its own ``x_t``, and this.

        >>> Categorical(3, transition=0, schedule=10).evidence(torch.tensor([[0, 2]]), torch.tensor([5])).exp()
        tensor([[[1.0000, 0.2973, 0.2973],
                 [0.0000, 0.0000, 0.7027]]])
        """
        rows, t = self.laid_out(x_t, rows), self.times(t, 0)
        like = torch.empty(0, dtype=dtype or torch.get_default_dtype())
        kept = rows.spread(at(self.kept, t), x_t).unsqueeze(-1)
        fresh = (1 - kept) * self.m.to(x_t.device)[x_t].unsqueeze(-1)
        # Logarithms in float64, of as many numbers as there are entries; what has K for each is only filled.
        elsewhere, here = fresh.log().to(like.dtype), (fresh + kept).log().to(like.dtype)
        return elsewhere.expand(*x_t.shape, self.classes).scatter(-1, x_t.unsqueeze(-1), here)

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
        clocks, start = self.draw(x_t, rows, generator), _probabilities(prediction)
        if bool(rows.blank(start[..., 0]).isnan().any()):  # one NaN makes all of an entry NaN, which no class could tell
            raise ArgumentError(
                "prediction", "logits that are numbers, not all of them minus infinity", "NaN among their probabilities"
            )
        return rows.blank(_race(self._step(start, x_t, t, s, rows), clocks))

    # ---- learning ----

    def loss(self, prediction: Tensor, target: Tensor, x_t: Tensor, t: Tensor, *, rows: Rows | None = None) -> Tensor:
        rows = self.laid_out(target, rows)
        self._check_logits(prediction, target)
        prediction = rows.blank(precise(prediction))
        total = torch.zeros_like(prediction[..., 0])
        if self.cross_entropy:
            said = prediction.gather(-1, target.unsqueeze(-1)).squeeze(-1)
            total = total + self.cross_entropy * (prediction.logsumexp(-1) - said)  # log_softmax takes twice as long
        if self.bound:
            total = total + self.bound * self.steps * self._divergence(target, x_t, prediction, t, t - 1, rows)
        return rows.blank(total)

    def prior_nats(self, x0: Tensor, *, rows: Rows | None = None) -> Tensor:
        kept, m = self.kept[-1], self.m
        there = kept * torch.eye(self.classes, dtype=torch.float64) + (1 - kept) * m
        each = torch.where(there > 0, there * (there.log() - m.log()), 0.0).sum(-1)
        return self.laid_out(x0, rows).total(each.to(x0.device)[x0])

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
        return rows.total(self._divergence(x0, x_t, prediction, t, s, rows))

    def log_law(self, x_t: Tensor, x_s: Tensor, t: Tensor, s: Tensor, *, rows: Rows | None = None) -> Tensor:
        rows = self.laid_out(x_t, rows)
        self.stride(t, s, rows)
        kept = rows.spread(at(self.kept, t) / at(self.kept, s), x_t)
        return rows.total((kept * (x_t == x_s) + (1 - kept) * self.m.to(x_t.device)[x_t]).log())

    # ---- besides ----

    def settings(self) -> dict[str, Any]:
        return {
            "process": "Categorical",
            "steps": self.steps,
            "schedule": checksum(self.kept),
            "classes": self.classes,
            "transition": checksum(self.m),
        }

    def check(self, x: Tensor, argument: str = "x") -> None:
        _check_kind(x, argument)
        if x.device.type == "cpu" and x.numel() and not 0 <= int(x.min()) <= int(x.max()) < self.classes:
            raise ArgumentError(argument, f"classes from 0 to {self.classes - 1}", f"{int(x.min())} to {int(x.max())}")

    def _step(self, start: Tensor, x_t: Tensor, t: Tensor, s: Tensor, rows: Rows) -> Tensor:
        """``sum_x0 q(x_s | x_t, x0) start(x0)`` up to a factor, of probabilities ``start``.

        With ``c = (1 - a_t) m(x_t)``, ``c r(x)`` is ``p(x)`` but at ``x = x_t``, where it is ``p c / (c + a_t)``. So the law is, up to
        a factor, ``a_s p(x) + (1 - a_s) m(x) S`` with ``S`` the sum of ``c r``, and only the entry at ``x_t`` needs a computation of
        its own. Where ``m(x_t) = 0`` nothing else leads to ``x_t``.
        """
        self._check_logits(start, x_t)
        self.stride(t, s, rows)
        kept_t, kept_s = at(self.kept, t), at(self.kept, s)
        ratio = kept_t / kept_s
        kept, lost, there, rest, fresh, old = (
            self._beside(v, x_t, start, rows) for v in (kept_t, 1 - kept_t, kept_s, 1 - kept_s, 1 - ratio, ratio)
        )
        m, here = self.m.to(start), x_t.unsqueeze(-1)
        m_t, p_t = m[x_t].unsqueeze(-1), start.gather(-1, here)
        reached = m_t > 0
        c = torch.where(reached, lost * m_t, 1.0)
        r_t = p_t * c / (c + kept)
        total = 1 - p_t + r_t
        stay = (old / (fresh * torch.where(reached, m_t, 1.0)) + 1) * (there * r_t + rest * m_t * total)
        law = there * start + (rest * total) * m
        law = torch.where(reached, law, 0.0) if not bool((self.m > 0).all()) else law
        return law.scatter(-1, here, torch.where(reached, stay, 1.0))

    def _divergence(self, x0: Tensor, x_t: Tensor, prediction: Tensor, t: Tensor, s: Tensor, rows: Rows) -> Tensor:
        """Of the true step from the predicted one, for each entry; at ``s = 0`` minus the log-probability of the datum."""
        true = self.posterior(x0, x_t, t, s, rows=rows, dtype=precise(prediction).dtype)
        mine = self.law(prediction, x_t, t, s, rows=rows)
        there = true > 0
        # Logarithms of zeros that do not count would make gradients NaN.
        logs = torch.where(there, true, 1.0).log() - torch.where(there, mine, 1.0).log()
        return rows.blank((true * logs).sum(-1))

    @staticmethod
    def _beside(values: Tensor, x: Tensor, like: Tensor, rows: Rows) -> Tensor:
        """A number of each datum beside the classes of each entry of ``x``, in the dtype of ``like``."""
        return rows.spread(values.to(like.dtype), x).unsqueeze(-1)

    def _check_logits(self, logits: Tensor, x: Tensor) -> None:
        if logits.shape != (*x.shape, self.classes):
            raise ArgumentError("prediction", f"logits {(*x.shape, self.classes)}", f"shape {tuple(logits.shape)}")

    def _check_action(self, action: Action) -> None:
        g, rng = trial_elements(action), seeded(None)
        (count,) = action.group.batch_shape(g)
        shape = (count, *(4 if n is None else n for n in action.data_shape))
        x_t, x_0 = (torch.randint(self.classes, shape, generator=rng) for _ in range(2))
        t, s = torch.full((count,), (self.steps + 1) // 2), torch.zeros(count, dtype=torch.int64)
        moved = [action.act(g, x) for x in (x_t, x_0)]
        for x in moved:
            self.check(x, "action")
        before, after = self.log_law(x_t, x_0, t, s), self.log_law(moved[0], moved[1], t, s)
        if not torch.allclose(before, after, rtol=1e-9, atol=1e-9):
            raise ArgumentError("action", "an action that keeps the law of the noise", f"{action!r}, which changes probabilities")

    def __repr__(self) -> str:
        return f"Categorical({self.classes}, {self.steps} steps)"


def _probabilities(logits: Tensor) -> Tensor:
    """The softmax, which torch computes several times as slowly where there are few classes."""
    logits = precise(logits)
    weights = (logits - logits.amax(-1, keepdim=True)).exp()
    return weights / weights.sum(-1, keepdim=True)


def _check_kind(x: Tensor, argument: str) -> None:
    if not isinstance(x, Tensor) or x.dtype != torch.int64:
        raise ArgumentError(argument, "classes, int64", str(getattr(x, "dtype", type(x).__name__)))


def _normalised(law: Tensor) -> Tensor:
    return law / law.sum(-1, keepdim=True)


def _race(chances: Tensor, clocks: Tensor) -> Tensor:
    """A class drawn in proportion to ``chances``: the one whose clock, so fast, rings first."""
    return (chances / clocks).max(-1).indices


def _target(classes: int, transition: Literal["uniform"] | int | Tensor) -> Tensor:
    expected = f"'uniform', a class from 0 to {classes - 1}, or probabilities [{classes}]"
    if isinstance(transition, Tensor):
        m = transition.detach().cpu().double()
        if m.shape != (classes,) or not bool(m.isfinite().all()) or float(m.min()) < 0 or abs(float(m.sum()) - 1) > 1e-5:
            raise ArgumentError("transition", expected, f"a tensor {tuple(m.shape)} of sum {float(m.sum()):.6g}")
        return m / m.sum()
    if transition == "uniform":
        return torch.full((classes,), 1 / classes, dtype=torch.float64)
    if isinstance(transition, int) and not isinstance(transition, bool) and 0 <= transition < classes:
        return torch.eye(classes, dtype=torch.float64)[transition]
    raise ArgumentError("transition", expected, repr(transition))
