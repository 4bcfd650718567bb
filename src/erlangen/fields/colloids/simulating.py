"""`simulate`: a program or design in, crystals from a random start out, with their order and their picture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.fields.colloids.boxes import Box, Periodic
from erlangen.fields.colloids.crystallites import Crystallite, crystallite, local_structure
from erlangen.fields.colloids.designing import Design
from erlangen.fields.colloids.dynamics import BrownianDynamics
from erlangen.fields.colloids.order import Cutoff, bond_order, mean_order
from erlangen.fields.colloids.programs import Program
from erlangen.fields.colloids.trajectories import Trajectory
from erlangen.reporting import Figure, moving, scatter

#: The share of the box that a perfect crystal of all particles would fill.
FILLING = 0.64
#: Particles with |psi| below the first, between, and above the last are drawn in three colours.
LEVELS = (0.6, 0.85)


@dataclass(frozen=True, eq=False)
class Simulated:
    """A simulation of a program in several replicas.

    Attributes:
        trajectory: of all replicas.
        program: what acted.
        a: the lattice constant that neighbours are counted with.
    """

    trajectory: Trajectory
    program: Program
    a: float

    @property
    def final(self) -> Tensor:
        """The last positions ``[batch, n, dim]``; replicas that blew up are NaN."""
        return self.trajectory.positions[-1]

    def orders(self, n: int, cutoff: float = 1.2) -> list[float]:
        """Of each replica the mean ``|psi_n|`` at the end, over particles with at least two neighbours within ``cutoff a``; NaN where it
        blew up.
        """
        box = self.trajectory.box
        whole = self.final.isfinite().all(-1).all(-1)
        return [mean_order(x, n, box, Cutoff(cutoff * self.a)) if ok else math.nan for x, ok in zip(self.final, whole.tolist())]

    def order(self, n: int) -> float:
        """The mean of :meth:`orders` over the replicas that did not blow up."""
        values = [v for v in self.orders(n) if not math.isnan(v)]
        return sum(values) / len(values) if values else math.nan

    def structures(self) -> dict[str, float]:
        """The shares of particles by what surrounds them, over all whole replicas, the largest first."""
        found: dict[str, int] = {}
        whole = [x for x in self.final if bool(x.isfinite().all())]
        for x in whole:
            for name in local_structure(x, self.trajectory.box, self.a):
                found[name] = found.get(name, 0) + 1
        total = max(1, sum(found.values()))
        return {name: count / total for name, count in sorted(found.items(), key=lambda pair: -pair[1])}

    def crystal(self, replica: int = 0, frames: int = 5) -> Crystallite:
        """The largest grain of one replica, from positions averaged over the last frames."""
        return crystallite(self.trajectory.positions[-frames:, replica].mean(0), self.trajectory.box, self.a)

    def figure(self, n: int, replica: int = 0, frames: int = 24, title: str = "") -> Figure:
        """The particles one frame after another, coloured by ``|psi_n|``; with ``frames=1`` as they are at the end."""
        path = self.trajectory
        if frames == 1:
            path = Trajectory(path.positions[-1:], path.times[-1:], path.box)
        chosen = torch.linspace(0, len(path.times) - 1, min(frames, len(path.times))).round().long().unique().tolist()
        places = path.wrapped()[:, replica]
        names = (f"|psi{n}| below {LEVELS[0]}", f"{LEVELS[0]} to {LEVELS[1]}", f"above {LEVELS[1]}")
        drawn = []
        for k in chosen:
            size = bond_order(places[k], n, path.box, Cutoff(1.2 * self.a)).abs()
            parts = (size < LEVELS[0], (size >= LEVELS[0]) & (size <= LEVELS[1]), size > LEVELS[1])
            points = {name: (places[k][part, 0], places[k][part, 1]) for name, part in zip(names, parts)}
            drawn.append(scatter(points, title=title, x_label="x", y_label="y", equal=True))
        if len(drawn) == 1:
            caption = "Particles in the periodic box at the end; the colour is how regular the directions to their neighbours are."
            return scatter(points, title=title, x_label="x", y_label="y", equal=True, caption=caption)
        labels = [f"t = {float(path.times[k]):.3g}" for k in chosen]
        caption = "Particles in the periodic box while it cools; the colour is how regular the directions to their neighbours are."
        return moving(drawn, labels, title=title or f"Particles by |psi{n}|", caption=caption)


def simulate(
    program: Program | Design,
    n: int = 81,
    steps: int = 20_000,
    *,
    a: float | None = None,
    box: Box | float | None = None,
    batch: int = 1,
    dt: float = 1e-4,
    temperature: tuple[float, float] = (1.2, 0.1),
    seed: int = 0,
    every: int | None = None,
    start: str = "random",
    checkpoint: Any = None,
    description: str = "",
) -> Simulated:
    """Particles from a random start under a program, while it cools.

    Args:
        program: or a design, whose lattice then says ``a`` and the size of the box.
        n: particles of each replica.
        steps: of length ``dt``, in units of ``length^2 / D``.
        a: lattice constant; 1 for a bare program.
        box: by default a square periodic one that a perfect crystal of all particles would fill to 64 percent.
        batch: replicas.
        temperature: at the start and the end, in kT.
        every: steps between frames; by default 40 frames in all.
        start: ``"random"``, or ``"crystal"``: the design's lattice fills a periodic box of its own, with about ``n`` particles.
        checkpoint, description: as in :meth:`BrownianDynamics.run`.

    Raises:
        ArgumentError: the box is too small for the program's range, and what :class:`BrownianDynamics` refuses.

    >>> from erlangen.fields.colloids import design
    >>> run = simulate(design("p6m"), n=36, steps=200)
    >>> run.final.shape, 0 < run.order(6) <= 1
    (torch.Size([1, 36, 2]), True)
    """
    if not isinstance(program, (Program, Design)):
        raise ArgumentError("program", "a Program or a Design", type(program).__name__)
    if isinstance(program, Design):
        a = program.lattice.shells(1)[0] if a is None else a
        lattice = program.lattice.scaled(a)
        area = abs(float(torch.linalg.det(lattice.cell))) / len(lattice.motif)
        acts = program.program
    else:
        a, acts = 1.0 if a is None else a, program
        area = math.sqrt(3) / 2 * a * a
    place: Box | float = math.sqrt(n * area / FILLING) if box is None else box
    given = None
    if start == "crystal" and isinstance(program, Design):
        given, cell, _ = lattice.repeated(max(acts.range * 1.01, math.sqrt(n * area) / 2))
        n, place = len(given), Periodic(cell)
    elif start != "random":
        raise ArgumentError("start", "'random', or 'crystal' of a design", repr(start))
    sim = BrownianDynamics(n, box=place if isinstance(place, Box) else Periodic(place), dt=dt, seed=seed, batch=batch, start=given)
    sim.add(acts)
    every = max(1, steps // 40) if every is None else every
    path = sim.run(steps, every, temperature=temperature, checkpoint=checkpoint, description=description)
    return Simulated(path, acts, a)
