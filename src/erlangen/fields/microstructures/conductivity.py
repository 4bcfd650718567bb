"""The effective conductivity of a periodic structure: bilinear finite elements, solved directly or by FFT-preconditioned gradients."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from jaxtyping import Float
from scipy import fft, sparse

from erlangen.errors import ArgumentError, ErlangenError
from erlangen.fields.microstructures.bounds import as_numbers, check_conductivities
from erlangen.fields.microstructures.structure import as_structure

#: Up to so many nodes a sparse factorisation is faster than conjugate gradients, and in two dimensions up to the second number where
#: conductivities differ by more than the third, which gradients take many steps for.
SMALL, LARGE, CONTRAST = 1 << 12, 1 << 17, 1e3
#: Residual of conjugate gradients, relative to the load's.
TOLERANCE = 1e-11
ITERATIONS = 5000
#: Relative error, proved for each result, that is let pass.
ACCURACY = 1e-6


def effective_conductivity(
    S: Any, k: Sequence[float], refine: int = 1, method: Literal["auto", "direct", "fft"] = "auto"
) -> Float[np.ndarray, "D D"]:
    """``K`` with ``K e = <k (e + grad u)>``, where ``div k (e + grad u) = 0`` and ``u`` is periodic; sites are unit squares or cubes.

    Finite elements that are linear along each axis, on ``refine`` elements along each edge of a site: from above, exact for laminates.

    Args:
        S: a structure ``[*P]``.
        k: one positive number for each phase.
        refine: elements along each edge of a site.
        method: ``"direct"`` factorises a sparse matrix, ``"fft"`` runs conjugate gradients with the uniform medium as preconditioner;
            by default what is faster.

    Raises:
        ArgumentError: conductivities or settings are not usable.
        ErlangenError: the gradients did not converge (contrasts above 1e6 or so), or the result is not certain to one part in a million,
            which double precision may miss for contrasts above 1e12 or so.

    >>> effective_conductivity([[1, 1], [2, 2]], (1.0, 3.0)).round(12)           # a laminate: across, along
    array([[1.5, 0. ],
           [0. , 2. ]])
    """
    array = as_structure(S)
    values = as_numbers(k)
    check_conductivities(values, int(array.max()))
    if not isinstance(refine, (int, np.integer)) or refine < 1:
        raise ArgumentError("refine", "at least 1 element along an edge", repr(refine))
    if method not in ("auto", "direct", "fft"):
        raise ArgumentError("method", "'auto', 'direct' or 'fft'", repr(method))
    field = values[array - 1]
    for axis in range(array.ndim):
        field = field.repeat(refine, axis)
    most = LARGE if values.max() > CONTRAST * values.min() else SMALL
    direct = method == "direct" or (method == "auto" and field.ndim < 3 and field.size <= most)
    element, corners = _element(field.ndim)
    # The load of a unit gradient along each axis: what the element matrix makes of that coordinate.
    loads = np.stack([-_scattered(field, element @ corners[:, d], corners) for d in range(field.ndim)])
    flat = loads.reshape(field.ndim, -1)
    inverse = _uniform(field.shape)
    u = _direct(field, element, corners, flat) if direct else _gradients(field, element, corners, loads, inverse)
    found, error = _energies(field, element, corners, u, inverse)
    if not (error <= ACCURACY * found.diagonal()).all():
        told = f"conductivities with a contrast of {values.max() / values.min():.3g}: the result is uncertain by {error.max():.3g}"
        hint = "a smaller contrast" if direct else "method='direct' or a smaller contrast"
        raise ErlangenError(f"{told}; use {hint}")
    return found


def conductivity_brackets(S: Any, k: Sequence[float], refine: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Matrices between which the effective conductivity of a two-dimensional structure lies, in the order of quadratic forms.

    The upper is :func:`effective_conductivity`; the lower is that of the dual medium ``1 / k``, inverted and turned by a quarter, by
    Keller's reciprocity.

    Source: J. B. Keller, J. Math. Phys. 5 (1964).

    >>> low, high = conductivity_brackets([[1, 2], [2, 2]], (1.0, 10.0), 4)
    >>> bool((np.linalg.eigvalsh(high - low) > 0).all())
    True
    """
    array = as_structure(S)
    if array.ndim != 2:
        raise ArgumentError("S", "a structure with two axes", f"{array.ndim}")
    upper = effective_conductivity(array, k, refine)
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])
    dual = effective_conductivity(array, [1 / value for value in k], refine)
    return turn @ np.linalg.inv(dual) @ turn.T, upper


def _element(dimension: int) -> tuple[np.ndarray, np.ndarray]:
    """The stiffness of the unit cube, ``[2^D, 2^D]``, and its corners ``[2^D, D]``."""
    mass, slope = np.array([[1 / 3, 1 / 6], [1 / 6, 1 / 3]]), np.array([[1.0, -1.0], [-1.0, 1.0]])
    total = np.zeros((2**dimension, 2**dimension))
    for d in range(dimension):
        part = np.ones((1, 1))
        for axis in range(dimension):
            part = np.kron(part, slope if axis == d else mass)
        total += part
    return total, np.array(list(itertools.product((0, 1), repeat=dimension)))


def _local(u: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """What nodal values are at the corners of each element, ``[2^D, *grid]``."""
    return np.stack([np.roll(u, -corner, tuple(range(u.ndim))) for corner in corners])


def _uniform(sizes: tuple[int, ...]) -> np.ndarray:
    """The inverse of the uniform medium of conductivity 1 on half of the frequencies; of the mean, which is free, 0."""
    parts = []
    for axis, size in enumerate(sizes):
        angle = 2 * np.pi * np.arange(size // 2 + 1 if axis == len(sizes) - 1 else size) / size
        shape = [-1 if other == axis else 1 for other in range(len(sizes))]
        parts.append(((4 * np.sin(angle / 2) ** 2).reshape(shape), ((2 + np.cos(angle)) / 3).reshape(shape)))
    symbol = np.zeros((*sizes[:-1], sizes[-1] // 2 + 1))
    for axis in range(len(sizes)):
        symbol += math.prod(slope if other == axis else mass for other, (slope, mass) in enumerate(parts))
    symbol[(0,) * len(sizes)] = np.inf
    return 1 / symbol


def _solved(inverse: np.ndarray, r: np.ndarray) -> np.ndarray:
    """Potentials of a load in the uniform medium."""
    return fft.irfftn(inverse * fft.rfftn(r), s=r.shape, axes=tuple(range(r.ndim)))


def _energies(
    field: np.ndarray, element: np.ndarray, corners: np.ndarray, u: np.ndarray, inverse: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """``<(e_i + grad u_i) k (e_j + grad u_j)>`` of potentials ``[D, N]``, and how much too high the diagonal is, at most.

    Sums of what is positive, which errors of the potentials raise in second order only: by the energy of the forces that are not
    balanced, which is largest where the least conductor is everywhere.
    """
    steps, forces, errors = [], [], []
    for d, part in enumerate(u):
        local = _local(part.reshape(field.shape), corners)
        local -= local[0].copy()  # constants have no energy, but would drown what has in rounding
        local += corners[:, d].reshape(-1, *(1,) * field.ndim)
        force = (element @ local.reshape(len(corners), -1)).reshape(local.shape) * field
        rest = _scattered(np.ones(field.shape), force, corners)
        errors.append(float((rest * _solved(inverse, rest)).sum()))
        steps.append(local.reshape(-1))
        forces.append(force.reshape(-1))
    found = np.stack(steps) @ np.stack(forces).T / field.size
    return (found + found.T) / 2, np.array(errors) / (field.min() * field.size)


def _scattered(field: np.ndarray, weights: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Nodal sums of what each element gives its corners: ``weights [2^D]``, or ``[2^D, *grid]``, times the field."""
    axes = tuple(range(field.ndim))
    total = np.zeros(field.shape)
    for w, corner in zip(weights, corners):
        total += np.roll(field * w, corner, axes)
    return total


def _direct(field: np.ndarray, element: np.ndarray, corners: np.ndarray, loads: np.ndarray) -> np.ndarray:
    from scipy.sparse.linalg import splu

    nodes = np.arange(field.size).reshape(field.shape)
    axes = tuple(range(field.ndim))
    local = np.stack([np.roll(nodes, -corner, axes).reshape(-1) for corner in corners])
    rows, columns = np.broadcast_arrays(local[:, None], local[None])
    entries = element[:, :, None] * field.reshape(-1)
    matrix = sparse.coo_matrix((entries.reshape(-1), (rows.reshape(-1), columns.reshape(-1))), (field.size,) * 2).tocsc()
    u = np.zeros(loads.shape)
    if field.size > 1:  # potentials are free up to a constant: the first is 0
        u[:, 1:] = splu(matrix[1:, 1:], permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True}).solve(loads[:, 1:].T).T
    return u


def _gradients(field: np.ndarray, element: np.ndarray, corners: np.ndarray, loads: np.ndarray, inverse: np.ndarray) -> np.ndarray:
    def apply(u: np.ndarray) -> np.ndarray:
        local = _local(u, corners)
        return _scattered(field, (element @ local.reshape(len(corners), -1)).reshape(local.shape), corners)

    found = []
    for load in loads:
        u, r = np.zeros(field.shape), load.copy()
        z = _solved(inverse, r)
        p, rz = z, float((r * z).sum())
        start = rz
        for _ in range(ITERATIONS):
            if rz <= TOLERANCE**2 * start or start == 0:
                break
            ap = apply(p)
            step = rz / float((p * ap).sum())
            u, r = u + step * p, r - step * ap
            z = _solved(inverse, r)
            rz, last = float((r * z).sum()), rz
            p = z + rz / last * p
        else:
            raise ErlangenError(
                f"conjugate gradients did not converge in {ITERATIONS} steps; use method='direct' or a smaller contrast"
            )
        found.append(u.reshape(-1))
    return np.stack(found)
