"""Stability of an equilibrium: the lowest eigenvalues of the stiffness, their modes and the modes' symmetry, and the critical modulus."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Float
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh
from torch import Tensor

from erlangen.fields.solids.sparse import diagonal_factors
from erlangen.fields.solids.symmetry import MeshSymmetry
from erlangen.fields.solids.system import System


@dataclass(frozen=True, eq=False)
class Stability:
    """How a body answers to small pushes.

    Attributes:
        eigenvalues: the lowest of the stiffness on the free vertices, ascending, N/m.
        modes: their displacements, of norm one, ``[k, n, 3]``; the sign is chosen so that the largest component is positive.
        negative: how many eigenvalues are negative (by the signs of the pivots of ``L D L^T``, Sylvester's law of inertia).
        critical_E: the modulus at which the lowest eigenvalue would reach zero, Pa, if geometric stiffness did not depend on it: an
            estimate, good near the critical point; :func:`critical_stiffness` finds it.
    """

    eigenvalues: Float[Tensor, " k"]
    modes: Float[Tensor, "k n 3"]
    negative: int
    critical_E: float
    system: System = field(repr=False)

    @property
    def lambda_min(self) -> float:
        """The lowest eigenvalue, N/m."""
        return float(self.eigenvalues[0])

    @cached_property
    def symmetry(self) -> MeshSymmetry:
        """The mesh's symmetries that the loads leave."""
        given = self.system.symmetry
        return given if given is not None else MeshSymmetry.detect(self.system.mesh).kept_by(self.system)

    def shares(self, mode: int = 0) -> dict[str, float]:
        """How much of a mode belongs to each irreducible representation of the symmetries."""
        return self.symmetry.shares(self.modes[mode])

    @property
    def mode_type(self) -> str:
        """The representation that most of the lowest mode belongs to; ``"symmetric"`` where there is no symmetry to break."""
        shares = self.shares()
        best = max(shares, key=lambda name: shares[name])
        return best if shares[best] > 0.5 else "not symmetric"

    def lines(self) -> list[str]:
        """For a report."""
        kind = (
            f"its mode is {self.mode_type} under {self.symmetry.order} symmetries"
            if self.symmetry.order > 1
            else "no symmetry to break"
        )
        lines = [f"lowest eigenvalue {self.lambda_min:.4g} N/m ({self.negative} negative); {kind}"]
        if self.negative:
            lines.append(
                f"it buckles or topples: E above about {self.critical_E:.3g} Pa, thicker parts or more supports would hold it"
            )
        return lines


def stability_of(system: System, X: Float[Tensor, "n 3"], x: Float[Tensor, "n 3"], count: int = 3) -> Stability:
    """The lowest eigenvalues in an equilibrium, symmetric or not, by Lanczos with shift and invert.

    Raises:
        RuntimeError: Lanczos found none.
    """
    elements = system.elements(X, x)
    K = system.stiffness(elements)
    values, vectors, negative = lowest(K, count)
    modes = torch.stack([system.pattern.field(v) for v in vectors.T])
    sign = modes.flatten(1).gather(1, modes.flatten(1).abs().argmax(1, keepdim=True)).sign()
    modes = modes * sign.unsqueeze(2)
    soft = system.stiffness(system.elements(x, x))
    elastic = float(vectors[:, 0] @ (soft @ vectors[:, 0]))
    critical = float(system.material.E.detach().mean()) * max(0.0, 1 - float(values[0]) / elastic)
    return Stability(torch.from_numpy(values), modes, negative, critical, system)


def lowest(K: sp.csc_matrix, count: int = 3) -> tuple[np.ndarray, np.ndarray, int]:
    """The lowest eigenvalues of a symmetric matrix, their vectors as columns, and how many are negative.

    Shift and invert finds what is nearest to the shift. So the shift is moved below all eigenvalues first, which the signs of the pivots
    tell: as many are negative as eigenvalues lie below it.

    >>> values, _, negative = lowest(sp.diags([-3.0, 1.0, 2.0, -5.0, 4.0, 7.0, 8.0, 9.0, 10.0]).tocsc(), 2)
    >>> values.round(6).tolist(), negative
    ([-5.0, -3.0], 2)
    """
    n = K.shape[0]
    count = min(count, n)
    if n <= 60:
        values, vectors = np.linalg.eigh(K.toarray())
        return values[:count], vectors[:, :count], int((values < 0).sum())
    scale = float(abs(K.diagonal()).max())
    factors, below = _shifted(K, 0.0, scale)
    negative = below
    shift = 0.0
    while below:
        near, _ = _lanczos(K, factors, shift, min(below + 2, 12, n - 2))
        shift = min(3 * float(near.min()), 2 * shift, -1e-9 * scale)
        factors, below = _shifted(K, shift, scale)
    values, vectors = _lanczos(K, factors, shift, min(count, n - 2))
    order = np.argsort(values)
    return values[order], vectors[:, order], negative


def _shifted(K: sp.csc_matrix, shift: float, scale: float) -> tuple[object, int]:
    eye = sp.eye(K.shape[0], format="csc")
    for nudge in (0.0, 1e-14, 1e-12):  # a pivot may be exactly zero
        try:
            factors = diagonal_factors((K - (shift - nudge * scale) * eye).tocsc())
        except RuntimeError:
            continue
        return factors, int((factors.U.diagonal() < 0).sum())
    raise RuntimeError("the stiffness could not be factored")


def _lanczos(K: sp.csc_matrix, factors: object, shift: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    inverse = LinearOperator(K.shape, matvec=factors.solve, dtype=np.float64)  # type: ignore[attr-defined]
    start = np.random.default_rng(0).standard_normal(K.shape[0])
    try:
        return eigsh(K, count, sigma=shift, OPinv=inverse, v0=start)
    except ArpackNoConvergence as partly:
        if not len(partly.eigenvalues):
            raise RuntimeError("no eigenvalue of the stiffness was found") from partly
        return partly.eigenvalues, partly.eigenvectors
