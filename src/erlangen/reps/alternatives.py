"""What to use where a point-wise activation is not admissible."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from erlangen.reps.base import Rep


class Alternative(NamedTuple):
    """A non-linearity, or a basis, that keeps equivariance.

    Attributes:
        kind: ``"activation"``, ``"basis"``, ``"norm"``, ``"gated"``, ``"regular"`` or ``"tensor product"``.
        text: what to do and why it is exact.
    """

    kind: str
    text: str

    def __str__(self) -> str:
        return self.text


def alternatives(rep: Rep, matrices: Tensor, directions: Tensor, tol: float) -> tuple[Alternative, ...]:
    """The choices that fit a representation, best first.

    Args:
        rep: the representation.
        matrices: ``rho`` of the discrete generators, ``[m, n, n]``.
        directions: the derivative of ``rho`` in the basis of the Lie algebra, ``[d, n, n]``.
        tol: what counts as zero.
    """
    found: list[Alternative] = []
    group = rep.group
    off = directions - torch.diag_embed(directions.diagonal(dim1=-2, dim2=-1))
    present = matrices.abs() > tol * matrices.abs().amax((-2, -1), keepdim=True)
    if bool((present.sum(-1) == 1).all()) and bool((off.abs() <= tol).all()):
        entries = matrices[present]
        signs = bool(((entries.abs() - 1).abs() <= tol).all()) and bool((directions.abs() <= tol).all())
        if bool((entries > 0).all()):
            text = "a positively homogeneous activation such as relu or leaky_relu: all entries are positive"
            found.append(Alternative("activation", text))
        elif signs:
            text = "an odd activation such as tanh, softsign or hardtanh: all entries are 1 or -1; or abs, whose output forgets the signs"
            found.append(Alternative("activation", text))
        else:
            text = "abs, or a power such as x^3: entries have both signs and other sizes than 1"
            found.append(Alternative("activation", text))
    # Whether a discrete group is finite may take long to find out; what is said holds for the finite ones.
    discrete = not group.dim
    if discrete:
        text = (
            "another basis, where there is one: admissible_forms(rep, activation) lists all of a finite group, each with its matrix"
        )
        found.append(Alternative("basis", text))
    if rep.is_orthogonal:
        found.append(
            Alternative("norm", "nn.NormActivation(rep, f), x f(|x|)/|x| on each block: orthogonal matrices keep the norm")
        )
    found.append(Alternative("gated", "gated blocks, x s with s an activated invariant: numbers commute with every matrix"))
    if discrete:
        text = "the regular representation of a finite group, which permutes coordinates, so that every activation is admissible"
        found.append(Alternative("regular", text))
    elif group.is_compact:
        text = "functions sampled on a finite subgroup: exact for it, approximate for the group; measure with approximate_error"
        found.append(Alternative("regular", text))
    found.append(Alternative("tensor product", "products of features, x ⊗ y, mapped back by an equivariant linear map"))
    return tuple(found)
