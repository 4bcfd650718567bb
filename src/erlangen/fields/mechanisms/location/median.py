"""The geometric median, to the last digits: which vertex it is, or Newton's method with Weiszfeld's steps to fall back on."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

#: Rounds of Newton or Weiszfeld; Newton's converge in fewer than ten nearly always.
ROUNDS = 200
#: Distances from all points to all others are computed so many numbers at a time.
LARGEST = 20_000_000


def geometric_median(x: Float[Tensor, "*batch n d"], weights: Float[Tensor, "*batch n"] | None = None) -> Float[Tensor, "*batch d"]:
    """The point with the least total Euclidean distance to ``n`` points, to the precision of the data.

    A vertex is the median exactly where the unit vectors to the others sum to no more than its own weight (Y. Vardi and C.-H. Zhang, PNAS
    97, 2000): this is looked at first, since Weiszfeld's iteration stalls there. Elsewhere the sum of distances is smooth and convex.
    Where the median is a segment (an even number of points on a line) it is the end that comes first in alphabetical order.

    Args:
        x: the points.
        weights: how much each distance counts, not negative; by default 1.

    >>> x = torch.tensor([[0.0, 0], [4, 0], [1, 3], [5, 5], [2, -3]], dtype=torch.float64)
    >>> [round(v, 7) for v in geometric_median(x).tolist()]
    [2.2019187, 0.7617099]
    """
    batch, (n, d) = x.shape[:-2], x.shape[-2:]
    flat = x.reshape(-1, n, d)
    w = torch.ones_like(flat[..., 0]) if weights is None else weights.expand(*batch, n).reshape(-1, n).to(flat)
    if n == 1 or not len(flat):
        return flat[:, 0].reshape(*batch, d)
    centre = flat.detach().mean(1, keepdim=True)
    scale = (flat.detach() - centre).abs().amax((1, 2)).clamp_min(torch.finfo(x.dtype).tiny)
    p = ((flat - centre) / scale[:, None, None]).detach()
    at, best = _vertex(p, w)
    free = (~at).nonzero().flatten()
    y = p.gather(1, best[:, None, None].expand(-1, 1, d)).squeeze(1)
    if len(free):
        y = y.clone()
        y[free] = _smooth(p[free], w[free], y[free])
    found = y * scale[:, None] + centre.squeeze(1)
    exact = flat.gather(1, best[:, None, None].expand(-1, 1, d)).squeeze(1)
    if flat.requires_grad:  # a step of Newton's that moves nothing has the derivatives of the solution
        found = _differentiable(flat, w, torch.where(at[:, None], centre.squeeze(1) + scale[:, None], found).detach())
    return torch.where(at[:, None], exact, found).reshape(*batch, d)


def _vertex(p: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
    """Whether a vertex is the median, and which; where none is, the one with the least cost.

    Only a vertex with the least cost of all can be; of several (the middle two on a line), the first in alphabetical order.
    """
    count, n, d = p.shape
    eps = 64 * torch.finfo(p.dtype).eps
    step = max(1, LARGEST // (count * n * d))
    costs = torch.cat([(_lengths(part, p) * w.unsqueeze(1)).sum(2) for part in p.split(step, 1)], 1)
    order = torch.arange(n, device=p.device).expand(count, n)
    for axis in reversed(range(d)):
        order = order.gather(1, p[..., axis].gather(1, order).argsort(dim=1, stable=True))
    rank = torch.empty_like(order).scatter_(1, order, torch.arange(n, device=p.device).expand(count, n))
    least = costs <= costs.amin(1, keepdim=True) + eps * w.sum(1, keepdim=True)
    best = torch.where(least, rank, n).argmin(1)
    to = p - p.gather(1, best[:, None, None].expand(-1, 1, d))
    length = torch.linalg.vector_norm(to, dim=-1)
    here = length <= eps
    unit = to / torch.where(here, torch.ones_like(length), length).unsqueeze(-1)
    pull = torch.linalg.vector_norm((unit * (w * ~here).unsqueeze(-1)).sum(1), dim=-1)
    return pull <= (w * here).sum(1) + eps * w.sum(1), best


def _lengths(a: Tensor, b: Tensor) -> Tensor:
    """Distances from each of some points to each of others."""
    return torch.linalg.vector_norm(a.unsqueeze(2) - b.unsqueeze(1), dim=-1)


def _differentiable(x: Tensor, w: Tensor, y: Tensor) -> Tensor:
    """The minimum ``y`` as a function of the points, by the implicit function theorem."""
    to = x - y.unsqueeze(1)
    r = torch.linalg.vector_norm(to, dim=-1).clamp_min(torch.finfo(x.dtype).tiny)
    g = -(to * (w / r).unsqueeze(-1)).sum(1)
    u = (to / r.unsqueeze(-1)).detach()
    eye = torch.eye(x.shape[-1], dtype=x.dtype, device=x.device)
    h = ((w / r).detach()[..., None, None] * (eye - u.unsqueeze(-1) * u.unsqueeze(-2))).sum(1)
    h = h + 1e-14 * h.diagonal(dim1=-2, dim2=-1).sum(-1)[:, None, None] * eye
    return y - torch.linalg.solve(h, (g - g.detach()).unsqueeze(-1)).squeeze(-1)


def _smooth(p: Tensor, w: Tensor, y: Tensor) -> Tensor:
    """The minimum that is no vertex, from the best vertex on: a step off it, then Newton or Weiszfeld, whichever is lower."""
    d = p.shape[-1]
    eps = torch.finfo(p.dtype).eps
    eye = torch.eye(d, dtype=p.dtype, device=p.device)

    def parts(y: Tensor) -> tuple[Tensor, Tensor]:
        to = p - y.unsqueeze(1)
        return to, torch.linalg.vector_norm(to, dim=-1)

    # Off the vertex along the pull of the others, as far as Vardi and Zhang's step goes.
    to, r = parts(y)
    away = r > 64 * eps
    pull_parts = torch.where(away, w / torch.where(away, r, torch.ones_like(r)), torch.zeros_like(r))
    pull, stiffness = (to * pull_parts.unsqueeze(-1)).sum(1), pull_parts.sum(1, keepdim=True)
    size = torch.linalg.vector_norm(pull, dim=-1, keepdim=True)
    held = (w * ~away).sum(1, keepdim=True)
    y = y + (1 - held / size.clamp_min(eps)).clamp(0, 1) * pull / stiffness
    live = torch.arange(len(y), device=y.device)
    for _ in range(ROUNDS):
        q, v, z = p[live], w[live], y[live]
        to = q - z.unsqueeze(1)
        r = torch.linalg.vector_norm(to, dim=-1).clamp_min(eps**2)
        g = -(to * (v / r).unsqueeze(-1)).sum(1)
        u = to / r.unsqueeze(-1)
        h = ((v / r)[..., None, None] * (eye - u.unsqueeze(-1) * u.unsqueeze(-2))).sum(1)
        stiffness = (v / r).sum(1)
        h = h + (1e-14 * stiffness)[:, None, None] * eye
        newton = z - torch.linalg.solve(h, g.unsqueeze(-1)).squeeze(-1)
        weiszfeld = z - g / stiffness.unsqueeze(-1)

        def cost(z: Tensor, q: Tensor = q, v: Tensor = v) -> Tensor:
            return (torch.linalg.vector_norm(q - z.unsqueeze(1), dim=-1) * v).sum(1)

        now, by_newton, by_weiszfeld = cost(z), cost(newton), cost(weiszfeld)
        better = torch.where((by_newton <= by_weiszfeld + 8 * eps * now).unsqueeze(-1), newton, weiszfeld)
        moved = torch.linalg.vector_norm(better - z, dim=-1)
        y[live] = better
        live = live[moved > 4 * eps]
        if not len(live):
            break
    return y
