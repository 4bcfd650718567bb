"""`numeric_basis`: every equivariant linear map between two representations of any group, as a null space.

This is the route for groups without a diagram basis, and the check of those that have one. A map is a tensor whose axes the group moves
one at a time (:mod:`erlangen.maps.constraints`), and the methods are six ways to solve the generators' equations, in coordinates in which
these are of size one (:mod:`erlangen.maps.balance`). Of a finite group the characters say how many maps there are; what disagrees with
them, or violates an equation, is refused.

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
from erlangen.maps.balance import Balanced, balance
from erlangen.maps.constraints import Constraint, Constraints, allow
from erlangen.maps.fourier import abelian_part, frequency_zero
from erlangen.maps.learned import check_exact, nearly_invariant
from erlangen.maps.orbits import Orbits, find_orbits
from erlangen.maps.weights import weight_zero
from erlangen.reps.balance import ROUNDING, in_coordinates
from erlangen.reps.base import Rep
from erlangen.reps.characters import count_equivariant_maps
from erlangen.reps.combine import DirectSum, TensorProduct

Method = Literal["auto", "orbits", "fourier", "weights", "dense", "krylov", "exact"]

#: Spaces of maps with at most this many entries are solved by singular values of the whole constraint, larger ones matrix-free.
DENSE_SIZE = 1500
#: A rank whose gap is below this is no rank.
MIN_GAP = 1e2
#: A basis whose maps violate an equation by more than this, in balanced coordinates, is wrong; where the matrices of a finite group are
#: inaccurate themselves, by more than so many times their error.
_RESIDUAL, _ERRORS = 1e-8, 100.0
#: In coordinates so skew that rounding a basis violates the equations by more than this, there is none in double precision.
_REPRESENTABLE = 1e-3
#: How often a basis is made orthonormal: each time the remaining error is multiplied by the coordinates' condition times rounding.
_REPEATS = 6


@dataclass(frozen=True, eq=False)
class NumericBasis:
    """The space of equivariant linear maps from ``source`` to ``target``.

    Args:
        basis: the maps, orthonormal in the Frobenius product, ``[k, dim target, dim source]`` float64.
        residual: the largest violation of a generator's equation by a basis map, relative to the sizes of both, in balanced coordinates.
        gap: the smallest ratio between what was kept as non-zero and what was dropped as zero, over all steps (``inf``: no decision
            by size was needed).
        clear: the dimension does not hang on that: it was counted (orbits, frequencies, characters), or no other was nearly as plausible.
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
class Solution:
    """The invariant tensors of one block: orthonormal columns ``[size, k]`` (or orbits that stand for them) and how they were found."""

    columns: Tensor
    method: str
    gap: float = math.inf
    clear: bool = True
    residual: float = 0.0
    exact: Tensor | None = None
    orbits: Orbits | None = None

    @property
    def count(self) -> int:
        return self.columns.shape[1] if self.orbits is None else self.orbits.count

    def written(self) -> Tensor:
        """The columns, also of orbits."""
        return self.columns if self.orbits is None else self.orbits.columns()


#: A block of a space of maps: its rows, its columns, and the maps there.
Block = tuple[slice, slice, Solution]


@torch.inference_mode(False)  # what is found must serve training too
def numeric_basis(
    source: Rep, target: Rep, method: Method = "auto", seed: int = 0, *, tolerance: float | None = None
) -> NumericBasis:
    """A basis of the linear maps ``source -> target`` that commute with the group.

    Direct sums are solved block by block, equal blocks once.

    Args:
        source: a representation.
        target: a representation of the same group.
        method: ``"orbits"`` (the generators are signed permutations: exact, orbits of index pairs); ``"fourier"`` (the group is finite:
            frequencies of an abelian subgroup add up to zero, exactly; then the other generators); ``"weights"`` (there is a Lie algebra
            whose generic element can be diagonalised); ``"dense"`` (singular values); ``"krylov"`` (matrix-free, for large spaces);
            ``"exact"`` (rational arithmetic, for rational generators); ``"auto"`` (the first of these that applies).
        seed: of the random algebra elements; the same seed gives the same basis.
        tolerance: of a learned Lie algebra, how large its error is, relative to the size of its elements: the maps that satisfy its
            equations to this are kept, the nearest to those of the exact algebra. Zero says that a :class:`MatrixGroup`'s algebra is exact
            although its equations look as if it was not.

    Raises:
        ArgumentError: the representations belong to different groups, or the method is unknown or does not apply to this group.
        UnsupportedError: the dimension is not numerically clear, the algebra seems to be learned and no tolerance is given, the result
            violates the equations or disagrees with the characters, or the basis is too large to be written out.

    >>> from erlangen.groups import SO
    >>> V = SO(3).vector
    >>> found = numeric_basis(V ** 3, V ** 3)
    >>> found.basis.shape, found.method, found.residual < 1e-10
    (torch.Size([15, 27, 27]), 'weights', True)
    """
    placed = solve(source, target, method, seed, tolerance)
    solutions = [block for _, _, block in placed]
    return NumericBasis(
        assemble(source, target, placed),
        max(block.residual for block in solutions),
        min(block.gap for block in solutions),
        all(block.clear for block in solutions),
        "+".join(dict.fromkeys(block.method for block in solutions)),
        assemble(source, target, placed, exact=True) if method == "exact" else None,
    )


@torch.inference_mode(False)
def solve(source: Rep, target: Rep, method: Method = "auto", seed: int = 0, tolerance: float | None = None) -> list[Block]:
    """The maps block by block, as :func:`numeric_basis`, which puts them together."""
    for name, rep in (("source", source), ("target", target)):
        if not isinstance(rep, Rep):
            raise ArgumentError(name, "a representation", type(rep).__name__)
    if source.group != target.group:
        raise ArgumentError("target", f"a representation of {source.group}", f"one of {target.group}")
    if method not in get_args(Method):
        raise ArgumentError("method", f"one of {', '.join(map(repr, get_args(Method)))}", repr(method))
    if not isinstance(seed, int):
        raise ArgumentError("seed", "an integer", repr(seed))
    if tolerance is not None and not 0 <= tolerance < 1:
        raise ArgumentError("tolerance", "a relative error from 0 to 1, or None", repr(tolerance))
    solved: dict[tuple[Rep, Rep], Solution] = {}
    placed: list[Block] = []
    for rows, w in _blocks(target):
        for columns, v in _blocks(source):
            if (v, w) not in solved:
                solved[v, w] = _solve(v, w, method, seed, tolerance)
            placed.append((rows, columns, solved[v, w]))
    return placed


def violation_of(source: Rep, target: Rep, columns: Float[Tensor, "size k"]) -> float:
    """How far flattened matrices are from commuting with the generators, relative to the sizes of both, in balanced coordinates.

    >>> from erlangen.groups import SO
    >>> V = SO(2).vector
    >>> violation_of(V, V, torch.eye(2, dtype=torch.float64).flatten().unsqueeze(1))
    0.0
    """
    rep = source >> target
    return _violation(columns, balance(rep, Constraints.of(rep)))


def _violation(columns: Tensor, balanced: Balanced) -> float:
    moved = balanced.there(columns)
    sizes = torch.linalg.vector_norm(moved, dim=0).clamp_min(torch.finfo(torch.float64).tiny)
    return balanced.constraints.residual(moved / sizes)


def _blocks(rep: Rep) -> Iterator[tuple[slice, Rep]]:
    """The summands of a representation and where they stand."""
    parts = rep.parts if isinstance(rep, DirectSum) else (rep,)
    ends = accumulate((p.dim for p in parts), initial=0)
    return ((slice(start, stop), part) for (start, stop), part in zip(pairwise(ends), parts))


def assemble(source: Rep, target: Rep, placed: list[Block], exact: bool = False) -> Tensor:
    """The basis ``[k, dim target, dim source]``: each block's maps in the block's place and zeros elsewhere."""
    count = sum(block.count for _, _, block in placed)
    allow(count, target.dim * source.dim, f"the basis of {source.symbol} -> {target.symbol}")
    basis = torch.zeros(count, target.dim, source.dim, dtype=torch.int64 if exact else torch.float64)
    start = 0
    for rows, columns, block in placed:
        maps = block.exact if exact else block.written()
        assert maps is not None
        stop = start + maps.shape[1]
        basis[start:stop, rows, columns] = maps.mT.reshape(-1, rows.stop - rows.start, columns.stop - columns.start)
        start = stop
    return basis


def _solve(v: Rep, w: Rep, method: Method, seed: int, tolerance: float | None) -> Solution:
    """The invariant tensors of one block, by the method asked for or the first that applies."""
    what = f"{v.symbol} -> {w.symbol} of {v.group}"
    allow(1, v.dim * w.dim, f"the equivariant maps {what}")
    generator = torch.Generator().manual_seed(seed)
    rep = v >> w
    constraints = Constraints.of(rep)
    count = count_equivariant_maps(v, w)
    if method in ("auto", "orbits"):
        orbits = find_orbits(constraints)
        if orbits is not None:
            _check_count(orbits.count, count, what)
            return Solution(torch.zeros(constraints.size, 0, dtype=torch.float64), "orbits", orbits=orbits)
        if method == "orbits":
            raise ArgumentError("method", "generators that are signed permutations for 'orbits'", f"other ones in {what}")
    if method == "exact":
        from erlangen.maps.rational import rational_null_space

        columns = rational_null_space(constraints, _solve(v, w, "auto", seed, tolerance).written())
        _check_count(columns.shape[1], count, what)
        return Solution(torch.linalg.qr(columns.double()).Q, "exact", exact=columns)
    balanced = balance(rep, constraints)
    found = _in_balance(rep, balanced, method, generator, what, count, tolerance)
    _check_count(found.columns.shape[1], count, what)
    residual = balanced.constraints.residual(found.columns)
    allowed = max(_RESIDUAL, 10 * (tolerance or 0.0), 10 * balanced.rounding)
    if v.group.is_finite:
        allowed = max(allowed, _ERRORS * min(balanced.defect, 1e-3))
    if not residual <= allowed or not found.clear:
        raise UnsupportedError(
            f"the equivariant maps {what} have no numerically clear dimension: {found.columns.shape[1]} tensors were found, with a gap of "
            f"{found.gap:.3g} to the others, and violate the equations by {residual:.2g} of their size (at most {allowed:.2g} allowed)"
        )
    if not balanced.is_changed:
        return Solution(found.columns, found.method, found.gap, found.clear, residual)
    columns, residual = _back(found.columns, balanced)
    if not residual <= max(allowed, _REPRESENTABLE):
        raise UnsupportedError(
            f"the equivariant maps {what} cannot be written in these coordinates: in double precision they violate the equations by "
            f"{residual:.2g} of their size; give the representation in an orthogonal basis (erlangen.reps.InBasis goes back from there)"
        )
    return Solution(columns, found.method, found.gap, found.clear, residual)


def _back(found: Tensor, balanced: Balanced) -> tuple[Tensor, float]:
    """Orthonormal columns in the coordinates of the representation, and how well they solve the equations there."""
    # Large entries would round off small ones in those coordinates. So only coefficients are taken from there, anew until the columns are
    # orthonormal: whatever these are, combinations of solutions are solutions.
    mix = torch.eye(found.shape[1], dtype=found.dtype)
    if not len(mix):
        return found, 0.0
    for _ in range(_REPEATS):
        columns = balanced.back(found @ mix)
        step = torch.linalg.qr(columns, mode="r").R
        if bool((step.diagonal().abs() <= 1e-15 * step.abs().amax()).any()):
            break
        mix = torch.linalg.solve_triangular(step, mix, upper=True, left=False)
        mix = mix / torch.linalg.vector_norm(balanced.back(found @ mix), dim=0)
    columns = balanced.back(found @ mix)
    error = float((columns.mT @ columns - torch.eye(len(mix), dtype=found.dtype)).abs().max())
    return columns, max(_violation(columns, balanced), error)


def _in_balance(
    rep: Rep, balanced: Balanced, method: Method, generator: torch.Generator, what: str, count: int | None, tolerance: float | None
) -> Solution:
    """The invariant tensors in balanced coordinates; ``count`` of them, where that is known."""
    constraints, rounding = balanced.constraints, balanced.rounding
    if tolerance and constraints.has_algebra:
        columns, gap = nearly_invariant(constraints, generator, tolerance, what)
        return Solution(columns, "tolerance", gap)
    if method == "fourier" and not rep.group.is_finite:
        raise ArgumentError("method", "a finite group for 'fourier'", what, "use method='weights', 'dense' or 'krylov'")
    if method in ("auto", "fourier") and rep.group.is_finite:
        found = _by_fourier(rep, balanced, what, count)
        if found is not None:
            return found
    if method in ("auto", "weights"):
        start = _by_weights(constraints, generator, rounding)
        if start is not None:
            found = _impose_all(start, constraints, generator, what, rounding)
            if tolerance is None:
                check_exact(rep.group, constraints, found.columns.shape[1], generator, what)
            return found
        if method == "weights":
            hint = "use method='dense' or 'krylov'"
            raise ArgumentError("method", "a Lie algebra with generic elements that diagonalise for 'weights'", what, hint)
    if method == "krylov" or (method == "auto" and constraints.size > DENSE_SIZE):
        found = _krylov(constraints, generator, what, rounding)
    else:
        allow(constraints.size, constraints.size, what)
        start = Solution(torch.eye(constraints.size, dtype=torch.float64), "dense")
        found = _impose_all(start, constraints, generator, what, rounding, count)
    if tolerance is None:
        check_exact(rep.group, constraints, found.columns.shape[1], generator, what)
    return found


def _by_fourier(rep: Rep, balanced: Balanced, what: str, count: int | None) -> Solution | None:
    """What commuting elements leave alone, in whole numbers, and of that what the other generators do."""
    elements, orders, is_all = abelian_part(rep.group)
    axes = rep.parts if isinstance(rep, TensorProduct) else (rep,)
    matrices = [in_coordinates(t, axis.matrix(elements).to(torch.float64)) for t, axis in zip(balanced.changes, axes)]
    columns = frequency_zero(matrices, orders)
    if columns is None:
        return None
    start = Solution(columns, "fourier")
    return start if is_all else _impose_rest(start, balanced.constraints, what, count, balanced.rounding)


def _by_weights(constraints: Constraints, generator: torch.Generator, rounding: float) -> Solution | None:
    """The null space of one random algebra element in closed form."""
    if not constraints.has_algebra:
        return None
    found = weight_zero(constraints.random_element(generator), _cut(rounding))
    return None if found is None else Solution(found[0], "weights", found[1])


def _impose_all(
    start: Solution, constraints: Constraints, generator: torch.Generator, what: str, rounding: float, count: int | None = None
) -> Solution:
    """Restrict a space that holds all invariants until it holds nothing else: random algebra elements, then the discrete generators."""
    found = start
    algebra = list(constraints.infinitesimal())
    # Two random elements are enough for semisimple and abelian algebras; as many as its dimension always are.
    for _ in range(len(algebra)):
        if all(_holds(c, found.columns, rounding) for c in algebra):
            break
        found = _impose(found, constraints.random_element(generator), what, rounding)
    return _impose_rest(found, constraints, what, count, rounding)


def _impose_rest(found: Solution, constraints: Constraints, what: str, count: int | None, rounding: float) -> Solution:
    """Impose all discrete generators at once, and keep the ``count`` tensors that satisfy them best, where that number is known."""
    left = [c for c in constraints.finite() if not _holds(c, found.columns, rounding)]
    if not left or (count is not None and count > found.columns.shape[1]):
        return found
    rtol = _cut(rounding) if count is None else None
    null = null_space((c(found.columns) for c in left), dim=count, rtol=rtol, scale=max(c.scale for c in left))
    _check_gap(null.gap, what)
    return Solution(
        found.columns @ null.basis, found.method, min(found.gap, null.gap), count is not None or (found.clear and null.clear)
    )


def _holds(constraint: Constraint, columns: Tensor, rounding: float) -> bool:
    return not columns.shape[1] or float(torch.linalg.vector_norm(constraint(columns), dim=0).max()) <= rounding * constraint.scale


def _impose(found: Solution, constraint: Constraint, what: str, rounding: float) -> Solution:
    """The part of a space on which one equation holds: with columns ``Q``, ``Q null(C Q)``."""
    if constraint.is_void or _holds(constraint, found.columns, rounding):
        return found
    null = null_space(constraint(found.columns), rtol=_cut(rounding), scale=constraint.scale)
    _check_gap(null.gap, what)
    return Solution(found.columns @ null.basis, found.method, min(found.gap, null.gap), found.clear and null.clear)


def _krylov(constraints: Constraints, generator: torch.Generator, what: str, rounding: float) -> Solution:
    """All equations at once, matrix-free: two random algebra elements and the discrete generators."""
    from scipy.sparse.linalg import LinearOperator

    size, algebra = constraints.size, list(constraints.infinitesimal())
    random = [constraints.random_element(generator) for _ in range(min(2, len(algebra)))]
    equations = [c for c in [*random, *constraints.finite()] if not c.is_void]
    if not equations:
        return _impose_all(Solution(torch.eye(size, dtype=torch.float64), "krylov"), constraints, generator, what, rounding)

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
    return _impose_all(Solution(null.basis, "krylov", null.gap, null.clear), constraints, generator, what, rounding)


def _cut(rounding: float) -> float | None:
    """Where singular values stop being numbers: by their largest gap, unless rounding is known to be larger than usual."""
    return rounding if rounding > ROUNDING else None


def _check_count(found: int, count: int | None, what: str) -> None:
    if count is not None and found != count:
        raise UnsupportedError(
            f"the equivariant maps {what} have no clear dimension: the generators' equations leave {found}, the characters count {count}. "
            "Either the generators do not generate the group (erlangen.testing.check_group), or its matrices represent it badly (check_rep)"
        )


def _check_gap(gap: float, what: str) -> None:
    if gap < MIN_GAP:
        raise UnsupportedError(
            f"the equivariant maps {what} have no numerically clear dimension: the smallest singular value kept is only {gap:.3g} times "
            f"the largest one dropped (at least {MIN_GAP:g} needed); use method='exact' where generators are rational"
        )
