"""`ModulatedNetwork`: features carried along by functions of a few indices, as forces are by functions of distances."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor


class ModulatedNetwork:
    """``y = W3 (1, u, tanh(W2 u + b2)) x (1, v)``, ``u = W1 phi + b1``, ``v`` the features of low degree among ``phi``.

    What moves along with the tokens is made of tokens, or of their products, times functions of invariants, in any basis. Weights, priors
    and Jacobians are as those of :class:`erlangen.discover.task.index_network.IndexNetwork`.

    Args:
        power: ``[P]``, a number for each feature; features of one power share a prior.
        carried: ``[P]``, which features are carried.
        indices: ``K``, the length of ``u``.
        hidden: ``H``, the units of the functions.
        outputs: ``m``.
        generator: of the first weights.
    """

    def __init__(self, power: Tensor, carried: Tensor, indices: int, hidden: int, outputs: int, generator: torch.Generator) -> None:
        P, K, H = len(power), indices, hidden
        self._carried = carried.nonzero()[:, 0]
        many = 1 + len(self._carried)
        self._shapes = [(P, K), (K,), (K, H), (H,), (1 + K + H, many, outputs)]
        self._sizes = [math.prod(shape) for shape in self._shapes]
        scales = [P**-0.5, 0.1, K**-0.5, 0.5, 0.1 * (many * (1 + H)) ** -0.5]
        #: All weights.
        self.weights = torch.cat(
            [s * torch.randn(size, generator=generator, dtype=torch.float64) for s, size in zip(scales, self._sizes)]
        )
        last = int(power.max()) + 1
        inner = [torch.full((size,), last + i) for i, size in enumerate(self._sizes[1:4])]
        # What is carried plainly, by indices and by units is of one size each; what is carried by nothing is the functions' own.
        by = torch.cat([torch.zeros(1), torch.ones(K), torch.full((H,), 2)]).long()
        outer = (last + 3 + 2 * by[:, None] + (torch.arange(many) > 0)).repeat_interleave(outputs)
        #: Of each weight, the number of its prior.
        self.prior = torch.cat([power[:, None].expand(P, K).reshape(-1), *inner, outer])

    def _parts(self) -> list[Tensor]:
        return [part.view(shape) for part, shape in zip(self.weights.split(self._sizes), self._shapes)]

    def _layers(self, phi: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Indices, units, the functions ``[N, F]`` and what they carry ``[N, V]``, each with a one in front."""
        w1, b1, w2, b2, _ = self._parts()
        u = torch.addmm(b1, phi, w1)
        h = torch.tanh(torch.addmm(b2, u, w2))
        one = torch.ones_like(phi[:, :1])
        return u, h, torch.cat([one, u, h], 1), torch.cat([one, phi[:, self._carried]], 1)

    def __call__(self, phi: Float[Tensor, "N P"]) -> Float[Tensor, "N m"]:
        _, _, f, v = self._layers(phi)
        return outer(f, v) @ self._parts()[4].flatten(0, 1)

    def _back(self, h: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """The outputs' derivatives by the arguments of the tanh ``[N, m, H]`` and by the indices ``[N, m, K]``."""
        w2, w3 = self._parts()[2], self._parts()[4]
        K = w2.shape[0]
        by = torch.einsum("nv,fvm->nmf", v, w3)
        upper = by[..., 1 + K :] * (1 - h.square())[:, None]
        return upper, by[..., 1 : 1 + K] + upper @ w2.mT

    def weight_jacobian(self, phi: Float[Tensor, "N P"]) -> tuple[Tensor, Tensor]:
        """Outputs ``[N, m]`` and their derivative by the weights ``[N m, weights]``."""
        u, h, f, v = self._layers(phi)
        upper, lower = self._back(h, v)
        g = outer(f, v)
        y = g @ self._parts()[4].flatten(0, 1)
        N, m = y.shape
        eye = torch.eye(m, dtype=y.dtype)
        parts = [
            phi[:, None, :, None] * lower[:, :, None, :],
            lower,
            u[:, None, :, None] * upper[:, :, None, :],
            upper,
            g[:, None, :, None] * eye[None, :, None, :],
        ]
        return y, torch.cat([part.reshape(N, m, -1) for part in parts], -1).reshape(N * m, -1)

    def input_jacobian(self, phi: Float[Tensor, "N P"], gradient: Float[Tensor, "N P *D"]) -> tuple[Tensor, Tensor]:
        """Outputs ``[N, m]`` and their derivative ``[N, m, *D]`` by the variables behind the features."""
        _, h, f, v = self._layers(phi)
        w1, w3 = self._parts()[0], self._parts()[4]
        slope = self._back(h, v)[1] @ w1.mT
        slope[..., self._carried] += torch.einsum("nf,fvm->nmv", f, w3)[..., 1:]
        return outer(f, v) @ w3.flatten(0, 1), torch.einsum("nmp,np...->nm...", slope, gradient)


def outer(f: Tensor, v: Tensor) -> Float[Tensor, "N FV"]:
    """All products, in the order of the last weights."""
    return (f[:, :, None] * v[:, None, :]).flatten(1)
