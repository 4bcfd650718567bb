"""`PolynomialInvariants`: what a group leaves unchanged of several tokens, as columns."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.groups.algebra import LieAlgebra
from erlangen.groups.base import Group
from erlangen.maps.invariants.coordinates import Coordinates, affine_closure, coordinates
from erlangen.maps.invariants.groups import affine_generators
from erlangen.maps.invariants.ratios import Ratios, split_dilations, weight_spaces
from erlangen.maps.invariants.tensors import Family, Moves, indecomposable, invariant_tensors, products
from erlangen.maps.invariants.terms import Term, terms_of, values_of

#: Degrees that are looked at.
HIGHEST = 4
#: So many columns of one kind at most, those of the first tokens.
MOST = 1000


class PolynomialInvariants(nn.Module):
    """Columns ``[B, k]`` of tokens ``[B, T, n]`` that moves of all tokens by one element of a group do not change.

    Tensors that the group leaves unchanged, degree by degree up to 4, with tokens in their slots: every invariant polynomial is a
    polynomial of these (H. Weyl, The Classical Groups, 1939). They are found in closed form: the null space of the Lie algebra and
    the discrete generators on tensors, in float64, in whatever basis the group is given; products of lower ones are left out. So isometries
    of a form ``J`` give all ``x_i^T J x_j``, symplectic maps all areas, SL(n) all determinants. Where the group translates,
    differences of tokens take their place, and the squares of all distances; where it turns about another point than the origin,
    that point is found. Where a group dilates, too, columns are divided by a common power of their own size.

    Args:
        group: a group that acts on R^n by matrices, linear or affine; a Lie algebra; or affine generators ``(A | b)``, ``[k, n, n + 1]``.
        tokens: ``T``.
        degree: up to this one; by default up to the first at which the columns tell generic orbits apart (see :attr:`missing`), and the
            volumes, whose sign tells mirror images apart, where these are at most 1000.

    Attributes:
        names: of the columns.
        missing: how many independent invariants there are beside the columns and functions of them, by the rank of the derivatives
            at a generic point of at most ``n + 2`` tokens; 0: the columns tell orbits of the connected group apart, up to finitely
            many.

    Raises:
        ArgumentError: no such group, no tokens, a degree that is not 1 to 4.

    >>> from erlangen.groups import SO, SE
    >>> products = PolynomialInvariants(SO(1, 3, connected=True), tokens=2)
    >>> products.names
    ['product(x1, x1)', 'product(x2, x2)', 'product(x1, x2)']
    >>> products(torch.tensor([[[5.0, 3.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]]])).tolist()
    [[16.0, 1.0, 5.0]]
    >>> PolynomialInvariants(SE(2), tokens=2).names
    ['product(x1 - x2)']
    """

    def __init__(self, group: Group | LieAlgebra | Float[Tensor, "k n m"], tokens: int, degree: int | None = None) -> None:
        super().__init__()
        if not isinstance(tokens, int) or tokens < 1:
            raise ArgumentError("tokens", "a number of tokens of at least 1", repr(tokens))
        if degree is not None and degree not in range(1, HIGHEST + 1):
            raise ArgumentError("degree", f"a degree from 1 to {HIGHEST}", repr(degree))
        algebra, discrete = affine_generators(group)
        if len(algebra):
            algebra = affine_closure(algebra)
        self.tokens, self.dim = tokens, algebra.shape[1]
        self._coordinates = coordinates(algebra, discrete)
        families, self.missing = _search(algebra, self._coordinates, tokens, degree)
        self._terms = _terms(families, self._coordinates, tokens)
        self._ratios = _ratios(self._terms)
        kind = self._coordinates.difference_kind
        self.names = [name for term in self._terms for name in term.names(kind)]

    def __len__(self) -> int:
        return len(self.names)

    def forward(self, x: Float[Tensor, "B T n"]) -> Float[Tensor, "B k"]:
        """The columns, in the type of ``x``."""
        if x.ndim != 3 or tuple(x.shape[1:]) != (self.tokens, self.dim):
            raise ArgumentError("x", f"tokens [B, {self.tokens}, {self.dim}]", f"shape {tuple(x.shape)}")
        found = values_of(self._terms, self._coordinates.vectors(x), x)
        return found if self._ratios is None else self._ratios(found)

    def symmetric_pairs(self, x: Float[Tensor, "B T n"]) -> Float[Tensor, "s B T T"]:
        """Symmetric forms of degree two as matrices over pairs of tokens: products, squares of distances; divided as the columns are."""
        found = []
        vectors = self._coordinates.vectors(x)
        growth = None if self._ratios is None else self._ratios.growth(values_of(self._terms, vectors, x))
        first = 0
        for term in self._terms:
            place, first = first, first + len(term)
            if not _is_square(term):
                continue
            for form in term.tensors.to(x):
                v = vectors[term.kinds[0]]
                if term.pairs:
                    difference = x.unsqueeze(2) - x.unsqueeze(1)
                    pairs = ((difference @ form) * difference).sum(-1)
                else:
                    pairs = v @ form @ v.mT
                # All columns of a term grow alike.
                found.append(pairs if growth is None else pairs * torch.exp(-growth[:, place, None, None]))
        return torch.stack(found) if found else x.new_zeros(0, len(x), self.tokens, self.tokens)


def _is_square(term: Term) -> bool:
    """Whether a term is a symmetric form of one vector with itself, or of differences: each form is in one such term."""
    same = len(term.kinds) == 2 and term.kinds[0] == term.kinds[1]
    return same and (term.pairs or bool((term.tokens[:, 0] == term.tokens[:, 1]).all()))


def _search(algebra: Tensor, where: Coordinates, tokens: int, degree: int | None) -> tuple[list[Family], int]:
    """Families of tensors, and how many independent invariants are missing beside them.

    Args:
        algebra: closed, ``[k, n, n + 1]``.
        where: the coordinates of vectors.
        tokens: ``T``.
        degree: up to this one; ``None`` up to the first that leaves nothing missing.
    """
    few = min(tokens, algebra.shape[1] + 2)
    wanted = few * algebra.shape[1] - _orbit_dimension(algebra, few)
    if degree is not None:
        families, _ = _until(where, few, -1, degree, [])
        return families, max(0, wanted - _rank(families, where, few))
    families, left = _until(where, few, wanted, HIGHEST, [])
    if left and where.moves and len(where.moves[0].algebra):
        _, dilations = split = split_dilations(where.moves)
        if len(dilations[0].algebra):
            weighted, after = _until(where, few, wanted, HIGHEST, split)
            if after < left:
                families, left = weighted, after
    return families + _volumes(where, tokens, families), left


def _until(where: Coordinates, tokens: int, wanted: int, degree: int, split: Sequence[Sequence[Moves]]) -> tuple[list[Family], int]:
    """Families degree by degree, until so many of their values are independent; how many are not reached."""
    families: list[Family] = []
    every: list[Family] = []
    left = wanted
    for d in range(1, degree + 1):
        if left == 0:
            break
        families = families + families_of_degree(split[0] if split else where.moves, d, every, split[1] if split else ())
        families = [f for f in families if not _is_constant(f, where)]
        left = wanted - _rank(families, where, tokens) if wanted >= 0 else left
    return families, max(left, 0)


def families_of_degree(moves: Sequence[Moves], degree: int, every: list[Family], dilations: Sequence[Moves] = ()) -> list[Family]:
    """The invariant tensors of a degree that are no products of lower ones.

    Args:
        moves: how each kind of vector moves.
        degree: of the tensors.
        every: all tensors of lower degrees; those of this one are added.
        dilations: how each kind of vector moves by what multiplies tensors: relative invariants, by weight.
    """
    new = []
    for kinds in itertools.combinations_with_replacement(range(len(moves)), degree):
        tensors = invariant_tensors([moves[k] for k in kinds])
        if tensors is None:
            continue
        if dilations:
            new += [Family(kinds, space, weight) for weight, space in weight_spaces(tensors, [dilations[k] for k in kinds])]
        else:
            new.append(Family(kinds, tensors))
    fresh = [Family(f.kinds, indecomposable(f.tensors, products(every, f.kinds, f.weight)), f.weight) for f in new]
    every += new
    return [f for f in fresh if len(f.tensors)]


def _is_constant(family: Family, where: Coordinates) -> bool:
    """Whether a family is the last coordinate of points, which is 1."""
    return (
        where.homogeneous
        and family.kinds == (0,)
        and int((family.tensors.abs() > 1e-9).sum()) == 1
        and bool(family.tensors[0, -1].abs() > 1e-9)
    )


def _volumes(where: Coordinates, tokens: int, families: Sequence[Family]) -> list[Family]:
    """The determinants of a kind of vector where the group keeps them, no family has them, and they are not too many."""
    found = []
    for kind, (moves, count) in enumerate(zip(where.moves, where.counts(tokens))):
        n = moves.n
        lifted = where.homogeneous and kind == 0
        known = any(set(f.kinds) == {kind} and (len(f.kinds) in (1, n) or _has_areas(f)) for f in families)
        if lifted or known or not 3 <= n <= HIGHEST or count < n or math.comb(count, n) > MOST:
            continue
        kept = bool((moves.algebra.diagonal(dim1=-2, dim2=-1).sum(-1).abs() < 1e-9).all())
        if kept and bool(((torch.linalg.det(moves.discrete) - 1).abs() < 1e-9).all()):
            found.append(Family((kind,) * n, _determinant(n)))
    return found


def _has_areas(family: Family) -> bool:
    """Whether an antisymmetric form is among the tensors: volumes are then made of areas."""
    return len(family.kinds) == 2 and bool((family.tensors - family.tensors.mT).abs().max() > 1e-6)


def _determinant(n: int) -> Tensor:
    """The tensor ``[1, n, .. n]`` of the determinant."""
    tensor = torch.zeros(1, *(n,) * n, dtype=torch.float64)
    for order in itertools.permutations(range(n)):
        tensor[(0, *order)] = float(torch.linalg.det(torch.eye(n, dtype=torch.float64)[list(order)]).round())
    return tensor


def _orbit_dimension(algebra: Tensor, tokens: int) -> int:
    """The dimension of the orbit of generic tokens."""
    if not len(algebra):
        return 0
    x = torch.randn(tokens, algebra.shape[1], generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    moved = torch.einsum("kij,tj->kti", algebra[..., :-1], x) + algebra[:, None, :, -1]
    return int(torch.linalg.matrix_rank(moved.flatten(1), rtol=1e-8))


def _rank(families: Sequence[Family], where: Coordinates, tokens: int) -> int:
    """How many of the columns are independent functions of generic tokens."""
    terms = _terms(families, where, tokens)
    if not terms:
        return 0
    ratios = _ratios(terms)
    x = torch.randn(tokens, len(where.shift), generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    def columns(x: Tensor) -> Tensor:
        p = values_of(terms, where.vectors(x.unsqueeze(0)), x.unsqueeze(0))
        return (p if ratios is None else ratios(p))[0]

    slopes = torch.autograd.functional.jacobian(columns, x, vectorize=True).flatten(1)
    slopes = slopes / slopes.norm(dim=1, keepdim=True).clamp_min(1e-300)
    return int(torch.linalg.matrix_rank(slopes, rtol=1e-7))


def _terms(families: Sequence[Family], where: Coordinates, tokens: int) -> list[Term]:
    return terms_of(families, where.counts(tokens), where.difference_kind, MOST)


def _ratios(terms: Sequence[Term]) -> Ratios | None:
    """How columns are divided; ``None`` where they are invariant as they are."""
    if not any(term.weight for term in terms):
        return None
    return Ratios.of(torch.tensor([term.weight for term in terms for _ in range(len(term))], dtype=torch.float64))
