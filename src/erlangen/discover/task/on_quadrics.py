"""Tokens that lie on a quadric: off it a predictor says nothing of the task, so moves must stay on it."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.discover.quadric import Quadric, fit_quadric
from erlangen.discover.task.closure import CLOSED_ENOUGH, bracket_defect

#: Moves that go off a quadric by more than this part of their length leave it.
OFF = 0.1


def leaves_quadric(generators: Float[Tensor, "k n c"], tokens: Float[Tensor, "N T n"]) -> bool:
    """Whether tokens lie on a quadric, off which a predictor says nothing of the task, and are moved off it."""
    n = tokens.shape[2]
    points = tokens.flatten(0, 1)
    quadric = _quadric(points)
    if quadric is None:
        return False
    normals = points @ quadric.form
    normals = normals / normals.norm(dim=1, keepdim=True).clamp_min(1e-300)
    moved = torch.einsum("kij,pj->kpi", generators[..., :n], points) + generators[:, None, :, n]
    off = torch.einsum("kpi,pi->kp", moved, normals).norm(dim=1)
    return bool((off > OFF * moved.flatten(1).norm(dim=1)).any())


def on_quadric(generators: Float[Tensor, "k n c"], tokens: Float[Tensor, "N T n"]) -> Float[Tensor, "k n c"] | None:
    """Nearest generators whose moves stay on the quadric that tokens lie on, where there is one and these are as many and closed."""
    n = tokens.shape[2]
    quadric = _quadric(tokens.flatten(0, 1))
    if quadric is None:
        return None
    forms = quadric.algebra().basis.to(generators)
    dilation = torch.eye(n, dtype=forms.dtype)[None]
    for stay in (forms, torch.cat([forms, dilation])) if quadric.is_cone else (forms,):
        inside = torch.linalg.qr(stay.flatten(1).mT).Q.mT
        nearest = generators[..., :n].flatten(1) @ inside.mT @ inside
        if len(nearest) > len(inside) or int(torch.linalg.matrix_rank(nearest, rtol=OFF)) < len(nearest):
            continue
        basis = torch.linalg.qr(nearest.mT).Q.mT.unflatten(1, (n, n))
        if len(basis) == 1 or float(bracket_defect(basis).abs().max()) <= CLOSED_ENOUGH:
            return torch.cat([basis, torch.zeros_like(basis[..., :1])], 2)
    return None


def _quadric(points: Float[Tensor, "P n"]) -> Quadric | None:
    n = points.shape[1]
    if n < 2 or len(points) <= n * (n + 1):
        return None
    return fit_quadric(points) or None
