"""Equivariant maps given by an orthonormal basis of matrices: what the numeric solver finds."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


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
        basis = self._basis.to(x.device, x.dtype)
        matrix = torch.einsum("kab,koi->oaib", basis, weights.to(x.dtype)).flatten(2).flatten(0, 1)
        return (x.flatten(-2) @ matrix.mT).unflatten(-1, (weights.shape[1], basis.shape[1]))

    def coefficients(self, m: Tensor) -> Tensor:
        return torch.einsum("kab,ab->k", self._basis, m)

    def deviations(self) -> Tensor:
        energy = self._basis.square().sum(-1)  # of each map in each output entry
        return (energy @ energy.sum(0)).clamp_min(torch.finfo(torch.float64).tiny) ** -0.5
