"""`PolynomialModel`: linear in the features, by ridge regression: exact where the task is a polynomial."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

#: Strengths of the ridge that are tried, as parts of the largest squared singular value of the features.
STRENGTHS = torch.logspace(-14, -1, 27, dtype=torch.float64)


class PolynomialModel:
    """``y = phi W + b`` with the strength of the ridge that is best on validation data.

    Args:
        phi, y: to fit on.
        phi_val, y_val: to choose the strength on.
    """

    def __init__(
        self, phi: Float[Tensor, "N P"], y: Float[Tensor, "N m"], phi_val: Float[Tensor, "V P"], y_val: Float[Tensor, "V m"]
    ) -> None:
        centre, mean = phi.mean(0), y.mean(0)
        left, sizes, right = torch.linalg.svd(phi - centre, full_matrices=False)
        target = left.mT @ (y - mean)
        self.error = float("inf")
        for strength in STRENGTHS * sizes[0] ** 2:
            weights = right.mT @ ((sizes / (sizes.square() + strength))[:, None] * target)
            shift = mean - centre @ weights
            error = float((phi_val @ weights + shift - y_val).square().mean())
            if error < self.error:
                self.error, self._weights, self._shift = error, weights, shift

    def __call__(self, phi: Float[Tensor, "N P"]) -> Float[Tensor, "N m"]:
        return phi @ self._weights + self._shift

    def input_jacobian(self, phi: Float[Tensor, "N P"], gradient: Float[Tensor, "N P *D"]) -> tuple[Tensor, Tensor]:
        """Outputs ``[N, m]`` and their derivative ``[N, m, *D]`` by the variables behind the features."""
        return self(phi), torch.einsum("pm,np...->nm...", self._weights, gradient)
