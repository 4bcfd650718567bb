"""Crystals as their free numbers: of the lattice in its family, and of the orbits on their Wyckoff positions."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from numbers import Integral
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from erlangen.actions.periodic import into_cell
from erlangen.errors import ArgumentError
from erlangen.fields.crystals.composition import SYMBOLS
from erlangen.fields.crystals.conventional import Conventional
from erlangen.fields.crystals.diffcsp.asked import atoms_of, check_elements
from erlangen.fields.crystals.lattice import family, log_polar
from erlangen.fields.crystals.protostructure import PRIMITIVE, Protostructure, wyckoff_table
from erlangen.groups import SpaceGroup, WyckoffPosition

#: How far from a position its point may be, in fractions.
ON = 1e-5
#: More ways than this to put atoms on positions are not listed.
MOST = 20_000


def layout(proto: Protostructure) -> dict[str, Tensor]:
    """What does not depend on the free numbers, float64.

    ``linear [n, 3, 3]``, ``shift [n, 3]`` and ``orbit [n]``: atom ``a`` of the primitive cell is at ``u[orbit] @ linear + shift`` there;
    ``back [n, 3, 3]`` takes displacements of atoms to those of ``u``; ``free [s, 3]`` says which of ``u`` there are; ``basis`` has the
    primitive cell in terms of the conventional one; ``numbers [n]``; ``lattice_free``, ``lattice_fixed`` ``[6]``.
    """
    group = proto.group
    basis = PRIMITIVE[group.name[0]].to(torch.float64)
    inverse = torch.linalg.inv(basis)
    linear, shift, orbit, numbers, free = [], [], [], [], []
    for i, (place, element) in enumerate(proto.orbits):
        position = group.wyckoff_positions[place]
        for one in _primitive(group, position):
            linear.append(one[:, :-1].double().mT @ inverse)
            shift.append(one[:, -1].double() / position.denominator @ inverse)
            orbit.append(i)
            numbers.append(element)
        free.append(_variables(position))
    lattice_free, lattice_fixed = family(group.crystal_system)
    lines = torch.stack(linear)
    return {
        "linear": lines,
        "shift": torch.stack(shift),
        "back": torch.linalg.pinv(lines),
        "orbit": torch.tensor(orbit),
        "numbers": torch.tensor(numbers),
        "free": torch.stack(free),
        "basis": basis,
        "lattice_free": lattice_free,
        "lattice_fixed": lattice_fixed,
    }


def free_numbers(crystal: Conventional) -> tuple[Float[Tensor, " 6"], Float[Tensor, "s 3"]]:
    """The lattice's log-polar coordinates and each orbit's ``u``, orbits in the order of the protostructure.

    Raises:
        ArgumentError: a point that is not on its position.
    """
    letters = wyckoff_table(crystal.protostructure.space_group).letters
    places = [letters.index(letter) for letter in crystal.letters]
    order = sorted(range(len(places)), key=lambda i: (places[i], int(crystal.numbers[i])))
    u = [_parameters(crystal.group.wyckoff_positions[places[i]], crystal.asymmetric[i]) for i in order]
    return log_polar(crystal.cell), torch.stack(u)


def assignments(counts: Mapping[int, int], space_group: int) -> list[Protostructure]:
    """All ways to put the atoms of a primitive cell on the positions of a group.

    Raises:
        ArgumentError: there is none, or there are too many.

    >>> [one.label() for one in assignments({55: 1, 17: 1}, 221)][:2]
    ['AB_cP2_221_a_b:Cl-Cs', 'AB_cP2_221_b_a:Cl-Cs']
    """
    table = wyckoff_table(space_group)
    sizes = [int(m) // table.centring for m in table.multiplicities]
    once = [not dof for dof in table.dofs.tolist()]

    def ways(element: int, left: int, start: int, taken: frozenset[int]) -> Iterator[tuple[tuple[int, int, int], ...]]:
        if not left:
            yield ()
            return
        for place in range(start, len(sizes)):
            if once[place] and place in taken:
                continue
            most = min(1, left // sizes[place]) if once[place] else left // sizes[place]
            for number in range(1, most + 1):
                for rest in ways(element, left - number * sizes[place], place + 1, taken):
                    yield ((place, element, number), *rest)

    def all_of(elements: Sequence[int], taken: frozenset[int]) -> Iterator[tuple[tuple[int, int, int], ...]]:
        if not elements:
            yield ()
            return
        for mine in ways(elements[0], counts[elements[0]], 0, taken):
            used = taken | {place for place, _, _ in mine if once[place]}
            for rest in all_of(elements[1:], used):
                yield (*mine, *rest)

    found = list(itertools.islice(all_of(sorted(counts), frozenset()), MOST + 1))
    if not found or len(found) > MOST:
        atoms = ", ".join(f"{count} {SYMBOLS[number]}" for number, count in counts.items())
        got = f"{'none' if not found else f'more than {MOST}'} for {atoms} in space group {space_group}"
        raise ArgumentError("spacegroup", "a group with ways to put these atoms of a primitive cell on its positions", got)
    return [Protostructure(space_group, sites) for sites in found]


def protostructures(what: Any, n: int, space_group: Any, most: int, generator: torch.Generator) -> list[Protostructure]:
    """What crystals of a protostructure, or of one or several compositions in a space group, shall be: ``n`` of each.

    Args:
        what: a :class:`Protostructure`, its label, or a list of these; or compositions of primitive cells, each of whose crystals then
            has its atoms on positions drawn from all :func:`assignments`.
        n: how many of each.
        space_group: of compositions; of a protostructure its own, or None.
        most: atoms of a primitive cell.
        generator: source of randomness.

    Raises:
        ArgumentError: neither a protostructure nor a composition with a group; another group than the protostructure's; atoms that the
            group cannot place; too many, or of elements that no network knows.
    """
    if space_group is not None and not _is_group(space_group):
        raise ArgumentError("spacegroup", "the number of a space group, 1 to 230", repr(space_group))
    if is_protostructure(what):
        each = what if isinstance(what, list | tuple) else [what]
        protos = [one if isinstance(one, Protostructure) else Protostructure.from_label(one) for one in each]
        for proto in protos:
            if space_group is not None and proto.space_group != space_group:
                raise ArgumentError("spacegroup", f"{proto.space_group}, that of {proto!r}, or None", repr(space_group))
        check_size(protos, most, "composition")
        return [proto for proto in protos for _ in range(n)]
    if space_group is None:
        raise ArgumentError("spacegroup", "a space group for a composition", f"None for {what!r}")
    chosen = []
    for atoms in atoms_of(what, most):
        ways = assignments(Counter(atoms), int(space_group))
        chosen += [ways[i] for i in torch.randint(len(ways), (n,), generator=generator).tolist()]
    return chosen


def over_orbits(
    moved: Float[Tensor, "B n 3"],
    back: Float[Tensor, "B n 3 3"],
    orbit: Int[Tensor, "B n"],
    mask: Bool[Tensor, "B n"],
    like: Float[Tensor, "B s 3"],
) -> Float[Tensor, "B s 3"]:
    """What is said of each atom's displacement, taken back to the free coordinates of its orbit and averaged over it."""
    own = (moved.unsqueeze(2) @ back).squeeze(2) * mask.unsqueeze(-1)
    total = torch.zeros_like(like).scatter_add(1, orbit.unsqueeze(-1).expand(-1, -1, 3), own)
    number = torch.zeros_like(like[..., 0]).scatter_add(1, orbit, mask.to(like)).clamp(min=1)
    return total / number.unsqueeze(-1)


def _is_group(number: Any) -> bool:
    return isinstance(number, Integral) and not isinstance(number, bool) and 1 <= int(number) <= 230


def is_protostructure(what: Any) -> bool:
    """Whether it is a protostructure or means to be the label of one, for in formulas there are no underscores; or a list of these."""
    if isinstance(what, list | tuple):
        return bool(what) and all(is_protostructure(one) for one in what)
    return isinstance(what, Protostructure) or (isinstance(what, str) and "_" in what)


def check_size(protos: Sequence[Protostructure], most: int, argument: str) -> None:
    """Raise ArgumentError for primitive cells of more than ``most`` atoms, or elements that no network knows."""
    for proto in protos:
        if proto.n_atoms() > most:
            raise ArgumentError(argument, f"at most {most} atoms in a primitive cell (max_atoms)", f"{proto.n_atoms()}: {proto!r}")
        check_elements(proto.counts, argument)


@lru_cache(maxsize=4096)
def _maps(number: int, place: int) -> tuple[Tensor, ...]:
    """Of the maps of a position one for each set that centring translations join."""
    group = SpaceGroup(number)
    position = group.wyckoff_positions[place]
    unit = position.denominator
    centring = group.centring * (unit // group.denominator)
    kept: dict[tuple[tuple[int, ...], tuple[int, ...]], Tensor] = {}
    for one in position.representatives:
        shifts = ((one[:, -1] + centring) % unit).tolist()
        kept.setdefault((tuple(one[:, :-1].flatten().tolist()), tuple(min(shifts))), one)
    return tuple(kept.values())


def _primitive(group: SpaceGroup, position: WyckoffPosition) -> tuple[Tensor, ...]:
    place = next(i for i, one in enumerate(group.wyckoff_positions) if one.letter == position.letter)
    return _maps(group.number, place)


def _variables(position: WyckoffPosition) -> Bool[Tensor, " 3"]:
    return position.representative[:, :-1].any(0)


def _parameters(position: WyckoffPosition, point: Float[Tensor, " 3"]) -> Float[Tensor, " 3"]:
    """The ``u`` of a point of an orbit: of the first map that reaches it modulo 1."""
    images = torch.cartesian_prod(*[torch.arange(-1.0, 2, dtype=torch.float64)] * 3)
    for one in position.representatives:
        linear = one[:, :-1].double()
        wanted = point.double() - one[:, -1].double() / position.denominator + images
        u = wanted @ torch.linalg.pinv(linear).mT
        off = (u @ linear.mT - wanted).abs().amax(1)
        best = int(off.argmin())
        if float(off[best]) < ON:
            return into_cell(u[best]) * _variables(position)
    raise ArgumentError("structure", f"a point of {position}", repr(point.tolist()))
