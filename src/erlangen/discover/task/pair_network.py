"""`PairNetwork`: vectors on tokens that are sums of what every other token does to them, as forces among particles are."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.discover.task.modulated_network import ModulatedNetwork, outer
from erlangen.discover.task.polynomials import Polynomials, count

#: Numbers at most that the derivatives of all pairs' features take.
ENTRIES = 3e7


class Pairs:
    """Monomials of each token and one other, for every other one.

    Args:
        x: the data that decide the scales.
        degree: of the monomials.
    """

    def __init__(self, x: Float[Tensor, "N T n"], degree: int) -> None:
        self._monomials = Polynomials(self._seen(x).flatten(0, 2), degree)
        self.power = self._monomials.power
        self.degree = self.power + 1

    @staticmethod
    def fits(x: Float[Tensor, "N T n"], degree: int) -> bool:
        """Whether there are pairs, and not too many.

        >>> Pairs.fits(torch.zeros(1000, 4, 3), 2), Pairs.fits(torch.zeros(1000, 40, 3), 2), Pairs.fits(torch.zeros(1000, 1, 3), 2)
        (True, False, False)
        """
        N, T, n = x.shape
        return T > 1 and N * T * (T - 1) * 2 * n * count(2 * n, degree) <= ENTRIES

    @staticmethod
    def _seen(x: Float[Tensor, "N T n"]) -> Float[Tensor, "N T S 2n"]:
        other = others(x.shape[1])
        return torch.cat([x[:, :, None].expand(-1, -1, other.shape[1], -1), x[:, other]], -1)

    def __call__(self, x: Float[Tensor, "N T n"]) -> Float[Tensor, "N T S P"]:
        seen = self._seen(x)
        return self._monomials(seen.flatten(0, 2)).unflatten(0, seen.shape[:3])

    def gradient(self, x: Float[Tensor, "N T n"]) -> Float[Tensor, "N T S P 2 n"]:
        """By the token itself, and by the other one."""
        seen = self._seen(x)
        return self._monomials.gradient(seen.flatten(0, 2)).unflatten(0, seen.shape[:3]).unflatten(4, (2, -1))


class PairNetwork(ModulatedNetwork):
    """``y_t``, the sum over all other tokens ``s`` of one :class:`ModulatedNetwork` on the features :class:`Pairs` of ``(x_t, x_s)``.

    Outputs are those of all tokens, ``[N, T m]``, for ``m`` of the network.
    """

    def __call__(self, phi: Float[Tensor, "N T S P"]) -> Float[Tensor, "N Tm"]:
        return super().__call__(phi.flatten(0, 2)).unflatten(0, phi.shape[:3]).sum(2).flatten(1)

    def weight_jacobian(self, phi: Float[Tensor, "N T S P"]) -> tuple[Tensor, Tensor]:
        """Outputs ``[N, T m]`` and their derivative by the weights ``[N T m, weights]``."""
        u, h, f, v = self._layers(phi.flatten(0, 2))
        upper, lower = self._back(h, v)
        # A row for each token of each sample, and in it one for each other token, to sum over.
        rows, each = len(phi) * phi.shape[1], phi.shape[2]
        inputs, u, upper, lower = (part.unflatten(0, (rows, each)) for part in (phi.flatten(0, 2), u, upper, lower))
        g = outer(f, v).unflatten(0, (rows, each)).sum(1)
        w3 = self._parts()[4].flatten(0, 1)
        eye = torch.eye(w3.shape[1], dtype=phi.dtype)
        parts = [
            torch.einsum("rsp,rsmk->rmpk", inputs, lower),
            lower.sum(1),
            torch.einsum("rsk,rsmh->rmkh", u, upper),
            upper.sum(1),
            g[:, None, :, None] * eye[None, :, None, :],
        ]
        J = torch.cat([part.reshape(rows, w3.shape[1], -1) for part in parts], -1)
        return (g @ w3).view(len(phi), -1), J.flatten(0, 1)

    def input_jacobian(self, phi: Float[Tensor, "N T S P"], gradient: Float[Tensor, "N T S P 2 n"]) -> tuple[Tensor, Tensor]:
        """Outputs ``[N, T m]`` and their derivative ``[N, T m, T, n]`` by the tokens."""
        N, T, S = phi.shape[:3]
        y, slope = super().input_jacobian(phi.flatten(0, 2), gradient.flatten(0, 2))
        slope = slope.unflatten(0, (N, T, S))  # [N, T, S, m, 2, n]
        found = slope.new_zeros(N, T, slope.shape[3], T, slope.shape[5])
        for token, other in enumerate(others(T)):
            found[:, token, :, token] = slope[:, token, :, :, 0].sum(1)
            found[:, token, :, other] = slope[:, token, :, :, 1].movedim(1, 2)
        return y.view(N, T, S, -1).sum(2).flatten(1), found.flatten(1, 2)


def others(tokens: int) -> Tensor:
    """Of each token the other ones, ``[T, T - 1]``.

    >>> others(3).tolist()
    [[1, 2], [0, 2], [0, 1]]
    """
    return torch.tensor([[s for s in range(tokens) if s != t] for t in range(tokens)])
