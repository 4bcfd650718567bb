"""Crystallographic groups, exact: integer rotations, rational translations, any setting.

A crystallographic group is infinite, for it contains the translations of a lattice. What acts on coordinates modulo 1, on a unit cell and
on whatever fills it, is its quotient by the translations of that cell: a finite group, and that is the :class:`Group` here. Its
elements are maps ``x -> W x + w`` of fractional coordinates as integer tensors ``[*batch, n, n + 1]``
(:mod:`erlangen.groups.rational_maps`): ``W``, and ``w`` in units of ``1 / denominator``, taken into [0, 1).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Int
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.groups.base import Group
from erlangen.groups.integer import IntegerMatrixGroup
from erlangen.groups.rational_maps import (
    STANDARD_DENOMINATOR,
    compose,
    format_map,
    inverse_map,
    modulo,
    parse_map,
)

if TYPE_CHECKING:
    from erlangen.actions.base import Action
    from erlangen.reps.base import Rep

#: A quotient with more elements than this (a unit cell of many lattice points) is refused.
LARGEST_ORDER = 20_000


class CrystallographicGroup(Group):
    """A crystallographic group modulo the translations of the unit cell, by a few of its operations.

    Args:
        operations: coordinates such as ``"-x, y+1/2, -z"``, or a tensor ``[m, n, n + 1]`` with translations in units of
            ``1 / denominator``. Centring translations are operations like any other.
        denominator: of the translations.
        name: a name for people.

    Raises:
        ArgumentError: an operation cannot be read or is not invertible in integers, or there are more than 20 000 elements.

    >>> G = CrystallographicGroup(["-x, y+1/2, -z", "-x, -y, -z"])
    >>> G.order, [G.operation(g) for g in G.elements()]
    (4, ['x,y,z', '-x,y+1/2,-z', '-x,-y,-z', 'x,-y+1/2,z'])
    """

    is_compact = True
    measure = "Haar"
    element_dtype = torch.int64

    def __init__(
        self, operations: Sequence[str] | Int[Tensor, "m n k"], denominator: int = STANDARD_DENOMINATOR, name: str = ""
    ) -> None:
        if not isinstance(denominator, int) or isinstance(denominator, bool) or denominator < 1:
            raise ArgumentError("denominator", "a positive whole number", repr(denominator))
        if isinstance(operations, Tensor):
            if operations.ndim != 3 or operations.shape[-1] != operations.shape[-2] + 1 or operations.dtype != torch.int64:
                raise ArgumentError("operations", "int64 maps [m, n, n + 1]", f"{operations.dtype} {tuple(operations.shape)}")
            maps = operations.detach().cpu()
        else:
            if isinstance(operations, str) or not operations:
                raise ArgumentError("operations", "a list of operations such as ['-x, -y, -z']", repr(operations))
            n = operations[0].count(",") + 1
            maps = torch.stack([parse_map(text, n, denominator, "operations") for text in operations])
        determinants = torch.linalg.det(maps[..., :-1].to(torch.float64)).abs()
        if bool((determinants.round() != 1).any()):
            raise ArgumentError("operations", "rotations and reflections of determinant 1 or -1", "another one")
        self.n, self.denominator = maps.shape[-2], denominator
        self.element_shape = (self.n, self.n + 1)
        self._elements, self._generators = close_maps(maps, self.n, denominator)
        self.name = name or f"CrystallographicGroup(n={self.n}, order={len(self._elements)})"

    def equality_key(self) -> Hashable:
        return (self.n, self._operations)

    @cached_property
    def _operations(self) -> frozenset[tuple[Fraction | int, ...]]:
        rows = self._elements.flatten(1).tolist()
        last = range(self.n, self.n * (self.n + 1), self.n + 1)
        units = {shift: Fraction(shift, self.denominator) for shift in range(self.denominator)}
        return frozenset(tuple(units[v] if i in last else v for i, v in enumerate(row)) for row in rows)

    def __eq__(self, other: object) -> bool:
        """Whether both have the same operations, in whichever order, setting or class they were given."""
        return self is other or (isinstance(other, CrystallographicGroup) and self.equality_key() == other.equality_key())

    def __hash__(self) -> int:
        return hash(self.equality_key())

    # ---- the group ----

    @property
    def order(self) -> int:  # type: ignore[override]
        """Number of elements: of the point group times that of centring translations of the cell."""
        return len(self._elements)

    @property
    def generators(self) -> Int[Tensor, "m n k"]:
        """Those of the given operations that the others do not make; the identity, should that be all."""
        return self._generators.clone() if len(self._generators) else self._elements[:1].clone()

    def elements(self) -> Int[Tensor, "order n k"]:
        return self._elements.clone()

    def identity(self, *batch: int, dtype: torch.dtype | None = None, device: torch.device | None = None) -> Tensor:
        return torch.eye(self.n, self.n + 1, dtype=torch.int64, device=device).repeat(*batch, 1, 1)

    def multiply(self, g: Tensor, h: Tensor) -> Tensor:
        return modulo(compose(g, h), self.denominator)

    def inverse(self, g: Tensor) -> Tensor:
        return modulo(inverse_map(g), self.denominator)

    def sample(
        self,
        *batch: int,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | None = None,
        scale: float = 1.0,
    ) -> Tensor:
        return self._elements[torch.randint(self.order, batch, generator=generator)].to(device)

    # ---- parts ----

    def operation(self, g: Int[Tensor, "n k"]) -> str:
        """An element as people write it, e.g. ``"-y,x-y,z+1/3"``."""
        self.batch_shape(g)
        return format_map(g, self.denominator)

    def rotation(self, g: Int[Tensor, "*batch n k"]) -> Int[Tensor, "*batch n n"]:
        """The linear parts ``W`` of elements, in the basis of the cell."""
        return g[..., :-1]

    def translation(self, g: Int[Tensor, "*batch n k"]) -> Int[Tensor, "*batch n"]:
        """The translations ``w`` of elements, in units of ``1 / denominator``."""
        return g[..., -1]

    @cached_property
    @torch.inference_mode(False)  # what is kept must serve training too
    def point_group(self) -> IntegerMatrixGroup:
        """The rotations and reflections ``W``, as integer matrices in the basis of the cell."""
        return IntegerMatrixGroup(self.generators[..., :-1], name=f"point group of {self.name}")

    @cached_property
    @torch.inference_mode(False)  # what is kept must serve training too
    def centring(self) -> Int[Tensor, "c n"]:
        """The translations of the cell's lattice points, in units of ``1 / denominator``, zero first."""
        eye = torch.eye(self.n, dtype=torch.int64)
        return self._elements[(self._elements[..., :-1] == eye).flatten(1).all(1)][..., -1]

    @property
    def is_symmorphic(self) -> bool:
        """Whether a point keeps the whole point group: some origin makes all translations lattice translations."""
        gens = self._generators
        grid = _grid(self.n, STANDARD_DENOMINATOR)
        for axis in range(len(gens)):
            # W p + w - p must be a lattice translation; candidates that fail for one generator are dropped.
            shift = grid @ (gens[axis, :, :-1] - torch.eye(self.n, dtype=torch.int64)).mT * self.denominator
            shift = (shift + STANDARD_DENOMINATOR * gens[axis, :, -1]) % (STANDARD_DENOMINATOR * self.denominator)
            grid = grid[(shift.unsqueeze(1) == STANDARD_DENOMINATOR * self.centring).all(-1).any(-1)]
        return len(grid) > 0

    @property
    def is_centrosymmetric(self) -> bool:
        """Whether it contains an inversion."""
        return bool((self._elements[..., :-1] == -torch.eye(self.n, dtype=torch.int64)).flatten(1).all(1).any())

    @property
    def keeps_hand(self) -> bool:
        """Whether all rotations are proper (the 65 Sohncke types): a chiral crystal needs such a group."""
        return bool((torch.linalg.det(self._elements[..., :-1].to(torch.float64)) > 0).all())

    # ---- other settings ----

    def transformed(
        self, basis: Sequence[Sequence[Any]] | Tensor, origin: Sequence[Any] = (), name: str = ""
    ) -> CrystallographicGroup:
        """The group in another cell: ``x = P x' + p``, new basis vectors ``(a', b', c') = (a, b, c) P`` and origin ``p`` in the old ones.

        A smaller cell has fewer centring translations, a larger one more: the quotient's order changes with its volume.

        Args:
            basis: ``P``, ``n x n``, whole or rational numbers (``Fraction`` or text such as ``"2/3"``).
            origin: ``p``, ``n`` rational numbers; zero by default.

        Raises:
            ArgumentError: ``P`` is singular, its columns are no lattice vectors, or rotations do not map the new cell's lattice to itself.

        >>> from erlangen.groups import SpaceGroup
        >>> SpaceGroup(225).transformed([["0", "1/2", "1/2"], ["1/2", "0", "1/2"], ["1/2", "1/2", "0"]]).order   # the primitive cell
        48
        """
        maps, denominator = self._transformed_maps(*_rational_map(basis, origin, self.n))
        return CrystallographicGroup(maps, denominator, name or f"{self.name} in another setting")

    def _transformed_maps(self, basis: list[list[Fraction]], origin: list[Fraction]) -> tuple[Tensor, int]:
        """Generators in the new cell, lattice translations of the old one included, and their denominator."""
        from sympy import Matrix, Rational

        n = self.n
        p = Matrix([[Rational(v.numerator, v.denominator) for v in row] for row in basis])
        shift = Matrix([Rational(v.numerator, v.denominator) for v in origin])
        if p.det() == 0:
            raise ArgumentError("basis", "an invertible matrix", [[str(v) for v in row] for row in basis])
        self._check_lattice(basis)
        back = p.inv()
        made: list[tuple[Any, Any]] = []
        for g in self.generators.tolist():
            linear = Matrix([row[:-1] for row in g])
            w = Matrix([Rational(row[-1], self.denominator) for row in g])
            made.append((back * linear * p, back * (w + linear * shift - shift)))
        lattice = [*torch.eye(n, dtype=torch.int64).tolist()], [row for row in self.centring.tolist() if any(row)]
        vectors = [Matrix(v) for v in lattice[0]] + [Matrix([Rational(c, self.denominator) for c in row]) for row in lattice[1]]
        made += [(Matrix.eye(n), back * v) for v in vectors]
        if any(not entry.is_integer for linear, _ in made for entry in linear):
            raise ArgumentError(
                "basis", f"a cell that the rotations of {self.name} map to itself", [[str(v) for v in row] for row in basis]
            )
        denominator = math.lcm(*(int(entry.q) for _, w in made for entry in w))
        rows = [[[*map(int, linear.row(i)), int(w[i] * denominator)] for i in range(n)] for linear, w in made]
        return torch.tensor(rows), denominator

    def _check_lattice(self, basis: list[list[Fraction]]) -> None:
        """That the columns are lattice translations of the group."""
        points = {tuple(Fraction(c, self.denominator) % 1 for c in row) for row in self.centring.tolist()}
        for column in zip(*basis):
            if tuple(value % 1 for value in column) not in points:
                raise ArgumentError("basis", f"columns that are lattice translations of {self.name}", [str(v) for v in column])

    # ---- how it acts ----

    @property
    def vector(self) -> Rep:
        """Directions in the basis of the cell: ``W``."""
        from erlangen.reps.pullback import Pullback

        return Pullback(self.point_group.vector, self, _linear)

    @property
    def pseudoscalar(self) -> Rep:
        """The determinant of ``W``: -1 for reflections, inversions, glides."""
        from erlangen.reps.basic import Determinant
        from erlangen.reps.pullback import Pullback

        return Pullback(Determinant(self.point_group), self, _linear)

    @property
    def point(self) -> Action:
        """Fractional coordinates modulo 1."""
        from erlangen.actions.periodic import Fractional

        return Fractional(self)


def close_maps(maps: Int[Tensor, "m n k"], n: int, denominator: int) -> tuple[Int[Tensor, "order n k"], Int[Tensor, "c n k"]]:
    """All products of maps modulo whole translations, the identity first, and the few of the maps that are needed to make them.

    Raises:
        ArgumentError: there are more than 20 000.
    """
    elements = torch.eye(n, n + 1, dtype=torch.int64).unsqueeze(0)
    known = set(map(tuple, elements.flatten(1).tolist()))
    chosen = maps[:0]
    for one in modulo(maps, denominator):
        if tuple(one.flatten().tolist()) in known:
            continue
        chosen = torch.cat([chosen, one.unsqueeze(0)])
        new = elements  # what an additional generator makes of all that is there, then all of them of what is new
        step = chosen[-1:]
        while len(new):
            made = modulo(compose(step.unsqueeze(1), new.unsqueeze(0)), denominator).flatten(0, 1)
            fresh = []
            for i, key in enumerate(map(tuple, made.flatten(1).tolist())):
                if key not in known:
                    known.add(key)
                    fresh.append(i)
            new, step = made[fresh], chosen
            elements = torch.cat([elements, new])
            if len(elements) > LARGEST_ORDER:
                raise ArgumentError("operations", f"operations of a group of at most {LARGEST_ORDER} elements in a cell", "more")
    return elements, chosen


def _linear(g: Tensor) -> Tensor:
    return g[..., :-1]


def _rational_map(basis: Any, origin: Sequence[Any], n: int) -> tuple[list[list[Fraction]], list[Fraction]]:
    def number(value: Any) -> Fraction:
        if isinstance(value, float) and not value.is_integer():
            raise ArgumentError("basis", "exact numbers: int, Fraction or text such as '2/3'", repr(value))
        try:
            return Fraction(value)
        except (TypeError, ValueError) as error:
            raise ArgumentError("basis", "exact numbers: int, Fraction or text such as '2/3'", repr(value)) from error

    rows = basis.tolist() if isinstance(basis, Tensor) else [list(row) for row in basis]
    shift = [number(value) for value in origin] or [Fraction(0)] * n
    if len(rows) != n or any(len(row) != n for row in rows):
        raise ArgumentError("basis", f"a {n} x {n} matrix", rows)
    if len(shift) != n:
        raise ArgumentError("origin", f"{n} numbers", list(origin))
    return [[number(value) for value in row] for row in rows], shift


def _grid(n: int, steps: int) -> Int[Tensor, "m n"]:
    """The points of a cell in units of ``1 / steps``."""
    return torch.cartesian_prod(*[torch.arange(steps)] * n).view(-1, n)
