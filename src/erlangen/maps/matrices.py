"""Equivariant maps as the numeric solver finds them: a basis of matrices, or orbits of their entries."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.maps.constraints import allow
from erlangen.maps.orbits import Orbits
from erlangen.maps.precision import in_float32, narrow


class MatrixMaps:
    """The span of ``basis`` [dim, out, in]; see :class:`erlangen.maps.EquivariantMaps`, which chooses it."""

    def __init__(self, basis: Float[Tensor, "dim out inp"]) -> None:
        self._basis = basis
        self.dim = len(basis)

    def prepare(self) -> None:
        """Nothing is left to do."""

    def labels(self) -> tuple[str, ...]:
        return tuple(f"#{i + 1}" for i in range(self.dim))

    def dense(self) -> Tensor:
        return self._basis

    def apply(self, weights: Tensor, x: Tensor, counts: object = None) -> Tensor:
        """``[*batch, C_in, in]`` to ``[*batch, C_out, out]`` with weights ``[dim, C_out, C_in]``."""
        low = narrow(x)
        if low is not None:
            return in_float32(self.apply, weights, x).to(low)
        return multiply_out(self._basis.to(x.device, x.dtype), weights, x)

    def combine(self, coefficients: Tensor) -> Tensor:
        """The matrix ``[out, in]`` with these coefficients, in float64."""
        return torch.tensordot(coefficients, self._basis, 1)

    def coefficients(self, m: Tensor) -> Tensor:
        if not self.dim:
            return m.new_zeros(0)
        return torch.linalg.lstsq(self._basis.flatten(1).mT, m.flatten().unsqueeze(-1), driver="gelsd").solution.squeeze(-1)

    def deviations(self) -> Tensor:
        energy = self._basis.square().sum(-1)  # of each map in each output entry
        size = energy.sum(-1, keepdim=True)
        share = energy / size
        return (size.squeeze(-1) * (share @ share.sum(0))) ** -0.5


class OrbitMaps:
    """The maps whose entries are equal, up to signs, on the orbits of a group of signed permutations.

    Weights are looked up at the entries: the basis, as many matrices as there are orbits, is never written out, so that the complete
    circulant layer of a thousand things costs as much as one matrix.

    Args:
        blocks: for blocks of the matrix their rows, columns and orbits.
        outputs, inputs: the size of the matrix.
    """

    def __init__(self, blocks: Sequence[tuple[slice, slice, Orbits]], outputs: int, inputs: int) -> None:
        self.dim = sum(orbits.count for _, _, orbits in blocks)
        labels = torch.full((outputs, inputs), self.dim)  # one past the last: no map reaches this entry
        signs = torch.ones(outputs, inputs, dtype=torch.int8)
        start = 0
        for rows, columns, orbits in blocks:
            own = orbits.labels.view(rows.stop - rows.start, columns.stop - columns.start)
            labels[rows, columns] = torch.where(own < 0, self.dim, own + start)
            signs[rows, columns] = orbits.signs.view_as(own)
            start += orbits.count
        self._labels, self._shape = labels.flatten(), (outputs, inputs)
        self._signs = None if bool((signs == 1).all()) else signs.flatten()
        self._sizes = torch.bincount(self._labels, minlength=self.dim + 1)[: self.dim].to(torch.float64)

    def prepare(self) -> None:
        """Nothing is left to do."""

    def labels(self) -> tuple[str, ...]:
        return tuple(f"#{i + 1}" for i in range(self.dim))

    def _entries(self, values: Tensor) -> Tensor:
        """``[dim, ...]`` at every entry of the matrix, ``[outputs * inputs, ...]``, with the basis' normalisation and signs."""
        trailing = (1,) * (values.ndim - 1)
        scaled = values * self._sizes.rsqrt().to(values.device, values.dtype).reshape(-1, *trailing)
        found = torch.cat([scaled, scaled.new_zeros(1, *values.shape[1:])])[self._labels.to(values.device)]
        return found if self._signs is None else found * self._signs.to(values.device, values.dtype).reshape(-1, *trailing)

    def dense(self) -> Tensor:
        allow(self.dim, self._labels.numel(), "the basis as matrices")
        return self._entries(torch.eye(self.dim, dtype=torch.float64)).mT.reshape(self.dim, *self._shape)

    def combine(self, coefficients: Tensor) -> Tensor:
        """The matrix ``[out, in]`` with these coefficients, in float64."""
        return self._entries(coefficients).view(self._shape)

    def apply(self, weights: Tensor, x: Tensor, counts: object = None) -> Tensor:
        """``[*batch, C_in, in]`` to ``[*batch, C_out, out]`` with weights ``[dim, C_out, C_in]``."""
        low = narrow(x)
        if low is not None:
            return in_float32(self.apply, weights, x).to(low)
        outputs, inputs = self._shape
        matrix = self._entries(weights).reshape(outputs, inputs, *weights.shape[1:]).permute(2, 0, 3, 1)
        matrix = matrix.reshape(weights.shape[1] * outputs, weights.shape[2] * inputs)
        return (x.flatten(-2) @ matrix.mT).unflatten(-1, (weights.shape[1], outputs))

    def coefficients(self, m: Tensor) -> Tensor:
        signed = m.flatten() if self._signs is None else m.flatten() * self._signs.to(m.dtype)
        sums = m.new_zeros(self.dim + 1).index_add(0, self._labels, signed)
        return sums[: self.dim] * self._sizes.rsqrt()

    def deviations(self) -> Tensor:
        sizes = torch.cat([self._sizes, self._sizes.new_ones(1)])
        real = (self._labels < self.dim).to(torch.float64)
        rows = (real / sizes[self._labels]).view(self._shape).sum(1)  # the energy of all maps in each output entry
        shared = rows.repeat_interleave(self._shape[1]) * real / sizes[self._labels]
        return torch.zeros(self.dim + 1, dtype=torch.float64).index_add(0, self._labels, shared)[: self.dim] ** -0.5


def multiply_out(basis: Float[Tensor, "dim out inp"], weights: Tensor, x: Tensor) -> Tensor:
    """``[*batch, C_in, in]`` to ``[*batch, C_out, out]`` by the matrix that the weights ``[dim, C_out, C_in]`` make of the basis."""
    dim, outputs, inputs = weights.shape
    matrix = weights.reshape(dim, outputs * inputs).mT @ basis.flatten(1)
    matrix = (
        matrix.reshape(outputs, inputs, *basis.shape[1:]).transpose(1, 2).reshape(outputs * basis.shape[1], inputs * basis.shape[2])
    )
    return (x.flatten(-2) @ matrix.mT).unflatten(-1, (outputs, basis.shape[1]))
