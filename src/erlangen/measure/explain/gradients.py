"""Attributions by gradients: saliency, input times gradient, integrated gradients. One backward pass serves a whole batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import optree
import torch
from torch import Tensor

from erlangen.errors import ArgumentError, UnsupportedError
from erlangen.measure.explain.explainers import Explainer, Needs
from erlangen.training.modes import evaluating


class Attributor(Explainer):
    """An attribution computed by calling a model: what the library's own methods share.

    Args:
        model: called with the data; returns ``[B]``, or ``[B, classes]``.
    """

    def __init__(self, model: Callable[..., Any]) -> None:
        self.model = model

    def explain(self, x: Any, target: Any) -> Any:
        parts, tree = optree.tree_flatten(x)
        real = [i for i, part in enumerate(parts) if isinstance(part, Tensor) and part.is_floating_point()]
        if not real:
            raise ArgumentError("x", "a part that holds real numbers", [str(getattr(p, "dtype", type(p))) for p in parts])

        def value(leaves: Sequence[Tensor], target: Any = target, copies: int = 1) -> Tensor:
            """What is explained, ``[B * copies]``, at data whose real parts are ``leaves``; the other parts are repeated.

            The model gets copies: what it does in place must not reach the next call.
            """
            every = [p.repeat_interleave(copies, 0) if isinstance(p, Tensor) else p for p in parts]
            for i, leaf in zip(real, leaves):
                every[i] = leaf.clone()
            outputs = self._call(optree.tree_unflatten(tree, every))
            count = len(leaves[0])
            if not isinstance(outputs, Tensor) or not outputs.ndim or len(outputs) != count:
                got = f"shape {tuple(outputs.shape)}" if isinstance(outputs, Tensor) else type(outputs).__name__
                raise ArgumentError("model", f"an output [{count}] or [{count}, classes], a row for each datum", got)
            return chosen(outputs, target)

        with evaluating(self.model):
            found = self.attribute_leaves(value, [parts[i] for i in real], target)
        if len(parts) == 1 and isinstance(x, Tensor):
            return found[0]
        back: list[Tensor | None] = [None] * len(parts)
        for i, leaf in zip(real, found):
            back[i] = leaf
        return optree.tree_unflatten(tree, back)

    def attribute_leaves(self, value: Callable[..., Tensor], leaves: list[Tensor], target: Any) -> list[Tensor]:
        """The attribution of each real part."""
        raise NotImplementedError

    def _call(self, x: Any) -> Tensor:
        return self.model(*x) if isinstance(x, tuple) else self.model(x)


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


def gradients(value: Callable[..., Tensor], leaves: Sequence[Tensor], **options: Any) -> list[Tensor]:
    """The gradient of each datum's explained number with respect to its own real parts; zeros for parts that it does not depend on.

    Raises:
        UnsupportedError: it does depend on a part that no gradient reaches.
    """
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


class Saliency(Attributor):
    """The gradient itself (with its sign; its size with ``absolute=True``).

    Raises (when called):
        UnsupportedError: the model's output depends on the data, but without a gradient; as for all explainers by gradients.

    Source: Simonyan, Vedaldi & Zisserman 2013, arXiv:1312.6034.

    >>> Saliency(lambda x: x.square().sum(1))(torch.tensor([[1.0, -2.0]]))
    tensor([[ 2., -4.]])
    """

    name = "Saliency"

    def __init__(self, model: Callable[..., Any], absolute: bool = False) -> None:
        super().__init__(model)
        self.absolute = absolute

    def needs(self, x: Any) -> Needs:
        return Needs("permutation" if self.absolute else "isometry")

    def attribute_leaves(self, value: Callable[..., Tensor], leaves: list[Tensor], target: Any) -> list[Tensor]:
        found = gradients(value, leaves)
        return [g.abs() for g in found] if self.absolute else found


class InputXGradient(Attributor):
    """The gradient times the input, entry by entry.

    Source: Shrikumar et al. 2016, arXiv:1605.01713.

    >>> InputXGradient(lambda x: x.square().sum(1))(torch.tensor([[1.0, -2.0]]))
    tensor([[2., 8.]])
    """

    name = "Input x Gradient"

    def needs(self, x: Any) -> Needs:
        return Needs("permutation")

    def attribute_leaves(self, value: Callable[..., Tensor], leaves: list[Tensor], target: Any) -> list[Tensor]:
        return [x * g for x, g in zip(leaves, gradients(value, leaves))]


class IntegratedGradients(Attributor):
    """The gradient, averaged from a baseline to the input, times the difference of the two, entry by entry.

    All points of all data go through the model together (at most ``rows`` at once). Gauss-Legendre quadrature with ``steps`` points is
    exact where the model is a polynomial of degree up to ``2 steps`` on the line.

    Args:
        model: as for :class:`Saliency`.
        baseline: a number, or a tensor of a datum's shape.
        steps: points on the line.
        rows: points in one batch.

    Source: Sundararajan, Taly & Yan, ICML 2017, arXiv:1703.01365.

    >>> IntegratedGradients(lambda x: (x * x.roll(1, -1)).sum(1))(torch.tensor([[1.0, 2.0, 3.0, -1.0, 0.5]]))
    tensor([[ 1.2500,  4.0000,  1.5000, -1.7500,  0.0000]])
    """

    name = "Integrated Gradients"

    def __init__(self, model: Callable[..., Any], baseline: float | Tensor = 0.0, steps: int = 50, rows: int = 256) -> None:
        super().__init__(model)
        if steps < 1:
            raise ArgumentError("steps", "a positive number of points", steps)
        self.baseline, self.steps, self.rows = baseline, steps, rows

    def needs(self, x: Any) -> Needs:
        return Needs("permutation", baseline=self.baseline)

    def attribute_leaves(self, value: Callable[..., Tensor], leaves: list[Tensor], target: Any) -> list[Tensor]:
        points, weights = np.polynomial.legendre.leggauss(self.steps)
        size = len(leaves[0])
        bases = [baseline_for(self.baseline, leaf) for leaf in leaves]
        totals = [torch.zeros_like(leaf) for leaf in leaves]
        step = max(1, self.rows // max(1, size))
        for start in range(0, self.steps, step):
            at, weight = (torch.from_numpy(v[start : start + step]).to(leaves[0]) for v in ((points + 1) / 2, weights / 2))
            k = len(at)
            line = [base + at.view(1, k, *(1,) * (x.ndim - 1)) * (x - base).unsqueeze(1) for x, base in zip(leaves, bases)]
            repeated = target.repeat_interleave(k, 0) if isinstance(target, Tensor) and target.ndim else target
            found = gradients(value, [points_.flatten(0, 1) for points_ in line], target=repeated, copies=k)
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
