"""How equivariant is a callable? Measured on random group elements, with a confidence interval and the worst case."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import optree
import torch
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.actions.records import Record, as_action, takes_names
from erlangen.equivariance.compared import Compared, numbers
from erlangen.equivariance.exact import exact_verdict
from erlangen.equivariance.made_up import on_made_up_data, types_of
from erlangen.equivariance.vanishing import PRECISIONS, attempted, distorted, in_precision
from erlangen.errors import ArgumentError
from erlangen.groups.base import Element, Group
from erlangen.verdict import Verdict

#: The largest relative error that counts as zero, by the least precise number that takes part.
TOLERANCES = {torch.float64: 1e-10, torch.float32: 1e-4, torch.float16: 1e-2, torch.bfloat16: 5e-2}
#: The seed of elements that nobody gives a generator for: a measure neither reads nor moves torch's global state.
SEED = 0x5EED


@dataclass(frozen=True)
class EquivarianceErrors:
    """Every number behind an equivariance verdict (its ``witness``).

    Attributes:
        relative: ``[elements, B]``: ``|f(g x) - g f(x)| / rms over the batch of |g f(x)|``, the largest over output parts.
        absolute: ``[elements, B]``: the numerator, the largest over output parts. Of integers and booleans, whose differences mean
            nothing, the root of how many entries differ, relative to that of how many there are.
        elements: the group elements tried, ``[elements, *element_shape]``.
        worst_element: the one with the largest relative error.
        worst_index: which datum of the batch that was.
        floor: what outputs that vanish by symmetry were measured by; 0 where none does, or where the errors are small without.
    """

    relative: Tensor
    absolute: Tensor
    elements: Element
    worst_element: Element
    worst_index: int
    floor: float = 0.0

    def per_element(self) -> Tensor:
        """Mean relative error of each element, ``[elements]``."""
        return self.relative.mean(1)


def equivariance_error(
    model: Callable[..., Any],
    x: Any = None,
    inp: Any = None,
    out: Any = None,
    *,
    elements: int | Element = 32,
    tolerance: float | None = None,
    generator: torch.Generator | None = None,
    scale: float = 1.0,
    confidence: float = 0.95,
) -> Verdict:
    """Compare ``model(g x)`` with ``g model(x)`` for a batch ``x`` and random group elements ``g``.

    A layer that knows its types (``layer.inp`` and ``layer.out``, as those of :mod:`erlangen.nn` do) needs neither types nor data.

    Random elements go through the group's components in turn (reflections, time reversal, their combinations; see
    :meth:`Group.components`), so that even a few try each kind. Errors are relative to the size of the output over the batch. An output
    that vanishes by symmetry (a force on the centre of a tetrahedron) is nothing but rounding; its errors are relative to what the model
    gives for data distorted by a tenth, or to what a symmetrized model averages. Where that vanishes, too (the sum of all forces), a
    second precision tells rounding from small numbers, and errors are relative to what was rounded.

    Args:
        model: any callable; takes what ``inp`` acts on (a tuple of actions: several arguments).
        x: a batch of data, leading axis ``B``; or a list of exact data (Python objects without a tensor), each of which the actions and
            the model take by itself. In or out of distribution is the caller's choice of ``x`` and ``elements``. By default random data
            of several sizes and batch shapes, in the model's precision and (a copy) in double; the verdict is then the worst of all.
        inp, out: how the group acts on input and output, as for :func:`erlangen.symmetrize`; by default as the model says.
        elements: how many to draw, or the elements themselves ``[m, *element_shape]``. A finite group of at most that many
            elements is gone through exhaustively; of a larger one, a random element and its products with every generator are among
            them, of a continuous group at least one of each component.
        tolerance: the largest relative error that counts as zero; by default that of the least precise of the data, the model's
            parameters and its outputs: 1e-10 in float64, 1e-4 in float32, 1e-2 in float16, 5e-2 in bfloat16.
        generator: source of randomness; by default one with a fixed seed.
        scale: widens the sampling of groups that are not compact (see :meth:`Group.sample`).
        confidence: level of the interval of the mean.

    Returns:
        a :class:`Verdict` with numbers ``worst``, ``mean``, ``median`` (relative), ``worst_absolute`` and ``output_scale`` (the root mean
        square size of a datum's output, of its smallest part; 0: nothing was tested), the interval of the mean over elements, and
        :class:`EquivarianceErrors` as its witness. Of exact data see :func:`~erlangen.equivariance.exact.exact_verdict`: the witness is a
        counterexample.

    Raises:
        ArgumentError: ``inp`` and ``out`` disagree in their group, or are not known; the model's output does not fit ``out``, or it does
            not take random data.

    >>> import erlangen as er
    >>> double = lambda x: 2 * x
    >>> verdict = er.equivariance_error(double, torch.randn(4, 3, dtype=torch.float64), er.SO(3).vector, er.SO(3).vector)
    >>> verdict.holds, verdict["worst"] < 1e-12
    (True, True)
    >>> bool(er.equivariance_error(er.nn.EquivariantLinear(er.SO(3).vector ** 2, er.SO(3).vector)))
    True
    """
    inp, out = types_of(model, inp, out)
    inp, out = as_action(inp, "inp"), as_action(out, "out")
    group = inp.group
    if group != out.group:
        raise ArgumentError("out", f"an action of {group}, as inp", f"one of {out.group}")
    generator = seeded(generator)
    if isinstance(elements, int) and elements < 1:
        raise ArgumentError("elements", "a positive number of group elements", repr(elements))
    if x is None:

        def measure(version: Any, data: Any) -> Verdict:
            return equivariance_error(
                version, data, inp, out,
                elements=elements, tolerance=tolerance, generator=generator, scale=scale, confidence=confidence,
            )  # fmt: skip

        return on_made_up_data(model, inp, generator, measure)
    exhaustive = isinstance(elements, int) and group.order <= elements
    tensors = [t for t in optree.tree_leaves(x) if isinstance(t, Tensor)]
    if not tensors:
        g = elements_of(group, elements, generator, torch.float64, scale)
        return exact_verdict(model, x, inp, out, g, exhaustive=exhaustive, confidence=confidence)
    floats = [t for t in moving_tensors(inp, x) if t.is_floating_point()]
    g = elements_of(group, elements, generator, floats[0].dtype if floats else torch.get_default_dtype(), scale, tensors[0].device)
    (count,) = group.batch_shape(g)

    with torch.no_grad():
        y = call_model(model, inp, x)
        compared = Compared(out, y)
        for i in range(count):
            element = group.take(g, i)
            compared.add(call_model(model, inp, inp.act(element, x)), out.act(element, numbers(y)))
        precision = _least_precise(floats, model, compared.dtypes)
        tolerance = tolerance if tolerance is not None else TOLERANCES.get(precision, TOLERANCES[torch.bfloat16])
        rel, abs_ = compared.errors()
        about = ""
        if not bool(rel.max() <= tolerance):
            bent = attempted(lambda: call_model(model, inp, distorted(inp, x, generator)))
            about = compared.floor(bent, _summed(model, inp, x))
            rel, abs_ = compared.errors()
            if not bool(rel.max() <= tolerance):
                moves = [group.take(g, i) for i in range(count)]
                versions = {dtype: attempted(functools.partial(_moved_in, dtype, model, inp, x, moves)) for dtype in PRECISIONS}
                about += compared.floor_by_rounding(precision, versions)
                rel, abs_ = compared.errors()
    reason = f"relative errors on {rel.shape[1]} data in {str(precision).removeprefix('torch.')}"
    if compared.zero:
        reason += f"; {compared.zero} for all of them, so that there nothing was tested"
    reason += about
    if none := int(rel.isnan().sum()):
        reason += f"; outputs are NaN or infinite, of the datum or of the moved one, in {none} of {rel.numel()} comparisons"
    worst = int(rel.nan_to_num(nan=math.inf).argmax())
    mean, interval = mean_interval(rel.mean(1), confidence)
    return Verdict(
        holds=bool(rel.max() <= tolerance),
        claim=f"{getattr(model, '__name__', type(model).__name__)} is {group}-equivariant",
        how="exhaustive" if exhaustive else "statistical",
        tried=count,
        numbers={
            "worst": float(rel.max()),
            "mean": mean,
            "median": float(rel.median()),
            "worst_absolute": float(abs_.max()),
            "output_scale": compared.output_scale,
            "tolerance": tolerance,
        },
        interval=(max(interval[0], 0.0), interval[1]),
        confidence=confidence,
        witness=EquivarianceErrors(rel, abs_, g, group.take(g, worst // rel.shape[1]), worst % rel.shape[1], compared.least_scale),
        reason=reason,
    )


def assert_equivariant(model: Callable[..., Any], x: Any = None, inp: Any = None, out: Any = None, **options: Any) -> Verdict:
    """Like :func:`equivariance_error`, but raise AssertionError with the verdict when it does not hold.

    >>> from erlangen.groups import O
    >>> from erlangen.nn import TensorProduct
    >>> verdict = assert_equivariant(TensorProduct(O(3).vector, O(3).vector))
    """
    verdict = equivariance_error(model, x, inp, out, **options)
    if not verdict:
        raise AssertionError(str(verdict))
    return verdict


def seeded(generator: torch.Generator | None) -> torch.Generator:
    """The generator, or one with a fixed seed: what is measured twice is the same twice, whatever else draws in between."""
    return torch.Generator().manual_seed(SEED) if generator is None else generator


def elements_of(
    group: Group,
    elements: int | Element,
    generator: torch.Generator | None,
    dtype: torch.dtype,
    scale: float = 1.0,
    device: torch.device | None = None,
) -> Element:
    """So many elements, each component of the group in turn; a finite group's all, if they are not more; given ones as they are.

    Of a finite group with more elements a random one is followed by its products with every generator: what a model does wrongly under
    some elements (a sign that only reflections have) it then does wrongly at one of these.

    Args:
        group: any group.
        elements: how many (never fewer than it has known components, or generators and one if it is finite), or the elements themselves.
        generator, dtype, scale: as for :meth:`Group.sample`.
        device: where they go; they are drawn where the generator lives.

    >>> from erlangen.groups import O
    >>> g = elements_of(O(3), 2, torch.Generator().manual_seed(0), torch.float64)
    >>> torch.linalg.det(g).prod().round().item()
    -1.0
    """
    if not isinstance(elements, int):
        group.check(elements, "elements")
        return elements
    if group.order <= elements:
        g = group.elements()
    else:
        kinds = _kinds(group)
        (c,) = group.batch_shape(kinds)
        count = max(elements, c)
        g = group.sample(-(-count // c), generator=generator, dtype=dtype, scale=scale)
        if c > 1:
            kinds = group.map(lambda e, shape: e.to(dtype) if e.is_floating_point() else e, kinds)
            each = group.map(lambda e, shape: e.unsqueeze(1), g)
            g = group.map(lambda e, shape: e.flatten(0, 1)[:count], group.multiply(each, kinds))
    return g if device is None else group.map(lambda e, shape: e.to(device), g)


def _kinds(group: Group) -> Element:
    """What a random element is multiplied by to go through the group: one of each component, and every generator besides."""
    kinds, gens = group.components(), group.generators
    if gens is None:
        return kinds
    if group.is_finite:
        kinds, more = group.take(kinds, slice(0, 1)), gens
    else:
        more = group.take(gens, slice(6, None))  # components() combines the first six
    return optree.tree_map(lambda a, b: torch.cat([a, b.to(a)]), kinds, more)


def call_model(model: Callable[..., Any], inp: Action, x: Any) -> Any:
    """``model(x)``, ``model(*x)`` where ``inp`` is a tuple of actions, ``model(**x)`` where it is a dict of them and the model takes these
    names; with a copy, which a model that works in place may spoil."""
    x = optree.tree_map(lambda t: t.clone() if isinstance(t, Tensor) else t, x)
    if takes_names(model, inp):
        return model(**x)
    return model(*x) if isinstance(inp, Record) and isinstance(inp.parts, tuple) else model(x)


def moving_tensors(inp: Action, x: Any) -> list[Tensor]:
    """The tensors of the parts that have an action."""
    pairs = zip(inp.leaves, inp.flatten(x)) if isinstance(inp, Record) else [(inp, x)]
    return [t for action, part in pairs if action is not None for t in optree.tree_leaves(part) if isinstance(t, Tensor)]


def _least_precise(floats: list[Tensor], model: Any, outputs: set[torch.dtype]) -> torch.dtype:
    """The dtype with the largest rounding among those of data, parameters and outputs, and that which all outputs are exact in."""
    dtypes = {t.dtype for t in floats} | outputs
    for module in _modules(model):
        dtypes |= {p.dtype for p in module.parameters() if p.is_floating_point() or p.is_complex()}
    real = {dtype.to_real() for dtype in dtypes if dtype.is_floating_point or dtype.is_complex}
    return max(real, key=lambda dtype: torch.finfo(dtype).eps, default=torch.float64)


def _modules(model: Any) -> list[torch.nn.Module]:
    """The networks that a callable computes with: itself, or what a method, a partial or a function closes over."""
    if isinstance(model, torch.nn.Module):
        return [model]
    if isinstance(model, functools.partial):
        return _modules(model.func)
    owner = getattr(model, "__self__", None)
    reached = [owner] if owner is not None else []
    if inspect.isfunction(model):
        names = inspect.getclosurevars(model)
        reached = [*names.nonlocals.values(), *names.globals.values()]
    return [module for module in reached if isinstance(module, torch.nn.Module)]


def _moved_in(dtype: torch.dtype, model: Any, inp: Action, x: Any, moves: list[Element]) -> list[Any]:
    """What the model gives for data and moved data in another precision."""
    version, data = in_precision(model, x, dtype)
    return [call_model(version, inp, y) for y in (data, *(inp.act(g, data) for g in moves))]


def _summed(model: Any, inp: Action, x: Any) -> Any:
    """What a symmetrized model averages, in size; ``None`` for others."""
    return call_model(model.summed, inp, x) if hasattr(model, "summed") else None


def mean_interval(values: Tensor, confidence: float) -> tuple[float, tuple[float, float]]:
    """The mean of independent values ``[n]`` and its Student interval (infinite for a single value)."""
    n, mean = len(values), float(values.mean())
    if n < 2:
        return mean, (-math.inf, math.inf)
    from scipy.stats import t

    half = float(t.ppf(0.5 + confidence / 2, n - 1)) * float(values.double().std()) / math.sqrt(n)
    return mean, (mean - half, mean + half)
