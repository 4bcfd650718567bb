"""Which tensors of a model are matrices between representations, and of which."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from erlangen.discover.soft.order import Ends, ends_of
from erlangen.errors import ArgumentError, UnsupportedError
from erlangen.reps.layout import SCALAR, Layout, TensorType, hidden_layout

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_LINEAR = (nn.Linear, *_CONVOLUTIONS, *_TRANSPOSED)


@dataclass(frozen=True)
class Weight:
    """One tensor that holds matrices from ``source`` to ``target``.

    Attributes:
        name: for reports, e.g. ``"0.weight"``.
        module: where it is an attribute; ``None`` for a bare tensor.
        attribute: its name there.
        shape: of the tensor.
        matrices: where in the flattened tensor the entries of its matrices are, ``[copies, target.dim, source.dim]``.
        target, source: what rows and columns are.
        first, last: whether its columns are the model's input, and its rows the output.
    """

    name: str
    module: nn.Module | None
    attribute: str
    shape: tuple[int, ...]
    matrices: Tensor
    target: Layout
    source: Layout
    first: bool = False
    last: bool = False


def weights_of(
    model: nn.Module | Tensor,
    d: int,
    *,
    inp: Any = None,
    out: Any = None,
    hidden: Any = None,
    layers: Mapping[str, tuple[Any, Any]] | None = None,
    bias: bool = True,
    dual: bool = False,
) -> list[Weight]:
    """The weights of a model's linear layers, convolutions and attention projections, with their representations.

    Modules that say themselves what they map between (an attribute ``layouts = (source, target)``) are believed. Otherwise layers that
    read the input map from ``inp``, those after which no other comes to ``out``, and what is between has the layout ``hidden``, or that of
    :func:`hidden_layout` for its width. Which layers these are is found by a symbolic run; where a model cannot be run so, they are the
    first and the last one that were registered.

    Warns:
        UserWarning: the model cannot be run symbolically, so that the order of its layers is a guess; it has weights that are not counted,
            of layers of other kinds; or the heads of an attention cut tensors, whose entries can then be scalars only.

    Raises:
        ArgumentError: sizes do not fit, a name in ``layers`` is unknown, or there is no linear layer.
        UnsupportedError: a convolution in several groups of channels, whose weight is no matrix between all of them.
    """
    if isinstance(model, Tensor):
        if model.ndim != 2:
            raise ArgumentError("model", "a module or a weight matrix [out, in]", tuple(model.shape))
        if layers is not None:
            raise ArgumentError("layers", "None for a bare matrix, which inp= and out= describe", repr(layers))
        source, target = _end(inp, model.shape[1], d, "inp", True), _end(out, model.shape[0], d, "out", False)
        places = torch.arange(model.numel()).view(1, *model.shape)
        return [replace(_weight("weight", None, "", tuple(model.shape), places, target, source), first=True, last=True)]
    if layers is not None:
        return _explicit(model, d, layers, bias)
    modules = {n: m for n, m in model.named_modules() if isinstance(m, (*_LINEAR, nn.MultiheadAttention))}
    modules = {n: m for n, m in modules.items() if not _within_attention(n, modules)}
    if not modules:
        raise ArgumentError(
            "model", "at least one linear layer or convolution", type(model).__name__, "name the weights by layers="
        )
    said = [getattr(module, "layouts", None) is not None for module in modules.values()]
    first, last = _ends(model, list(modules), guessed=not all(said))
    found = []
    for name, module in modules.items():
        own = getattr(module, "layouts", None)
        if own is not None:
            source, target = (Layout.of(part, d, "layouts") for part in own)
        else:
            width_in, width_out = _widths(module)
            source = _end(inp, width_in, d, "inp", True) if name in first else _between(hidden, width_in, d, dual)
            target = _end(out, width_out, d, "out", False) if name in last else _between(hidden, width_out, d, dual)
        inner = _between(hidden, target.dim, d, dual) if isinstance(module, nn.MultiheadAttention) else target
        found += _marked(_of_module(name, module, target, source, bias, inner), name in first, name in last)
    _warn_uncounted(model, found, bias)
    return found


def _within_attention(name: str, modules: Mapping[str, nn.Module]) -> bool:
    """Whether a layer is the output projection of an attention, which is counted with it."""
    parent, _, own = name.rpartition(".")
    return own == "out_proj" and isinstance(modules.get(parent), nn.MultiheadAttention)


def _ends(model: nn.Module, names: list[str], guessed: bool) -> Ends:
    found = ends_of(model, names)
    if found is not None:
        return found
    if guessed and len(names) > 1 and not isinstance(model, nn.Sequential):
        warnings.warn(
            f"{type(model).__name__} cannot be run symbolically: {names[0]} is taken for the layer that reads the input and {names[-1]} "
            "for the one that makes the output, as they were registered; say layers= if they run in another order",
            stacklevel=4,
        )
    return Ends(frozenset(names[:1]), frozenset(names[-1:]))


def _marked(weights: list[Weight], first: bool, last: bool) -> list[Weight]:
    """The weights of one module, of which the first matrix reads the input and the last one makes the output."""
    matrices = [i for i, w in enumerate(weights) if w.attribute.endswith("weight")]
    if matrices and first:
        weights[matrices[0]] = replace(weights[matrices[0]], first=True)
    if matrices and last:
        weights[matrices[-1]] = replace(weights[matrices[-1]], last=True)
    return weights


def _warn_uncounted(model: nn.Module, found: Sequence[Weight], bias: bool) -> None:
    """Warn of layers of PyTorch whose weights are no matrices between representations: degrees say nothing of them."""
    counted = {id(w.module) for w in found}
    other = [
        f"{name} ({type(module).__name__})"
        for name, module in model.named_modules()
        if id(module) not in counted
        and type(module).__module__.startswith("torch.nn.modules.")
        and not isinstance(module, nn.ParameterList | nn.ParameterDict)  # a part of a layer that is no layer of PyTorch
        and any(p.requires_grad and (bias or p.ndim > 1) for p in module.parameters(recurse=False))
    ]
    if other:
        warnings.warn(
            f"weights of {', '.join(other)} are not counted: residuals and degrees say nothing of what these layers break",
            stacklevel=4,
        )


def _explicit(model: nn.Module, d: int, layers: Mapping[str, tuple[Any, Any]], bias: bool) -> list[Weight]:
    modules, found = dict(model.named_modules()), []
    first, last = _ends(model, list(layers), guessed=False)
    if not layers:
        raise ArgumentError("layers", "at least one module by its name", "none")
    for name, pair in layers.items():
        if name not in modules:
            raise ArgumentError("layers", f"names of modules, such as {', '.join(repr(n) for n in list(modules)[1:4])}", repr(name))
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise ArgumentError("layers", "for each name a pair (source, target)", repr(pair))
        source, target = (Layout.of(part, d, "layers") for part in pair)
        if isinstance(modules[name], nn.MultiheadAttention) and f"{name}.out_proj" in layers:
            # Said on its own: what the attention itself maps to is what its values are.
            parts = _of_module(name, modules[name], target, source, bias)
            found += _marked([w for w in parts if w.module is modules[name]], name in first, False)
            continue
        ends = name in first, name in last or name.removesuffix(".out_proj") in last
        found += _marked(_of_module(name, modules[name], target, source, bias), *ends)
    return found


def _of_module(
    name: str, module: nn.Module, target: Layout, source: Layout, bias: bool, inner: Layout | None = None
) -> list[Weight]:
    """The weight of a module as matrices and its bias as a column; ``inner`` is what queries, keys and values of an attention are."""
    prefix = f"{name}." if name else ""
    if isinstance(module, nn.MultiheadAttention):
        if module.in_proj_weight is None:
            raise UnsupportedError(
                f"{name}: keys and values of other sizes than queries; name the projections of your own by layers="
            )
        # Queries, keys and values one below the other.
        inner = _within_heads(target if inner is None else inner, module.num_heads, name)
        found = [_made(prefix, module, "in_proj_weight", 3 * inner, source)]
        for attribute, layout in (("in_proj_bias", 3 * inner), ("bias_k", inner), ("bias_v", inner)):
            if bias and getattr(module, attribute) is not None:
                found.append(_made(prefix, module, attribute, layout, None))
        return found + _of_module(f"{prefix}out_proj", module.out_proj, target, inner, bias)
    if not isinstance(getattr(module, "weight", None), Tensor):
        raise ArgumentError("layers", "modules with a weight", f"{name} ({type(module).__name__})")
    if getattr(module, "groups", 1) != 1:
        raise UnsupportedError(f"{name}: a convolution in {module.groups} groups of channels has no matrix between all channels")
    found = [_made(prefix, module, "weight", target, source)]
    if bias and isinstance(getattr(module, "bias", None), Tensor):
        found.append(_made(prefix, module, "bias", target, None))
    return found


def _within_heads(inner: Layout, heads: int, name: str) -> Layout:
    """What queries, keys and values can be: a tensor whose entries go to different heads is weighted entry by entry, and must be zero.

    Warns:
        UserWarning: there are such tensors.
    """
    size, place, cut = inner.dim // heads, 0, 0
    parts: list[tuple[TensorType, int]] = []
    for kind, count in inner.parts:
        width = inner.d**kind.rank
        for _ in range(count):
            whole = place // size == (place + width - 1) // size
            parts.append((kind, 1) if whole else (SCALAR, width))
            place, cut = place + width, cut + (not whole)
    if cut:
        warnings.warn(
            f"{name or 'the attention'}: {cut} of the tensors in {inner} are cut by {heads} heads of {size} numbers, which breaks every "
            "symmetry that moves them; they are counted as scalars. Take fewer heads, or a layout (hidden=, layers=) whose tensors end "
            "where heads do",
            stacklevel=6,
        )
    return Layout(inner.d, parts)


def _made(prefix: str, module: nn.Module, attribute: str, target: Layout, source: Layout | None) -> Weight:
    shape = tuple(getattr(module, attribute).shape)
    places = torch.arange(int(torch.tensor(shape).prod())).view(shape)
    if source is None:  # a bias is what a constant input of one is mapped to
        source, matrices = Layout(target.d, [(SCALAR, 1)]), places.reshape(1, -1, 1)
    elif isinstance(module, _TRANSPOSED):
        matrices = places.flatten(2).permute(2, 1, 0)
    else:  # [out, in, *taps]: one matrix for each tap
        matrices = places.flatten(2).permute(2, 0, 1) if places.ndim > 2 else places.unsqueeze(0)
    return _weight(prefix + attribute, module, attribute, shape, matrices, target, source)


def _weight(
    name: str, module: nn.Module | None, attribute: str, shape: tuple[int, ...], matrices: Tensor, target: Layout, source: Layout
) -> Weight:
    if matrices.ndim != 3 or tuple(matrices.shape[1:]) != (target.dim, source.dim):
        got = f"matrices {list(matrices.shape[1:])} in {name}"
        raise ArgumentError("layers", f"{target.dim} rows as {target} and {source.dim} columns as {source}", got)
    return Weight(name, module, attribute, shape, matrices, target, source)


def _widths(module: nn.Module) -> tuple[int, int]:
    if isinstance(module, nn.Linear):
        return module.in_features, module.out_features
    if isinstance(module, nn.MultiheadAttention):
        return module.embed_dim, module.embed_dim
    return module.in_channels, module.out_channels  # type: ignore[return-value]


def _end(given: Any, width: int, d: int, argument: str, must: bool) -> Layout:
    """What goes in or comes out."""
    if given is not None:
        layout = Layout.of(given, d, argument)
        if layout.dim != width:
            raise ArgumentError(argument, f"a representation of size {width}, as the layer", f"{layout}, of size {layout.dim}")
        return layout
    if width % d == 0:
        return Layout.of(width // d, d)
    if must:
        hint = "say what the entries are: inp=5 * G.scalar + 5 * G.vector"
        raise ArgumentError(argument, f"copies of vectors of R^{d}, or a representation", f"a layer with {width} inputs", hint)
    return Layout(d, [(SCALAR, width)])


def _between(hidden: Any, width: int, d: int, dual: bool) -> Layout:
    if hidden is None:
        return hidden_layout(width, d, dual)
    layout = Layout.of(hidden, d, "hidden")
    if layout.dim != width:
        raise ArgumentError("hidden", f"a representation of size {width}, as the layer", f"{layout}, of size {layout.dim}")
    return layout
