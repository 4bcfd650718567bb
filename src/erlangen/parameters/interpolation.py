"""Networks between networks: the line from one to another, the mean of several, and the barrier of the loss on the way."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any, TypeAlias, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.utils import parametrize

from erlangen.errors import ArgumentError
from erlangen.training.modes import evaluating

#: A network, or its tensors by name.
Weights: TypeAlias = nn.Module | Mapping[str, Tensor]
Given = TypeVar("Given", nn.Module, dict[str, Tensor])


def interpolate(a: Given, b: Given, ts: Sequence[float] | Tensor) -> list[Given]:
    """The networks ``(1 - t) a + t b`` for each ``t``.

    Floating-point parameters and buffers are mixed; counters and other integers are those of ``a``. Running statistics of batch norm are
    mixed, too, which is not what they would be on data: see :func:`barrier` and :func:`reestimate`. So are the singular vectors that
    ``spectral_norm`` keeps, with a warning.

    Args:
        a, b: two modules of one architecture, or their ``state_dict``s.
        ts: points of the line; 0 is ``a``, 1 is ``b``, others extrapolate.

    Returns:
        modules (copies of ``a``), or dicts.

    Raises:
        ArgumentError: points that are no finite numbers, modules of other classes, tensors that differ in name, shape or kind of number,
            or fixed parts that differ: masks and entries of asymmetric networks, and whatever has a name with ``fixed_`` in front.

    >>> a, b = nn.Linear(2, 1), nn.Linear(2, 1)
    >>> _, half = interpolate(a, b, [0.0, 0.5])
    >>> bool(torch.allclose(half.weight, (a.weight + b.weight) / 2))
    True
    """
    points = [] if isinstance(ts, (float, int)) else list(map(float, ts))
    if not all(map(math.isfinite, points)) or isinstance(ts, (float, int)):
        raise ArgumentError("ts", "a list of finite numbers", repr(ts))
    return [_mixed([a, b], [1 - t, t]) for t in points]


def average(members: Sequence[Given]) -> Given:
    """The network whose weights are the mean of those of several.

    Args:
        members: modules of one architecture, or their ``state_dict``s; integers are those of the first.

    Raises:
        ArgumentError: none, or as for :func:`interpolate`.

    >>> average([{"w": torch.tensor([1.0])}, {"w": torch.tensor([4.0])}, {"w": torch.tensor([4.0])}])
    {'w': tensor([3.])}
    """
    members = list(members)
    if not members:
        raise ArgumentError("members", "at least one network", "none")
    return _mixed(members, [1 / len(members)] * len(members))


@dataclass(frozen=True)
class Barrier:
    """The loss along a line of networks; ``float(...)`` is its height.

    Attributes:
        ts: points of the line, from 0 to 1.
        losses: the loss at each.
        height: the most by which a loss is above the straight line between those at the ends, which is 0 at the ends.
        at: where that is.
    """

    ts: tuple[float, ...]
    losses: tuple[float, ...]
    height: float
    at: float

    def __float__(self) -> float:
        return self.height


def barrier(
    a: nn.Module,
    b: nn.Module,
    loss: Callable[[nn.Module], float | Tensor],
    ts: int | Sequence[float] = 25,
    inputs: Tensor | Iterable[Tensor] | None = None,
) -> Barrier:
    """``max_t loss(t) - ((1 - t) loss(0) + t loss(1))`` over the networks between ``a`` and ``b``.

    Args:
        a, b: two modules of one architecture; left as they are.
        loss: of a network in evaluation mode, a number; called without gradients.
        ts: how many points, or the points, of which 0 and 1 are the first and the last.
        inputs: training inputs, or batches of them, on which the statistics of batch norm are taken anew at every point, the ends
            included (:func:`reestimate`). Without them a network with batch norm is warned about: its barrier is that of stale statistics.

    Raises:
        ArgumentError: a point outside of 0 to 1 or fewer than two, a loss that is no finite number at an end, or as for
            :func:`interpolate`.

    Source: J. Frankle, G. Dziugaite, D. Roy, M. Carbin, ICML 2020, arXiv:1912.05671; statistics taken anew: K. Jordan, H. Sedghi,
    O. Saukh, R. Entezari, B. Neyshabur, "REPAIR", ICLR 2023, arXiv:2211.08403.

    >>> net = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
    >>> float(barrier(net, net, lambda model: model(torch.ones(3, 2)).square().mean()))
    0.0
    """
    if isinstance(ts, Integral):
        count = int(ts)
        points = [i / (count - 1) for i in range(count)] if count > 1 else []
    else:
        points = [] if isinstance(ts, (int, float)) else list(map(float, ts))
    if len(points) < 2 or points[0] != 0 or points[-1] != 1 or not all(0 <= t <= 1 for t in points):
        raise ArgumentError("ts", "at least two points, or points from 0 to 1, both ends among them", repr(ts))
    batches = None if inputs is None else [inputs] if isinstance(inputs, Tensor) else list(inputs)
    if batches is None and any(_counts(m) for m in a.modules()):
        warnings.warn(
            "a network with running statistics (batch norm): give inputs, or the barrier is that of stale statistics", stacklevel=2
        )
    losses = []
    for t in points:
        model = _mixed([a, b], [1 - t, t]).eval()
        if batches is not None:
            reestimate(model, batches)
        with torch.no_grad():
            losses.append(float(loss(model)))
    first, last = losses[0], losses[-1]
    if not (abs(first) < float("inf") and abs(last) < float("inf")):
        raise ArgumentError("loss", "a finite number at both ends", f"{first} and {last}")
    above = [0.0 if t in (0.0, 1.0) else value - (first + t * (last - first)) for t, value in zip(points, losses)]
    height = max(above, key=lambda v: float("inf") if v != v else v)
    return Barrier(tuple(points), tuple(losses), height, points[above.index(height)])


def reestimate(model: nn.Module, batches: Iterable[Tensor]) -> None:
    """Take the running statistics of a network's batch norms anew, in place, as the mean over batches.

    Norms that the model does not reach on them keep the statistics that they have.

    Args:
        model: it comes out in the mode in which it was; dropout is off meanwhile.
        batches: inputs; batches count alike, so they should be of equal size.

    Raises:
        ArgumentError: no batches, or one of a single value for each channel, which has no variance.

    >>> net = nn.Sequential(nn.BatchNorm1d(1))
    >>> reestimate(net, [torch.tensor([[1.0], [3.0]])])
    >>> net[0].running_mean, net[0].running_var
    (tensor([2.]), tensor([2.]))
    """
    norms = [cast(_NormBase, m) for m in model.modules() if _counts(m)]
    batches = list(batches)
    if not batches:
        raise ArgumentError("inputs", "at least one batch", "none")
    if not norms:
        return
    before = [(norm.momentum, {name: t.clone() for name, t in norm.named_buffers()}) for norm in norms]
    calls = dict.fromkeys(norms, 0)

    def count(module: nn.Module, _: Any) -> None:
        norm = cast(_NormBase, module)
        calls[norm] += 1
        norm.momentum = 1 / calls[norm]  # so that the running mean is the plain mean of all batches

    handles = [norm.register_forward_pre_hook(count) for norm in norms]
    done = False
    try:
        with evaluating(model), torch.no_grad():
            for norm in norms:
                norm.train()
            for x in batches:
                model(x)
        done = True
    except ValueError as error:  # torch's, for one value of each channel
        raise ArgumentError("inputs", "batches of which norms can take statistics", str(error)) from error
    finally:
        for handle in handles:
            handle.remove()
        for norm, (momentum, statistics) in zip(norms, before):
            norm.momentum = momentum
            if not done:
                norm.load_state_dict({**norm.state_dict(), **statistics})


def _counts(module: nn.Module) -> bool:
    return isinstance(module, _NormBase) and module.running_mean is not None


def _mixed(members: Sequence[Given], shares: Sequence[float]) -> Given:
    """The sum of networks, each times its share; the shares add up to 1."""
    first = members[0]
    tensors = [_tensors(m) for m in members]
    for i, other in enumerate(tensors[1:], 1):
        if name := unlike_part(first, members[i]):
            raise ArgumentError("members", "modules of one architecture", f"another class of module at '{name}' in number {i}")
        _agree(tensors[0], other, i)
    mixed = {}
    for name, t in tensors[0].items():
        if t.is_floating_point() or t.is_complex():
            wide = t.dtype if t.dtype in (torch.float64, torch.complex64, torch.complex128) else torch.float32
            used = [(share, own[name].detach().to(t.device, wide)) for share, own in zip(shares, tensors) if share]
            start = used[0][1]  # and differences from it: a mean of equals is exact, infinite ones (masks of attention) too
            mixed[name] = sum((share * _change(w, start) for share, w in used[1:]), start).to(t.dtype)
        else:
            mixed[name] = t.detach().clone()
    if not isinstance(first, nn.Module):
        return cast(Given, mixed)
    held = [
        name[:-2]
        for name, t in mixed.items()
        if name.endswith("_u") and f"{name[:-1]}v" in mixed and not torch.equal(t, tensors[0][name])
    ]
    if held and sum(share != 0 for share in shares) > 1:
        warnings.warn(
            f"the singular vectors that spectral_norm keeps ('{held[0]}') are mixed, and are not those of the mixed weights: "
            "call the network in training mode some times before it is evaluated",
            stacklevel=3,
        )
    model = copy.deepcopy(first)
    with torch.no_grad():
        for name, t in _tensors(model).items():
            t.copy_(mixed[name])
    return model


def _change(to: Tensor, start: Tensor) -> Tensor:
    return torch.where(to == start, torch.zeros_like(start), to - start)


def unlike_part(a: Weights, b: Weights) -> str:
    """The name of a part whose class differs in two modules, or that one of them lacks; empty where none does, and for tensors alone.

    >>> unlike_part(nn.Sequential(nn.Linear(2, 2), nn.ReLU()), nn.Sequential(nn.Linear(2, 2), nn.Tanh()))
    '1'
    """
    if not isinstance(a, nn.Module) or not isinstance(b, nn.Module):
        return ""
    ours, theirs = classes(a), classes(b)
    return next((name or type(a).__name__ for name in [*ours, *theirs] if ours.get(name) != theirs.get(name)), "")


def classes(model: nn.Module) -> dict[str, str]:
    """The classes of a module's parts, by name: one that was written down twice (in a notebook) is one.

    >>> classes(nn.Sequential(nn.Linear(2, 2)))
    {'': 'Sequential', '0': 'Linear'}
    """
    return {name: parametrize.type_before_parametrizations(m).__qualname__ for name, m in model.named_modules()}


def _tensors(weights: Weights) -> dict[str, Tensor]:
    """All parameters and buffers, those that ``state_dict`` leaves out included."""
    return dict([*weights.named_parameters(), *weights.named_buffers()] if isinstance(weights, nn.Module) else weights)


def _agree(a: Mapping[str, Tensor], b: Mapping[str, Tensor], i: int) -> None:
    for name in [*a, *b]:
        if name not in a or name not in b:
            raise ArgumentError(
                name, "a tensor of this name in all networks", f"none in {'the first' if name in b else f'number {i}'}"
            )
        if a[name].shape != b[name].shape:
            raise ArgumentError(
                name, f"shape {tuple(a[name].shape)}, as in the first network", f"{tuple(b[name].shape)} in number {i}"
            )
        if _kind(a[name]) != _kind(b[name]):
            raise ArgumentError(name, f"{_kind(a[name])} numbers, as in the first network", f"{_kind(b[name])} ones in number {i}")
        if a[name].dtype == torch.bool and not torch.equal(a[name], b[name].to(a[name].device)):
            raise ArgumentError(
                "masks", f"one '{name}' in all networks: what lies between two masks is none", f"another in number {i}"
            )
        values = f"{name.removesuffix('mask')}values"
        if name.endswith(".mask") and values in a and values in b and not torch.equal(a[values], b[values].to(a[values].device)):
            raise ArgumentError("masks", f"one '{values}' in all networks", f"other fixed entries in number {i}")
        if name.rpartition(".")[2].startswith("fixed_") and not torch.equal(a[name], b[name].to(a[name].device)):
            raise ArgumentError("masks", f"one '{name}' in all networks, for it is fixed", f"another in number {i}")


def _kind(t: Tensor) -> str:
    return "real" if t.is_floating_point() else "complex" if t.is_complex() else "whole"
