"""The symmetries of a function, in closed form: its derivatives say which infinitesimal moves leave it alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.groups.algebra import LieAlgebra
from erlangen.linalg import NullSpace, null_space


@dataclass(frozen=True)
class Polarised:
    """The algebra of a function.

    Attributes:
        algebra: all ``L`` that leave the function as it is (or commute with it).
        null: how that was decided: singular values, gap, clearness.
    """

    algebra: LieAlgebra
    null: NullSpace


def polarise(
    function: Callable[[Tensor], Tensor], x: Float[Tensor, "N T n"], *, equivariant: bool = False, rtol: float | None = None
) -> Polarised:
    """All linear symmetries of a differentiable function, from its Jacobian at samples.

    Invariance says ``<grad f(x), L x> = 0`` for every sample: the rows ``sum_t grad_t f x_t^T`` (polarisation matrices) annihilate the
    unknown ``L``. Equivariance says ``L f(x) = J_f(x) (L x)``, linear in ``L`` as well. The null space over the samples is the algebra.

    Args:
        function: takes one sample ``[T, n]`` to numbers (any shape) or, if equivariant, to tokens ``[T_y, n]``.
        x: samples, ``[N, T, n]`` or ``[N, n]``.
        equivariant: whether the output's tokens move as the input's do.
        rtol: singular values below this, relative, count as zero; by default the gap decides.

    Source: A. Moskalev, A. Sepliarskaia, I. Sosnovik, A. Smeulders, "LieGG: Studying Learned Lie Group Generators", NeurIPS 2022,
    arXiv:2210.04345.

    >>> x = torch.randn(50, 3, dtype=torch.float64)
    >>> polarise(lambda v: v.square().sum(), x).algebra.dim       # so(3)
    3
    """
    x = x.unsqueeze(1) if x.ndim == 2 else x
    if x.ndim != 3:
        raise ArgumentError("x", "samples [N, T, n] or [N, n]", tuple(x.shape))
    single = x.shape[1] == 1

    def call(v: Tensor) -> Tensor:
        out = function(v.squeeze(0) if single else v)
        return out if equivariant else out.reshape(-1)

    jacobian = torch.func.vmap(torch.func.jacrev(call))(x).to(torch.float64)
    tokens, n = x.to(torch.float64), x.shape[-1]
    if not equivariant:
        # [N, outputs, T, n] with [N, T, n]: sum over tokens of grad x^T.
        rows = torch.einsum("botj,bti->boji", jacobian, tokens).reshape(-1, n * n)
    else:
        value = torch.func.vmap(call)(x).to(torch.float64)
        jacobian = jacobian.reshape(len(x), -1, n, *jacobian.shape[-2:])  # [N, T_y, n, T, n]
        value = value.reshape(len(x), -1, n)
        moved = torch.einsum("bscti,btj->bscij", jacobian, tokens)
        eye = torch.eye(n, dtype=torch.float64)
        rows = (torch.einsum("ci,bsj->bscij", eye, value) - moved).reshape(-1, n * n)
    null = null_space(rows, rtol=rtol)
    basis = null.basis.mT.reshape(-1, n, n)
    return Polarised(LieAlgebra(basis, f"{len(basis)} infinitesimal symmetries"), null)
