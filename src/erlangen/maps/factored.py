"""Maps between two tensors in few steps: what goes through sums is a product of three thin matrices, the rest permutes axes.

Most diagrams sum or repeat values, so that what crosses from input to output is small: from matrices to matrices of twenty things, three
vectors and two numbers on either side. All of these sums together are one matrix product, mixing them is a second, and repeating them over
the output a third. Only diagrams that permute the axes, and sum nothing, are applied as they are.
"""

from __future__ import annotations

import torch
from torch import Tensor

from erlangen.maps.contraction import MOVE, Cost, LinearMaps
from erlangen.maps.precision import Constants

#: What crosses must be so many times smaller than the tensors for this to pay.
_THIN = 4
#: Of products the middle dimension is filled up to a multiple of this, of which they run fastest.
WIDE = 32


def thin(maps: LinearMaps) -> tuple[list[int], list[int]]:
    """The index sets through which little crosses, and the others."""
    (source,), (target,) = maps.sources, maps.targets
    small = [i for i in range(maps.mixes) if _THIN * maps.positions(i) <= min(source.dim, target.dim)]
    return small, [i for i in range(maps.mixes) if i not in small]


def factored(maps: LinearMaps, largest: int) -> Factored | None:
    """The maps so, where something thin crosses and no table has more than ``largest`` numbers.

    >>> from erlangen.groups import Symmetric
    >>> from erlangen.maps import Axis, Space
    >>> h = Axis(Symmetric(20))
    >>> factored(LinearMaps([Space((h, h))], [Space((h, h))]), 10**6).crossing
    (62, 62)
    """
    small, _ = thin(maps)
    sizes = list(zip(map(maps.positions, small), (index.shape for index, _ in maps.only(small).crossings())))
    inner, outer = sum(n * columns for n, (_, columns) in sizes), sum(n * rows for n, (rows, _) in sizes)
    inp, out = maps.sources[0].dim, maps.targets[0].dim
    tables = inner * inp, outer * out, inner * outer * len(maps.terms[0, 0])
    # Sums are written out by making them of the unit tensors.
    return Factored(maps) if min(tables) > 0 and max(*tables, inp * inp) <= largest else None


class Factored:
    """The maps from one tensor to one other, ``spread @ core(weights) @ reduce`` plus permuted axes.

    Args:
        maps: of one source and one target, for which :func:`thin` finds something.

    Attributes:
        crossing: how many numbers reach the middle, and leave it.
        rest: the maps that permute axes; ``None`` where there are none.
        core: how many numbers the core has for each pair of channels, filled up.
        cost: what one datum costs, apart from making the core of the weights.
    """

    def __init__(self, maps: LinearMaps) -> None:
        small, others = thin(maps)
        low = maps.only(small)
        self.rest = maps.only(others) if others else None
        self._permuted = None if self.rest is None else self.rest.permutations()
        self._shape = maps.sources[0].shape
        self._reduce, self._spread = (torch.cat([t.flatten(0, 1) for t in found]) for found in (low.features(), low.spreads()))
        self.crossing = len(self._reduce), len(self._spread)
        terms = len(maps.terms[0, 0])
        self._core = torch.zeros(terms, self.crossing[1], self.crossing[0], dtype=torch.float64)
        rows = columns = 0
        for size, (index, sign) in zip(map(maps.positions, small), low.crossings()):
            at = torch.arange(size)
            for i, j in (index < terms).nonzero().tolist():
                self._core[index[i, j], rows + i * size + at, columns + j * size + at] = float(1 if sign is None else sign[i, j])
            rows, columns = rows + index.shape[0] * size, columns + index.shape[1] * size
        # Zeros fill up what is not a multiple.
        more = [-n % WIDE for n in self.crossing]
        self.core = (self.crossing[1] + more[1]) * (self.crossing[0] + more[0])
        self.cost = self._cost()
        pad = torch.nn.functional.pad
        self._tables = Constants(
            pad(self._reduce, (0, 0, 0, more[0])), pad(self._core, (0, more[0], 0, more[1])), pad(self._spread, (0, 0, 0, more[1]))
        )

    def _cost(self) -> Cost:
        inner, outer = self.crossing
        size = self._spread.shape[1]
        inputs, outputs = inner + self._reduce.numel() // MOVE, outer + self._spread.numel() // MOVE
        if self.rest is None:
            return Cost(6, self.core, inputs, outputs)
        if self._permuted is not None:
            return Cost(6 + 2 * len(self._permuted), self.core, inputs, outputs + 2 * len(self._permuted) * size)
        more = self.rest.cost([1], [1])
        return Cost(6 + more.calls, self.core + more.work, inputs + more.inputs, outputs + more.outputs)

    def apply(self, weights: Tensor, x: Tensor) -> Tensor:
        """``[*batch, C_in, in]`` to ``[*batch, C_out, out]`` with weights ``[dim, C_out, C_in]``."""
        reduce, core, spread = self._tables.like(x)
        _, out, inp = weights.shape
        mixed = weights.flatten(1).mT @ core.flatten(1)
        if out == inp == 1:
            mixed = mixed.view(core.shape[1:])
        else:
            mixed = mixed.view(out, inp, *core.shape[1:]).transpose(1, 2).reshape(out * core.shape[1], inp * core.shape[2])
        data = x.reshape(-1, x.shape[-1])
        middle = (data @ reduce.mT).reshape(-1, mixed.shape[1]) @ mixed.mT
        middle, shape = middle.reshape(-1, core.shape[1]), (*x.shape[:-2], out, spread.shape[1])
        if self._permuted and out == inp == 1:
            tensor = data.reshape(-1, *self._shape)
            (term, axes), *others = self._permuted
            rest = tensor.permute(0, *axes) * weights[term, 0, 0]
            for term, axes in others:
                rest = torch.addcmul(rest, tensor.permute(0, *axes), weights[term, 0, 0])
            return torch.addmm(rest.reshape(len(data), -1), middle, spread).reshape(shape)
        y = (middle @ spread).reshape(shape)
        if self.rest is None:
            return y
        tensor = x.unflatten(-1, self.rest.sources[0].shape) if self.rest.sources[0].shape else x.squeeze(-1)
        (more,) = self.rest.apply({(0, 0): weights}, [tensor])
        return y + more.reshape(y.shape)
