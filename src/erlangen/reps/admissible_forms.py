"""`admissible_forms`: the bases in which an activation is admissible, for a representation of a finite group.

A representation has a basis of monomial matrices with entries in {1, -1} (in {1}: of permutations) exactly when its character is a sum
of characters induced from linear characters ``H -> {1, -1}`` (from trivial ones), ``H`` a subgroup up to conjugacy. Positive monomial
matrices of a finite group become permutations when the basis is rescaled, so homogeneous activations ask for the same. The sums are the
solutions of a linear program in integers; the basis is an intertwiner from the sum of induced representations.

Source: arXiv:2401.09235 for the characterization; the table of marks and monomial representations are classical (Burnside; Brauer).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError, unsupported
from erlangen.groups.finite import conjugacy_classes
from erlangen.groups.subgroup_classes import SubgroupClass, induced_character, linear_characters, subgroup_classes
from erlangen.reps.base import Rep
from erlangen.reps.classify import Activation, CoordinateFunctions
from erlangen.reps.combine import direct_sum
from erlangen.reps.monomial import InBasis, Induced


@dataclass(frozen=True, eq=False)
class AdmissibleForm:
    """A basis in which a representation is monomial.

    Attributes:
        basis: ``B``, ``[dim, dim]`` in float64, orthogonal when the representation is: coordinates ``y = B^-1 x`` may be activated.
        rep: the representation in that basis, ``B^-1 rho B``; pass this one to ``PointwiseActivation``.
        blocks: the same matrices as a sum of induced representations, which act without a product of matrices.
        error: the largest difference between the two over the group's generators.
    """

    basis: Float[Tensor, "dim dim"]
    rep: Rep
    blocks: Rep
    error: float

    def __repr__(self) -> str:
        return f"AdmissibleForm({self.blocks.symbol}, error {self.error:.1g})"


def admissible_forms(rep: Rep, activation: Activation, largest: int = 8) -> list[AdmissibleForm]:
    """All ways to write a representation of a finite group so that an activation is admissible, fewest blocks first.

    Args:
        rep: the representation, in any basis.
        activation: what is to act on the coordinates, as for :func:`~erlangen.reps.admissible.admissible`.
        largest: how many solutions to look for.

    Returns:
        the solutions, which differ in the subgroups or characters they induce from; an empty list when there is no such basis.

    Raises:
        UnsupportedError: the group is infinite (a basis exists only where the identity component acts diagonally), or too large.
        ArgumentError: the activation is affine, which needs no other basis, or no function that can be decided.

    >>> from erlangen.groups import Cyclic, Symmetric
    >>> S = Symmetric(3)
    >>> standard = S.vector                               # R^3 = trivial + standard
    >>> admissible_forms(standard, "relu")
    [AdmissibleForm(G/2, error ...)]
    >>> admissible_forms(Cyclic(3).irrep(1), "tanh")
    []
    """
    group = rep.group
    if not group.is_finite:
        unsupported(group, "list of admissible bases (it is infinite)", "decide a basis with admissible(rep, activation, basis)")
    f = CoordinateFunctions(activation, rep.dim)
    if len(f.classes) > 1 or f.classes[0].is_affine:
        raise ArgumentError("activation", "one activation that is not affine", f"{f.name}, {f.classes[0].kind}")
    reflection = f.classes[0].multipliers.reflection
    signed = reflection is not None and reflection[0] == 1.0
    columns = conjugacy_classes(group)
    first = group.take(group.elements(), torch.stack([c[0] for c in columns]))
    character = rep.character(first).to(torch.float64).numpy()
    if np.abs(character - character.round()).max() > 1e-6:
        return []  # characters of monomial representations with signs are integers
    summands = _summands(rep, subgroup_classes(group), signed)
    table = np.stack([values for _, values in summands])
    forms = []
    for counts in _solutions(table, character.round(), largest):
        pieces = [piece for (piece, _), count in zip(summands, counts) for _ in range(count)]
        forms.append(_form(rep, direct_sum(*pieces)))
    return forms


def _summands(rep: Rep, classes: list[SubgroupClass], signed: bool) -> list[tuple[Rep, np.ndarray]]:
    """Induced representations no larger than ``rep`` with their characters; of each subgroup one for each character."""
    found: list[tuple[Rep, np.ndarray]] = []
    for entry in classes:
        subgroup = entry.representative
        if subgroup.index > rep.dim:
            continue
        seen = set()
        for chi in linear_characters(rep.group, subgroup)[: None if signed else 1]:
            piece = Induced(subgroup, None if chi.is_trivial else chi.signs)
            values = induced_character(rep.group, chi)
            # Characters of H that the normalizer takes to each other induce the same representation.
            if tuple(values.tolist()) not in seen:
                seen.add(tuple(values.tolist()))
                found.append((piece, values))
    return found


def _solutions(table: np.ndarray, character: np.ndarray, largest: int) -> list[list[int]]:
    """Non-negative integers ``n`` with ``n @ table = character``, by the number of summands.

    Two solutions have the same dimension, so neither is above the other: a new one must be smaller somewhere on the support of each
    that is known, which binary variables say in a linear way.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp

    count = len(table)
    if not count:
        return []
    most = np.floor(character[0] / table[:, 0])
    found: list[list[int]] = []
    cuts: list[tuple[int, int]] = []  # (summand, its number in a known solution), in the order of the binary variables
    ends: list[int] = []
    while len(found) < largest:
        width = count + len(cuts)
        equations = np.zeros((table.shape[1], width))
        equations[:, :count] = table.T
        constraints = [LinearConstraint(equations, character, character)]
        for b, (i, n) in enumerate(cuts):
            row = np.zeros(width)
            row[i], row[count + b] = 1.0, most[i] - n + 1  # the binary set: n_i <= n - 1
            constraints.append(LinearConstraint(row, -np.inf, most[i]))
        for start, stop in zip([0, *ends], ends):
            row = np.zeros(width)
            row[count + start : count + stop] = 1.0
            constraints.append(LinearConstraint(row, 1.0, np.inf))
        cost = np.concatenate([np.ones(count), np.zeros(len(cuts))])
        upper = np.concatenate([most, np.ones(len(cuts))])
        result = milp(cost, constraints=constraints, integrality=np.ones(width), bounds=Bounds(np.zeros(width), upper))
        if result.x is None:
            break
        solution = result.x[:count].round().astype(int)
        if not np.array_equal(solution @ table, character):
            break
        found.append(solution.tolist())
        cuts += [(i, n) for i, n in enumerate(solution.tolist()) if n]
        ends.append(len(cuts))
    return found


def _form(rep: Rep, blocks: Rep) -> AdmissibleForm:
    """An intertwiner ``B`` from ``blocks`` to ``rep``: the average of a random matrix, made orthogonal as far as ``rep`` allows."""
    every = rep.group.elements()
    rho, monomial = rep.matrix(every).to(torch.float64), blocks.matrix(every)
    random = torch.randn(rep.dim, rep.dim, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    average = torch.einsum("gij,jk,glk->il", rho, random, monomial) / len(rho)
    # In coordinates S x, S^2 the averaged inner product, rho is orthogonal; there the polar factor is an intertwiner, too.
    values, vectors = torch.linalg.eigh(torch.einsum("gki,gkj->ij", rho, rho) / len(rho))
    root = vectors @ torch.diag(values.sqrt()) @ vectors.mT
    left, _, right = torch.linalg.svd(root @ average)
    basis = torch.linalg.solve(root, left @ right)
    new = InBasis(rep, basis)
    gens = rep.group.generators
    error = 0.0 if gens is None else float((new.matrix(gens) - blocks.matrix(gens)).abs().max())
    return AdmissibleForm(basis, new, blocks, error)
