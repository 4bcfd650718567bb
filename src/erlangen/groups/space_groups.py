"""Space groups and plane groups, exact: integer rotations, rational translations, any setting.

A crystallographic group is infinite, for it contains the translations of a lattice. What acts on coordinates modulo 1, on a unit cell and
on whatever fills it, is its quotient by the translations of that cell: a finite group, and that is the :class:`Group` here. Its
elements are maps ``x -> W x + w`` of fractional coordinates as integer tensors ``[*batch, n, n + 1]``
(:mod:`erlangen.groups.rational_maps`): ``W``, and ``w`` in units of ``1 / denominator``, taken into [0, 1).

The standard settings are those of the International Tables for Crystallography, Volume A, with unique axis b and cell choice 1, hexagonal
axes, and **origin choice 2** where there are two. Libraries differ here in 24 groups: spglib 2.8 takes origin choice 1 by default, moyopy
0.21 and PyXtal 1.1 take 2 (``SpaceGroup(227, choice="1")`` is spglib's).
"""

from __future__ import annotations

import csv
import math
from abc import abstractmethod
from collections.abc import Hashable, Sequence
from fractions import Fraction
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from jaxtyping import Float, Int
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
    from erlangen.groups.wyckoff import WyckoffPosition
    from erlangen.reps.base import Rep

TABLES = Path(__file__).parent / "tables"
#: A quotient with more elements than this (a unit cell of many lattice points) is refused.
LARGEST_ORDER = 20_000
#: Crystal systems by the last number of their space groups.
SYSTEMS = (
    (2, "triclinic"),
    (15, "monoclinic"),
    (74, "orthorhombic"),
    (142, "tetragonal"),
    (167, "trigonal"),
    (194, "hexagonal"),
    (230, "cubic"),
)
PLANE_SYSTEMS = ((2, "oblique"), (9, "rectangular"), (12, "square"), (17, "hexagonal"))


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


class TabulatedGroup(CrystallographicGroup):
    """What the groups of the two tables share."""

    #: "space" or "plane": which tables they are in.
    _kind: str
    number: int
    choice: str
    setting: Setting
    to_standard: tuple[list[list[Fraction]], list[Fraction]]

    @property
    @abstractmethod
    def standard(self) -> TabulatedGroup:
        """The group of this type in its standard setting."""

    @property
    def is_standard(self) -> bool:
        """Whether this is the standard setting."""
        return bool(self.setting.generators)

    @property
    @abstractmethod
    def crystal_system(self) -> str:
        """The crystal system, in lower case."""

    @cached_property
    def wyckoff_positions(self) -> tuple[WyckoffPosition, ...]:
        """The Wyckoff positions in the order of their letters, from the most special ("a") to the general one."""
        from erlangen.groups.wyckoff import positions_of

        return positions_of(self, self._kind)

    def position_index(self, x: Float[Tensor, "*batch n"], tolerance: float = 1e-4) -> Int[Tensor, "*batch"]:
        """Which of :attr:`wyckoff_positions` points belong to: the most special one with a place within the tolerance.

        Args:
            x: fractional coordinates.
            tolerance: how far off each coordinate may be.

        Raises:
            ArgumentError: ``x`` has a wrong shape or is not finite, or the tolerance is not below 1/48, where positions run together.

        >>> G = SpaceGroup(221)
        >>> [G.wyckoff_positions[i].letter for i in G.position_index(torch.tensor([[0.5, 0.5, 1.0], [0.1, 0.2, 0.3]]))]
        ['c', 'n']
        """
        from erlangen.groups.wyckoff import position_index

        if not isinstance(x, Tensor) or not x.is_floating_point() or x.ndim < 1 or x.shape[-1] != self.n:
            got = f"shape {tuple(x.shape)}" if isinstance(x, Tensor) else type(x).__name__
            raise ArgumentError("x", f"fractional coordinates [*batch, {self.n}]", got)
        if not bool(x.isfinite().all()):
            raise ArgumentError("x", "finite coordinates", "NaN or infinity")
        if not 0 < tolerance < 1 / 48:
            raise ArgumentError("tolerance", "a positive number below 1/48", repr(tolerance))
        return position_index(self, x, tolerance)

    @property
    def normalizer(self) -> CrystallographicGroup:
        """The maps that take the group's elements to each other; see :func:`erlangen.groups.normalizer.normalizer`."""
        from erlangen.groups.normalizer import normalizer

        return normalizer(self)


class SpaceGroup(TabulatedGroup):
    """One of the 230 space groups of three dimensions, by its number.

    Args:
        number: 1 to 230, as in the International Tables.
        choice: another setting than the standard one, in the words of spglib's table: ``"1"`` (origin choice 1), ``"R"`` (rhombohedral
            axes), ``"c"``, ``"b2"``, ``"cab"`` ...; :attr:`settings` lists those of the group.

    Raises:
        ArgumentError: there is no such group or setting; the message lists those that there are.

    Source: International Tables for Crystallography, Volume A (Aroyo, 2016).

    >>> G = SpaceGroup(225)
    >>> G, G.order, G.point_group.order, len(G.centring)
    (Fm-3m, 192, 48, 4)
    >>> [f"{p.multiplicity}{p.letter}" for p in G.wyckoff_positions][:4]
    ['4a', '4b', '8c', '24d']
    """

    _kind = "space"

    def __init__(self, number: int, choice: str | None = None) -> None:
        rows = _settings("space", number, 230)
        row = _chosen(rows, choice, number)
        standard = next(one for one in rows if one.generators)
        maps = torch.stack([parse_map(text, 3) for text in standard.generators.split("; ")])
        self.number, self.choice, self.setting = number, row.choice, row
        basis, origin = _to_standard(row, 3)
        if row is not standard:
            maps, denominator = CrystallographicGroup(maps)._transformed_maps(basis, origin)
            maps[..., -1] *= STANDARD_DENOMINATOR // denominator  # whole, for P^-1 is in all settings of the table
        super().__init__(maps, name=row.symbol)
        #: ``x_standard = P x + p``: the map to the standard setting, in rational numbers.
        self.to_standard = (basis, origin)

    @property
    def standard(self) -> SpaceGroup:
        return self if self.is_standard else SpaceGroup(self.number)

    @property
    def settings(self) -> tuple[str, ...]:
        """The choices of setting that this group has; the empty text is one without a choice."""
        return tuple(row.choice for row in _settings("space", self.number, 230))

    @property
    def crystal_system(self) -> str:
        """Triclinic, monoclinic, orthorhombic, tetragonal, trigonal, hexagonal or cubic."""
        return next(name for last, name in SYSTEMS if self.number <= last)


class PlaneGroup(TabulatedGroup):
    """One of the 17 plane groups, by its number or its symbol.

    >>> PlaneGroup("p4gm").order, PlaneGroup(17), PlaneGroup("cm").crystal_system
    (8, p6mm, 'rectangular')
    """

    _kind = "plane"

    def __init__(self, number: int | str) -> None:
        if isinstance(number, str):
            names = _symbols()
            if number not in names:
                raise ArgumentError("number", f"1 to 17 or one of {', '.join(names)}", repr(number))
            number = names[number]
        (row,) = _settings("plane", number, 17)
        self.number, self.choice, self.setting = number, "", row
        super().__init__(row.generators.split("; "), name=row.symbol)
        self.to_standard = _to_standard(row, 2)

    @property
    def standard(self) -> PlaneGroup:
        return self

    @property
    def crystal_system(self) -> str:
        """Oblique, rectangular, square or hexagonal."""
        return next(name for last, name in PLANE_SYSTEMS if self.number <= last)


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


class Setting(NamedTuple):
    """A row of the table of settings.

    Attributes:
        hall: the number in spglib's list of 530.
        number, choice: the group and its setting.
        symbol, full_symbol, schoenflies, hall_symbol: its names.
        to_standard: the map from its coordinates to the standard setting's.
        generators: of the standard setting; empty for others.
    """

    hall: int
    number: int
    choice: str
    symbol: str
    full_symbol: str
    schoenflies: str
    hall_symbol: str
    to_standard: str
    generators: str


@lru_cache
def settings_table(kind: str) -> dict[int, tuple[Setting, ...]]:
    """The rows of the table of "space" or "plane" groups by number; read once."""
    with (TABLES / f"{kind}_group_settings.csv").open(newline="") as file:
        rows = [Setting(int(hall), int(number), *rest) for hall, number, *rest in list(csv.reader(file))[1:]]
    return {number: tuple(row for row in rows if row.number == number) for number in dict.fromkeys(row.number for row in rows)}


def _symbols() -> dict[str, int]:
    return {row.symbol: row.number for rows in settings_table("plane").values() for row in rows}


def _settings(kind: str, number: int, largest: int) -> tuple[Setting, ...]:
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= largest:
        raise ArgumentError("number", f"the number of a {kind} group, 1 to {largest}", repr(number))
    return settings_table(kind)[number]


def _chosen(rows: tuple[Setting, ...], choice: str | None, number: int) -> Setting:
    if choice is None:
        return next(row for row in rows if row.generators)
    found = next((row for row in rows if row.choice == choice), None)
    if found is None:
        raise ArgumentError("choice", f"one of {[row.choice for row in rows]} for group {number}", repr(choice))
    return found


def _to_standard(row: Setting, n: int) -> tuple[list[list[Fraction]], list[Fraction]]:
    scale = 3 if row.choice == "R" else 1  # the table holds thirds of hexagonal axes
    value = parse_map(row.to_standard, n).tolist()
    return [[Fraction(v, scale) for v in line[:-1]] for line in value], [Fraction(line[-1], STANDARD_DENOMINATOR) for line in value]


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
