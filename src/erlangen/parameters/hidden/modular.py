"""The same Jacobian over a prime field. Floats are dyadic rationals, so they have exact images there.

The rank over the field with ``p`` elements is never above the rank over the rationals, and equal to it unless ``p`` divides certain
minors: a lower bound without any tolerance. Only the activation patterns come from floating point.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from erlangen.linalg.exact import DEFAULT_PRIME
from erlangen.parameters.hidden.jacobian import BLOCK, rows
from erlangen.parameters.hidden.network import ReluNetwork

#: Two primes whose products fit in int64.
PRIMES = (DEFAULT_PRIME, 2**31 - 19)


class Modulo:
    """Integers modulo a prime below 2^31, in int64.

    >>> Modulo(7).matmul(torch.tensor([[3, 5]]), torch.tensor([[4], [6]]))
    tensor([[0]])
    """

    def __init__(self, p: int) -> None:
        self.p = p

    def matmul(self, a: Tensor, b: Tensor) -> Tensor:
        """Products are reduced one by one: two of them fit in 63 bits, three need not."""
        total = a[..., :, :1] * b[..., :1, :] % self.p
        for k in range(1, a.shape[-1]):
            total = (total + a[..., :, k : k + 1] * b[..., k : k + 1, :]) % self.p
        return total

    def add(self, a: Tensor, b: Tensor) -> Tensor:
        return (a + b) % self.p

    def multiply(self, a: Tensor, b: Tensor, out: Tensor) -> None:
        torch.mul(a, b, out=out).remainder_(self.p)


def residues(x: Tensor, p: int) -> Tensor:
    """Finite float64 numbers in the field with ``p`` elements: ``m 2^e`` with integers ``m``, ``e``, exactly.

    >>> residues(torch.tensor([0.5, -3.0], dtype=torch.float64), 7)       # 2 * 4 = 1
    tensor([4, 4])
    """
    mantissa, exponent = np.frexp(x.numpy())
    whole = (mantissa * 2.0**53).astype(np.int64) % p
    exponents, where = np.unique(exponent, return_inverse=True)
    powers = np.array([pow(2, int(e) - 53, p) for e in exponents], dtype=np.int64)
    return torch.from_numpy(np.asarray(whole * powers[where.reshape(exponent.shape)] % p))


def blocks_mod(network: ReluNetwork, x: Tensor, patterns: Sequence[Tensor], p: int) -> Iterator[Tensor]:
    """Rows of the Jacobian modulo ``p``, int64, a block ``[<= BLOCK, D]`` at a time."""
    weights = [residues(w, p) for w in network.weights]
    biases = [residues(b, p) for b in network.biases]
    inputs, arithmetic = residues(x, p), Modulo(p)
    step = max(1, BLOCK // network.widths[-1])
    for start in range(0, len(x), step):
        some = slice(start, start + step)
        yield rows(weights, biases, inputs[some], [s[some] for s in patterns], arithmetic).flatten(0, 1)
