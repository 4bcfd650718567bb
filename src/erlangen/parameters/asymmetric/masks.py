"""`connection_mask`: which connections of a layer are trained, so that no two of its neurons are alike."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from typing import Literal, get_args

import torch
from jaxtyping import Bool
from torch import Tensor

from erlangen.errors import ArgumentError

MaskKind = Literal["random_subsets", "unique_subsets", "bound_zeros", "densest"]


def connection_mask(
    kind: MaskKind, out: int, inp: int, n_fix: int, generator: torch.Generator | None = None
) -> Bool[Tensor, "out inp"]:
    """A mask with a row for each neuron: True is trained, False is fixed.

    - ``"random_subsets"``: each row fixes a random subset of ``n_fix`` inputs; rows may be alike.
    - ``"unique_subsets"``: the same without repetition.
    - ``"bound_zeros"``: the subsets of ``n_fix`` inputs, then of ``n_fix + 1`` and so on, each size in lexicographic order.
    - ``"densest"``: nothing fixed in the first row, then the subsets of one input, of two and so on; ``n_fix`` does not count.

    Args:
        kind: see above.
        out, inp: neurons and inputs.
        n_fix: fixed inputs of a row.
        generator: of the random kinds; on the CPU, so that masks do not depend on the machine.

    Raises:
        ArgumentError: ``n_fix`` outside of 0 to ``inp - 1``, or fewer subsets than rows.

    Source: D. Lim et al., "The empirical impact of neural parameter symmetries, or lack thereof", NeurIPS 2024, arXiv:2405.20231;
    ``"unique_subsets"`` is ours.

    >>> (~connection_mask("densest", 5, 4, 0)).sum(1)
    tensor([0, 1, 1, 1, 1])
    """
    if kind not in get_args(MaskKind):
        raise ArgumentError("mask", f"one of {', '.join(map(repr, get_args(MaskKind)))}", repr(kind))
    if kind != "densest" and (isinstance(n_fix, bool) or not 0 <= n_fix < inp or n_fix != int(n_fix)):
        raise ArgumentError("n_fix", f"a whole number below the {inp} inputs of a layer", repr(n_fix))
    n_fix = int(n_fix) if kind != "densest" else 0
    smallest, largest = {"densest": (0, inp), "bound_zeros": (n_fix, inp)}.get(kind, (n_fix, n_fix))
    if kind != "random_subsets" and not _enough(range(smallest, largest + 1), inp, out):
        count = sum(math.comb(inp, k) for k in range(smallest, largest + 1))
        raise ArgumentError("mask", f"at least {out} different rows", f"{count} of {kind!r} with {inp} inputs and n_fix={n_fix}")
    if kind == "random_subsets":
        fixed = torch.rand(out, inp, generator=generator, dtype=torch.float64).argsort(dim=1, stable=True)[:, :n_fix]
        return torch.ones(out, inp, dtype=torch.bool).scatter_(1, fixed, False)
    rows: Iterable[tuple[int, ...]]
    if kind == "unique_subsets":
        rows = _unique(out, inp, n_fix, generator)
    else:
        rows = itertools.chain.from_iterable(itertools.combinations(range(inp), k) for k in range(smallest, largest + 1))
    mask = torch.ones(out, inp, dtype=torch.bool)
    for row, subset in zip(mask, itertools.islice(rows, out)):
        row[list(subset)] = False
    return mask


def collide(mask: Tensor) -> bool:
    """Whether two rows of a mask are alike.

    >>> collide(torch.tensor([[True, False], [True, False]]))
    True
    """
    return len(mask.flatten(1).unique(dim=0)) < len(mask)


def _enough(sizes: Iterable[int], inp: int, out: int) -> bool:
    total = 0
    for k in sizes:
        total += math.comb(inp, k)
        if total >= out:
            return True
    return False


def _unique(out: int, inp: int, n_fix: int, generator: torch.Generator | None) -> Iterator[tuple[int, ...]]:
    """Random subsets without repetition: of few all are shuffled, of many new ones are drawn until one is new."""
    if math.comb(inp, n_fix) <= 4 * out:
        every = list(itertools.combinations(range(inp), n_fix))
        yield from (every[i] for i in torch.randperm(len(every), generator=generator).tolist()[:out])
        return
    seen: set[tuple[int, ...]] = set()
    while len(seen) < out:
        order = torch.rand(inp, generator=generator, dtype=torch.float64).argsort(stable=True)
        subset = tuple(sorted(order[:n_fix].tolist()))
        if subset not in seen:
            seen.add(subset)
            yield subset
