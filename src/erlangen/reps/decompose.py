"""What a representation is made of: invariants, intertwiners, multiplicities, isotypic projectors."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError, unsupported
from erlangen.linalg import null_space, orthonormal_span
from erlangen.reps.base import Rep


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

    >>> from erlangen.groups import SO
    >>> invariants(SO(3).tensor(2)).shape            # the metric
    torch.Size([9, 1])
    """
    rows = constraints(rep)
    return null_space(rows).basis if len(rows) else torch.eye(rep.dim, dtype=torch.float64)


def intertwiners(source: Rep, target: Rep) -> Float[Tensor, "k m n"]:
    """An orthonormal basis of the linear maps ``source -> target`` that commute with the group, ``[k, dim target, dim source]``."""
    if source.group != target.group:
        raise ArgumentError("target", f"a representation of {source.group}", f"one of {target.group}")
    basis = invariants(source >> target)
    return basis.mT.reshape(-1, target.dim, source.dim)


def multiplicity(irrep: Rep, rep: Rep) -> int:
    """How often an irreducible representation occurs in another one.

    It is ``dim Hom(irrep, rep) / dim End(irrep)``; the denominator is 1, 2 or 4 as the irrep is of real, complex or quaternionic type.

    >>> from erlangen.groups import SO
    >>> G = SO(3)
    >>> [multiplicity(G.irrep(l), G.vector ** 2) for l in range(4)]
    [1, 1, 1, 0]
    """
    count, kind = len(intertwiners(irrep, rep)), len(intertwiners(irrep, irrep))
    if kind not in (1, 2, 4) or count % kind:
        raise ArgumentError("irrep", "an irreducible representation", f"{irrep!r}, whose commuting maps have dimension {kind}")
    return count // kind


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
        kind = len(intertwiners(irrep, irrep))
        return irrep.dim / (kind * len(weights)) * torch.einsum("g,gij->ij", weights, rep.matrix(every).to(torch.float64))
    if not rep.is_orthogonal:
        unsupported(rep, "isotypic projector (not orthogonal, group not finite)", "use intertwiners(irrep, rep)")
    images = intertwiners(irrep, rep)
    if not len(images):
        return torch.zeros(rep.dim, rep.dim, dtype=torch.float64)
    basis = orthonormal_span(images.movedim(0, -1).flatten(1))
    return basis @ basis.mT
