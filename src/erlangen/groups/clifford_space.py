"""Products of Cl(3, 0) in closed form, by scalar and cross products of space instead of a table of 64 entries.

Bivectors are kept as their dual vectors: ``b = (b_23, -b_13, b_12)`` stands for ``b_12 e12 + b_13 e13 + b_23 e23``, so that the bivector of
``r r'`` is the cross product ``r x r'``. With the pseudoscalar ``I = e123``, which commutes with everything and squares to -1, a
multivector is then ``(s + I t) + (v + I b)``: a complex scalar and a complex vector.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

Pair = tuple[Float[Tensor, "*batch 1"], Float[Tensor, "*batch 3"]]


def even_times_vector(s: Float[Tensor, "*batch 1"], b: Float[Tensor, "*batch 3"], r: Float[Tensor, "*batch 3"]) -> Pair:
    """``(s + I b) r``, a trivector and a vector: ``t = b . r``, ``v = s r - b x r``.

    >>> s, b, r = torch.tensor([2.0]), torch.tensor([0.0, 0.0, 1.0]), torch.tensor([1.0, 0.0, 0.0])
    >>> even_times_vector(s, b, r)                # 2 e1 + e12 e1 = 2 e1 - e2
    (tensor([0.]), tensor([ 2., -1.,  0.]))
    """
    return (b * r).sum(-1, keepdim=True), s * r - _cross(b, r)


def odd_times_vector(t: Float[Tensor, "*batch 1"] | None, v: Float[Tensor, "*batch 3"], r: Float[Tensor, "*batch 3"]) -> Pair:
    """``(v + I t) r``, a scalar and a bivector: ``s = v . r``, ``b = v x r + t r``; without ``t`` the product of two vectors.

    >>> odd_times_vector(None, torch.tensor([1.0, 0.2, -0.3]), torch.tensor([-0.5, 0.8, 0.1]))
    (tensor([-0.3700]), tensor([0.2600, 0.0500, 0.9000]))
    """
    b = _cross(v, r)
    return (v * r).sum(-1, keepdim=True), b if t is None else b + t * r


def parts(x: Float[Tensor, "*batch 8"]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """``s, v, b, t`` of multivectors with the coefficients of ``1, e1, e2, e3, e12, e13, e23, e123``."""
    s, v, b12, b13, b23, t = x.split((1, 3, 1, 1, 1, 1), -1)
    return s, v, torch.cat([b23, -b13, b12], -1), t


def multivector(s: Tensor, v: Tensor, b: Tensor, t: Tensor) -> Float[Tensor, "*batch 8"]:
    """The inverse of :func:`parts`.

    >>> x = torch.arange(8.0)
    >>> multivector(*parts(x)).equal(x)
    True
    """
    b1, b2, b3 = b.split(1, -1)
    return torch.cat([s, v, b3, -b2, b1, t], -1)


def spatial_product(x: Float[Tensor, "*batch 8"], y: Float[Tensor, "*batch 8"]) -> Float[Tensor, "*batch 8"]:
    """The geometric product of multivectors of Cl(3, 0); batches broadcast.

    >>> from erlangen.groups import CliffordAlgebra
    >>> x, y = torch.randn(2, 5, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    >>> torch.allclose(spatial_product(x, y), CliffordAlgebra(3).product(x, y))
    True
    """
    (s, v, b, t), (p, w, c, q) = parts(x), parts(y)
    scalar = s * p - t * q + (v * w - b * c).sum(-1, keepdim=True)
    trivector = s * q + t * p + (v * c + b * w).sum(-1, keepdim=True)
    vector = s * w + p * v - t * c - q * b - _cross(v, c) - _cross(b, w)
    bivector = s * c + p * b + t * w + q * v + _cross(v, w) - _cross(b, c)
    return multivector(scalar, vector, bivector, trivector)


def _cross(a: Tensor, b: Tensor) -> Tensor:
    """The cross product, for any batches that broadcast."""
    return torch.linalg.cross(*torch.broadcast_tensors(a, b))
