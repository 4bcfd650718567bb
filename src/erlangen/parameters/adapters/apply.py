"""How an adapted matrix is applied to inputs: by two branches, or at once, which keeps nothing of the size of the outputs.

``diag(d) (W + s B A) diag(c) x`` is ``d (W (c x) + s B A (c x))``. For many inputs it is cheaper to write the adapted matrix down for a
moment, forwards and backwards, than to scale inputs and outputs; and the gradients of ``d`` and ``c`` are sums over what is there anyway:
``dL/dd_o = sum_t g_to y_to / d_o`` and ``dL/dc_i = sum_t x_ti (dL/dx)_ti / c_i``.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn import functional as F

from erlangen.parameters.adapters.factors import Factors, transformed

#: From so many inputs on the matrix is written down: below, its ``out x in`` entries cost more than the branches.
MANY = 256
#: Inputs that are summed over together: a block of the outputs stays in the cache.
CHUNK = 128
#: The part of a bias below which what is added to it has lost too many digits.
VISIBLE = 0.1


def apply_adapter(x: Tensor, w: Tensor, bias: Tensor | None, factors: Factors, dropout: nn.Module) -> Tensor:
    """What the adapted matrix does to inputs ``[..., in]``: ``[..., out]``.

    Args:
        x: inputs.
        w: the frozen matrix ``[out, in]`` or ``[parts, out, in]``.
        bias: ``[out]``, or ``[parts * out]``.
        factors: of the adapter.
        dropout: of the low-rank branch.
    """
    found = factors.scales(w)
    d, c = found.get("row"), found.get("col")
    active = isinstance(dropout, nn.Dropout) and dropout.p > 0 and dropout.training
    if (
        w.ndim == 2
        and not active
        and x.numel() >= MANY * x.shape[-1]
        and factors.r
        and _plain(*(t for t in (x, w, factors.lora_A, factors.lora_B, d, c, bias) if t is not None))
    ):
        return _AtOnce.apply(x, w, factors.lora_A, factors.lora_B, d, c, bias, factors.scaling)  # type: ignore[no-any-return]
    return branches(x, w, factors.lora_A, factors.lora_B, d, c, bias, factors.scaling, dropout)


def branches(
    x: Tensor,
    w: Tensor,
    a: Tensor,
    b: Tensor,
    d: Tensor | None,
    c: Tensor | None,
    bias: Tensor | None,
    s: float,
    dropout: nn.Module | None = None,
) -> Tensor:
    """``d (w (c x) + s b a dropout(c x)) + bias``, by plain operations; the frozen branch in the dtype of ``x``, the other in its own."""
    parts = w.ndim > 2
    if parts:
        x = x.unsqueeze(-2).expand(*x.shape[:-1], len(w), -1)
    turned = x if c is None else x * c.to(x.dtype)
    y = _each(turned, w)
    if a.shape[-2]:
        low = turned if dropout is None else dropout(turned)
        y = y + (s * _each(_each(low.to(a.dtype), a), b)).to(y.dtype)
    if d is not None:
        y = y * d.to(y.dtype)
    y = y.flatten(-2) if parts else y
    return y if bias is None else y + bias.to(y.dtype)


def _each(x: Tensor, w: Tensor) -> Tensor:
    """A matrix applied to ``[..., in]``, or one for each part of ``[..., parts, in]``."""
    return F.linear(x, w) if w.ndim == 2 else torch.einsum("...pi,poi->...po", x, w)


def _plain(*tensors: Tensor) -> bool:
    """Whether tensors are of one dtype and nobody traces or transforms: then a step of our own may stand in."""
    if torch.compiler.is_compiling() or torch.jit.is_tracing() or torch.is_autocast_enabled(tensors[0].device.type):
        return False
    return len({t.dtype for t in tensors}) == 1 and forward_ad._current_level < 0 and not any(map(transformed, tensors))


class _AtOnce(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, a: Tensor, b: Tensor, d: Any, c: Any, bias: Any, s: float) -> Tensor:
        y = F.linear(x, _matrix(w, a, b, d, c, s), bias)
        ctx.save_for_backward(x, w, a, b, d, c, bias, y if d is not None and ctx.needs_input_grad[4] else None)
        ctx.s = s
        return y

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        x, w, a, b, d, c, bias, y = ctx.saved_tensors
        s = ctx.s
        wanted = ctx.needs_input_grad
        if torch.is_grad_enabled() or transformed(g):  # a second derivative is asked for, or many gradients at once
            again = torch.is_grad_enabled()
            with torch.enable_grad():
                # views, so that what d and c depend on is not counted twice
                inputs: list[Any] = [None if t is None else t.view_as(t) for t in (x, w, a, b, d, c, bias)]
                asked = [t for t, need in zip(inputs, wanted) if need]
                y = branches(*[*inputs, s])
            found = iter(torch.autograd.grad(y, asked, g, create_graph=again))
            return (*(next(found) if need else None for need in wanted[:-1]), None)
        g, flat = g.reshape(-1, g.shape[-1]), x.reshape(-1, x.shape[-1])
        gx: Any = g @ _matrix(w, a, b, d, c, s) if wanted[0] or wanted[5] else None
        ga = gb = gd = gc = None
        if wanted[2]:
            ga = s * ((g @ (b if d is None else d.unsqueeze(1) * b)).T @ flat)
            ga = ga if c is None else ga * c
        if wanted[3]:
            gb = s * (g.T @ (flat @ (a if c is None else a * c).T))
            gb = gb if d is None else gb * d.unsqueeze(1)
        if wanted[4]:
            gd = _sums(g, y.reshape(g.shape), bias) / d
            dead = _drowned(y.reshape(g.shape)[:CHUNK], bias, d).nonzero().squeeze(1)
            if len(dead):
                gd[dead] = (g[:, dead] * (flat @ _matrix(w[dead], a, b[dead], None, c, s).T)).sum(0)
        if wanted[5]:
            gc = _sums(flat, gx, None) / c
            dead = (c == 0).nonzero().squeeze(1)
            if len(dead):
                gc[dead] = (flat[:, dead] * (g @ _matrix(w[:, dead], a[:, dead], b, d, None, s))).sum(0)
        gbias = g.sum(0) if wanted[6] else None
        return gx.reshape(x.shape) if wanted[0] else None, None, ga, gb, gd, gc, gbias, None


def _matrix(w: Tensor, a: Tensor, b: Tensor, d: Tensor | None, c: Tensor | None, s: float) -> Tensor:
    v = torch.addmm(w, b, a, alpha=s)
    if c is not None:
        v *= c
    if d is not None:
        v *= d.unsqueeze(1)
    return v


def _drowned(y: Tensor, bias: Tensor | None, d: Tensor) -> Tensor:
    """Which outputs do not say what they would be with another ``d``: they are zero, or hardly to be seen beside the bias."""
    return d == 0 if bias is None else (d == 0) | ((y - bias).abs().amax(0) < VISIBLE * bias.abs())


def _sums(p: Tensor, q: Tensor, shift: Tensor | None) -> Tensor:
    """The sums of ``p (q - shift)`` over inputs ``[N, n]``."""
    total = p.new_zeros(p.shape[1])
    for some, other in zip(p.split(CHUNK), q.split(CHUNK)):
        total += (some * other if shift is None else (other - shift).mul_(some)).sum(0)
    return total
