"""What has crystallised: the surroundings of each particle, the lattice of the largest grain and its plane group."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.actions.periodic import into_cell
from erlangen.errors import ArgumentError
from erlangen.fields.colloids.boxes import Box
from erlangen.fields.colloids.lattices import Lattice, named_lattice, plane_group, primitive
from erlangen.fields.colloids.order import Bonds, Cutoff, bond_order, clusters
from erlangen.fields.colloids.programs import fit_stars, nearest_star
from erlangen.groups import PlaneGroup

#: Stars that surroundings are compared with, and how many neighbours they have.
STARS = {"hexagonal": 6, "square": 4, "honeycomb": 3, "kagome": 4}
#: Misfit per neighbour, in units of the squared distance, up to which a star is one of these.
NEAR = 0.04


def local_structure(positions: Float[Tensor, "n 2"], box: Box, a: float) -> list[str]:
    """What surrounds each particle: ``"hexagonal"``, ``"square"``, ``"honeycomb"``, ``"kagome"`` or ``"none"``.

    Its neighbours within ``1.25 a`` are as many as those of the lattice's star and, in the best rotation, near their places.

    >>> from erlangen.fields.colloids import Periodic
    >>> points, cell, _ = named_lattice("kagome").repeated(3.0)
    >>> set(local_structure(points, Periodic(cell), 1.0))
    {'kagome'}
    """
    bonds = Cutoff(1.25 * a).bonds(positions, box)
    x = positions.detach().double().T.contiguous()
    counts = torch.bincount(bonds.i, minlength=len(positions))
    found = ["none"] * len(positions)
    best = torch.full((len(positions),), NEAR, dtype=torch.float64)
    for name, p in STARS.items():
        mine = (counts == p)[bonds.i]
        star = nearest_star(x, (bonds.i[mine], bonds.j[mine]), box, p)
        if star is None:
            continue
        # A star that breathes keeps its kind: compared at its own mean distance.
        star = star / star.norm(dim=-1).mean(-1)[:, None, None]
        wanted = named_lattice(name).vectors(1.1)[0]
        wanted = wanted[torch.atan2(wanted[:, 1], wanted[:, 0]).argsort()]
        misfit, _ = fit_stars(star, wanted.unsqueeze(0))
        for particle, value in zip((counts == p).nonzero().flatten().tolist(), (misfit / p).tolist()):
            if value < best[particle]:
                best[particle], found[particle] = value, name
    return found


@dataclass(frozen=True, eq=False)
class Crystallite:
    """The largest grain of a configuration.

    Attributes:
        lattice: its averaged primitive cell and motif.
        group: its plane group, within the tolerance.
        name: the known lattice that surrounds most of those particles that have a whole star, or ``"none"``.
        members: particles in it.
        misfit: root mean square distance of its particles from the lattice, in units of the nearest distance.
    """

    lattice: Lattice
    group: PlaneGroup
    name: str
    members: Tensor
    misfit: float


def crystallite(positions: Float[Tensor, "n 2"], box: Box, a: float, tolerance: float = 0.16) -> Crystallite:
    """The largest grain: its translations are those that take most of its particles to particles.

    Args:
        positions: one configuration; averaged over a short time it is clearer.
        a: distance of nearest neighbours, about.
        tolerance: for places and lattice vectors, in units of ``a``.

    Raises:
        ArgumentError: there is no grain with translations in two directions.

    >>> from erlangen.fields.colloids import Periodic
    >>> points, cell, _ = named_lattice("honeycomb").repeated(4.0)
    >>> found = crystallite(points, Periodic(cell), 1.0)
    >>> found.name, str(found.group), len(found.lattice.motif)
    ('honeycomb', 'p6mm', 2)
    """
    bonds = Cutoff(1.3 * a).bonds(positions, box)
    members, x = _grain(positions, box, bonds)
    if len(members) < 8:
        raise ArgumentError("positions", "a grain of at least eight ordered particles", f"one of {len(members)}")
    vectors = _translations(x, a, tolerance * a)
    cell = torch.stack(vectors)
    # The lattice that fits all particles best, then the motif: two rounds are enough, for the first is nearly right.
    for _ in range(3):
        cell, motif, where = _fit(x, cell, tolerance * a)
    kept = Lattice("grain", cell, motif)
    misfit = float((x - where).square().sum(1).mean().sqrt()) / a
    basic = primitive(kept, tolerance * a)
    around = local_structure(positions, box, a)
    kinds = [around[i] for i in members.tolist()]
    known = [kind for kind in kinds if kind != "none"]
    # Particles at the grain's edge have no whole star.
    name = max(sorted(set(known)), key=known.count) if len(known) > 0.1 * len(kinds) else "none"
    return Crystallite(basic, plane_group(basic, min(tolerance * a, 0.35 * basic.shells(1)[0])), name, members, misfit)


def _grain(positions: Tensor, box: Box, bonds: Bonds) -> tuple[Tensor, Tensor]:
    """Particles of the largest set whose neighbours are turned alike, and where they are in one piece."""
    psi = max((bond_order(positions, n, box, bonds) for n in (4, 6)), key=lambda one: float(one.abs().mean()))
    alike = (psi[bonds.i] * psi[bonds.j].conj()).real > 0.5 * psi[bonds.i].abs() * psi[bonds.j].abs()
    strong = (psi[bonds.i].abs() > 0.5) & (psi[bonds.j].abs() > 0.5) & alike
    kept = Bonds(bonds.i[strong], bonds.j[strong], bonds.vectors[strong], bonds.weights[strong], bonds.n)
    inside = clusters(kept) == 0
    members = inside.nonzero().flatten()
    # Along bonds, so that a grain across the box's edge is one piece.
    near: dict[int, list[tuple[int, Tensor]]] = {}
    for i, j, d in zip(kept.i.tolist(), kept.j.tolist(), kept.vectors):
        near.setdefault(i, []).append((j, d))
    first = int(members[0])
    places = {first: torch.zeros(2, dtype=torch.float64)}
    waiting = deque([first])
    while waiting:
        i = waiting.popleft()
        for j, d in near.get(i, []):
            if j not in places:
                places[j] = places[i] + d
                waiting.append(j)
    members = torch.tensor(sorted(places))
    return members, torch.stack([places[i] for i in members.tolist()])


def _translations(x: Tensor, a: float, tolerance: float) -> list[Tensor]:
    """The two shortest vectors that take particles of the grain to particles, wherever they do not leave it."""
    d = (x.unsqueeze(0) - x.unsqueeze(1)).reshape(-1, 2)
    rho = d.norm(dim=1)
    level = d[:, 1].abs() <= 1e-9 * a  # one of each vector and its negative
    candidates = d[(rho > 0.75 * a) & (rho < 4.2 * a) & torch.where(level, d[:, 0] > 0, d[:, 1] > 0)]
    candidates = candidates[candidates.norm(dim=1).argsort(stable=True)]
    kept: list[Tensor] = []
    tried: list[Tensor] = []
    for t in candidates:
        if tried and float((torch.stack(tried) - t).norm(dim=1).min()) < tolerance:
            continue
        tried.append(t)
        if kept and abs(float(kept[0][0] * t[1] - kept[0][1] * t[0])) < 0.3 * float(kept[0].norm() * t.norm()):
            continue
        hits, inside, mean = _score(x, t, a, tolerance)
        if inside >= 5 and hits > 0.7 * inside:
            kept.append(mean)
            if len(kept) == 2:
                return kept
    raise ArgumentError("positions", "a grain with translations in two directions", f"{len(kept)} found among {len(x)} particles")


def _score(x: Tensor, t: Tensor, a: float, tolerance: float) -> tuple[int, int, Tensor]:
    """How many particles moved by ``t`` meet a particle, how many stay inside of the grain, and the mean of what takes them there."""
    moved = x + t
    d = x.unsqueeze(0) - moved.unsqueeze(1)
    rho = d.norm(dim=-1)
    nearest, which = rho.min(1)
    hit = nearest < 1.5 * tolerance
    angle = torch.where(rho < 1.3 * a, torch.atan2(d[..., 1], d[..., 0]), torch.nan)
    inside = hit.clone()
    for i in (~hit).nonzero().flatten().tolist():
        around = angle[i][~angle[i].isnan()].sort().values
        if len(around) >= 3:
            gaps = torch.cat([around.diff(), around[:1] + 2 * torch.pi - around[-1:]])
            inside[i] = bool(gaps.max() < 0.9 * torch.pi)
    shift = d[torch.arange(len(x)), which][hit].mean(0) if bool(hit.any()) else torch.zeros(2, dtype=x.dtype)
    return int(hit.sum()), int(inside.sum()), t + shift


def _fit(x: Tensor, cell: Tensor, tolerance: float) -> tuple[Tensor, Tensor, Tensor]:
    """Cell and motif by least squares: which point of the motif each particle is, in which cell, then both at once."""
    part = x @ torch.linalg.inv(cell)
    labels = torch.full((len(x),), -1)
    centres: list[Tensor] = []
    for i, place in enumerate(part):
        if centres:
            d = torch.stack(centres) - place
            rho = ((d - d.round()) @ cell).norm(dim=1)
            best = int(rho.argmin())
            if float(rho[best]) < 2.5 * tolerance:
                labels[i] = best
                count = int((labels == best).sum())
                step = place - centres[best]
                centres[best] = centres[best] + (step - step.round()) / count
                continue
        centres.append(place)
        labels[i] = len(centres) - 1
    occupied = torch.bincount(labels, minlength=len(centres))
    good = (occupied >= max(2, 0.4 * int(occupied.max()))).nonzero().flatten()
    new = {int(old): k for k, old in enumerate(good)}
    mine = torch.tensor([int(label) in new for label in labels])
    label = torch.tensor([new.get(int(one), 0) for one in labels])
    shifts = (part - torch.stack(centres)[labels]).round()
    matrix = torch.cat([shifts, torch.nn.functional.one_hot(label, len(good)).double()], 1)
    solution = torch.linalg.lstsq(matrix[mine], x[mine]).solution
    fitted, points = solution[:2], solution[2:]
    return fitted, into_cell(points @ torch.linalg.inv(fitted)), torch.where(mine.unsqueeze(1), matrix @ solution, x)
