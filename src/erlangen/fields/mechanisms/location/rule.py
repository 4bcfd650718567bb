"""`Rule`: any callable as a mechanism, with its answers looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.fields.mechanisms.location.mechanism import Mechanism

#: Profiles are given to a mechanism so many numbers at a time.
CHUNK = 4_000_000


class Rule(Mechanism):
    """A function of one's own as a mechanism.

    Args:
        function: profiles ``[*batch, n, d]`` to places ``[*batch, k, d]`` (or ``[*batch, d]`` of one place).
        name: for people; by default the function's.
        tensors: whether it takes tensors; by default arrays of NumPy.

    >>> Rule(lambda X: X[..., :1, :], "the first")(torch.tensor([[1.0], [2.0]])).item()
    1.0
    """

    def __init__(self, function: Callable[[Any], Any], name: str = "", tensors: bool = False) -> None:
        if not callable(function):
            raise ArgumentError("mechanism", "a callable: profiles [*batch, n, d] to places [*batch, k, d]", repr(function))
        self.function, self.tensors = function, tensors
        self.name = name or getattr(function, "__name__", type(function).__name__)

    def locate(self, x: Float[Tensor, "*batch n d"]) -> Float[Tensor, "*batch k d"]:
        y = self.function(x if self.tensors else x.detach().numpy())
        try:
            y = torch.as_tensor(y).to(x.dtype)
        except (TypeError, ValueError, RuntimeError) as problem:
            raise ArgumentError("mechanism", "one that gives an array of places", f"{type(y).__name__}: {problem}") from None
        if y.shape == (*x.shape[:-2], x.shape[-1]):
            y = y.unsqueeze(-2)
        if y.ndim != x.ndim or y.shape[:-2] != x.shape[:-2] or y.shape[-1] != x.shape[-1] or not y.shape[-2]:
            raise ArgumentError(
                "mechanism",
                f"one that gives places [*batch, k, {x.shape[-1]}] for profiles of shape {tuple(x.shape)}",
                f"shape {tuple(y.shape)}",
            )
        return y


def as_mechanism(mechanism: Any, tensors: bool = False) -> Mechanism:
    """A mechanism as it is, and a callable as a :class:`Rule`."""
    return mechanism if isinstance(mechanism, Mechanism) else Rule(mechanism, tensors=tensors)


def outcomes_of(mechanism: Mechanism, x: Float[Tensor, "*batch n d"]) -> Float[Tensor, "*batch outcomes k d"]:
    """All outcomes of equal chance, for many profiles a part at a time.

    Raises:
        ArgumentError: a place is not finite.
    """
    batch, (n, d) = x.shape[:-2], x.shape[-2:]
    flat = x.reshape(-1, n, d)
    parts = [mechanism.lottery(part) for part in flat.split(max(1, CHUNK // (n * d)))]
    y = torch.cat(parts) if parts else mechanism.lottery(flat)
    if not bool(torch.isfinite(y).all()):
        raise ArgumentError("mechanism", "one that gives finite places", f"{float(y[~torch.isfinite(y)][0])}")
    return y.reshape(*batch, *y.shape[1:])


def expected_costs(
    x: Float[Tensor, "*batch n d"], y: Float[Tensor, "*batch outcomes k d"], norm: float
) -> Float[Tensor, "*batch n"]:
    """What each agent pays, on average over outcomes of equal chance."""
    from erlangen.fields.mechanisms.location.profiles import agent_costs

    return agent_costs(x.unsqueeze(-3), y, norm).mean(-2)
