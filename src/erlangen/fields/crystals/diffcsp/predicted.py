"""Structures of one composition: the model's, those of a look-up beside them, what was thrown away and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from erlangen.errors import ArgumentError, MissingExtra
from erlangen.extras import engine
from erlangen.fields.crystals.composition import composition, formula_of
from erlangen.fields.crystals.crystal import Crystal
from erlangen.fields.crystals.dataset import CrystalDataset
from erlangen.fields.crystals.diffcsp.asked import count
from erlangen.fields.crystals.diffcsp.baselines import LookedUp, Retrieval
from erlangen.fields.crystals.diffcsp.model import DiffCSP
from erlangen.fields.crystals.diffcsp.symmetric import SymmetricDiffCSP
from erlangen.fields.crystals.found import moyo_symmetry, spglib_symmetry
from erlangen.fields.crystals.metrics.matching import Matcher
from erlangen.fields.crystals.radii import without_radius
from erlangen.fields.crystals.validity import structure_valid
from erlangen.fields.crystals.wyckoffdiff.realise import closest, energy, relax
from erlangen.reporting import progress

#: Cubic angstrom for an atom above which a cell holds no crystal, and seconds after which a pair of crystals matches no more.
WIDEST, SECONDS = 1000.0, 1.0
#: Known crystals that are looked up, and how many different ones of these are told.
LOOKED, TOLD = 100, 6


@dataclass(frozen=True, eq=False)
class Candidate:
    """A structure that was kept.

    Attributes:
        crystal: it.
        groups: the space groups that spglib and moyopy find, ``"none found"`` where they find none.
        closest: the least distance of two atoms over the sum of their covalent radii; 1 where none is nearer, None for
            elements without a radius.
        energy: eV per atom, of CHGNet; None without one.
        known: the looked-up crystal that it matches best, and ``distance``, how well (units of the cube root of the volume per atom); None
            where it matches none. For a looked-up one, what it was made of.
        times: how many predictions were this structure.
    """

    crystal: Crystal
    groups: tuple[str, str]
    closest: float | None
    energy: float | None = None
    known: LookedUp | None = None
    distance: float | None = None
    times: int = 1


@dataclass(frozen=True, eq=False)
class Predicted:
    """What :func:`predicted` found.

    Attributes:
        formula: of the cell that was asked for.
        made: the model's structures that were kept: by energy, or the one that came most often first.
        looked_up: known crystals with these elements in their places, the one with the most similar elements first.
        rejected: the model's structures that were not kept: reason -> how many.
        asked: structures that the model was asked for.
        ranked: ``"chgnet"``, ``"chgnet, relaxed"`` or "" (no energies).
        searched: known crystals among which was looked; 0 for none.
        spacegroup: that the model's structures were given; None for none.
        projected: whether the model was not trained for that.
    """

    formula: str
    made: tuple[Candidate, ...]
    looked_up: tuple[Candidate, ...]
    rejected: dict[str, int]
    asked: int
    ranked: str
    searched: int
    spacegroup: int | None = None
    projected: bool = False

    @property
    def itself(self) -> bool:
        """Whether the composition is among the known crystals: then the look-up gives its structure, and predicts nothing."""
        return any(one.known is not None and one.known.apart < 1e-9 for one in self.looked_up)


def predicted(
    model: DiffCSP | SymmetricDiffCSP,
    formula: Any,
    n: int = 20,
    *,
    known: CrystalDataset | Sequence[Any] | None = None,
    spacegroup: int | None = None,
    rank: str = "auto",
    symprec: float = 0.1,
    seed: int | None = None,
    quiet: bool = False,
    **way: Any,
) -> Predicted:
    """Structures of a composition, sifted, ranked, and put beside those of known crystals.

    Thrown away are structures with atoms nearer than 0.5 angstrom or with more than 1000 cubic angstrom an atom, and those that are one
    that is kept, by pymatgen's usual tolerances.

    Args:
        model: of task ``"csp"``; or a :class:`SymmetricDiffCSP`, which needs a space group.
        formula: the atoms of one primitive cell.
        n: structures that the model makes.
        known: crystals to look among; None for no look-up.
        spacegroup: of the model's structures, see :meth:`DiffCSP.predict`; the look-up's have any.
        rank: ``"energy"`` ranks by CHGNet's energies of the structures as they are, ``"relax"`` relaxes each first under its symmetry
            (seconds each); ``"none"`` does neither, ``"auto"`` is ``"energy"`` where CHGNet is installed.
        symprec: how far atoms may be off for the space groups, angstrom.
        seed: of the structures.
        quiet: no progress of energies.
        way: more arguments of :meth:`DiffCSP.predict`.

    Raises:
        ArgumentError: as for :meth:`DiffCSP.predict`, or another ``rank``.
        MissingExtra: ``"energy"`` or ``"relax"`` without CHGNet.
    """
    if rank not in ("auto", "energy", "relax", "none"):
        raise ArgumentError("rank", "'auto', 'energy', 'relax' or 'none'", repr(rank))
    counts, n = composition(formula, "formula"), count("n", n)
    if rank != "none":
        try:
            engine("chgnet", "chgnet")
        except MissingExtra:
            if rank != "auto":
                raise
            rank = "none"
    # The tolerances by which polymorphs stay apart, and the generous ones of the literature's matches.
    same, near = Matcher(0.3, 0.2, 5.0, SECONDS), Matcher(seconds=SECONDS)
    looked: list[Candidate] = []
    base = None if known is None else CrystalDataset.from_structures(known)
    # Elements without a covalent radius cannot be looked up.
    for found in [] if base is None or without_radius(counts) else Retrieval(base).nearest(counts, LOOKED):
        if (
            len(looked) < TOLD
            and structure_valid(found.crystal)
            and not any(same.same(found.crystal, one.crystal) for one in looked)
        ):
            looked.append(replace(_described(found.crystal, symprec), known=found, distance=0.0))
    made, rejected = _sifted(model.predict(counts, n, spacegroup=spacegroup, seed=seed, **way), same, symprec)
    ranked = {"auto": "chgnet", "energy": "chgnet", "relax": "chgnet, relaxed", "none": ""}[rank]
    if ranked:
        with progress(len(made) + len(looked), "energies", quiet=quiet) as bar:
            made, looked = ([_with_energy(one, rank, symprec, bar.advance) for one in part] for part in (made, looked))
        made.sort(key=lambda one: (one.energy is None, one.energy))
    made = [_beside(one, looked, near) for one in made]
    size = 0 if base is None else len(base)
    projected = spacegroup is not None and isinstance(model, DiffCSP)
    return Predicted(formula_of(counts), tuple(made), tuple(looked), dict(rejected), n, ranked, size, spacegroup, projected)


def _sifted(crystals: Sequence[Crystal], matcher: Matcher, symprec: float) -> tuple[list[Candidate], Counter[str]]:
    """Those that are kept, the most frequent first, and why others are not."""
    kept: list[Candidate] = []
    rejected: Counter[str] = Counter()
    for crystal in crystals:
        if crystal.volume > WIDEST * len(crystal):
            rejected[f"more than {WIDEST:g} cubic angstrom an atom"] += 1
            continue
        if not structure_valid(crystal):
            rejected["atoms nearer than 0.5 angstrom"] += 1
            continue
        same = next((i for i, one in enumerate(kept) if matcher.same(crystal, one.crystal)), None)
        if same is None:
            kept.append(_described(crystal, symprec))
        else:
            kept[same] = replace(kept[same], times=kept[same].times + 1)
            rejected["the same as one that is kept"] += 1
    return sorted(kept, key=lambda one: -one.times), rejected


def _described(crystal: Crystal, symprec: float) -> Candidate:
    groups = []
    for finder in (spglib_symmetry, moyo_symmetry):
        try:
            found = finder(crystal, symprec)
            groups.append(f"{found.space_group} ({found.number})")
        except ArgumentError:  # atoms nearly on each other leave none
            groups.append("none found")
    near = None if without_radius(crystal.counts) else closest(crystal)
    return Candidate(crystal, (groups[0], groups[1]), near)


def _with_energy(one: Candidate, rank: str, symprec: float, advance: Any) -> Candidate:
    try:
        if rank == "relax":
            crystal, value = relax(one.crystal, "chgnet")
            return replace(_described(crystal, symprec), energy=value, known=one.known, distance=one.distance, times=one.times)
        return replace(one, energy=energy(one.crystal, "chgnet"))
    except (ValueError, RuntimeError):  # atoms without neighbours, or a step that the symmetry refuses
        return one
    finally:
        advance(1)


def _beside(one: Candidate, looked: Sequence[Candidate], matcher: Matcher) -> Candidate:
    """With the looked-up structure that it matches best."""
    away = [(distance, i) for i, other in enumerate(looked) if (distance := matcher.distance(one.crystal, other.crystal)) >= 0]
    if not away:
        return one
    distance, i = min(away)
    return replace(one, known=looked[i].known, distance=distance)
