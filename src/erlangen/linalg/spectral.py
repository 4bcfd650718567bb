"""The polar factor of a matrix and the logarithm of a positive one, differentiable to every order where singular values are equal.

Derivatives of SVD and eigh divide by differences of singular values; those of the functions here do not exist in terms of
vectors, only of sums and divided differences, which are finite. So values come from a decomposition that is not differentiated, and each
derivative is such a function again: of the orthogonal factor by a Sylvester equation, of the logarithm by divided differences. They
can be differentiated any number of times, mapped by ``torch.func.vmap`` and compiled.

Sources: N. Higham, "Functions of Matrices" (2008), chapters 3, 8 and 11; Yu. Daleckii and S. Krein, AMS Translations 47 (1965).
"""

from __future__ import annotations

from itertools import permutations
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

#: Up to this ratio of arguments divided differences are integrated; beyond, they are quotients, which cancel little.
NEAR = 4.0
#: Gauss-Legendre nodes, exact to float64 rounding up to that ratio.
NODES = 12


class Polar(NamedTuple):
    """The factors of ``g = stretch @ turn`` and the logarithm of the first."""

    stretch: Tensor
    turn: Tensor
    log_stretch: Tensor


def polar_factors(g: Float[Tensor, "*batch n n"]) -> Polar:
    """``g = P R`` with ``P`` symmetric positive and ``R`` orthogonal, and ``log P``, of invertible matrices.

    By one singular value decomposition: never by eigenvalues of ``g g^T``, whose smallest lose twice the digits.

    >>> g = torch.tensor([[1.0, 2.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 3.0]], dtype=torch.float64)
    >>> p, r, x = polar_factors(g)
    >>> bool(torch.allclose(p @ r, g)), bool(torch.allclose(torch.linalg.matrix_exp(x), p))
    (True, True)
    """
    with torch.no_grad():
        u, s, vh = torch.linalg.svd(g.detach())
    turn = _Orthogonal.apply(g, u, s, vh)
    stretch = g @ turn.mT
    stretch = 0.5 * (stretch + stretch.mT)
    return Polar(stretch, turn, _logarithm(stretch, u, s))


def orthogonal_factor(g: Float[Tensor, "*batch n n"]) -> Float[Tensor, "*batch n n"]:
    """``R`` of ``g = P R`` alone.

    >>> orthogonal_factor(torch.tensor([[0.0, -3.0], [2.0, 0.0]])).round().int()
    tensor([[ 0, -1],
            [ 1,  0]], dtype=torch.int32)
    """
    with torch.no_grad():
        u, s, vh = torch.linalg.svd(g.detach())
    return _Orthogonal.apply(g, u, s, vh)


class _Orthogonal(torch.autograd.Function):
    """``R`` of ``g = P R``: ``dR = R W`` with ``W S + S W = R^T dg - dg^T R``, ``S = R^T g`` the right stretch."""

    generate_vmap_rule = True

    @staticmethod
    def forward(g: Tensor, u: Tensor, s: Tensor, vh: Tensor) -> Tensor:
        return u @ vh

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:
        g, _, s, vh = inputs
        ctx.save_for_backward(g, output, s, vh)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        g, turn, s, vh = ctx.saved_tensors
        right = turn.mT @ g
        skew = turn.mT @ grad
        return turn @ _Sylvester.apply(0.5 * (right + right.mT), skew - skew.mT, s, vh), None, None, None


class _Sylvester(torch.autograd.Function):
    """The ``Y`` with ``Y S + S Y = B``, for a positive ``S = V diag(s) V^T``."""

    generate_vmap_rule = True

    @staticmethod
    def forward(stretch: Tensor, b: Tensor, s: Tensor, vh: Tensor) -> Tensor:
        return vh.mT @ ((vh @ b @ vh.mT) / (s.unsqueeze(-1) + s.unsqueeze(-2))) @ vh

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:
        stretch, _, s, vh = inputs
        ctx.save_for_backward(stretch, output, s, vh)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        stretch, y, s, vh = ctx.saved_tensors
        z = _Sylvester.apply(stretch, grad, s, vh)
        return -(z @ y.mT + y.mT @ z), z, None, None


class _Logarithm(torch.autograd.Function):
    """The k-th derivative of the logarithm at a positive ``p = U diag(s) U^T`` in k symmetric directions ``[*batch, k, n, n]``; of
    none, its value.

    It is symmetric in all directions and the cotangent, so that its own derivatives are such again.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(p: Tensor, u: Tensor, s: Tensor, directions: Tensor) -> Tensor:
        k, n = directions.shape[-3], s.shape[-1]
        if not k:
            return (u * s.log().unsqueeze(-2)) @ u.mT
        axes = [s.unflatten(-1, (*[1] * i, n, *[1] * (k - i))) for i in range(k + 1)]
        quotient = divided_log(torch.stack(torch.broadcast_tensors(*axes), -1))
        moved = (u.mT.unsqueeze(-3) @ directions @ u.unsqueeze(-3)).unbind(-3)
        total = None
        for order in permutations(range(k)):
            term = quotient
            for i, which in enumerate(order):
                d = moved[which]
                term = term * d.reshape(*d.shape[:-2], *[1] * i, n, n, *[1] * (k - 1 - i))
            term = term.sum(tuple(range(-k, -1))) if k > 1 else term
            total = term if total is None else total + term
        assert total is not None
        return u @ total @ u.mT

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        p, u, s, directions = ctx.saved_tensors
        grad = 0.5 * (grad + grad.mT)
        every = torch.cat([directions, grad.unsqueeze(-3)], -3)
        slope = _Logarithm.apply(p, u, s, every)
        k = directions.shape[-3]
        if not k:
            return slope, None, None, None
        others = [[j for j in range(k + 1) if j != i] for i in range(k)]
        return slope, None, None, torch.stack([_Logarithm.apply(p, u, s, every[..., rest, :, :]) for rest in others], -3)


def _logarithm(p: Tensor, u: Tensor, s: Tensor) -> Tensor:
    return _Logarithm.apply(p, u, s, u.new_zeros(*u.shape[:-2], 0, *u.shape[-2:]))


def divided_log(x: Float[Tensor, "*batch k"]) -> Float[Tensor, "*batch"]:
    """Divided differences ``log[x_1, .., x_k]`` of positive numbers, equal ones included: of two, ``(log a - log b) / (a - b)``.

    >>> divided_log(torch.tensor([[2.0, 2.0], [1.0, 1.0]]))
    tensor([0.5000, 1.0000])
    """
    count = x.shape[-1]
    if count == 1:
        return x[..., 0].log()
    if count == 2:
        a, b = x.unbind(-1)
        ratio = (a - b) / (a + b)
        same, wide = ratio == 0, ratio.abs() > 0.5
        close = torch.where(same | wide, 0.5, ratio)
        apart = torch.where(wide, a - b, 1.0)
        return torch.where(wide, (a.log() - b.log()) / apart, torch.where(same, 1.0, torch.atanh(close) / close) * 2 / (a + b))
    x = x.sort(-1).values
    low, high = x[..., 0], x[..., -1]
    near = high <= NEAR * low
    # log[x_1 .. x_k] = (-1)^k integral of prod 1 / (x_i + t) over t > 0, here with t = c u / (1 - u).
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    u, w = (torch.tensor(v, dtype=x.dtype, device=x.device) for v in ((nodes + 1) / 2, weights / 2))
    centre = (low * high).sqrt()
    factors = x.unsqueeze(-2) * (1 - u).unsqueeze(-1) + centre[..., None, None] * u.unsqueeze(-1)
    integral = (w * (1 - u) ** (count - 2) / factors.prod(-1)).sum(-1) * centre
    quotient = (divided_log(x[..., 1:]) - divided_log(x[..., :-1])) / torch.where(near, 1.0, high - low)
    return torch.where(near, (-1.0) ** count * integral, quotient)
