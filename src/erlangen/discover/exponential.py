"""``exp(A)`` for batches of small matrices, fast forward and backward."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

#: Taylor's series up to degree 8 is exact to 1e-8 (relative) for matrices of norm up to a half.
SMALL = 0.5
#: Beyond 2^40 a norm is a run that has blown up; squaring further would only cost time.
MOST_SQUARINGS = 40


def matrix_exp(a: Float[Tensor, "*batch n n"]) -> Float[Tensor, "*batch n n"]:
    """``exp(a)`` by scaling, a Taylor polynomial in four products, and squaring.

    The whole batch is scaled alike, so that there are few, large operations; differentiating through them costs twice
    as much, where ``torch.linalg.matrix_exp`` takes the exponential of matrices of twice the size.

    >>> a = torch.tensor([[0.0, -torch.pi], [torch.pi, 0.0]], dtype=torch.float64)
    >>> bool(torch.allclose(matrix_exp(a), -torch.eye(2, dtype=torch.float64)))
    True
    """
    norm = float(a.detach().abs().sum(-1).max()) if a.numel() else 0.0
    squarings = min(math.ceil(math.log2(norm / SMALL)), MOST_SQUARINGS) if norm > SMALL and math.isfinite(norm) else 0
    a = a / 2**squarings
    eye = torch.eye(a.shape[-1], dtype=a.dtype, device=a.device)
    a2 = a @ a
    a4 = a2 @ a2
    low = eye + a + a2 / 2 + a2 @ a / 6
    high = eye / 24 + a / 120 + a2 / 720 + (a2 @ a) / 5040 + a4 / 40320
    g = low + a4 @ high
    for _ in range(squarings):
        g = g @ g
    return g


def block_exp(a: Float[Tensor, "*batch 2 2"]) -> Float[Tensor, "*batch 2 2"]:
    """``exp(a)`` of 2 x 2 matrices in closed form.

    With ``m = tr(a) / 2`` and ``d = a - m``, ``d^2 = q`` is a number and ``exp(a) = e^m (C(q) + S(q) d)``, where C and S
    are cosh and sinh(sqrt q)/sqrt q for q > 0, cos and sin(sqrt -q)/sqrt -q for q < 0.

    >>> block_exp(torch.tensor([[0.0, 1.0], [0.0, 0.0]]))
    tensor([[1., 1.],
            [0., 1.]])
    """
    m = (a[..., 0, 0] + a[..., 1, 1]) / 2
    h = (a[..., 0, 0] - a[..., 1, 1]) / 2
    b, c = a[..., 0, 1], a[..., 1, 0]
    q = h * h + b * c
    small = q.abs() < 1e-2
    # Each branch sees only arguments where it and its derivative are finite.
    root = torch.where(small, torch.ones_like(q), q.abs()).sqrt()
    grows = q > 0
    up = torch.where(grows, root, torch.ones_like(q))
    even = torch.where(grows, torch.cosh(up), torch.cos(root))
    odd = torch.where(grows, torch.sinh(up), torch.sin(root)) / root
    series_even = 1 + q / 2 * (1 + q / 12 * (1 + q / 30 * (1 + q / 56)))
    series_odd = 1 + q / 6 * (1 + q / 20 * (1 + q / 42 * (1 + q / 72)))
    even, odd = torch.where(small, series_even, even), torch.where(small, series_odd, odd)
    scale = m.exp()
    even, odd = scale * even, scale * odd
    top = torch.stack([even + odd * h, odd * b], -1)
    return torch.stack([top, torch.stack([odd * c, even - odd * h], -1)], -2)


def is_block_mask(mask: Float[Tensor, "k n n"]) -> bool:
    """Whether a mask allows nothing outside the 2 x 2 blocks on the diagonal.

    >>> is_block_mask(torch.kron(torch.eye(2), torch.ones(2, 2))[None])
    True
    """
    n = mask.shape[-1]
    if n % 2:
        return False
    outside = 1 - torch.kron(torch.eye(n // 2), torch.ones(2, 2))
    return not bool((mask.cpu() * outside).any())


def in_blocks(a: Float[Tensor, "*k n n"]) -> bool:
    """Whether matrices live in the 2 x 2 diagonal blocks; of a batch of ``torch.func.vmap``, whether all of it do. No while compiled."""
    if torch.compiler.is_compiling():
        return False
    functorch = torch._C._functorch
    a = a.detach()
    while functorch.is_functorch_wrapped_tensor(a):
        at = functorch.maybe_get_bdim(a)
        a = functorch.get_unwrapped(a)
        a = a if at < 0 else a.movedim(at, 0)
    return is_block_mask((a != 0).float().reshape(-1, *a.shape[-2:]))


def act(basis: Float[Tensor, "k n n"], w: Float[Tensor, "b k"], v: Float[Tensor, "b t n"], blocks: bool) -> Tensor:
    """``exp(sum_k w_k L_k) v`` for every token, ``[b, t, n]``; ``blocks`` when L lives in the 2 x 2 diagonal blocks."""
    k, n, _ = basis.shape
    if blocks:
        index = torch.arange(n // 2)
        diagonal = basis.view(k, n // 2, 2, n // 2, 2)[:, index, :, index].movedim(1, 0)  # [k, m, 2, 2]
        g = block_exp(torch.einsum("bk,kmij->bmij", w, diagonal))
        return torch.einsum("bmij,btmj->btmi", g, v.unflatten(-1, (n // 2, 2))).flatten(-2)
    g = matrix_exp((w @ basis.flatten(1)).view(len(w), n, n))
    return v @ g.mT
