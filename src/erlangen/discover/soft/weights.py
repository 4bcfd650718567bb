"""Which tensors of a model are matrices between representations, and of which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from erlangen.errors import ArgumentError, UnsupportedError
from erlangen.reps.layout import SCALAR, Layout, hidden_layout

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
    """

    name: str
    module: nn.Module | None
    attribute: str
    shape: tuple[int, ...]
    matrices: Tensor
    target: Layout
    source: Layout


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

    Modules that say themselves what they map between (an attribute ``layouts = (source, target)``) are believed. Otherwise the first
    layer maps from ``inp``, the last one to ``out``, and what is between has the layout ``hidden``, or that of
    :func:`hidden_layout` for its width.

    Raises:
        ArgumentError: sizes do not fit, a name in ``layers`` is unknown, or there is no linear layer.
        UnsupportedError: a convolution in several groups of channels, whose weight is no matrix between all of them.
    """
    if isinstance(model, Tensor):
        if model.ndim != 2:
            raise ArgumentError("model", "a module or a weight matrix [out, in]", tuple(model.shape))
        if layers is not None:
            raise ArgumentError("layers", "None for a bare matrix, which inp= and out= describe", layers)
        source, target = _end(inp, model.shape[1], d, "inp", True), _end(out, model.shape[0], d, "out", False)
        return [_weight("weight", None, "", tuple(model.shape), torch.arange(model.numel()).view(1, *model.shape), target, source)]
    if layers is not None:
        return _explicit(model, d, layers, bias)
    modules = {n: m for n, m in model.named_modules() if isinstance(m, (*_LINEAR, nn.MultiheadAttention))}
    if not modules:
        raise ArgumentError(
            "model", "at least one linear layer or convolution", type(model).__name__, "name the weights by layers="
        )
    names, found = list(modules), []
    for i, (name, module) in enumerate(modules.items()):
        said = getattr(module, "layouts", None)
        if said is not None:
            source, target = (Layout.of(part, d, "layouts") for part in said)
        else:
            width_in, width_out = _widths(module)
            source = _end(inp, width_in, d, "inp", True) if i == 0 else _between(hidden, width_in, d, dual)
            last = i == len(names) - 1
            target = _end(out, width_out, d, "out", False) if last else _between(hidden, width_out, d, dual)
        found += _of_module(name, module, target, source, bias)
    return found


def _explicit(model: nn.Module, d: int, layers: Mapping[str, tuple[Any, Any]], bias: bool) -> list[Weight]:
    modules, found = dict(model.named_modules()), []
    if not layers:
        raise ArgumentError("layers", "at least one module by its name", "none")
    for name, pair in layers.items():
        if name not in modules:
            raise ArgumentError("layers", f"names of modules, such as {', '.join(repr(n) for n in list(modules)[1:4])}", repr(name))
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise ArgumentError("layers", "for each name a pair (source, target)", repr(pair))
        source, target = (Layout.of(part, d, "layers") for part in pair)
        found += _of_module(name, modules[name], target, source, bias)
    return found


def _of_module(name: str, module: nn.Module, target: Layout, source: Layout, bias: bool) -> list[Weight]:
    """The weight of a module as matrices and its bias as a column."""
    prefix = f"{name}." if name else ""
    if isinstance(module, nn.MultiheadAttention):
        if module.in_proj_weight is None:
            raise UnsupportedError(
                f"{name}: keys and values of other sizes than queries; name the projections of your own by layers="
            )
        # Queries, keys and values one below the other; the output projection is a linear layer of its own.
        found = [_made(prefix, module, "in_proj_weight", 3 * target, source)]
        if bias and module.in_proj_bias is not None:
            found.append(_made(prefix, module, "in_proj_bias", 3 * target, None))
        return found
    if not isinstance(getattr(module, "weight", None), Tensor):
        raise ArgumentError("layers", "modules with a weight", f"{name} ({type(module).__name__})")
    if getattr(module, "groups", 1) != 1:
        raise UnsupportedError(f"{name}: a convolution in {module.groups} groups of channels has no matrix between all channels")
    found = [_made(prefix, module, "weight", target, source)]
    if bias and isinstance(getattr(module, "bias", None), Tensor):
        found.append(_made(prefix, module, "bias", target, None))
    return found


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
