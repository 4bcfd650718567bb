"""Equivariant maps given by a basis of matrices: what the numeric solver finds."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

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

    def coefficients(self, m: Tensor) -> Tensor:
        if not self.dim:
            return m.new_zeros(0)
        return torch.linalg.lstsq(self._basis.flatten(1).mT, m.flatten().unsqueeze(-1), driver="gelsd").solution.squeeze(-1)

    def deviations(self) -> Tensor:
        energy = self._basis.square().sum(-1)  # of each map in each output entry
        size = energy.sum(-1, keepdim=True)
        share = energy / size
        return (size.squeeze(-1) * (share @ share.sum(0))) ** -0.5


def multiply_out(basis: Float[Tensor, "dim out inp"], weights: Tensor, x: Tensor) -> Tensor:
    """``[*batch, C_in, in]`` to ``[*batch, C_out, out]`` by the matrix that the weights ``[dim, C_out, C_in]`` make of the basis."""
    dim, outputs, inputs = weights.shape
    matrix = weights.reshape(dim, outputs * inputs).mT @ basis.flatten(1)
    matrix = (
        matrix.reshape(outputs, inputs, *basis.shape[1:]).transpose(1, 2).reshape(outputs * basis.shape[1], inputs * basis.shape[2])
    )
    return (x.flatten(-2) @ matrix.mT).unflatten(-1, (outputs, basis.shape[1]))
