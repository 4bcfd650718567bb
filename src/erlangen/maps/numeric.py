"""`numeric_basis`: every equivariant linear map between two representations of any group, as a null space.

This is the route for groups without a diagram basis, and the check of those that have one. A map is a tensor whose axes the group moves
one at a time (:mod:`erlangen.maps.constraints`), and the methods are five ways to solve the generators' equations.

Source: M. Finzi, M. Welling, A. G. Wilson, "A practical method for constructing equivariant multilayer perceptrons for arbitrary matrix
groups", ICML 2021, arXiv:2104.09459, states the constraints; the methods here are our own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from erlangen.errors import ArgumentError, UnsupportedError
from erlangen.linalg import null_space
from erlangen.maps.constraints import Constraint, Constraints, allow
from erlangen.maps.orbits import find_orbits
from erlangen.maps.rational import rational_null_space
from erlangen.maps.weights import weight_zero
from erlangen.reps.base import Rep
from erlangen.reps.combine import DirectSum

Method = Literal["auto", "orbits", "weights", "dense", "krylov", "exact"]

#: Spaces of maps with at most this many entries are solved by singular values of the whole constraint, larger ones matrix-free.
DENSE_SIZE = 1500
#: A rank whose gap is below this is no rank.
MIN_GAP = 1e2
#: A violation this small against the size of its operator is rounding.
_ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class NumericBasis:
    """The space of equivariant linear maps from ``source`` to ``target``.

    Args:
        basis: the maps, orthonormal in the Frobenius product, ``[k, dim target, dim source]`` float64.
        residual: the largest violation of a generator's equation by a basis map, in the Frobenius norm.
        gap: the smallest ratio between what was kept as non-zero and what was dropped as zero, over all steps (``inf``: no decision
            by size was needed).
        clear: no other dimension was nearly as plausible in any step.
        method: what solved it; several names, joined by ``+``, when blocks of direct sums were solved differently.
        exact: for ``method="exact"`` a rational basis of the same space, as primitive integers ``[k, dim target, dim source]`` int64.
    """

    basis: Float[Tensor, "k m n"]
    residual: float
    gap: float
    clear: bool
    method: str
    exact: Int[Tensor, "k m n"] | None = None

    @property
    def dim(self) -> int:
        """The dimension of the space."""
        return len(self.basis)


@dataclass(frozen=True, eq=False)
class _Solution:
    """The invariant tensors of one block: orthonormal columns ``[size, k]`` and how they were found."""

    columns: Tensor
    method: str
    gap: float = math.inf
    clear: bool = True
    exact: Tensor | None = None


def numeric_basis(source: Rep, target: Rep, method: Method = "auto", seed: int = 0) -> NumericBasis:
    """A basis of the linear maps ``source -> target`` that commute with the group.

    Direct sums are solved block by block, equal blocks once.

    Args:
        source: a representation.
        target: a representation of the same group.
        method: ``"orbits"`` (the generators are signed permutations: exact, orbits of index pairs); ``"weights"`` (there is a Lie algebra
            whose generic element can be diagonalised); ``"dense"`` (singular values); ``"krylov"`` (matrix-free, for large spaces);
            ``"exact"`` (rational arithmetic, for rational generators); ``"auto"`` (the first of these that applies).
        seed: of the random algebra elements; the same seed gives the same basis.

    Raises:
        ArgumentError: the representations belong to different groups, or the method is unknown or does not apply to this group.
        UnsupportedError: the dimension is not numerically clear (gap below 100), or the basis is too large to be written out.

    >>> from erlangen.groups import SO
    >>> V = SO(3).vector
    >>> found = numeric_basis(V ** 3, V ** 3)
    >>> found.basis.shape, found.method, found.residual < 1e-10
    (torch.Size([15, 27, 27]), 'weights', True)
    """
    for name, rep in (("source", source), ("target", target)):
        if not isinstance(rep, Rep):
            raise ArgumentError(name, "a representation", type(rep).__name__)
    if source.group != target.group:
        raise ArgumentError("target", f"a representation of {source.group}", f"one of {target.group}")
    if method not in get_args(Method):
        raise ArgumentError("method", f"one of {', '.join(map(repr, get_args(Method)))}", repr(method))
    if not isinstance(seed, int):
        raise ArgumentError("seed", "an integer", repr(seed))
    solved: dict[tuple[Rep, Rep], tuple[_Solution, float]] = {}
    placed: list[tuple[slice, slice, _Solution]] = []
    for rows, w in _blocks(target):
        for columns, v in _blocks(source):
            if (v, w) not in solved:
                constraints = Constraints.of(v >> w)
                found = _solve(constraints, method, seed, f"{v.symbol} -> {w.symbol} of {v.group}")
                solved[v, w] = found, constraints.residual(found.columns)
            placed.append((rows, columns, solved[v, w][0]))
    count = sum(block.columns.shape[1] for _, _, block in placed)
    allow(count, target.dim * source.dim, f"the basis of {source.symbol} -> {target.symbol}")
    solutions = [block for block, _ in solved.values()]
    return NumericBasis(
        _assemble(placed, count, target.dim, source.dim, exact=False),
        max(residual for _, residual in solved.values()),
        min(block.gap for block in solutions),
        all(block.clear for block in solutions),
        "+".join(dict.fromkeys(block.method for block in solutions)),
        _assemble(placed, count, target.dim, source.dim, exact=True) if method == "exact" else None,
    )


def _blocks(rep: Rep) -> Iterator[tuple[slice, Rep]]:
    """The summands of a representation and where they stand."""
    parts = rep.parts if isinstance(rep, DirectSum) else (rep,)
    ends = accumulate((p.dim for p in parts), initial=0)
    return ((slice(start, stop), part) for (start, stop), part in zip(pairwise(ends), parts))


def _assemble(placed: list[tuple[slice, slice, _Solution]], count: int, m: int, n: int, exact: bool) -> Tensor:
    """Each block's maps in the block's place and zeros elsewhere."""
    basis = torch.zeros(count, m, n, dtype=torch.int64 if exact else torch.float64)
    start = 0
    for rows, columns, block in placed:
        maps = block.exact if exact else block.columns
        assert maps is not None
        stop = start + maps.shape[1]
        basis[start:stop, rows, columns] = maps.mT.reshape(-1, rows.stop - rows.start, columns.stop - columns.start)
        start = stop
    return basis


def _solve(constraints: Constraints, method: Method, seed: int, what: str) -> _Solution:
    """The invariant tensors of one block, by the method asked for or the first that applies."""
    generator = torch.Generator().manual_seed(seed)
    if method == "exact":
        columns = rational_null_space(constraints, _solve(constraints, "auto", seed, what).columns)
        basis = torch.linalg.qr(columns.double()).Q
        return _Solution(basis, "exact", exact=columns)
    if method in ("auto", "orbits"):
        orbits = find_orbits(constraints)
        if orbits is not None:
            allow(orbits.count, constraints.size, what)
            return _Solution(orbits.columns(), "orbits")
        if method == "orbits":
            raise ArgumentError("method", "generators that are signed permutations for 'orbits'", f"other ones in {what}")
    if method in ("auto", "weights"):
        start = _by_weights(constraints, generator)
        if start is not None:
            return _impose_all(start, constraints, generator, what)
        if method == "weights":
            hint = "use method='dense' or 'krylov'"
            raise ArgumentError("method", "a Lie algebra with generic elements that diagonalise for 'weights'", what, hint)
    if method == "krylov" or (method == "auto" and constraints.size > DENSE_SIZE):
        return _krylov(constraints, generator, what)
    allow(constraints.size, constraints.size, what)
    return _impose_all(_Solution(torch.eye(constraints.size, dtype=torch.float64), "dense"), constraints, generator, what)


def _by_weights(constraints: Constraints, generator: torch.Generator) -> _Solution | None:
    """The null space of one random algebra element in closed form."""
    if not constraints.has_algebra:
        return None
    found = weight_zero(constraints.random_element(generator))
    return None if found is None else _Solution(found[0], "weights", found[1])


def _impose_all(start: _Solution, constraints: Constraints, generator: torch.Generator, what: str) -> _Solution:
    """Restrict a space that holds all invariants until it holds nothing else: random algebra elements, then the discrete generators."""
    found = start
    algebra = list(constraints.infinitesimal())
    # Two random elements are enough for semisimple and abelian algebras; as many as its dimension always are.
    for _ in range(len(algebra)):
        if all(_holds(c, found.columns) for c in algebra):
            break
        found = _impose(found, constraints.random_element(generator), what)
    for c in constraints.finite():
        found = _impose(found, c, what)
    return found


def _holds(constraint: Constraint, columns: Tensor) -> bool:
    return not columns.shape[1] or float(torch.linalg.vector_norm(constraint(columns), dim=0).max()) <= _ROUNDING * constraint.scale


def _impose(found: _Solution, constraint: Constraint, what: str) -> _Solution:
    """The part of a space on which one equation holds: with columns ``Q``, ``Q null(C Q)``."""
    if constraint.is_void or _holds(constraint, found.columns):
        return found
    null = null_space(constraint(found.columns), scale=constraint.scale)
    _check_gap(null.gap, what)
    return _Solution(found.columns @ null.basis, found.method, min(found.gap, null.gap), found.clear and null.clear)


def _krylov(constraints: Constraints, generator: torch.Generator, what: str) -> _Solution:
    """All equations at once, matrix-free: two random algebra elements and the discrete generators."""
    from scipy.sparse.linalg import LinearOperator

    size, algebra = constraints.size, list(constraints.infinitesimal())
    random = [constraints.random_element(generator) for _ in range(min(2, len(algebra)))]
    equations = [c for c in [*random, *constraints.finite()] if not c.is_void]
    if not equations:
        return _impose_all(_Solution(torch.eye(size, dtype=torch.float64), "krylov"), constraints, generator, what)

    def forward(x: np.ndarray) -> np.ndarray:
        columns = torch.from_numpy(np.ascontiguousarray(x)).reshape(size, -1)
        return torch.cat([c(columns) for c in equations]).numpy()

    def backward(y: np.ndarray) -> np.ndarray:
        parts = torch.from_numpy(np.ascontiguousarray(y)).reshape(len(equations), size, -1)
        return torch.stack([c.adjoint(part) for c, part in zip(equations, parts)]).sum(0).numpy()

    operator = LinearOperator(
        (len(equations) * size, size),
        matvec=lambda x: forward(x).ravel(),
        matmat=forward,
        rmatvec=lambda y: backward(y).ravel(),
        rmatmat=backward,
        dtype=np.float64,
    )
    null = null_space(operator, method="krylov")
    _check_gap(null.gap, what)
    # Two elements may fail to generate a solvable algebra: the others are imposed on what is left.
    return _impose_all(_Solution(null.basis, "krylov", null.gap, null.clear), constraints, generator, what)


def _check_gap(gap: float, what: str) -> None:
    if gap < MIN_GAP:
        raise UnsupportedError(
            f"the equivariant maps {what} have no numerically clear dimension: the smallest singular value kept is only {gap:.3g} times "
            f"the largest one dropped (at least {MIN_GAP:g} needed); use method='exact' where generators are rational"
        )
