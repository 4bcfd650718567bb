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

    A generator is only defined up to maps that vanish on the span, so it is looked for there. Each component counts by its own scale, for
    units are no property of a span.

    >>> x = torch.randn(100, 2, dtype=torch.float64)
    >>> data_span(torch.cat([x, -x], 1)).shape
    torch.Size([4, 2])
    """
    flat = tokens.detach().reshape(-1, tokens.shape[-1]).to(torch.float64).cpu()
    scale = flat.square().mean(0).sqrt()
    scale = torch.where(scale > 0, scale, 1.0)
    values, vectors = torch.linalg.eigh((flat / scale).mT @ (flat / scale))
    sizes = values.clamp_min(0).sqrt()
    return torch.linalg.qr(scale[:, None] * vectors[:, sizes > tolerance * sizes[-1]]).Q


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


def warn_dependent(tokens: Float[Tensor, "*samples n"]) -> int:
    """Warn of components that are the same, or combinations of others: data on a subspace. Returns its dimension.

    >>> x = torch.randn(50, 2)
    >>> with warnings.catch_warnings(record=True) as told:
    ...     rank = warn_dependent(torch.cat([x, x[:, :1]], 1))
    >>> rank, str(told[0].message)[:45]
    (2, 'components 0 and 2 are the same: the data spa')
    """
    n, rank = tokens.shape[-1], data_span(tokens).shape[1]
    if rank < n:
        flat = tokens.detach().reshape(-1, n)
        same = [f"{i} and {j}" for i in range(n) for j in range(i + 1, n) if bool((flat[:, i] == flat[:, j]).all())]
        what = f"components {', '.join(same)} are the same" if same else "components are combinations of others"
        warnings.warn(
            f"{what}: the data span {rank} of {n} dimensions, and a generator is only known up to maps that vanish there; drop "
            "components, or let er.discover search on the span",
            stacklevel=4,
        )
    return rank
