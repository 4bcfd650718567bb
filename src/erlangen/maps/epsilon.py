"""The alternating tensor: signs of permutations, and the sparse signed sums by which a head acts."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from erlangen.errors import ArgumentError

#: Largest axis that a head may tie: its tensor has n! entries.
LARGEST = 10
#: A head whose matrix has at most this many entries is applied as one.
_DENSE = 4096


def check_size(n: int) -> None:
    """Refuse axes whose alternating tensor is too large."""
    if n > LARGEST:
        raise ArgumentError(
            "n",
            f"at most {LARGEST} where maps have a head",
            repr(n),
            f"the alternating tensor has n! = {math.factorial(n)} entries",
        )


@lru_cache(maxsize=LARGEST)
@torch.inference_mode(False)  # what is kept must serve training too
def signed_permutations(n: int) -> tuple[Tensor, Tensor]:
    """All permutations of ``0 .. n-1`` in lexicographic order, ``[n!, n]``, and their signs ``[n!]`` (int8).

    >>> signed_permutations(3)[1].tolist()
    [1, -1, -1, 1, 1, -1]
    """
    check_size(n)
    rows = np.array(list(itertools.permutations(range(n))), dtype=np.int64).reshape(-1, n)
    return torch.from_numpy(rows), torch.from_numpy(_signs(rows).astype(np.int8))


def alternating_tensor(n: int, order: int) -> Tensor:
    """The alternating tensor with ``order`` axes of length n (int64): ``order`` is n, or n-1 with the last axis summed.

    >>> alternating_tensor(3, 2)
    tensor([[ 0,  1, -1],
            [-1,  0,  1],
            [ 1, -1,  0]])
    """
    permutations, signs = signed_permutations(n)
    tensor = torch.zeros((n,) * n, dtype=torch.int64)
    tensor[tuple(permutations.T)] = signs.long()
    return tensor if order == n else tensor.sum(-1)


@dataclass(frozen=True)
class SignedSum:
    """``y[row] = sum_t sign[row, t] x[index[row, t]]`` over a flattened axis; ``place`` spreads rows over the output, -1 for zero.

    Both tables are sparse where a head's tensor is dense: sums over the orders of the legs come first, then each output entry picks
    the few sums that belong to it.
    """

    index: Tensor
    sign: Tensor
    place: Tensor | None = None

    def __call__(self, x: Tensor) -> Tensor:
        y = (x[..., self.index.to(x.device)] * self.sign.to(x.device, x.dtype)).sum(-1)
        if self.place is None:
            return y
        return torch.cat([y, torch.zeros_like(y[..., :1])], -1)[..., self.place.to(x.device)]


@dataclass(frozen=True, eq=False)
class Alternation:
    """A head on flattened axes: (shared.., legs..) to (shared.., new..); see :func:`alternation`.

    ``terms`` is how many numbers it adds up for one entry. Small ones are one matrix product, large ones two sparse signed sums.
    """

    sums: tuple[SignedSum, SignedSum]
    terms: int
    matrix: Tensor | None

    def __call__(self, x: Tensor) -> Tensor:
        if self.matrix is not None:
            return x @ self.matrix.to(x.device, x.dtype)
        first, second = self.sums
        return second(first(x))


@lru_cache(maxsize=256)
@torch.inference_mode(False)
def alternation(n: int, shared: int, new: int, legs: int) -> Alternation:
    """``y[s, u] = sum_b eps(s, u, b) x[s, b]`` with ``shared + new + legs`` equal to n, or to n-1 with one more index summed.

    >>> alternation(3, 0, 1, 2)(torch.tensor([0.0, 1, 0, 0, 0, 0, 0, 0, 0]))          # e1 x e2
    tensor([0., 0., 1.])
    """
    sums = _signed_sums(n, shared, new, legs)
    terms = sums[0].sign.numel() * sums[1].sign.shape[1]
    rows = n ** (shared + legs)
    matrix = None
    if rows * n ** (shared + new) <= _DENSE:
        matrix = sums[1](sums[0](torch.eye(rows)))
    return Alternation(sums, terms, matrix)


def _signed_sums(n: int, shared: int, new: int, legs: int) -> tuple[SignedSum, SignedSum]:
    check_size(n)
    subsets = list(itertools.combinations(range(n), legs))
    number = {b: i for i, b in enumerate(subsets)}
    orders = list(itertools.permutations(range(legs)))
    order_signs = _signs(np.array(orders, dtype=np.int64).reshape(len(orders), legs))
    # First: antisymmetrise the legs, for each value of the shared axes and each set of legs that avoids them.
    first: list[list[int]] = []
    position: dict[tuple[tuple[int, ...], int], int] = {}
    for s in itertools.permutations(range(n), shared):
        for b in subsets:
            if set(s).isdisjoint(b):
                position[s, number[b]] = len(first)
                first.append([_flat((*s, *(b[i] for i in order)), n) for order in orders])
    antisymmetrise = SignedSum(torch.tensor(first, dtype=torch.int64), torch.from_numpy(order_signs))
    # Then: each output entry takes the sets of legs that complete it to a permutation.
    index, words, place = [], [], torch.full((n ** (shared + new),), -1, dtype=torch.int64)
    for values in itertools.permutations(range(n), shared + new):
        rest = tuple(v for v in range(n) if v not in values)
        completions = list(itertools.combinations(rest, legs))
        index.append([position[values[:shared], number[b]] for b in completions])
        words += [(*values, *b, *(v for v in rest if v not in b)) for b in completions]
        place[_flat(values, n)] = len(index) - 1
    sign = torch.from_numpy(_signs(np.array(words, dtype=np.int64).reshape(len(words), n))).reshape(len(index), -1)
    spread = SignedSum(torch.tensor(index, dtype=torch.int64), sign, place)
    return antisymmetrise, spread


def _flat(values: tuple[int, ...], n: int) -> int:
    flat = 0
    for v in values:
        flat = flat * n + v
    return flat


def _signs(rows: np.ndarray) -> np.ndarray:
    """Signs of permutations [m, n], from their inversions."""
    count = rows.shape[1]
    signs = np.ones(len(rows), dtype=np.int64)
    for i in range(count):
        for j in range(i + 1, count):
            signs *= np.where(rows[:, i] > rows[:, j], -1, 1)
    return signs
