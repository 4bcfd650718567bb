"""Affine generators of any group or algebra that acts on tokens."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.groups.algebra import LieAlgebra
from erlangen.groups.base import Group
from erlangen.groups.recognise import recognised


def affine_generators(group: Group | LieAlgebra | Float[Tensor, "k n m"]) -> tuple[Tensor, Tensor]:
    """Generators ``(A | b)`` of the moves ``x -> A x + b`` of a group's points: of its algebra, ``[k, n, n + 1]``, and discrete ones,
    ``[m, n, n + 1]``; both in float64.

    Args:
        group: a group whose ``vector`` is R^n, an affine group, a Lie algebra of matrices, or affine generators ``[k, n, n + 1]``.

    Raises:
        ArgumentError: something else.

    >>> from erlangen.groups import SE
    >>> [len(part) for part in affine_generators(SE(3))]
    [6, 0]
    """
    if isinstance(group, LieAlgebra):
        group = group.basis
    if isinstance(group, Tensor):
        if group.ndim != 3 or group.shape[2] - group.shape[1] not in (0, 1):
            raise ArgumentError("group", "generators [k, n, n + 1] or [k, n, n]", f"shape {tuple(group.shape)}")
        basis = group.detach().to(torch.float64).cpu()
        return _affine(basis), _affine(basis[:0])
    if not isinstance(group, Group):
        raise ArgumentError("group", "a group, a Lie algebra, or affine generators [k, n, n + 1]", type(group).__name__)
    group = recognised(group)
    gens = group.generators
    try:
        rep, space = group.vector, group.point.data_shape
    except TypeError:
        space = None
    if space is None or len(space) != 1 or space[0] is None:
        raise ArgumentError("group", "a group that acts on the points of R^n", repr(group))
    if group.element_shape == (space[0] + 1,) * 2:  # homogeneous matrices
        none = torch.zeros(0, *group.element_shape, dtype=torch.float64)
        basis = (none if group.algebra is None else group.algebra.basis)[:, :-1]
        return basis, basis[:0] if gens is None else gens[:, :-1]
    n = rep.dim
    none = torch.zeros(0, n, n, dtype=torch.float64)
    algebra = none if group.algebra is None else rep.algebra(group.tangents(torch.float64))
    discrete = none if gens is None else rep.matrix(gens).to(torch.float64)
    return _affine(algebra), _affine(discrete)


def _affine(linear: Tensor) -> Tensor:
    """Linear maps as affine ones; affine ones as they are."""
    return linear if linear.shape[2] > linear.shape[1] else torch.nn.functional.pad(linear, (0, 1))
