"""Lattices in the plane as orbits of plane groups, and which plane group a pattern of points has.

Groups, positions and their action on coordinates come from floor 1; what is done here is geometry: cells, shells, reduction.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.actions.periodic import Fractional, into_cell
from erlangen.errors import ArgumentError
from erlangen.fields.colloids.boxes import reduced
from erlangen.groups import PlaneGroup

#: Short symbols of the plane groups, as physicists write them.
SHORT = {"pmm": "p2mm", "pmg": "p2mg", "pgg": "p2gg", "cmm": "c2mm", "p4m": "p4mm", "p4g": "p4gm", "p6m": "p6mm"}
#: From the most to the least symmetric: patterns are tried in this order.
ORDER = (17, 16, 15, 14, 13, 11, 12, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1)
#: Free coordinates of general patterns, far from all special positions and from each other.
GENERIC = ((0.137, 0.231), (0.411, 0.334), (0.272, 0.683))


@dataclass(frozen=True, eq=False)
class Lattice:
    """Points that repeat in the plane.

    Attributes:
        name: what it is called.
        cell: lattice vectors as rows.
        motif: fractional coordinates of the points of one cell.

    Raises:
        ArgumentError: vectors that are not two, finite and independent, or no points or coinciding ones.
    """

    name: str
    cell: Float[Tensor, "2 2"]
    motif: Float[Tensor, "m 2"]

    def __post_init__(self) -> None:
        cell, motif = (torch.as_tensor(value, dtype=torch.float64).detach() for value in (self.cell, self.motif))
        if cell.shape != (2, 2) or not bool(cell.isfinite().all()):
            raise ArgumentError("cell", "two finite lattice vectors [2, 2] as rows", repr(self.cell))
        if abs(float(torch.linalg.det(cell))) <= 1e-9 * float(cell.norm(dim=1).prod()):
            raise ArgumentError("cell", "independent lattice vectors", repr(self.cell))
        if motif.ndim != 2 or motif.shape[1] != 2 or not len(motif) or not bool(motif.isfinite().all()):
            raise ArgumentError("motif", "finite fractional coordinates [m, 2], m >= 1", repr(self.motif))
        d = motif.unsqueeze(1) - motif
        if int((((d - d.round()).abs() < 1e-9).all(-1)).sum()) > len(motif):
            raise ArgumentError("motif", "different points", repr(self.motif))
        object.__setattr__(self, "cell", cell)
        object.__setattr__(self, "motif", motif)

    def scaled(self, a: float) -> Lattice:
        """The same with nearest neighbours ``a`` apart."""
        return Lattice(self.name, self.cell * (a / self.shells(1)[0]), self.motif)

    def vectors(self, most: float) -> list[Float[Tensor, "p 2"]]:
        """Of each point of the motif the vectors to all others up to ``most``, the nearest first."""
        heights = 1 / torch.linalg.inv(self.cell).norm(dim=0)
        counts = [int(most / float(h)) + 2 for h in heights]
        shifts = torch.cartesian_prod(*[torch.arange(-c, c + 1) for c in counts]).double()
        found = []
        for point in self.motif:
            d = ((shifts.unsqueeze(1) + self.motif - point).reshape(-1, 2)) @ self.cell
            rho = d.norm(dim=1)
            kept = (rho > 1e-9 * most) & (rho < most * (1 + 1e-9))
            order = rho[kept].argsort(stable=True)
            found.append(d[kept][order])
        return found

    def shells(self, count: int) -> list[float]:
        """The ``count`` smallest distances of points, each once."""
        most = 1.5 * math.sqrt(abs(float(torch.linalg.det(self.cell))) * count)
        while True:
            distances = torch.cat(self.vectors(most)).norm(dim=1).sort().values
            steps = torch.cat([torch.ones(1), (distances.diff() > 1e-6 * distances[1:]).double()]) > 0
            if int(steps.sum()) >= count:
                return [float(r) for r in distances[steps][:count]]
            most *= 1.5

    def repeated(self, reach: float) -> tuple[Tensor, Tensor, tuple[int, int]]:
        """A supercell with heights of at least ``2 reach``: positions ``[m * repeats, 2]``, its cell, repeats; the motif comes first."""
        heights = 1 / torch.linalg.inv(self.cell).norm(dim=0)
        n = [max(1, math.ceil(2.02 * reach / float(h))) for h in heights]
        shifts = torch.cartesian_prod(torch.arange(n[0]), torch.arange(n[1])).double()
        points = (shifts.unsqueeze(1) + self.motif).reshape(-1, 2) @ self.cell
        return points, self.cell * torch.tensor(n, dtype=torch.float64).unsqueeze(1), (n[0], n[1])


def plane_group_named(name: int | str | PlaneGroup) -> PlaneGroup:
    """A plane group by its number, symbol or short symbol.

    >>> plane_group_named("p6m"), plane_group_named("pgg")
    (p6mm, p2gg)
    """
    if isinstance(name, PlaneGroup):
        return name
    return PlaneGroup(SHORT.get(name, name) if isinstance(name, str) else name)


def conventional_cell(group: PlaneGroup, ratio: float = 1.3, angle: float = 75.0) -> Float[Tensor, "2 2"]:
    """A cell of the group's system with ``|a| = 1``; ``ratio`` of the sides where it is free, ``angle`` in degrees where it is."""
    system = group.crystal_system
    if system == "hexagonal":
        ratio, angle = 1.0, 120.0
    elif system == "square":
        ratio, angle = 1.0, 90.0
    elif system == "rectangular":
        angle = 90.0
    turn = math.radians(angle)
    return torch.tensor([[1.0, 0.0], [ratio * math.cos(turn), ratio * math.sin(turn)]], dtype=torch.float64)


def orbit_lattice(
    group: int | str | PlaneGroup,
    letter: str,
    free: Sequence[tuple[float, ...]] = GENERIC[:1],
    ratio: float = 1.3,
    angle: float = 75.0,
) -> Lattice:
    """One Wyckoff position of a plane group, filled; several times where it has free coordinates and several sets of them are given.

    >>> lattice = orbit_lattice("p6m", "b")
    >>> len(lattice.motif), [round(r / lattice.shells(1)[0], 4) for r in lattice.shells(3)]
    (2, [1.0, 1.7321, 2.0])
    """
    G = plane_group_named(group)
    for position in G.wyckoff_positions:
        if position.letter == letter:
            orbits = [position.coordinates(torch.tensor(one[: position.dof], dtype=torch.float64)) for one in free]
            motif = torch.cat(orbits if position.dof else orbits[:1])
            return Lattice(f"{G} {letter}", conventional_cell(G, ratio, angle), motif)
    raise ArgumentError("letter", f"one of {', '.join(p.letter for p in G.wyckoff_positions)}", repr(letter))


def named_lattice(name: str, a: float = 1.0) -> Lattice:
    """``"hexagonal"``, ``"square"``, ``"honeycomb"``, ``"kagome"``, ``"rectangular"`` (sides 1 and 1.3) or ``"rhombic"`` (75 degrees), with
    nearest neighbours ``a`` apart.

    >>> [len(one) for one in named_lattice("kagome").vectors(1.1)]
    [4, 4, 4]
    """
    if name not in LATTICES:
        raise ArgumentError("lattice", f"one of {', '.join(LATTICES)}", repr(name))
    group, letter = LATTICES[name]
    if name == "rhombic":
        cell = torch.tensor([[1.0, 0.0], [math.cos(math.radians(75)), math.sin(math.radians(75))]], dtype=torch.float64)
        return Lattice(name, a * cell, torch.zeros(1, 2, dtype=torch.float64))
    made = orbit_lattice(group, letter)
    return Lattice(name, made.cell, made.motif).scaled(a)


#: Lattices by the plane group and Wyckoff position that they fill.
LATTICES = {
    "hexagonal": ("p6mm", "a"),
    "square": ("p4mm", "a"),
    "honeycomb": ("p6mm", "b"),
    "kagome": ("p6mm", "c"),
    "rectangular": ("p2mm", "a"),
    "rhombic": ("c2mm", "a"),
}


def primitive(lattice: Lattice, tolerance: float) -> Lattice:
    """The same points in a reduced primitive cell: the two shortest translations that keep them."""
    # A skewed cell first becomes a compact one, so that the shortest vectors are near.
    compact = reduced(lattice.cell)
    motif = into_cell(lattice.motif @ lattice.cell @ torch.linalg.inv(compact))
    lattice = Lattice(lattice.name, compact, motif)
    steps = motif - motif[0]
    same = [t for t in steps if _match(into_cell(motif + t), motif, lattice.cell, tolerance)]
    around = torch.cartesian_prod(torch.arange(-3, 4), torch.arange(-3, 4)).double()
    vectors = ((torch.stack(same).unsqueeze(1) + around).reshape(-1, 2)) @ lattice.cell
    vectors = vectors[vectors.norm(dim=1) > tolerance]
    vectors = vectors[vectors.norm(dim=1).argsort(stable=True)]
    first = vectors[0]
    sines = (first[0] * vectors[:, 1] - first[1] * vectors[:, 0]).abs() / (first.norm() * vectors.norm(dim=1))
    cell = torch.stack([first, vectors[sines > 0.2][0]])
    if float(torch.linalg.det(cell)) < 0:
        cell = torch.stack([cell[0], -cell[1]])
    places = into_cell(motif @ lattice.cell @ torch.linalg.inv(cell))
    kept: list[Tensor] = []
    for place in places:
        if not kept or float(_apart(place.unsqueeze(0), torch.stack(kept), cell).min()) > tolerance:
            kept.append(place)
    return Lattice(lattice.name, cell, torch.stack(kept))


def plane_group(lattice: Lattice, tolerance: float = 1e-6) -> PlaneGroup:
    """The plane group of a pattern of points.

    The groups are tried from the most to the least symmetric, on every basis of the pattern's lattice that fits the group's system and
    about every place where a centre or mirror can lie: group and action are those of floor 1, so that what holds is a symmetry.

    Args:
        lattice: the pattern, in any cell.
        tolerance: how far points and lattice vectors may be off, in units of length.

    >>> [str(plane_group(named_lattice(name))) for name in ("hexagonal", "square", "honeycomb", "rectangular", "rhombic")]
    ['p6mm', 'p4mm', 'p6mm', 'p2mm', 'c2mm']
    >>> str(plane_group(orbit_lattice("p31m", "d")))
    'p31m'
    """
    if not 0 < tolerance < 0.4 * lattice.shells(1)[0]:
        raise ArgumentError("tolerance", f"a length below {0.4 * lattice.shells(1)[0]:.4g}, 0.4 nearest distances", repr(tolerance))
    basic = primitive(lattice, tolerance)
    for number in ORDER:
        group = PlaneGroup(number)
        for cell, motif in _settings(basic, group, tolerance):
            if _holds(group, cell, motif, tolerance):
                return group
    raise AssertionError("p1 is a symmetry of everything that repeats")


def _settings(basic: Lattice, group: PlaneGroup, tolerance: float) -> Iterator[tuple[Tensor, Tensor]]:
    """The pattern in the bases that fit the group's system: of the lattice, or of its sublattice of index 2 for centred groups."""
    index = 2 if str(group).startswith("c") else 1
    if group.crystal_system == "oblique":
        yield basic.cell, basic.motif
        return
    numbers = torch.cartesian_prod(*[torch.arange(-2, 3)] * 4).view(-1, 2, 2).double()
    numbers = numbers[(torch.linalg.det(numbers) - index).abs() < 0.5]
    cells = numbers @ basic.cell
    first, second = cells[:, 0], cells[:, 1]
    one, two, product = first.norm(dim=1), second.norm(dim=1), (first * second).sum(1)
    slack = 2 * tolerance * torch.maximum(one, two)
    wanted = -one * two / 2 if group.crystal_system == "hexagonal" else torch.zeros_like(one)
    fits = (product - wanted).abs() <= slack
    if group.crystal_system in ("hexagonal", "square"):
        fits &= (one - two).abs() <= 2 * tolerance
    order = (one + two).argsort(stable=True)
    for i in order[fits[order]]:
        cell = cells[i]
        inverse = torch.linalg.inv(cell)
        points = basic.motif @ basic.cell
        if index == 2:
            extra = torch.stack([torch.zeros(2, dtype=torch.float64), *basic.cell, basic.cell.sum(0)])
            centres = [e for e in extra if float((into_cell(e @ inverse) - 0.5).abs().max()) < 0.1]
            if not centres:
                continue  # the other points of this sublattice's cell stand on its sides
            points = torch.cat([points, points + centres[0]])
        yield cell, into_cell(points @ inverse)


def _holds(group: PlaneGroup, cell: Tensor, motif: Tensor, tolerance: float) -> bool:
    """Whether the group's generators keep the motif about some origin: where an element takes the first point to another one."""
    act = Fractional(group)
    halves = torch.cartesian_prod(torch.arange(2), torch.arange(2)).double() / 2
    origins = (((motif[0] + motif) / 2).unsqueeze(1) + halves).reshape(-1, 2)
    if group.crystal_system == "hexagonal":
        thirds = torch.cartesian_prod(torch.arange(3), torch.arange(3)).double() / 3
        triples = ((motif[0] + motif).unsqueeze(1) + motif).reshape(-1, 1, 2) / 3
        origins = torch.cat([origins, (triples + thirds).reshape(-1, 2)])
    left = into_cell(origins)
    for g in group.generators:
        moved = act.act(g, motif - left.unsqueeze(1)) + left.unsqueeze(1)
        distance = _apart(moved.unsqueeze(2), motif, cell)
        left = left[(distance.amin(-1) <= 2 * tolerance).all(-1)]
        if not len(left):
            return False
    return True


def _match(points: Tensor, motif: Tensor, cell: Tensor, tolerance: float) -> bool:
    return bool((_apart(points.unsqueeze(1), motif, cell).amin(-1) <= 2 * tolerance).all())


def _apart(x: Tensor, y: Tensor, cell: Tensor) -> Tensor:
    """Distances modulo the lattice, right where they are short."""
    d = x - y
    return ((d - d.round()) @ cell).norm(dim=-1)
