"""What a representation is made of: invariants, intertwiners, multiplicities, isotypic projectors."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError, UnsupportedError, unsupported
from erlangen.linalg import null_space, orthonormal_span
from erlangen.reps.balance import ROUNDING, balancing, in_coordinates, of_one_size, rounding_in
from erlangen.reps.base import Rep
from erlangen.reps.characters import count_equivariant_maps
from erlangen.reps.combine import TensorProduct

#: A number of invariants whose gap is below this is none.
MIN_GAP = 1e2
#: In coordinates so skew that rounding a basis violates the equations by more than this, there is none in double precision.
_REPRESENTABLE = 1e-3


def constraints(rep: Rep) -> Float[Tensor, "rows dim"]:
    """The linear equations that say a vector is invariant, one block per generator: ``rho(g) - 1`` and ``drho(L)``.

    >>> from erlangen.groups import SO
    >>> constraints(SO(2).vector).shape
    torch.Size([2, 2])
    """
    group, blocks = rep.group, []
    tangents = group.tangents(torch.float64)
    if tangents is not None and group.dim:
        blocks.append(rep.algebra(tangents).to(torch.float64).flatten(0, 1))
    if group.generators is not None:
        matrices = rep.matrix(group.generators).to(torch.float64)
        blocks.append((matrices - torch.eye(rep.dim, dtype=torch.float64)).flatten(0, 1))
    return torch.cat(blocks) if blocks else torch.zeros(0, rep.dim, dtype=torch.float64)


def invariants(rep: Rep) -> Float[Tensor, "dim k"]:
    """An orthonormal basis of the vectors that the whole group leaves as they are, as columns, in float64.

    Found in balanced coordinates (:mod:`erlangen.reps.balance`), so that units do not decide; of a finite group as many as the characters
    count.

    Raises:
        UnsupportedError: their number is not numerically clear, or they cannot be written in so skew coordinates.

    >>> from erlangen.groups import SO
    >>> invariants(SO(3).tensor(2)).shape            # the metric
    torch.Size([9, 1])
    """
    changes, rows, scale = _balanced(rep)
    count = count_equivariant_maps(rep.group.scalar, rep)
    if not len(rows):
        return torch.eye(rep.dim, dtype=torch.float64)
    rounding = rounding_in(changes)
    cut = rounding if count is None and rounding > ROUNDING else None
    null = null_space(rows, dim=count, rtol=cut, scale=scale)
    if null.gap < MIN_GAP or not null.clear:
        raise UnsupportedError(
            f"the invariants of {rep!r} have no numerically clear number: the smallest value kept is {null.gap:.3g} times the largest one "
            f"dropped (at least {MIN_GAP:g} needed, and no other number as plausible)"
        )
    if all(change is None for change in changes):
        return null.basis
    there = _kron([torch.eye(axis.dim, dtype=torch.float64) if t is None else t for axis, t in zip(_axes(rep), changes)])
    columns = torch.linalg.qr(torch.linalg.solve(there, null.basis)).Q
    balanced = there @ columns
    violation = torch.linalg.vector_norm(rows @ balanced, dim=0) / (scale * torch.linalg.vector_norm(balanced, dim=0))
    if len(violation) and not float(violation.max()) <= _REPRESENTABLE:
        raise UnsupportedError(
            f"the invariants of {rep!r} cannot be written in these coordinates: in double precision they violate the equations by "
            f"{float(violation.max()):.2g} of their size; give the representation in an orthogonal basis"
        )
    return columns


def _axes(rep: Rep) -> tuple[Rep, ...]:
    return rep.parts if isinstance(rep, TensorProduct) else (rep,)


def _balanced(rep: Rep) -> tuple[list[Tensor | None], Tensor, float]:
    """The changes of coordinates of the factors of a tensor product, the constraints in these, and what is large in them."""
    group = rep.group
    tangents, gens = group.tangents(torch.float64) if group.dim else None, group.generators
    changes, algebras, discretes = [], [], []
    for axis in _axes(rep):
        none = torch.zeros(0, axis.dim, axis.dim, dtype=torch.float64)
        algebra = none if tangents is None else axis.algebra(tangents).to(torch.float64)
        discrete = none if gens is None else axis.matrix(gens).to(torch.float64)
        change = balancing(axis, algebra, discrete)
        changes.append(change)
        algebras.append(in_coordinates(change, algebra))
        discretes.append(in_coordinates(change, discrete))
    blocks, scale = [], float(len(changes))
    for matrices in zip(*of_one_size(group, algebras)):
        total = torch.zeros(rep.dim, rep.dim, dtype=torch.float64)
        for i, a in enumerate(matrices):
            eyes = [torch.eye(len(m), dtype=torch.float64) for m in matrices]
            total = total + _kron([*eyes[:i], a, *eyes[i + 1 :]])
        blocks.append(total)
    for matrices in zip(*discretes):
        scale = max(scale, 1 + math.prod(float(torch.linalg.matrix_norm(m, 2)) for m in matrices))
        blocks.append(_kron(list(matrices)) - torch.eye(rep.dim, dtype=torch.float64))
    rows = torch.cat(blocks) if blocks else torch.zeros(0, rep.dim, dtype=torch.float64)
    return changes, rows, scale


def _kron(matrices: list[Tensor]) -> Tensor:
    result = matrices[0].contiguous()  # torch 2.13 makes no Kronecker product of transposed matrices
    for m in matrices[1:]:
        result = torch.kron(result, m.contiguous())
    return result


def intertwiners(source: Rep, target: Rep) -> Float[Tensor, "k m n"]:
    """An orthonormal basis of the linear maps ``source -> target`` that commute with the group, ``[k, dim target, dim source]``."""
    if source.group != target.group:
        raise ArgumentError("target", f"a representation of {source.group}", f"one of {target.group}")
    basis = invariants(source >> target)
    return basis.mT.reshape(-1, target.dim, source.dim)


def multiplicity(irrep: Rep, rep: Rep) -> int:
    """How often an irreducible representation occurs in another one.

    It is ``dim Hom(irrep, rep) / dim End(irrep)``; the denominator is 1, 2 or 4 as the irrep is of real, complex or quaternionic type.

    Raises:
        ArgumentError: ``irrep`` is reducible.

    >>> from erlangen.groups import SO
    >>> G = SO(3)
    >>> [multiplicity(G.irrep(l), G.vector ** 2) for l in range(4)]
    [1, 1, 1, 0]
    """
    return len(intertwiners(irrep, rep)) // len(_own(irrep))


def _own(irrep: Rep) -> Float[Tensor, "k n n"]:
    """The maps of an irreducible representation to itself: as many as its type's field has dimensions."""
    own = intertwiners(irrep, irrep)
    if len(own) not in (1, 2, 4) or not _is_field(own):
        raise ArgumentError(
            "irrep", "an irreducible representation", f"{irrep!r}, which its {len(own)} independent commuting maps split"
        )
    return own


def _is_field(own: Float[Tensor, "k n n"]) -> bool:
    """Whether commuting maps are the complex numbers or the quaternions (Schur): one of them, less its trace, squares to a negative number.

    Those of two parts that are not equivalent have two dimensions as well, but split them.
    """
    if len(own) == 1:
        return True
    mixed = torch.einsum("k,kij->ij", torch.randn(len(own), dtype=own.dtype, generator=torch.Generator().manual_seed(0)), own)
    eye = torch.eye(own.shape[1], dtype=own.dtype)
    rest = mixed - mixed.trace() / len(eye) * eye
    square = rest @ rest
    mean = float(square.trace()) / len(eye)
    return mean < 0 and float((square - mean * eye).norm()) <= 1e-4 * float(square.norm())


def reynolds_projector(rep: Rep) -> Float[Tensor, "dim dim"]:
    """The projector onto the invariants along the group's other directions: the average of ``rho(g)``, in float64.

    Raises:
        UnsupportedError: the group is neither finite nor acting by orthogonal matrices.
    """
    if rep.group.is_finite:
        return rep.matrix(rep.group.elements()).to(torch.float64).mean(0)
    if not rep.is_orthogonal:
        unsupported(rep, "Reynolds projector (not orthogonal, group not finite)", "use invariants(rep) for the fixed vectors")
    basis = invariants(rep)
    return basis @ basis.mT


def isotypic(irrep: Rep, rep: Rep) -> Float[Tensor, "dim dim"]:
    """The projector onto all copies of an irreducible representation inside another one, in float64.

    For a finite group by its character, ``dim / (|G| dim End) sum_g chi(g) rho(g)``; for orthogonal representations of other groups
    from the intertwiners.
    """
    if rep.group.is_finite:
        every = rep.group.elements()
        weights = irrep.character(rep.group.inverse(every)).to(torch.float64)
        kind = len(_own(irrep))
        return irrep.dim / (kind * len(weights)) * torch.einsum("g,gij->ij", weights, rep.matrix(every).to(torch.float64))
    if not rep.is_orthogonal:
        unsupported(rep, "isotypic projector (not orthogonal, group not finite)", "use intertwiners(irrep, rep)")
    images = intertwiners(irrep, rep)
    if not len(images):
        return torch.zeros(rep.dim, rep.dim, dtype=torch.float64)
    basis = orthonormal_span(images.movedim(0, -1).flatten(1))
    return basis @ basis.mT
