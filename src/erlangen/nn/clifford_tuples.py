"""The tuples that attention runs over: all ordered ones, as blocks of a grid, or one for all orders that make no difference."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache

import torch
from jaxtyping import Float, Int
from torch import Tensor

Block = tuple[slice, ...]
#: In how many orders a tuple comes whose members are one point, two, three.
ORDERS = {2: (1, 2), 3: (1, 3, 6)}


def grid_blocks(n: int, rank: int, chunk: int | None) -> Iterator[Block]:
    """Slices of the axes of ``n^rank`` tuples, at most ``chunk`` tuples each, in order.

    >>> [[(s.start, s.stop) for s in block] for block in grid_blocks(4, 2, 8)]
    [[(0, 2), (0, 4)], [(2, 4), (0, 4)]]
    """
    if rank == 0:
        yield ()
        return
    rest = n ** (rank - 1)
    width = n if chunk is None else max(1, min(n, chunk // rest if rest else n))
    for start in range(0, n, width or 1):
        for after in grid_blocks(n, rank - 1, None if chunk is None or rest <= chunk else chunk):
            yield (slice(start, min(start + width, n)), *after)


@lru_cache(maxsize=64)
def unordered(n: int, rank: int, signed: bool) -> tuple[Int[Tensor, "rank U"], Float[Tensor, "U n"], Float[Tensor, " U"]]:
    """One tuple for all orders that the product of its vectors has the same invariants for.

    Of two vectors the order makes no difference, of three it makes one to the sign of the trivector: even orders have one, odd ones the
    other, and it is zero where two are the same.

    Args:
        n, rank: tuples of 2 or 3 of ``n`` points.
        signed: whether the sign counts.

    Returns:
        the tuples; what share of each is each point; how many orders each stands for.

    >>> members, share, orders = unordered(3, 2, True)
    >>> members.T.tolist(), orders.tolist()
    ([[0, 0], [0, 1], [0, 2], [1, 1], [1, 2], [2, 2]], [1.0, 2.0, 2.0, 1.0, 2.0, 1.0])
    """
    members: list[tuple[int, ...]] = [()]
    for _ in range(rank):
        members = [(*c, i) for c in members for i in range(c[-1] if c else 0, n)]
    orders = [ORDERS[rank][len(set(c)) - 1] for c in members]
    if rank == 3 and signed:
        odd: list[tuple[int, ...]] = [(j, i, k) for i, j, k in members if i < j < k]
        orders = [min(o, 3) for o in orders] + [3] * len(odd)
        members = members + odd
    with torch.inference_mode(False):
        index = torch.tensor(members).reshape(-1, rank)
        share = torch.zeros(len(members), n, dtype=torch.float64)
        share = share.scatter_add(1, index, torch.full(index.shape, 1 / rank, dtype=torch.float64))
        return index.T.contiguous(), share, torch.tensor(orders, dtype=torch.float64)


def pooled(
    logits: Float[Tensor, "*batch G R"], values: Float[Tensor, "*batch R C"]
) -> tuple[Float[Tensor, "*batch G C"], Float[Tensor, "*batch G"]]:
    """``softmax(logits) @ values``, and the logarithm of the sum of exponentials; zeros, and minus infinity, where all logits are that.

    What several blocks give is put together by the same function: their logarithms are the logits, their sums the values.

    >>> y, whole = pooled(torch.tensor([[0.0, 0.0]]), torch.tensor([[1.0], [3.0]]))
    >>> y, whole.exp()
    (tensor([[2.]]), tensor([2.]))
    """
    top = logits.detach().amax(-1, keepdim=True)
    top = torch.where(top.isinf(), 0.0, top)
    weights = (logits - top).exp()
    total = weights.sum(-1, keepdim=True)
    none = total == 0
    total = torch.where(none, 1.0, total)
    y = (weights.to(values.dtype) @ values) / total.to(values.dtype)
    return y, torch.where(none, -math.inf, total.log() + top).squeeze(-1)


def attention_weights(logits: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch R"]:
    """The softmax; zeros where all logits are minus infinity.

    >>> attention_weights(torch.full((2,), -math.inf))
    tensor([0., 0.])
    """
    none = logits.isinf().all(-1, keepdim=True)
    return torch.where(none, 0.0, torch.where(none, 0.0, logits).softmax(-1))
