"""From matrices near a group to the group: projections that commute with multiplication by the group from the left.

That they commute, ``P(g M) = g P(M)``, is what lets them stand inside an equivariant function.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError, UnsupportedError
from erlangen.groups.base import Group
from erlangen.groups.forms import centralizer, commutant, orbit_invariants
from erlangen.groups.linear import SL, GLplus, Scalings
from erlangen.groups.matrix import MatrixGroup
from erlangen.groups.orthogonal import FormGroup
from erlangen.groups.recognise import recognised
from erlangen.groups.symplectic import Sp


def project(group: Group, m: Float[Tensor, "*batch n n"], steps: int = 6) -> Float[Tensor, "*batch n n"]:
    """The group element that belongs to a matrix: ``P(g) = g`` and ``P(g M) = g P(M)`` for elements ``g``.

    * Orthogonal groups: the polar factor, nearest in the Frobenius norm, by SVD, special ones with the determinant corrected. Where the
      group commutes with more than multiples of the identity (SO(2), U(n) on ``R^2n``), the part of ``M`` that does so too, first:
      for SO(2) the rotation by ``atan2(m21 - m12, m11 + m22)``, for U(n) the complex polar factor.
    * Groups of other forms ``B`` (O(p, q), Sp(2n), isometries): Newton's method for the generalised polar factor,
      ``M <- (M + B^-1 M^-T B) / 2``. It converges quadratically, but only from nearby: with ``M = g (I + E)``, from normally distributed
      ``E`` with deviation 0.1 in O(1, 3) to rounding in 5 steps, from deviation 0.3 not always. Where the group is only one of the
      components, columns change sign to get there.
    * SL(n): division by ``det^(1/n)``; GL+(n) as it is; dilations by the mean of the diagonal. Finite groups: the nearest element.

    It can be differentiated, also where singular values are equal. A singular matrix of a batch gives NaN or infinities in its own place.

    Args:
        group: a matrix group.
        m: the matrices.
        steps: of Newton's method, at least 1.

    Raises:
        ArgumentError: the shape is wrong, ``steps`` is not positive, or a determinant has a sign that scaling cannot correct.
        UnsupportedError: the group is none of these.

    Source: Higham, Mackey, Mackey & Tisseur, "Computing the polar decomposition and the matrix sign decomposition in matrix groups",
    SIAM J. Matrix Anal. Appl. 25 (2004).

    >>> from erlangen.groups import O
    >>> g = O(1, 3).sample(dtype=torch.float64)
    >>> near = g @ (torch.eye(4) + 0.01 * torch.randn(4, 4, dtype=torch.float64))
    >>> bool(O(1, 3).contains(near)), bool(O(1, 3).contains(project(O(1, 3), near)))
    (False, True)
    """
    if not isinstance(group := recognised(group), MatrixGroup):
        raise ArgumentError("group", "a group of matrices, e.g. SO(3) or MatrixGroup(...)", repr(group))
    if m.shape[-2:] != (group.n, group.n):
        raise ArgumentError("M", f"matrices [*batch, {group.n}, {group.n}]", f"shape {tuple(m.shape)}")
    return projection(group, steps)(m)


def projection(group: Group, steps: int = 6) -> Callable[[Tensor], Tensor]:
    """:func:`project` for many calls: what depends on the group alone is computed once.

    >>> from erlangen.groups import SO
    >>> projection(SO(3))(2 * torch.eye(3)).trace()
    tensor(3.)
    """
    if not isinstance(group := recognised(group), MatrixGroup):
        raise ArgumentError("group", "a group of matrices, e.g. SO(3) or MatrixGroup(...)", repr(group))
    if steps < 1:
        raise ArgumentError("steps", "at least 1", repr(steps))
    if isinstance(group, (SL, GLplus, Scalings)):
        return partial(_by_scaling, group)
    if group.is_finite:
        return partial(nearest_element, group)
    if group.is_compact and _is_orthogonal(group):
        return _compact(group)
    if isinstance(group, (FormGroup, Sp)):
        return partial(_newton, group, steps)
    raise UnsupportedError(f"{group} has no projection", "project onto a group that is given by a form, or a compact one")


def _newton(group: FormGroup | Sp, steps: int, m: Tensor) -> Tensor:
    for _ in range(steps):
        m = newton_step(group, m)
    return group.into_component(m) if isinstance(group, FormGroup) else m


def newton_step(group: MatrixGroup, m: Float[Tensor, "*batch n n"]) -> Float[Tensor, "*batch n n"]:
    """``(M + B^-1 M^-T B) / 2``: one step towards a group of a form; commutes with the group from the left, wherever ``M`` is."""
    # A single singular matrix must not fail the whole batch.
    return 0.5 * (m + torch.linalg.inv_ex(group.inverse(m)).inverse)


def nearest_element(group: MatrixGroup, m: Float[Tensor, "*batch n n"]) -> Float[Tensor, "*batch n n"]:
    """The element of a finite group that is nearest in the Frobenius norm."""
    every = group.elements().to(m)
    best = (m.unsqueeze(-3) - every).square().sum((-2, -1)).argmin(-1)
    return every[best]


def polar(m: Float[Tensor, "*batch n n"], special: bool = False) -> Float[Tensor, "*batch n n"]:
    """The orthogonal matrix nearest to each matrix, of determinant one where ``special``; differentiable also at equal singular values.

    >>> float(polar(torch.diag(torch.tensor([2.0, -3.0])), special=True).diagonal().prod())
    1.0
    """
    with torch.no_grad():
        u, s, vh = torch.linalg.svd(m)
        if special:
            flip = torch.ones_like(s)
            flip[..., -1] = torch.linalg.det(u @ vh).sign()
            u, s = u * flip.unsqueeze(-2), s * flip
        nearest = u @ vh
        sums = s.unsqueeze(-1) + s.unsqueeze(-2)
        sums = sums.clamp_min(torch.finfo(m.dtype).eps * s[..., :1, None].abs().clamp_min(torch.finfo(m.dtype).tiny))
    # With M = P S, a change of M turns P by the skew W that solves W S + S W = P^T dM - dM^T P; the value of that is zero.
    skew = nearest.mT @ m
    turn = vh @ (skew - skew.mT) @ vh.mT / sums
    return nearest + nearest @ (vh.mT @ (turn - turn.detach()) @ vh)


def _by_scaling(group: MatrixGroup, m: Tensor) -> Tensor:
    n = group.n
    if isinstance(group, Scalings):
        size = m.diagonal(dim1=-2, dim2=-1).mean(-1)
        _refuse(size <= 0, "a positive mean of the diagonal", f"to be scaled into {group}")
        return torch.diag_embed(size.unsqueeze(-1).expand(*size.shape, n))
    det = torch.linalg.det(m)
    if isinstance(group, GLplus):
        _refuse(det <= 0, "positive determinants", f"for {group}")
        return m
    if n % 2 == 0:
        _refuse(det <= 0, "positive determinants", f"for {group}: no multiple of a matrix of even size changes the sign")
    return m / (det.sign() * det.abs() ** (1 / n))[..., None, None]


def _refuse(bad: Tensor, expected: str, why: str) -> None:
    if not torch.compiler.is_compiling() and bool(bad.any()):
        raise ArgumentError("M", f"{expected} {why}", f"{int(bad.sum())} of {bad.numel()} that are not")


def _compact(group: MatrixGroup) -> Callable[[Tensor], Tensor]:
    invariants, others = orbit_invariants(group), commutant(group)
    irreducible = len(others) == 1
    if invariants.excess or invariants.tensors or (invariants.with_det and not irreducible):
        raise UnsupportedError(f"{group} is not all that keeps its forms", "project onto the group of the forms")
    if irreducible:
        return partial(polar, special=invariants.with_det)
    # The matrices that commute with all that the group commutes with; projecting onto them commutes with the group.
    basis = centralizer(others).flatten(1)

    def complex_polar(m: Tensor) -> Tensor:
        span = basis.to(m)
        return polar((m.flatten(-2) @ span.mT @ span).unflatten(-1, (group.n, group.n)))

    return complex_polar


def _is_orthogonal(group: MatrixGroup) -> bool:
    gens, algebra = group.generators, group.algebra
    eye = torch.eye(group.n, dtype=torch.float64)
    return bool(
        (gens is None or (gens @ gens.mT - eye).abs().max() < 1e-9)
        and (algebra is None or (algebra.basis + algebra.basis.mT).abs().max() < 1e-9)
    )
