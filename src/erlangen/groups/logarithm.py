"""The principal logarithm of matrices, batched and differentiable."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError, UnsupportedError
from erlangen.linalg import matrix_exp

#: Gauss-Legendre nodes of the Pade approximant, exact to float64 rounding for ``||g - 1|| <= NEAR``.
PADE_DEGREE, NEAR = 8, 0.25
MOST_ROOTS, MOST_STEPS = 60, 60


def matrix_log(g: Float[Tensor, "*batch n n"]) -> Float[Tensor, "*batch n n"]:
    """The principal logarithm: the real ``a`` with ``exp(a) = g`` whose eigenvalues have imaginary parts in (-pi, pi).

    Inverse scaling and squaring: square roots (Denman-Beavers iteration in product form) until ``g`` is near the
    identity, then a Pade approximant, then doubling. Computed in float64, returned in the dtype of ``g``. Sources:
    N. Higham, "Functions of Matrices" (2008), chapters 6 and 11; E. Denman and A. Beavers, Appl. Math. Comput. 2
    (1976).

    Raises:
        ArgumentError: ``g`` is not square, not real or not finite.
        UnsupportedError: a matrix is singular or has a negative real eigenvalue; it has no principal logarithm.

    >>> g = torch.tensor([[1.0, 2.0], [0.0, 1.0]])
    >>> matrix_log(g)
    tensor([[0., 2.],
            [0., 0.]])
    """
    if g.ndim < 2 or g.shape[-1] != g.shape[-2] or not g.is_floating_point():
        raise ArgumentError("g", "real matrices [*batch, n, n]", f"shape {tuple(g.shape)}, {g.dtype}")
    if not torch.isfinite(g).all():
        raise ArgumentError("g", "finite numbers", "NaN or infinity")
    root = g.to(torch.float64)
    _refuse_negative(root.detach(), torch.finfo(g.dtype).eps)
    eye = torch.eye(g.shape[-1], dtype=torch.float64, device=g.device)
    doublings = torch.zeros(g.shape[:-2], dtype=torch.float64, device=g.device)
    for _ in range(MOST_ROOTS):
        far = torch.linalg.matrix_norm((root - eye).detach(), 1) > NEAR
        if not far.any():
            break
        # Elements that are near already stay as they are: each root costs a digit or so.
        root = torch.where(far[..., None, None], _square_root(root, eye), root)
        doublings = doublings + far
    log = torch.exp2(doublings)[..., None, None] * _log_near_identity(root - eye, eye)
    _refuse_inexact(log.detach(), g.detach())
    return log.to(g.dtype)


def _refuse_inexact(log: Tensor, g: Tensor) -> None:
    """Refuse where the iteration lost its digits: near a negative eigenvalue square roots are nearly singular."""
    error = (matrix_exp(log) - g).flatten(-2).norm(dim=-1)
    allowed = 1e-6 if g.dtype == torch.float64 else 1e-2
    worst = float((error / g.flatten(-2).norm(dim=-1).double()).max()) if error.numel() else 0.0
    if not worst <= allowed:
        raise UnsupportedError(
            f"a matrix has an eigenvalue too near the negative axis for its principal logarithm to be known (its exponential would be off "
            f"by {worst:.1g}): split the rotation by pi off before taking the logarithm"
        )


def _square_root(g: Tensor, eye: Tensor) -> Tensor:
    """The principal square root by the product form of the Denman-Beavers iteration, scaled while it is far."""
    x, m = g, g
    power = -1 / (2 * g.shape[-1])
    last = False
    for _ in range(MOST_STEPS):
        error = torch.linalg.matrix_norm((m - eye).detach())
        scale = torch.linalg.det(m.detach()).abs() ** power
        scale = torch.where(error > 0.1, scale, torch.ones_like(scale))[..., None, None]
        inverse = torch.linalg.inv(m) / scale**2
        x = 0.5 * scale * x @ (eye + inverse)
        m = 0.5 * (eye + 0.5 * (scale**2 * m + inverse))
        if last:
            break
        # One step more than the value needs, for the derivative lags one step behind it.
        last = bool((error < 1e-8).all())
    return x


def _log_near_identity(x: Tensor, eye: Tensor) -> Tensor:
    """``log(1 + x)``: the Pade approximant as partial fractions, ``sum_j w_j (1 + t_j x)^-1 x``."""
    nodes, weights = np.polynomial.legendre.leggauss(PADE_DEGREE)
    t, w = (torch.tensor(v, dtype=x.dtype, device=x.device)[:, None, None] for v in ((nodes + 1) / 2, weights / 2))
    system = eye + t * x.unsqueeze(-3)
    return torch.linalg.solve(system, w * x.unsqueeze(-3)).sum(-3)


def _refuse_negative(g: Tensor, eps: float) -> None:
    values = torch.linalg.eigvals(g)
    size = values.abs().amax(-1, keepdim=True)
    tolerance = 100 * eps * size
    if bool((values.abs() <= torch.finfo(g.dtype).tiny).any()):
        raise UnsupportedError("a singular matrix has no logarithm")
    if bool(((values.real <= 0) & (values.imag.abs() <= tolerance)).any()):
        raise UnsupportedError(
            "a matrix with a negative real eigenvalue has no principal logarithm; "
            "it is a reflection or a rotation by pi: split it off before taking the logarithm"
        )
