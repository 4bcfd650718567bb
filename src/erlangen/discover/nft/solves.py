"""Which motion takes one latent to the next: small least-squares problems, batched and differentiable.

A latent is ``H``, ``[m, a]``: ``m`` rows, each a vector on which the group acts by the same matrix from the right, ``H(g x) = H(x) M(g)``.
For a :class:`~erlangen.reps.Rep` that is ``rep.act(g, H)``, so ``M(g) = rep(g).mT``.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.groups.rotations import exp_rotation

Latents = Float[Tensor, "*batch t m a"]


def solve_transition(latents: Latents, ridge: float = 0.0, *, eps: float | None = None) -> Float[Tensor, "*batch a a"]:
    """The matrix that takes each frame to the next best: ``argmin_M sum_t |H_t+1 - H_t M|^2``.

    Args:
        latents: ``t >= 2`` frames that one unknown motion connects.
        ridge: adds ``ridge * trace(A^T A) / a`` times the squared size of ``M``, for directions that hardly occur. With 0 the problem is
            solved by QR, with a ridge by Cholesky; both in float64 where the device has it.
        eps: the relative precision of the numbers, by default that of their dtype: what decides whether rows span all columns.

    Raises:
        ArgumentError: fewer than two frames, fewer rows ``(t - 1) m`` than columns ``a``, or (without a ridge) rows that do not span the
            columns, so that they do not determine the matrix; :func:`least_transition` takes those.

    Source: Miyato, Koyama & Fukumizu 2022, "Unsupervised Learning of Equivariant Structure from Sequences".

    >>> H = torch.randn(4, 1, 16, 5, dtype=torch.float64)
    >>> M = torch.randn(4, 5, 5, dtype=torch.float64)
    >>> found = solve_transition(torch.cat([H, H @ M.unsqueeze(1)], 1))
    >>> bool((found - M).abs().max() < 1e-10)
    True
    """
    before, after = _stacked(latents)
    rows, a = before.shape[-2:]
    if rows < a:
        raise ArgumentError(
            "latents", f"at least {a} rows (t - 1) m for {a} columns", f"{rows}", "take more copies (multiplicity) or more frames"
        )
    before, after = _precise(before), _precise(after)
    if ridge == 0:
        q, r = torch.linalg.qr(before)
        _check_spans(r, rows, torch.finfo(latents.dtype).eps if eps is None else eps)
        solution = torch.linalg.solve_triangular(r, q.mT @ after, upper=True)
    else:
        gram = before.mT @ before
        size = gram.diagonal(dim1=-2, dim2=-1).mean(-1).clamp_min(torch.finfo(gram.dtype).tiny ** 0.5)
        eye = torch.eye(a, dtype=gram.dtype, device=gram.device)
        lower = torch.linalg.cholesky(gram + ridge * size[..., None, None] * eye)
        solution = torch.cholesky_solve(before.mT @ after, lower)
    return solution.to(latents.dtype)


def least_transition(latents: Latents, eps: float | None = None) -> tuple[Float[Tensor, "*batch a a"], Bool[Tensor, " *batch"]]:
    """The smallest of the matrices that take each frame to the next best, and whether it is the only one.

    Where they span only some directions it is right there and zero across; predictions of frames within the span are right as well.

    Args:
        latents: ``t >= 2`` frames that one unknown motion connects, of any number of rows.
        eps: as for :func:`solve_transition`.

    >>> frames = torch.tensor([[[1.0, 0.0]], [[-1.0, 0.0]]])
    >>> M, determined = least_transition(frames)
    >>> M.abs().tolist(), bool(determined)
    ([[1.0, 0.0], [0.0, 0.0]], False)
    """
    before, after = (_precise(part) for part in _stacked(latents))
    rows, a = before.shape[-2:]
    u, values, vh = torch.linalg.svd(before, full_matrices=False)
    kept = values > rounded(rows, a, torch.finfo(latents.dtype).eps if eps is None else eps) * values.amax(-1, keepdim=True)
    inverse = torch.where(kept, 1 / torch.where(kept, values, torch.ones_like(values)), torch.zeros_like(values))
    solution = vh.mT @ (inverse.unsqueeze(-1) * (u.mT @ after))
    return solution.to(latents.dtype), kept.sum(-1) == a


def solve_planes(latents: Latents, normalize: bool = True) -> Float[Tensor, "*batch planes 2"]:
    """For each pair of columns the rotation (and scaling) that takes each frame to the next best, as a complex number.

    Columns ``2k, 2k+1`` are read as real and imaginary part of ``m`` complex numbers ``h``; the number is
    ``<h_t, h_t+1> / <h_t, h_t>``, summed over frames and rows.

    Args:
        latents: ``t >= 2`` frames with an even number of columns.
        normalize: return numbers of absolute value one (and 1 for planes without energy).

    Raises:
        ArgumentError: fewer than two frames or an odd number of columns.

    >>> H = torch.tensor([[[1.0, 0.0]], [[0.0, 2.0]]])                   # one row, turned by 90 degrees and doubled
    >>> solve_planes(H, normalize=False).tolist(), solve_planes(H).tolist()
    ([[0.0, 2.0]], [[0.0, 1.0]])
    """
    before, after = _stacked(latents)
    if before.shape[-1] % 2:
        raise ArgumentError("latents", "an even number of columns", before.shape[-1])
    x, y = _precise(before).unflatten(-1, (-1, 2)), _precise(after).unflatten(-1, (-1, 2))
    real = (x * y).sum((-3, -1))
    imaginary = (x[..., 0] * y[..., 1] - x[..., 1] * y[..., 0]).sum(-2)
    number = torch.stack([real, imaginary], -1)
    tiny = torch.finfo(number.dtype).tiny ** 0.5
    if not normalize:
        return (number / x.square().sum((-3, -1)).clamp_min(tiny).unsqueeze(-1)).to(latents.dtype)
    size = number.square().sum(-1, keepdim=True)
    one = torch.tensor([1.0, 0.0], dtype=number.dtype, device=number.device)
    still = size <= tiny
    return torch.where(still, one, number / torch.where(still, torch.ones_like(size), size).sqrt()).to(latents.dtype)


def plane_matrices(numbers: Float[Tensor, "*batch planes 2"]) -> Float[Tensor, "*batch planes 2 2"]:
    """Complex numbers as matrices for rows: ``(x, y) M`` is the product of ``x + i y`` with the number.

    >>> torch.tensor([[1.0, 0.0]]) @ plane_matrices(torch.tensor([0.0, 1.0]))
    tensor([[0., 1.]])
    """
    real, imaginary = numbers.unbind(-1)
    return torch.stack([torch.stack([real, imaginary], -1), torch.stack([-imaginary, real], -1)], -2)


def solve_rotation(latents: Float[Tensor, "*batch t rows 3"]) -> Float[Tensor, "*batch 3 3"]:
    """The rotation of space that takes each frame's vectors to the next frame's best (Wahba's problem); never a reflection.

    The value is by SVD; the derivative is that of the optimum itself, by the implicit function theorem, so it stays finite where
    singular values meet.

    Args:
        latents: ``t >= 2`` frames of vectors as rows; the rotation acts on each as ``R v``.

    Raises:
        ArgumentError: fewer than two frames, no vectors of three coordinates, or vectors that do not determine the rotation (all zero, all
            along one line, or mirror images for which several rotations are equally good); :func:`least_rotation` takes those.

    Source: W. Kabsch, Acta Cryst. A32 (1976); G. Wahba, SIAM Review 7 (1965).

    >>> from erlangen.groups import SO
    >>> R = SO(3).sample(dtype=torch.float64)
    >>> v = torch.randn(8, 3, dtype=torch.float64)
    >>> bool((solve_rotation(torch.stack([v, v @ R.mT])) - R).abs().max() < 1e-10)
    True
    """
    rotation, determined = least_rotation(latents)
    if not is_traced(determined) and not bool(determined.all()):
        raise ArgumentError(
            "latents",
            "vectors of at least two directions, which determine a rotation",
            f"{int((~determined).sum())} of {determined.numel()} that leave it open",
            "take more vectors or more frames of one motion",
        )
    return rotation


def least_rotation(latents: Float[Tensor, "*batch t rows 3"]) -> tuple[Float[Tensor, "*batch 3 3"], Bool[Tensor, " *batch"]]:
    """One of the rotations of :func:`solve_rotation`, and whether it is the only one.

    Vectors along one line leave every turn about it open: the rotation takes them where they go, and what it does to others says nothing.

    >>> line = torch.tensor([[[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]]])
    >>> R, determined = least_rotation(line)
    >>> bool(torch.allclose(R @ line[0, 0], line[1, 0])), bool(determined)
    (True, False)
    """
    before, after = _stacked(latents)
    if before.shape[-1] != 3:
        raise ArgumentError("latents", "vectors of three coordinates", before.shape[-1])
    covariance = _precise(after).mT @ _precise(before)
    with torch.no_grad():
        u, values, vh = torch.linalg.svd(covariance)
        sign = torch.ones_like(covariance[..., 0])
        sign[..., 2] = torch.linalg.det(u @ vh).sign()
        rotation = (u * sign.unsqueeze(-2)) @ vh
        # The maximum is flat where the two smallest values cancel. Rounding of vectors on a line leaves the square of itself.
        rounding = max((16 * torch.finfo(latents.dtype).eps) ** 2, 16 * torch.finfo(values.dtype).eps)
        determined = values[..., 1] + sign[..., 2] * values[..., 2] > rounding * values[..., 0]
    # One Newton step from the optimum moves nothing and carries the derivative.
    turned = covariance @ rotation.mT
    skew = turned - turned.mT
    gradient = torch.stack([skew[..., 2, 1], skew[..., 0, 2], skew[..., 1, 0]], -1)
    eye = torch.eye(3, dtype=turned.dtype, device=turned.device)
    trace = turned.diagonal(dim1=-2, dim2=-1).sum(-1)[..., None, None]
    hessian = trace * eye - (turned + turned.mT) / 2
    size = trace.detach().abs().clamp_min(1e-30)
    # An undetermined rotation has no derivative, and a large one would spoil a training: it is damped.
    ridge = torch.where(determined[..., None, None], torch.finfo(turned.dtype).eps * size, size)
    x, y, z = torch.linalg.solve(hessian.detach() + ridge * eye, gradient.unsqueeze(-1)).squeeze(-1).unbind(-1)
    zero = torch.zeros_like(x)
    step = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))
    return (exp_rotation(step) @ rotation).to(latents.dtype), determined


def solve_angle(
    numbers: Float[Tensor, "*batch planes 2"], frequencies: Float[Tensor, " planes"], weights: Float[Tensor, "*batch planes"]
) -> Float[Tensor, " *batch"]:
    """The one angle of which all planes turn by a multiple: the maximum of ``sum_k w_k cos(k angle - phase_k)``, in (-pi, pi].

    A grid finds the right maximum, Newton steps its last digits.

    Args:
        numbers: of absolute value one, from :func:`solve_planes`.
        frequencies: whole numbers, one for each plane.
        weights: how much each plane counts (its energy).

    >>> solve_angle(torch.tensor([[0.0, 1.0]]), torch.tensor([1.0]), torch.ones(1))
    tensor(1.5708)
    """
    k, phase = frequencies.to(numbers).double(), torch.atan2(numbers[..., 1], numbers[..., 0]).double()
    w = weights.double()
    top = max(1, int(k.max()))
    grid = torch.linspace(-torch.pi, torch.pi, 1 + 16 * top, dtype=torch.float64, device=numbers.device)[1:]
    score = (w.unsqueeze(-2) * torch.cos(grid[:, None] * k - phase.unsqueeze(-2))).sum(-1)
    angle = grid[score.argmax(-1)]
    for _ in range(8):
        off = angle.unsqueeze(-1) * k - phase
        slope, bend = -(w * k * torch.sin(off)).sum(-1), (w * k * k * torch.cos(off)).sum(-1)
        angle = angle + slope / bend.clamp_min(1e-12)
    return torch.atan2(angle.sin(), angle.cos()).to(numbers.dtype)


def _stacked(latents: Tensor) -> tuple[Tensor, Tensor]:
    """All rows that have a successor, and the successors."""
    if latents.ndim < 3 or latents.shape[-3] < 2:
        raise ArgumentError("latents", "at least two frames [*batch, t, m, a]", f"shape {tuple(latents.shape)}")
    return latents[..., :-1, :, :].flatten(-3, -2), latents[..., 1:, :, :].flatten(-3, -2)


def _check_spans(r: Float[Tensor, "*batch a a"], rows: int, eps: float) -> None:
    """Refuse a triangular factor whose columns, each brought to length one, are dependent to within rounding."""
    if is_traced(r):
        return
    with torch.no_grad():
        size = r.norm(dim=-2, keepdim=True)
        values = torch.linalg.svdvals(r / torch.where(size > 0, size, torch.ones_like(size)))
        rank = (values > rounded(rows, r.shape[-1], eps) * values.amax(-1, keepdim=True)).sum(-1)
    a = r.shape[-1]
    if bool((rank < a).any()):
        raise ArgumentError(
            "latents",
            f"frames that span all {a} columns",
            f"{int((rank < a).sum())} of {rank.numel()} with fewer, at least {int(rank.min())}",
            "take more frames or more sequences of one motion, fewer columns, or a ridge",
        )


def rounded(rows: int, columns: int, eps: float) -> float:
    """How large, relative to the largest, singular values are that rounding alone makes: entries are off independently, so that a matrix
    of them has a norm of about ``(rows^1/2 + columns^1/2) eps`` times the size of an entry; twice that.
    """
    return 2 * (rows**0.5 + columns**0.5) * eps


def is_traced(x: Tensor) -> bool:
    """Whether its numbers cannot be looked at: under ``torch.compile`` and ``vmap``."""
    return torch.compiler.is_compiling() or torch._C._functorch.is_batchedtensor(x)  # type: ignore[attr-defined]


def _precise(x: Tensor) -> Tensor:
    """In float64 where the device has it: squares of nearly parallel columns lose half of the digits."""
    return x if x.device.type == "mps" else x.double()
