"""Profiles, outcomes and costs: who is where, which places were chosen, and how far everybody has to go."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError

#: What the society pays: the sum of all costs, the largest one, or their p-norm.
Objective = Literal["total", "maximum"] | float
_NORMS = {"manhattan": 1.0, "euclidean": 2.0, "maximum": math.inf}


def norm_order(norm: Any, argument: str = "norm") -> float:
    """The order ``p`` of a norm: a number of at least 1, infinity, or its name.

    >>> norm_order("manhattan"), norm_order(2), norm_order("inf")
    (1.0, 2.0, inf)
    """
    if isinstance(norm, str) and norm.lower() in _NORMS:
        return _NORMS[norm.lower()]
    try:
        p = float(norm)
    except (TypeError, ValueError):
        p = math.nan
    if isinstance(norm, bool) or not p >= 1:
        raise ArgumentError(argument, "a norm: a number of at least 1, inf, 'euclidean', 'manhattan' or 'maximum'", repr(norm))
    return p


def as_profiles(X: Any, argument: str = "X") -> tuple[Float[Tensor, "*batch n d"], Callable[[Tensor], Any]]:
    """Profiles as a tensor of floating-point numbers, and what makes the answer the caller's kind (an array of NumPy, or a tensor).

    Raises:
        ArgumentError: not at least one point with at least one coordinate, or coordinates that are not finite.
    """
    back: Callable[[Tensor], Any]
    if isinstance(X, Tensor):
        x, back = X, _same
    else:
        try:
            array = np.asarray(X)
            if np.iscomplexobj(array):
                raise TypeError("complex numbers")
            array = array if array.dtype in (np.float32, np.float64) else array.astype(np.float64)
        except (TypeError, ValueError) as problem:
            raise ArgumentError(argument, "numbers [*batch, n, d]", f"{type(X).__name__}: {problem}") from None
        x, back = torch.from_numpy(np.ascontiguousarray(array)), _numpy
    if x.is_complex():
        raise ArgumentError(argument, "numbers [*batch, n, d]", f"{x.dtype}")
    if not x.is_floating_point():
        x = x.to(torch.float64)
    if x.ndim < 2 or x.shape[-2] < 1 or x.shape[-1] < 1:
        raise ArgumentError(
            argument, "profiles [*batch, n, d] of at least one person and one coordinate", f"shape {tuple(x.shape)}"
        )
    if not torch.compiler.is_compiling() and not bool(torch.isfinite(x.detach()).all()):
        where = tuple((~torch.isfinite(x)).nonzero()[0].tolist())
        raise ArgumentError(argument, "finite coordinates", f"{float(x[where])} at {list(where)}")
    return x, back


def _same(y: Tensor) -> Tensor:
    return y


def _numpy(y: Tensor) -> np.ndarray:
    return y.detach().numpy()


def distances(x: Float[Tensor, "*batch n d"], y: Float[Tensor, "*batch k d"], norm: float = 2) -> Float[Tensor, "*batch n k"]:
    """How far each point is from each place, in the p-norm."""
    difference = x.unsqueeze(-2) - y.unsqueeze(-3)
    if difference.shape[-1] == 1:
        return difference.squeeze(-1).abs()
    return torch.linalg.vector_norm(difference, ord=norm, dim=-1)


def agent_costs(x: Float[Tensor, "*batch n d"], y: Float[Tensor, "*batch k d"], norm: float = 2) -> Float[Tensor, "*batch n"]:
    """What each agent pays: the distance to the nearest place."""
    return distances(x, y, norm).amin(-1)


def social_cost(costs: Float[Tensor, "*batch n"], objective: Objective = "total") -> Float[Tensor, "*batch"]:
    """The sum of all costs (``"total"``), the largest (``"maximum"``), or their q-norm (a number q of at least 1).

    >>> social_cost(torch.tensor([3.0, 4.0]), 2).item()
    5.0
    """
    if objective == "total":
        return costs.sum(-1)
    if objective == "maximum":
        return costs.amax(-1)
    if isinstance(objective, str):
        raise ArgumentError("objective", "'total', 'maximum' or the order of a norm", repr(objective))
    return torch.linalg.vector_norm(costs, ord=norm_order(objective, "objective"), dim=-1)


def spread(x: Float[Tensor, "*batch n d"]) -> Float[Tensor, "*batch"]:
    """The size of each profile, by which tolerances are measured: the longest side of its bounding box."""
    return (x.amax(-2) - x.amin(-2)).amax(-1)


def draw(
    count: int, n: int, d: int, *, law: Literal["normal", "uniform", "mixed"] = "mixed", generator: torch.Generator
) -> Float[Tensor, "count n d"]:
    """Random profiles in float64: normal, uniform in the cube, or ``"mixed"``: a third each of these and of whole numbers with ties."""
    normal = torch.randn(count, n, d, generator=generator, dtype=torch.float64)
    if law == "normal":
        return normal
    uniform = torch.rand(count, n, d, generator=generator, dtype=torch.float64)
    if law == "uniform":
        return uniform
    tied = torch.randint(0, 5, (count, n, d), generator=generator).to(torch.float64)
    kind = torch.arange(count).view(-1, 1, 1) % 3
    return torch.where(kind == 0, normal, torch.where(kind == 1, uniform, tied))
