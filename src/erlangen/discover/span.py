"""Where the data live: their linear span, constant features, and what follows for what can be identified."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.groups.algebra import LieAlgebra


def data_span(tokens: Float[Tensor, "*samples n"], tolerance: float = 1e-6) -> Float[Tensor, "n r"]:
    """An orthonormal basis of the span of tokens, as columns: all of space for generic data.

    A generator is only defined up to maps that vanish on the span, so it is looked for there.

    >>> x = torch.randn(100, 2, dtype=torch.float64)
    >>> data_span(torch.cat([x, -x], 1)).shape
    torch.Size([4, 2])
    """
    flat = tokens.detach().reshape(-1, tokens.shape[-1]).to(torch.float64).cpu()
    values, vectors = torch.linalg.eigh(flat.mT @ flat)
    sizes = values.clamp_min(0).sqrt()
    return vectors[:, sizes > tolerance * sizes[-1]]


def lift(algebra: LieAlgebra, span: Float[Tensor, "n r"]) -> LieAlgebra:
    """An algebra on the span as one on all of space that does nothing across it."""
    return LieAlgebra(span @ algebra.basis @ span.mT, algebra.name)


def warn_constants(tokens: Float[Tensor, "*samples n"], names: Sequence[str] = ()) -> list[str]:
    """Warn of components that never change: their part of a generator cannot be identified. Returns what they are called."""
    flat = tokens.detach().reshape(-1, tokens.shape[-1]).to(torch.float64)
    constant = (flat.amax(0) == flat.amin(0)).nonzero().flatten().tolist()
    called = [names[i] if names else f"component {i}" for i in constant]
    if called:
        warnings.warn(f"{', '.join(called)}: constant, so its part of a generator cannot be identified", stacklevel=3)
    return called
