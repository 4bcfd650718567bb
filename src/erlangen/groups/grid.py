"""The symmetries of a periodic grid: translations, and the automorphisms of ``Z/P_1 x ... x Z/P_D`` that fix the origin."""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from erlangen.errors import ArgumentError, unsupported
from erlangen.groups.permutation import LARGEST_DEGREE, LARGEST_LIST, PermutationGroup

#: Which automorphisms are named.
LINEAR = ("translations", "inversion", "axis-reflections", "point-group", "automorphisms")
#: Largest number of integer matrices that are tried for being automorphisms.
LARGEST_SEARCH = 1 << 20


class GridSymmetries(PermutationGroup):
    """Maps ``p -> M p + t`` of the points of a periodic grid, all translations ``t`` with a group of automorphisms ``M``.

    Elements are index maps ``[*batch, N]`` of the ``N = P_1 ... P_D`` points in row-major order, as of any permutation group; order,
    membership and samples are in closed form, so that grids may be large.

    Args:
        sizes: ``P_1 .. P_D``, the grid's sides.
        linear: which ``M``: ``"translations"`` (the identity alone), ``"inversion"`` (and minus it), ``"axis-reflections"`` (each axis
            by itself), ``"point-group"`` (and exchanges of axes of one length), ``"automorphisms"`` (all of the abelian group), or
            integer matrices ``[k, D, D]`` that generate the group wanted.

    Attributes:
        sizes: the sides.
        linear: all its ``M``, int64 ``[k, D, D]``, reduced, the identity first.

    Raises:
        ArgumentError: sizes or matrices are not usable; a matrix is no automorphism of this grid.

    >>> G = GridSymmetries((4, 3), "axis-reflections")
    >>> G.order, GridSymmetries((5, 5), "automorphisms").order // 25
    (48, 480)
    >>> GridSymmetries((12,)) == GridSymmetries((12,), "translations"), GridSymmetries((4, 3), "point-group") == G
    (True, True)
    """

    def __init__(self, sizes: Sequence[int], linear: str | Any = "translations") -> None:
        self.sizes = check_sizes(sizes)
        self.n = math.prod(self.sizes)
        self.element_shape = (self.n,)
        named = linear if isinstance(linear, str) else "a linear group"
        self.linear: Int[Tensor, "k D D"] = _linear_part(self.sizes, linear)
        self.name = (
            f"Z_{'x'.join(map(str, self.sizes))} with {named}" if len(self.linear) > 1 else f"Z_{'x'.join(map(str, self.sizes))}"
        )

    def equality_key(self) -> Hashable:
        return self.sizes, tuple(sorted(map(tuple, self.linear.flatten(1).tolist())))

    @property
    def _recognised(self) -> GridSymmetries:
        """Itself: what matters is how it moves a grid."""
        return self

    @property
    def generators(self) -> Int[Tensor, "m N"]:
        steps = torch.eye(len(self.sizes), dtype=torch.int64)
        shifts = self.element(torch.eye(len(self.sizes), dtype=torch.int64).expand(len(steps), -1, -1), steps)
        kept = generating(self.sizes, self.linear)
        return torch.cat([shifts, self.element(kept, torch.zeros(len(kept), len(self.sizes), dtype=torch.int64))])

    @property
    def order(self) -> int:  # type: ignore[override]
        return self.n * len(self.linear)

    @property
    def translations(self) -> GridSymmetries:
        """Its subgroup of translations."""
        return GridSymmetries(self.sizes)

    @property
    def points(self) -> Int[Tensor, "N D"]:
        """The grid's points in row-major order."""
        return torch.cartesian_prod(*[torch.arange(size) for size in self.sizes]).view(-1, len(self.sizes))

    def element(self, linear: Int[Tensor, "*batch D D"], shift: Int[Tensor, "*batch D"]) -> Int[Tensor, "*batch N"]:
        """The index maps of ``p -> M p + t``.

        >>> G = GridSymmetries((4,), "inversion")
        >>> G.element(G.linear, torch.tensor([[1], [0]])).tolist()
        [[1, 2, 3, 0], [0, 3, 2, 1]]
        """
        sizes = torch.tensor(self.sizes)
        moved = (self.points @ linear.mT + shift.unsqueeze(-2)) % sizes
        strides = sizes.flip(0).cumprod(0).flip(0) // sizes
        return (moved * strides).sum(-1)

    def parts(self, g: Int[Tensor, "*batch N"]) -> tuple[Int[Tensor, "*batch D D"], Int[Tensor, "*batch D"]]:
        """``M`` (reduced) and ``t`` of index maps of the group."""
        sizes = torch.tensor(self.sizes)
        strides = sizes.flip(0).cumprod(0).flip(0) // sizes
        places = torch.cat([torch.zeros(1, dtype=torch.int64), torch.where(sizes > 1, strides, 0)])
        images = (g[..., places].unsqueeze(-1) // strides) % sizes
        shift = images[..., 0, :]
        return ((images[..., 1:, :] - shift.unsqueeze(-2)) % sizes).mT, shift

    def sample(
        self,
        *batch: int,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | None = None,
        scale: float = 1.0,
    ) -> Tensor:
        linear = self.linear[torch.randint(len(self.linear), batch, generator=generator)]
        shift = torch.stack([torch.randint(size, batch, generator=generator) for size in self.sizes], -1)
        return self.element(linear, shift).to(device)

    def contains(self, g: Tensor, atol: float | None = None) -> Bool[Tensor, "*batch"]:
        self.batch_shape(g)
        inside = ((g >= 0) & (g < self.n)).all(-1)
        safe = torch.where(inside.unsqueeze(-1), g, 0).cpu()
        linear, shift = self.parts(safe)
        known = (linear.unsqueeze(-3) == self.linear).all((-1, -2)).any(-1)
        return inside & (known & (self.element(linear, shift) == safe).all(-1)).to(g.device)

    def elements(self) -> Int[Tensor, "order N"]:
        if self.order * self.n > 100 * LARGEST_LIST:
            unsupported(self, f"list of elements ({self.order} maps of {self.n} points)", "draw some with .sample(n)")
        k = len(self.linear)
        return self.element(self.linear.repeat_interleave(self.n, 0), self.points.repeat(k, 1))


def check_sizes(sizes: Any, argument: str = "sizes") -> tuple[int, ...]:
    """The sides of a grid as a tuple of positive ints.

    Raises:
        ArgumentError: they are none, or the grid has more than ten million points.

    >>> check_sizes([4, 3])
    (4, 3)
    """
    try:
        found = tuple(int(size) for size in sizes)
        whole = all(size == given and not isinstance(given, bool) for size, given in zip(found, sizes))
    except (TypeError, ValueError):
        found, whole = (), False
    if not found or not whole or min(found) < 1:
        raise ArgumentError(argument, "one or more positive integers, the sides of a periodic grid", repr(sizes))
    if math.prod(found) > LARGEST_DEGREE:
        raise ArgumentError(argument, f"a grid of at most {LARGEST_DEGREE} points", f"{found}, of {math.prod(found)} points")
    return found


def automorphisms(sizes: Sequence[int]) -> Int[Tensor, "k D D"]:
    """All automorphisms of ``Z/P_1 x ... x Z/P_D`` as reduced integer matrices, the identity first.

    Entry ``(i, j)`` is a homomorphism from ``Z/P_j`` to ``Z/P_i``, a multiple of ``P_i / gcd(P_i, P_j)``; a matrix of such is an
    automorphism when it kills no element of prime order.

    Raises:
        UnsupportedError: there are more than a million candidates.

    >>> [len(automorphisms(sizes)) for sizes in ((12,), (4, 3), (2, 2, 2), (4, 4))]
    [4, 4, 168, 96]
    """
    from sympy import primefactors

    sizes = check_sizes(sizes)
    choices = [[p // math.gcd(p, q) * m for m in range(math.gcd(p, q))] for p in sizes for q in sizes]
    count = math.prod(len(choice) for choice in choices)
    if count > LARGEST_SEARCH:
        unsupported(f"the grid {sizes}", f"list of automorphisms ({count} matrices to try)", "give matrices that generate some")
    dimension = len(sizes)
    every = torch.tensor(list(itertools.product(*choices))).view(-1, dimension, dimension)
    modulus, good = torch.tensor(sizes).view(-1, 1), torch.ones(len(every), dtype=torch.bool)
    for prime in primefactors(math.prod(sizes)):
        ranges = [torch.arange(prime) * (p // prime) if p % prime == 0 else torch.zeros(1, dtype=torch.int64) for p in sizes]
        socle = torch.cartesian_prod(*ranges).view(-1, dimension).T[:, 1:]
        good &= ((every @ socle) % modulus != 0).any(1).all(1)
    found = every[good]
    one = torch.eye(dimension, dtype=torch.int64) % modulus
    here = (found == one).all((1, 2))
    return torch.cat([found[here], found[~here]])


def generating(sizes: Sequence[int], linear: Int[Tensor, "k D D"]) -> Int[Tensor, "m D D"]:
    """A few of a group's matrices that generate it; none of the trivial group."""
    kept: list[Tensor] = []
    closed = {_key(linear[0])}
    for m in linear:
        if _key(m) not in closed:
            kept.append(m)
            closed = {_key(x) for x in _closure(sizes, torch.stack(kept))}
    return torch.stack(kept) if kept else linear[:0]


def _linear_part(sizes: tuple[int, ...], linear: Any) -> Int[Tensor, "k D D"]:
    dimension = len(sizes)
    modulus = torch.tensor(sizes).view(-1, 1)
    if isinstance(linear, str):
        one = torch.eye(dimension, dtype=torch.int64)
        if linear == "automorphisms":
            return automorphisms(sizes)
        signs = torch.tensor(list(itertools.product((1, -1), repeat=dimension))).diag_embed()
        made = {
            "translations": lambda: one[None],
            "inversion": lambda: torch.stack([one, -one]),
            "axis-reflections": lambda: signs,
            "point-group": lambda: (one[_exchanges(sizes)][:, None] @ signs).flatten(0, 1),
        }
        if linear not in made:
            raise ArgumentError(
                "linear", f"one of {', '.join(LINEAR)}, or integer matrices [k, {dimension}, {dimension}]", repr(linear)
            )
        return _unique(made[linear]() % modulus)
    matrices = torch.as_tensor(linear)
    if matrices.ndim != 3 or matrices.shape[1:] != (dimension, dimension) or matrices.is_floating_point():
        raise ArgumentError(
            "linear", f"integer matrices [k, {dimension}, {dimension}]", f"{matrices.dtype} {tuple(matrices.shape)}"
        )
    matrices = matrices.to(torch.int64) % modulus
    points = torch.cartesian_prod(*[torch.arange(size) for size in sizes]).view(-1, dimension)
    for m in matrices:
        whole = all(int(m[i, j]) * sizes[j] % sizes[i] == 0 for i in range(dimension) for j in range(dimension))
        if not whole or len(((points @ m.T) % torch.tensor(sizes)).unique(dim=0)) != len(points):
            raise ArgumentError("linear", f"automorphisms of the grid {sizes}", f"{m.tolist()}")
    return _closure(sizes, matrices)


def _exchanges(sizes: tuple[int, ...]) -> Tensor:
    """Permutations of axes of one length, the identity first."""
    every = itertools.permutations(range(len(sizes)))
    return torch.tensor([p for p in every if all(sizes[i] == sizes[j] for i, j in enumerate(p))])


def _closure(sizes: Sequence[int], matrices: Int[Tensor, "m D D"]) -> Int[Tensor, "k D D"]:
    from erlangen.groups.closure import close_objects

    modulus = np.array(sizes).reshape(-1, 1)
    one = np.eye(len(sizes), dtype=np.int64) % modulus
    found = close_objects(one, list(matrices.numpy()), lambda a, b: a @ b % modulus, lambda a: a.tobytes(), LARGEST_LIST)
    if found is None:
        raise ArgumentError("linear", f"matrices that generate at most {LARGEST_LIST}", "more")
    return torch.from_numpy(np.stack(found[0]))


def _unique(matrices: Int[Tensor, "k D D"]) -> Int[Tensor, "k D D"]:
    """Each once, in the order in which they come."""
    return torch.stack(list({_key(m): m for m in matrices}.values()))


def _key(matrix: Tensor) -> tuple[int, ...]:
    return tuple(matrix.flatten().tolist())
