"""`IndexNetwork`: a few learned combinations of features, and a small network on them, with both Jacobians in closed form."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor


class IndexNetwork:
    """``y = W3 h + b3``, ``h = (tanh(W2 u + b2), u, u u^T)``, ``u = W1 phi + b1`` (an index model); or ``h = tanh(W2 u + b2)`` and
    ``u = tanh(W1 phi + b1)`` (a perceptron).

    Invariants of low degree are few combinations of monomials, and a task is a smooth function of few invariants: on monomials this small
    family holds most tasks that have a symmetry. The weights are one vector, as least-squares solvers want them.

    Args:
        features: ``P``, the length of phi.
        power: ``[P]``, a number for each feature; features of one power share a prior.
        indices: ``K``, the length of ``u``.
        hidden: ``H``, the units above.
        outputs: ``m``.
        squash: whether ``u`` goes through tanh.
        generator: of the first weights.
    """

    def __init__(
        self, features: int, power: Tensor, indices: int, hidden: int, outputs: int, squash: bool, generator: torch.Generator
    ) -> None:
        P, K, H, m = features, indices, hidden, outputs
        self._squash, self._hidden, self._pairs = squash, H, torch.triu_indices(K, K)
        extra = 0 if squash else K + self._pairs.shape[1]
        self._shapes = [(P, K), (K,), (K, H), (H,), (H + extra, m), (m,)]
        self._sizes = [math.prod(shape) for shape in self._shapes]
        scales = [P**-0.5, 0.1, K**-0.5, 0.5, 0.1 * H**-0.5, 0.0]
        #: All weights.
        self.weights = torch.cat(
            [s * torch.randn(size, generator=generator, dtype=torch.float64) for s, size in zip(scales, self._sizes)]
        )
        last = int(power.max()) + 1
        kinds = [power[:, None].expand(P, K).reshape(-1)] + [torch.full((n,), last + i) for i, n in enumerate(self._sizes[1:])]
        #: Of each weight, the number of its prior.
        self.prior = torch.cat(kinds)

    def _parts(self) -> list[Tensor]:
        return [part.view(shape) for part, shape in zip(self.weights.split(self._sizes), self._shapes)]

    def _layers(self, phi: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        w1, b1, w2, b2, w3, b3 = self._parts()
        u = torch.addmm(b1, phi, w1)
        u = torch.tanh(u) if self._squash else u
        h = torch.tanh(torch.addmm(b2, u, w2))
        if not self._squash:
            i, j = self._pairs
            h = torch.cat([h, u, u[:, i] * u[:, j]], 1)
        return torch.addmm(b3, h, w3), u, h

    def __call__(self, phi: Float[Tensor, "N P"]) -> Float[Tensor, "N m"]:
        return self._layers(phi)[0]

    def _back(self, u: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """The outputs' derivatives by the arguments of the upper tanh ``[N, m, H]`` and of the lower layer ``[N, m, K]``."""
        w2, w3 = self._parts()[2], self._parts()[4]
        H, K = self._hidden, u.shape[1]
        upper = (1 - h[:, :H].square())[:, None, :] * w3[:H].mT
        lower = upper @ w2.mT
        if self._squash:
            return upper, lower * (1 - u * u)[:, None, :]
        i, j = self._pairs
        squares = w3.new_zeros(w3.shape[1], K, K)
        squares[:, i, j] = w3[H + K :].mT
        return upper, lower + w3[H : H + K].mT + torch.einsum("mij,nj->nmi", squares + squares.mT, u)

    def weight_jacobian(self, phi: Float[Tensor, "N P"]) -> tuple[Tensor, Tensor]:
        """Outputs ``[N, m]`` and their derivative by the weights ``[N m, weights]``."""
        y, u, h = self._layers(phi)
        upper, lower = self._back(u, h)
        N, m = y.shape
        eye = torch.eye(m, dtype=y.dtype)
        parts = [
            phi[:, None, :, None] * lower[:, :, None, :],
            lower,
            u[:, None, :, None] * upper[:, :, None, :],
            upper,
            h[:, None, :, None] * eye[None, :, None, :],
            eye.expand(N, m, m),
        ]
        return y, torch.cat([part.reshape(N, m, -1) for part in parts], -1).reshape(N * m, -1)

    def input_jacobian(self, phi: Float[Tensor, "N P"], gradient: Float[Tensor, "N P *D"]) -> tuple[Tensor, Tensor]:
        """Outputs ``[N, m]`` and their derivative ``[N, m, *D]`` by the variables behind the features."""
        y, u, h = self._layers(phi)
        lower = self._back(u, h)[1]
        return y, torch.einsum("nmp,np...->nm...", lower @ self._parts()[0].mT, gradient)
