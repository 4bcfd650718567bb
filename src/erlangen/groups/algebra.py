"""`LieAlgebra`: the infinitesimal transformations of a group, as the span of a few matrices."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError


class LieAlgebra:
    """The span of matrices ``L_1 .. L_k`` in ``R^{n x n}``, with the commutator as bracket.

    The basis is kept as given (it is what a person reads); every question is asked of its span. A span that is *not* closed under
    the bracket is allowed, because learned generators are only nearly closed: :meth:`closure_residual` says how far.

    Args:
        basis: ``[k, n, n]``, linearly independent; ``k`` may be 0.
        name: a name for people, e.g. ``"so(3)"``.

    >>> L = torch.tensor([[[0.0, -1.0], [1.0, 0.0]]])
    >>> so2 = LieAlgebra(L, name="so(2)")
    >>> so2.dim, so2.n
    (1, 2)
    >>> so2.coordinates(3 * L[0])
    tensor([3.])
    """

    def __init__(self, basis: Float[Tensor, "k n n"], name: str = "") -> None:
        basis = torch.as_tensor(basis)
        if basis.ndim != 3 or basis.shape[-1] != basis.shape[-2]:
            raise ArgumentError("basis", "matrices of shape [k, n, n]", tuple(basis.shape))
        if not torch.isfinite(basis).all():
            raise ArgumentError("basis", "finite numbers", "NaN or infinity")
        self._basis = basis.detach().to(torch.float64).cpu().clone()
        self._basis.requires_grad_(False)
        self.name = name or f"span of {len(basis)} matrices"

    @property
    def basis(self) -> Float[Tensor, "k n n"]:
        """The basis in float64 on the CPU."""
        return self._basis

    @property
    def dim(self) -> int:
        """Number of basis matrices ``k``."""
        return self._basis.shape[0]

    @property
    def n(self) -> int:
        """Size of the matrices."""
        return self._basis.shape[-1]

    def combine(self, coefficients: Float[Tensor, "*batch k"]) -> Float[Tensor, "*batch n n"]:
        """The algebra elements ``sum_i c_i L_i``, in the dtype and on the device of ``coefficients``."""
        basis = self._basis.to(coefficients.dtype).to(coefficients.device)
        return torch.einsum("...k,kij->...ij", coefficients, basis)

    def coordinates(self, a: Float[Tensor, "*batch n n"]) -> Float[Tensor, "*batch k"]:
        """Coefficients of the nearest element of the span (least squares in the Frobenius norm)."""
        pinv = torch.linalg.pinv(self._basis.flatten(1).mT).to(a.dtype).to(a.device)
        return a.flatten(-2) @ pinv.mT

    def contains(self, a: Float[Tensor, "*batch n n"], atol: float = 1e-9) -> Tensor:
        """Whether matrices lie in the span, to ``atol`` relative to their norm."""
        residual = (a - self.combine(self.coordinates(a))).flatten(-2).norm(dim=-1)
        return residual <= atol * a.flatten(-2).norm(dim=-1).clamp_min(1)

    def __repr__(self) -> str:
        return self.name
