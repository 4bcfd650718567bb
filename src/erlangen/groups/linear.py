"""Linear groups without a form to keep: GL+(n), SL(n), and the positive dilations."""

from __future__ import annotations

from collections.abc import Hashable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.groups.affine import AffineGroup
from erlangen.groups.algebra import LieAlgebra
from erlangen.groups.haar import drawn_in_single, haar_so, normal
from erlangen.groups.matrix import MatrixGroup
from erlangen.groups.membership import decided_in_single, looks_cheap, tolerance
from erlangen.groups.size import check_basis
from erlangen.linalg import matrix_exp


def gl_basis(n: int) -> Tensor:
    """The matrix units, a basis of gl(n), ``[n^2, n, n]``.

    >>> gl_basis(3).shape
    torch.Size([9, 3, 3])
    """
    check_basis(f"gl({n})", n * n, n)
    return torch.eye(n * n, dtype=torch.float64).unflatten(-1, (n, n))


def sl_basis(n: int) -> Tensor:
    """A basis of the traceless matrices, ``[n^2 - 1, n, n]``: units off the diagonal, then ``E_ii - E_i+1,i+1``.

    >>> sl_basis(2)[-1]
    tensor([[ 1.,  0.],
            [ 0., -1.]], dtype=torch.float64)
    """
    check_basis(f"sl({n})", n * n - 1, n)
    i, j = torch.nonzero(1 - torch.eye(n), as_tuple=True)
    off = torch.zeros(len(i), n, n, dtype=torch.float64)
    off[torch.arange(len(i)), i, j] = 1.0
    eye = torch.eye(n, dtype=torch.float64)
    return torch.cat([off, torch.diag_embed(eye[:-1] - eye[1:])])


def sign_of_determinant(g: Float[Tensor, "*batch n n"]) -> tuple[Float[Tensor, "*batch"], Bool[Tensor, "*batch"]]:
    """Signs of determinants, and which matrices are singular to rounding, so that the sign says nothing.

    They are where, rows scaled alike, a pivot of the elimination is as small as what rounding leaves of a zero, ``n eps`` of the largest
    entry of its column. Matrices scaled along axes, however much, are not.

    >>> sign, singular = sign_of_determinant(torch.tensor([[[1e-30, 0], [0, 1e30]], [[0.1, 0.3], [0.3, 0.9]]]))
    >>> singular.tolist()
    [False, True]
    """
    g = g / g.abs().amax(-1, keepdim=True).clamp_min(torch.finfo(g.dtype).tiny)
    lu, pivots, _ = torch.linalg.lu_factor_ex(g)
    diagonal = lu.diagonal(dim1=-2, dim2=-1)
    swaps = (pivots != torch.arange(1, g.shape[-1] + 1, device=g.device)).sum(-1)
    rounding = g.shape[-1] * torch.finfo(g.dtype).eps * g.abs().amax(-2)
    return diagonal.sign().prod(-1) * (1 - 2 * (swaps % 2)), (diagonal.abs() <= rounding).any(-1)


class _Volume(MatrixGroup):
    """GL+(n) and SL(n): sampled as a rotation times a stretch."""

    _traceless: bool

    def equality_key(self) -> Hashable:
        return self.n

    @drawn_in_single
    def sample(
        self,
        *batch: int,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | None = None,
        scale: float = 1.0,
    ) -> Tensor:
        dtype = dtype or torch.get_default_dtype()
        turn = haar_so(self.n, batch, generator, dtype, device)
        stretch = normal((*batch, self.n, self.n), generator, dtype, device)
        stretch = 0.5 * scale * (stretch + stretch.mT)
        if self._traceless:
            mean = stretch.diagonal(dim1=-2, dim2=-1).mean(-1)[..., None, None]
            stretch = stretch - mean * torch.eye(self.n, dtype=dtype, device=device)
        return turn @ matrix_exp(stretch)


class GLplus(_Volume):
    """GL+(n): the linear maps of ``R^n`` that keep its orientation.

    Sampling: ``R exp(S)``, ``R`` Haar in SO(n), ``S`` symmetric with entries of variance ``scale^2`` (half of it off
    the diagonal).

    >>> GLplus(3).dim, bool(GLplus(2).contains(2 * torch.eye(2)))
    (9, True)
    """

    _traceless = False

    def __init__(self, n: int) -> None:
        _check(n, 1)
        super().__init__(algebra=LieAlgebra(gl_basis(n), name=f"gl({n})"), name=f"GL+({n})")
        self.measure = "R exp(S): R Haar in SO(n), S symmetric Gaussian with deviation scale"

    def contains(self, g: Tensor, atol: float | None = None) -> Tensor:
        """Whether determinants are positive: above ``atol``, by default by more than rounding of the entries can make of zero."""
        self.batch_shape(g)
        g = g.to(torch.promote_types(g.dtype, torch.float32))
        if atol:
            return torch.linalg.det(g) > atol
        sign, singular = sign_of_determinant(g)
        return (sign > 0) & ~singular


class SL(_Volume):
    """SL(n): the linear maps of ``R^n`` that keep volume.

    Sampling: ``R exp(S)`` as for GL+(n), with the trace of ``S`` taken out.

    >>> SL(2).dim
    3
    """

    _traceless = True

    def __init__(self, n: int) -> None:
        _check(n, 2)
        super().__init__(algebra=LieAlgebra(sl_basis(n), name=f"sl({n})"), name=f"SL({n})")
        self.measure = "R exp(S): R Haar in SO(n), S symmetric traceless Gaussian with deviation scale"

    @decided_in_single
    def contains(self, g: Tensor, atol: float | None = None) -> Tensor:
        """Whether determinants are one, to ``atol`` relative to the n-th power of the norm."""
        self.batch_shape(g)
        return (torch.linalg.det(g) - 1).abs() <= tolerance(g, atol) * g.flatten(-2).norm(dim=-1).clamp_min(1) ** self.n


class Scalings(MatrixGroup):
    """The positive dilations ``x -> e^s x`` of ``R^n``. Sampling: ``s ~ N(0, scale^2)``.

    >>> Scalings(3).dim
    1
    """

    def __init__(self, n: int) -> None:
        _check(n, 1)
        basis = torch.eye(n, dtype=torch.float64).unsqueeze(0)
        super().__init__(algebra=LieAlgebra(basis, name=f"dilations of R^{n}"), name=f"Scalings({n})")
        self.measure = "e^s with s ~ N(0, scale^2)"

    def equality_key(self) -> Hashable:
        return self.n

    def inverse(self, g: Tensor) -> Tensor:
        return torch.diag_embed(1 / self._diagonal(g))

    def exp(self, a: Tensor) -> Tensor:
        return torch.diag_embed(torch.exp(a.diagonal(dim1=-2, dim2=-1)))

    def log(self, g: Tensor) -> Tensor:
        return torch.diag_embed(torch.log(self._diagonal(g)))

    def _diagonal(self, g: Tensor) -> Tensor:
        """The diagonals of elements, after a look at what stands beside them."""
        diagonal = g.diagonal(dim1=-2, dim2=-1)
        if looks_cheap(g) and not torch.equal(torch.diag_embed(diagonal[..., :1].expand_as(diagonal)), g):
            self.check(g)
        return diagonal

    @decided_in_single
    def contains(self, g: Tensor, atol: float | None = None) -> Tensor:
        self.batch_shape(g)
        size = g[..., 0, 0]
        error = (g - size[..., None, None] * torch.eye(self.n, dtype=g.dtype, device=g.device)).abs().amax((-2, -1))
        return (size > 0) & (error <= tolerance(g, atol) * size.abs())

    @drawn_in_single
    def sample(
        self,
        *batch: int,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | None = None,
        scale: float = 1.0,
    ) -> Tensor:
        size = torch.exp(scale * normal((*batch, 1), generator, dtype or torch.get_default_dtype(), device))
        return torch.diag_embed(size.expand(*batch, self.n))


class Affine(AffineGroup):
    """The affine maps of ``R^n`` that keep its orientation: GL+(n) and translations.

    >>> Affine(2).dim
    6
    """

    def __init__(self, n: int) -> None:
        super().__init__(GLplus(n), name=f"Aff+({n})")


def _check(n: int, least: int) -> None:
    if not isinstance(n, int) or isinstance(n, bool) or n < least:
        raise ArgumentError("n", f"a dimension of at least {least}", repr(n))
