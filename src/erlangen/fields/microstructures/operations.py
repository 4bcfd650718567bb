"""Operations that equal two-point correlations survive: what they make of two equivalent structures is equivalent again, exactly."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from scipy import fft

from erlangen.errors import ArgumentError
from erlangen.fields.microstructures.structure import as_structure, like
from erlangen.groups import GridSymmetries
from erlangen.groups.grid import check_sizes


def extend(S: Any, z: Sequence[int]) -> Any:
    """Set sites apart: ``S'(z p) = S(p)``, everything between becomes a new phase ``n + 1``.

    All old phases, also a matrix, become isolated sites. The spectra of indicators are tiled.

    Args:
        S: a structure ``[*P]``.
        z: a factor for each axis; more factors than axes add axes of length 1 first. All ones changes nothing.

    Raises:
        ArgumentError: ``z`` has fewer factors than ``S`` axes, or a factor is no positive integer.

    >>> extend([1, 2, 1], (2,))
    array([1, 3, 2, 3, 1, 3])
    """
    array, z = _with_axes(S, z, "z")
    made = np.full([p * f for p, f in zip(array.shape, z)], array.max() + 1)
    made[tuple(slice(None, None, f) for f in z)] = array
    return like(S, made)


def apply_kernels(S: Any, kernels: Sequence[Any], *, block: Sequence[int] | None = None) -> Any:
    """Replace each site of a phase by that phase's kernel: ``I''_a = K_a * I_a``, circularly; what stays free becomes the last phase.

    Args:
        S: a structure ``[*P]`` whose last phase is the ground that kernels are set on.
        kernels: 0/1 arrays for phases 1, 2, ...; each has as many axes as ``S``, and may be larger than the grid: it wraps around.
        block: the sides of the kernels of ones that phases without one get (as many sites as :func:`extend` sets apart). By default
            the shape of the first kernel.

    Raises:
        ArgumentError: a kernel is no 0/1 array or empty, or images overlap: the message names the two phases and a site.

    >>> apply_kernels(extend([1, 2, 1], (2,)), [[1, 0], [1, 1]])
    array([1, 3, 2, 2, 1, 3])
    """
    array = as_structure(S)
    masks = _kernels(kernels, array.ndim)
    n = int(array.max())
    if len(masks) > n - 1:
        raise ArgumentError("kernels", f"at most {n - 1} kernels: phase {n} is what they are set on", f"{len(masks)}")
    sides = check_sizes(masks[0].shape if block is None else block, "block")
    if len(sides) != array.ndim:
        raise ArgumentError("block", f"{array.ndim} sides", repr(sides))
    masks += [np.ones(sides, np.int64)] * (n - 1 - len(masks))
    total, owner = np.zeros(array.shape, np.int64), np.full(array.shape, n)
    for a, mask in enumerate(masks[: n - 1], start=1):
        image = convolve(array == a, mask)
        clash = (image > 1) | ((image > 0) & (total > 0))
        if clash.any():
            site = tuple(int(i) for i in np.argwhere(clash)[0])
            other = int(owner[site]) if total[site] else a
            raise ArgumentError("kernels", "kernels whose images do not overlap", f"phases {other} and {a} both at site {site}")
        total, owner = total + image, np.where(image > 0, a, owner)
    return like(S, owner)


def convolve(mask: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """The circular convolution of two arrays of whole numbers, exact; the kernel is wrapped onto the grid first.

    >>> convolve(np.array([1, 0, 0, 1]), np.array([1, 1]))
    array([2, 1, 0, 1])
    """
    wrapped = np.zeros(mask.shape, np.int64)
    np.add.at(wrapped, tuple(index % size for index, size in zip(np.nonzero(kernel), mask.shape)), kernel[np.nonzero(kernel)])
    axes = tuple(range(mask.ndim))
    product = fft.rfftn(mask.astype(float), axes=axes) * fft.rfftn(wrapped.astype(float), axes=axes)
    return np.rint(fft.irfftn(product, s=mask.shape, axes=axes)).astype(np.int64)


def kernel_extend(S: Any, kernels: Sequence[Any] | None = None) -> Any:
    """:func:`extend` by the kernels' shape, then :func:`apply_kernels`: always possible, for every kernel fits its block.

    Args:
        S: a structure ``[*P]``.
        kernels: 0/1 arrays of one shape for phases 1, 2, ...; phases without one get the block of ones. By default phase 1 becomes one
            site of a block of side 2, the others fill theirs.

    >>> kernel_extend([1, 2, 1])
    array([1, 3, 2, 2, 1, 3])
    >>> kernel_extend([1, 2, 1], [[1, 1]])                  # ones for all: plain up-sampling
    array([1, 1, 2, 2, 1, 1])
    """
    array = as_structure(S)
    if kernels is None:
        first = np.zeros((2,) * array.ndim, np.int64)
        first[(0,) * array.ndim] = 1
        kernels = [first]
    masks = _kernels(kernels, None)
    if len({mask.shape for mask in masks}) > 1:
        raise ArgumentError("kernels", "kernels of one shape", ", ".join(str(mask.shape) for mask in masks))
    if masks[0].ndim < array.ndim:
        raise ArgumentError("kernels", f"kernels with at least {array.ndim} axes", f"{masks[0].ndim}")
    if len(masks) > array.max():
        raise ArgumentError("kernels", f"at most {array.max()} kernels, one for each phase", f"{len(masks)}")
    apart = extend(array, masks[0].shape)
    if math.prod(masks[0].shape) == 1:  # nothing was set apart: every kernel is a single site
        return like(S, apart)
    made = apply_kernels(apart, masks)
    return like(S, made)


def coalesce(S: Any, groups: Sequence[Sequence[int]]) -> Any:
    """Merge phases: ``C_AB`` is the sum of ``C_ab`` over ``a`` in ``A``, ``b`` in ``B``.

    Args:
        S: a structure ``[*P]``.
        groups: phases that become one; the groups are phases 1, 2, ... in their order, then those that are in none, ascending.

    Raises:
        ArgumentError: a group is empty, names a phase that is not there, or one twice.

    >>> coalesce([1, 2, 3, 4], [(2, 4)])
    array([2, 1, 3, 1])
    """
    array = as_structure(S)
    n = int(array.max())
    try:
        groups = [[operator.index(a) for a in group] for group in groups]
    except TypeError:
        raise ArgumentError("groups", f"groups of phases 1 .. {n}", repr(groups)) from None
    named = [a for group in groups for a in group]
    if not all(len(group) for group in groups) or len(set(named)) != len(named) or any(not 1 <= a <= n for a in named):
        raise ArgumentError("groups", f"groups of phases 1 .. {n}, each phase in one group at most", repr(groups))
    rest = [a for a in range(1, n + 1) if a not in named]
    new = np.zeros(n + 1, np.int64)
    for label, group in enumerate([*groups, *([a] for a in rest)], start=1):
        new[list(group)] = label
    return like(S, new[array])


def transform(S: Any, linear: Any) -> Any:
    """Move a structure by an automorphism of the grid's group, ``S'(M p) = S(p)``: correlations move along, ``C'(M r) = C(r)``.

    Args:
        S: a structure ``[*P]``.
        linear: ``M``, integers ``[D, D]``.

    >>> transform([1, 2, 3, 3, 3], [[2]])
    array([1, 3, 2, 3, 3])
    """
    array = as_structure(S)
    given = np.asarray(linear)
    if given.dtype.kind not in "iu":
        raise ArgumentError("linear", f"an integer matrix [{array.ndim}, {array.ndim}]", f"{given.dtype} {given.shape}")
    matrix = torch.as_tensor(given.astype(np.int64))[None]
    group = GridSymmetries(array.shape, matrix)
    move = group.element(matrix[0], torch.zeros(array.ndim, dtype=torch.int64)).numpy()
    made = np.empty(array.size, np.int64)
    made[move] = array.reshape(-1)
    return like(S, made.reshape(array.shape))


def tile(S: Any, times: Sequence[int]) -> Any:
    """A supercell: the structure repeated along each axis; more numbers than axes add axes behind, as :func:`extend` does.

    >>> tile([1, 2], (2,))
    array([1, 2, 1, 2])
    >>> tile([1, 2], (1, 3))
    array([[1, 1, 1],
           [2, 2, 2]])
    """
    return like(S, np.tile(*_with_axes(S, times, "times")))


def product(S: Any, T: Any) -> Any:
    """The structure on the product of two grids whose phase at ``(p, q)`` is the pair ``(S(p), T(q))``, as ``(S - 1) m + T``.

    Its correlations are products, so that each factor can be exchanged for a mate by itself: of ``k`` factors, ``2^k`` structures with
    the same correlations.

    Args:
        S: a structure ``[*P]``.
        T: one of ``m`` phases, ``[*Q]``.

    >>> product([1, 2], [1, 1, 2])
    array([[1, 1, 2],
           [3, 3, 4]])
    """
    first, second = as_structure(S), as_structure(T, "T")
    pairs = (first.reshape(-1, 1) - 1) * second.max() + second.reshape(-1)
    return like(S, pairs.reshape(*first.shape, *second.shape))


def _with_axes(S: Any, z: Sequence[int], argument: str) -> tuple[np.ndarray, tuple[int, ...]]:
    """A structure with as many axes as there are factors, those that are added last, and the factors."""
    array, found = as_structure(S), check_sizes(z, argument)
    if len(found) < array.ndim:
        raise ArgumentError(argument, f"at least {array.ndim} factors, one for each axis", repr(found))
    return array.reshape(*array.shape, *(1,) * (len(found) - array.ndim)), found


def _kernels(kernels: Sequence[Any], dimension: int | None) -> list[np.ndarray]:
    if not len(kernels):
        raise ArgumentError("kernels", "at least one kernel", "none")
    masks = [np.asarray(k) for k in kernels]
    for mask in masks:
        if mask.dtype.kind not in "iub" or not np.isin(mask, (0, 1)).all():
            raise ArgumentError("kernels", "arrays of 0 and 1", f"{mask.dtype} from {mask.min(initial=0)} to {mask.max(initial=0)}")
        if not mask.any():
            raise ArgumentError("kernels", "kernels with at least one 1", "an empty one")
        if dimension is not None and mask.ndim != dimension:
            raise ArgumentError("kernels", f"kernels with {dimension} axes", f"{mask.ndim}")
    return [mask.astype(np.int64) for mask in masks]
