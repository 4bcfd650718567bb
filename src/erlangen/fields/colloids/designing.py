"""A plane group or lattice in, an interaction program out, with what speaks for it and what against."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field

import torch

from erlangen.errors import ArgumentError
from erlangen.fields.colloids.energies import best_spacing, phonons
from erlangen.fields.colloids.lattices import (
    GENERIC,
    LATTICES,
    Lattice,
    named_lattice,
    orbit_lattice,
    plane_group,
    plane_group_named,
)
from erlangen.fields.colloids.potentials import WCA, rings
from erlangen.fields.colloids.programs import BondAngle, Coordination, ManyBody, Program, Shell, Template
from erlangen.groups import PlaneGroup

#: Shells of the target that may carry a ring.
MOST_SHELLS = 4
#: The widest ring, as a share of the lattice constant.
WIDEST = 0.25
#: The hard core, as a share of the lattice constant.
CORE = 0.8
#: Springs of templates, in units of the depth over a^2: heat of kT / 10 moves particles by a few percent of a.
STIFF = 25.0


@dataclass(frozen=True, eq=False)
class Design:
    """A program for a wanted structure, and how it was verified.

    Attributes:
        program: to simulate; where nothing passed, the best that was tried.
        lattice: the wanted structure.
        group: its plane group.
        route: ``"rings"``, ``"rings and angles"`` or ``"template"``.
        energies: per particle, of the target and its competitors at their best spacing, the lowest first.
        margin: energy per particle between the target and the next one; negative where another one wins.
        lowest_phonon: smallest squared frequency over the largest, the translations left out.
        failures: what was tried before and why it was not taken, in words; and what is wrong with the program itself.
        verified: whether energies and phonons speak for it.
    """

    program: Program
    lattice: Lattice
    group: PlaneGroup
    route: str
    energies: tuple[tuple[str, float], ...]
    margin: float
    lowest_phonon: float
    failures: tuple[str, ...] = ()
    verified: bool = True

    def report(self) -> str:
        """A few lines for people."""
        lines = [f"{self.lattice.name} ({self.group}) by {self.route}: {'verified' if self.verified else 'NOT verified'}"]
        if self.energies:
            lines.append("energy per particle: " + ", ".join(f"{name} {value:.3f}" for name, value in self.energies))
            lines.append(f"margin {self.margin:.3f}, lowest squared phonon frequency {self.lowest_phonon:.4f} of the largest")
        return "\n".join([*lines, *(f"- {one}" for one in self.failures)])


@dataclass(frozen=True)
class _Tried:
    program: Program
    energies: tuple[tuple[str, float], ...]
    margin: float
    phonon: float
    reasons: tuple[str, ...] = field(default=())


def design(
    target: str | int | PlaneGroup | Lattice,
    a: float = 1.0,
    *,
    depth: float = 4.0,
    width: float = 0.08,
    isotropic_only: bool = False,
    route: str | None = None,
) -> Design:
    """An interaction program under which particles crystallise in a wanted lattice or plane group.

    First rings at shells of the target, those that competitors lack before those that they share, as few as do; then angles between
    bonds and a wanted coordination; then, for any pattern at all, local template feedback. A program is taken when, of hexagonal, square,
    honeycomb, kagome, rectangular and rhombic, each at its best spacing, the target has the lowest energy, and its phonons are real.
    Whether it also forms from a random start in a given time, :func:`simulate` tells: complex patterns are held by templates, not found.

    Args:
        target: a lattice (``"hexagonal"``, ``"square"``, ``"honeycomb"``, ``"kagome"``, ``"rectangular"``, ``"rhombic"``), a plane group
            (``"p6m"``, ``17``; the first of its positions whose points have that very group), or a :class:`Lattice`.
        a: distance of nearest neighbours.
        depth: of rings, in kT.
        width: of rings, in units of ``a``.
        isotropic_only: rings alone; where they cannot, the design is not verified and says why.
        route: ``"rings"``, ``"rings and angles"`` or ``"template"``, to try only that.

    Raises:
        ArgumentError: the target is not known, a length or depth is not positive, or rings are wider than a quarter of ``a``.

    >>> found = design("p4m")
    >>> found.route, [round(part.R, 4) for part in found.program.cross.parts], found.verified
    ('rings', [1.0, 1.4142], True)
    """
    for name, value in (("a", a), ("depth", depth), ("width", width)):
        if not (math.isfinite(value) and value > 0):
            raise ArgumentError(name, "a positive number", repr(value))
    if width > WIDEST:
        raise ArgumentError("width", f"at most {WIDEST} of a: wider rings do not tell shells apart", repr(width))
    routes = ("rings", "rings and angles", "template")
    if route is not None and route not in routes:
        raise ArgumentError("route", f"one of {', '.join(routes)}, or None", repr(route))
    lattice = _target(target, a)
    group = plane_group(lattice, 1e-6 * a)
    tried: list[_Tried] = []
    failures: list[str] = []
    if route in (None, "rings"):
        for program in _by_rings(lattice, a, depth, width):
            found = _verify(program, lattice, a)
            if not found.reasons:
                return _made(found, lattice, group, "rings", failures)
            tried.append(found)
            failures.append(f"{program.about}: {'; '.join(found.reasons)}")
        failures += _why_not(lattice, a)
    if not isotropic_only and route in (None, "rings and angles"):
        for program in _by_angles(lattice, a, depth, width):
            found = _verify(program, lattice, a)
            if not found.reasons:
                return _made(found, lattice, group, "rings and angles", failures)
            tried.append(found)
            failures.append(f"{program.about}: {'; '.join(found.reasons)}")
    if not isotropic_only and route in (None, "template"):
        for program in _by_template(lattice, a, depth):
            found = _verify(program, lattice, a)
            if not found.reasons:
                return _made(found, lattice, group, "template", failures)
            tried.append(found)
            failures.append(f"{program.about}: {'; '.join(found.reasons)}")
    if not tried:
        raise ArgumentError(
            "route", "one that has programs for this lattice", repr(route), f"angles are known for {', '.join(_ANGLES)}"
        )
    best = max(tried, key=lambda one: one.margin)
    kind = "rings" if not best.program.many else "rings and angles" if best.program.cross is not None else "template"
    return _made(best, lattice, group, kind, failures, verified=False)


def _target(target: str | int | PlaneGroup | Lattice, a: float) -> Lattice:
    if isinstance(target, Lattice):
        given = target.scaled(a)
        known = [name for name in LATTICES if _alike(named_lattice(name, a), given)]
        other = f"{target.name}, as given" if target.name in LATTICES else target.name
        return Lattice(known[0] if known else other, given.cell, given.motif)
    if isinstance(target, str) and target in LATTICES:
        return named_lattice(target, a)
    try:
        group = plane_group_named(target)
    except ArgumentError as problem:
        raise ArgumentError(
            "target", f"a lattice ({', '.join(LATTICES)}), a plane group or a Lattice", repr(target), str(problem)
        ) from None
    general = group.wyckoff_positions[-1].letter
    candidates = [(position.letter, 1) for position in group.wyckoff_positions] + [(general, 2), (general, 3)]
    for letter, orbits in candidates:
        made = orbit_lattice(group, letter, GENERIC[:orbits]).scaled(a)
        if plane_group(made, 1e-6 * a) == group:
            known = [name for name, filled in LATTICES.items() if filled == (str(group), letter)]
            return named_lattice(known[0], a) if known else made
    raise AssertionError(f"three general orbits have the group {group}")


def _by_rings(lattice: Lattice, a: float, depth: float, width: float) -> list[Program]:
    """Sets of shells, the fewest first; the nearest is always there."""
    shells = lattice.shells(MOST_SHELLS)
    theirs = [r for name in LATTICES for r in named_lattice(name, a).shells(MOST_SHELLS) if name != lattice.name]
    own = sorted(shells[1:], key=lambda r: (any(abs(r - other) < 2 * width * a for other in theirs), r))
    made = []
    for count in range(len(own) + 1):
        for others in itertools.combinations(own, count):
            radii = sorted([shells[0], *others])
            text = "rings at " + ", ".join(f"{r / a:.4g} a" for r in radii)
            made.append(Program(cross=rings(radii, depth, width * a), core=WCA(CORE * a), about=text))
    return made


_ANGLES = {"hexagonal": 6, "square": 4, "honeycomb": 3, "kagome": 4}


def _by_angles(lattice: Lattice, a: float, depth: float, width: float) -> list[Program]:
    """One ring, the angles of the target and its coordination, by growing strength."""
    if lattice.name not in _ANGLES:
        return []
    second = lattice.shells(2)[1]
    shell = Shell(a * 1.15, a + 0.85 * (second - a))
    unit = {"hexagonal": 10.0, "square": 4.0, "honeycomb": 1.0, "kagome": 10.0}[lattice.name]
    made = []
    for factor in (0.5, 1.0, 2.0, 4.0):
        strength = factor * unit * depth / 4
        many: tuple[ManyBody, ...] = (
            BondAngle(lattice.name, strength, shell),
            Coordination(_ANGLES[lattice.name], factor * depth / 8, shell),
        )
        text = f"a ring at a, angles {strength:.3g} and coordination {factor * depth / 8:.3g}"
        made.append(Program(cross=rings([a], depth, width * a), core=WCA(CORE * a), many=many, about=text))
    return made


def _by_template(lattice: Lattice, a: float, depth: float) -> list[Program]:
    """Stars of at least three neighbours that end between two shells for all points; wide gaps first, so that heat exchanges none."""
    most = 2.2 * a
    vectors = lattice.vectors(most)
    while min(len(one) for one in vectors) < 10:
        most *= 1.3
        vectors = lattice.vectors(most)
    made = []
    gaps = {p: min(float(one[p].norm() / one[p - 1].norm()) for one in vectors) for p in range(3, 10)}
    for p in sorted(gaps, key=lambda p: (gaps[p] < 1.15, p)):
        if gaps[p] < 1.03:
            continue
        stars = torch.stack([one[:p] for one in vectors])
        reach = 1.5 * max(float(one[p - 1].norm()) for one in vectors)
        many = (Template(stars, STIFF * depth / a**2, reach),)
        made.append(Program(core=WCA(CORE * a), many=many, about=f"stars of {p} neighbours for {len(stars)} points of the cell"))
    return made


def _verify(program: Program, lattice: Lattice, a: float) -> _Tried:
    rivals: dict[str, Lattice] = {name: named_lattice(name, a) for name in LATTICES}
    rivals[lattice.name] = lattice
    found = {name: best_spacing(program, one, CORE * a, 1.35 * a) for name, one in rivals.items()}
    ranking = tuple(sorted(((name, value) for name, (value, _) in found.items()), key=lambda pair: pair[1]))
    mine, spacing = found[lattice.name]
    # A rectangle or rhomb of other sides than the target's is no competitor where it is the same lattice.
    margin = min(value for name, (value, _) in found.items() if name != lattice.name) - mine
    reasons = []
    if margin <= 1e-6:
        reasons.append(f"{ranking[0][0]} has the lower energy, {ranking[0][1]:.3f} against {mine:.3f} per particle")
    if abs(spacing / a - 1) > 0.05:
        reasons.append(f"its best spacing is {spacing / a:.3f} a")
    lowest = math.nan
    try:
        found_phonons = phonons(program, lattice.scaled(spacing))
    except ArgumentError:
        reasons.append("particles are not at rest")
    else:
        lowest = found_phonons.lowest
        if found_phonons.floppy:
            reasons.append("phonons of zero frequency")
        elif not found_phonons.stable:
            reasons.append(f"imaginary phonons ({lowest:.3f} of the largest squared)")
    return _Tried(program, ranking, margin, lowest, tuple(reasons))


def _alike(one: Lattice, other: Lattice) -> bool:
    """Whether two lattices have the same distances about their points, whatever they are called."""
    sets = []
    for lattice in (one, other):
        vectors = lattice.scaled(1.0).vectors(3.05)
        sets.append(torch.stack(sorted((v.norm(dim=1)[:12] for v in vectors), key=lambda d: d.tolist())))
    ours, theirs = (x[:, : min(x.shape[1] for x in sets)] for x in sets)
    return bool(
        torch.cdist(ours, theirs, p=math.inf).amin(1).max() < 1e-6 and torch.cdist(theirs, ours, p=math.inf).amin(1).max() < 1e-6
    )


def _why_not(lattice: Lattice, a: float) -> list[str]:
    """Whether the failure has a reason in geometry: a competitor that has all the target's shells, with more neighbours in each."""
    shells = lattice.shells(MOST_SHELLS)
    reasons = []
    for name in LATTICES:
        if name == lattice.name:
            continue
        rival = named_lattice(name, a)
        theirs = rival.shells(2 * MOST_SHELLS)
        if all(any(abs(r - other) < 1e-6 * a for other in theirs) for r in shells):
            ours, other = (_counts(one, shells, a) for one in (lattice, rival))
            if all(m >= n for m, n in zip(other, ours)):
                reasons.append(
                    f"isotropic rings cannot: {name} has all its first {len(shells)} shells, with {other} neighbours against {ours}"
                )
    return reasons


def _counts(lattice: Lattice, shells: list[float], a: float) -> list[int]:
    rho = lattice.vectors(max(shells) * (1 + 1e-6))[0].norm(dim=1)
    return [int(((rho - r).abs() < 1e-6 * a).sum()) for r in shells]


def _made(found: _Tried, lattice: Lattice, group: PlaneGroup, route: str, failures: list[str], verified: bool = True) -> Design:
    return Design(found.program, lattice, group, route, found.energies, found.margin, found.phonon, tuple(failures), verified)
