"""Which algebra with a name is nearest to a given one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property, partial

import torch
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.groups.affine import SE, Translations
from erlangen.groups.algebra import LieAlgebra
from erlangen.groups.algebra_forms import algebra_of_form
from erlangen.groups.base import Group
from erlangen.groups.linear import SL, Affine, GLplus, Scalings, gl_basis, sl_basis
from erlangen.groups.matrix import MatrixGroup
from erlangen.groups.orthogonal import SO, Isometries, so_basis
from erlangen.groups.size import basis_bytes
from erlangen.groups.symplectic import Sp, sp_basis
from erlangen.groups.torus import Torus, torus_basis

#: A metric counts as a named one (Euclidean, Minkowski) when the cosine of the two is at least this.
SAME_METRIC = 0.95
#: The own metric of an algebra of larger matrices is not asked for: it costs O(n^6).
MOST_FOR_METRIC = 32
#: A candidate whose basis takes more bytes is left out, unless it is at most twice as large as the algebra that is asked about.
LARGE = 2**24


@dataclass(frozen=True)
class Named:
    """A named algebra beside the one that was asked about.

    Attributes:
        name: e.g. ``"so(1,3)"``.
        algebra: the exact algebra, as matrices on the same space.
        cosines: of the principal angles between the two, descending, ``[min(dim, dim)]``.
        overlap: the sum of squared cosines over the larger dimension: 1 when the spans are the same.
    """

    name: str
    algebra: LieAlgebra
    cosines: Tensor
    overlap: float
    _make: Callable[[], Group]

    @cached_property
    @torch.inference_mode(False)  # what is kept must serve training too
    def group(self) -> Group:
        """The connected group of the named algebra."""
        return self._make()

    def __str__(self) -> str:
        smallest = f"{float(self.cosines.min()):.4f}" if len(self.cosines) else "-"
        return f"{self.name} (overlap {self.overlap:.4f}, smallest |cos| {smallest})"


@dataclass(frozen=True)
class _Candidate:
    """A named algebra, not made yet; ``shared`` gives the sum of squared cosines with what is asked about, where that has a closed form."""

    name: str
    dim: int
    basis: Callable[[], Tensor]
    group: Callable[[LieAlgebra], Group]
    shared: Callable[[], float] | None = None


def nearest_named(algebra: LieAlgebra, name: str | None = None) -> Named:
    """The named algebra with the largest overlap; of equal ones, the first in this order:

    so(n) and so(p,q) on standard axes (the positive ones first), the same acting alike on several copies of a
    smaller space, with a dilation, and in the coordinates of the algebra's own metric; so(2) about an axis of R^3;
    sl, sp, u(1)^k, dilations, diagonal matrices; translations, se and aff in homogeneous coordinates; gl.

    Candidates are built in the order of the largest overlap that their dimension allows, and only as long as that may win; overlaps with
    so(p,q) and its copies have a closed form, so that of these only the winner is built. Large matrices have fewer candidates: those of
    far more dimensions than ``algebra`` are left out where their basis takes more than 16 MiB, and its own metric is asked for up to
    n = 32.

    Args:
        algebra: any algebra of n x n matrices.
        name: only consider the algebras of this name.

    Raises:
        ArgumentError: there is no algebra of that name on ``R^n``, or ``algebra`` is zero.

    >>> print(nearest_named(SO(1, 3).algebra))
    so(1,3) (overlap 1.0000, smallest |cos| 1.0000)
    """
    columns = algebra._columns
    if not columns.shape[1]:
        raise ArgumentError("algebra", "an algebra of at least one dimension", f"{algebra} of dimension 0")
    rank = columns.shape[1]

    def ceiling(place: int) -> float:
        return min(every[place].dim, rank) / max(every[place].dim, rank)

    every = list(_candidates(algebra))
    if name is None:
        asked = [i for i, c in enumerate(every) if c.dim <= 2 * rank or basis_bytes(c.dim, algebra.n) <= LARGE]
    else:
        asked = [i for i, c in enumerate(every) if c.name == name]
    best: tuple[float, int, LieAlgebra | None] | None = None
    for place in sorted(asked, key=lambda i: (-ceiling(i), i)):
        if best is not None and (most := ceiling(place)) <= best[0] + 1e-9 and (most < best[0] - 1e-9 or place > best[1]):
            continue
        exact, closed_form = None, every[place].shared
        if closed_form is None:
            exact = LieAlgebra(every[place].basis(), every[place].name)
            shared = float((exact._columns.mT @ columns).square().sum())
        else:
            shared = closed_form()
        overlap = shared / max(every[place].dim, rank)
        if best is None or overlap > best[0] + 1e-9 or (overlap > best[0] - 1e-9 and place < best[1]):
            best = (overlap, place, exact)
    if best is None:
        raise ArgumentError("name", f"one of {', '.join(dict.fromkeys(c.name for c in every))}", repr(name))
    overlap, place, made = best
    found = every[place]
    nearest = LieAlgebra(found.basis(), found.name) if made is None else made
    return Named(found.name, nearest, algebra.principal_cosines(nearest), overlap, lambda: found.group(nearest))


def _candidates(algebra: LieAlgebra) -> Iterator[_Candidate]:
    n = algebra.n
    for copies in [c for c in range(1, n // 2 + 1) if n % c == 0]:
        yield from _orthogonal(algebra, copies)
    yield from _of_own_metric(algebra)
    if n == 3:
        yield from _about_axes(algebra)
    if n > 1:
        yield _Candidate(f"sl({n})", n * n - 1, lambda: sl_basis(n), lambda _: SL(n))
    if n % 2 == 0:
        m = n // 2
        yield _Candidate(f"sp({n})", m * (n + 1), lambda: sp_basis(m), lambda _: Sp(n))
        if m > 1:
            yield _Candidate(f"u(1)^{m}", m, lambda: torus_basis(m), lambda _: Torus(m))
    eye = torch.eye(n, dtype=torch.float64)
    yield _Candidate("dilations", 1, lambda: eye.unsqueeze(0), lambda _: Scalings(n))
    yield _Candidate("diagonal", n, lambda: torch.diag_embed(eye), _generated)
    if n > 2:
        d = n - 1
        moves: list[tuple[str, int, Callable[[], MatrixGroup]]] = [
            (f"translations({d})", d, lambda: Translations(d)),
            (f"se({d})", d * (d + 1) // 2, lambda: SE(d)),
            (f"aff({d})", d * n, lambda: Affine(d)),
        ]
        for label, dim, make in moves:
            yield _of_group(label, dim, make)
    yield _Candidate(f"gl({n})", n * n, lambda: gl_basis(n), lambda _: GLplus(n))


def _orthogonal(algebra: LieAlgebra, copies: int) -> Iterator[_Candidate]:
    """so(p, q) with p + q = d = n / copies on ``copies`` of its space, alone and with the dilation."""
    n = algebra.n
    d = n // copies
    suffix = f" on {copies} copies" if copies > 1 else ""
    dim = d * (d - 1) // 2
    i, j = torch.triu_indices(d, d, 1)

    @cache
    def entries() -> tuple[Tensor, Tensor, float]:
        """Of pairs (i, j) and (j, i) of what all copies do alike: half the squares, and the product; and the square of the dilation."""
        alike = algebra._columns.unflatten(0, (copies, d, copies, d)).diagonal(dim1=0, dim2=2).sum(-1) / copies**0.5  # [d, d, r]
        above, below, stays = alike[i, j], alike[j, i], alike.diagonal().sum(-1)
        return (above.square() + below.square()).sum(-1) / 2, (above * below).sum(-1), float(stays.square().sum()) / d

    for p in (d, *range(1, d)):
        label = f"so({p},{d - p})" if p < d else f"so({d})"

        def shared(p: int = p) -> float:
            squares, products, _ = entries()
            return float((squares + torch.where((i < p) & (j >= p), products, -products)).sum())

        def dilated_shared(p: int = p) -> float:
            return shared(p) + entries()[2]

        def basis(p: int = p) -> Tensor:
            return torch.kron(torch.eye(copies, dtype=torch.float64), so_basis(p, d - p))

        def make(algebra: LieAlgebra, p: int = p) -> Group:
            return SO(p, d - p, connected=True) if copies == 1 else _generated(algebra)

        yield _Candidate(label + suffix, dim, basis, make, shared)
        yield _Candidate(f"{label}{suffix} + dilation", dim + 1, partial(_dilated, basis), _generated, dilated_shared)


def _of_own_metric(algebra: LieAlgebra) -> Iterator[_Candidate]:
    """so(p, q) in the coordinates where the algebra's own metric is diagonal, unless that is a standard one."""
    n = algebra.n
    if not 2 <= n <= MOST_FOR_METRIC:
        return
    metric = algebra.metric(conformal=True)
    if not metric:
        return
    p, q = metric.signature
    diagonal = metric.form.diagonal()
    for signs in ([1.0] * p + [-1.0] * q, [-1.0] * q + [1.0] * p):
        if abs(float(diagonal @ diagonal.new_tensor(signs))) / n**0.5 >= SAME_METRIC:
            return
    label = f"so({p},{q})" if q else f"so({p})"
    dim = n * (n - 1) // 2
    where = " of its own metric"
    form = metric.form
    yield _Candidate(label + where, dim, lambda: algebra_of_form(form), lambda _: Isometries(form))
    yield _Candidate(f"{label}{where} + dilation", dim + 1, lambda: _with_dilation(algebra_of_form(form)), _generated)


def _about_axes(algebra: LieAlgebra) -> Iterator[_Candidate]:
    """Rotations of R^3 about a coordinate axis, then about the axis of the algebra's own skew part."""
    skew = algebra.basis - algebra.basis.mT
    x, y, z = torch.stack([skew[:, 2, 1], skew[:, 0, 2], skew[:, 1, 0]])
    # The leading direction among the basis matrices' axes.
    _, size, directions = torch.linalg.svd(torch.stack([x, y, z], -1), full_matrices=False)
    own = [SO(2, axis=directions[0])] if float(size[0]) > 0 else []
    for group in (*(SO(2, axis=letter) for letter in "xyz"), *own):
        yield _of_group(str(group.algebra), 1, partial(_same, group))


def _of_group(label: str, dim: int, make: Callable[[], MatrixGroup]) -> _Candidate:
    def basis() -> Tensor:
        lie = make().algebra
        assert lie is not None
        return lie.basis

    return _Candidate(label, dim, basis, lambda _: make())


def _same(group: MatrixGroup) -> MatrixGroup:
    return group


def _dilated(basis: Callable[[], Tensor]) -> Tensor:
    return _with_dilation(basis())


def _with_dilation(basis: Tensor) -> Tensor:
    return torch.cat([basis, torch.eye(basis.shape[-1], dtype=basis.dtype).unsqueeze(0)])


def _generated(algebra: LieAlgebra) -> Group:
    return MatrixGroup(algebra=algebra, name=f"exp {algebra.name}")
