"""Lie algebras that were learned: their equations hold only nearly, and exactly they have far fewer solutions.

Generic matrices near so(3) generate all of gl(3), so that the exact answer, a handful of maps, is of no use to anyone who learned them.
The maps of the exact algebra nearby are the directions in which all equations are small together; a gap in the singular values tells
them from the rest, and also tells that an algebra was learned although nobody said so.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import UnsupportedError
from erlangen.groups.base import Group
from erlangen.groups.matrix import MatrixGroup
from erlangen.groups.products import DirectProduct
from erlangen.linalg import null_space, orthonormal_span
from erlangen.maps.constraints import Constraints, allow
from erlangen.maps.weights import weight_zero

#: Spaces of at most so many entries are solved as a whole, larger ones among the tensors of nearly no weight.
_WHOLE = 1500
#: An algebra counts as learned where more maps satisfy its equations to this ...
_LOOSE = 0.03
#: ... with this gap to the others, than satisfy them to rounding; and one whose brackets close to this is exact.
_GAP, _CLOSED = 10.0, 1e-10


def may_be_learned(group: Group, constraints: Constraints) -> bool:
    """Whether nothing vouches for the group's Lie algebra: it is given by matrices alone, whose brackets do not close to rounding in
    balanced coordinates, or which have none."""
    factors = group.factors if isinstance(group, DirectProduct) else (group,)
    given = any(type(factor) is MatrixGroup and factor.algebra is not None for factor in factors)
    return given and not _closes(constraints.algebra)


def _closes(algebra: tuple[Tensor, ...]) -> bool:
    """Whether the brackets of the elements, on all axes together, lie in their span."""
    i, j = torch.triu_indices(len(algebra[0]), len(algebra[0]), 1)
    span = orthonormal_span(torch.cat([a.flatten(1) for a in algebra], 1).mT)
    brackets = torch.cat([(a[i] @ a[j] - a[j] @ a[i]).flatten(1) for a in algebra], 1)
    sizes = brackets.norm(dim=1)
    brackets, sizes = brackets[sizes > _CLOSED], sizes[sizes > _CLOSED]
    outside = brackets - (brackets @ span) @ span.mT
    return len(sizes) > 0 and bool((outside.norm(dim=1) <= _CLOSED * sizes).all())


def nearly_invariant(
    constraints: Constraints, generator: torch.Generator, tolerance: float, what: str
) -> tuple[Float[Tensor, "size k"], float]:
    """The tensors that violate the equations by at most ``tolerance``, relative to the sizes of both (as a mean square over the
    equations), and by what factor the others violate them more.

    Raises:
        UnsupportedError: some violate them by hardly more, so that the dimension is not clear.
    """
    space, values, vectors = _spectrum(constraints, generator, tolerance, what)
    kept = values <= tolerance
    below, above = (
        float(values[kept].max()) if bool(kept.any()) else 0.0,
        float(values[~kept].min()) if not bool(kept.all()) else 1.0,
    )
    if above < 3 * tolerance or 3 * below > tolerance:
        listed = ", ".join(f"{v:.2g}" for v in values[values < max(10 * tolerance, 0.1)][:12].tolist())
        raise UnsupportedError(
            f"the equivariant maps {what} have no clear dimension at tolerance={tolerance:g}: the smallest violations are {listed}; choose "
            "a tolerance within a gap of these, or replace the algebra by the nearest exact one (LieAlgebra.snap)"
        )
    return space @ vectors[:, kept], above / max(below, 1e-16)


def check_exact(group: Group, constraints: Constraints, found: int, generator: torch.Generator, what: str) -> None:
    """Refuse to answer for an algebra that seems to be learned.

    Raises:
        UnsupportedError: more than ``found`` tensors satisfy the equations nearly, with a gap to the others.
    """
    if not constraints.has_algebra or not may_be_learned(group, constraints):
        return
    _, values, _ = _spectrum(constraints, generator, _LOOSE, what)
    steps = torch.cat([values[1:], values.new_tensor([float("inf")])]) / values.clamp_min(1e-300)
    more = [k for k in range(found + 1, len(values) + 1) if values[k - 1] <= _LOOSE and steps[k - 1] >= _GAP]
    if more:
        size = float(values[more[-1] - 1])
        raise UnsupportedError(
            f"the equivariant maps {what} have no clear dimension: {found} satisfy the equations to rounding, {more[-1]} to {size:.1g}, "
            f"as if the Lie algebra was learned. Say tolerance={3 * size:.1g} for the {more[-1]} maps of an exact algebra nearby, replace "
            "it by the nearest exact one (LieAlgebra.snap), or say tolerance=0 if it is exact as it is"
        )


def _spectrum(constraints: Constraints, generator: torch.Generator, tolerance: float, what: str) -> tuple[Tensor, Tensor, Tensor]:
    """Orthonormal columns that hold all nearly invariant tensors, ascending violations, and the directions in these columns."""
    size = constraints.size
    space = torch.eye(size, dtype=torch.float64)
    if size > _WHOLE:
        found = weight_zero(constraints.random_element(generator), rtol=3 * tolerance)
        if found is None:
            allow(size, size, what)
        else:
            space = found[0]
    equations = [c for c in constraints if not c.is_void]
    null = null_space((c(space) / (c.scale * len(equations) ** 0.5) for c in equations), dim=space.shape[1], scale=1.0)
    # All directions are asked for, so the basis is that of all right singular vectors, steepest first.
    return space, null.singular_values.flip(0), null.basis.flip(1)
