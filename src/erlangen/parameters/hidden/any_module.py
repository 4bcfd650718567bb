"""The batch functional dimension of modules that are no ReLU network, by reverse-mode differentiation of a few inputs at a time."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, jacrev, vmap

from erlangen.errors import ArgumentError
from erlangen.parameters.hidden.ranks import Method, collector_for, decide
from erlangen.parameters.hidden.result import FunctionalDimension, Progress


def of_module(
    model: nn.Module, x: Any, method: Method, generator: torch.Generator, progress: Progress | None
) -> FunctionalDimension:
    """The batch functional dimension of any differentiable module; for arguments see :func:`batch_functional_dimension`.

    >>> net = nn.Sequential(nn.Linear(1, 2), nn.Tanh(), nn.Linear(2, 1))
    >>> of_module(net, torch.linspace(-2, 2, 9).unsqueeze(1), "svd", torch.Generator(), None).num_params
    7
    """
    if method == "exact":
        raise ArgumentError("method", "'auto', 'svd' or 'sketch' for a module that is no ReLU network", "'exact'")
    x = torch.as_tensor(x).detach()
    x = x.to("cpu", torch.float64) if x.is_floating_point() else x.cpu()
    if x.ndim < 1 or not len(x):
        raise ArgumentError("x", "inputs [N, ...]", f"shape {tuple(x.shape)}")
    copied = copy.deepcopy(model).to("cpu", torch.float64).eval()
    params = {name: p.detach() for name, p in copied.named_parameters()}
    buffers = {name: b.detach() for name, b in copied.named_buffers()}
    if not params:
        raise ArgumentError("model", "a module with parameters", "none")
    for name, p in params.items():
        if not bool(torch.isfinite(p).all()):
            raise ArgumentError("model", "finite parameters", f"NaN or infinity in {name}")
    columns = sum(p.numel() for p in params.values())

    def outputs(weights: dict[str, Tensor], one: Tensor) -> Tensor:
        return functional_call(copied, (weights, buffers), (one.unsqueeze(0),)).flatten()

    try:
        size = outputs(params, x[0]).numel()
    except RuntimeError as error:
        raise ArgumentError("x", "inputs [N, ...] that the model takes", f"shape {tuple(x.shape)}", str(error)) from error
    collector, name = collector_for(method, len(x) * size, columns, generator)
    step = max(1, 256 // size)

    def rows(weights: dict[str, Tensor], some: Tensor) -> Tensor:
        parts = vmap(jacrev(outputs), (None, 0))(weights, some)
        block = torch.cat([parts[key].flatten(2) for key in params], -1).flatten(0, 1)
        length = block.norm(dim=-1, keepdim=True)
        return block / torch.where(length > 0, length, 1.0)

    for start in range(0, len(x), step):
        collector.add(rows(params, x[start : start + step]))
        if progress is not None:
            progress(min(start + step, len(x)) * size, len(x) * size)
    factor = collector.factor()
    # Columns of one size, for inputs may be on different scales; but not those that are rounding.
    sizes = factor.norm(dim=0)
    small = sizes <= max(factor.shape) * torch.finfo(torch.float64).eps * float(sizes.max())
    if bool((small & (sizes > 0)).any()):
        small &= ~_is_derivative(rows, params, x[:step], generator)
    sizes = torch.where(small, float(sizes.max()) or 1.0, sizes)
    factor = factor / sizes
    found = decide(factor)
    doubtful = found.rank < columns and not found.clear
    if doubtful:
        warnings.warn(f"no clear gap of singular values decides the rank {found.rank}, which is a lower bound", stacklevel=4)
    return FunctionalDimension(
        what="batch functional dimension",
        dim=found.rank,
        num_params=columns,
        num_hidden=0,
        orbit_dim=0,
        method=name,
        gap=found.gap,
        num_points=len(x),
        num_points_used=len(x),
        num_on_kinks=0,
        num_regions=0,
        is_lower_bound=doubtful,
        _factor=factor,
        _sizes=sizes,
    )


def _is_derivative(
    rows: Callable[[dict[str, Tensor], Tensor], Tensor], params: dict[str, Tensor], some: Tensor, generator: torch.Generator
) -> Tensor:
    """Which columns hold derivatives and which rounding: those hardly change with the last digits of the parameters, this altogether."""
    nearby = {key: p * (1 + 1e-12 * torch.randn(p.shape, generator=generator, dtype=p.dtype)) for key, p in params.items()}
    before, after = rows(params, some), rows(nearby, some)
    return (after - before).norm(dim=0) < 1e-3 * before.norm(dim=0)
