"""`asymmetrize`: a module whose parameter space has lost its symmetries, by fixed weights or fixed gates."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Iterable, Sequence
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from erlangen.errors import ArgumentError
from erlangen.parameters.asymmetric.masks import MaskKind, collide, connection_mask
from erlangen.parameters.check import example_of
from erlangen.parameters.layers import ACTIVATIONS, CONVOLUTIONS
from erlangen.training.modes import evaluating

Module = TypeVar("Module", bound=nn.Module)
LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
#: Layers that give features on the last axis.
WEIGHTED = (nn.Linear, nn.Bilinear, nn.Embedding, nn.LayerNorm, nn.RMSNorm, nn.MultiheadAttention, nn.RNNBase, nn.RNNCellBase)
#: What a fixed gate takes the place of.
GATED = (*ACTIVATIONS, nn.PReLU)


class FixedEntries(nn.Module):
    """A parametrisation of a weight, some of whose entries are fixed: ``mask * W + (1 - mask) * values``.

    Fixed entries have no gradient, and what an optimiser does to the numbers behind them (weight decay) does not show.

    Args:
        mask: True where the weight is trained; of the weight's shape.
        values: the fixed entries; zero elsewhere.

    >>> mask = torch.tensor([[True, False]])
    >>> layer = parametrize.register_parametrization(nn.Linear(2, 1), "weight", FixedEntries(mask, torch.tensor([[0.0, 3.0]])))
    >>> layer.weight[0, 1].item()
    3.0
    """

    mask: Tensor
    values: Tensor

    def __init__(self, mask: Tensor, values: Tensor) -> None:
        super().__init__()
        if mask.dtype != torch.bool or mask.shape != values.shape:
            raise ArgumentError("mask", "booleans of the shape of values", f"{mask.dtype}, {tuple(mask.shape)}")
        self.register_buffer("mask", mask)
        self.register_buffer("values", torch.where(mask, torch.zeros_like(values), values))

    def forward(self, weight: Tensor) -> Tensor:
        return torch.where(self.mask, weight, self.values.to(weight.dtype))

    def right_inverse(self, weight: Tensor) -> Tensor:
        return torch.where(self.mask, weight, torch.zeros_like(weight))


class FixedGate(nn.Module):
    """The activation ``x -> sigmoid(C x) x`` with a fixed random ``C``, that commutes with no permutation of the features.

    Args:
        features: on the last axis (``axis=-1``), or on that of channels (``-3`` of images).
        generator: of ``C``, which is standard normal.
        axis: of the features.

    Source: D. Lim et al., arXiv:2405.20231.

    >>> FixedGate(4)(torch.randn(3, 4)).shape
    torch.Size([3, 4])
    """

    fixed_matrix: Tensor

    def __init__(self, features: int, generator: torch.Generator | None = None, axis: int = -1) -> None:
        super().__init__()
        self.axis = axis
        matrix = torch.randn(features, features, generator=generator, dtype=torch.float64)
        self.register_buffer("fixed_matrix", matrix.to(torch.get_default_dtype()))

    def forward(self, x: Tensor) -> Tensor:
        if self.axis == -1:
            return torch.sigmoid(nn.functional.linear(x, self.fixed_matrix)) * x
        return torch.sigmoid(nn.functional.linear(x.movedim(self.axis, -1), self.fixed_matrix)).movedim(-1, self.axis) * x


def asymmetrize(
    module: Module,
    kind: Literal["w", "sigma"] = "w",
    n_fix: int | Sequence[int] = 2,
    kappa: float | Sequence[float] = 1.0,
    mask: MaskKind = "random_subsets",
    seed: int = 0,
    layers: Sequence[str] | None = None,
    values: Literal["normal", "constant"] = "normal",
    example: Any = None,
) -> Module:
    """Break the symmetries of a module's parameter space, in place.

    ``"w"``: in each row of each weight some entries are fixed (a parametrisation, :class:`FixedEntries`). ``"sigma"``: each activation
    becomes a :class:`FixedGate`. Which entries and gates depends on ``seed`` alone, not on the process or the weights.

    Args:
        module: with Linear or convolution layers (transposed ones are left alone), ``"sigma"``: with activation modules.
        kind: see above.
        n_fix: fixed entries of a row, or one number for each layer, in the order of ``layers``.
        kappa: size of the fixed entries, or one for each layer.
        mask: which entries: see :func:`connection_mask`.
        seed: of masks, fixed entries and gates.
        layers: names of the layers (activations); by default all.
        values: fixed entries are ``kappa`` times standard normal ones, or all ``kappa``.
        example: ``"sigma"``: an input, from which widths are read; guessed where the first layer tells it. Gates act on what the last
            layer with weights before them gives: features of a Linear layer, channels of a convolution. An activation that stands in
            two places has a gate of its own in each; one that is called twice has one gate.

    Returns:
        the module.

    Warns:
        UserWarning: an activation with no weights behind it acts on what the module gives, whose range its gate changes.

    Raises:
        ArgumentError: nothing to change, weights without a shape (of lazy modules), ``n_fix`` not below the inputs of a layer, rows that
            no random value tells apart, a weight that another module has, too, or an activation that is called on different widths.

    Source: D. Lim, M. Putterman, R. Walters, H. Maron, S. Jegelka, "The empirical impact of neural parameter symmetries, or lack
    thereof", NeurIPS 2024, arXiv:2405.20231.

    >>> net = asymmetrize(nn.Sequential(nn.Linear(20, 64), nn.GELU(), nn.Linear(64, 2)), n_fix=[2, 3], seed=0)
    >>> trainable_parameters(net)
    1340
    """
    if kind not in ("w", "sigma"):
        raise ArgumentError("kind", "'w' or 'sigma'", repr(kind))
    if values not in ("normal", "constant"):
        raise ArgumentError("values", "'normal' or 'constant'", repr(values))
    generator = torch.Generator().manual_seed(int(seed))
    if isinstance(layers, str):
        raise ArgumentError("layers", "a list of names", repr(layers))
    if lazy := [name for name, p in module.named_parameters() if isinstance(p, nn.UninitializedParameter)]:
        raise ArgumentError("module", "weights with a shape", f"'{lazy[0]}' without one", "Call the module on a batch first")
    there: dict[str, nn.Module] = (
        _activations(module) if kind == "sigma" else {n: m for n, m in module.named_modules() if isinstance(m, LAYERS)}
    )
    for name in layers or ():
        if name not in there:
            raise ArgumentError("layers", f"names among {', '.join(there) or 'none'}", repr(name))
    found = there if layers is None else {name: there[name] for name in layers}
    if not found:
        what = "activation modules" if kind == "sigma" else "Linear or convolution layers"
        raise ArgumentError("module", f"a module with {what}", type(module).__name__)
    if kind == "sigma":
        _gates(module, found, generator, example)
        return module
    fixes, sizes = _each("n_fix", n_fix, len(found)), _each("kappa", kappa, len(found))
    made = {}
    for (name, layer), fix, size in zip(found.items(), fixes, sizes):
        if "weight" not in layer._parameters:
            raise ArgumentError("module", "layers whose weight has no parametrisation yet", f"'{name}'")
        if others := _others(module, layer):
            raise ArgumentError(
                "module", f"layers with weights of their own, or without '{name}' in layers", f"one shared with {others}"
            )
        if not 0 <= size < math.inf:
            raise ArgumentError("kappa", "zero or a positive number", repr(size))
        weight: Tensor = layer.weight  # type: ignore[assignment]
        rows = weight.flatten(1)
        chosen = connection_mask(mask, rows.shape[0], rows.shape[1], fix, generator)
        drawn = torch.randn(rows.shape, generator=generator, dtype=torch.float64) if values == "normal" else torch.ones(rows.shape)
        fixed = FixedEntries(chosen, (size * drawn).to(weight.dtype))
        if fix and collide(torch.cat([fixed.mask.double(), fixed.values.double()], 1)):
            hint = "Take mask='unique_subsets', or kappa > 0 and values='normal'"
            raise ArgumentError(
                "mask", f"rows of '{name}' that differ, where fixed entries do not tell them apart", repr(mask), hint
            )
        made[name] = FixedEntries(chosen.view(weight.shape), fixed.values.view(weight.shape))
    for name, fixed in made.items():
        layer = found[name]
        parametrize.register_parametrization(layer, "weight", fixed.to(layer.weight.device))  # type: ignore[arg-type]
    return module


def trainable_parameters(module: nn.Module) -> int:
    """How many numbers of a module are trained: fixed entries do not count.

    >>> trainable_parameters(asymmetrize(nn.Linear(4, 3), n_fix=1))
    12
    """
    chains = [m for m in module.modules() if isinstance(m, parametrize.ParametrizationList)]
    fixed = [
        m for chain in chains if all(p.requires_grad for p in chain.parameters()) for m in chain if isinstance(m, FixedEntries)
    ]
    return sum(p.numel() for p in module.parameters() if p.requires_grad) - sum(int((~m.mask).sum()) for m in fixed)


def fixed_parts(module: nn.Module) -> dict[str, Tensor]:
    """What is fixed in a module, by name: masks and values of fixed entries, matrices of fixed gates."""
    parts = {name: m for name, m in module.named_modules() if isinstance(m, FixedEntries | FixedGate)}
    return {f"{name}.{key}": t for name, m in parts.items() for key, t in m.named_buffers()}


def differing_parts(a: nn.Module, b: nn.Module) -> str:
    """The name of a fixed part in which two modules differ, bit for bit; empty where they live in one parameter space.

    >>> make = lambda seed: asymmetrize(nn.Sequential(nn.Linear(4, 3)), n_fix=1, seed=seed)
    >>> differing_parts(make(0), make(0)), differing_parts(make(0), make(1))
    ('', '0.parametrizations.weight.0.mask')
    """
    ours, theirs = fixed_parts(a), fixed_parts(b)
    same = {name for name, t in ours.items() if name in theirs and torch.equal(t, theirs[name])}
    return next((name for name in [*ours, *theirs] if name not in same), "")


def _each(name: str, value: Any, count: int) -> list[Any]:
    value = value.tolist() if isinstance(value, (Tensor, np.ndarray, np.generic)) else value
    if not isinstance(value, Sequence):
        return [value] * count
    if len(value) != count:
        raise ArgumentError(name, f"one number, or one for each of the {count} layers", repr(list(value)))
    return list(value)


def _activations(module: nn.Module) -> dict[str, nn.Module]:
    """The places where activations stand; one that stands in two has two names."""
    return {
        f"{path}.{name}".removeprefix("."): part
        for path, parent in module.named_modules()
        for name, part in parent._modules.items()
        if isinstance(part, GATED)
    }


def _others(module: nn.Module, layer: nn.Module) -> str:
    """The name of another module that has the weight of a layer; empty for none."""
    others = ((n, m) for n, m in module.named_modules() if m is not layer)
    return next((f"'{n}'" for n, m in others if any(p is layer.weight for p in m._parameters.values())), "")


def _gates(module: nn.Module, found: dict[str, nn.Module], generator: torch.Generator, example: Any) -> None:
    """Put a gate in the place of each activation, as wide as what comes there when the module is run on an example."""
    like = next((p for p in module.parameters() if p.is_floating_point()), torch.zeros(()))
    if example is None:
        args = tuple(a.to(like.device, like.dtype) if a.is_floating_point() else a.to(like.device) for a in example_of(module))
    else:
        args = example if isinstance(example, tuple) else (example,)
    for name, part in found.items():
        _put(module, name, copy.deepcopy(part))  # so that one activation in two places is two
    try:
        seen, last = _widths(module, found, args)
    except BaseException:
        for name, part in found.items():
            _put(module, name, part)
        raise
    for name in found:
        _put(module, name, FixedGate(seen[name][0], generator, seen[name][1]).to(like.device, like.dtype))
    for name in last:
        warnings.warn(
            f"'{name}' ({type(found[name]).__name__}) acts on what the module gives, and as a fixed gate changes its range: "
            "name the others in layers= to leave it",
            stacklevel=3,
        )


def _widths(module: nn.Module, names: Iterable[str], args: tuple[Any, ...]) -> tuple[dict[str, tuple[int, int]], list[str]]:
    """Width and axis of what comes to each activation, and those behind which there are no weights."""
    seen: dict[str, tuple[int, int]] = {}
    last: list[str] = []
    axis, axes = -1, 0

    def give(layer: nn.Module, _: Any, output: Any) -> None:
        nonlocal axis, axes
        last.clear()
        if isinstance(layer, CONVOLUTIONS):
            axis, axes = -len(layer.kernel_size) - 1, output.ndim
        elif isinstance(layer, WEIGHTED):
            axis, axes = -1, 0

    def look(name: str) -> Any:
        def hook(_: nn.Module, inputs: tuple[Tensor, ...], __: Any) -> None:
            shape = inputs[0].shape
            own = axis if len(shape) == axes else -1  # flattened channels are features
            if seen.setdefault(name, (shape[own], own)) != (shape[own], own):
                raise ArgumentError("layers", f"one width wherever '{name}' is called", f"{seen[name][0]} and {shape[own]}")
            last.append(name)

        return hook

    handles = [module.get_submodule(name).register_forward_hook(look(name)) for name in names]
    gated = [module.get_submodule(name) for name in names]
    weighted = [m for m in module.modules() if m._parameters and not any(m is part for part in gated)]
    handles += [m.register_forward_hook(give) for m in {*weighted, *(m for m in module.modules() if isinstance(m, WEIGHTED))}]
    try:
        with torch.no_grad(), evaluating(module):
            module(*args)
    finally:
        for handle in handles:
            handle.remove()
    for name in names:
        if name not in seen:
            raise ArgumentError("layers", "activations that the module uses", repr(name))
    return seen, list(dict.fromkeys(last))


def _put(module: nn.Module, name: str, part: nn.Module) -> None:
    path, _, last = name.rpartition(".")
    setattr(module.get_submodule(path), last, part)
