"""How strengths follow from residuals: the symmetry that is kept best keeps its strength, the others are released."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError

#: A strength is divided by this power of the ratio of residuals at most: a residual of zero gives no infinity.
LARGEST_RATIO = 1e4


def tuned_strengths(
    initial: Float[Tensor, " K"], residuals: Float[Tensor, " K"], power: float = 2.0, active: Tensor | None = None
) -> Float[Tensor, " K"]:
    """``initial_k / (r_k / min_j r_j)^power``.

    Args:
        initial: strengths before; a group of strength 0 is only watched and sets no standard for the others.
        residuals: squared distances of the weights from each group's equivariant subspace.
        power: how sharply a worse residual releases a group.
        active: bool ``[K]``, the groups that count for the smallest residual (by default those with a strength).

    Raises:
        ArgumentError: a residual is negative or the shapes differ.

    Source: H. Kim et al., ICML 2023, arXiv:2306.00356.

    >>> tuned_strengths(torch.tensor([100.0, 100.0, 100.0]), torch.tensor([1.0, 2.0, 4.0]))
    tensor([100.0000,  25.0000,   6.2500])
    """
    if initial.shape != residuals.shape:
        raise ArgumentError("residuals", f"one for each strength, {tuple(initial.shape)}", tuple(residuals.shape))
    if power < 0:
        raise ArgumentError("power", "at least 0", repr(power))
    if bool((residuals < 0).any()):
        raise ArgumentError("residuals", "numbers of at least 0", residuals.tolist())
    return released(initial, residuals, power, initial > 0 if active is None else active)


def released(initial: Tensor, residuals: Tensor, power: float, active: Tensor) -> Tensor:
    """The same without checks, in tensors only, so that it can stand in a compiled loop."""
    least = torch.where(active, residuals, torch.inf).min()
    most = residuals.max()
    # With all residuals zero, or no active group at all, nothing is released.
    floor = torch.maximum(torch.where(torch.isfinite(least), least, most), most / LARGEST_RATIO)
    ratio = (residuals / floor.clamp_min(torch.finfo(residuals.dtype).tiny)).clamp(1.0, LARGEST_RATIO)
    return initial / ratio**power


def numbers(strengths: float | Sequence[float] | Mapping[str, float], names: Sequence[str], hard: bool = False) -> dict[str, float]:
    """A strength for each group, from what a user may write.

    Raises:
        ArgumentError: negative, not a number, not one for each group, or infinite where that is not allowed.
    """
    values: dict[str, float]
    if isinstance(strengths, Mapping):
        if set(strengths) != set(names):
            raise ArgumentError("strengths", f"one for each of {', '.join(names)}", ", ".join(map(str, strengths)))
        values = {name: float(strengths[name]) for name in names}
    elif isinstance(strengths, Sequence):
        if len(strengths) != len(names):
            raise ArgumentError("strengths", f"{len(names)} numbers", len(strengths))
        values = {name: float(s) for name, s in zip(names, strengths)}
    else:
        values = dict.fromkeys(names, float(strengths))
    if not all(v >= 0 and (hard or v < math.inf) for v in values.values()):
        raise ArgumentError("strengths", f"{'' if hard else 'finite '}numbers of at least 0", repr(strengths))
    return values
