"""Sparse linear systems one after another on one pattern, as Newton's method meets them.

SciPy's SuperLU with the minimum-degree ordering of ``A + A^T`` and diagonal pivots factors these matrices two to three times as fast
as in its default setting. The ordering is kept, and so is the factorisation: the next matrices are near, and GMRES with the old factors
as preconditioner takes a few solves, where a new factorisation costs as much as twenty to forty. Diagonal pivots may lose digits on an
indefinite matrix; the residual tells, and partial pivoting takes over.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator, gmres, splu

#: Iterations with old factors before new ones are made.
PATIENCE = 12

#: Relative residual of a solution.
ACCURATE = 1e-9


class Solver:
    """Solves ``A x = b`` for matrices of one pattern.

    Attributes:
        factorised: how many factorisations were made.

    >>> solver = Solver()
    >>> A = sp.csc_matrix(np.array([[2.0, 1.0], [0.0, 1.0]]))
    >>> solver.solve(A, np.array([3.0, 1.0])).round(9).tolist(), solver.factorised
    ([1.0, 1.0], 1)
    """

    def __init__(self) -> None:
        self.factorised = 0
        self._factors: Any = None
        self._order: np.ndarray | None = None
        self._gather: np.ndarray | None = None
        self._permuted: sp.csc_matrix | None = None

    def solve(self, A: sp.csc_matrix, b: np.ndarray, *, fresh: bool = False) -> np.ndarray:
        """The solution; ``fresh``: with factors of this very matrix.

        Raises:
            numpy.linalg.LinAlgError: the matrix is singular.
        """
        size = float(np.linalg.norm(b))
        if not size:
            return np.zeros_like(b)
        if self._factors is not None and not fresh:
            x = self._iterate(A, b, PATIENCE)
            if x is not None:
                return x
        self._factor(A)
        x = self._iterate(A, b, 4)
        if x is None:
            try:
                pivoted = splu(A)
            except RuntimeError as singular:
                raise np.linalg.LinAlgError("singular matrix") from singular
            self.factorised += 1
            self._factors = pivoted.solve
            x = self._iterate(A, b, 4)
            if x is None:
                x = pivoted.solve(b)
        if not np.isfinite(x).all():
            raise np.linalg.LinAlgError("singular matrix")
        return x

    def _iterate(self, A: sp.csc_matrix, b: np.ndarray, steps: int) -> np.ndarray | None:
        with np.errstate(all="ignore"):
            start = self._factors(b)
            if not np.isfinite(start).all():
                return None
            if np.linalg.norm(A @ start - b) <= ACCURATE * np.linalg.norm(b):
                return start
            # On the right, so that the residual that GMRES watches is the true one.
            through = LinearOperator(A.shape, matvec=lambda y: A @ self._factors(y), dtype=np.float64)
            y, missed = gmres(through, b, rtol=ACCURATE / 2, atol=0.0, restart=steps, maxiter=1)
            x = self._factors(y)
            good = not missed or np.linalg.norm(A @ x - b) <= ACCURATE * np.linalg.norm(b)
        return x if good and np.isfinite(x).all() else None

    def _factor(self, A: sp.csc_matrix) -> None:
        self.factorised += 1
        try:
            if self._order is None or len(self._gather) != A.nnz:  # type: ignore[arg-type]
                factors = diagonal_factors(A, "MMD_AT_PLUS_A")
                self._remember(A, factors.perm_c)
                self._factors = factors.solve
                return
            self._permuted.data[:] = A.data[self._gather]  # type: ignore[union-attr]
            factors, order = diagonal_factors(self._permuted, "NATURAL"), self._order
        except RuntimeError:  # a pivot is exactly zero
            self._factors = lambda b: np.full_like(b, np.nan)
            return

        def solve(b: np.ndarray) -> np.ndarray:
            out = np.empty_like(b)
            out[order] = factors.solve(b[order])
            return out

        self._factors = solve

    def _remember(self, A: sp.csc_matrix, perm_c: np.ndarray) -> None:
        """The ordering, and where the numbers of a matrix go when its rows and columns are permuted by it."""
        self._order = np.argsort(perm_c)
        numbered = sp.csc_matrix((np.arange(1, A.nnz + 1, dtype=np.float64), A.indices, A.indptr), shape=A.shape)
        permuted = numbered[self._order][:, self._order].tocsc()
        permuted.sort_indices()
        self._gather = permuted.data.astype(np.int64) - 1
        self._permuted = permuted


def diagonal_factors(A: sp.csc_matrix, ordering: str = "MMD_AT_PLUS_A") -> Any:
    """SuperLU with pivots on the diagonal only, so that a symmetric matrix is factored as ``L D L^T``."""
    return splu(A, permc_spec=ordering, diag_pivot_thresh=0.0, options={"SymmetricMode": True})
