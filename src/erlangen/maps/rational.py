"""The null space of rational constraints in exact arithmetic."""

from __future__ import annotations

from fractions import Fraction
from math import lcm
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy import sparse
from scipy.linalg import qr
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.linalg import null_space_exact, rank_mod_p
from erlangen.maps.constraints import Constraint, Constraints

#: Entries of generators are read as fractions with at most this denominator, and those of solutions with at most its square.
MAX_DENOMINATOR = 64


def rational_null_space(constraints: Constraints, found: Float[Tensor, "size k"]) -> Int[Tensor, "size k"]:
    """The invariant tensors, as primitive integer columns, from a numeric basis of them.

    The numeric basis is brought to the form that is the unit matrix on ``k`` rows and read as fractions. That these solve every equation
    is checked in integers, and that there are no more solutions by the rank modulo a prime, which never exceeds the rational one. So
    the result is exact although it was found in floating point; where either check fails, elimination over the rationals decides.

    Raises:
        ArgumentError: a generator has an entry that is no fraction with a small denominator.
    """
    equations = [_integer_equations(c) for c in constraints]
    if not equations:
        return torch.eye(constraints.size, dtype=torch.int64)
    columns = _read_as_fractions(found.numpy())
    if all(not _apply(e, columns).any() for e in equations) and _at_most(columns.shape[1], equations):
        return torch.from_numpy(columns)
    stacked = np.unique(sparse.vstack(equations).toarray(), axis=0)
    return torch.tensor(null_space_exact(stacked), dtype=torch.int64).reshape(-1, constraints.size).mT.contiguous()


def _read_as_fractions(basis: np.ndarray) -> np.ndarray:
    """The integer columns nearest to a basis of a rational space; a diagonal on the pivot rows, so they are independent."""
    if not basis.shape[1]:
        return np.zeros(basis.shape, dtype=np.int64)
    pivots = np.sort(qr(basis.T, mode="r", pivoting=True)[1][: basis.shape[1]])
    reduced = basis @ np.linalg.inv(basis[pivots])
    columns = []
    for column in reduced.T.tolist():
        fractions = [Fraction(x).limit_denominator(MAX_DENOMINATOR**2) for x in column]
        common = lcm(*(f.denominator for f in fractions))
        columns.append([int(f * common) for f in fractions])
    return np.array(columns, dtype=np.int64).T.copy()


def _at_most(k: int, equations: list[sparse.csr_array]) -> bool:
    """Whether a few integer combinations of the equations already leave no more than ``k`` solutions."""
    rng = np.random.default_rng(0)
    mixed = []
    for _ in range(min(2, len(equations))):
        weights = rng.integers(1, 1000, len(equations))
        mixed.append(sum(int(w) * e for w, e in zip(weights, equations)).toarray())  # type: ignore[union-attr]
    return equations[0].shape[1] - rank_mod_p(np.concatenate(mixed)) <= k


def _apply(a: Any, b: np.ndarray) -> np.ndarray:
    """A product of integer matrices, refused where it could overflow."""
    if int(abs(a).max()) * int(np.abs(b).max(initial=0)) * a.shape[1] >= 2**63:
        raise OverflowError("the rational basis has entries beyond 64 bits; use another method")
    return a @ b


def _integer_equations(constraint: Constraint) -> sparse.csr_array:
    """One generator's equation, written out and multiplied by its denominators."""
    axes = [_integers(m) for m in constraint.matrices]
    common = lcm(*(denominator for _, denominator in axes))
    eyes = [sparse.eye_array(m.shape[0], dtype=np.int64, format="csr") for m, _ in axes]
    if not constraint.infinitesimal:
        product, unit = sparse.eye_array(1, dtype=np.int64, format="csr"), 1
        for m, denominator in axes:
            product, unit = sparse.kron(product, m, format="csr"), unit * denominator
        return product - unit * sparse.eye_array(product.shape[0], dtype=np.int64, format="csr")
    total = sparse.csr_array((constraint.size, constraint.size), dtype=np.int64)
    for place, (m, denominator) in enumerate(axes):
        term = sparse.eye_array(1, dtype=np.int64, format="csr")
        for other, eye in enumerate(eyes):
            term = sparse.kron(term, m * (common // denominator) if other == place else eye, format="csr")
        total = total + term.astype(np.int64)  # a Kronecker product with zeros forgets its type
    return total


def _integers(matrix: Tensor) -> tuple[sparse.csr_array, int]:
    """A rational matrix as integers over one denominator."""
    fractions = [Fraction(x).limit_denominator(MAX_DENOMINATOR) for x in matrix.flatten().tolist()]
    worst = max(abs(float(f) - x) for f, x in zip(fractions, matrix.flatten().tolist()))
    if worst > 1e-14:
        hint = "change the basis of the representation, or use another method"
        raise ArgumentError("method", "generators with rational entries for 'exact'", f"entries {worst:.2g} away from one", hint)
    denominator = lcm(*(f.denominator for f in fractions))
    integers = np.array([int(f * denominator) for f in fractions], dtype=np.int64).reshape(matrix.shape)
    return sparse.csr_array(integers), denominator
