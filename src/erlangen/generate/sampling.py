"""The way back: from noise, or from a datum that was made noisy, to data; whole or with known parts held."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.generate.bound import Predict, times
from erlangen.generate.gaussian import Gaussian
from erlangen.generate.together import Batch, Together

#: Data at steps ``t`` to the logarithm of how well each is liked, ``[B]``.
Guide = Callable[[Batch, Tensor], Tensor]
#: Whether a step of Langevin dynamics comes before each step back, or after it, at the time that it leads to (but not at 0).
Order = Literal["corrector-first", "predictor-first"]


@dataclass(frozen=True)
class Way:
    """How to go back.

    Attributes:
        steps: how many strides; all steps by default.
        start: the step to start from, at ``like`` with so much noise; by default the prior.
        fixed: name -> ``True``, or which entries (bool, the part's leading axes) of ``like`` are known and held.
        guide: a log-density whose gradient is added to the scores.
        eta: how much fresh noise continuous parts take.
        corrector: size of a Langevin step at every time; one number for all parts, or by name.
        order: before the step back, or after it.
    """

    steps: int | None = None
    start: int | None = None
    fixed: Mapping[str, Any] | None = None
    guide: Guide | None = None
    eta: float = 1.0
    corrector: float | Mapping[str, float] = 0.0
    order: Order = "corrector-first"


def sample(process: Together, predict: Predict, like: Batch, way: Way, generator: torch.Generator | None = None) -> Batch:
    """The record at step 0; see :meth:`erlangen.generate.Diffusion.sample`."""
    size, like = process.size(like), process.there(like)
    start = process.steps if way.start is None else way.start
    if not isinstance(start, int) or isinstance(start, bool) or not 1 <= start <= process.steps:
        raise ArgumentError("start", f"a step from 1 to {process.steps}", repr(way.start))
    if not 0 <= way.eta <= 1:
        raise ArgumentError("eta", "a number from 0 to 1", repr(way.eta))
    if way.order not in get_args(Order):
        raise ArgumentError("order", " or ".join(map(repr, get_args(Order))), repr(way.order))
    grid = times(start, start if way.steps is None else way.steps)
    fixed, corrector = _fixed(process, like, way.fixed or {}), _corrector(process, way.corrector)

    def now(step: int) -> Tensor:
        return torch.full((size,), step, dtype=torch.int64, device=next(like[name].device for name in process.parts))

    def held(x: Batch, step: int) -> Batch:
        """With what is known, as noisy as the rest; at step 0 to the last bit."""
        for name, known in fixed.items():
            rows = process.rows(x, size)[name]
            at = like[name] if step == 0 else process.parts[name].noise(like[name], now(step), rows=rows, generator=generator)[0]
            x = {**x, name: torch.where(known, at, x[name])}
        return x

    def said(x: Batch, t: Tensor) -> Batch:
        predictions = predict(x, t)
        return predictions if way.guide is None else _steered(process, way.guide, x, predictions, t)

    def corrected(x: Batch, step: int) -> Batch:
        t = now(step)
        predictions, rows = said(x, t), process.rows(x, size)
        x = dict(x)
        for name, each in corrector.items():
            x[name] = process.parts[name].correct(x[name], predictions[name], t, each, rows=rows[name], generator=generator)
        return held(x, step)

    x = process.prior(like, generator=generator) if way.start is None else process.noise(like, now(start), generator=generator)[0]
    x = held(x, start)
    for at, to in pairwise(grid):
        if corrector and way.order == "corrector-first":
            x = corrected(x, at)
        t = now(at)
        x = held(process.reverse(x, said(x, t), t, now(to), generator=generator, eta=way.eta), to)
        if corrector and way.order == "predictor-first" and to:
            x = corrected(x, to)
    return x


def _steered(process: Together, guide: Guide, x: Batch, predictions: Batch, t: Tensor) -> Batch:
    """Predictions with the gradient of a log-density added to the scores of the parts that have one."""
    with torch.inference_mode(False), torch.enable_grad():
        x, t = {name: _differentiable(part) for name, part in x.items()}, _differentiable(t)
        leaves = {name: x[name].detach().requires_grad_() for name in process.parts if x[name].is_floating_point()}
        liked = guide({**x, **leaves}, t)
        if not isinstance(liked, Tensor) or liked.shape != t.shape:
            got = tuple(liked.shape) if isinstance(liked, Tensor) else type(liked).__name__
            raise ArgumentError("guide", f"a function that gives one number for each datum, {tuple(t.shape)}", got)
        if not liked.requires_grad:
            raise ArgumentError(
                "guide", f"a function of real numbers among {', '.join(leaves) or 'parts (there are none)'}", "a constant"
            )
        gradients = torch.autograd.grad(liked.sum(), list(leaves.values()), allow_unused=True)
    steered, rows = dict(predictions), process.rows(x)
    for name, gradient in zip(leaves, gradients):
        if gradient is not None:
            steered[name] = process.parts[name].steer(predictions[name], gradient, t, rows=rows[name])
    return steered


def _differentiable(part: Tensor) -> Tensor:
    """The same numbers, where inference mode has made them unfit for gradients."""
    return part.clone() if part.is_inference() else part


def _fixed(process: Together, like: Batch, fixed: Mapping[str, Any]) -> Batch:
    """Which entries of each part are held, broadcast to them."""
    known = {}
    for name, which in fixed.items():
        if name not in process.parts:
            raise ArgumentError("fixed", f"names among {', '.join(process.parts)}", repr(name))
        part, chain = like[name], process.parts[name]
        chain.check(part, name)
        mask = torch.ones_like(part, dtype=torch.bool) if which is True else which
        if not isinstance(mask, Tensor) or mask.dtype != torch.bool or mask.shape != part.shape[: mask.ndim]:
            got = f"{mask.dtype} {tuple(mask.shape)}" if isinstance(mask, Tensor) else repr(which)
            raise ArgumentError("fixed", f"True, or bool with the leading axes of a part {tuple(part.shape)}, for {name!r}", got)
        if isinstance(chain, Gaussian) and chain.centred and not bool(mask.all()):
            raise ArgumentError(
                "fixed", f"all or nothing of the centred part {name!r}: a few points do not tell the centre", "some of it"
            )
        known[name] = mask.reshape(*mask.shape, *(1,) * (part.ndim - mask.ndim)).expand(part.shape)
    return known


def _corrector(process: Together, corrector: float | Mapping[str, float]) -> dict[str, float]:
    sizes = corrector if isinstance(corrector, Mapping) else dict.fromkeys(process.parts, corrector)
    if foreign := set(sizes) - set(process.parts):
        raise ArgumentError("corrector", f"names among {', '.join(process.parts)}", ", ".join(sorted(foreign)))
    if not all(0 <= size < math.inf for size in sizes.values()):
        raise ArgumentError("corrector", "finite sizes that are not negative", sizes)
    return {name: float(size) for name, size in sizes.items() if size}
