"""Bounds on effective properties that know volume fractions and isotropy only: they cannot tell mates apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from erlangen.errors import ArgumentError, ErlangenError
from erlangen.fields.microstructures.structure import as_structure


class Bounds(NamedTuple):
    """Lower and upper bounds, from wide to narrow to wide: numbers, or symmetric matrices.

    Attributes:
        reuss, voigt: for any arrangement (harmonic and arithmetic mean).
        hs_lower, hs_upper: Hashin and Shtrikman's, for statistically isotropic arrangements.
    """

    reuss: Any
    hs_lower: Any
    hs_upper: Any
    voigt: Any


def bounds_conductivity(S: Any, k: Sequence[float] | Float[np.ndarray, "n D D"]) -> Bounds:
    """Bounds on the effective conductivity of phases with conductivities ``k``.

    Args:
        S: a structure ``[*P]`` with 2 or 3 axes (of another number only Reuss and Voigt make sense for it).
        k: one positive number for each phase, or symmetric positive matrices ``[n, D, D]``; the bounds are then matrices.

    Raises:
        ArgumentError: ``k`` is none of these.

    Source: Z. Hashin, S. Shtrikman, J. Appl. Phys. 33 (1962).

    >>> bounds_conductivity([[1, 1, 2], [1, 2, 2]], (2.0, 2.0)).voigt
    2.0
    """
    v, dimension = volume_fractions(S), as_structure(S).ndim
    values = as_numbers(k)
    if values.ndim == 1:
        check_conductivities(values, len(v))
        lower, upper = (_hs(values, v, k0, dimension) for k0 in (values.min(), values.max()))
        return Bounds(float(1 / (v @ (1 / values))), lower, upper, float(v @ values))
    if values.shape != (len(v), dimension, dimension) or not _positive(values):
        raise ArgumentError(
            "k", f"{len(v)} positive numbers or symmetric positive [{dimension}, {dimension}] matrices", f"{values.shape}"
        )
    spectra = np.linalg.eigvalsh(values)
    eye = np.eye(dimension)

    def hs(k0: float) -> np.ndarray:
        return _comparison(values, v, k0 * eye, eye / (dimension * k0))

    return Bounds(_inverse_mean(values, v), hs(float(spectra.min())), hs(float(spectra.max())), np.tensordot(v, values, 1))


def bounds_elasticity(S: Any, stiffness: Float[np.ndarray, "n 6 6"]) -> Bounds:
    """Bounds on the effective stiffness of three-dimensional elasticity, in Mandel's notation (order 11, 22, 33, 23, 13, 12).

    Args:
        S: a structure ``[*P]`` (any number of axes: only volume fractions count).
        stiffness: symmetric positive matrices ``[n, 6, 6]``; :func:`isotropic` makes them.

    Raises:
        ArgumentError: they are none.

    Source: Z. Hashin, S. Shtrikman, J. Mech. Phys. Solids 11 (1963); J. R. Willis, J. Mech. Phys. Solids 25 (1977).

    >>> C = np.stack([isotropic(10, 2), isotropic(1, 5)])
    >>> float(bounds_elasticity([1, 2, 2, 2], C).reuss[3, 3].round(6))
    3.636364
    """
    v, values = volume_fractions(S), np.asarray(stiffness, np.float64)
    if values.shape != (len(v), 6, 6) or not _positive(values):
        raise ArgumentError(
            "stiffness", f"symmetric positive matrices [{len(v)}, 6, 6] in Mandel's notation", f"shape {values.shape}"
        )
    dilation, shear = _projectors()
    # Comparison media: the least and the largest of each kind of stiffness among the phases.
    within = [_range(values, basis) for basis in (dilation, shear)]

    def hs(which: int) -> np.ndarray:
        l1, l2 = within[0][which], within[1][which]
        polarisation = dilation / (l1 + 2 * l2) + shear * 2 * (l1 + 3 * l2) / (5 * l2 * (l1 + 2 * l2))
        return _comparison(values, v, isotropic(l1, l2), polarisation)

    return Bounds(_inverse_mean(values, v), hs(0), hs(1), np.tensordot(v, values, 1))


def isotropic(l1: float, l2: float) -> Float[np.ndarray, "6 6"]:
    """The stiffness ``l1 P1 + l2 P2`` with ``l1 = 3 K`` (bulk) and ``l2 = 2 G`` (shear), in Mandel's notation."""
    dilation, shear = _projectors()
    return l1 * dilation + l2 * shear


def volume_fractions(S: Any) -> Float[np.ndarray, " n"]:
    """The share of each phase."""
    array = as_structure(S)
    return np.bincount(array.reshape(-1))[1:] / array.size


def as_numbers(k: Any) -> np.ndarray:
    """Conductivities as a float64 array, of which nothing but that is asked."""
    try:
        return np.asarray(k, np.float64)
    except (TypeError, ValueError):
        raise ArgumentError("k", "positive numbers, one for each phase", repr(k)) from None


def check_conductivities(values: np.ndarray, n: int) -> None:
    """Raise ArgumentError unless there is one positive finite number for each of ``n`` phases."""
    if values.shape != (n,) or not np.isfinite(values).all() or values.min() <= 0:
        raise ArgumentError("k", f"{n} positive numbers, one for each phase", repr(values.tolist()))


def _hs(k: np.ndarray, v: np.ndarray, k0: float, dimension: int) -> float:
    return float(1 / (v @ (1 / (k + (dimension - 1) * k0))) - (dimension - 1) * k0)


def _comparison(k: np.ndarray, v: np.ndarray, k0: np.ndarray, polarisation: np.ndarray) -> np.ndarray:
    stiff = _inverse(polarisation)
    return k0 - stiff + _inverse(np.tensordot(v, _inverse(k - k0 + stiff), 1))


def _inverse_mean(k: np.ndarray, v: np.ndarray) -> np.ndarray:
    return _inverse(np.tensordot(v, _inverse(k), 1))


def _inverse(matrices: np.ndarray) -> np.ndarray:
    try:
        return np.linalg.inv(matrices)
    except np.linalg.LinAlgError:
        raise ErlangenError("the contrast of the phases is beyond double precision; use a smaller one") from None


def _positive(matrices: np.ndarray) -> bool:
    symmetric = (
        np.isfinite(matrices).all() and np.abs(matrices - np.swapaxes(matrices, 1, 2)).max() <= 1e-12 * np.abs(matrices).max()
    )
    return bool(symmetric) and bool(np.linalg.eigvalsh(matrices).min() > 0)


def _projectors() -> tuple[np.ndarray, np.ndarray]:
    dilation = np.zeros((6, 6))
    dilation[:3, :3] = 1 / 3
    return dilation, np.eye(6) - dilation


def _range(stiffness: np.ndarray, projector: np.ndarray) -> tuple[float, float]:
    """The least and the largest eigenvalue of the phases on the image of a projector."""
    values, vectors = np.linalg.eigh(projector)
    basis = vectors[:, values > 0.5]
    spectra = np.linalg.eigvalsh(basis.T @ stiffness @ basis)
    return float(spectra.min()), float(spectra.max())
