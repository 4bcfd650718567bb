"""Homogeneous spaces G/H: spaces that a group moves every point of to every other, and the invariants of pairs of their points.

An equivariant kernel between points is a function of the *orbit* of the pair, so an edge attribute is right when it is invariant, and loses
nothing when it tells all orbits apart. How many numbers that takes is the dimension of ``G \\ (X x X) = H \\ G / H``, and whether given
attributes are enough follows from the rank of their derivative: both are computed here from the infinitesimal action alone.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import optree
import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.actions.records import Record
from erlangen.errors import ArgumentError, unsupported
from erlangen.groups.base import Group
from erlangen.groups.forms import bilinear_forms
from erlangen.linalg import numerical_rank
from erlangen.verdict import Verdict

#: Invariants of generic pairs may differ by so much after both points are moved, relative to their size (float64).
INVARIANT = 1e-9

Attributes = Callable[[Any, Any], Float[Tensor, "*batch k"]]


class HomogeneousSpace:
    """A space whose points are all one orbit, by the action and one of them.

    Args:
        action: how the group, a Lie group of matrices, acts on points; a record for points that have several parts.
        point: a base point, one datum in float64 (without batch axes).

    Raises:
        UnsupportedError: the group has no Lie algebra.

    >>> from erlangen.groups import SE
    >>> X = oriented_points(SE(3))                        # positions and directions: R^3 x S^2
    >>> X.dim, X.stabilizer_dim, X.pair_dim
    (5, 1, 4)
    """

    def __init__(self, action: Action, point: Any) -> None:
        if not action.group.dim:
            unsupported(action.group, "Lie algebra", "a finite group's orbits are listed by Action.orbit")
        self.action, self.group = action, action.group
        self.point = optree.tree_map(lambda t: t.detach().to(torch.float64), point)

    # ---- dimensions ----

    @cached_property
    def dim(self) -> int:
        """Dimension of the space: of the group, less that of a point's stabilizer."""
        return self._rank(self._velocities(self.point))

    @property
    def stabilizer_dim(self) -> int:
        """Dimension of the subgroup that keeps a point."""
        return self.group.dim - self.dim

    @cached_property
    def pair_dim(self) -> int:
        """Dimension of the space of orbits of pairs: how many independent invariants a pair of points in general position has."""
        x, y = (self.sample(seed=seed) for seed in (1, 2))
        together = torch.cat([self._velocities(x), self._velocities(y)])
        return 2 * self.dim - self._rank(together)

    def sample(self, *batch: int, seed: int = 0) -> Any:
        """Points in general position, the base point moved by random elements, ``[*batch, ...]`` in float64."""
        g = self.group.sample(*batch, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        return self.action.act(g, optree.tree_map(lambda t: t.reshape(*(1,) * len(batch), *t.shape), self.point))

    # ---- inside ----

    def _velocities(self, x: Any) -> Float[Tensor, "numbers dim_g"]:
        """How a point moves in the direction of each generator, as columns."""
        tangents = self.group.tangents(torch.float64)
        assert tangents is not None
        one = self.group.identity(dtype=torch.float64)

        def move(g: Any) -> Tensor:
            return _flat(self.action.act(g, x))

        columns = [torch.func.jvp(move, (one,), (self.group.take(tangents, i),))[1] for i in range(self.group.dim)]
        return torch.stack(columns, -1)

    def _attribute_rank(self, attributes: Attributes, x: Any, y: Any) -> int:
        """The rank of the attributes' derivative when either point moves on its own."""
        one, tangents = self.group.identity(dtype=torch.float64), self.group.tangents(torch.float64)

        def value(g: Any, h: Any) -> Tensor:
            moved = (self.action.act(k, point) for k, point in ((g, x), (h, y)))
            return attributes(*(optree.tree_map(lambda t: t.unsqueeze(0), point) for point in moved))[0]

        zero = optree.tree_map(torch.zeros_like, one)
        columns = []
        for i in range(self.group.dim):
            tangent = self.group.take(tangents, i)
            for directions in ((tangent, zero), (zero, tangent)):
                columns.append(torch.func.jvp(value, (one, one), directions)[1])
        return self._rank(torch.stack(columns, -1))

    def _rank(self, columns: Tensor) -> int:
        return int(numerical_rank(columns, rtol=1e-9))

    def _take(self, x: Any, i: int) -> Any:
        return optree.tree_map(lambda t: t[i], x)

    def __repr__(self) -> str:
        return f"a homogeneous space of {self.group} of dimension {self.dim}"


def pair_invariants(space: HomogeneousSpace) -> Attributes:
    """Invariants that tell all orbits of pairs apart: inner products of everything that turns, and determinants for groups that have them.

    Of the parts of both points, directions count as they are and positions by their differences. The invariants are the values of every
    bilinear form that the group keeps on two of these vectors, without those that are constant, and, for groups of determinant one, the
    determinants of ``n`` of them (in the plane such a group has an antisymmetric form, which says the same). For O(n) and SO(n), of any
    signature, and Sp(n) that is complete, by Weyl's first fundamental theorem. They are polynomials: squares of lengths, not lengths.

    Args:
        space: of a group of matrices or of affine maps, whose points are made of its points and vectors.

    Returns:
        a function of batches of points ``x`` and ``y`` to a tensor ``[*batch, k]``.

    Raises:
        UnsupportedError: points have other parts.

    Source: H. Weyl, "The Classical Groups" (1939).

    >>> from erlangen.groups import E, SE
    >>> X = oriented_points(E(3))
    >>> pair_invariants(X)(X.sample(7), X.sample(7, seed=1)).shape            # d.d, d.o, d.o', o.o'
    torch.Size([7, 4])
    >>> bool(check_complete(X, pair_invariants(X)))
    True
    """
    group, leaves = space.group, space.action.leaves if isinstance(space.action, Record) else [space.action]
    point, vector = (group.point, group.vector) if group.translates else (None, group.vector)
    if any(leaf not in (point, vector) for leaf in leaves):
        unsupported(space, "pair_invariants", "write attributes for it, and let check_complete see to them")
    linear: Any = group.linear_part if group.translates else group
    forms, n = bilinear_forms(linear), int(linear.element_shape[0])
    triples = linear.is_proper and n > 2

    def every(x: Any, y: Any) -> Tensor:
        places: list[Tensor] = []
        turning: list[Tensor] = []
        for side in (x, y):
            for leaf, part, base in zip(leaves, optree.tree_leaves(side), optree.tree_leaves(space.point)):
                rows = part.reshape(*part.shape[: part.ndim - base.ndim], base.numel() // n, n)
                (places if leaf == point else turning).append(rows)
        if places:
            turning.insert(0, torch.cat(places, -2)[..., 1:, :] - places[0][..., :1, :])
        v = torch.cat(turning, -2)
        a, b = torch.triu_indices(v.shape[-2], v.shape[-2])
        values = [((v[..., a, :] @ form.to(v)) * v[..., b, :]).sum(-1) for form in forms]
        if triples:
            chosen = torch.combinations(torch.arange(v.shape[-2]), n)
            values.append(torch.linalg.det(v[..., chosen, :]))
        return torch.cat(values, -1)

    values = every(space.sample(8, seed=1), space.sample(8, seed=2))
    moving = (values - values[:1]).abs().amax(0) > INVARIANT * values.abs().max()
    return lambda x, y: every(x, y)[..., moving]


def check_complete(space: HomogeneousSpace, attributes: Attributes, *, pairs: int = 8, seed: int = 0) -> Verdict:
    """Whether attributes of pairs are invariant and, for pairs in general position, tell neighbouring orbits apart.

    The derivative of complete attributes has the rank ``space.pair_dim``. What it cannot see are signs that separate finitely many orbits
    (mirror images under rotations alone): attributes that hold may still be equal for a pair and its mirror image.

    Args:
        space: whose points.
        attributes: ``attributes(x, y)`` of batches of points, ``[B, k]``, written with torch.
        pairs: how many pairs are tried.
        seed: of the pairs.

    Returns:
        a :class:`Verdict` with numbers ``rank`` (the smallest that is found), ``wanted`` and ``change`` (the largest relative change
        of an attribute when both points are moved), and the worst pair as its witness.

    Raises:
        ArgumentError: the attributes are no tensor ``[B, k]``.

    >>> from erlangen.groups import SE
    >>> X = oriented_points(SE(3))
    >>> paper = lambda x, y: ponita_attributes(x, y)[..., :3]
    >>> bool(check_complete(X, ponita_attributes)), bool(check_complete(X, paper))
    (True, False)
    """
    x, y = space.sample(pairs, seed=2 * seed + 1), space.sample(pairs, seed=2 * seed + 2)
    g = space.group.sample(pairs, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    here = attributes(x, y)
    if not isinstance(here, Tensor) or here.ndim != 2 or len(here) != pairs:
        got = f"shape {tuple(here.shape)}" if isinstance(here, Tensor) else type(here).__name__
        raise ArgumentError("attributes", f"a function to a tensor [{pairs}, k]", got)
    moved = attributes(space.action.act(g, x), space.action.act(g, y))
    change = (moved - here).abs().amax(1) / here.abs().amax().clamp_min(torch.finfo(torch.float64).tiny)
    ranks = torch.tensor([space._attribute_rank(attributes, space._take(x, i), space._take(y, i)) for i in range(pairs)])
    wanted = space.pair_dim
    invariant, complete = bool((change <= INVARIANT).all()), bool((ranks >= wanted).all())
    worst = int(change.argmax()) if not invariant else int(ranks.argmin())
    reasons = {
        (True, True): "invariant, and of full rank",
        (True, False): f"invariant, but pairs have {wanted} invariants and these tell {int(ranks.min())} apart",
    }
    return Verdict(
        invariant and complete,
        f"the attributes are a complete set of invariants of pairs of {space}",
        how="statistical",
        tried=pairs,
        numbers={"rank": int(ranks.min()), "wanted": wanted, "change": float(change.max())},
        witness=(space._take(x, worst), space._take(y, worst)),
        reason=reasons.get((invariant, complete), "not invariant"),
    )


def points(group: Group) -> HomogeneousSpace:
    """Positions: ``R^n`` under the isometries of space; a pair has one invariant, the distance.

    >>> from erlangen.groups import E
    >>> points(E(3)).pair_dim
    1
    """
    return HomogeneousSpace(group.point, torch.zeros(_space_dim(group), dtype=torch.float64))


def oriented_points(group: Group) -> HomogeneousSpace:
    """Positions with a direction, ``R^n x S^(n-1)``: records of ``"position"`` and a unit vector ``"orientation"``, each ``[..., n]``."""
    n = _space_dim(group)
    axis = torch.eye(n, dtype=torch.float64)[-1]
    action = Record({"position": group.point, "orientation": group.vector})
    return HomogeneousSpace(action, {"position": torch.zeros(n, dtype=torch.float64), "orientation": axis})


def framed_points(group: Group) -> HomogeneousSpace:
    """Positions with a frame, a copy of the group: records of ``"position"`` ``[..., n]`` and ``"frame"`` ``[..., n, n]``, axes as rows."""
    n = _space_dim(group)
    action = Record({"position": group.point, "frame": group.vector})
    return HomogeneousSpace(action, {"position": torch.zeros(n, dtype=torch.float64), "frame": torch.eye(n, dtype=torch.float64)})


def ponita_attributes(x: dict[str, Tensor], y: dict[str, Tensor]) -> Float[Tensor, "*batch 4"]:
    """Invariants of two oriented points, ``y`` seen from ``x``, with ``d`` the way from one to the other:
    ``o_x . d``, ``|d - (o_x . d) o_x|``, ``o_x . o_y``, ``o_y . d``.

    The first three are those of PONITA. In space they leave out one of four: pairs whose orbits differ have the same three. All four are
    complete for E(n), for SE(3) up to the sign of ``det(o_x, d, o_y)``.

    Source: Bekkers et al., "Fast, Expressive SE(n) Equivariant Networks through Weight-Sharing in Position-Orientation Space", ICLR 2024,
    arXiv:2310.02970; the fourth: Weyl's first fundamental theorem for O(n).
    """
    d = y["position"] - x["position"]
    along = (x["orientation"] * d).sum(-1, keepdim=True)
    across = torch.linalg.vector_norm(d - along * x["orientation"], dim=-1, keepdim=True)
    between = (x["orientation"] * y["orientation"]).sum(-1, keepdim=True)
    other = (y["orientation"] * d).sum(-1, keepdim=True)
    return torch.cat([along, across, between, other], -1)


def framed_attributes(x: dict[str, Tensor], y: dict[str, Tensor]) -> Float[Tensor, "*batch k"]:
    """Invariants of two framed points: the way from one to the other and the other's axes, in the first one's frame. Complete for SE(n)."""
    d = y["position"] - x["position"]
    local = (x["frame"] @ d.unsqueeze(-1)).squeeze(-1)
    return torch.cat([local, (x["frame"] @ y["frame"].mT).flatten(-2)], -1)


def _space_dim(group: Group) -> int:
    if not group.translates or not group.linear_part.is_rotations:
        raise ArgumentError("group", "SE(n) or E(n)", repr(group))
    return int(group.linear_part.element_shape[0])


def _flat(x: Any) -> Tensor:
    return torch.cat([t.flatten() for t in optree.tree_leaves(x)])
