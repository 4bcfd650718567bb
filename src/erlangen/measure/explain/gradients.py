"""Attributions by gradients: saliency, input times gradient, integrated gradients. One backward pass serves a whole batch."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optree
import torch
from jaxtyping import Float, Int
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.actions.records import Record, as_action
from erlangen.equivariance.compared import numbers
from erlangen.errors import ArgumentError, UnsupportedError
from erlangen.measure.explain.explainers import Explainer, Needs
from erlangen.training.modes import evaluating


@dataclass(frozen=True, eq=False)
class Explained:
    """The explained number of each datum, as a function of the data's real parts.

    Attributes:
        call: the model, of data.
        parts: of the data.
        real: which are real numbers, and explained.
        own: which are there for each datum.
        joined: data of parts.
        target: the classes.
    """

    call: Callable[[Any], Any]
    parts: list[Any]
    real: list[int]
    own: list[int]
    joined: Callable[[list[Any]], Any]
    target: Any

    @property
    def is_repeatable(self) -> bool:
        """Whether all parts have a row for each datum, which copies of the data take along."""
        return len({self.parts[i].shape[:1] for i in self.own}) == 1

    def __call__(self, leaves: Sequence[Tensor], rows: Int[Tensor, " n"] | None = None) -> Float[Tensor, " n"]:
        """At data whose real parts are ``leaves``; their other parts are those of the data ``rows``, by default all, once.

        The model gets copies: what it does in place must not reach the next call.
        """
        if len({self.parts[i].shape[:1] for i in self.real}) > 1 or (rows is not None and not self.is_repeatable):
            raise ArgumentError(
                "x",
                "parts of one length, a row for each datum",
                ", ".join(str(tuple(self.parts[i].shape)) for i in self.own),
                "state with inp= which parts the batch shares: they have None there",
            )
        every = [p if rows is None or i not in self.own else p[rows.to(p.device)] for i, p in enumerate(self.parts)]
        for i, leaf in zip(self.real, leaves):
            every[i] = leaf.clone()
        outputs = numbers(self.call(self.joined(every)))
        count = len(leaves[0])
        if not isinstance(outputs, Tensor) or not outputs.ndim or len(outputs) != count:
            got = f"shape {tuple(outputs.shape)}" if isinstance(outputs, Tensor) else type(outputs).__name__
            raise ArgumentError("model", f"an output [{count}] or [{count}, classes], a row for each datum", got)
        if not outputs.is_floating_point():
            hint = "explain scores (logits, probabilities), whose differences mean something"
            raise ArgumentError("model", "an output of real numbers", str(outputs.dtype), hint)
        target = self.target
        if isinstance(target, Tensor) and target.ndim and rows is not None:
            target = target[rows.to(target.device)]
        return chosen(outputs, target)


class Attributor(Explainer):
    """An attribution computed by calling a model: what the library's own methods share.

    Args:
        model: called with the data; returns ``[B]``, or ``[B, classes]``.
        inp: how a group acts on the data, needed of records with parts that the whole batch shares: those have ``None`` there. They are
            held fixed, go into the model as they are, and their attribution is ``None``. Without ``inp`` every part is taken to be there
            for each datum. Scores, averages and audits of explanations tell their explainers by themselves.
    """

    def __init__(self, model: Callable[..., Any], inp: Any = None) -> None:
        self.model, self.inp, self._looks = model, None if inp is None else as_action(inp, "inp"), True

    def bound(self, inp: Action) -> Explainer:
        if self.inp is not None:
            return self
        known = copy.copy(self)
        known.inp = inp
        return known

    def again(self) -> Explainer:
        known = copy.copy(self)
        known._looks = False
        return known

    def explain(self, x: Any, target: Any) -> Any:
        parts, shared, joined = _parts(self.inp, x)
        real = [i for i, part in enumerate(parts) if isinstance(part, Tensor) and part.is_floating_point() and not shared[i]]
        if not real:
            raise ArgumentError("x", "a tensor that holds real numbers", [str(getattr(p, "dtype", type(p))) for p in parts])
        own = [i for i, part in enumerate(parts) if isinstance(part, Tensor) and not shared[i]]
        value = Explained(self._call, parts, real, own, joined, target)
        with evaluating(self.model):
            found = self.attribute_leaves(value, [parts[i] for i in real])
        if isinstance(x, Tensor):
            return found[0]
        back: list[Tensor | None] = [None] * len(parts)
        for i, leaf in zip(real, found):
            back[i] = leaf
        return joined(back)

    def attribute_leaves(self, value: Explained, leaves: list[Tensor]) -> list[Tensor]:
        """The attribution of each real part."""
        raise NotImplementedError

    def _call(self, x: Any) -> Tensor:
        return self.model(*x) if isinstance(x, tuple) else self.model(x)


def _parts(inp: Action | None, x: Any) -> tuple[list[Any], list[bool], Callable[[list[Any]], Any]]:
    """The parts of the data, which of them the batch shares, and how they are put together again."""
    if inp is None or not isinstance(inp, Record):
        parts, tree = optree.tree_flatten(x)
        return parts, [False] * len(parts), lambda every: optree.tree_unflatten(tree, every)
    from erlangen.actions.ragged import segment_of

    if segment_of(inp, x) is not None:
        raise UnsupportedError("attributions are for each datum, which a ragged batch does not allow; pad it")
    return inp.flatten(x), [action is None for action in inp.leaves], inp.unflatten


def chosen(outputs: Tensor, target: Any) -> Tensor:
    """The explained number of each datum, ``[B]``: the output of its class, or the sum of all outputs.

    Raises:
        ArgumentError: there are no such classes.

    >>> chosen(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([1, 0]))
    tensor([2., 3.])
    """
    if outputs.ndim == 1:
        return outputs
    flat = outputs.flatten(1)
    if target is None:
        return flat.sum(1)
    index = torch.as_tensor(target, device=flat.device)
    if index.is_floating_point() or index.ndim > 1 or (index.ndim == 1 and len(index) != len(flat)):
        raise ArgumentError("target", f"a class, or classes [{len(flat)}]", f"{index.dtype} of shape {tuple(index.shape)}")
    if len(index.reshape(-1)) and not 0 <= int(index.min()) <= int(index.max()) < flat.shape[1]:
        raise ArgumentError("target", f"classes from 0 to {flat.shape[1] - 1}", f"{int(index.min())} to {int(index.max())}")
    return flat.gather(1, index.expand(len(flat)).unsqueeze(1)).squeeze(1)


def gradients(value: Callable[..., Tensor], leaves: Sequence[Tensor], rows: Int[Tensor, " n"] | None = None) -> list[Tensor]:
    """The gradient of each datum's explained number with respect to its own real parts; zeros for parts that it does not depend on.

    Args:
        value: from real parts, and the data ``rows`` that they belong to (by default all, once), to the explained numbers.
        leaves: the real parts.
        rows: of ``leaves``.

    Raises:
        UnsupportedError: it does depend on a part that no gradient reaches.
    """
    options: dict[str, Any] = {} if rows is None else {"rows": rows}
    with torch.inference_mode(False), torch.enable_grad():
        wanted = [leaf.detach().clone().requires_grad_() for leaf in leaves]
        total = value(wanted, **options).sum()
        found = torch.autograd.grad(total, wanted, allow_unused=True) if total.requires_grad else [None] * len(wanted)
    for i, g in enumerate(found):
        if g is None and _depends(value, leaves, i, options):
            raise UnsupportedError(
                "the model's output depends on x, but no gradient of it reaches x: it runs under torch.no_grad, detaches, or computes "
                "outside of torch; explanations without gradients are FeatureAblation and Occlusion"
            )
    return [torch.zeros_like(w) if g is None else g for w, g in zip(wanted, found)]


def _depends(value: Callable[..., Tensor], leaves: Sequence[Tensor], which: int, options: dict[str, Any]) -> bool:
    """Whether what is explained changes with one part of the data."""
    x = leaves[which].detach()
    size = float(x.abs().max()) if x.numel() else 0.0
    waves = torch.cos(torch.arange(x.numel(), dtype=torch.float64)).view(x.shape).to(x)
    with torch.no_grad():
        here = value([leaf.detach() for leaf in leaves], **options)
        there = value([x + (size or 1.0) * waves if i == which else leaf.detach() for i, leaf in enumerate(leaves)], **options)
    return not torch.equal(here, there)


#: Gradients are compared with differences on so many data (or directions), over such a step, in units of the data's spread, and a part.
TRIES, STEP, PART = 6, 5e-3, 0.37


def warn_partial(value: Callable[..., Tensor], leaves: Sequence[Tensor]) -> None:
    """Warn where the explained number changes by something else than its gradient says, because a part of it has none.

    Looked at are differences along random directions that are alike to both sides and over a part of the step; kinks, jumps and noise make
    them unlike, and say nothing. It costs one call with thirty rows.

    Args:
        value: from real parts, and the data ``rows`` that they belong to, to the explained numbers.
        leaves: the real parts of all data.
    """
    size = len(leaves[0])
    if not size or any(torch.finfo(leaf.dtype).eps > 1e-6 or not leaf[0].numel() for leaf in leaves):
        return
    rng, rows, points, steps = torch.Generator().manual_seed(0), torch.arange(TRIES) % size, [], []
    with torch.inference_mode(False), torch.enable_grad():
        for leaf in leaves:
            most, spread = float(leaf.detach().abs().max()), float(leaf.detach().std(correction=0))
            spread = spread if spread > torch.finfo(leaf.dtype).eps ** 0.5 * most else most or 1.0
            here = leaf.detach()[rows.to(leaf.device)]
            step = STEP * spread * torch.randn(here.shape, generator=rng, dtype=torch.float64).to(here)
            steps.append((here + step) - (here - step))
            points.append(torch.cat([here + part * step for part in (0.0, 1.0, -1.0, PART, -PART)]).requires_grad_())
        try:
            values = value(points, rows=rows.repeat(5)).reshape(5, TRIES, -1).sum(-1)
        except Exception:  # a model that takes batches of one size only is not looked at
            return
        if not values.requires_grad:
            return
        found = torch.autograd.grad(values[0].sum(), points, allow_unused=True)
    pairs = [(step * g[:TRIES]).flatten(1).sum(1).double() for step, g in zip(steps, found) if g is not None]
    said = torch.stack([t.cpu() for t in pairs]).sum(0) if pairs else torch.zeros(TRIES, dtype=torch.float64)
    here, right, left, less_right, less_left = values.detach().double().cpu()
    done, less, scale = right - left, less_right - less_left, (right - left).abs().maximum(said.abs())
    rounding = 512 * torch.finfo(values.dtype).eps * values.detach().double().abs().amax(0).cpu()
    clear = (
        ((right + left - 2 * here).abs() <= 0.05 * scale) & ((less / PART - done).abs() <= 0.01 * scale) & (done.abs() > rounding)
    )
    wrong = clear & ((done - said).abs() > 0.05 * scale)
    if int(clear.sum()) >= TRIES // 2 and 2 * int(wrong.sum()) > int(clear.sum()):
        worst = float(((done - said).abs() / scale)[wrong].max())
        warnings.warn(
            f"the gradient of the model is not what its output does, by up to {worst:.0%} of differences along random directions: a part "
            "of the model detaches, runs under torch.no_grad or computes outside of torch, and explanations by gradients leave it out; "
            "FeatureAblation and Occlusion do not",
            stacklevel=5,
        )


def _checked(value: Explained, leaves: list[Tensor], looks: bool) -> list[Tensor]:
    """Gradients, with a warning where a part of them is missing and one looks for it."""
    found = gradients(value, leaves)
    if looks and value.is_repeatable:
        warn_partial(value, leaves)
    return found


class _AtData(Attributor):
    """An attribution from the gradient at the data themselves, for which the model is called with just these."""

    def with_outputs(self, x: Any, target: Any, generator: torch.Generator | None = None) -> tuple[Any, Any]:
        outputs: list[Any] = []

        def model(*args: Any) -> Any:
            outputs.append(self.model(*args))
            return outputs[-1]

        known = copy.copy(self)
        known.model = model
        found = known(x, target, generator)
        return found, outputs[0]


class Saliency(_AtData):
    """The gradient itself (with its sign; its size with ``absolute=True``).

    Raises (when called):
        UnsupportedError: the model's output depends on the data, but without a gradient; as for all explainers by gradients.

    Warns (when called):
        UserWarning: the gradient is not what the output does, for a part of the model has none; as for all explainers by gradients. It is
            compared with differences of the output on six data, at the cost of one more call of thirty rows; what amounts to less than a
            twentieth, and what happens at kinks only, is not noticed.

    Source: Simonyan, Vedaldi & Zisserman 2013, arXiv:1312.6034.

    >>> Saliency(lambda x: x.square().sum(1))(torch.tensor([[1.0, -2.0]]))
    tensor([[ 2., -4.]])
    """

    name = "Saliency"

    def __init__(self, model: Callable[..., Any], absolute: bool = False, *, inp: Any = None) -> None:
        super().__init__(model, inp)
        self.absolute = absolute

    def needs(self, x: Any) -> Needs:
        return Needs("permutation" if self.absolute else "isometry")

    def attribute_leaves(self, value: Explained, leaves: list[Tensor]) -> list[Tensor]:
        found = _checked(value, leaves, self._looks)
        return [g.abs() for g in found] if self.absolute else found


class InputXGradient(_AtData):
    """The gradient times the input, entry by entry.

    Source: Shrikumar et al. 2016, arXiv:1605.01713.

    >>> InputXGradient(lambda x: x.square().sum(1))(torch.tensor([[1.0, -2.0]]))
    tensor([[2., 8.]])
    """

    name = "Input x Gradient"

    def needs(self, x: Any) -> Needs:
        return Needs("permutation")

    def attribute_leaves(self, value: Explained, leaves: list[Tensor]) -> list[Tensor]:
        return [x * g for x, g in zip(leaves, _checked(value, leaves, self._looks))]


class IntegratedGradients(Attributor):
    """The gradient, averaged from a baseline to the input, times the difference of the two, entry by entry.

    All points of all data go through the model together (at most ``rows`` at once). Gauss-Legendre quadrature with ``steps`` points is
    exact where the model is a polynomial of degree up to ``2 steps`` on the line.

    Args:
        model, inp: as for :class:`Attributor`.
        baseline: a number, or a tensor of a datum's shape.
        steps: points on the line.
        rows: points in one batch.

    Source: Sundararajan, Taly & Yan, ICML 2017, arXiv:1703.01365.

    >>> IntegratedGradients(lambda x: (x * x.roll(1, -1)).sum(1))(torch.tensor([[1.0, 2.0, 3.0, -1.0, 0.5]]))
    tensor([[ 1.2500,  4.0000,  1.5000, -1.7500,  0.0000]])
    """

    name = "Integrated Gradients"

    def __init__(
        self, model: Callable[..., Any], baseline: float | Tensor = 0.0, steps: int = 50, rows: int = 128, *, inp: Any = None
    ) -> None:
        super().__init__(model, inp)
        if steps < 1:
            raise ArgumentError("steps", "a positive number of points", repr(steps))
        self.baseline, self.steps, self.rows = baseline, steps, rows

    def needs(self, x: Any) -> Needs:
        return Needs("permutation", baseline=self.baseline)

    def attribute_leaves(self, value: Explained, leaves: list[Tensor]) -> list[Tensor]:
        points, weights = np.polynomial.legendre.leggauss(self.steps)
        size = len(leaves[0])
        bases = [baseline_for(self.baseline, leaf) for leaf in leaves]
        totals = [torch.zeros_like(leaf) for leaf in leaves]
        step = max(1, self.rows // max(1, size))
        for start in range(0, self.steps, step):
            at, weight = (torch.from_numpy(v[start : start + step]).to(leaves[0]) for v in ((points + 1) / 2, weights / 2))
            k = len(at)
            line = [base + at.view(1, k, *(1,) * (x.ndim - 1)) * (x - base).unsqueeze(1) for x, base in zip(leaves, bases)]
            rows = torch.arange(size).repeat_interleave(k)
            found = gradients(value, [points_.flatten(0, 1) for points_ in line], rows)
            if start == 0 and self._looks:
                warn_partial(value, leaves)
            for total, g in zip(totals, found):
                total += torch.einsum("bk...,k->b...", g.unflatten(0, (size, k)), weight)
        return [(x - base) * total for x, base, total in zip(leaves, bases, totals)]


def baseline_for(baseline: float | Tensor, leaf: Tensor) -> Tensor:
    """A baseline in the dtype of the data, broadcast against ``[B, ...]``.

    Raises:
        ArgumentError: it does not have the shape of one datum.
    """
    base = torch.as_tensor(baseline, dtype=leaf.dtype, device=leaf.device)
    if base.ndim and tuple(base.shape) != tuple(leaf.shape[1:]):
        raise ArgumentError("baseline", f"a number, or a tensor of a datum's shape {tuple(leaf.shape[1:])}", tuple(base.shape))
    return base
