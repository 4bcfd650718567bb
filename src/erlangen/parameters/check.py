"""Do the permutations of a specification leave a model's outputs unchanged? Tried on the model itself, in double precision."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.overrides import TorchFunctionMode

from erlangen.errors import ArgumentError
from erlangen.groups.base import Element
from erlangen.linalg import relative_error
from erlangen.parameters.kinds import Kind, segments
from erlangen.parameters.spec import AxesAction, WeightSpec
from erlangen.verdict import Verdict

TOLERANCE = 1e-10
NARROW = {torch.float32, torch.float16, torch.bfloat16}


def check_weight_spec(spec: WeightSpec, model: nn.Module, example: Any = None, *, tries: int = 3) -> Verdict:
    """Whether the permutations of a spec leave the outputs of ``model`` unchanged: random ones, in double precision and evaluation mode.

    Args:
        spec: of the model, inputs and outputs fixed.
        model: left as it is; a copy is tried, with its weights, blurred, and with others.
        example: an input, or a tuple of them; guessed where the first layer tells it.
        tries: how many permutations.

    >>> from erlangen.parameters.trace import weight_spec
    >>> net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))
    >>> bool(check_weight_spec(weight_spec(net), net))
    True
    """
    model, args = prepare(model, example)
    return compare(spec, model, args, tries=tries)


def prepare(model: nn.Module, example: Any) -> tuple[nn.Module, tuple[Any, ...]]:
    """A copy of the model in double precision and evaluation mode, and inputs for it."""
    args = example_of(model) if example is None else example if isinstance(example, tuple) else (example,)
    try:
        copied = copy.deepcopy(model)
    except RuntimeError as error:  # weights that were computed and are no leaves of autograd
        hint = "Weights by torch.nn.utils.weight_norm become a copy's with torch.nn.utils.parametrizations.weight_norm"
        raise ArgumentError("model", "a module that can be copied", str(error), hint) from error
    return copied.double().eval(), tuple(_double(a) for a in args)


def _double(value: Any) -> Any:
    """A tensor in double precision, also in lists and dicts."""
    if isinstance(value, (list, tuple)):
        parts = [_double(part) for part in value]
        return parts if isinstance(value, list) else tuple(parts)
    if isinstance(value, dict):
        return {key: _double(part) for key, part in value.items()}
    return value.double() if isinstance(value, Tensor) and value.is_floating_point() else value


class InDouble(TorchFunctionMode):
    """Inside of it floating-point tensors are float64, whatever a model asks for: initial states, constants, ``x.float()``."""

    #: Functions that make tensors of no other.
    MADE = (torch.zeros, torch.ones, torch.eye, torch.rand, torch.randn, torch.linspace, torch.full, torch.empty)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (torch.Tensor.float, torch.Tensor.half, torch.Tensor.bfloat16):
            func = torch.Tensor.double
        kwargs = {key: _each(_wide, value) for key, value in (kwargs or {}).items()}
        return _each(_wide, func(*_each(_wide, tuple(args)), **kwargs))


def _wide(value: Any) -> Any:
    """A dtype or a tensor, no narrower than float64."""
    if isinstance(value, torch.dtype):
        return torch.float64 if value in NARROW else value
    return value.double() if isinstance(value, Tensor) and value.dtype in NARROW else value


def _each(change: Callable[[Any], Any], value: Any) -> Any:
    """What stands in lists, tuples and dicts, changed."""
    if type(value) in (list, tuple):
        return type(value)(_each(change, part) for part in value)
    return {key: _each(change, part) for key, part in value.items()} if type(value) is dict else change(value)


def leaves(value: Any) -> list[Any]:
    """What stands in lists, tuples, dicts and data classes, of any class, in their order."""
    if isinstance(value, (list, tuple)):
        return [leaf for part in value for leaf in leaves(part)]
    if isinstance(value, dict):
        return [leaf for part in value.values() for leaf in leaves(part)]
    if dataclasses.is_dataclass(value):
        return [leaf for field in dataclasses.fields(value) for leaf in leaves(getattr(value, field.name))]
    return [value]


def example_of(model: nn.Module) -> tuple[Any, ...]:
    """Random inputs for a model, as far as its first layer tells them.

    Raises:
        ArgumentError: it does not.
    """
    generator = torch.Generator().manual_seed(0)
    for layer in model.modules():
        shape: tuple[int, ...] | None = None
        if isinstance(layer, nn.Embedding):
            return (torch.randint(layer.num_embeddings, (2, 5), generator=generator),)
        if isinstance(layer, nn.MultiheadAttention) and layer is model:
            sizes = (layer.embed_dim, layer.kdim or layer.embed_dim, layer.vdim or layer.embed_dim)
            return tuple(torch.randn(2, 5, n, generator=generator) for n in sizes)
        if isinstance(layer, nn.Linear):
            shape = (2, layer.in_features)
        elif isinstance(layer, nn.RNNBase):
            shape = (2, 5, layer.input_size)
        elif isinstance(layer, nn.RNNCellBase):
            shape = (2, layer.input_size)
        elif isinstance(layer, nn.TransformerEncoderLayer):
            shape = (2, 5, layer.linear1.in_features)
        if shape is not None:
            return (torch.randn(shape, generator=generator),)
        if not list(layer.children()) and list(layer.parameters(recurse=False)):
            break
    raise ArgumentError("example", "an input of the model, for its first layer does not tell one", "none")


def compare(
    spec: WeightSpec,
    model: nn.Module,
    args: tuple[Any, ...],
    *,
    inputs: Sequence[Sequence[Kind]] | None = None,
    vocabularies: Sequence[Kind] | None = None,
    outputs: Sequence[Sequence[Kind]] | None = None,
    layered: Sequence[bool] | None = None,
    tries: int = 3,
) -> Verdict:
    """Outputs before and after random permutations of the weights: of the model's own, a little blurred, for ones and zeros would hide a
    wrong axis; and of weights drawn anew, for units that are off or saturated would, too.

    ``inputs`` and ``outputs`` are the kinds of the axes of the tensors among them, moved along; ``vocabularies`` what the entries of
    integer inputs count; ``layered`` which outputs are taken apart along their first axis.

    Raises:
        ArgumentError: the model gives no numbers for these inputs.
    """
    generator = torch.Generator().manual_seed(0)
    stored = {n: t.detach() for n, t in [*model.named_parameters(), *model.named_buffers()]}
    parameters = {n for n, _ in model.named_parameters()}
    covered = spec.select(stored)
    own = {n: t + 0.1 * torch.rand(t.shape, generator=generator, dtype=t.dtype) for n, t in covered.items()}
    anew = {n: _drawn(t, generator) if n in parameters else own[n] for n, t in covered.items()}
    worst = 0.0
    with torch.no_grad(), InDouble():
        for drawn, weights in ((False, stored | own), (True, stored | anew)):
            before, counted = _tensors(functional_call(model, weights, args), layered)
            if not any(t.numel() for t in [*before, *counted]):
                raise ArgumentError("example", "an input for which the model gives numbers that can be compared", "none")
            if drawn and any(bool(t.isnan().any()) for t in before):
                continue  # weights that the model is not made for, below its logarithm for instance
            given = [*_tensors(args, None)[0], *weights.values()]
            summed = torch.stack([_finite(t).abs().max().double() for t in given if t.numel() and t.is_floating_point()]).max()
            for _ in range(tries):
                sigma = _moving(spec, generator)
                moved = _move(spec, sigma, args, inputs, vocabularies)
                after, recounted = _tensors(
                    functional_call(model, weights | spec.apply_permutation(weights, sigma), tuple(moved)), layered
                )
                for a, b in zip(after, _move(spec, sigma, before, outputs)):
                    worst = max(worst, _change(a, b, summed))
                if not all(torch.equal(a, b) for a, b in zip(recounted, counted)):
                    worst = float("inf")
    return Verdict(
        worst <= TOLERANCE,
        f"permuting the weights leaves {type(model).__name__} unchanged",
        how="statistical",
        tried=2 * tries,
        numbers={"worst": worst},
        reason="the largest relative change of an output, in double precision",
    )


def _drawn(t: Tensor, generator: torch.Generator) -> Tensor:
    """Other weights of the same shape, of a size at which units are neither off nor saturated; of one sign where these are."""
    drawn = torch.randn(t.shape, generator=generator, dtype=t.dtype) / max(t[0].numel() if t.ndim > 1 else 4, 1) ** 0.5
    return drawn.abs() + 0.5 * (t.ndim < 2) if bool((t >= 0).all()) and bool((t > 0).any()) else drawn


def _moving(spec: WeightSpec, generator: torch.Generator) -> Element:
    """A random element of the group that moves something of every label."""
    drawn = spec.random_permutation(generator)
    return tuple(p.roll(1) if torch.equal(p, torch.arange(len(p))) else p for p in drawn)


def _change(a: Tensor, b: Tensor, summed: Tensor) -> float:
    """The largest relative difference, none where it is the rounding of what was summed; infinite where one of them alone is a number.

    Each output is relative to its own size over the batch, for one tensor may hold outputs of unlike units.
    """
    if not b.numel():
        return 0.0
    off, size = torch.where(a == b, 0.0, (a - b).abs()), _finite(b).abs()
    if b.ndim > 1:
        off, size = off.amax(0), size.amax(0)
    return float(relative_error(off, size, torch.maximum(size, summed)).nan_to_num(nan=float("inf"), posinf=float("inf")).max())


def _finite(t: Tensor) -> Tensor:
    return torch.where(torch.isfinite(t), t, 0.0)


def _tensors(result: Any, layered: Sequence[bool] | None) -> tuple[list[Tensor], list[Tensor]]:
    """The floating-point tensors of a result, those of several layers taken apart, and the others."""
    every = [t for t in leaves(result) if isinstance(t, Tensor)]
    found = [t for t in every if t.is_floating_point()]
    flags = layered or [False] * len(found)
    apart = [piece for t, several in zip(found, flags) for piece in (t.unbind(0) if several else [t])]
    return apart, [t for t in every if not t.is_floating_point()]


def _move(
    spec: WeightSpec,
    sigma: Element,
    values: Sequence[Any],
    kinds: Sequence[Sequence[Kind]] | None,
    vocabularies: Sequence[Kind] | None = None,
) -> list[Any]:
    """Tensors moved as their kinds say; everything else as it is."""
    if kinds is None:
        return list(values)
    moved = []
    for i, (x, own) in enumerate(zip(values, kinds)):
        counted = None if vocabularies is None else vocabularies[i]
        if isinstance(counted, str) and counted:
            x = sigma[list(spec.labels).index(counted)][x]
        elif own:
            cuts = tuple(segments("example", kind or None, n, spec.labels) for kind, n in zip(own, x.shape))
            x = AxesAction(spec.group, spec.labels, cuts).act(sigma, x)
        moved.append(x)
    return moved
