"""The logarithm of rotations of ``R^n``, n above 3, half turns included."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.groups.logarithm import matrix_log
from erlangen.linalg import matrix_exp

#: Rotations with a plane turned by more than the angle of this cosine (2.7 radians) are taken apart into planes.
NEAR_HALF_TURN = -0.9
#: Directions in which the exponential is this flat, relative to others, have no derivative of the logarithm.
FLAT = 1e-9


def rotation_log(g: Float[Tensor, "*batch n n"]) -> Float[Tensor, "*batch n n"]:
    """A skew matrix whose exponential is the rotation ``g``, of angles up to pi in each of its planes.

    Far from half turns it is the principal logarithm. Near them the rotation is taken apart into its planes (the real Schur form), each
    angle being that of its plane's block, so that no digit is lost at any angle; at an exact half turn of a plane either direction
    is a logarithm, and one is chosen. Its first derivative there is that of the inverse of exp, along the group; where two planes make
    half turns it has none, and is zero in the directions that are left open.

    >>> g = torch.diag(torch.tensor([-1.0, -1.0, -1.0, -1.0], dtype=torch.float64))
    >>> a = rotation_log(g)
    >>> bool((matrix_exp(a) - g).abs().max() < 1e-14)
    True
    """
    n = g.shape[-1]
    if g.dtype in (torch.float16, torch.bfloat16):  # rounded so far that it is no rotation: that of the nearest one, in float32
        from erlangen.groups.project import polar

        return rotation_log(polar(g.float(), special=True)).to(g.dtype)
    rows = g.reshape(-1, n, n)
    near = torch.linalg.eigvalsh(0.5 * (rows + rows.mT).detach().double())[:, 0] < NEAR_HALF_TURN
    if not bool(near.any()):
        return matrix_log(g)
    result = torch.empty_like(rows)
    result = result.index_put((~near,), matrix_log(rows[~near])) if not bool(near.all()) else result
    return result.index_put((near,), _by_planes(rows[near])).reshape(g.shape)


def unitary_log(
    g: Float[Tensor, "*batch n n"], to_complex: Callable[[Tensor], Tensor], to_real: Callable[[Tensor], Tensor]
) -> Float[Tensor, "*batch n n"]:
    """The logarithm of unitary matrices in their real form, as :func:`rotation_log`, and itself the real form of a complex matrix.

    At half turns that is more: the planes of a rotation that turn by pi may be chosen across the complex structure.

    Args:
        g: the real form of unitary matrices.
        to_complex, to_real: from the real form to complex matrices, and back.
    """
    n = g.shape[-1]
    rows = g.reshape(-1, n, n)
    near = torch.linalg.eigvalsh(0.5 * (rows + rows.mT).detach().double())[:, 0] < NEAR_HALF_TURN
    result = torch.empty_like(rows)
    if not bool(near.all()):
        result = result.index_put((~near,), matrix_log(rows[~near]))
    if bool(near.any()):
        turns = to_complex(rows[near].detach().to("cpu", torch.float64))
        value = to_real(_skew_hermitian(turns)).to(g.device)
        result = result.index_put((near,), _WithSlope.apply(rows[near].double(), value).to(g.dtype))
    return result.reshape(g.shape)


def _skew_hermitian(turns: Tensor) -> Tensor:
    """The logarithms of unitary matrices from their eigenvectors: the Schur form of a normal matrix is diagonal."""
    from scipy.linalg import schur

    logs = []
    for turn in turns.numpy():
        triangle, basis = schur(turn, output="complex")
        logs.append(basis * (1j * np.angle(triangle.diagonal())) @ basis.conj().T)
    return torch.from_numpy(np.stack(logs))


def _by_planes(g: Float[Tensor, "batch n n"]) -> Float[Tensor, "batch n n"]:
    turns = g.detach().to("cpu", torch.float64).numpy()
    value = torch.from_numpy(np.stack([_skew(turn) for turn in turns])).to(g.device)
    return _WithSlope.apply(g.double(), value).to(g.dtype)


class _WithSlope(torch.autograd.Function):
    """A known logarithm ``a`` of rotations ``g``, ``[batch, n, n]`` in float64; it moves by ``da = ad a / (e^ad a - 1) (dg g^-1)``."""

    @staticmethod
    def forward(g: Tensor, value: Tensor) -> Tensor:
        return value.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:
        ctx.save_for_backward(inputs[0], output)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        g, a = ctx.saved_tensors
        n = g.shape[-1]
        i, j = torch.triu_indices(n, n, 1, device=g.device)
        size = len(i)
        basis = torch.zeros(size, n, n, dtype=g.dtype, device=g.device)
        plane = torch.arange(size, device=g.device)
        basis[plane, i, j], basis[plane, j, i] = -1.0, 1.0
        brackets = a.unsqueeze(1) @ basis - basis @ a.unsqueeze(1)
        ad = brackets[..., j, i].mT
        # The upper right block of exp([[ad, 1], [0, 0]]) is (e^ad - 1) / ad.
        system = torch.cat([torch.cat([ad, torch.eye(size).to(ad).expand_as(ad)], -1), torch.zeros_like(ad).repeat(1, 1, 2)], -2)
        slope = matrix_exp(system)[:, :size, size:]
        back = torch.linalg.pinv(slope, rtol=FLAT).mT @ (grad - grad.mT)[..., j, i].unsqueeze(-1)
        return 0.5 * torch.einsum("bk,kij->bij", back.squeeze(-1), basis) @ g, None


def _skew(turn: np.ndarray) -> np.ndarray:
    """The logarithm of one rotation from its planes."""
    from scipy.linalg import schur

    blocks, basis = schur(turn, output="real")
    log, i, lone = np.zeros_like(turn), 0, []
    while i < len(turn):
        if i + 1 < len(turn) and blocks[i + 1, i] != 0:
            angle = math.atan2(blocks[i + 1, i] - blocks[i, i + 1], blocks[i, i] + blocks[i + 1, i + 1])
            log[i + 1, i], log[i, i + 1] = angle, -angle
            i += 2
        else:
            lone += [i] if blocks[i, i] < 0 else []
            i += 1
    # Axes that change sign, an even number of them, make half turns two by two.
    for i, j in zip(lone[::2], lone[1::2]):
        log[j, i], log[i, j] = math.pi, -math.pi
    return basis @ log @ basis.T
