"""Two-point correlations: how often phase ``b`` stands at ``p + r`` where phase ``a`` stands at ``p``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy import fft
from torch import Tensor

from erlangen.errors import ArgumentError, unsupported
from erlangen.fields.microstructures.structure import as_labels, as_structure, like

#: How far from whole a count may come out of the Fourier transform, and a sum of squared counts.
ROUNDING = 0.25


def phase_pairs(n: int, pairs: Literal["independent", "all"] = "independent") -> list[tuple[int, int]]:
    """Pairs of phases: all ``n^2``, or the ``n (n - 1) / 2`` with ``a <= b < n``, which determine the others.

    >>> phase_pairs(3)
    [(1, 1), (1, 2), (2, 2)]
    """
    if pairs == "all":
        return [(a, b) for a in range(1, n + 1) for b in range(1, n + 1)]
    if pairs != "independent":
        raise ArgumentError("pairs", "'independent' or 'all'", repr(pairs))
    return [(a, b) for a in range(1, n) for b in range(a, n)]


def two_point(
    S: Any, pairs: Literal["independent", "all"] = "independent", *, normalise: bool = False, dims: int | None = None
) -> Any:
    """``C_ab[r] = sum_p [S(p) = a] [S(p + r) = b]``, periodically, by ``n - 1`` Fourier transforms.

    Args:
        S: phases 1 .. n, ``[*batch, *P]``; each member of a batch has all phases.
        pairs: which ``(a, b)``, in the order of :func:`phase_pairs`.
        normalise: divide by the number of sites.
        dims: how many axes the grid has; by default all of ``S``.

    Returns:
        counts ``[*batch, pairs, *P]``, int64 (float64 where normalised), as a tensor for a tensor.

    Raises:
        ArgumentError: ``S`` is no structure.
        UnsupportedError: the grid is so large that counts could not be rounded for certain.

    >>> two_point([1, 1, 2, 1, 2, 2])
    array([[3, 1, 1, 2, 1, 1]])
    """
    n, axes, hats, batch, shape = _transforms(S, dims)
    wanted = phase_pairs(n, pairs)
    if not wanted:  # one phase: nothing is free
        return like(S, np.zeros((*batch, 0, *shape), np.float64 if normalise else np.int64))
    if pairs == "all":
        last = -hats.sum(len(batch), keepdims=True)
        last[(..., *(0,) * len(shape))] += np.prod(shape)
        hats = np.concatenate([hats, last], len(batch))
    pick = np.moveaxis(hats, len(batch), 0)
    products = np.stack([pick[a - 1].conj() * pick[b - 1] for a, b in wanted], len(batch))
    whole = _whole(fft.irfftn(products, s=shape, axes=axes))
    return like(S, whole / np.prod(shape) if normalise else whole.astype(np.int64))


def _transforms(S: Any, dims: int | None) -> tuple[int, tuple[int, ...], np.ndarray, tuple[int, ...], tuple[int, ...]]:
    """The number of phases, the grid's axes, the transforms ``[*batch, n - 1, *half]``, the batch's and the grid's shape."""
    array = as_labels(S, "S")
    dims = array.ndim if dims is None else dims
    if not isinstance(dims, (int, np.integer)) or not 1 <= dims <= array.ndim:
        raise ArgumentError("dims", f"a number of axes from 1 to {array.ndim}, those of S", repr(dims))
    batch, shape = array.shape[: array.ndim - dims], array.shape[array.ndim - dims :]
    n = int(array.max())
    for member in array.reshape(-1, *shape):
        if int(as_structure(member).max()) != n:
            raise ArgumentError("S", f"all of {n} phases in each of a batch", f"one of {int(member.max())}")
    axes = tuple(range(-dims, 0))
    masks = array[(..., None, *(slice(None),) * dims)] == np.arange(1, n).reshape(-1, *(1,) * dims)
    return n, axes, fft.rfftn(masks.astype(np.float64), axes=axes), batch, shape


def two_point_differences(
    a: np.ndarray, b: np.ndarray, pairs: Sequence[tuple[int, int]]
) -> Iterator[tuple[tuple[int, int], np.ndarray]]:
    """How many counts ``[*P]`` more ``a`` has than ``b``, of one shape, for each pair of phases; pairs without a difference are left out.

    Whether a difference vanishes is seen without a transform back: by Parseval the squares of its transform sum to ``N`` times those of
    whole numbers, to 0 or to at least ``N``.
    """
    axes = tuple(range(a.ndim))
    hats = {
        p: [fft.rfftn((x == p).astype(np.float64), axes=axes) for x in (a, b)] for p in sorted({p for pair in pairs for p in pair})
    }
    for p, q in pairs:
        (f, g), (f_q, g_q) = hats[p], hats[q]
        difference = f.conj() * f_q - g.conj() * g_q
        # Half of the spectrum has at least half of the sum.
        if np.vdot(difference, difference).real < ROUNDING * a.size / 2:
            continue
        yield (p, q), _whole(fft.irfftn(difference[None], s=a.shape, axes=tuple(axis + 1 for axis in axes)))[0].astype(np.int64)


def _whole(numbers: np.ndarray) -> np.ndarray:
    """Counts that came out of a Fourier transform, rounded.

    Raises:
        UnsupportedError: one is too far from whole.
    """
    whole = np.rint(numbers)
    if np.abs(numbers - whole).max() > ROUNDING:
        unsupported(f"a grid of shape {numbers.shape[1:]}", "counts that can be rounded for certain", "use a smaller one")
    return whole


def soft_two_point(indicators: Float[Tensor, "*batch n ..."], dims: int) -> Float[Tensor, "*batch n n ..."]:
    """All correlations of soft indicators (densities of phases), differentiable: for reconstruction by gradient.

    Args:
        indicators: densities ``[*batch, n, *P]``, real.
        dims: how many axes the grid has.

    Returns:
        ``[*batch, n, n, *P]``, entry ``a, b``; of 0/1 indicators the counts of :func:`two_point`.

    >>> masks = torch.tensor([[1.0, 1, 0, 0], [0, 0, 1, 1]])
    >>> soft_two_point(masks, 1)[0, 0].round().tolist()
    [2.0, 1.0, 0.0, 1.0]
    """
    if not indicators.is_floating_point() or indicators.ndim <= dims or dims < 1:
        raise ArgumentError(
            "indicators", f"floating-point numbers [*batch, n, *P] with {dims} axes P", str(tuple(indicators.shape))
        )
    axes = tuple(range(-dims, 0))
    hats = torch.fft.rfftn(indicators, dim=axes)
    products = hats.conj().unsqueeze(-dims - 1) * hats.unsqueeze(-dims - 2)
    return torch.fft.irfftn(products, s=indicators.shape[-dims:], dim=axes)


def direct_two_point(S: Any) -> Int[np.ndarray, "n n ..."]:
    """All correlations by counting, one shift after another, ``[n, n, *P]``: slow, and without a Fourier transform.

    >>> direct_two_point([1, 1, 2, 1, 2, 2])[0, 0]
    array([3, 1, 1, 2, 1, 1])
    """
    array = as_structure(S)
    n, axes = int(array.max()), tuple(range(array.ndim))
    counts = np.zeros((n, n, *array.shape), np.int64)
    for r in np.ndindex(array.shape):
        seen = np.roll(array, [-s for s in r], axes)
        counts[(..., *r)] = np.bincount((array * (n + 1) + seen).reshape(-1), minlength=(n + 1) ** 2).reshape(n + 1, n + 1)[1:, 1:]
    return counts
